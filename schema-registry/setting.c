/* Setting: see setting.h. */
#include "schema-registry/setting.h"

void sr_config_init(struct sr_config *config)
{
    *config = (struct sr_config){.level = SR_LEVEL_UNSET, .normalize = -1};
}

static const char *text_member(struct sr_config *config, const char *name)
{
    const struct sd_value *value = sd_value_get(config->json, bs_bytes_text(name));
    if (value == NULL || value->type != SD_STRING || value->bytes.len == 0)
        return NULL;
    return bs_arena_strndup(&config->arena, (const char *)value->bytes.ptr, value->bytes.len);
}

void sr_config_set(struct sr_config *config, const struct sd_value *value)
{
    const struct sd_value *normalize;
    const char *level;
    bs_arena_deinit(&config->arena);
    sr_config_init(config);
    if (value == NULL || value->type != SD_MAP)
        return;
    config->present = true;
    config->json = sd_value_copy(&config->arena, value);
    level = text_member(config, "compatibilityLevel");
    if (level)
        config->level = sr_level_parse(level);
    normalize = sd_value_get(config->json, bs_bytes_text("normalize"));
    if (normalize && normalize->type == SD_BOOL)
        config->normalize = normalize->boolean;
    config->group = text_member(config, "compatibilityGroup");
    config->alias = text_member(config, "alias");
}

void sr_config_deinit(struct sr_config *config)
{
    bs_arena_deinit(&config->arena);
}
