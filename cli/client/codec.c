/* Codec: what --format means, in both directions. */
#include "cli/client/codec.h"

#include "lib/base/mem.h"
#include "lib/serde/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void cl_format_take(struct argp_state *state, const char *name, enum cl_format *ret)
{
    static const char *const NAMES[] = {[CL_STRING] = "string",
                                        [CL_JSON] = "json",
                                        [CL_HEX] = "hex",
                                        [CL_AVRO] = "avro",
                                        [CL_AVRO_JSON] = "avro-json"};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        if (strcmp(name, NAMES[i]) == 0) {
            *ret = (enum cl_format)i;
            return;
        }
    argp_error(state, "'%s' is no format; there are string, json, avro, avro-json, hex", name);
}

void cl_codec_deinit(struct cl_codec *codec)
{
    sd_schema_unref(codec->schema);
    rc_serializer_free(codec->serializer);
    bs_arena_deinit(&codec->arena);
    *codec = (struct cl_codec){0};
}

int cl_file_read(const char *file, struct bs_buf *out, struct bs_error *err)
{
    enum { FILE_MAX = 1 << 20 };
    FILE *in = fopen(file, "re");
    int rc = 0;
    if (in == NULL)
        return bs_error_sys(err, errno, "cannot read %s", file);
    out->len += fread(bs_buf_reserve(out, FILE_MAX + 1), 1, FILE_MAX + 1, in);
    if (ferror(in))
        rc = bs_error_sys(err, errno, "cannot read %s", file);
    else if (out->len > FILE_MAX)
        rc = bs_error_set(err, BS_ELIMIT, "%s: larger than 1 MiB", file);
    fclose(in);
    return rc;
}

static int schema_read(const char *file, struct sd_schema **ret, struct bs_error *err)
{
    struct bs_buf text = BS_BUF_INIT;
    int rc = cl_file_read(file, &text, err);
    if (rc == 0) {
        rc = sd_schema_parse(bs_buf_bytes(&text), true, NULL, 0, ret, err);
        if (rc != 0)
            bs_error_wrap(err, "%s", file);
    }
    bs_buf_deinit(&text);
    return rc;
}

int cl_codec_open(struct cl_codec *codec, const struct cl_serde *serde, const char *topic, bool key,
                  const char *reader, struct bs_error *err)
{
    struct bs_config *config;
    struct rc_serializer_options options = {.key = key, .url = serde->url};
    struct sd_schema *schema = NULL;
    int rc;
    if (!cl_format_is_avro(codec->format))
        return 0;
    codec->topic = topic;
    rc = cl_serde_config(serde, key, &config, err);
    options.config = config;
    if (rc == 0 && reader)
        rc = schema_read(reader, &schema, err);
    options.reader = schema;
    if (rc == 0)
        rc = rc_serializer_new(&options, &codec->serializer, err);
    sd_schema_unref(schema);
    bs_config_free(config);
    return rc;
}

int cl_codec_resolve(struct cl_codec *codec, const char *file, struct bs_error *err)
{
    const struct rc_writing *writing;
    int rc = 0;
    if (!cl_format_is_avro(codec->format))
        return 0;
    if (file)
        rc = schema_read(file, &codec->schema, err);
    if (rc == 0)
        rc = rc_serializer_pick(codec->serializer, codec->topic, codec->schema, &writing, err);
    if (rc == BS_ENOTFOUND && file == NULL)
        bs_error_wrap(err, "no schema to write with: give --schema FILE.avsc");
    else if (rc < 0)
        cl_serde_hint(err);
    return rc;
}

