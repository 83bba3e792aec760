/* Record batches, compression, partitioner, errors: against batches that librdkafka and the Java
 * client sent through Kafka (tests/golden/kafka/batches), known answers, and seeded mutations. */
#include "lib/kafka/compress.h"
#include "lib/kafka/errors.h"
#include "lib/kafka/partitioner.h"
#include "lib/kafka/record_batch.h"

#include "lib/base/err.h"
#include "lib/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { LIMIT = 1 << 20, MUTATIONS = 3000 };

static const char *const codecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};

static uint64_t random_state = 20261121;

static uint32_t random_next(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33);
}

/* In memory of exactly its size; free() it. */
static struct bs_bytes file_read(const char *client, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "tests/golden/kafka/batches/%s-%s.bin", client, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("no %s", path);
    fseek(file, 0, SEEK_END);
    size_t len = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(len);
    assert_int_equal(fread(bytes, 1, len, file), len);
    fclose(file);
    return bs_bytes(bytes, len);
}

/* The i-th record as the README of the golden batches says. */
static void check_record(const struct kp_record *record, int i, bool timed)
{
    char key[8], value[512] = "";
    snprintf(key, sizeof key, "k%d", i);
    for (int n = 0; n < 20; n++)
        sprintf(value + strlen(value), "value %d ", i);
    assert_int_equal(record->offset_delta, i);
    if (timed)
        assert_true(record->timestamp_ms == 1700000000000 + i);
    if (i % 4 == 3)
        assert_null(record->key.ptr);
    else
        assert_true(bs_bytes_is(record->key, key));
    if (i == 5)
        assert_null(record->value.ptr);
    else
        assert_true(bs_bytes_is(record->value, value));
    assert_int_equal(record->header_count, 2);
    struct bs_cursor in = bs_cursor(record->headers);
    struct kp_header header;
    assert_int_equal(kp_headers_next(&in, &header), 0);
    assert_true(bs_bytes_is(header.key, "h1") && bs_bytes_is(header.value, "a"));
    assert_int_equal(kp_headers_next(&in, &header), 0);
    assert_true(bs_bytes_is(header.key, "h2"));
    assert_null(header.value.ptr);
    assert_int_equal(kp_headers_next(&in, &header), 1);
}

static void check_golden(const char *client, int codec, bool timed)
{
    struct bs_bytes file = file_read(client, codecs[codec]);
    struct bs_buf scratch = BS_BUF_INIT;
    struct kp_batch batch;
    struct bs_bytes payload;
    assert_int_equal(kp_batch_check(file, &batch), 0);
    assert_int_equal(batch.size, file.len);
    assert_int_equal(kp_batch_codec(&batch), codec);
    assert_int_equal(batch.record_count, 10);
    assert_int_equal(batch.last_offset_delta, 9);
    assert_int_equal(kp_batch_unpack(file.ptr, &batch, LIMIT, &scratch, &payload), 0);
    struct kp_record_reader reader;
    struct kp_record record;
    kp_record_reader_init(&reader, &batch, payload);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(kp_record_reader_next(&reader, &record), 0);
        check_record(&record, i, timed);
    }
    assert_int_equal(kp_record_reader_next(&reader, &record), 1);
    struct bs_buf small = BS_BUF_INIT;
    struct bs_bytes packed = kp_batch_payload(file.ptr, &batch);
    assert_int_equal(kp_decompress(codec, packed, 100, &small), BS_ELIMIT);
    assert_int_equal(kp_decompress(codec, packed, payload.len - 1, &small), BS_ELIMIT);
    bs_buf_reset(&small);
    assert_int_equal(kp_decompress(codec, packed, payload.len, &small), 0);
    assert_int_equal(small.len, payload.len);
    bs_buf_deinit(&small);
    bs_buf_deinit(&scratch);
    free((void *)(uintptr_t)file.ptr);
}

static void test_golden(void **state)
{
    (void)state;
    for (int codec = KP_CODEC_NONE; codec <= KP_CODEC_ZSTD; codec++) {
        check_golden("java", codec, true);
        check_golden("rdkafka", codec, false);
    }
}

static void append_golden(struct kp_batch_builder *builder)
{
    const struct kp_header headers[] = {
        {.key = bs_bytes_text("h1"), .value = bs_bytes_text("a")},
        {.key = bs_bytes_text("h2"), .value = bs_bytes(NULL, 0)},
    };
    for (int i = 0; i < 10; i++) {
        char key[8], value[512] = "";
        snprintf(key, sizeof key, "k%d", i);
        for (int n = 0; n < 20; n++)
            sprintf(value + strlen(value), "value %d ", i);
        kp_batch_builder_append(builder, 1700000000000 + i,
                                i % 4 == 3 ? bs_bytes(NULL, 0) : bs_bytes_text(key),
                                i == 5 ? bs_bytes(NULL, 0) : bs_bytes_text(value), headers, 2);
    }
}

