/* Avro binary ↔ value, and views into encoded bytes. Every error names the field's path.
 *
 * Values that readers give are in the arena, except that names of record fields, enum symbols and
 * `branch` point into the schema (of the reader, for a resolver): keep it as long as the value.
 * `branch` is set only for unions with more than one branch that is not null. */
#ifndef WEIR_SERDE_AVRO_H
#define WEIR_SERDE_AVRO_H

#include "lib/serde/schema.h"

/* Decodes with the writer's own schema; the whole of `bytes` must be used. Depth ≤ 200, counts
 * bounded by the bytes that are left. */
int sd_avro_read(const struct sd_node *schema, struct bs_bytes bytes, struct bs_arena *arena,
                 struct sd_value *ret, struct bs_error *err);
/* Decodes one value at the cursor. */
int sd_avro_get(const struct sd_node *schema, struct bs_cursor *at, struct bs_arena *arena,
                struct sd_value *ret, struct bs_error *err);
/* Moves the cursor behind one encoded value without decoding it. */
int sd_avro_skip(const struct sd_node *schema, struct bs_cursor *at);
/* View: the encoded bytes of one field of a record at the start of `record_bytes`; skips those
 * before. */
int sd_avro_field(const struct sd_node *record, struct bs_bytes record_bytes, size_t field,
                  struct bs_bytes *ret);

/* Encodes; appends to out (which is cut back on error). SD_LONG goes into int (range checked),
 * long, float, double; SD_DOUBLE and SD_FLOAT into float and double, and into int and long when
 * whole (1.0 is 1, 1.5 is refused). SD_STRING and SD_BYTES go into string (if UTF-8), bytes, fixed
 * (of that size) and enum. An empty map is an empty array and the other way round. A record field
 * that is absent takes its default, or is an error that names it; a name that the schema has not is
 * an error that names it. Union: branch by `branch`, else the first of the value's own type, else
 * the first that it can be turned into. */
int sd_avro_write(const struct sd_node *schema, const struct sd_value *value, struct bs_buf *out,
                  struct bs_error *err);
/* As sd_avro_write, but an SD_STRING goes into bytes and fixed as the base64 that sd_json_write
 * wrote of them: it turns that JSON back. BS_ESYNTAX: it is not base64, has another size than the
 * fixed, or a union that takes both text and bytes, or bytes of two types, leaves open which it is.
 */
int sd_avro_write_base64(const struct sd_node *schema, const struct sd_value *value,
                         struct bs_buf *out, struct bs_error *err);

/* Resolution (reader ≠ writer): a plan made once per pair, then applied to many. */
struct sd_resolver;
int sd_resolver_new(const struct sd_schema *writer, const struct sd_schema *reader,
                    struct sd_resolver **ret, struct bs_error *err);
void sd_resolver_free(struct sd_resolver *resolver); /* accepts NULL */
/* Do the writer's bytes mean the same to the reader as they are? (Equal parsing forms.) */
bool sd_resolver_same(const struct sd_resolver *resolver);
const struct sd_node *sd_resolver_writer(const struct sd_resolver *resolver);
int sd_resolver_read(const struct sd_resolver *resolver, struct bs_bytes bytes,
                     struct bs_arena *arena, struct sd_value *ret, struct bs_error *err);

/* Avro's JSON encoding of a datum (union values wrapped in {"branch": …}, bytes as one char per
 * byte). */
int sd_avro_json_write(const struct sd_node *schema, const struct sd_value *value,
                       struct bs_buf *out, struct bs_error *err);

/* The same read, for sd_avro_write: every value of a union names its branch. BS_ESYNTAX with line
 * and column; BS_EINVAL and BS_ERANGE with the field's path. */
int sd_avro_json_read(const struct sd_node *schema, struct bs_bytes text, struct bs_arena *arena,
                      struct sd_value *ret, struct bs_error *err);

/* The registry's wire envelope: magic 0, id (int32, big endian), payload. BS_EINVAL says what was
 * found. */
enum { SD_ENVELOPE_SIZE = 5 };
int sd_envelope_split(struct bs_bytes message, int32_t *ret_id, struct bs_bytes *ret_payload,
                      struct bs_error *err);
void sd_envelope_put(struct bs_buf *out, int32_t id);

/* What names a message's schema: an id, or a GUID. It stands in front of the payload (an id only),
 * or in the last header of this name, and then the message is the payload alone. */
#define SD_KEY_SCHEMA_HEADER   "__key_schema_id"
#define SD_VALUE_SCHEMA_HEADER "__value_schema_id"
enum { SD_SCHEMA_HEADER_SIZE = 17 };
struct sd_schema_id {
    bool is_guid;
    int32_t id;
    uint8_t guid[16];
};
/* `header` without pointer: there is none. */
int sd_schema_id_split(struct bs_bytes header, struct bs_bytes message, struct sd_schema_id *ret,
                       struct bs_bytes *ret_payload, struct bs_error *err);
void sd_schema_id_header(const uint8_t guid[16], uint8_t ret[SD_SCHEMA_HEADER_SIZE]);

/* A payload: as sd_avro_write, sd_avro_write_base64 and sd_avro_read, but when the schema as a
 * whole is `bytes` the bytes are the payload, without their length. */
int sd_payload_write(const struct sd_node *schema, const struct sd_value *value, struct bs_buf *out,
                     struct bs_error *err);
int sd_payload_write_base64(const struct sd_node *schema, const struct sd_value *value,
                            struct bs_buf *out, struct bs_error *err);
int sd_payload_read(const struct sd_node *schema, struct bs_bytes payload, struct bs_arena *arena,
                    struct sd_value *ret, struct bs_error *err);
int sd_payload_resolve(const struct sd_resolver *resolver, struct bs_bytes payload,
                       struct bs_arena *arena, struct sd_value *ret, struct bs_error *err);

#endif
