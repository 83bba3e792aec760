/* Envelope: the registry's wire form in front of every encoded message:
 *
 *     0       1               5
 *     +-------+---------------+----------…
 *     | 0x00  | id, int32 BE  | payload
 *     +-------+---------------+----------…
 *
 * or beside it, in a header:
 *
 *     0       1               5          0       1                  17
 *     +-------+---------------+          +-------+------------------+
 *     | 0x00  | id, int32 BE  |    or    | 0x01  | GUID, 16 bytes   |
 *     +-------+---------------+          +-------+------------------+
 */
#include "lib/serde/avro.h"

#include <string.h>

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

int sd_schema_id_split(struct bs_bytes header, struct bs_bytes message, struct sd_schema_id *ret,
                       struct bs_bytes *ret_payload, struct bs_error *err)
{
    *ret = (struct sd_schema_id){0};
    if (header.ptr == NULL)
        return sd_envelope_split(message, &ret->id, ret_payload, err);
    *ret_payload = message;
    if (header.len == SD_SCHEMA_HEADER_SIZE && header.ptr[0] == 1) {
        ret->is_guid = true;
        memcpy(ret->guid, header.ptr + 1, sizeof ret->guid);
        return 0;
    }
    if (header.len == SD_ENVELOPE_SIZE && header.ptr[0] == 0) {
        struct bs_bytes nothing;
        return sd_envelope_split(header, &ret->id, &nothing, err);
    }
    return bs_error_set(err, BS_EINVAL,
                        "the header with the schema's id has %zu bytes; it is 0x01 and a GUID (17 "
                        "bytes) or 0x00 and an id (5 bytes)",
                        header.len);
}

void sd_schema_id_header(const uint8_t guid[16], uint8_t ret[SD_SCHEMA_HEADER_SIZE])
{
    ret[0] = 1;
    memcpy(ret + 1, guid, 16);
}

int sd_payload_write(const struct sd_node *schema, const struct sd_value *value, struct bs_buf *out,
                     struct bs_error *err)
{
    if (schema->kind != SD_AVRO_BYTES || (value->type != SD_BYTES && value->type != SD_STRING))
        return sd_avro_write(schema, value, out, err);
    bs_buf_put(out, value->bytes.ptr, value->bytes.len);
    return 0;
}

int sd_payload_write_base64(const struct sd_node *schema, const struct sd_value *value,
                            struct bs_buf *out, struct bs_error *err)
{
    struct bs_bytes text = value->bytes;
    if (schema->kind != SD_AVRO_BYTES || value->type != SD_STRING)
        return sd_avro_write_base64(schema, value, out, err);
    return bs_buf_put_base64_decoded(out, text)
               ? 0
               : bs_error_set(err, BS_ESYNTAX, "\"%.*s\" is not base64, which bytes takes here",
                              (int)(text.len > 80 ? 80 : text.len), (const char *)text.ptr);
}

int sd_payload_read(const struct sd_node *schema, struct bs_bytes payload, struct bs_arena *arena,
                    struct sd_value *ret, struct bs_error *err)
{
    if (schema->kind != SD_AVRO_BYTES)
        return sd_avro_read(schema, payload, arena, ret, err);
    *ret = (struct sd_value){.type = SD_BYTES};
    ret->bytes = bs_bytes(bs_arena_dup(arena, payload.ptr, payload.len), payload.len);
    return 0;
}

int sd_payload_resolve(const struct sd_resolver *resolver, struct bs_bytes payload,
                       struct bs_arena *arena, struct sd_value *ret, struct bs_error *err)
{
    uint8_t *text;
    size_t len;
    if (sd_resolver_writer(resolver)->kind != SD_AVRO_BYTES)
        return sd_resolver_read(resolver, payload, arena, ret, err);
    text = bs_arena_alloc(arena, payload.len + 10);
    len = bs_put_uvarlong(text, bs_zigzag((int64_t)payload.len));
    if (payload.len)
        memcpy(text + len, payload.ptr, payload.len);
    return sd_resolver_read(resolver, bs_bytes(text, len + payload.len), arena, ret, err);
}