static void check_batches_equal(struct bs_bytes golden, size_t *at, struct bs_bytes built)
{
    assert_true(*at + built.len <= golden.len);
    if (!bs_bytes_equal(built, bs_bytes(golden.ptr + *at, built.len)))
        fail_msg("other bytes than Kafka's at %zu", *at);
    *at += built.len;
}

/* What the Java client sent without compression comes out of the builder byte by byte. */
static void test_build(void **state)
{
    (void)state;
    struct bs_bytes file = file_read("java", "none");
    struct kp_batch_options options = KP_BATCH_OPTIONS_INIT;
    options.leader_epoch = 0;
    struct kp_batch_builder builder;
    struct bs_bytes built;
    size_t at = 0;
    kp_batch_builder_init(&builder, &options);
    append_golden(&builder);
    assert_int_equal(kp_batch_builder_size(&builder), file.len);
    assert_int_equal(kp_batch_builder_finish(&builder, &built), 0);
    check_batches_equal(file, &at, built);
    free((void *)(uintptr_t)file.ptr);
    for (int codec = KP_CODEC_GZIP; codec <= KP_CODEC_ZSTD; codec++) {
        options.codec = (enum kp_codec)codec;
        options.compress = kp_compress;
        kp_batch_builder_reset(&builder, &options);
        append_golden(&builder);
        assert_int_equal(kp_batch_builder_finish(&builder, &built), 0);
        struct kp_batch batch;
        struct bs_buf scratch = BS_BUF_INIT;
        struct bs_bytes payload;
        assert_int_equal(kp_batch_check(built, &batch), 0);
        assert_int_equal(kp_batch_unpack(built.ptr, &batch, LIMIT, &scratch, &payload), 0);
        struct kp_record_reader reader;
        struct kp_record record;
        kp_record_reader_init(&reader, &batch, payload);
        for (int i = 0; i < 10; i++) {
            assert_int_equal(kp_record_reader_next(&reader, &record), 0);
            check_record(&record, i, true);
        }
        assert_int_equal(kp_record_reader_next(&reader, &record), 1);
        bs_buf_deinit(&scratch);
    }
    kp_batch_builder_deinit(&builder);
}

/* Two transactions and their markers, as the broker of Kafka wrote the markers. */
static void test_transactions(void **state)
{
    (void)state;
    struct bs_bytes file = file_read("java", "txn");
    struct kp_batch_options options = KP_BATCH_OPTIONS_INIT;
    struct kp_batch_builder builder;
    struct kp_batch batch;
    struct bs_bytes built;
    size_t at = 0;
    options.leader_epoch = 0;
    kp_batch_builder_init(&builder, &options);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(kp_batch_check(bs_bytes(file.ptr + at, file.len - at), &batch), 0);
        assert_true(kp_batch_is_transactional(&batch));
        assert_true(kp_batch_is_control(&batch) == (i % 2 == 1));
        options.base_offset = batch.base_offset;
        options.transactional = true;
        options.control = i % 2 == 1;
        options.producer_id = batch.producer_id;
        options.producer_epoch = batch.producer_epoch;
        options.base_sequence = batch.base_sequence;
        kp_batch_builder_reset(&builder, &options);
        if (options.control) {
            struct kp_record_reader reader;
            struct kp_record record;
            int16_t type = -1;
            int32_t epoch = -1;
            kp_record_reader_init(&reader, &batch, kp_batch_payload(file.ptr + at, &batch));
            assert_int_equal(kp_record_reader_next(&reader, &record), 0);
            assert_int_equal(kp_control_key_decode(record.key, &type), 0);
            assert_int_equal(type, i == 1 ? KP_CONTROL_COMMIT : KP_CONTROL_ABORT);
            assert_int_equal(kp_control_value_decode(record.value, &epoch), 0);
            kp_batch_builder_append_marker(&builder, batch.base_timestamp, (enum kp_control)type,
                                           epoch);
        } else {
            append_golden(&builder);
        }
        assert_int_equal(kp_batch_builder_finish(&builder, &built), 0);
        check_batches_equal(file, &at, built);
    }
    assert_int_equal(at, file.len);
    kp_batch_builder_deinit(&builder);
    free((void *)(uintptr_t)file.ptr);
}

