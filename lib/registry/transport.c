/* Transport: see transport.h. libcurl; connections are kept by idle handles. */
#include "lib/registry/transport.h"

#include "lib/base/mem.h"
#include "lib/registry/shared.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

int rc_transport_init(struct rc_transport *transport, const char *urls, long timeout_ms,
                      struct rc_shared *shared, struct bs_error *err)
{
    const char *at = urls ? urls : "";
    *transport = (struct rc_transport){.timeout_ms = timeout_ms, .shared = shared};
    curl_global_init(CURL_GLOBAL_DEFAULT); /* counted, and safe from threads since 7.84 */
    while (*at) {
        size_t len;
        at += strspn(at, ", \t");
        len = strcspn(at, ", \t");
        if (len == 0)
            break;
        transport->urls = bs_realloc(transport->urls, (transport->url_count + 1) * sizeof(char *));
        transport->urls[transport->url_count] = bs_strndup(at, len);
        while (len && transport->urls[transport->url_count][len - 1] == '/')
            transport->urls[transport->url_count][--len] = '\0';
        if (strncmp(transport->urls[transport->url_count++], "http", 4) != 0) {
            int rc = bs_error_set(err, BS_EINVAL,
                                  "registry URL \"%.*s\": http://host:port or https://host:port "
                                  "is accepted, several separated by commas",
                                  (int)len, at);
            rc_transport_deinit(transport);
            return rc;
        }
        at += strcspn(at, ", \t");
    }
    if (transport->url_count == 0) {
        rc_transport_deinit(transport);
        return bs_error_set(err, BS_EINVAL, "no registry URL is given (\"http://host:port\")");
    }
    return 0;
}

void rc_transport_deinit(struct rc_transport *transport)
{
    for (size_t i = 0; i < transport->url_count; i++)
        bs_free(transport->urls[i]);
    bs_free(transport->urls);
    *transport = (struct rc_transport){0};
    curl_global_cleanup();
}

void rc_transport_handle_free(void *handle)
{
    curl_easy_cleanup(handle);
}

char *rc_escape(const char *text)
{
    static const char hex[] = "0123456789ABCDEF";
    struct bs_buf out = BS_BUF_INIT;
    size_t len;
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || strchr("-._~", c)) {
            bs_buf_put_u8(&out, c);
        } else {
            const char code[3] = {'%', hex[c >> 4], hex[c & 15]};
            bs_buf_put(&out, code, 3);
        }
    }
    bs_buf_put_u8(&out, 0);
    return (char *)bs_buf_steal(&out, &len);
}

/* A URL for messages: without user and password. */
static const char *shown(const char *url)
{
    const char *at = strrchr(url, '@');
    return at ? at + 1 : url;
}

static size_t take(char *data, size_t size, size_t count, void *ctx)
{
    struct bs_buf *out = ctx;
    if (out->len + size * count > RC_ANSWER_MAX)
        return 0;
    bs_buf_put(out, data, size * count);
    return size * count;
}

static void set_options(const struct rc_transport *transport, CURL *curl, const char *method,
                        const char *url, const char *body, struct curl_slist *headers,
                        struct bs_buf *out)
{
    curl_easy_reset(curl); /* keeps the connections */
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, transport->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
    if (body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
    }
}

static int ask_one(struct rc_transport *transport, const char *base, const char *method,
                   const char *path, const char *body, struct bs_buf *out, int *ret_status,
                   struct bs_error *err)
{
    char *url = bs_asprintf("%s%s", base, path);
    CURL *curl = rc_shared_take_handle(transport->shared);
    struct curl_slist *headers = NULL;
    size_t before = out->len;
    long status = 0;
    CURLcode code;
    int rc = 0;
    if (curl == NULL)
        curl = curl_easy_init();
    if (curl == NULL) {
        bs_free(url);
        return bs_error_set(err, BS_ENOMEM, "registry: no memory for a connection");
    }
    headers = curl_slist_append(headers, "Content-Type: application/vnd.schemaregistry.v1+json");
    headers = curl_slist_append(headers, "Accept: application/vnd.schemaregistry.v1+json");
    headers = curl_slist_append(headers, "Expect:");
    set_options(transport, curl, method, url, body, headers, out);
    code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK) {
        out->len = before;
        rc = bs_error_set(err, code == CURLE_OPERATION_TIMEDOUT ? BS_ETIMEOUT : BS_ECONNECT,
                          "registry %s %s%s: %s", method, shown(base), path,
                          curl_easy_strerror(code));
    }
    *ret_status = (int)status;
    curl_slist_free_all(headers);
    if (code != CURLE_OK || !rc_shared_give_handle(transport->shared, curl))
        curl_easy_cleanup(curl);
    bs_free(url);
    return rc;
}

int rc_transport_ask(struct rc_transport *transport, const char *method, const char *path,
                     const char *body, struct bs_buf *out, int *ret_status, struct bs_error *err)
{
    size_t before = out->len;
    int rc = 0;
    for (size_t i = 0; i < transport->url_count; i++) {
        bool last = i + 1 == transport->url_count;
        out->len = before;
        rc = ask_one(transport, transport->urls[i], method, path, body, out, ret_status, err);
        if ((rc == 0 && *ret_status < 500) || last)
            break;
    }
    return rc;
}
