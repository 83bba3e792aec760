/* Access: see access.h. A resource is a subject by its qualified name, or the config: the global
 * one, and that of a context (":.ctx:", which is a subject's name without its last part). */
#include "schema-registry/access.h"

#include "schema-registry/reason.h"

#include <string.h>

static const char *const names[] = {
    [SR_RIGHT_MISSING] = "none",
    [SR_OPEN] = "open",
    [SR_SIGNED_IN] = "any user",
    [SR_READ_SUBJECT] = "Read on Subject:{subject}",
    [SR_WRITE_SUBJECT] = "Write on Subject:{subject}",
    [SR_ADMIN_SUBJECT] = "Admin on Subject:{subject}",
    [SR_READ_CONFIG] = "Read on Config:",
    [SR_WRITE_CONFIG] = "Write on Config:",
};

const char *sr_right_name(int right)
{
    return names[right];
}

/* ":.ctx:" stands for the context, not for a subject in it. */
static bool is_context(const char *stored)
{
    return *sr_name_split(stored).bare == '\0';
}

static bool may(const struct sr_call *call, enum sr_operation operation, const char *subject)
{
    const char *name;
    if (call->identity.user == NULL)
        return true;
    name = sr_name_stored(call->request->arena, subject);
    if (!is_context(name))
        return sr_user_may(call->identity.user, operation, "Subject", name);
    if (operation == SR_OP_ADMIN)
        operation = SR_OP_WRITE;
    return sr_user_may(call->identity.user, operation, "Config",
                       strcmp(name, SR_SCOPE_GLOBAL) == 0 ? "" : name);
}

static bool must(struct sr_call *call, enum sr_operation operation, const char *subject)
{
    const char *name = sr_name_stored(call->request->arena, subject);
    if (may(call, operation, subject))
        return true;
    bs_metric_add(&call->service->forbidden, 1);
    sr_fail(call, 40301, "User '%s' is denied operation %s on %s:%s", call->identity.user->name,
            is_context(name) && operation == SR_OP_ADMIN ? "Write" : sr_operation_name(operation),
            is_context(name) ? "Config" : "Subject", name);
    return false;
}

static bool refuse(struct sr_call *call, int rc, const struct bs_error *err)
{
    if (rc == BS_EBUSY) {
        sr_fail(call, 429, "%s", err->text);
        ht_response_field(call->response, "Retry-After", "1");
        return false;
    }
    bs_metric_add(&call->service->unauthorized, 1);
    sr_fail(call, 401, "%s", err->text);
    ht_response_field(call->response, "WWW-Authenticate", call->service->challenge);
    return false;
}

bool sr_access_sign_in(struct sr_call *call)
{
    struct sr_auth *auth = call->service->auth;
    struct bs_error err = {0};
    int rc;
    if (auth == NULL)
        return true;
    rc = sr_auth_check(auth, ht_header(call->request, "Authorization"), ht_client(call->request),
                       call->request->may_block, &call->identity, &err);
    if (rc == 1) {
        call->later = true;
        return false;
    }
    return rc == 0 || refuse(call, rc, &err);
}

bool sr_access_begin(struct sr_call *call)
{
    int right = call->request->route->right;
    if (call->service->auth == NULL || right == SR_OPEN)
        return true;
    if (!sr_access_sign_in(call))
        return false;
    switch ((enum sr_right)right) {
    case SR_READ_CONFIG:
        return must(call, SR_OP_READ, "");
    case SR_WRITE_CONFIG:
        return must(call, SR_OP_WRITE, "");
    case SR_SIGNED_IN:
    case SR_READ_SUBJECT:
    case SR_WRITE_SUBJECT:
    case SR_ADMIN_SUBJECT:
        return true;
    case SR_OPEN:
    case SR_RIGHT_MISSING:
        break;
    }
    sr_fail(call, 403, "No right is defined for this path");
    return false;
}

bool sr_access_subject(struct sr_call *call)
{
    switch (call->request->route->right) {
    case SR_READ_SUBJECT:
        return must(call, SR_OP_READ, call->subject);
    case SR_WRITE_SUBJECT:
        return must(call, SR_OP_WRITE, call->subject);
    case SR_ADMIN_SUBJECT:
        return must(call, SR_OP_ADMIN, call->subject);
    default:
        return true;
    }
}

void sr_access_end(struct sr_call *call)
{
    if (call->service->auth)
        sr_auth_release(call->service->auth, &call->identity);
}

bool sr_may_read(const struct sr_call *call, const char *subject)
{
    return may(call, SR_OP_READ, subject);
}

bool sr_must_read(struct sr_call *call, const char *subject)
{
    return must(call, SR_OP_READ, subject);
}

bool sr_may_read_space(const struct sr_call *call, const struct sr_space *space)
{
    if (call->identity.user == NULL || strcmp(space->context, SR_CONTEXT_DEFAULT) == 0 ||
        sr_user_may_all(call->identity.user))
        return true;
    if (sr_may_read(call, bs_arena_printf(call->request->arena, ":%s:", space->context)))
        return true;
    for (size_t i = 0; i < sr_store_subject_count(call->store); i++) {
        const struct sr_subject *subject = sr_store_subject_at(call->store, i);
        if (subject->space == space && sr_may_read(call, subject->name))
            return true;
    }
    return false;
}

static bool uses(const struct sr_subject *subject, const struct sr_entry *entry)
{
    for (size_t i = subject ? subject->count : 0; i-- > 0;)
        if (subject->versions[i].entry == entry)
            return true;
    return false;
}

/* `name` is a subject that uses the entry and may be read. */
static bool is_reason(const struct sr_call *call, const char *name, const struct sr_entry *entry)
{
    return uses(sr_store_subject(call->store, name), entry) && sr_may_read(call, name);
}

/* Serializers name their subject, which spares the walk; so does a user who may read everything,
 * and the subject through which it was read before. */
bool sr_may_read_entry(const struct sr_call *call, const struct sr_entry *entry)
{
    const struct sr_user *user = call->identity.user;
    struct sr_reasons *reasons = call->service->reasons;
    struct bs_arena *arena = call->request->arena;
    const char *hint;
    if (user == NULL || sr_user_may_all(user))
        return true;
    hint = ht_query(call->request, "subject");
    if (hint && *hint && is_reason(call, sr_name_stored(arena, hint), entry))
        return true;
    hint = sr_reason_get(reasons, user, entry, arena);
    if (hint && is_reason(call, hint, entry))
        return true;
    for (size_t i = 0; i < sr_store_subject_count(call->store); i++) {
        const struct sr_subject *subject = sr_store_subject_at(call->store, i);
        if (!uses(subject, entry) || !sr_may_read(call, subject->name))
            continue;
        sr_reason_put(reasons, user, entry, subject->name);
        return true;
    }
    return false;
}

bool sr_may_read_id(const struct sr_call *call, const char *name, int32_t id)
{
    const struct sr_entry *entry;
    if (call->identity.user == NULL)
        return true;
    entry = sr_store_id(call->store, name, id);
    return entry && sr_may_read_entry(call, entry);
}

void sr_fail_unreadable(struct sr_call *call, const char *schema)
{
    const struct sr_user *user = call->identity.user;
    if (user == NULL || sr_user_may_all(user))
        sr_fail(call, 40403, "Schema %s not found", schema);
    else
        sr_fail(call, 40403, "Schema %s not found among the subjects that user '%s' may read",
                schema, user->name);
}
