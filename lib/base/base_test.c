/* Tests of lib/base. */
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/metric.h"
#include "lib/base/option.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void error_wraps_into_a_sentence(void **state)
{
    struct bs_error err;
    (void)state;
    assert_int_equal(bs_error_sys(&err, ENOENT, "open '%s'", "a.lua"), BS_ENOTFOUND);
    assert_int_equal(bs_error_wrap(&err, "pipeline"), BS_ENOTFOUND);
    assert_int_equal(bs_error_wrap(NULL, "pipeline"), BS_ESTATE);
    assert_string_equal(err.text, "pipeline: open 'a.lua': No such file or directory");
    assert_string_equal(bs_strerror(BS_ETRUNCATED), "input ends too early");
    assert_int_equal(bs_error_class(BS_EBUSY), BS_RETRY);
}

static void varints_round_trip_and_refuse_short_input(void **state)
{
    static const int64_t VALUES[] = {0,   -1,        1,         63,        -64,      64,
                                     300, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    (void)state;
    for (size_t i = 0; i < sizeof VALUES / sizeof VALUES[0]; i++) {
        struct bs_buf buf = BS_BUF_INIT;
        struct bs_cursor c, cut;
        int64_t back = 7;
        bs_buf_put_varlong(&buf, VALUES[i]);
        c = bs_cursor(bs_buf_bytes(&buf));
        cut = bs_cursor(bs_bytes(buf.data, buf.len - 1));
        assert_int_equal(bs_get_varlong(&c, &back), 0);
        assert_true(back == VALUES[i]);
        assert_int_equal(bs_cursor_left(&c), 0);
        assert_int_equal(bs_get_varlong(&cut, &back), BS_ETRUNCATED);
        bs_buf_deinit(&buf);
    }
    struct bs_cursor eleven =
        bs_cursor(bs_bytes("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11));
    uint64_t v;
    assert_int_equal(bs_get_uvarlong(&eleven, &v), BS_ECORRUPT);
}

static void utf8_follows_rfc_3629(void **state)
{
    (void)state;
    assert_true(bs_utf8_valid(bs_bytes_text("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")));
    assert_false(bs_utf8_valid(bs_bytes_text("\xc0\x80")));
    assert_false(bs_utf8_valid(bs_bytes_text("\xed\xa0\x80")));
    assert_false(bs_utf8_valid(bs_bytes_text("\xe2\x82")));
    assert_false(bs_utf8_valid(bs_bytes_text("\xf4\x90\x80\x80")));
    for (size_t i = 0; i < 24; i++) { /* wherever it stands among eights of ASCII */
        char text[] = "abcdefghijklmnopqrstuvwx";
        text[i] = '\xff';
        assert_false(bs_utf8_valid(bs_bytes_text(text)));
        assert_true(bs_utf8_valid(bs_bytes_text(text + i + 1)));
    }
}

static void json_strings_are_escaped(void **state)
{
    struct bs_buf buf = BS_BUF_INIT;
    (void)state;
    bs_buf_put_json_string(&buf, "a\"\\\n\x01\xff", 6);
    assert_string_equal(bs_buf_text(&buf), "\"a\\\"\\\\\\n\\u0001\\ufffd\"");
    buf.len = 0;
    bs_buf_put_json_string(&buf, "\xc3\xbc\t-\x1f\r\xc3z\x7f\xe2\x82", 11);
    assert_string_equal(bs_buf_text(&buf), "\"\xc3\xbc\\t-\\u001f\\r\\ufffdz\x7f\\ufffd\\ufffd\"");
    buf.len = 0;
    bs_buf_put_json_string(&buf, NULL, 0);
    assert_string_equal(bs_buf_text(&buf), "\"\"");
    buf.len = 0;
    bs_buf_printf(&buf, "%0300d|%s", 7, "end"); /* longer than what is tried first */
    assert_int_equal(buf.len, 304);
    assert_string_equal(bs_buf_text(&buf) + 299, "7|end");
    bs_buf_deinit(&buf);
}

/* Whatever stands where one piece of the text ends and the next begins. */
static void long_json_strings_are_escaped(void **state)
{
    static const struct {
        const char *raw, *escaped;
    } parts[] = {{"\xe2\x82\xac", "\xe2\x82\xac"},
                 {"\x01", "\\u0001"},
                 {"\"\\", "\\\"\\\\"},
                 {"\xe2\x82", "\\ufffd\\ufffd"}};
    struct bs_buf raw = BS_BUF_INIT, want = BS_BUF_INIT, got = BS_BUF_INIT;
    (void)state;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        for (size_t before = 0; before < 140; before++) {
            raw.len = want.len = got.len = 0;
            bs_buf_puts(&want, "\"");
            for (size_t k = 0; k < before; k++) {
                bs_buf_puts(&raw, "a");
                bs_buf_puts(&want, "a");
            }
            for (size_t k = 0; k < 70; k++) {
                bs_buf_puts(&raw, parts[i].raw);
                bs_buf_puts(&want, parts[i].escaped);
            }
            bs_buf_puts(&want, "\"");
            bs_buf_put_json_string(&got, (const char *)raw.data, raw.len);
            assert_string_equal(bs_buf_text(&got), bs_buf_text(&want));
        }
    }
    bs_buf_deinit(&raw);
    bs_buf_deinit(&want);
    bs_buf_deinit(&got);
}

static void arena_gives_aligned_memory_and_resets(void **state)
{
    struct bs_arena arena = BS_ARENA_INIT;
    (void)state;
    for (size_t n = 0; n < 100000; n += 997) {
        uint8_t *p = bs_arena_zalloc(&arena, n);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xab, n);
    }
    bs_arena_reset(&arena);
    assert_int_equal(bs_arena_used(&arena), 0);
    assert_string_equal(bs_arena_printf(&arena, "%d-%s", 7, "x"), "7-x");
    bs_arena_deinit(&arena);
}

static const struct bs_option ROWS[] = {
    {.name = "log.retention.ms",
     .type = BS_OPT_DURATION,
     .def = "7d",
     .min = -1,
     .max = INT64_MAX,
     .doc = "how long"},
    {.name = "weir.flush",
     .type = BS_OPT_ENUM,
     .def = "ack",
     .words = "ack|interval",
     .doc = "when"},
    {.name = "data", .type = BS_OPT_STRING, .flags = BS_OPT_REQUIRED, .doc = "folder"},
    {.name = "background.threads",
     .type = BS_OPT_INT,
     .def = "10",
     .min = 1,
     .max = 99,
     .flags = BS_OPT_IGNORED,
     .doc = "no pool"},
    {.name = "authorizer.class.name",
     .type = BS_OPT_STRING,
     .flags = BS_OPT_REFUSED,
     .doc = "no authorizer"},
};
static const struct bs_option_table TABLE = {"Test", ROWS, sizeof ROWS / sizeof ROWS[0]};

static void options_are_checked_and_name_their_source(void **state)
{
    const struct bs_option_table *tables[] = {&TABLE};
    struct bs_config *config = bs_config_new(tables, 1);
    static const char FILE_TEXT[] = "# c\nlog.retention.ms = 1\\\n  0\nweir.flush: interval\n";
    char *env[] = {"WEIR_DATA=/d", "PATH=x", NULL};
    struct bs_error err;
    (void)state;
    assert_int_equal(bs_config_int(config, "log.retention.ms"), 604800000);
    assert_int_equal(bs_config_load_properties(config, FILE_TEXT, strlen(FILE_TEXT), "f", &err), 0);
    assert_int_equal(bs_config_int(config, "log.retention.ms"), 10);
    assert_string_equal(bs_config_text(config, "weir.flush"), "interval");
    assert_string_equal(bs_config_source(config, "weir.flush"), "f:4");
    assert_int_equal(bs_config_check(config, &err), BS_EINVAL);
    assert_int_equal(bs_config_load_environ(config, env, NULL, &err), 0);
    assert_int_equal(bs_config_check(config, &err), 0);
    assert_int_equal(bs_config_set(config, "log.retention.m", "1", "--set", &err), BS_ENOTFOUND);
    assert_string_equal(
        err.text, "--set: unknown option 'log.retention.m'; did you mean 'log.retention.ms'?");
    assert_int_equal(bs_config_set(config, "weir.flush", "never", "--set", &err), BS_EINVAL);
    assert_int_equal(bs_config_set(config, "log.retention.ms", "1 week", "--set", &err), BS_EINVAL);
    assert_int_equal(bs_config_set(config, "authorizer.class.name", "x", "--set", &err),
                     BS_EUNSUPPORTED);
    assert_null(bs_config_warning(config, 0));
    assert_int_equal(bs_config_set(config, "background.threads", "3", "--set", &err), 0);
    assert_non_null(strstr(bs_config_warning(config, 0), "without effect"));
    bs_config_free(config);
}

static const struct bs_metric_desc DESC = {"weir_test_total", BS_COUNTER, "a test"};

static void metrics_print_by_family(void **state)
{
    struct bs_metric a = {0}, b = {0};
    struct bs_buf out = BS_BUF_INIT;
    (void)state;
    bs_metric_init(&a, &DESC, "t=\"a\"");
    bs_metric_init(&b, &DESC, NULL);
    bs_metric_add(&a, 3);
    bs_metric_print_all(&out);
    assert_string_equal(bs_buf_text(&out),
                        "# HELP weir_test_total a test\n# TYPE weir_test_total counter\n"
                        "weir_test_total 0\nweir_test_total{t=\"a\"} 3\n");
    bs_metric_deinit(&a);
    bs_metric_deinit(&b);
    bs_metric_deinit(&b);
    bs_buf_deinit(&out);
}

static void base64_goes_both_ways(void **state)
{
    static const struct {
        const char *plain, *text;
    } PAIRS[] = {{"", ""},
                 {"f", "Zg=="},
                 {"fo", "Zm8="},
                 {"foo", "Zm9v"},
                 {"foob", "Zm9vYg=="},
                 {"\xff\xfe\xfd", "//79"},
                 {"\xfb\xf0", "+/A="}};
    static const char *const BAD[] = {"Z",    "Zg",   "Zg=",   "Zg===",   "=",
                                      "====", "Zh==", "Zm9=",  "Z=g=",    "Zm9v ",
                                      "Zm 9", "Zm-_", "12.50", "Zg==Zm9v"};
    struct bs_buf buf = BS_BUF_INIT;
    (void)state;
    for (size_t i = 0; i < sizeof PAIRS / sizeof *PAIRS; i++) {
        bs_buf_reset(&buf);
        bs_buf_put_base64(&buf, bs_bytes_text(PAIRS[i].plain));
        assert_string_equal(bs_buf_text(&buf), PAIRS[i].text);
        bs_buf_reset(&buf);
        assert_true(bs_buf_put_base64_decoded(&buf, bs_bytes_text(PAIRS[i].text)));
        assert_string_equal(bs_buf_text(&buf), PAIRS[i].plain);
        assert_int_equal(bs_base64_decoded_size(bs_bytes_text(PAIRS[i].text)), buf.len);
    }
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        bs_buf_reset(&buf);
        bs_buf_puts(&buf, "kept");
        assert_false(bs_buf_put_base64_decoded(&buf, bs_bytes_text(BAD[i])));
        assert_string_equal(bs_buf_text(&buf), "kept");
    }
    bs_buf_deinit(&buf);
}

static void outside_sizes_can_fail(void **state)
{
    (void)state;
    bs_mem_fail_after(2);
    void *first = bs_try_alloc(10);
    assert_non_null(first);
    assert_null(bs_try_alloc(10));
    bs_free(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_wraps_into_a_sentence),
        cmocka_unit_test(varints_round_trip_and_refuse_short_input),
        cmocka_unit_test(utf8_follows_rfc_3629),
        cmocka_unit_test(json_strings_are_escaped),
        cmocka_unit_test(long_json_strings_are_escaped),
        cmocka_unit_test(arena_gives_aligned_memory_and_resets),
        cmocka_unit_test(options_are_checked_and_name_their_source),
        cmocka_unit_test(metrics_print_by_family),
        cmocka_unit_test(base64_goes_both_ways),
        cmocka_unit_test(outside_sizes_can_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
