/* Literal: values as PostgreSQL reads them. Numbers are exact: integers in decimal, doubles with
 * the 17 digits that read back the same; decimals digit by digit. */
#include "connectors/postgres/literal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void put_real(PQExpBuffer out, double real, bool single)
{
    if (isnan(real))
        appendPQExpBufferStr(out, "NaN");
    else if (isinf(real))
        appendPQExpBufferStr(out, real < 0 ? "-Infinity" : "Infinity");
    else
        appendPQExpBuffer(out, "%.*g", single ? 9 : 17, real);
}

static void put_hex(PQExpBuffer out, struct cn_text bytes)
{
    static const char digits[] = "0123456789abcdef";
    appendPQExpBufferStr(out, "\\x");
    if (!enlargePQExpBuffer(out, bytes.len * 2))
        return;
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t byte = (uint8_t)bytes.ptr[i];
        out->data[out->len++] = digits[byte >> 4];
        out->data[out->len++] = digits[byte & 15];
    }
    out->data[out->len] = 0;
}

static void put_date(PQExpBuffer out, int64_t days)
{
    time_t at = (time_t)days * 86400;
    struct tm tm;
    gmtime_r(&at, &tm);
    int year = tm.tm_year + 1900;
    appendPQExpBuffer(out, "%04d-%02d-%02d%s", year > 0 ? year : 1 - year, tm.tm_mon + 1,
                      tm.tm_mday, year > 0 ? "" : " BC");
}

static void put_time(PQExpBuffer out, int64_t part, int64_t units)
{
    int64_t second = part / units, rest = part % units;
    appendPQExpBuffer(out, "%02d:%02d:%02d", (int)(second / 3600), (int)(second / 60 % 60),
                      (int)(second % 60));
    if (rest) /* PostgreSQL keeps microseconds: nanoseconds are rounded by it */
        appendPQExpBuffer(out, ".%0*" PRId64, units == 1000 ? 3 : units == 1000000 ? 6 : 9, rest);
}

static bool put_temporal(PQExpBuffer out, const struct cn_pg_type *type, int64_t n)
{
    int64_t limit = INT64_C(292000) * 366; /* PostgreSQL ends in the year 294276 */
    if (type->form == CN_FORM_DATE) {
        if (n < -limit || n > limit)
            return false;
        put_date(out, n);
        return true;
    }
    int64_t day = type->units * 86400, days = n / day, part = n % day;
    if (part < 0) {
        part += day;
        days--;
    }
    if (type->form == CN_FORM_TIME) {
        if (days)
            return false;
        put_time(out, part, type->units);
        return true;
    }
    if (days < -limit || days > limit)
        return false;
    char text[64];
    PQExpBufferData date;
    initPQExpBuffer(&date);
    put_date(&date, days);
    bool before_christ = strstr(date.data, " BC") != NULL;
    snprintf(text, sizeof(text), "%.*s ", (int)strcspn(date.data, " "), date.data);
    termPQExpBuffer(&date);
    appendPQExpBufferStr(out, text);
    put_time(out, part, type->units);
    appendPQExpBufferStr(out, before_christ ? " BC" : "");
    return true;
}

/* Two's complement, big endian → decimal with `scale` digits behind the point. */
static bool put_decimal(PQExpBuffer out, struct cn_text bytes, int scale)
{
    enum { BYTES_MAX = 256, DIGITS_MAX = 640 };
    uint8_t number[BYTES_MAX];
    char digits[DIGITS_MAX];
    size_t n = 0;
    if (bytes.len > BYTES_MAX || !bytes.len || scale < 0 || scale > 300)
        return false;
    memcpy(number, bytes.ptr, bytes.len);
    bool negative = number[0] & 0x80;
    if (negative) {
        unsigned carry = 1;
        for (size_t i = bytes.len; i-- > 0;) {
            carry += (uint8_t)~number[i];
            number[i] = (uint8_t)carry;
            carry >>= 8;
        }
    }
    for (bool more = true; more || n <= (size_t)scale;) {
        unsigned rest = 0;
        more = false;
        for (size_t i = 0; i < bytes.len; i++) {
            rest = rest << 8 | number[i];
            number[i] = (uint8_t)(rest / 10);
            rest %= 10;
            more |= number[i] != 0;
        }
        digits[n++] = (char)('0' + rest);
    }
    if (negative)
        appendPQExpBufferChar(out, '-');
    while (n-- > 0) {
        appendPQExpBufferChar(out, digits[n]);
        if (n && n == (size_t)scale)
            appendPQExpBufferChar(out, '.');
    }
    return true;
}

