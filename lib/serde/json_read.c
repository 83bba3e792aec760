/* JSON reader: RFC 8259 text → value.
 *
 * The text is copied once into the arena; strings without escapes are slices of that copy, those
 * with escapes are decoded in place (the decoded form is never longer). Members and items are
 * gathered on one scratch stack and copied out when their object or array closes, so that nothing
 * is allocated per string or number. jansson is not used here: it loses the text of numbers, the
 * order of repeated members and integers beyond 64 bits, all of which a schema text needs, and
 * would build a second tree for every record. A repeated member: the last value wins. */
#include "lib/serde/json_reader.h"

#include "lib/base/mem.h"
#include "lib/serde/json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { STACK_LOCAL = 48, LINEAR_MAX = 24 };

struct reader {
    const uint8_t *text; /* the caller's: for positions in errors */
    uint8_t *start, *at, *end;
    const struct sd_json_rules *rules;
    struct bs_arena *arena;
    struct sd_field *stack; /* scratch: members and items of the open containers */
    size_t stack_len, stack_cap;
    struct sd_field local[STACK_LOCAL];
    unsigned depth;
    size_t values;
    struct bs_error *err;
};

static int fail_at(struct reader *r, const uint8_t *where, int code, const char *what)
{
    unsigned line = 1, column = 1;
    for (const uint8_t *p = r->text, *stop = r->text + (where - r->start); p < stop; p++) {
        if (*p == '\n') {
            line++;
            column = 1;
        } else if ((*p & 0xc0) != 0x80) {
            column++;
        }
    }
    return bs_error_set(r->err, code, "JSON, line %u column %u: %s", line, column, what);
}

static int fail(struct reader *r, const char *what)
{
    return fail_at(r, r->at, BS_ESYNTAX, r->at >= r->end ? "the text ends too early" : what);
}

static int skip_comment(struct reader *r)
{
    uint8_t *from = r->at;
    if (r->end - r->at >= 2 && r->at[1] == '/') {
        while (r->at < r->end && *r->at != '\n')
            r->at++;
        return 0;
    }
    if (r->end - r->at >= 2 && r->at[1] == '*') {
        for (r->at += 2; r->end - r->at >= 2; r->at++)
            if (r->at[0] == '*' && r->at[1] == '/') {
                r->at += 2;
                return 0;
            }
        return fail_at(r, from, BS_ESYNTAX, "the comment does not end");
    }
    return fail(r, "'/' is not expected here");
}

static int skip_space(struct reader *r)
{
    for (;;) {
        while (r->at < r->end &&
               (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
            r->at++;
        if (!r->rules->schema || r->at == r->end || *r->at != '/')
            return 0;
        int rc = skip_comment(r);
        if (rc < 0)
            return rc;
    }
}

static void push(struct reader *r, const struct sd_field *field)
{
    if (r->stack_len == r->stack_cap) {
        size_t cap = r->stack_cap * 2;
        if (r->stack == r->local) {
            r->stack = bs_alloc(cap * sizeof *r->stack);
            memcpy(r->stack, r->local, sizeof r->local);
        } else {
            r->stack = bs_realloc(r->stack, cap * sizeof *r->stack);
        }
        r->stack_cap = cap;
    }
    r->stack[r->stack_len++] = *field;
}

static int hex4(const uint8_t *p, uint32_t *ret)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t c = p[i];
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint32_t)(c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            v = v << 4 | (uint32_t)((c | 32) - 'a' + 10);
        else
            return BS_ESYNTAX;
    }
    *ret = v;
    return 0;
}

static uint8_t *put_utf8(uint8_t *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (uint8_t)c;
    } else if (c < 0x800) {
        *to++ = (uint8_t)(0xc0 | c >> 6);
        *to++ = (uint8_t)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *to++ = (uint8_t)(0xe0 | c >> 12);
        *to++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        *to++ = (uint8_t)(0x80 | (c & 0x3f));
    } else {
        *to++ = (uint8_t)(0xf0 | c >> 18);
        *to++ = (uint8_t)(0x80 | (c >> 12 & 0x3f));
        *to++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        *to++ = (uint8_t)(0x80 | (c & 0x3f));
    }
    return to;
}

