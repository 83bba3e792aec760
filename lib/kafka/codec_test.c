/* Codec against bytes that Kafka's own classes wrote, and against itself: round trips, every
 * truncation, seeded mutations, the rules of encoding. Inputs lie in buffers of their exact size,
 * so that the address sanitizer sees a read too far. */
#include "lib/kafka/api.h"
#include "lib/kafka/sample.h"

#include "generated/lib/kafka/fetch.h"
#include "generated/lib/kafka/header.h"
#include "generated/lib/kafka/metadata.h"
#include "generated/lib/kafka/offset_commit.h"
#include "generated/lib/kafka/produce.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { MUTATIONS = 60, LINE_BYTES = 16384 };

static uint64_t random_state;

static uint32_t random_next(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33);
}

/* Decodes from a copy that ends where the memory ends. */
static int decode_exact(const struct kp_message *message, const uint8_t *bytes, size_t len,
                        int16_t version, struct bs_arena *arena, void *ret, size_t *ret_left,
                        uint8_t **ret_copy)
{
    uint8_t *copy = malloc(len ? len : 1);
    if (len)
        memcpy(copy, bytes, len);
    struct bs_cursor in = bs_cursor(bs_bytes(copy, len));
    int rc = kp_message_decode(message, &in, version, arena, ret);
    *ret_left = bs_cursor_left(&in);
    *ret_copy = copy;
    return rc;
}

static void check_trip(const struct kp_message *message, int16_t version, const void *value,
                       struct bs_buf *out)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_buf again = BS_BUF_INIT;
    void *back = bs_zalloc(message->root->size);
    uint8_t *copy = NULL;
    size_t left = 0;
    bs_buf_reset(out);
    assert_int_equal(kp_message_encode(message, value, version, out), 0);
    assert_int_equal(
        decode_exact(message, out->data, out->len, version, &arena, back, &left, &copy), 0);
    assert_int_equal(left, 0);
    assert_true(kp_sample_equal(message->root, value, back));
    assert_int_equal(kp_message_encode(message, back, version, &again), 0);
    assert_true(bs_bytes_equal(bs_buf_bytes(out), bs_buf_bytes(&again)));
    free(copy);
    bs_free(back);
    bs_buf_deinit(&again);
    bs_arena_deinit(&arena);
}

typedef void visit_sample(const struct kp_message *message, int16_t version,
                          const struct bs_buf *encoded);

static void each_sample(visit_sample *visit)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_buf out = BS_BUF_INIT;
    for (size_t i = 0; i < kp_message_count; i++) {
        const struct kp_message *message = kp_messages[i];
        void *value = bs_zalloc(message->root->size);
        for (int16_t v = message->versions.min; v <= message->versions.max; v++) {
            for (int variant = 0; variant < 3; variant++) {
                bs_arena_reset(&arena);
                kp_struct_init(message->root, value);
                if (variant > 0)
                    kp_sample_fill(message, v, variant == 2, &arena, value);
                check_trip(message, v, value, &out);
                if (visit)
                    visit(message, v, &out);
            }
        }
        bs_free(value);
    }
    bs_buf_deinit(&out);
    bs_arena_deinit(&arena);
}

static void test_trips(void **state)
{
    (void)state;
    each_sample(NULL);
}

static void truncate_one(const struct kp_message *message, int16_t version,
                         const struct bs_buf *encoded)
{
    struct bs_arena arena = BS_ARENA_INIT;
    void *back = bs_zalloc(message->root->size);
    for (size_t len = 0; len < encoded->len; len++) {
        uint8_t *copy = NULL;
        size_t left = 0;
        bs_arena_reset(&arena);
        int rc = decode_exact(message, encoded->data, len, version, &arena, back, &left, &copy);
        assert_true(rc == BS_ETRUNCATED || rc == BS_ECORRUPT);
        assert_int_equal(left, len); /* the cursor did not move */
        free(copy);
    }
    bs_free(back);
    bs_arena_deinit(&arena);
}

