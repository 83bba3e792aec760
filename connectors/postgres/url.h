/* URL: where PostgreSQL is, from the JDBC sink's connection options, as libpq's keywords. */
#ifndef WEIR_CONNECTORS_POSTGRES_URL_H
#define WEIR_CONNECTORS_POSTGRES_URL_H

#include "connectors/api/connector.h"

#include <stdbool.h>

enum { CN_URL_KEYWORDS_MAX = 40 };

struct cn_url {
    char *keywords[CN_URL_KEYWORDS_MAX + 1]; /* NULL-ended, for PQconnectdbParams; owned */
    char *values[CN_URL_KEYWORDS_MAX + 1];
    size_t count;
    char where[300];   /* "host:port" for messages; holds no secret */
    char ignored[200]; /* JDBC parameters without effect here: "a, b" */
};

/* `url`: postgresql://…, postgres://… or jdbc:postgresql://…; user and password (may be NULL or "")
 * win over those in the URL. false: error says what is accepted; it never repeats the URL. */
bool cn_url_parse(struct cn_url *url, const char *text, const char *user, const char *password,
                  struct cn_error *error);
void cn_url_deinit(struct cn_url *url);
const char *cn_url_value(const struct cn_url *url, const char *keyword); /* or NULL */

#endif
