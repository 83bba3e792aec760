/* Auth: who sends a request: Basic credentials against the users of a file.
 *
 * Any thread. The users of the moment are counted, so that a request keeps those it began with. A
 * file that changes is read anew within a second of the next request; one that is wrong changes
 * nothing but the log and /health. Comparing a password is made slow on purpose: credentials that
 * were right (or wrong) a short time ago are known again by a keyed digest, the others are compared
 * one after the other, where a request may wait, and too many of them at a time, or of one name or
 * address, are refused. */
#ifndef WEIR_SR_AUTH_H
#define WEIR_SR_AUTH_H

#include "lib/base/buf.h"
#include "schema-registry/users.h"

struct sr_auth;

/* Requests that wait for a comparison, at most: of all clients, of one address. */
enum { SR_SIGN_INS_MAX = 48, SR_SIGN_INS_OF_CLIENT_MAX = 32 };

/* A user while it is held. */
struct sr_identity {
    const struct sr_user *user; /* NULL: nobody */
    struct sr_users_held *held;
};

/* BS_E…: the file cannot be read or is wrong. */
int sr_auth_open(const char *file, struct sr_auth **ret, struct bs_error *err);
void sr_auth_close(struct sr_auth *auth); /* accepts NULL */

/* `header` is the value of Authorization, or NULL; `client` says which address sends it. 0: ret is
 * to be given back by sr_auth_release. BS_EDENIED: missing or wrong. BS_EINVAL: not Basic
 * credentials. BS_EBUSY: too many are being compared. 1: has to wait, and may not block. */
int sr_auth_check(struct sr_auth *auth, const char *header, uint64_t client, bool may_block,
                  struct sr_identity *ret, struct bs_error *err);
void sr_auth_release(struct sr_auth *auth, struct sr_identity *identity); /* accepts nobody */
/* {"users":2} or with "error": what is wrong with the file that is there now. */
void sr_auth_health(struct sr_auth *auth, struct bs_buf *out);

#endif
