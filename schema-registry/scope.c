/* Scope: see scope.h. */
#include "schema-registry/scope.h"

#include <stdio.h>
#include <string.h>

enum { SCOPES = 3 };

struct scopes {
    const char *names[SCOPES]; /* narrowest first; NULL: the global record */
    size_t count;
    char text[SR_CONTEXT_MAX + 3];
};

static void scopes_of(const char *name, struct scopes *ret)
{
    struct sr_name parts = sr_name_split(name ? name : "");
    bool own = name == NULL;
    ret->count = 0;
    ret->names[ret->count++] = name;
    if (!own && sr_name_is_default(name)) {
        ret->names[ret->count++] = NULL;
    } else if (!own && parts.context.len <= SR_CONTEXT_MAX && *parts.bare) {
        snprintf(ret->text, sizeof ret->text, ":%.*s:", (int)parts.context.len,
                 (const char *)parts.context.ptr);
        ret->names[ret->count++] = ret->text;
    }
    if (own || strcmp(name, SR_SCOPE_GLOBAL) != 0)
        ret->names[ret->count++] = SR_SCOPE_GLOBAL;
}

enum sr_level sr_store_level(const struct sr_store *store, const char *name)
{
    struct scopes scopes;
    scopes_of(name, &scopes);
    for (size_t i = 0; i < scopes.count; i++) {
        const struct sr_config *config = sr_store_config(store, scopes.names[i]);
        if (config && config->level != SR_LEVEL_UNSET)
            return config->level;
    }
    return sr_store_default_level(store);
}

bool sr_store_normalize(const struct sr_store *store, const char *name)
{
    struct scopes scopes;
    scopes_of(name, &scopes);
    for (size_t i = 0; i < scopes.count; i++) {
        const struct sr_config *config = sr_store_config(store, scopes.names[i]);
        if (config && config->normalize >= 0)
            return config->normalize == 1;
    }
    return false;
}

const char *sr_store_group(const struct sr_store *store, const char *name)
{
    struct scopes scopes;
    scopes_of(name, &scopes);
    for (size_t i = 0; i < scopes.count; i++) {
        const struct sr_config *config = sr_store_config(store, scopes.names[i]);
        if (config && config->group)
            return config->group;
    }
    return NULL;
}

const struct sd_value *sr_store_setting(const struct sr_store *store, const char *name,
                                        const char *member)
{
    struct scopes scopes;
    scopes_of(name, &scopes);
    for (size_t i = 0; i < scopes.count; i++) {
        const struct sr_config *config = sr_store_config(store, scopes.names[i]);
        const struct sd_value *value =
            config ? sd_value_get(config->json, bs_bytes_text(member)) : NULL;
        if (value && value->type != SD_NULL)
            return value;
    }
    return NULL;
}

enum sr_mode sr_store_mode(const struct sr_store *store, const char *name)
{
    enum sr_mode found = SR_MODE_UNSET;
    struct scopes scopes;
    scopes_of(name, &scopes);
    for (size_t i = scopes.count; i-- > 0 && found != SR_MODE_READONLY_OVERRIDE;) {
        enum sr_mode mode = sr_store_own_mode(store, scopes.names[i]);
        if (mode != SR_MODE_UNSET)
            found = mode;
    }
    return found == SR_MODE_UNSET ? SR_MODE_READWRITE : found;
}

bool sr_scope_covers(const char *name, const char *subject)
{
    if (name == NULL)
        return sr_name_is_default(subject);
    if (strcmp(name, SR_SCOPE_GLOBAL) == 0 || strcmp(name, subject) == 0)
        return true;
    return !sr_name_is_default(name) && *sr_name_split(name).bare == '\0' &&
           strncmp(subject, name, strlen(name)) == 0;
}
