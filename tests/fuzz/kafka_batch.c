/* Record batches as a consumer reads them: batch after batch, decompressed within a limit, record
 * by record. The CRC is put right first, or nothing behind it would ever be reached. */
#include "lib/kafka/compress.h"

#include "lib/base/mem.h"

#include <stdlib.h>

enum { LIMIT = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void records_read(const struct kp_batch *batch, struct bs_bytes payload)
{
    struct kp_record_reader reader;
    struct kp_record record;
    struct kp_header header;
    kp_record_reader_init(&reader, batch, payload);
    while (kp_record_reader_next(&reader, &record) == 0) {
        struct bs_cursor in = bs_cursor(record.headers);
        int32_t count = 0;
        while (kp_headers_next(&in, &header) == 0)
            count++;
        if (count != record.header_count)
            abort();
        int16_t type;
        int32_t epoch;
        if (kp_batch_is_control(batch) && kp_control_key_decode(record.key, &type) == 0)
            (void)kp_control_value_decode(record.value, &epoch);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes = bs_memdup(data, size);
    struct bs_buf scratch = BS_BUF_INIT;
    struct kp_batch batch;
    struct bs_bytes payload;
    for (size_t at = 0; at < size; at += batch.size) {
        if (kp_batch_peek(bytes + at, size - at, &batch) != 0 || batch.size > size - at)
            break;
        kp_batch_set_max_timestamp(bytes + at, batch.size, batch.max_timestamp);
        if (kp_batch_check(bs_bytes(bytes + at, size - at), &batch) != 0)
            break;
        if (kp_batch_unpack(bytes + at, &batch, LIMIT, &scratch, &payload) != 0)
            continue;
        if (payload.len > LIMIT)
            abort();
        records_read(&batch, payload);
    }
    bs_free(bytes);
    bs_buf_deinit(&scratch);
    return 0;
}
