/* Control: see control.h. */
#include "broker/log/control.h"

int bk_control_write(const struct bk_marker *marker, int64_t timestamp_ms,
                     struct kp_batch_builder *builder, struct bs_bytes *ret_bytes)
{
    struct kp_batch_options options = KP_BATCH_OPTIONS_INIT;
    options.transactional = true;
    options.control = true;
    options.producer_id = marker->producer_id;
    options.producer_epoch = marker->producer_epoch;
    kp_batch_builder_init(builder, &options);
    kp_batch_builder_append_marker(builder, timestamp_ms,
                                   marker->commit ? KP_CONTROL_COMMIT : KP_CONTROL_ABORT,
                                   marker->coordinator_epoch);
    return kp_batch_builder_finish(builder, ret_bytes);
}

int bk_control_read(const uint8_t *bytes, const struct kp_batch *batch, struct bk_marker *marker)
{
    struct kp_record_reader reader;
    struct kp_record record;
    int16_t type = -1;
    kp_record_reader_init(&reader, batch, kp_batch_payload(bytes, batch));
    int rc = kp_record_reader_next(&reader, &record);
    if (rc)
        return BS_ECORRUPT;
    rc = kp_control_key_decode(record.key, &type);
    if (rc == BS_EUNSUPPORTED || (rc == 0 && type != KP_CONTROL_ABORT && type != KP_CONTROL_COMMIT))
        return 1;
    if (!rc)
        rc = kp_control_value_decode(record.value, &marker->coordinator_epoch);
    if (rc)
        return rc;
    marker->producer_id = batch->producer_id;
    marker->producer_epoch = batch->producer_epoch;
    marker->commit = type == KP_CONTROL_COMMIT;
    return 0;
}