static void test_truncated(void **state)
{
    (void)state;
    each_sample(truncate_one);
}

static void mutate_one(const struct kp_message *message, int16_t version,
                       const struct bs_buf *encoded)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_buf out = BS_BUF_INIT;
    void *back = bs_zalloc(message->root->size);
    uint8_t *bytes = bs_memdup(encoded->data, encoded->len);
    for (int i = 0; encoded->len > 0 && i < MUTATIONS; i++) {
        memcpy(bytes, encoded->data, encoded->len);
        for (uint32_t n = 1 + random_next() % 3; n > 0; n--)
            bytes[random_next() % encoded->len] =
                (uint8_t)(random_next() % 4 ? random_next() : 0xff);
        uint8_t *copy = NULL;
        size_t left = 0;
        bs_arena_reset(&arena);
        int rc = decode_exact(message, bytes, encoded->len, version, &arena, back, &left, &copy);
        if (rc == 0) { /* what can be read can be written, and is read the same again */
            check_trip(message, version, back, &out);
        } else {
            assert_true(rc == BS_ETRUNCATED || rc == BS_ECORRUPT);
        }
        assert_true(bs_arena_used(&arena) <= 64 * 1024 + encoded->len * 256);
        free(copy);
    }
    bs_free(bytes);
    bs_free(back);
    bs_buf_deinit(&out);
    bs_arena_deinit(&arena);
}

static void test_mutated(void **state)
{
    (void)state;
    random_state = 20261121;
    each_sample(mutate_one);
}

/* ---- golden -----------------------------------------------------------------------------------
 */

static const struct kp_message *message_find(const char *name)
{
    for (size_t i = 0; i < kp_message_count; i++)
        if (strcmp(kp_messages[i]->name, name) == 0)
            return kp_messages[i];
    fail_msg("no message %s", name);
    return NULL;
}

static size_t hex_read(const char *hex, uint8_t *out)
{
    size_t n = 0;
    unsigned byte = 0;
    for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
        out[n++] = (uint8_t)byte;
    return n;
}

static void check_golden(const char *name, int16_t version, const char *variant,
                         struct bs_bytes golden)
{
    const struct kp_message *message = message_find(name);
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_buf out = BS_BUF_INIT;
    void *value = bs_zalloc(message->root->size), *back = bs_zalloc(message->root->size);
    if (strcmp(variant, "default") == 0)
        kp_struct_init(message->root, value);
    else
        kp_sample_fill(message, version, strcmp(variant, "null") == 0, &arena, value);
    assert_int_equal(kp_message_encode(message, value, version, &out), 0);
    if (!bs_bytes_equal(bs_buf_bytes(&out), golden))
        fail_msg("%s %d %s: encoded otherwise than Kafka does", name, version, variant);
    struct bs_cursor in = bs_cursor(golden);
    assert_int_equal(kp_message_decode(message, &in, version, &arena, back), 0);
    assert_int_equal(bs_cursor_left(&in), 0);
    if (!kp_sample_equal(message->root, value, back))
        fail_msg("%s %d %s: decoded otherwise than Kafka does", name, version, variant);
    bs_free(value);
    bs_free(back);
    bs_buf_deinit(&out);
    bs_arena_deinit(&arena);
}

static void test_golden(void **state)
{
    (void)state;
    FILE *file = fopen("tests/golden/kafka/messages.txt", "r");
    assert_non_null(file);
    char *line = malloc(LINE_BYTES), *hex = malloc(LINE_BYTES);
    uint8_t *bytes = malloc(LINE_BYTES);
    int count = 0;
    while (fgets(line, LINE_BYTES, file)) {
        char name[64], variant[16];
        int version = -1;
        hex[0] = '\0';
        assert_true(sscanf(line, "%63s %d %15s %16383s", name, &version, variant, hex) >= 3);
        check_golden(name, (int16_t)version, variant, bs_bytes(bytes, hex_read(hex, bytes)));
        count++;
    }
    assert_true(count > 1000);
    free(line);
    free(hex);
    free(bytes);
    fclose(file);
}

