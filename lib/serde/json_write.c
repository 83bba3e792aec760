/* JSON writer: value → compact text (RFC 8259). Fields keep their order; floats print shortest and
 * always with a point or exponent, so that they read back as floats. */
#include "lib/serde/json.h"
#include "lib/serde/json_writer.h"
#include "lib/serde/number.h"
#include "lib/serde/path.h"

#include <math.h>

enum { DEPTH_MAX = 1024 };

struct writer {
    struct bs_buf *out;
    bool base64;
    struct bs_error *err;
};

static int fail(const struct writer *w, const struct sd_path *path, int code, const char *what)
{
    char text[256];
    return bs_error_set(w->err, code, "JSON, at %s: %s", sd_path_text(path, text, sizeof text),
                        what);
}

/* Clean ASCII goes out in one piece. Anything else takes the slow way; false: not UTF-8. */
static bool put_string(struct bs_buf *out, struct bs_bytes text)
{
    uint8_t *to = bs_buf_reserve(out, text.len + 2);
    bool ascii = true;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c < 0x20 || c == '"' || c == '\\') {
            if (!bs_utf8_valid(text))
                return false;
            bs_buf_put_json_string(out, (const char *)text.ptr, text.len);
            return true;
        }
        ascii = ascii && c < 0x80;
    }
    if (!ascii && !bs_utf8_valid(text))
        return false;
    to[0] = '"';
    if (text.len)
        memcpy(to + 1, text.ptr, text.len);
    to[text.len + 1] = '"';
    out->len += text.len + 2;
    return true;
}

bool sd_json_put_string(struct bs_buf *out, struct bs_bytes text)
{
    return put_string(out, text);
}

static int write_value(const struct writer *w, const struct sd_value *value,
                       const struct sd_path *path, unsigned depth);

static int write_map(const struct writer *w, const struct sd_value *value,
                     const struct sd_path *path, unsigned depth)
{
    bs_buf_put_u8(w->out, '{');
    for (size_t i = 0; i < value->map.count; i++) {
        const struct sd_field *field = &value->map.fields[i];
        struct sd_path here = {.up = path, .name = field->name};
        int rc;
        if (i)
            bs_buf_put_u8(w->out, ',');
        if (!put_string(w->out, field->name))
            return fail(w, path, BS_EINVAL, "a member's name is not UTF-8");
        bs_buf_put_u8(w->out, ':');
        if ((rc = write_value(w, &field->value, &here, depth + 1)) < 0)
            return rc;
    }
    bs_buf_put_u8(w->out, '}');
    return 0;
}

static int write_array(const struct writer *w, const struct sd_value *value,
                       const struct sd_path *path, unsigned depth)
{
    bs_buf_put_u8(w->out, '[');
    for (size_t i = 0; i < value->array.count; i++) {
        struct sd_path here = {.up = path, .index = i};
        int rc;
        if (i)
            bs_buf_put_u8(w->out, ',');
        if ((rc = write_value(w, &value->array.items[i], &here, depth + 1)) < 0)
            return rc;
    }
    bs_buf_put_u8(w->out, ']');
    return 0;
}

static int write_bytes(const struct writer *w, const struct sd_value *value,
                       const struct sd_path *path)
{
    if (value->type == SD_STRING && put_string(w->out, value->bytes))
        return 0;
    if (!w->base64)
        return fail(w, path, BS_EINVAL,
                    value->type == SD_BYTES ? "bytes have no JSON form"
                                            : "the string is not UTF-8");
    bs_buf_put_u8(w->out, '"');
    bs_buf_put_base64(w->out, value->bytes);
    bs_buf_put_u8(w->out, '"');
    return 0;
}

static int write_value(const struct writer *w, const struct sd_value *value,
                       const struct sd_path *path, unsigned depth)
{
    if (depth > DEPTH_MAX)
        return fail(w, path, BS_ELIMIT, "the value is nested too deeply");
    switch ((enum sd_type)value->type) {
    case SD_NULL:
        bs_buf_put(w->out, "null", 4);
        return 0;
    case SD_BOOL:
        bs_buf_put(w->out, value->boolean ? "true" : "false", value->boolean ? 4 : 5);
        return 0;
    case SD_LONG:
        sd_integer_put(w->out, value->number);
        return 0;
    case SD_FLOAT:
    case SD_DOUBLE:
        if (!isfinite(value->real))
            return fail(w, path, BS_EINVAL, "NaN and infinities have no JSON form");
        sd_number_put(w->out, value->real, value->type == SD_FLOAT, SD_NUMBER_JSON);
        return 0;
    case SD_STRING:
    case SD_BYTES:
        return write_bytes(w, value, path);
    case SD_ARRAY:
        return write_array(w, value, path, depth);
    case SD_MAP:
    case SD_RECORD:
        return write_map(w, value, path, depth);
    }
    return fail(w, path, BS_EINVAL, "unknown type of value");
}

int sd_json_write(const struct sd_value *value, bool base64, struct bs_buf *out,
                  struct bs_error *err)
{
    struct writer w = {.out = out, .base64 = base64, .err = err};
    struct sd_path root = {0};
    size_t before = out->len;
    int rc = write_value(&w, value, &root, 0);
    if (rc < 0)
        out->len = before;
    return rc;
}
