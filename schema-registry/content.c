/* Content: see content.h. The digest is MD5 (an identity, not a protection) over the text, each
 * reference (name, subject, version as int32 big endian), then if there is metadata a byte 1 and
 * its tags, properties and sensitive names in sorted order, then if there is a rule set a byte 1
 * and its rules: the bytes that Confluent's registry digests, so that GUIDs agree. */
#include "schema-registry/content.h"

#include "lib/base/mem.h"
#include "lib/serde/json.h"
#include "schema-registry/metadata.h"
#include "schema-registry/rule_set.h"

/* The functions of MD5 alone: by way of EVP the first digest loads providers and their names, 2.3
 * MB that stay resident. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/md5.h>
#include <stdio.h>
#include <stdlib.h>

static void md5_bytes(MD5_CTX *md5, struct bs_bytes bytes)
{
    MD5_Update(md5, bytes.ptr, bytes.len);
}

static void md5_byte(MD5_CTX *md5, uint8_t byte)
{
    MD5_Update(md5, &byte, 1);
}

static const struct sd_value *member(const struct sd_value *map, const char *name)
{
    return sd_value_get(map, bs_bytes_text(name));
}

static void md5_text(MD5_CTX *md5, const struct sd_value *map, const char *name)
{
    const struct sd_value *value = member(map, name);
    if (value && value->type == SD_STRING)
        md5_bytes(md5, value->bytes);
}

static void md5_list(MD5_CTX *md5, const struct sd_value *list)
{
    for (size_t i = 0; list && list->type == SD_ARRAY && i < list->array.count; i++)
        if (list->array.items[i].type == SD_STRING)
            md5_bytes(md5, list->array.items[i].bytes);
}

static void md5_map(MD5_CTX *md5, const struct sd_value *map)
{
    for (size_t i = 0; map && map->type == SD_MAP && i < map->map.count; i++) {
        md5_bytes(md5, map->map.fields[i].name);
        if (map->map.fields[i].value.type == SD_STRING)
            md5_bytes(md5, map->map.fields[i].value.bytes);
        else
            md5_list(md5, &map->map.fields[i].value);
    }
}

static void md5_rules(MD5_CTX *md5, const struct sd_value *rules)
{
    for (size_t i = 0; rules && rules->type == SD_ARRAY && i < rules->array.count; i++) {
        const struct sd_value *rule = &rules->array.items[i];
        const struct sd_value *disabled = member(rule, "disabled");
        static const char *const head[] = {"name", "doc", "kind", "mode", "type"};
        static const char *const tail[] = {"expr", "onSuccess", "onFailure"};
        for (size_t k = 0; k < sizeof head / sizeof *head; k++)
            md5_text(md5, rule, head[k]);
        md5_list(md5, member(rule, "tags"));
        md5_map(md5, member(rule, "params"));
        for (size_t k = 0; k < sizeof tail / sizeof *tail; k++)
            md5_text(md5, rule, tail[k]);
        if (disabled && disabled->type == SD_BOOL && disabled->boolean)
            md5_byte(md5, 1);
    }
}

/* {} is as good as nothing but in a request, where it says that none is wanted. */
static bool has(const struct sd_value *map)
{
    return map && map->map.count;
}

void sr_content_seal(struct sr_content *content, struct bs_arena *arena)
{
    MD5_CTX state, *md5 = &state;
    MD5_Init(md5);
    content->rule_set = content->rule_set ? sr_rule_set_complete(content->rule_set, arena) : NULL;
    md5_bytes(md5, content->text);
    for (size_t i = 0; i < content->ref_count; i++) {
        uint8_t version[4];
        md5_bytes(md5, bs_bytes_text(content->refs[i].name));
        md5_bytes(md5, bs_bytes_text(content->refs[i].subject));
        bs_store_u32(version, (uint32_t)content->refs[i].version);
        md5_bytes(md5, bs_bytes(version, sizeof version));
    }
    if (has(content->metadata)) {
        md5_byte(md5, 1);
        md5_map(md5, member(content->metadata, "tags"));
        md5_map(md5, member(content->metadata, "properties"));
        md5_list(md5, member(content->metadata, "sensitive"));
    }
    if (has(content->rule_set)) {
        md5_byte(md5, 1);
        md5_rules(md5, member(content->rule_set, "migrationRules"));
        md5_rules(md5, member(content->rule_set, "domainRules"));
        md5_rules(md5, member(content->rule_set, "encodingRules"));
        md5_text(md5, content->rule_set, "enableAt");
    }
    MD5_Final(content->digest, md5);
}

void sr_content_copy(struct sr_content *to, const struct sr_content *from, struct bs_arena *arena)
{
    *to = *from;
    to->text = bs_bytes(bs_arena_strndup(arena, (const char *)from->text.ptr, from->text.len),
                        from->text.len);
    to->refs = bs_arena_array(arena, from->ref_count, sizeof *to->refs);
    for (size_t i = 0; i < from->ref_count; i++) {
        const struct sr_ref *ref = &from->refs[i];
        to->refs[i].name = bs_arena_strndup(arena, ref->name, strlen(ref->name));
        to->refs[i].subject = bs_arena_strndup(arena, ref->subject, strlen(ref->subject));
        to->refs[i].version = ref->version;
    }
    if (from->metadata)
        to->metadata = sd_value_copy(arena, from->metadata);
    if (from->rule_set)
        to->rule_set = sd_value_copy(arena, from->rule_set);
}