/* \uXXXX at r->at (behind the 'u'); surrogates come in pairs. */
static int read_unicode(struct reader *r, uint8_t **to)
{
    uint32_t c, low;
    if (r->end - r->at < 4 || hex4(r->at, &c) < 0)
        return fail(r, "\\u wants four hexadecimal digits");
    if (c >= 0xd800 && c < 0xe000) {
        if (c >= 0xdc00 || r->end - r->at < 10 || r->at[4] != '\\' || r->at[5] != 'u' ||
            hex4(r->at + 6, &low) < 0 || low < 0xdc00 || low >= 0xe000)
            return fail(r, "half of a surrogate pair");
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        r->at += 6;
    }
    r->at += 4;
    *to = put_utf8(*to, c);
    return 0;
}

/* The rest of a string from its first escape on: decoded in place. */
static int read_escaped(struct reader *r, uint8_t *from, struct bs_bytes *ret)
{
    static const uint8_t values[256] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                        ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
    uint8_t *to = r->at;
    while (r->at < r->end && *r->at != '"') {
        if (*r->at < 0x20)
            return fail(r, "a control character in a string must be escaped");
        if (*r->at != '\\') {
            *to++ = *r->at++;
            continue;
        }
        if (++r->at == r->end)
            break;
        if (*r->at == 'u') {
            r->at++;
            int rc = read_unicode(r, &to);
            if (rc < 0)
                return rc;
            continue;
        }
        if (values[*r->at] == 0)
            return fail(r, "unknown escape in a string");
        *to++ = values[*r->at++];
    }
    if (r->at >= r->end)
        return fail(r, "");
    *ret = bs_bytes(from, (size_t)(to - from));
    r->at++;
    return 0;
}

/* What ends a string's plain part: its end, an escape, a control character. */
static const bool special[256] = {[0 ... 0x1f] = true, ['"'] = true, ['\\'] = true};

static int read_string(struct reader *r, struct bs_bytes *ret)
{
    /* A NUL ends the text's copy: it needs no other end. */
    uint8_t *from = ++r->at, *at = from, *end = r->end;
    while (!special[*at])
        at++;
    r->at = at;
    if (at == end)
        return fail(r, "");
    if (*at == '"') {
        *ret = bs_bytes(from, (size_t)(at - from));
        r->at = at + 1;
        return 0;
    }
    if (*at < 0x20)
        return fail(r, "a control character in a string must be escaped");
    return read_escaped(r, from, ret);
}

static int read_real(struct reader *r, const uint8_t *from, uint64_t mantissa, int digits,
                     int scale, bool negative, struct sd_value *ret)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    ret->type = SD_DOUBLE;
    if (digits <= 15 && scale >= -22 && scale <= 22) { /* exact by IEEE 754: one rounding */
        double v = (double)mantissa;
        v = scale < 0 ? v / powers[-scale] : v * powers[scale];
        ret->real = negative ? -v : v;
        return 0;
    }
    ret->real = strtod((const char *)from, NULL); /* the copy ends with a NUL */
    if (!isfinite(ret->real))
        return fail_at(r, from, BS_ERANGE, "the number is too large for a double");
    return 0;
}

static int read_integer(struct reader *r, uint8_t *from, uint64_t mantissa, int digits,
                        bool negative, struct sd_value *ret)
{
    uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    if (digits > 19 || mantissa > limit) {
        if (!r->rules->schema)
            return fail_at(r, from, BS_ERANGE, "the integer does not fit into 64 bits");
        ret->type = SD_BYTES;
        ret->bytes = bs_bytes(from, (size_t)(r->at - from));
        return 0;
    }
    ret->type = SD_LONG;
    ret->number = (int64_t)(negative ? -mantissa : mantissa);
    return 0;
}

static bool is_digit(const struct reader *r)
{
    return r->at < r->end && *r->at >= '0' && *r->at <= '9';
}

/* Digits into mantissa (the first 19 count). Returns how many matter (leading zeros do not). */
static int read_digits(struct reader *r, uint64_t *mantissa, int digits)
{
    for (; is_digit(r); r->at++) {
        if (digits < 19)
            *mantissa = *mantissa * 10 + (uint64_t)(*r->at - '0');
        if (digits || *r->at != '0')
            digits = digits < 1000000 ? digits + 1 : digits;
    }
    return digits;
}

