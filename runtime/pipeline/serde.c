/* Serde: bytes of topics and stores ↔ data. Schemas are asked from the registry once per id and
 * kept as long as the pipeline. The pipeline's thread. */
#include "runtime/pipeline/content.h"

#include "lib/base/mem.h"
#include "lib/serde/avro.h"
#include "lib/serde/json.h"

#include <string.h>

const struct rt_avro *rt_pipeline_keep(struct rt_pipeline *pipeline, int32_t id,
                                       struct sd_schema *schema)
{
    struct rt_avro *avro = bs_new(struct rt_avro);
    *avro = (struct rt_avro){.id = id, .schema = schema, .root = sd_schema_root(schema)};
    pipeline->avros =
        bs_realloc(pipeline->avros, (pipeline->avro_count + 1) * sizeof *pipeline->avros);
    pipeline->avros[pipeline->avro_count++] = avro;
    return avro;
}

int rt_pipeline_avro(struct rt_pipeline *pipeline, int32_t id, const struct rt_avro **ret,
                     struct bs_error *err)
{
    if (pipeline->last && pipeline->last->id == id) {
        *ret = pipeline->last;
        return 0;
    }
    for (size_t i = 0; i < pipeline->avro_count; i++)
        if (pipeline->avros[i]->id == id) {
            *ret = pipeline->last = pipeline->avros[i];
            return 0;
        }
    struct sd_schema *schema = NULL;
    if (!pipeline->schemas.by_id)
        return bs_error_set(err, BS_ENOTFOUND, "schema %d: there is no registry to ask", (int)id);
    int rc = pipeline->schemas.by_id(pipeline->schemas.ctx, id, &schema, err);
    if (rc)
        return bs_error_wrap(err, "schema %d", (int)id);
    *ret = pipeline->last = rt_pipeline_keep(pipeline, id, schema);
    return 0;
}

static int guid_id(struct rt_pipeline *pipeline, const uint8_t guid[16], int32_t *ret,
                   struct bs_error *err)
{
    struct sd_schema *schema = NULL;
    for (size_t i = 0; i < pipeline->guid_count; i++)
        if (memcmp(pipeline->guids[i].guid, guid, 16) == 0) {
            *ret = pipeline->guids[i].id;
            return 0;
        }
    if (!pipeline->schemas.by_guid)
        return bs_error_set(err, BS_ENOTFOUND, "a schema's GUID: there is no registry to ask");
    int rc = pipeline->schemas.by_guid(pipeline->schemas.ctx, guid, ret, &schema, err);
    if (rc)
        return rc;
    sd_schema_unref(schema); /* asked for again by id: one way to keep them */
    pipeline->guids =
        bs_realloc(pipeline->guids, (pipeline->guid_count + 1) * sizeof *pipeline->guids);
    pipeline->guids[pipeline->guid_count].id = *ret;
    memcpy(pipeline->guids[pipeline->guid_count++].guid, guid, 16);
    return 0;
}

int rt_serde_plain(struct rt_pipeline *pipeline, struct bs_bytes header, struct bs_bytes bytes,
                   struct bs_arena *arena, struct bs_bytes *ret, struct bs_error *err)
{
    struct sd_schema_id id;
    struct bs_bytes payload;
    int rc = sd_schema_id_split(header, bytes, &id, &payload, err);
    if (!rc && id.is_guid)
        rc = guid_id(pipeline, id.guid, &id.id, err);
    if (rc)
        return rc;
    uint8_t *copy = bs_arena_alloc(arena, SD_ENVELOPE_SIZE + payload.len);
    copy[0] = 0;
    bs_store_u32(copy + 1, (uint32_t)id.id);
    if (payload.len)
        memcpy(copy + SD_ENVELOPE_SIZE, payload.ptr, payload.len);
    *ret = bs_bytes(copy, SD_ENVELOPE_SIZE + payload.len);
    return 0;
}

static int decode_fixed(struct bs_bytes bytes, bool real, struct rt_datum *ret,
                        struct bs_error *err)
{
    if (bytes.len != 8)
        return bs_error_set(err, BS_EINVAL, "a%s has 8 bytes, this has %zu",
                            real ? " double" : "n int64", bytes.len);
    uint64_t bits = bs_load_u64(bytes.ptr);
    ret->form = real ? RT_DOUBLE : RT_LONG;
    if (real)
        memcpy(&ret->real, &bits, sizeof bits);
    else
        ret->number = (int64_t)bits;
    return 0;
}

