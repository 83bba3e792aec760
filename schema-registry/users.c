/* Users: see users.h.
 *
 * Most resources are a name, or the beginning of one with ".*" behind it: these are compared as
 * text, which is what keeps lists of many subjects fast; only others become a regex_t. */
#include "schema-registry/users.h"

#include "lib/base/mem.h"
#include "lib/serde/json.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { USERS_MAX = 10000, PERMISSIONS_MAX = 100000, TEXT_MAX = 1024, BOUNDS_MAX = 2 };

struct sr_permission {
    enum sr_operation operation;
    enum { WHOLE, BEGINNING, PATTERN } form;
    char *text; /* of WHOLE and BEGINNING */
    regex_t regex;
};

struct sr_users {
    struct sr_user *list; /* by name */
    size_t count;
};

const char *sr_operation_name(enum sr_operation operation)
{
    return operation == SR_OP_READ ? "Read" : operation == SR_OP_WRITE ? "Write" : "Admin";
}

/* ---- asking ---- */

static bool fits(const struct sr_permission *p, const char *kind, const char *name)
{
    size_t kind_len = strlen(kind), len;
    char buffer[1200], *resource = buffer;
    bool found;
    if (p->form != PATTERN) {
        const char *text = p->text;
        len = strlen(text);
        if (len <= kind_len)
            return p->form == BEGINNING && strncmp(kind, text, len) == 0;
        if (strncmp(text, kind, kind_len) != 0 || text[kind_len] != ':')
            return false;
        text += kind_len + 1;
        return p->form == WHOLE ? strcmp(name, text) == 0 : strncmp(name, text, strlen(text)) == 0;
    }
    len = kind_len + strlen(name) + 2;
    if (len > sizeof buffer)
        resource = bs_alloc(len);
    memcpy(resource, kind, kind_len);
    resource[kind_len] = ':';
    memcpy(resource + kind_len + 1, name, len - kind_len - 1);
    found = regexec(&p->regex, resource, 0, NULL, 0) == 0;
    if (resource != buffer)
        bs_free(resource);
    return found;
}

bool sr_user_may(const struct sr_user *user, enum sr_operation operation, const char *kind,
                 const char *name)
{
    for (size_t i = 0; i < user->permission_count; i++)
        if (user->permissions[i].operation >= operation && fits(&user->permissions[i], kind, name))
            return true;
    return false;
}

bool sr_user_may_all(const struct sr_user *user)
{
    for (size_t i = 0; i < user->permission_count; i++)
        if (user->permissions[i].form == BEGINNING &&
            (user->permissions[i].text[0] == '\0' ||
             strcmp(user->permissions[i].text, "Subject:") == 0))
            return true;
    return false;
}

static int compare_name(const void *name, const void *user)
{
    return strcmp(name, ((const struct sr_user *)user)->name);
}

const struct sr_user *sr_users_find(const struct sr_users *users, const char *name)
{
    return users->count
               ? bsearch(name, users->list, users->count, sizeof *users->list, compare_name)
               : NULL;
}

bool sr_users_have(const struct sr_users *users, enum sr_hash hash)
{
    for (size_t i = 0; i < users->count; i++)
        if (users->list[i].hash == hash)
            return true;
    return false;
}

size_t sr_users_count(const struct sr_users *users)
{
    return users->count;
}

/* ---- reading ---- */

struct reading {
    const char *file, *list; /* "users" */
    size_t at;               /* the entry, from 1 */
    struct bs_error *err;
};