static int read_number(struct reader *r, struct sd_value *ret)
{
    uint8_t *from = r->at;
    uint64_t mantissa = 0;
    int digits = 0, scale = 0, exponent = 0;
    bool negative = *r->at == '-', real = false;
    r->at += negative;
    if (!is_digit(r))
        return fail(r, "a number wants a digit here");
    if (*r->at == '0') {
        r->at++;
        if (is_digit(r))
            return fail(r, "a number must not begin with 0");
    } else {
        digits = read_digits(r, &mantissa, 0);
    }
    if (r->at < r->end && *r->at == '.') {
        uint8_t *point = ++r->at;
        if (!is_digit(r))
            return fail(r, "a number wants a digit behind the point");
        digits = read_digits(r, &mantissa, digits);
        scale = r->at - point > 100000 ? -100000 : (int)(point - r->at);
        real = true;
    }
    if (r->at < r->end && (*r->at | 32) == 'e') {
        bool minus;
        r->at++;
        minus = r->at < r->end && *r->at == '-';
        if (r->at < r->end && (*r->at == '-' || *r->at == '+'))
            r->at++;
        if (!is_digit(r))
            return fail(r, "a number wants a digit in its exponent");
        for (; is_digit(r); r->at++)
            exponent = exponent < 100000 ? exponent * 10 + (*r->at - '0') : exponent;
        scale += minus ? -exponent : exponent;
        real = true;
    }
    return real ? read_real(r, from, mantissa, digits, scale, negative, ret)
                : read_integer(r, from, mantissa, digits, negative, ret);
}

static int read_word(struct reader *r, const char *word, size_t len)
{
    if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0)
        return fail(r, "a value (object, array, string, number, true, false or null) is expected");
    r->at += len;
    return 0;
}

static uint64_t name_hash(struct bs_bytes name)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < name.len; i++)
        h = (h ^ name.ptr[i]) * 0x100000001b3u;
    return h ^ h >> 29;
}

/* Many members: an index table finds repeated names in linear time. */
static size_t merge_repeated_hashed(struct sd_field *fields, size_t count)
{
    size_t cap = 64, kept = 0;
    uint32_t *table;
    while (cap < count * 2)
        cap *= 2;
    table = bs_array(cap, sizeof *table);
    for (size_t i = 0; i < count; i++) {
        size_t slot = name_hash(fields[i].name) & (cap - 1);
        while (table[slot] && !bs_bytes_equal(fields[table[slot] - 1].name, fields[i].name))
            slot = (slot + 1) & (cap - 1);
        if (table[slot]) {
            fields[table[slot] - 1].value = fields[i].value;
        } else {
            fields[kept] = fields[i];
            table[slot] = (uint32_t)++kept;
        }
    }
    bs_free(table);
    return kept;
}

/* Keeps the first place and the last value of a repeated name. Returns the count that is left. */
static size_t merge_repeated(struct sd_field *fields, size_t count)
{
    uint64_t seen = 0;
    size_t kept = 0;
    if (count > LINEAR_MAX)
        return merge_repeated_hashed(fields, count);
    for (size_t i = 0; i < count; i++) {
        struct bs_bytes name = fields[i].name;
        uint64_t bit = (uint64_t)1
                       << ((name.len * 7 +
                            (name.len ? name.ptr[0] + name.ptr[name.len - 1] * 3u : 0)) &
                           63);
        size_t j = kept;
        if (seen & bit)
            for (j = 0; j < kept && !bs_bytes_equal(fields[j].name, name);)
                j++;
        seen |= bit;
        if (j < kept)
            fields[j].value = fields[i].value;
        else if (kept++ != i)
            fields[kept - 1] = fields[i];
    }
    return kept;
}

static int read_value(struct reader *r, struct sd_value *ret);

static int read_object(struct reader *r, struct sd_value *ret)
{
    size_t base = r->stack_len, count;
    struct sd_field field;
    int rc;
    r->at++;
    if ((rc = skip_space(r)) < 0)
        return rc;
    while (r->at < r->end && *r->at != '}') {
        if (*r->at != '"')
            return fail(r, "a member's name in double quotes is expected");
        if ((rc = read_string(r, &field.name)) < 0 || (rc = skip_space(r)) < 0)
            return rc;
        if (r->at == r->end || *r->at != ':')
            return fail(r, "':' is expected behind a member's name");
        r->at++;
        if ((rc = read_value(r, &field.value)) < 0 || (rc = skip_space(r)) < 0)
            return rc;
        push(r, &field);
        if (r->at < r->end && *r->at == ',') {
            r->at++;
            if ((rc = skip_space(r)) < 0)
                return rc;
            if (r->at == r->end || *r->at != '"')
                return fail(r, "a member's name in double quotes is expected");
        } else if (r->at == r->end || *r->at != '}') {
            return fail(r, "',' or '}' is expected");
        }
    }
    if (r->at == r->end)
        return fail(r, "");
    r->at++;
    count = merge_repeated(r->stack + base, r->stack_len - base);
    ret->type = SD_MAP;
    ret->map.count = count;
    ret->map.fields = bs_arena_dup(r->arena, r->stack + base, count * sizeof field);
    r->stack_len = base;
    return 0;
}

