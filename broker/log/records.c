/* Records: see records.h. */
#include "broker/log/records.h"

#include "lib/base/err.h"
#include "lib/kafka/compress.h"

/* What a batch may unpack to; one that says more is refused, not unpacked. */
enum { UNPACK_MAX = 128 << 20 };

int bk_records_check_keys(const uint8_t *bytes, const struct kp_batch *batch)
{
    struct bs_buf scratch = BS_BUF_INIT;
    struct bs_bytes payload;
    struct kp_record_reader reader;
    struct kp_record record;
    int rc = kp_batch_unpack(bytes, batch, UNPACK_MAX, &scratch, &payload);
    if (rc)
        goto done;
    kp_record_reader_init(&reader, batch, payload);
    while ((rc = kp_record_reader_next(&reader, &record)) == 0)
        if (!record.key.ptr) {
            rc = BS_ENOTFOUND;
            break;
        }
    rc = rc == 1 ? 0 : rc;
done:
    bs_buf_deinit(&scratch);
    return rc;
}

int bk_records_find_time(const uint8_t *bytes, const struct kp_batch *batch, int64_t timestamp_ms,
                         int64_t from_offset, int64_t *ret_offset, int64_t *ret_timestamp_ms)
{
    struct bs_buf scratch = BS_BUF_INIT;
    struct bs_bytes payload;
    struct kp_record_reader reader;
    struct kp_record record;
    int rc = kp_batch_unpack(bytes, batch, UNPACK_MAX, &scratch, &payload);
    if (rc)
        goto done;
    kp_record_reader_init(&reader, batch, payload);
    while ((rc = kp_record_reader_next(&reader, &record)) == 0)
        if (record.timestamp_ms >= timestamp_ms && record.offset >= from_offset) {
            *ret_offset = record.offset;
            *ret_timestamp_ms = record.timestamp_ms;
            break;
        }
done:
    bs_buf_deinit(&scratch);
    return rc;
}