static void test_setters(void **state)
{
    (void)state;
    struct bs_bytes file = file_read("rdkafka", "lz4");
    uint8_t *bytes = (uint8_t *)(uintptr_t)file.ptr;
    struct kp_batch batch;
    kp_batch_set_base_offset(bytes, 1234567890123);
    kp_batch_set_leader_epoch(bytes, 7);
    assert_int_equal(kp_batch_check(file, &batch), 0);
    assert_true(batch.base_offset == 1234567890123);
    assert_true(kp_batch_last_offset(&batch) == 1234567890132);
    assert_int_equal(batch.leader_epoch, 7);
    kp_batch_set_append_time(bytes, file.len, 42);
    assert_int_equal(kp_batch_check(file, &batch), 0);
    assert_int_equal(batch.max_timestamp, 42);
    assert_true(batch.attributes & KP_BATCH_LOG_APPEND_TIME);
    kp_batch_set_max_timestamp(bytes, file.len, 43);
    assert_int_equal(kp_batch_check(file, &batch), 0);
    assert_false(batch.attributes & KP_BATCH_LOG_APPEND_TIME);
    bytes[file.len - 1] ^= 1;
    assert_int_equal(kp_batch_check(file, &batch), BS_ECORRUPT);
    bytes[file.len - 1] ^= 1;
    bytes[16] = 1;
    assert_int_equal(kp_batch_check(file, &batch), BS_EUNSUPPORTED);
    bytes[16] = 2;
    for (size_t len = 0; len < file.len; len++)
        assert_int_equal(kp_batch_check(bs_bytes(bytes, len), &batch), BS_ETRUNCATED);
    free(bytes);
}

/* Reads whatever is there; the sanitizer is the judge. */
static void read_all(struct bs_bytes bytes, struct bs_buf *scratch)
{
    struct kp_batch batch;
    struct bs_bytes payload;
    struct kp_record record;
    struct kp_record_reader reader;
    struct kp_header header;
    if (kp_batch_peek(bytes.ptr, bytes.len, &batch) != 0 || batch.size > bytes.len ||
        kp_batch_unpack(bytes.ptr, &batch, LIMIT, scratch, &payload) != 0)
        return;
    assert_true(payload.len <= LIMIT);
    kp_record_reader_init(&reader, &batch, payload);
    while (kp_record_reader_next(&reader, &record) == 0) {
        struct bs_cursor in = bs_cursor(record.headers);
        int32_t count = 0;
        while (kp_headers_next(&in, &header) == 0)
            count++;
        assert_int_equal(count, record.header_count);
    }
}

static void test_mutated(void **state)
{
    (void)state;
    struct bs_buf scratch = BS_BUF_INIT;
    for (int codec = KP_CODEC_NONE; codec <= KP_CODEC_ZSTD; codec++) {
        struct bs_bytes file = file_read(codec % 2 ? "java" : "rdkafka", codecs[codec]);
        for (int i = 0; i < MUTATIONS; i++) {
            size_t len = i % 3 ? file.len : random_next() % file.len + 1;
            uint8_t *copy = malloc(len);
            memcpy(copy, file.ptr, len);
            for (uint32_t n = random_next() % 4; n > 0; n--)
                copy[random_next() % len] = (uint8_t)random_next();
            if (len >= 12)
                bs_store_u32(copy + 8, (uint32_t)len - 12);
            read_all(bs_bytes(copy, len), &scratch);
            free(copy);
        }
        free((void *)(uintptr_t)file.ptr);
    }
    bs_buf_deinit(&scratch);
}

/* ---- compression ------------------------------------------------------------------------------
 */

static void check_compress(int codec, struct bs_bytes in)
{
    struct bs_buf packed = BS_BUF_INIT, back = BS_BUF_INIT;
    assert_int_equal(kp_compress(codec, in, &packed), 0);
    assert_int_equal(kp_decompress(codec, bs_buf_bytes(&packed), in.len, &back), 0);
    assert_true(bs_bytes_equal(in, bs_buf_bytes(&back)));
    bs_buf_reset(&back);
    if (in.len)
        assert_int_equal(kp_decompress(codec, bs_buf_bytes(&packed), in.len - 1, &back), BS_ELIMIT);
    for (size_t cut = 1; codec != KP_CODEC_NONE && cut < packed.len; cut += packed.len / 5 + 1) {
        uint8_t *copy = malloc(packed.len - cut);
        memcpy(copy, packed.data, packed.len - cut);
        bs_buf_reset(&back);
        int rc = kp_decompress(codec, bs_bytes(copy, packed.len - cut), in.len, &back);
        if (codec != KP_CODEC_SNAPPY) /* its blocks know no end: a cut between two goes unseen */
            assert_int_not_equal(rc, 0);
        free(copy);
    }
    bs_buf_deinit(&packed);
    bs_buf_deinit(&back);
}

