/* CSV: every way to cut the input gives the same records. */
#include "connectors/file/csv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* All records of text as "a|b;c|d;", read with the buffer growing by `step` bytes. */
static void parse(const char *text, size_t step, char *out, size_t cap)
{
    struct cn_csv csv;
    size_t len = strlen(text), at = 0, have = 0, n = 0;
    char *copy = malloc(len + 1);
    memcpy(copy, text, len);
    cn_csv_init(&csv, ',');
    out[0] = 0;
    while (at < len) {
        size_t used = 0;
        if (have < len)
            have = have + step < len ? have + step : len;
        enum cn_csv_result got = cn_csv_next(&csv, copy + at, have - at, have == len, &used);
        if (got == CN_CSV_MORE) {
            assert_true(have < len);
            continue;
        }
        if (got == CN_CSV_ERROR)
            n += (size_t)snprintf(out + n, cap - n, "!%s@%zu", csv.error, csv.error_field);
        for (size_t i = 0; got == CN_CSV_RECORD && i < csv.count; i++)
            n += (size_t)snprintf(out + n, cap - n, "%s%.*s", i ? "|" : "", (int)csv.fields[i].len,
                                  csv.fields[i].ptr);
        n += (size_t)snprintf(out + n, cap - n, ";");
        at += used;
    }
    cn_csv_deinit(&csv);
    free(copy);
}

static void test_records(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"a,b\nc,d\n", "a|b;c|d;"},
        {"a,b\r\nc,d", "a|b;c|d;"},
        {"\"a,b\",c\n", "a,b|c;"},
        {"\"say \"\"hi\"\"\",x\n", "say \"hi\"|x;"},
        {"\"two\nlines\",x\n", "two\nlines|x;"},
        {"\"\"\"\",\"\"\n", "\"|;"},
        {",,\n", "||;"},
        {"5\" pipe,x\n", "5\" pipe|x;"},
        {"\"a\"b,c\nd,e\n", "!text behind the closing quote@0;d|e;"},
        {"\"open,\nx,y\n", "!a quoted field without its closing quote@0;"},
        {"x,\"a\"\r\ny,\"b\"", "x|a;y|b;"},
        {"\n\nx\n", ";;x;"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (size_t step = 1; step < 8; step++) {
            char out[256];
            parse(rows[i].text, step, out, sizeof(out));
            assert_string_equal(out, rows[i].want);
        }
}

static void test_too_many_fields(void **state)
{
    (void)state;
    struct cn_csv csv;
    char *text = malloc(CN_CSV_FIELDS_MAX + 10);
    size_t used = 0;
    memset(text, ',', CN_CSV_FIELDS_MAX + 9);
    text[CN_CSV_FIELDS_MAX + 9] = '\n';
    cn_csv_init(&csv, ',');
    assert_int_equal(cn_csv_next(&csv, text, CN_CSV_FIELDS_MAX + 10, false, &used), CN_CSV_ERROR);
    assert_string_equal(csv.error, "too many fields");
    assert_int_equal(used, CN_CSV_FIELDS_MAX + 10);
    cn_csv_deinit(&csv);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_too_many_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
