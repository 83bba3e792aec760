/* Users: who may do what, as a file says it. Pure and never changed once read; any thread.
 *
 *   {"users": [{"username": "ann", "algorithm": "scrypt", "salt": "…", "password_hash": "…"}],
 *    "permissions": [{"username": "ann", "operation": "Write", "resource": "Subject:orders-.*"}]}
 *
 * A resource is "Subject:NAME" or "Config:"; a permission's is a POSIX extended regular expression
 * that has to fit all of it. Admin includes Write, Write includes Read. */
#ifndef WEIR_SR_USERS_H
#define WEIR_SR_USERS_H

#include "schema-registry/password.h"

enum sr_operation { SR_OP_READ = 1, SR_OP_WRITE, SR_OP_ADMIN };

struct sr_user {
    char *name, *salt, *kept;
    enum sr_hash hash;
    struct sr_permission *permissions;
    size_t permission_count;
};

struct sr_users;

/* `file` is for messages, which name it, the entry and what to do. */
int sr_users_read(struct bs_bytes text, const char *file, struct sr_users **ret,
                  struct bs_error *err);
void sr_users_free(struct sr_users *users); /* accepts NULL */
size_t sr_users_count(const struct sr_users *users);
const struct sr_user *sr_users_find(const struct sr_users *users, const char *name);

const char *sr_operation_name(enum sr_operation operation);
bool sr_users_have(const struct sr_users *users, enum sr_hash hash); /* somebody's */
bool sr_user_may_all(const struct sr_user *user); /* Read on every subject; false: ask */
/* kind "Subject" or "Config"; name "" for the global config. */
bool sr_user_may(const struct sr_user *user, enum sr_operation operation, const char *kind,
                 const char *name);

#endif
