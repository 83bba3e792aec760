/* Metadata, rule sets and tags of requests: a JSON object with "metadata", "ruleSet" and "path".
 * What is read stays what it is when it is read again; what is merged with itself stays itself;
 * what a tag was added to has it. */
#include "lib/serde/json.h"
#include "lib/serde/schema_tags.h"
#include "schema-registry/merge.h"
#include "schema-registry/metadata.h"
#include "schema-registry/rule_set.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t fuzz_seed(size_t n, uint8_t *out, size_t room);

size_t fuzz_seed(size_t n, uint8_t *out, size_t room)
{
    static const char *const seeds[] = {
        "{\"metadata\":{\"tags\":{\"**.a\":[\"PII\",\"K\"]},\"properties\":{\"owner\":\"me\",\"n\":"
        "1,"
        "\"confluent:version\":\"3\"},\"sensitive\":[\"owner\"]},\"path\":\"x.R.a\"}",
        "{\"ruleSet\":{\"domainRules\":[{\"name\":\"r1\",\"kind\":\"CONDITION\",\"mode\":\"WRITE\","
        "\"type\":\"CEL\",\"tags\":[\"b\",\"a\"],\"params\":{\"k\":\"v\"},\"expr\":\"true\","
        "\"onFailure\":\"ERROR\",\"disabled\":true}],\"migrationRules\":[{\"name\":\"m\",\"type\":"
        "\"J\",\"mode\":\"UPDOWN\",\"onSuccess\":\"A,B\"}],\"enableAt\":\"ALL\"},\"path\":\".R\"}",
        "{\"metadata\":{},\"ruleSet\":{},\"path\":\"In.b\"}",
    };
    size_t len;
    if (n >= sizeof seeds / sizeof *seeds)
        return 0;
    len = strlen(seeds[n]);
    if (len > room)
        return 0;
    memcpy(out, seeds[n], len);
    return len;
}

static void same(const struct sd_value *a, const struct sd_value *b)
{
    if (!sd_value_equal(a, b))
        abort();
}

static void check_metadata(const struct sd_value *json, struct bs_arena *arena)
{
    const struct sd_value *metadata, *again;
    struct sr_content content = {.text = bs_bytes_text("\"int\"")}, copy;
    if (sr_metadata_read(json, arena, &metadata, NULL) < 0)
        return;
    if (sr_metadata_read(metadata, arena, &again, NULL) < 0)
        abort();
    same(metadata, again);
    same(metadata, sr_metadata_merge(metadata, again, arena));
    again = sr_metadata_with(metadata, SR_METADATA_VERSION, "7", arena);
    if (!bs_bytes_is(sr_metadata_property(again, SR_METADATA_VERSION), "7"))
        abort();
    content.metadata = metadata;
    sr_content_seal(&content, arena);
    sr_content_copy(&copy, &content, arena);
    sr_content_seal(&copy, arena);
    if (!sr_content_same_digest(&content, &copy) || !sr_content_matches(&content, &copy, 1))
        abort();
}

static void check_rules(const struct sd_value *set, struct bs_arena *arena)
{
    const struct sd_value *complete = sr_rule_set_complete(set, arena);
    struct bs_error err = {0};
    same(complete, sr_rule_set_complete(complete, arena));
    if (sr_rule_set_check(set, &err) < 0) {
        if (err.text[0] == '\0')
            abort();
        return;
    }
    if (sr_rule_set_check(complete, &err) < 0)
        abort();
    same(complete, sr_rule_set_complete(sr_rule_set_merge(complete, complete, arena), arena));
}

static void check_tags(struct bs_bytes path, struct bs_arena *arena)
{
    static const char text[] =
        "{\"type\":\"record\",\"name\":\"x.R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"},{"
        "\"name\":\"in\",\"type\":{\"type\":\"record\",\"name\":\"In\",\"fields\":[{\"name\":\"b\","
        "\"type\":\"int\",\"confluent:tags\":[\"T\"]}]}}]}";
    struct sd_value tag = {.type = SD_STRING, .bytes = bs_bytes_text("NEW")};
    struct sd_value tags = {.type = SD_ARRAY, .array = {.items = &tag, .count = 1}};
    struct bs_buf out = BS_BUF_INIT;
    struct sd_schema *schema, *tagged;
    struct sd_tagged *found;
    size_t count;
    if (sd_schema_parse(bs_bytes_text(text), true, NULL, 0, &schema, NULL) < 0)
        abort();
    for (int field = 0; field < 2; field++) {
        struct sd_retag change = {.path = bs_arena_strndup(arena, (const char *)path.ptr, path.len),
                                  .field = field,
                                  .add = &tags};
        bs_buf_reset(&out);
        if (sd_schema_retag(schema, &change, 1, false, &out, NULL) < 0)
            continue;
        if (sd_schema_parse(bs_buf_bytes(&out), true, NULL, 0, &tagged, NULL) < 0)
            abort();
        sd_schema_tags(tagged, arena, &found, &count);
        if (count == 0 || count > 2)
            abort();
        sd_schema_unref(tagged);
    }
    sd_schema_unref(schema);
    bs_buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct sd_value json;
    if (sd_json_read(bs_bytes(data, size), &arena, &json, NULL) == 0) {
        const struct sd_value *metadata = sd_value_get(&json, bs_bytes_text("metadata"));
        const struct sd_value *rules = sd_value_get(&json, bs_bytes_text("ruleSet"));
        const struct sd_value *path = sd_value_get(&json, bs_bytes_text("path"));
        if (metadata)
            check_metadata(metadata, &arena);
        if (rules)
            check_rules(rules, &arena);
        if (path && path->type == SD_STRING)
            check_tags(path->bytes, &arena);
    }
    bs_arena_deinit(&arena);
    return 0;
}