static int wrong(const struct reading *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static int wrong(const struct reading *r, const char *fmt, ...)
{
    struct bs_buf text = BS_BUF_INIT;
    va_list ap;
    int rc;
    va_start(ap, fmt);
    bs_buf_vprintf(&text, fmt, ap);
    va_end(ap);
    rc = bs_error_set(r->err, BS_EINVAL, "%s: %s, entry %zu: %s", r->file, r->list, r->at,
                      bs_buf_text(&text));
    bs_buf_deinit(&text);
    return rc;
}

/* A text member; NULL: the error is set. */
static char *text_of(const struct reading *r, const struct sd_value *entry, const char *name)
{
    const struct sd_value *value =
        entry->type == SD_MAP ? sd_value_get(entry, bs_bytes_text(name)) : NULL;
    if (value == NULL || value->type != SD_STRING || value->bytes.len == 0) {
        wrong(r, "\"%s\" is missing or not a text", name);
        return NULL;
    }
    if (value->bytes.len > TEXT_MAX || memchr(value->bytes.ptr, '\0', value->bytes.len)) {
        wrong(r, "\"%s\" is longer than %d bytes or has a NUL", name, TEXT_MAX);
        return NULL;
    }
    return bs_strndup((const char *)value->bytes.ptr, value->bytes.len);
}

static int read_user(const struct reading *r, const struct sd_value *entry, struct sr_user *user)
{
    struct bs_error why = {0};
    char *hash = NULL;
    int rc = 0;
    if ((user->name = text_of(r, entry, "username")) == NULL ||
        (hash = text_of(r, entry, "algorithm")) == NULL ||
        (user->salt = text_of(r, entry, "salt")) == NULL ||
        (user->kept = text_of(r, entry, "password_hash")) == NULL)
        rc = BS_EINVAL;
    else if (strchr(user->name, ':'))
        rc = wrong(r, "user name \"%s\" has a ':', which Basic authentication cannot send",
                   user->name);
    else if (sr_hash_parse(bs_bytes_text(hash), &user->hash, &why) < 0)
        rc = wrong(r, "user \"%s\": %s; make the entry with `weir schema user add`", user->name,
                   why.text);
    else if (strlen(user->kept) >= SR_HASH_TEXT)
        rc = wrong(r, "user \"%s\": \"password_hash\" is too long", user->name);
    bs_free(hash);
    return rc;
}

/* A text without a sign that means something in an expression: "a-b", "a\.b". NULL: it has one. */
static char *literal(const char *from, size_t len)
{
    char *out = bs_alloc(len + 1), *to = out;
    for (size_t i = 0; i < len; i++) {
        if (from[i] == '\\' && i + 1 < len)
            i++; /* what may stand behind it is checked before */
        else if (strchr("\\^$.|?*+()[]{}", from[i])) {
            bs_free(out);
            return NULL;
        }
        *to++ = from[i];
    }
    *to = '\0';
    return out;
}

/* Behind a bracket expression that begins at p; a backslash in it stands for itself in POSIX and
 * for something else elsewhere. NULL: it has one. */
static const char *skip_bracket(const char *p)
{
    p += p[1] == '^' ? 2 : 1;
    if (*p == ']')
        p++;
    while (*p && *p != ']' && *p != '\\') {
        const char *end = *p == '[' && strchr(":.=", p[1]) ? strchr(p + 2, ']') : NULL;
        p = end ? end + 1 : p + 1;
    }
    return *p == '\\' ? NULL : p;
}

/* What other dialects mean by these signs is not what regcomp makes of them: told, not guessed. */
static const char *foreign(const char *text)
{
    unsigned bounds = 0;
    for (const char *p = text; *p; p++) {
        if (*p == '[' && (p = skip_bracket(p)) == NULL)
            return "a backslash in [ ] stands for itself, and may be meant otherwise; put the sign "
                   "without it, '-' as the last one";
        if (*p == '\0')
            break; /* unbalanced: regcomp says so */
        if (*p == '{' && ++bounds > BOUNDS_MAX)
            return "more than two bounds {…}: one inside another takes memory by their product";
        if (*p == '\\') {
            if (p[1] == '\0' || (p[1] >= '0' && p[1] <= '9') ||
                ((p[1] | 32) >= 'a' && (p[1] | 32) <= 'z'))
                return "a backslash may only stand before a sign that would mean something else; "
                       "write [0-9] for \\d and [[:space:]] for \\s";
            p++;
        } else if (*p == '(' && p[1] == '?') {
            return "\"(?\" is not part of POSIX extended expressions";
        } else if (strchr("*+?}", *p) && p[1] && strchr("?+", p[1])) {
            return "lazy and possessive repetition are not part of POSIX extended expressions";
        }
    }
    return NULL;
}

static int read_resource(const struct reading *r, const char *text, struct sr_permission *p)
{
    size_t len = strlen(text);
    const char *why = foreign(text);
    char *whole, reason[200];
    int rc;
    if (why)
        return wrong(r, "resource \"%s\": %s", text, why);
    if ((rc = regcomp(&p->regex, text, REG_EXTENDED | REG_NOSUB)) != 0) {
        regerror(rc, &p->regex, reason, sizeof reason);
        return wrong(r, "resource \"%s\" is not a POSIX extended expression: %s", text, reason);
    }
    regfree(&p->regex);
    p->form = WHOLE;
    p->text = literal(text, len);
    if (p->text == NULL && len >= 2 && strcmp(text + len - 2, ".*") == 0) {
        p->form = BEGINNING;
        p->text = literal(text, len - 2);
    }
    if (p->text)
        return 0;
    p->form = PATTERN;
    whole = bs_asprintf("^(%s)$", text);
    rc = regcomp(&p->regex, whole, REG_EXTENDED | REG_NOSUB);
    bs_free(whole);
    if (rc == 0)
        return 0;
    p->form = WHOLE; /* so that nothing is freed twice */
    return wrong(r, "resource \"%s\" is too large", text);
}

static int read_permission(const struct reading *r, const struct sd_value *entry,
                           const struct sr_users *users)
{
    static const char *const operations[] = {"Read", "Write", "Admin"};
    char *name = text_of(r, entry, "username"), *operation = NULL, *resource = NULL;
    struct sr_permission p = {0};
    struct sr_user *user = NULL;
    int rc = BS_EINVAL;
    if (name == NULL || (operation = text_of(r, entry, "operation")) == NULL ||
        (resource = text_of(r, entry, "resource")) == NULL)
        goto done;
    for (size_t i = 0; i < 3; i++)
        if (strcmp(operation, operations[i]) == 0)
            p.operation = (enum sr_operation)(i + 1);
    user = (struct sr_user *)sr_users_find(users, name);
    if (p.operation == 0)
        wrong(r, "operation \"%s\" is not one of Read, Write and Admin", operation);
    else if (user == NULL)
        wrong(r, "user \"%s\" is not in \"users\"; add it there or remove the permission", name);
    else if ((rc = read_resource(r, resource, &p)) == 0) {
        user->permissions =
            bs_realloc(user->permissions, (user->permission_count + 1) * sizeof *user->permissions);
        user->permissions[user->permission_count++] = p;
    }
done:
    bs_free(resource);
    bs_free(operation);
    bs_free(name);
    return rc;
}

/* A list of the file; absent is empty where it may be. */
static int list_of(const struct sd_value *json, struct reading *r, const char *name, size_t most,
                   bool required, const struct sd_value **ret)
{
    static const struct sd_value none = {.type = SD_ARRAY};
    const struct sd_value *list = sd_value_get(json, bs_bytes_text(name));
    r->list = name;
    if (list == NULL && !required)
        list = &none;
    if (list == NULL || list->type != SD_ARRAY)
        return bs_error_set(r->err, BS_EINVAL, "%s: \"%s\" is missing or not a list", r->file,
                            name);
    if (list->array.count > most)
        return bs_error_set(r->err, BS_ELIMIT, "%s: more than %zu %s", r->file, most, name);
    *ret = list;
    return 0;
}

static int compare_users(const void *a, const void *b)
{
    return strcmp(((const struct sr_user *)a)->name, ((const struct sr_user *)b)->name);
}

static int read_all(const struct sd_value *json, const char *file, struct sr_users *users,
                    struct bs_error *err)
{
    struct reading r = {.file = file, .err = err};
    const struct sd_value *list;
    int rc;
    if (json->type != SD_MAP)
        return bs_error_set(err, BS_EINVAL, "%s is not a JSON object with \"users\"", file);
    if ((rc = list_of(json, &r, "users", USERS_MAX, true, &list)) < 0)
        return rc;
    users->list = bs_array(list->array.count + 1, sizeof *users->list);
    for (size_t i = 0; i < list->array.count; i++) {
        r.at = i + 1;
        users->count++;
        if ((rc = read_user(&r, &list->array.items[i], &users->list[i])) < 0)
            return rc;
    }
    if (users->count)
        qsort(users->list, users->count, sizeof *users->list, compare_users);
    for (size_t i = 1; i < users->count; i++)
        if (compare_users(&users->list[i - 1], &users->list[i]) == 0)
            return bs_error_set(err, BS_EEXIST,
                                "%s: user \"%s\" is there twice; remove one of the entries", file,
                                users->list[i].name);
    if ((rc = list_of(json, &r, "permissions", PERMISSIONS_MAX, false, &list)) < 0)
        return rc;
    for (size_t i = 0; i < list->array.count && rc == 0; i++) {
        r.at = i + 1;
        rc = read_permission(&r, &list->array.items[i], users);
    }
    return rc;
}

int sr_users_read(struct bs_bytes text, const char *file, struct sr_users **ret,
                  struct bs_error *err)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct sr_users *users = bs_new(struct sr_users);
    struct sd_value json;
    int rc = sd_json_read(text, &arena, &json, err);
    if (rc < 0)
        bs_error_wrap(err, "%s", file);
    else
        rc = read_all(&json, file, users, err);
    bs_arena_deinit(&arena);
    if (rc < 0)
        sr_users_free(users);
    else
        *ret = users;
    return rc;
}

void sr_users_free(struct sr_users *users)
{
    if (users == NULL)
        return;
    for (size_t i = 0; i < users->count; i++) {
        struct sr_user *user = &users->list[i];
        for (size_t k = 0; k < user->permission_count; k++) {
            bs_free(user->permissions[k].text);
            if (user->permissions[k].form == PATTERN)
                regfree(&user->permissions[k].regex);
        }
        bs_free(user->permissions);
        bs_free(user->name);
        bs_free(user->salt);
        bs_free(user->kept);
    }
    bs_free(users->list);
    bs_free(users);
}