static size_t aligned(size_t size)
{
    return (size + 15) & ~(size_t)15;
}

void sr_content_keep(struct sr_content *to, const struct sr_content *from, struct bs_arena *arena)
{
    size_t size = aligned(from->text.len + 1) + aligned(from->ref_count * sizeof *from->refs);
    for (size_t i = 0; i < from->ref_count; i++)
        size +=
            aligned(strlen(from->refs[i].name) + 1) + aligned(strlen(from->refs[i].subject) + 1);
    bs_arena_reserve(arena, size);
    sr_content_copy(to, from, arena);
}

bool sr_content_same_digest(const struct sr_content *a, const struct sr_content *b)
{
    return memcmp(a->digest, b->digest, SR_DIGEST_SIZE) == 0 &&
           (a->text.ptr == NULL || b->text.ptr == NULL || bs_bytes_equal(a->text, b->text));
}

struct bs_bytes sr_content_property(const struct sr_content *content, const char *name)
{
    return sr_metadata_property(content->metadata, name);
}

/* The registry itself adds "confluent:version": who leaves it out means the rest, who has it means
 * that version. */
static bool same_properties(const struct sd_value *wanted, const struct sd_value *have, int number)
{
    struct bs_bytes name = bs_bytes_text(SR_METADATA_VERSION);
    const struct sd_value *asked = wanted ? sd_value_get(wanted, name) : NULL;
    bool there = have && sd_value_get(have, name);
    size_t extra_wanted = asked && !there, extra_have = there && !asked;
    char text[16];
    snprintf(text, sizeof text, "%d", number);
    if (extra_wanted && !(asked->type == SD_STRING && bs_bytes_is(asked->bytes, text)))
        return false;
    for (size_t i = 0; have && i < have->map.count; i++) {
        const struct sd_field *field = &have->map.fields[i];
        const struct sd_value *other = wanted ? sd_value_get(wanted, field->name) : NULL;
        if (extra_have && bs_bytes_equal(field->name, name))
            continue;
        if (other == NULL || !sd_value_equal(other, &field->value))
            return false;
    }
    return (wanted ? wanted->map.count : 0) - extra_wanted ==
           (have ? have->map.count : 0) - extra_have;
}

static bool same_member(const struct sd_value *a, const struct sd_value *b, const char *name)
{
    const struct sd_value *x = a ? member(a, name) : NULL, *y = b ? member(b, name) : NULL;
    return x == NULL || y == NULL ? x == y : sd_value_equal(x, y);
}

bool sr_content_matches_about(const struct sr_content *wanted, const struct sr_content *have,
                              int number)
{
    if (wanted->rule_set &&
        (has(wanted->rule_set) != has(have->rule_set) ||
         (has(have->rule_set) && !sd_value_equal(wanted->rule_set, have->rule_set))))
        return false;
    return wanted->metadata == NULL ||
           (same_member(wanted->metadata, have->metadata, "tags") &&
            same_member(wanted->metadata, have->metadata, "sensitive") &&
            same_properties(member(wanted->metadata, "properties"),
                            have->metadata ? member(have->metadata, "properties") : NULL, number));
}

bool sr_content_matches(const struct sr_content *wanted, const struct sr_content *have, int number)
{
    if (!bs_bytes_equal(wanted->text, have->text) || wanted->ref_count != have->ref_count)
        return false;
    for (size_t i = 0; i < wanted->ref_count; i++)
        if (wanted->refs[i].version != have->refs[i].version ||
            strcmp(wanted->refs[i].name, have->refs[i].name) != 0 ||
            strcmp(wanted->refs[i].subject, have->refs[i].subject) != 0)
            return false;
    return sr_content_matches_about(wanted, have, number);
}

void sr_content_guid(const struct sr_content *content, char text[SR_GUID_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < SR_DIGEST_SIZE; i++) {
        *text++ = digits[content->digest[i] >> 4];
        *text++ = digits[content->digest[i] & 15];
        if (i == 3 || i == 5 || i == 7 || i == 9)
            *text++ = '-';
    }
    *text = '\0';
}

void sr_content_put_members(const struct sr_content *content, struct bs_buf *out)
{
    if (content->ref_count)
        bs_buf_puts(out, ",\"references\":[");
    for (size_t i = 0; i < content->ref_count; i++) {
        const struct sr_ref *ref = &content->refs[i];
        bs_buf_puts(out, i ? ",{\"name\":" : "{\"name\":");
        bs_buf_put_json_string(out, ref->name, strlen(ref->name));
        bs_buf_puts(out, ",\"subject\":");
        bs_buf_put_json_string(out, ref->subject, strlen(ref->subject));
        bs_buf_printf(out, ",\"version\":%d}", ref->version);
    }
    if (content->ref_count)
        bs_buf_puts(out, "]");
    if (has(content->metadata)) {
        bs_buf_puts(out, ",\"metadata\":");
        sd_json_write(content->metadata, true, out, NULL);
    }
    if (has(content->rule_set)) {
        bs_buf_puts(out, ",\"ruleSet\":");
        sd_json_write(content->rule_set, true, out, NULL);
    }
    bs_buf_puts(out, ",\"schema\":");
    bs_buf_put_json_string(out, (const char *)content->text.ptr, content->text.len);
}
