/* Transport: see transport.h. libcurl; connections are kept by idle handles. */
#include "lib/registry/transport.h"

#include "lib/base/mem.h"
#include "lib/registry/shared.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- the list of URLs ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'                 ? c - '0'
           : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                : -1;
}

/* Percent-decodes a part of a URL. */
static char *decoded(const char *text, size_t len)
{
    char *out = bs_strndup(text, len), *to = out;
    for (const char *p = out; *p; p++) {
        int high = *p == '%' ? hex_digit(p[1]) : -1, low = high >= 0 ? hex_digit(p[2]) : -1;
        *to++ = low >= 0 ? (char)(high << 4 | low) : *p;
        p += low >= 0 ? 2 : 0;
    }
    *to = '\0';
    return out;
}

/* "user:password"; a password may hold colons. */
static void set_user(struct rc_server *server, const char *info, size_t len, bool escaped)
{
    const char *colon = memchr(info, ':', len);
    size_t user_len = colon ? (size_t)(colon - info) : len;
    const char *password = colon ? colon + 1 : "";
    size_t password_len = colon ? len - user_len - 1 : 0;
    bs_free(server->user);
    bs_free(server->password);
    server->user = escaped ? decoded(info, user_len) : bs_strndup(info, user_len);
    server->password =
        escaped ? decoded(password, password_len) : bs_strndup(password, password_len);
}

static int add_server(struct rc_transport *transport, const char *text, size_t len,
                      struct bs_error *err)
{
    const char *scheme = len > 8 && strncmp(text, "https://", 8) == 0  ? "https://"
                         : len > 7 && strncmp(text, "http://", 7) == 0 ? "http://"
                                                                       : NULL;
    size_t skip = scheme ? strlen(scheme) : 0;
    const char *rest = text + skip, *at = NULL;
    size_t rest_len = len - skip, authority = 0;
    struct rc_server *server;
    while (authority < rest_len && strchr("/?#", rest[authority]) == NULL)
        authority++;
    for (size_t i = 0; i < authority; i++)
        if (rest[i] == '@')
            at = rest + i;
    if (scheme == NULL || at == rest + authority - 1 || authority == 0) {
        const char *sign = memrchr(text, '@', len), *shown = sign ? sign + 1 : text;
        return bs_error_set(err, BS_EINVAL,
                            "registry URL \"%.*s\": http://host:port or https://host:port is "
                            "accepted, several separated by commas",
                            (int)(text + len - shown), shown);
    }
    if (transport->server_count == RC_URLS_MAX)
        return bs_error_set(err, BS_ELIMIT, "more than %d registry URLs", RC_URLS_MAX);
    transport->servers =
        bs_realloc(transport->servers, (transport->server_count + 1) * sizeof *transport->servers);
    server = &transport->servers[transport->server_count++];
    *server = (struct rc_server){0};
    if (at) {
        set_user(server, rest, (size_t)(at - rest), true);
        rest_len -= (size_t)(at + 1 - rest);
        rest = at + 1;
    }
    while (rest_len && rest[rest_len - 1] == '/')
        rest_len--;
    server->url = bs_asprintf("%s%.*s", scheme, (int)rest_len, rest);
    return 0;
}

int rc_transport_init(struct rc_transport *transport, const struct rc_options *options,
                      struct rc_shared *shared, struct bs_error *err)
{
    const char *at = options->url ? options->url : "";
    int rc = 0;
    *transport = (struct rc_transport){.options = *options, .shared = shared};
    curl_global_init(CURL_GLOBAL_DEFAULT); /* counted, and safe from threads since 7.84 */
    while (rc == 0 && *(at += strspn(at, ", \t"))) {
        size_t len = strcspn(at, ", \t");
        rc = add_server(transport, at, len, err);
        at += len;
    }
    if (rc == 0 && transport->server_count == 0)
        rc = bs_error_set(err, BS_EINVAL, "no registry URL is given (\"http://host:port\")");
    for (size_t i = 0; rc == 0 && options->user_info && i < transport->server_count; i++)
        set_user(&transport->servers[i], options->user_info, strlen(options->user_info), false);
    for (size_t i = 0;
         rc == 0 && options->secure.text[RC_BEARER_TOKEN] && i < transport->server_count; i++)
        if (transport->servers[i].user)
            rc = bs_error_set(err, BS_EINVAL,
                              "bearer.auth.token and user and password: there is one way to sign "
                              "in");
    transport->options.url = transport->options.user_info = NULL;
    rc_secure_copy(&transport->options.secure, &options->secure);
    if (rc < 0)
        rc_transport_deinit(transport);
    return rc;
}

void rc_transport_deinit(struct rc_transport *transport)
{
    for (size_t i = 0; i < transport->server_count; i++) {
        bs_free(transport->servers[i].url);
        bs_free(transport->servers[i].user);
        bs_free(transport->servers[i].password);
    }
    bs_free(transport->servers);
    rc_secure_deinit(&transport->options.secure);
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

static const char *shown(const struct rc_server *server)
{
    return strstr(server->url, "://") + 3;
}

const char *rc_transport_shown(const struct rc_transport *transport)
{
    return shown(&transport->servers[rc_shared_first(transport->shared)]);
}

/* ---- one exchange ---- */

static size_t take(char *data, size_t size, size_t count, void *ctx)
{
    struct bs_buf *out = ctx;
    if (out->len + size * count > RC_ANSWER_MAX)
        return 0;
    bs_buf_put(out, data, size * count);
    return size * count;
}

static void set_options(const struct rc_transport *transport, const struct rc_server *server,
                        CURL *curl, const char *method, const char *url, const char *body,
                        struct curl_slist *headers, struct bs_buf *out)
{
    curl_easy_reset(curl); /* keeps the connections */
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)transport->options.connect_timeout_ms);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)transport->options.timeout_ms);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
    rc_secure_apply(&transport->options.secure, curl);
    if (server->user) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(curl, CURLOPT_USERNAME, server->user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, server->password);
    }
    if (body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
    }
}