static int read_array(struct reader *r, struct sd_value *ret)
{
    size_t base = r->stack_len, count;
    struct sd_field item = {0};
    int rc;
    r->at++;
    if ((rc = skip_space(r)) < 0)
        return rc;
    while (r->at < r->end && *r->at != ']') {
        if ((rc = read_value(r, &item.value)) < 0 || (rc = skip_space(r)) < 0)
            return rc;
        push(r, &item);
        if (r->at < r->end && *r->at == ',') {
            r->at++;
            if ((rc = skip_space(r)) < 0)
                return rc;
            if (r->at < r->end && *r->at == ']')
                return fail(r, "a value is expected behind ','");
        } else if (r->at == r->end || *r->at != ']') {
            return fail(r, "',' or ']' is expected");
        }
    }
    if (r->at == r->end)
        return fail(r, "");
    r->at++;
    count = r->stack_len - base;
    ret->type = SD_ARRAY;
    ret->array.count = count;
    ret->array.items = bs_arena_alloc(r->arena, count * sizeof *ret->array.items);
    for (size_t i = 0; i < count; i++)
        ret->array.items[i] = r->stack[base + i].value;
    r->stack_len = base;
    return 0;
}

static int read_value(struct reader *r, struct sd_value *ret)
{
    int rc = skip_space(r);
    if (rc < 0)
        return rc;
    *ret = (struct sd_value){.type = SD_NULL};
    if (r->at == r->end)
        return fail(r, "");
    if (r->rules->values_max && ++r->values > r->rules->values_max)
        return fail_at(r, r->at, BS_ELIMIT, "more values than are accepted");
    switch (*r->at) {
    case '{':
    case '[':
        if (++r->depth > r->rules->depth_max)
            return fail_at(r, r->at, BS_ELIMIT, "objects and arrays are nested too deeply");
        rc = *r->at == '{' ? read_object(r, ret) : read_array(r, ret);
        r->depth--;
        return rc;
    case '"':
        ret->type = SD_STRING;
        return read_string(r, &ret->bytes);
    case 't':
        ret->type = SD_BOOL;
        ret->boolean = true;
        return read_word(r, "true", 4);
    case 'f':
        ret->type = SD_BOOL;
        return read_word(r, "false", 5);
    case 'n':
        return read_word(r, "null", 4);
    default:
        if (*r->at == '-' || (*r->at >= '0' && *r->at <= '9'))
            return read_number(r, ret);
        return read_word(r, "?", 1);
    }
}

int sd_json_parse(struct bs_bytes text, const struct sd_json_rules *rules, struct bs_arena *arena,
                  struct sd_value *ret, struct bs_error *err)
{
    struct reader r = {.text = text.ptr, .rules = rules, .arena = arena, .err = err};
    int rc;
    if (!bs_utf8_valid(text))
        return bs_error_set(err, BS_ESYNTAX, "JSON: the text is not UTF-8");
    r.start = (uint8_t *)bs_arena_strndup(arena, (const char *)text.ptr, text.len);
    r.at = r.start;
    r.end = r.start + text.len;
    r.stack = r.local;
    r.stack_cap = STACK_LOCAL;
    rc = read_value(&r, ret);
    if (rc == 0) {
        while (r.at < r.end && (*r.at == ' ' || *r.at == '\n' || *r.at == '\r' || *r.at == '\t'))
            r.at++;
        if (r.at != r.end)
            rc = fail(&r, "the text goes on behind its value");
    }
    if (r.stack != r.local)
        bs_free(r.stack);
    return rc;
}

int sd_json_read(struct bs_bytes text, struct bs_arena *arena, struct sd_value *ret,
                 struct bs_error *err)
{
    static const struct sd_json_rules rules = {.depth_max = 512};
    return sd_json_parse(text, &rules, arena, ret, err);
}

int sd_json_read_few(struct bs_bytes text, size_t values_max, struct bs_arena *arena,
                     struct sd_value *ret, struct bs_error *err)
{
    struct sd_json_rules rules = {.depth_max = 512, .values_max = values_max};
    return sd_json_parse(text, &rules, arena, ret, err);
}
