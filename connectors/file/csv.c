/* CSV record: RFC 4180 as spreadsheets write it.
 *
 * A field in quotes may hold separators, line ends and doubled quotes; a quote inside a field that
 * does not begin with one is an ordinary character. \n and \r\n end a record. Two passes: the first
 * only looks, so that a record that goes on behind the buffer leaves it untouched; the second
 * takes the doubled quotes out, in place. */
#include "connectors/file/csv.h"

#include <stdlib.h>
#include <string.h>

void cn_csv_init(struct cn_csv *csv, char separator)
{
    *csv = (struct cn_csv){.separator = separator};
}

void cn_csv_deinit(struct cn_csv *csv)
{
    free(csv->fields);
    free(csv->quoted);
    *csv = (struct cn_csv){0};
}

static bool add_field(struct cn_csv *csv, const char *ptr, size_t len, bool quoted)
{
    if (csv->count == csv->cap) {
        size_t cap = csv->cap ? csv->cap * 2 : 32;
        if (cap > CN_CSV_FIELDS_MAX)
            cap = CN_CSV_FIELDS_MAX;
        if (csv->count == cap)
            return false;
        struct cn_text *fields = realloc(csv->fields, cap * sizeof(*fields));
        if (fields)
            csv->fields = fields;
        bool *marks = realloc(csv->quoted, cap * sizeof(*marks));
        if (marks)
            csv->quoted = marks;
        if (!fields || !marks)
            return false;
        csv->cap = cap;
    }
    csv->fields[csv->count] = (struct cn_text){ptr, len};
    csv->quoted[csv->count++] = quoted;
    return true;
}

static void fail(struct cn_csv *csv, const char *text)
{
    if (!csv->error) {
        csv->error = text;
        csv->error_field = csv->count;
    }
}

static void unquote(struct cn_text *field)
{
    char *base = (char *)field->ptr;
    char *from = memchr(base, '"', field->len);
    if (!from)
        return;
    char *to = from, *end = base + field->len;
    while (from < end) {
        if (*from == '"')
            from++;
        *to++ = *from++;
    }
    field->len = (size_t)(to - base);
}

/* End of a quoted field: behind its closing quote. NULL: not in the data. */
static char *quoted_end(struct cn_csv *csv, char *at, char *end)
{
    for (;;) {
        char *quote = memchr(at, '"', (size_t)(end - at));
        char *stop = quote ? quote : end;
        for (char *p = at; (p = memchr(p, '\n', (size_t)(stop - p))) != NULL; p++)
            csv->lines++;
        if (!quote)
            return NULL;
        if (quote + 1 < end && quote[1] == '"') {
            at = quote + 2;
            continue;
        }
        return quote + 1;
    }
}

/* A plain field: up to the separator or the line's end. */
static char *plain_end(const struct cn_csv *csv, char *at, char *end)
{
    while (at < end && *at != csv->separator && *at != '\n')
        at++;
    return at;
}

enum cn_csv_result cn_csv_next(struct cn_csv *csv, char *data, size_t len, bool last,
                               size_t *ret_used)
{
    char *at = data, *end = data + len;
    csv->count = 0;
    csv->error = NULL;
    csv->lines = 0;
    for (;;) {
        char *start = at;
        bool quoted = at < end && *at == '"';
        size_t field_len;
        if (quoted) {
            at = quoted_end(csv, at + 1, end);
            /* A quote that is the very last byte may be the first half of a doubled one. */
            if ((!at || at == end) && !last)
                return CN_CSV_MORE;
            if (!at) {
                fail(csv, "a quoted field without its closing quote");
                *ret_used = len;
                return CN_CSV_ERROR;
            }
            field_len = (size_t)(at - start) - 2;
            start++;
            char *behind = plain_end(csv, at, end);
            if (behind > at &&
                !(behind < end && *behind == '\n' && behind - at == 1 && *at == '\r') &&
                !(behind == end && behind - at == 1 && *at == '\r'))
                fail(csv, "text behind the closing quote");
            at = behind;
        } else {
            at = plain_end(csv, at, end);
            field_len = (size_t)(at - start);
            if ((at == end || *at == '\n') && field_len && at[-1] == '\r')
                field_len--;
        }
        if (at == end && !last)
            return CN_CSV_MORE;
        if (!add_field(csv, start, field_len, quoted))
            fail(csv, "too many fields");
        if (at == end || *at == '\n') {
            csv->lines += at < end;
            *ret_used = (size_t)(at - data) + (at < end);
            break;
        }
        at++; /* the separator */
    }
    if (csv->error)
        return CN_CSV_ERROR;
    for (size_t i = 0; i < csv->count; i++)
        if (csv->quoted[i])
            unquote(&csv->fields[i]);
    return CN_CSV_RECORD;
}
