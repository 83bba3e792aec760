/* Envelope: the registry's wire form in front of every encoded message:
 *
 *     0       1               5
 *     +-------+---------------+----------…
 *     | 0x00  | id, int32 BE  | payload
 *     +-------+---------------+----------…
 */
#include "lib/serde/avro.h"

int sd_envelope_split(struct bs_bytes message, int32_t *ret_id, struct bs_bytes *ret_payload,
                      struct bs_error *err)
{
    if (message.ptr == NULL || message.len < SD_ENVELOPE_SIZE)
        return bs_error_set(err, BS_EINVAL,
                            "the message has %zu bytes; a registry's envelope alone takes %d",
                            message.ptr ? message.len : 0, SD_ENVELOPE_SIZE);
    if (message.ptr[0] != 0)
        return bs_error_set(err, BS_EINVAL,
                            "the message begins with byte 0x%02x, not with the registry's magic "
                            "byte 0x00; it was not written with a schema registry",
                            message.ptr[0]);
    if (message.ptr[1] & 0x80)
        return bs_error_set(err, BS_EINVAL, "schema id %d in the envelope is negative",
                            (int)(int32_t)bs_load_u32(message.ptr + 1));
    *ret_id = (int32_t)bs_load_u32(message.ptr + 1);
    *ret_payload = bs_bytes(message.ptr + SD_ENVELOPE_SIZE, message.len - SD_ENVELOPE_SIZE);
    return 0;
}

void sd_envelope_put(struct bs_buf *out, int32_t id)
{
    bs_buf_put_u8(out, 0);
    bs_buf_put_u32(out, (uint32_t)id);
}
