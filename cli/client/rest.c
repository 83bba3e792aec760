/* REST: see rest.h. Answers are bounded to 16 MiB. */
#include "cli/client/rest.h"

#include "lib/base/mem.h"

#include <curl/curl.h>
#include <string.h>

enum { ANSWER_MAX = 16 << 20 };

static size_t on_data(char *data, size_t size, size_t count, void *ctx)
{
    struct bs_buf *out = ctx;
    size_t n = size * count;
    if (out->len + n > ANSWER_MAX)
        return 0;
    bs_buf_put(out, data, n);
    return n;
}

char *cl_rest_escape(const char *part)
{
    struct bs_buf out = BS_BUF_INIT;
    char *text;
    for (; *part; part++) {
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", *part))
            bs_buf_put_u8(&out, (uint8_t)*part);
        else
            bs_buf_printf(&out, "%%%02X", (unsigned char)*part);
    }
    text = bs_strdup(bs_buf_text(&out));
    bs_buf_deinit(&out);
    return text;
}

static CURLcode perform(CURL *curl, const struct cl_rest *rest, const char *method, const char *url,
                        const char *body, struct bs_buf *out, char *reason)
{
    char *type = bs_asprintf("Content-Type: %s", rest->content_type);
    struct curl_slist *headers = curl_slist_append(NULL, type);
    CURLcode code;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 30000L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
    if (body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    }
    code = curl_easy_perform(curl);
    curl_slist_free_all(headers);
    bs_free(type);
    return code;
}

static int check_status(const struct cl_rest *rest, long status, const json_t *answer,
                        const struct bs_buf *body, struct bs_error *err)
{
    const char *message = answer ? json_string_value(json_object_get(answer, "message")) : NULL;
    int code = status == 404 ? BS_ENOTFOUND : status == 409 ? BS_ECONFLICT : BS_EINVAL;
    if (status < 400)
        return 0;
    if (message)
        return bs_error_set(err, code, "%s (%s says %ld)", message, rest->name, status);
    return bs_error_set(err, code, "%s says %ld: %.*s", rest->name, status,
                        (int)(body->len > 300 ? 300 : body->len), (const char *)body->data);
}

static int call(const struct cl_rest *rest, const char *method, const char *path, const char *text,
                json_t **ret, struct bs_error *err)
{
    CURL *curl = curl_easy_init();
    struct bs_buf out = BS_BUF_INIT;
    char reason[CURL_ERROR_SIZE] = "", *url = bs_asprintf("%s%s", rest->url, path);
    json_t *answer = NULL;
    long status = 0;
    CURLcode code = perform(curl, rest, method, url, text, &out, reason);
    int rc = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK)
        rc = bs_error_set(err, BS_ECONNECT, "%s at %s: %s", rest->name, rest->url,
                          *reason ? reason : curl_easy_strerror(code));
    else if (out.len)
        answer = json_loadb((const char *)out.data, out.len, JSON_DECODE_ANY, NULL);
    if (rc == 0)
        rc = check_status(rest, status, answer, &out, err);
    if (rc == 0 && out.len && answer == NULL)
        rc = bs_error_set(err, BS_ECORRUPT, "%s at %s did not answer with JSON", rest->name, url);
    *ret = answer;
    bs_free(url);
    bs_buf_deinit(&out);
    curl_easy_cleanup(curl);
    return rc;
}

static int call_registry(struct rc_client *registry, const char *method, const char *path,
                         const char *body, json_t **ret, struct bs_error *err)
{
    struct bs_buf out = BS_BUF_INIT;
    int status = 0, rc = rc_request_again(registry, method, path, body, &out, &status, err);
    if (rc == 0 && status / 100 != 2)
        rc = rc_refused(registry, method, path, bs_buf_bytes(&out), status, err);
    if (rc == 0 && out.len) {
        *ret = json_loadb((const char *)out.data, out.len, JSON_DECODE_ANY, NULL);
        if (*ret == NULL)
            rc = bs_error_set(err, BS_ECORRUPT, "registry %s %s: it did not answer with JSON",
                              method, path);
    }
    bs_buf_deinit(&out);
    return rc;
}

int cl_rest_call(const struct cl_rest *rest, const char *method, const char *path, json_t *body,
                 json_t **ret, struct bs_error *err)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_t *answer = NULL;
    int rc = rest->registry ? call_registry(rest->registry, method, path, text, &answer, err)
                            : call(rest, method, path, text, &answer, err);
    if (rc == 0 && ret)
        *ret = answer;
    else
        json_decref(answer);
    free(text);
    return rc;
}