/* ---- rules ------------------------------------------------------------------------------------
 */

static void test_versions(void **state)
{
    (void)state;
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_buf out = BS_BUF_INIT;
    struct kp_produce_request request;
    struct bs_cursor in = bs_cursor(bs_bytes("", 0));
    kp_produce_request_init(&request);
    assert_int_equal(kp_produce_request_encode(&request, 2, &out), BS_EUNSUPPORTED);
    assert_int_equal(kp_produce_request_encode(&request, 14, &out), BS_EUNSUPPORTED);
    assert_int_equal(kp_produce_request_decode(&in, 2, &arena, &request), BS_EUNSUPPORTED);
    assert_int_equal(out.len, 0);
    for (size_t i = 0; i < kp_api_count; i++) {
        const struct kp_api *api = &kp_apis[i];
        assert_ptr_equal(kp_api_find(api->key), api);
        assert_int_equal(api->request->key, api->key);
        assert_int_equal(api->response->key, api->key);
    }
    assert_null(kp_api_find(999));
    assert_int_equal(kp_request_header_version(KP_API_PRODUCE, 8), 1);
    assert_int_equal(kp_request_header_version(KP_API_PRODUCE, 9), 2);
    assert_int_equal(kp_response_header_version(KP_API_PRODUCE, 9), 1);
    assert_int_equal(kp_request_header_version(KP_API_API_VERSIONS, 3), 2);
    assert_int_equal(kp_response_header_version(KP_API_API_VERSIONS, 3), 0);
    bs_buf_deinit(&out);
    bs_arena_deinit(&arena);
}

static void test_unsayable(void **state)
{
    (void)state;
    struct bs_buf out = BS_BUF_INIT;
    /* Metadata 0 knows no null topics; RackId of Fetch 11 is ignorable, LastFetchedEpoch is not. */
    struct kp_metadata_request metadata;
    kp_metadata_request_init(&metadata);
    metadata.topic_count = -1;
    assert_int_equal(kp_metadata_request_encode(&metadata, 0, &out), BS_EUNSUPPORTED);
    assert_int_equal(kp_metadata_request_encode(&metadata, 1, &out), 0);
    struct kp_fetch_request_partition partition;
    kp_fetch_request_partition_init(&partition);
    assert_int_equal(partition.log_start_offset, -1);
    assert_true(partition.high_watermark == INT64_MAX);
    struct kp_fetch_request_topic topic;
    kp_fetch_request_topic_init(&topic);
    topic.partitions = &partition;
    topic.partition_count = 1;
    struct kp_fetch_request fetch;
    kp_fetch_request_init(&fetch);
    fetch.topics = &topic;
    fetch.topic_count = 1;
    fetch.rack_id = bs_bytes_text("r1");
    assert_int_equal(kp_fetch_request_encode(&fetch, 4, &out), 0);
    size_t len = out.len;
    partition.last_fetched_epoch = 3;
    assert_int_equal(kp_fetch_request_encode(&fetch, 4, &out), BS_EUNSUPPORTED);
    assert_int_equal(out.len, len);
    static char text[40000];
    memset(text, 'x', sizeof text - 1);
    fetch.rack_id = bs_bytes_text(text);
    partition.last_fetched_epoch = -1;
    assert_int_equal(kp_fetch_request_encode(&fetch, 12, &out), BS_ERANGE);
    bs_buf_deinit(&out);
}