static int digit(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

int cl_hex_read(struct bs_bytes text, struct bs_buf *out, struct bs_error *err)
{
    if (text.len % 2)
        return bs_error_set(err, BS_EINVAL, "hex takes two digits for each byte");
    for (size_t i = 0; i < text.len; i += 2) {
        int high = digit(text.ptr[i]), low = digit(text.ptr[i + 1]);
        if (high < 0 || low < 0)
            return bs_error_set(err, BS_EINVAL, "column %zu: not a hex digit", i + 1);
        bs_buf_put_u8(out, (uint8_t)(high << 4 | low));
    }
    return 0;
}

/* Plain JSON of a value, as read_avro prints it: bytes and fixed are base64. */
static int write_plain(const struct rc_writing *writing, struct bs_bytes text,
                       struct bs_arena *arena, struct bs_buf *out, struct bs_error *err)
{
    struct sd_value value;
    int rc = sd_json_read(text, arena, &value, err);
    if (rc < 0)
        return rc;
    rc = rc_writing_put_base64(writing, &value, out, err);
    if (rc == BS_ESYNTAX)
        bs_error_hint(err, "--format avro takes bytes and fixed as base64, as weir consume prints "
                           "them; --format avro-json takes Avro's own JSON encoding, which also "
                           "names a union's branch (of keys: --key-format)");
    return rc;
}

static int write_avro(struct cl_codec *codec, struct bs_bytes text, struct bs_buf *out,
                      struct bs_bytes *ret_header, struct bs_error *err)
{
    const struct rc_writing *writing;
    struct sd_value value;
    int rc = rc_serializer_pick(codec->serializer, codec->topic, codec->schema, &writing, err);
    if (rc < 0) {
        cl_serde_hint(err);
        return rc;
    }
    if (writing->in_header)
        *ret_header = bs_bytes(writing->header, sizeof writing->header);
    if (codec->format == CL_AVRO)
        return write_plain(writing, text, &codec->arena, out, err);
    rc = sd_avro_json_read(sd_schema_root(writing->schema), text, &codec->arena, &value, err);
    return rc == 0 ? rc_writing_put(writing, &value, out, err) : rc;
}

int cl_codec_write(struct cl_codec *codec, struct bs_bytes text, struct bs_buf *out,
                   struct bs_bytes *ret_header, struct bs_error *err)
{
    struct sd_value value;
    int rc = 0;
    *ret_header = (struct bs_bytes){0};
    bs_arena_reset(&codec->arena);
    switch (codec->format) {
    case CL_STRING:
        bs_buf_put(out, text.ptr, text.len);
        return 0;
    case CL_HEX:
        return cl_hex_read(text, out, err);
    case CL_JSON: /* checked, then sent as it was typed */
        rc = sd_json_read(text, &codec->arena, &value, err);
        if (rc == 0)
            bs_buf_put(out, text.ptr, text.len);
        return rc;
    case CL_AVRO:
    case CL_AVRO_JSON:
        return write_avro(codec, text, out, ret_header, err);
    }
    return BS_EINVAL;
}

/* Is every string UTF-8? One that is not has no plain JSON form that would come back as it was. */
static bool is_text(const struct sd_value *value)
{
    bool well = value->type != SD_STRING || bs_utf8_valid(value->bytes);
    if (value->type == SD_ARRAY)
        for (size_t i = 0; i < value->array.count && well; i++)
            well = is_text(&value->array.items[i]);
    if (value->type == SD_MAP || value->type == SD_RECORD)
        for (size_t i = 0; i < value->map.count && well; i++)
            well = is_text(&value->map.fields[i].value);
    return well;
}

static int read_avro(struct cl_codec *codec, struct bs_bytes header, struct bs_bytes bytes,
                     struct bs_buf *out, struct bs_error *err)
{
    struct sd_schema *schema = NULL;
    struct sd_value value;
    int rc = rc_serializer_read(codec->serializer, codec->topic, header, bytes, &codec->arena,
                                &schema, &value, err);
    if (rc < 0)
        cl_serde_hint(err);
    else if (codec->format == CL_AVRO_JSON)
        rc = sd_avro_json_write(sd_schema_root(schema), &value, out, err);
    else if (!is_text(&value))
        rc = bs_error_set(err, BS_EINVAL, "a string in it is not UTF-8; --format hex prints it");
    else if ((rc = sd_json_write(&value, true, out, err)) == BS_EINVAL)
        bs_error_hint(err, "--format avro-json prints NaN and infinities");
    sd_schema_unref(schema);
    return rc;
}

int cl_codec_read(struct cl_codec *codec, struct bs_bytes header, struct bs_bytes bytes,
                  bool quoted, struct bs_buf *out, struct bs_error *err)
{
    struct sd_value value;
    int rc;
    bs_arena_reset(&codec->arena);
    if (bytes.ptr == NULL) {
        bs_buf_puts(out, "null");
        return 0;
    }
    switch (codec->format) {
    case CL_STRING:
        if (quoted)
            bs_buf_put_json_string(out, (const char *)bytes.ptr, bytes.len);
        else
            bs_buf_put(out, bytes.ptr, bytes.len);
        return 0;
    case CL_HEX:
        bs_buf_puts(out, quoted ? "\"" : "");
        for (size_t i = 0; i < bytes.len; i++)
            bs_buf_printf(out, "%02x", bytes.ptr[i]);
        bs_buf_puts(out, quoted ? "\"" : "");
        return 0;
    case CL_JSON:
        rc = sd_json_read(bytes, &codec->arena, &value, err);
        return rc != 0 ? rc : sd_json_write(&value, true, out, err);
    case CL_AVRO:
    case CL_AVRO_JSON:
        return read_avro(codec, header, bytes, out, err);
    }
    return BS_EINVAL;
}