static void test_compress(void **state)
{
    (void)state;
    static uint8_t flat[300000], noise[300000];
    memset(flat, 'x', sizeof flat);
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)random_next();
    static const size_t sizes[] = {0, 1, 100, 32767, 32768, 32769, 65536, 300000};
    for (int codec = KP_CODEC_NONE; codec <= KP_CODEC_ZSTD; codec++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            check_compress(codec, bs_bytes(flat, sizes[i]));
            check_compress(codec, bs_bytes(noise, sizes[i]));
        }
    }
    struct bs_buf out = BS_BUF_INIT;
    assert_int_equal(kp_compress(5, bs_bytes(flat, 1), &out), BS_EUNSUPPORTED);
    assert_int_equal(kp_decompress(7, bs_bytes(flat, 1), LIMIT, &out), BS_EUNSUPPORTED);
    for (int codec = KP_CODEC_GZIP; codec <= KP_CODEC_ZSTD; codec++) {
        assert_int_not_equal(kp_decompress(codec, bs_bytes(noise, 1000), LIMIT, &out), 0);
        assert_int_equal(kp_decompress(codec, bs_bytes(noise, 0), LIMIT, &out), BS_ETRUNCATED);
    }
    bs_buf_deinit(&out);
}

/* ---- partitioner, errors ----------------------------------------------------------------------
 */

static void test_partitioner(void **state)
{
    (void)state;
    /* The answers of org.apache.kafka.common.utils.Utils.murmur2 and String.hashCode. */
    static const struct {
        const char *key;
        int32_t murmur2, hash;
    } known[] = {
        {"21", -973932308, 1599},
        {"foobar", -790332482, -1268878963},
        {"a-little-bit-long-string", -985981536, -865776169},
        {"a-little-bit-longer-string", -1486304829, -1512594870},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971, -305440039},
        {"abc", 479470107, 96354},
        {"\xc3\xa9\xf0\x9f\x98\x80", 1501228757, 1996812},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct bs_bytes key = bs_bytes_text(known[i].key);
        assert_int_equal((int32_t)kp_murmur2(key), known[i].murmur2);
        assert_int_equal(kp_java_string_hash(key), known[i].hash);
        int32_t at = kp_partition_for_key(key, 7);
        assert_int_equal(at, (known[i].murmur2 & 0x7fffffff) % 7);
    }
    assert_int_equal(kp_partition_for_id(bs_bytes_text("foobar"), 50), 1268878963 % 50);
    /* A string whose hash has no absolute value. */
    assert_int_equal(kp_java_string_hash(bs_bytes_text("polygenelubricants")), INT32_MIN);
    assert_int_equal(kp_partition_for_id(bs_bytes_text("polygenelubricants"), 50), 0);
    assert_int_equal(kp_java_string_hash(bs_bytes("\xff", 1)), 0xfffd);
}

static void test_errors(void **state)
{
    (void)state;
    assert_string_equal(kp_error_name(KP_ERR_NONE), "NONE");
    assert_string_equal(kp_error_name(-1), "UNKNOWN_SERVER_ERROR");
    assert_string_equal(kp_error_name(KP_ERR_OFFSET_OUT_OF_RANGE), "OFFSET_OUT_OF_RANGE");
    assert_string_equal(kp_error_name(133), "SHARE_SESSION_LIMIT_REACHED");
    assert_string_equal(kp_error_name(INT16_MAX), "UNKNOWN_CODE");
    assert_string_equal(kp_error_name(INT16_MIN), "UNKNOWN_CODE");
    assert_true(kp_error_retriable(KP_ERR_NOT_LEADER_OR_FOLLOWER));
    assert_false(kp_error_retriable(KP_ERR_PRODUCER_FENCED));
    for (int16_t code = -1; code <= 133; code++) {
        assert_string_not_equal(kp_error_name(code), "UNKNOWN_CODE");
        assert_true(strlen(kp_error_text(code)) > 5);
    }
}

static void test_crc(void **state)
{
    (void)state;
    assert_true(kp_crc32c("123456789", 9) == 0xe3069283); /* RFC 3720's check value */
    assert_true(kp_crc32c("", 0) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),       cmocka_unit_test(test_build),
        cmocka_unit_test(test_transactions), cmocka_unit_test(test_setters),
        cmocka_unit_test(test_mutated),      cmocka_unit_test(test_compress),
        cmocka_unit_test(test_partitioner),  cmocka_unit_test(test_errors),
        cmocka_unit_test(test_crc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