static void test_unknown_tags(void **state)
{
    (void)state;
    /* Header 2: key 0, version 9, correlation 7, client "a", one tag 77 of 3 bytes; then more. */
    static const uint8_t bytes[] = {0, 0, 0, 9, 0, 0, 0, 7, 0, 1, 'a', 1, 77, 3, 1, 2, 3, 0x55};
    struct bs_arena arena = BS_ARENA_INIT;
    struct kp_request_header header;
    struct bs_cursor in = bs_cursor(bs_bytes(bytes, sizeof bytes));
    assert_int_equal(kp_request_header_decode(&in, 2, &arena, &header), 0);
    assert_int_equal(header.correlation_id, 7);
    assert_true(bs_bytes_is(header.client_id, "a"));
    assert_int_equal(bs_cursor_left(&in), 1);
    /* A count that the bytes cannot hold takes no memory. */
    static const uint8_t huge[] = {0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0};
    struct kp_metadata_request metadata;
    in = bs_cursor(bs_bytes(huge, sizeof huge));
    assert_int_equal(kp_metadata_request_decode(&in, 1, &arena, &metadata), BS_ETRUNCATED);
    assert_int_equal(bs_arena_used(&arena), 0);
    bs_arena_deinit(&arena);
}

static void test_pieces(void **state)
{
    (void)state;
    static uint8_t large[KP_PIECE_MIN_BYTES], small[100];
    memset(large, 0xaa, sizeof large);
    memset(small, 0xbb, sizeof small);
    struct kp_fetch_response_partition partitions[3];
    for (int i = 0; i < 3; i++) {
        kp_fetch_response_partition_init(&partitions[i]);
        partitions[i].partition_index = i;
        partitions[i].records =
            i == 1 ? bs_bytes(small, sizeof small) : bs_bytes(large, sizeof large);
    }
    struct kp_fetch_response_response topic;
    kp_fetch_response_response_init(&topic);
    topic.partitions = partitions;
    topic.partition_count = 3;
    struct kp_fetch_response response;
    kp_fetch_response_init(&response);
    response.responses = &topic;
    response.response_count = 1;
    struct bs_buf whole = BS_BUF_INIT, out = BS_BUF_INIT, joined = BS_BUF_INIT;
    struct kp_pieces pieces = {0};
    assert_int_equal(kp_fetch_response_encode(&response, 12, &whole), 0);
    assert_int_equal(kp_fetch_response_encode_pieces(&response, 12, &out, &pieces), 0);
    assert_int_equal(pieces.count, 2);
    assert_int_equal(out.len + pieces.byte_count, whole.len);
    size_t at = 0;
    for (size_t i = 0; i < pieces.count; i++) {
        bs_buf_put(&joined, out.data + at, pieces.items[i].at - at);
        bs_buf_put(&joined, pieces.items[i].bytes.ptr, pieces.items[i].bytes.len);
        at = pieces.items[i].at;
    }
    bs_buf_put(&joined, out.data + at, out.len - at);
    assert_true(bs_bytes_equal(bs_buf_bytes(&joined), bs_buf_bytes(&whole)));
    bs_buf_deinit(&whole);
    bs_buf_deinit(&out);
    bs_buf_deinit(&joined);
    kp_pieces_deinit(&pieces);
}

static void test_uuid(void **state)
{
    (void)state;
    struct kp_uuid uuid, back;
    char text[KP_UUID_TEXT_BYTES];
    for (int i = 0; i < 16; i++)
        uuid.bytes[i] = (uint8_t)(i * 17 + 3);
    kp_uuid_format(uuid, text);
    assert_int_equal(kp_uuid_parse(bs_bytes_text(text), &back), 0);
    assert_true(kp_uuid_equal(uuid, back));
    kp_uuid_format((struct kp_uuid){.bytes = {[15] = 1}}, text);
    assert_string_equal(text, "AAAAAAAAAAAAAAAAAAAAAQ"); /* as Kafka writes Uuid.ONE_UUID */
    assert_int_equal(kp_uuid_parse(bs_bytes_text("AAAAAAAAAAAAAAAAAAAAA"), &back), BS_ESYNTAX);
    assert_int_equal(kp_uuid_parse(bs_bytes_text("AAAAAAAAAAAAAAAAAAAA+Q"), &back), BS_ESYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),       cmocka_unit_test(test_trips),
        cmocka_unit_test(test_truncated),    cmocka_unit_test(test_mutated),
        cmocka_unit_test(test_versions),     cmocka_unit_test(test_unsayable),
        cmocka_unit_test(test_unknown_tags), cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_uuid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
