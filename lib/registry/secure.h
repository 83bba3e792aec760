/* Secure: what a client of the registry signs in with beside user and password, and which
 * certificates its TLS knows. Texts, copied whole; files are read when a connection is made, so a
 * renewed one counts without a restart. */
#ifndef WEIR_REGISTRY_SECURE_H
#define WEIR_REGISTRY_SECURE_H

#include "lib/base/err.h"

enum rc_secret {
    RC_BEARER_TOKEN,
    RC_LOGICAL_CLUSTER, /* headers beside the token */
    RC_IDENTITY_POOL,
    RC_AUTHORITY_FILE, /* PEM: who is trusted, instead of the system's */
    RC_AUTHORITY_TEXT,
    RC_CERTIFICATE_FILE, /* PEM: the client's own, with its chain */
    RC_CERTIFICATE_TEXT,
    RC_KEY_FILE,
    RC_KEY_TEXT,
    RC_KEY_PASSWORD,
    RC_SECRET_COUNT
};

struct rc_secure {
    const char *text[RC_SECRET_COUNT]; /* NULL: none */
};

/* Can this file be read, and is it PEM? Else the error names the option, and says how to turn a
 * Java keystore or PKCS #12 into PEM. */
int rc_secure_check_file(const char *option, const char *file, struct bs_error *err);
void rc_secure_copy(struct rc_secure *to, const struct rc_secure *from);
void rc_secure_deinit(struct rc_secure *copied); /* accepts a zeroed one */
/* On a libcurl handle. */
void rc_secure_apply(const struct rc_secure *secure, void *curl);
/* "Authorization: Bearer …" and so on, appended to a libcurl list. */
struct curl_slist;
struct curl_slist *rc_secure_headers(const struct rc_secure *secure, struct curl_slist *headers);

#endif
