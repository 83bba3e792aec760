/* Setting: see setting.h. */
#include "schema-registry/setting.h"

#include "lib/base/mem.h"

static const char *text_member(struct sr_config *config, const char *name)
{
    const struct sd_value *value = sd_value_get(config->json, bs_bytes_text(name));
    if (value == NULL || value->type != SD_STRING || value->bytes.len == 0)
        return NULL;
    return bs_arena_strndup(&config->arena, (const char *)value->bytes.ptr, value->bytes.len);
}

struct sr_config *sr_config_new(const struct sd_value *value)
{
    const struct sd_value *normalize;
    struct sr_config *config;
    const char *level;
    if (value == NULL || value->type != SD_MAP)
        return NULL;
    config = bs_new(struct sr_config);
    config->json = sd_value_copy(&config->arena, value);
    level = text_member(config, "compatibilityLevel");
    config->level = level ? sr_level_parse(level) : SR_LEVEL_UNSET;
    normalize = sd_value_get(config->json, bs_bytes_text("normalize"));
    config->normalize = normalize && normalize->type == SD_BOOL ? normalize->boolean : -1;
    config->group = text_member(config, "compatibilityGroup");
    config->alias = text_member(config, "alias");
    return config;
}

void sr_config_free(struct sr_config *config)
{
    if (config)
        bs_arena_deinit(&config->arena);
    bs_free(config);
}