/* What TLS says of certificates does not pass by itself; the rest may. */
static int failed(CURLcode code, const char *detail, const char *method, const char *where,
                  const char *path, struct bs_error *err)
{
    const char *why = *detail ? detail : curl_easy_strerror(code), *hint = "";
    int rc = code == CURLE_OPERATION_TIMEDOUT ? BS_ETIMEOUT : BS_ECONNECT;
    switch (code) {
    case CURLE_WRITE_ERROR:
        return bs_error_set(err, BS_ELIMIT, "registry %s %s%s: the answer has more than %d MiB",
                            method, where, path, RC_ANSWER_MAX >> 20);
    case CURLE_PEER_FAILED_VERIFICATION:
        rc = BS_EDENIED;
        hint = "\n  hint: the certificate of the authority that signed the registry's, as PEM in "
               "ssl.ca.location=FILE; it must hold the host's name";
        break;
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
        rc = BS_EDENIED;
        hint = "\n  hint: see the ssl.… options: PEM files, certificate and key of one pair";
        break;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        break;
    default: /* curl's detail counts milliseconds */
        why = curl_easy_strerror(code);
        break;
    }
    return bs_error_set(err, rc, "registry %s %s%s: %s%s", method, where, path, why, hint);
}

static int ask_one(struct rc_transport *transport, const struct rc_server *server,
                   const char *method, const char *path, const char *body, struct bs_buf *out,
                   int *ret_status, struct bs_error *err)
{
    char *url = bs_asprintf("%s%s", server->url, path);
    CURL *curl = rc_shared_take_handle(transport->shared);
    struct curl_slist *headers = NULL;
    size_t before = out->len;
    char detail[CURL_ERROR_SIZE] = "";
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
    headers = rc_secure_headers(&transport->options.secure, headers);
    set_options(transport, server, curl, method, url, body, headers, out);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
    code = curl_easy_perform(curl);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK) {
        out->len = before;
        rc = failed(code, detail, method, shown(server), path, err);
    }
    *ret_status = (int)status;
    curl_slist_free_all(headers);
    if (code != CURLE_OK || !rc_shared_give_handle(transport->shared, curl))
        curl_easy_cleanup(curl);
    bs_free(url);
    return rc;
}

/* ---- rounds ---- */

static bool may_pass(int rc, int status)
{
    if (rc < 0)
        return rc == BS_ECONNECT || rc == BS_ETIMEOUT;
    return status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504);
}

int rc_transport_ask(struct rc_transport *transport, const char *method, const char *path,
                     const char *body, struct bs_buf *out, int *ret_status, struct bs_error *err)
{
    size_t before = out->len, first = rc_shared_first(transport->shared);
    struct bs_error failed = {0}; /* the caller's says what the whole came to */
    bool answered = false;
    int rc = 0;
    for (size_t i = 0; i < transport->server_count; i++) {
        size_t at = (first + i) % transport->server_count, start = out->len;
        int status = 0;
        rc = ask_one(transport, &transport->servers[at], method, path, body, out, &status, &failed);
        if (rc < 0)
            continue;
        if (start > before)
            memmove(out->data + before, out->data + start, out->len - start);
        out->len -= start - before;
        *ret_status = status;
        answered = true;
        rc_shared_set_first(transport->shared, at);
        if (!may_pass(0, status))
            break;
    }
    if (!answered && err)
        *err = failed;
    return answered ? 0 : rc;
}

/* Doubled from round to round up to the bound, then shortened by up to a half at random, so that
 * clients that failed together do not come back together. */
static int64_t wait_of(const struct rc_options *options, int round)
{
    int64_t ms = options->retries_wait_ms;
    struct timespec now;
    for (int i = 0; i < round && ms < options->retries_max_wait_ms; i++)
        ms *= 2;
    if (ms > options->retries_max_wait_ms)
        ms = options->retries_max_wait_ms;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return ms - (ms > 1 ? (now.tv_nsec / 1000) % (ms / 2 + 1) : 0);
}

int rc_transport_ask_again(struct rc_transport *transport, const char *method, const char *path,
                           const char *body, struct bs_buf *out, int *ret_status,
                           struct bs_error *err)
{
    size_t before = out->len;
    for (int round = 0;; round++) {
        struct bs_error failed = {0};
        int rc = rc_transport_ask(transport, method, path, body, out, ret_status, &failed);
        int64_t ms;
        struct timespec pause;
        if (!may_pass(rc, *ret_status) || round >= transport->options.retries_max) {
            if (rc < 0 && err)
                *err = failed;
            return rc;
        }
        out->len = before;
        ms = wait_of(&transport->options, round);
        pause = (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
        while (nanosleep(&pause, &pause) != 0)
            ;
    }
}