static json_t *to_json(const struct cn_value *value)
{
    switch (value->type) {
    case CN_NULL:
        return json_null();
    case CN_BOOL:
        return json_boolean(value->integer);
    case CN_INT64:
        return json_integer(value->integer);
    case CN_FLOAT:
    case CN_DOUBLE:
        return json_real(value->real); /* NULL for NaN and infinity */
    case CN_STRING:
        return json_stringn(value->text.ptr, value->text.len);
    case CN_ARRAY: {
        json_t *array = json_array();
        for (size_t i = 0; i < value->array.count; i++)
            if (json_array_append_new(array, to_json(&value->array.items[i])) < 0) {
                json_decref(array);
                return NULL;
            }
        return array;
    }
    case CN_MAP: {
        json_t *object = json_object();
        for (size_t i = 0; i < value->map.count; i++) {
            const struct cn_field *field = &value->map.fields[i];
            char *name = strndup(field->name.ptr, field->name.len);
            int failed = json_object_set_new(object, name, to_json(&field->value));
            free(name);
            if (failed) {
                json_decref(object);
                return NULL;
            }
        }
        return object;
    }
    default: {
        PQExpBufferData hex;
        initPQExpBuffer(&hex);
        put_hex(&hex, value->text);
        json_t *string = json_string(hex.data);
        termPQExpBuffer(&hex);
        return string;
    }
    }
}

static bool put_json(PQExpBuffer out, const struct cn_value *value)
{
    json_t *json = to_json(value);
    char *text =
        json ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)) : NULL;
    if (text)
        appendPQExpBufferStr(out, text);
    free(text);
    json_decref(json);
    return text != NULL;
}

/* The text of one value, unquoted. */
static bool put_text(PQExpBuffer out, const struct cn_pg_type *type, const struct cn_value *value,
                     const char **ret_reason)
{
    switch (value->type) {
    case CN_BOOL:
        appendPQExpBufferStr(out, value->integer ? "true" : "false");
        return true;
    case CN_INT64:
        *ret_reason = "a date or time beyond what PostgreSQL holds";
        if (type->form == CN_FORM_PLAIN || type->form == CN_FORM_DECIMAL)
            appendPQExpBuffer(out, "%" PRId64, value->integer);
        else
            return put_temporal(out, type, value->integer);
        return true;
    case CN_FLOAT:
    case CN_DOUBLE:
        put_real(out, value->real, value->type == CN_FLOAT);
        return true;
    case CN_STRING:
        *ret_reason = "text with a NUL character, which PostgreSQL cannot hold";
        if (memchr(value->text.ptr, 0, value->text.len))
            return false;
        appendBinaryPQExpBuffer(out, value->text.ptr, value->text.len);
        return true;
    case CN_BYTES:
        *ret_reason = "a decimal that is empty or too long";
        if (type->form == CN_FORM_DECIMAL)
            return put_decimal(out, value->text, type->scale);
        put_hex(out, value->text);
        return true;
    default:
        *ret_reason = "NaN, infinity or text that is not UTF-8 has no JSON form";
        return put_json(out, value);
    }
}

static void put_quoted(PQExpBuffer out, const char *text, size_t len)
{
    if (!enlargePQExpBuffer(out, len * 2 + 2))
        return;
    char *at = out->data + out->len;
    *at++ = '"';
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"' || text[i] == '\\')
            *at++ = '\\';
        *at++ = text[i];
    }
    *at++ = '"';
    *at = 0;
    out->len = (size_t)(at - out->data);
}

bool cn_literal_put(PQExpBuffer out, PQExpBuffer scratch, const struct cn_pg_type *type,
                    const struct cn_value *value, const char **ret_reason)
{
    bool json = !strncmp(type->name, "json", 4);
    if (value->type == CN_NULL) {
        appendPQExpBufferStr(out, "NULL");
        return true;
    }
    resetPQExpBuffer(scratch);
    if (json) {
        *ret_reason = "NaN, infinity or text that is not UTF-8 has no JSON form";
        if (!put_json(scratch, value))
            return false;
    } else if (value->type == CN_ARRAY) {
        PQExpBufferData item;
        initPQExpBuffer(&item);
        bool ok = true;
        appendPQExpBufferChar(scratch, '{');
        for (size_t i = 0; ok && i < value->array.count; i++) {
            if (i)
                appendPQExpBufferChar(scratch, ',');
            ok = cn_literal_put(scratch, &item, type, &value->array.items[i], ret_reason);
        }
        appendPQExpBufferChar(scratch, '}');
        termPQExpBuffer(&item);
        if (!ok)
            return false;
    } else if (value->type == CN_INT64 && type->form == CN_FORM_PLAIN) {
        appendPQExpBuffer(out, "%" PRId64, value->integer);
        return true;
    } else if (!put_text(scratch, type, value, ret_reason)) {
        return false;
    }
    put_quoted(out, scratch->data, scratch->len);
    return true;
}