int rt_serde_decode(struct rt_pipeline *pipeline, const struct rt_serde *serde,
                    struct bs_bytes bytes, struct rt_datum *ret, struct bs_error *err)
{
    memset(ret, 0, sizeof *ret);
    if (!bytes.ptr)
        return 0;
    switch (serde->type) {
    case RT_TYPE_STRING:
    case RT_TYPE_BYTES:
    case RT_TYPE_JSON:
        ret->form = serde->type == RT_TYPE_STRING  ? RT_STRING
                    : serde->type == RT_TYPE_BYTES ? RT_BYTES
                                                   : RT_JSON;
        ret->bytes = bytes;
        return 0;
    case RT_TYPE_INT64:
    case RT_TYPE_DOUBLE:
        return decode_fixed(bytes, serde->type == RT_TYPE_DOUBLE, ret, err);
    case RT_TYPE_AVRO:
        break;
    }
    int32_t id = 0;
    int rc = sd_envelope_split(bytes, &id, &ret->bytes, err);
    if (rc)
        return rc;
    ret->form = RT_AVRO;
    rc = rt_pipeline_avro(pipeline, id, &ret->avro, err);
    if (!rc && ret->avro->root->kind == SD_AVRO_BYTES) /* the payload as it is */
        ret->form = RT_BYTES;
    return rc;
}

int rt_source_decode(struct rt_pipeline *pipeline, const struct rt_node *node, size_t topic,
                     bool key, struct bs_bytes bytes, struct bs_arena *arena, struct rt_datum *ret,
                     struct bs_error *err)
{
    const struct rt_serde *serde = key ? &node->key : &node->value;
    struct bs_bytes payload;
    int32_t id = 0;
    if (!serde->readers || !bytes.ptr)
        return rt_serde_decode(pipeline, serde, bytes, ret, err);
    memset(ret, 0, sizeof *ret);
    int rc = sd_envelope_split(bytes, &id, &payload, err);
    return rc ? rc
              : rt_reader_decode(pipeline, serde->readers[topic], id, payload, arena, ret, err);
}

static int wrong_type(const char *what, const struct rt_datum *datum, const char *type,
                      struct bs_error *err)
{
    const char *better = datum->form == RT_LONG     ? "int64"
                         : datum->form == RT_DOUBLE ? "double"
                         : datum->form == RT_STRING ? "string"
                                                    : "json";
    return bs_error_set(err, BS_EINVAL, "the %s is %s, but %s = \"%s\"\n  hint: %s = \"%s\"", what,
                        rt_datum_kind(datum), what, type, what, better);
}

static int encode_avro(const struct rt_serde *serde, const struct rt_datum *datum,
                       struct bs_arena *arena, struct bs_buf *out, struct bs_error *err)
{
    const struct rt_avro *avro = serde->avro;
    struct sd_value value;
    if (!serde->in_header)
        sd_envelope_put(out, avro->id);
    if (datum->form == RT_AVRO && datum->avro->id == avro->id) {
        bs_buf_put(out, datum->bytes.ptr, datum->bytes.len);
        return 0;
    }
    int rc = rt_datum_value(datum, arena, &value, err);
    return rc ? rc : sd_payload_write(avro->root, &value, out, err);
}

static int encode_plain(const struct rt_serde *serde, const char *what,
                        const struct rt_datum *datum, struct bs_arena *arena, struct bs_buf *out,
                        struct bs_error *err)
{
    static const char *const names[] = {"string", "bytes", "int64", "double", "json", "avro"};
    struct sd_value value;
    double real;
    uint64_t bits;
    switch (serde->type) {
    case RT_TYPE_STRING:
    case RT_TYPE_BYTES:
        if (datum->form != RT_STRING && datum->form != RT_BYTES)
            return wrong_type(what, datum, names[serde->type], err);
        bs_buf_put(out, datum->bytes.ptr, datum->bytes.len);
        return 0;
    case RT_TYPE_INT64:
        if (datum->form != RT_LONG)
            return wrong_type(what, datum, "int64", err);
        bs_buf_put_u64(out, (uint64_t)datum->number);
        return 0;
    case RT_TYPE_DOUBLE:
        if (datum->form != RT_LONG && datum->form != RT_DOUBLE)
            return wrong_type(what, datum, "double", err);
        real = datum->form == RT_LONG ? (double)datum->number : datum->real;
        memcpy(&bits, &real, sizeof bits);
        bs_buf_put_u64(out, bits);
        return 0;
    case RT_TYPE_AVRO:
        return encode_avro(serde, datum, arena, out, err);
    case RT_TYPE_JSON:
        break;
    }
    int rc = rt_datum_value(datum, arena, &value, err);
    return rc ? rc : sd_json_write(&value, serde->base64, out, err);
}

