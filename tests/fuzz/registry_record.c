/* Records of `_schemas`: key and value separated by a NUL; replayed into a store that stays. A key
 * as we write it is read as that. */
#include "schema-registry/subject.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t fuzz_seed(size_t n, uint8_t *out, size_t room);

size_t fuzz_seed(size_t n, uint8_t *out, size_t room)
{
    static const char *const seeds[][2] = {
        {"{\"keytype\":\"SCHEMA\",\"subject\":\"s\",\"version\":1,\"magic\":1}",
         "{\"subject\":\"s\",\"version\":1,\"id\":1,\"references\":[{\"name\":\"n\",\"subject\":"
         "\"r\",\"version\":1}],\"metadata\":{\"tags\":{\"a\":[\"x\"]},\"properties\":{\"k\":\"v\"}"
         "},\"ruleSet\":{\"domainRules\":[{\"name\":\"r\",\"tags\":[\"t\"]}]},\"schema\":\"int\","
         "\"deleted\":false}"},
        {"{\"keytype\":\"CONFIG\",\"subject\":\"s\",\"magic\":0}",
         "{\"subject\":\"s\",\"compatibilityLevel\":\"FULL\",\"normalize\":true}"},
        {"{\"keytype\":\"MODE\",\"magic\":0}", "{\"mode\":\"READONLY\"}"},
        {"{\"keytype\":\"DELETE_SUBJECT\",\"subject\":\"s\",\"magic\":0}",
         "{\"subject\":\"s\",\"version\":3}"},
        {"{\"keytype\":\"NOOP\",\"magic\":0}", "{\"maxId\":7,\"contexts\":{\".c\":3}}"},
        {"{\"keytype\":\"CONTEXT\",\"tenant\":\"default\",\"context\":\".c\",\"magic\":0}",
         "{\"tenant\":\"default\",\"context\":\".c\"}"},
        {"{\"magic\":0,\"version\":2,\"subject\":\":.c:s\",\"keytype\":\"SCHEMA\"}",
         "{\"id\":1,\"md5\":\"AA==\",\"schemaType\":\"JSON\",\"schema\":\"{}\",\"deleted\":true}"},
        {"{\"keytype\":\"CLEAR_SUBJECT\",\"subject\":\":.c:\",\"magic\":0}",
         "{\"subject\":\":.c:\"}"},
    };
    size_t key, value;
    if (n >= sizeof seeds / sizeof *seeds)
        return 0;
    key = strlen(seeds[n][0]) + 1;
    value = strlen(seeds[n][1]);
    if (key + value > room)
        return 0;
    memcpy(out, seeds[n][0], key);
    memcpy(out + key, seeds[n][1], value);
    return key + value;
}

static void expect_own_key(struct sr_record record, struct bs_arena *arena)
{
    struct bs_buf key = BS_BUF_INIT;
    struct sr_record again;
    record.spelling = bs_bytes(NULL, 0);
    sr_record_put_key(&record, &key);
    if (sr_record_read(bs_buf_bytes(&key), bs_bytes(NULL, 0), arena, &again, NULL) < 0 ||
        again.kind != record.kind ||
        again.version != (record.kind == SR_RECORD_SCHEMA ? record.version : 0) ||
        again.spelling.ptr)
        abort();
    bs_buf_deinit(&key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sr_store *store;
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    size_t key = end ? (size_t)(end - data) : size;
    struct bs_arena arena = BS_ARENA_INIT;
    struct sr_record record;
    if (store == NULL)
        store = sr_store_new(SR_BACKWARD);
    if (sr_record_read(bs_bytes(data, key),
                       end ? bs_bytes(end + 1, size - key - 1) : bs_bytes(NULL, 0), &arena, &record,
                       NULL) == 0 &&
        record.kind < SR_RECORD_UNKNOWN)
        expect_own_key(record, &arena);
    else
        record.kind = SR_RECORD_UNKNOWN;
    if (record.kind != SR_RECORD_UNKNOWN && sr_store_apply(store, &record, NULL) == 0 &&
        record.kind == SR_RECORD_SCHEMA && !record.tombstone &&
        sr_subject_version(sr_store_subject(store, record.subject), record.version, true) == NULL)
        abort();
    bs_arena_deinit(&arena);
    return 0;
}
