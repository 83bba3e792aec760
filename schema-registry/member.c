/* Member: see member.h. */
#include "schema-registry/member.h"

#include "lib/base/option.h"
#include "lib/serde/json.h"

#include <math.h>
#include <string.h>
#include <strings.h>

const char *sr_member_type(const struct sd_value *value)
{
    switch (value->type) {
    case SD_NULL:
        return "null";
    case SD_BOOL:
        return "a boolean";
    case SD_STRING:
        return "a string";
    case SD_ARRAY:
        return "an array";
    case SD_MAP:
        return "an object";
    default:
        return "a number";
    }
}

static const char *wanted(enum sd_type type)
{
    return type == SD_LONG     ? "an integer"
           : type == SD_BOOL   ? "a boolean"
           : type == SD_STRING ? "a string"
           : type == SD_ARRAY  ? "an array"
                               : "an object";
}

static bool take_text(const struct sd_value *from, struct bs_arena *arena, struct sd_value *ret)
{
    struct bs_buf text = BS_BUF_INIT;
    sd_json_write(from, false, &text, NULL);
    *ret = (struct sd_value){.type = SD_STRING,
                             .bytes = bs_bytes(bs_arena_dup(arena, text.data, text.len), text.len)};
    bs_buf_deinit(&text);
    return true;
}

/* Without the white space around it, into `ret`; false: it is too long to be a number or a word. */
static bool trim(struct bs_bytes text, char *ret, size_t cap)
{
    while (text.len && text.ptr[0] <= ' ')
        text = bs_bytes(text.ptr + 1, text.len - 1);
    while (text.len && text.ptr[text.len - 1] <= ' ')
        text.len--;
    if (text.len >= cap || (text.len && memchr(text.ptr, '\0', text.len)))
        return false;
    if (text.len)
        memcpy(ret, text.ptr, text.len);
    ret[text.len] = '\0';
    return true;
}

static bool take_integer(const struct sd_value *from, struct sd_value *ret)
{
    char text[32];
    int64_t number;
    if (from->type == SD_DOUBLE) {
        if (!(fabs(from->real) < 9e15) || from->real != floor(from->real))
            return false;
        *ret = (struct sd_value){.type = SD_LONG, .number = (int64_t)from->real};
        return true;
    }
    if (from->type != SD_STRING || !trim(from->bytes, text, sizeof text))
        return false;
    if (*text == '\0' || strcmp(text, "null") == 0)
        return true;
    if (bs_parse_int(text, INT64_MIN, INT64_MAX, &number) < 0)
        return false;
    *ret = (struct sd_value){.type = SD_LONG, .number = number};
    return true;
}

static bool take_flag(const struct sd_value *from, struct sd_value *ret)
{
    char text[32];
    bool yes;
    if (from->type == SD_LONG) {
        *ret = (struct sd_value){.type = SD_BOOL, .boolean = from->number != 0};
        return true;
    }
    if (from->type != SD_STRING || !trim(from->bytes, text, sizeof text))
        return false;
    if (*text == '\0' || strcmp(text, "null") == 0)
        return true;
    yes = strcasecmp(text, "true") == 0;
    if (!yes && strcasecmp(text, "false") != 0)
        return false;
    *ret = (struct sd_value){.type = SD_BOOL, .boolean = yes};
    return true;
}

bool sr_member_take(const struct sd_value *from, enum sd_type type, struct bs_arena *arena,
                    struct sd_value *ret)
{
    *ret = (struct sd_value){.type = SD_NULL};
    if (from->type == SD_NULL)
        return true;
    if (from->type == type) {
        *ret = *from;
        return true;
    }
    if (from->type == SD_ARRAY || from->type == SD_MAP)
        return false;
    return type == SD_STRING ? take_text(from, arena, ret)
           : type == SD_LONG ? take_integer(from, ret)
           : type == SD_BOOL ? take_flag(from, ret)
                             : false;
}

bool sr_member_take_texts(const struct sd_value *from, struct bs_arena *arena, struct sd_value *ret)
{
    if (from->type != SD_ARRAY)
        return false;
    *ret = (struct sd_value){.type = SD_ARRAY};
    ret->array.items = bs_arena_array(arena, from->array.count, sizeof *ret->array.items);
    for (size_t i = 0; i < from->array.count; i++) {
        struct sd_value *to = &ret->array.items[ret->array.count++];
        if (!sr_member_take(&from->array.items[i], SD_STRING, arena, to) || to->type == SD_NULL)
            return false;
    }
    return true;
}

int sr_member_read(const struct sd_value *object, const char *name, enum sd_type type,
                   struct bs_arena *arena, struct sd_value *ret, struct bs_error *err)
{
    const struct sd_value *value = sd_value_get(object, bs_bytes_text(name));
    *ret = (struct sd_value){.type = SD_NULL};
    if (value == NULL || sr_member_take(value, type, arena, ret))
        return 0;
    return bs_error_set(err, BS_EINVAL, "\"%s\" is %s, %s is wanted", name, sr_member_type(value),
                        wanted(type));
}