int rt_serde_encode(const struct rt_serde *serde, const char *what, const struct rt_datum *datum,
                    struct bs_arena *arena, struct bs_buf *out, bool *ret_null,
                    struct bs_error *err)
{
    size_t start = out->len;
    *ret_null = rt_datum_null(datum);
    if (*ret_null)
        return 0;
    struct rt_datum plain = *datum;
    plain.windowed = false;
    int rc = encode_plain(serde, what, &plain, arena, out, err);
    if (rc) {
        out->len = start;
        return rc;
    }
    if (datum->windowed)
        bs_buf_put_u64(out, (uint64_t)datum->start);
    return 0;
}

/* ---- internal keys ---- */

enum { KEY_WINDOWED = 0x80 };

int rt_key_encode(const struct rt_datum *key, struct bs_arena *arena, struct bs_buf *out,
                  uint8_t *ret_tag, struct bs_error *err)
{
    uint64_t bits;
    *ret_tag = key->form;
    switch ((enum rt_form)key->form) {
    case RT_STRING:
    case RT_BYTES:
        bs_buf_put(out, key->bytes.ptr, key->bytes.len);
        break;
    case RT_LONG:
        bs_buf_put_u64(out, (uint64_t)key->number);
        break;
    case RT_DOUBLE:
        memcpy(&bits, &key->real, sizeof bits);
        bs_buf_put_u64(out, bits);
        break;
    case RT_BOOL:
        bs_buf_put_u8(out, key->boolean);
        break;
    default: {
        int rc = rt_datum_put(key, arena, out, err);
        *ret_tag = RT_TREE; /* whatever it was: the flat form says it */
        if (rc)
            return rc;
    }
    }
    if (key->windowed) {
        *ret_tag |= KEY_WINDOWED;
        bs_buf_put_u64(out, (uint64_t)key->start);
        bs_buf_put_u64(out, (uint64_t)key->stop);
    }
    return 0;
}

int rt_key_decode(struct rt_pipeline *pipeline, uint8_t tag, struct bs_bytes bytes,
                  struct rt_datum *ret, struct bs_error *err)
{
    int64_t start = 0, stop = 0;
    bool windowed = tag & KEY_WINDOWED;
    int rc = 0;
    memset(ret, 0, sizeof *ret);
    if (!bytes.ptr)
        return 0;
    if (windowed) {
        if (bytes.len < 16)
            return bs_error_set(err, BS_ECORRUPT, "an internal key is too short");
        bytes.len -= 16;
        start = (int64_t)bs_load_u64(bytes.ptr + bytes.len);
        stop = (int64_t)bs_load_u64(bytes.ptr + bytes.len + 8);
    }
    switch ((enum rt_form)(tag & ~KEY_WINDOWED)) {
    case RT_STRING:
    case RT_BYTES:
        ret->form = tag & ~KEY_WINDOWED;
        ret->bytes = bytes;
        break;
    case RT_LONG:
    case RT_DOUBLE:
        rc = decode_fixed(bytes, (tag & ~KEY_WINDOWED) == RT_DOUBLE, ret, err);
        break;
    case RT_BOOL:
        ret->form = RT_BOOL;
        ret->boolean = bytes.len && bytes.ptr[0];
        break;
    case RT_TREE:
        rc = rt_flat_datum(pipeline, bytes, ret, err);
        break;
    default:
        rc = bs_error_set(err, BS_ECORRUPT, "an internal key has the unknown type %d", tag);
    }
    ret->windowed = windowed;
    ret->start = start;
    ret->stop = stop;
    return rc;
}

int rt_flat_datum(struct rt_pipeline *pipeline, struct bs_bytes flat, struct rt_datum *ret,
                  struct bs_error *err)
{
    if (flat.len >= 5 && flat.ptr[0] == RT_TAG_AVRO) {
        memset(ret, 0, sizeof *ret);
        ret->form = RT_AVRO;
        ret->bytes = bs_bytes(flat.ptr + 5, flat.len - 5);
        return rt_pipeline_avro(pipeline, (int32_t)bs_load_u32(flat.ptr + 1), &ret->avro, err);
    }
    if (rt_datum_from_flat(flat, ret))
        return bs_error_set(err, BS_ECORRUPT, "an internal value cannot be read");
    return 0;
}
