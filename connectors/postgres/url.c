/* URL: JDBC and libpq forms of a connection become one list of libpq keywords.
 *
 * libpq parses both (a JDBC URL without its "jdbc:" is one of libpq's), except for JDBC's own
 * parameters, which are translated or left out before. Errors never quote the URL: it may hold a
 * password. */
#include "connectors/postgres/url.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* JDBC's parameter → libpq's; NULL: without effect here. */
static const struct {
    const char *jdbc, *libpq;
} parameters[] = {
    {"ApplicationName", "application_name"},
    {"connectTimeout", "connect_timeout"},
    {"targetServerType", NULL},
    {"reWriteBatchedInserts", NULL},
    {"stringtype", NULL},
    {"prepareThreshold", NULL},
    {"preparedStatementCacheQueries", NULL},
    {"socketTimeout", NULL},
    {"loginTimeout", NULL},
    {"tcpKeepAlive", NULL},
    {"binaryTransfer", NULL},
    {"defaultRowFetchSize", NULL},
    {"loggerLevel", NULL},
    {"autosave", NULL},
};

static bool set(struct cn_url *url, const char *keyword, const char *value)
{
    size_t i = 0;
    while (i < url->count && strcmp(url->keywords[i], keyword) != 0)
        i++;
    if (i == CN_URL_KEYWORDS_MAX)
        return false;
    if (i == url->count) {
        url->keywords[url->count++] = strdup(keyword);
    } else {
        free(url->values[i]);
    }
    url->values[i] = strdup(value);
    return true;
}

const char *cn_url_value(const struct cn_url *url, const char *keyword)
{
    for (size_t i = 0; i < url->count; i++)
        if (!strcmp(url->keywords[i], keyword))
            return url->values[i];
    return NULL;
}

static void put(char **at, const char *from, size_t len)
{
    memcpy(*at, from, len);
    *at += len;
}

/* Rewrites one "name=value" of the query into out; nothing when it has no effect. */
static void put_parameter(struct cn_url *url, const char *from, size_t len, char **at, char *mark)
{
    size_t name_len = strcspn(from, "=&");
    if (name_len > len)
        name_len = len;
    const char *name = from, *value = from + name_len;
    size_t value_len = len - name_len;
    for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
        if (strlen(parameters[i].jdbc) != name_len || strncmp(parameters[i].jdbc, from, name_len))
            continue;
        if (!parameters[i].libpq) {
            size_t used = strlen(url->ignored);
            snprintf(url->ignored + used, sizeof(url->ignored) - used, "%s%s", used ? ", " : "",
                     parameters[i].jdbc);
            return;
        }
        name = parameters[i].libpq;
        name_len = strlen(name);
    }
    put(at, mark, 1);
    *mark = '&';
    if (name_len == 13 && !strncmp(name, "currentSchema", 13)) {
        put(at, "options=-csearch_path%3D", 24);
        put(at, value + (value_len > 0), value_len - (value_len > 0));
    } else if (name_len == 3 && !strncmp(name, "ssl", 3)) {
        bool off = value_len == 6 && !strncmp(value, "=false", 6);
        const char *mode = off ? "sslmode=prefer" : "sslmode=verify-full";
        put(at, mode, strlen(mode));
    } else {
        put(at, name, name_len);
        put(at, value, value_len);
    }
}

/* A JDBC URL as libpq takes it; owned. */
static char *translate(struct cn_url *url, const char *text)
{
    const char *query = strchr(text, '?');
    size_t head = query ? (size_t)(query - text) : strlen(text);
    char *out = malloc(strlen(text) * 3 + 64), *at = out, mark = '?';
    if (!out)
        abort();
    put(&at, text, head);
    for (const char *p = query ? query + 1 : ""; *p;) {
        size_t len = strcspn(p, "&");
        if (len)
            put_parameter(url, p, len, &at, &mark);
        p += len + (p[len] == '&');
    }
    *at = 0;
    return out;
}

bool cn_url_parse(struct cn_url *url, const char *text, const char *user, const char *password,
                  struct cn_error *error)
{
    char *message = NULL, *own = NULL;
    PQconninfoOption *options = NULL;
    bool ok = false;
    *url = (struct cn_url){0};
    if (!strncasecmp(text, "jdbc:", 5))
        own = translate(url, text + 5);
    const char *plain = own ? own : text;
    if (!strncmp(plain, "postgresql:", 11) || !strncmp(plain, "postgres:", 9))
        options = PQconninfoParse(plain, &message);
    if (!options) {
        snprintf(error->text, sizeof(error->text),
                 "connection.url cannot be read; accepted are "
                 "postgresql://[user[:password]@]host[:port]/database[?name=value&…] and "
                 "jdbc:postgresql://host[:port]/database[?user=…&password=…]");
        goto done;
    }
    for (PQconninfoOption *option = options; option->keyword; option++)
        if (option->val && *option->val)
            set(url, option->keyword, option->val);
    if (user && *user)
        set(url, "user", user);
    if (password && *password)
        set(url, "password", password);
    if (!cn_url_value(url, "connect_timeout"))
        set(url, "connect_timeout", "10");
    if (!cn_url_value(url, "application_name"))
        set(url, "application_name", "weir");
    set(url, "client_encoding", "UTF8");
    const char *host = cn_url_value(url, "host"), *port = cn_url_value(url, "port");
    snprintf(url->where, sizeof(url->where), "%s:%s", host ? host : "localhost",
             port ? port : "5432");
    ok = true;
done:
    PQconninfoFree(options);
    PQfreemem(message);
    free(own);
    return ok;
}

void cn_url_deinit(struct cn_url *url)
{
    for (size_t i = 0; i < url->count; i++) {
        free(url->keywords[i]);
        free(url->values[i]);
    }
    *url = (struct cn_url){0};
}
