/* Stores in memory: order, iterators in both directions, windows that expire by stream time. */
#include "lib/base/mem.h"
#include "runtime/state/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static char changes[4096];

static int on_change(void *ctx, const struct rt_store_spec *spec, struct bs_bytes key,
                     struct bs_bytes value, int64_t timestamp, struct bs_error *err)
{
    size_t len = strlen(changes), plain = key.len;
    (void)ctx, (void)err;
    if (spec->kind == RT_STORE_WINDOW)
        plain -= 12;
    snprintf(changes + len, sizeof changes - len, "%.*s", (int)plain, (const char *)key.ptr);
    len = strlen(changes);
    if (spec->kind == RT_STORE_WINDOW)
        snprintf(changes + len, sizeof changes - len, "@%lld",
                 (long long)bs_load_u64(key.ptr + plain));
    len = strlen(changes);
    snprintf(changes + len, sizeof changes - len, "=%.*s/%lld ", value.ptr ? (int)value.len : 4,
             value.ptr ? (const char *)value.ptr : "null", (long long)timestamp);
    return 0;
}

static const struct rt_store_spec KV = {.name = "kv", .logged = true};
static const struct rt_store_spec WINDOW = {
    .name = "w", .kind = RT_STORE_WINDOW, .retention_ms = 100, .logged = true};

static struct bs_bytes text(const char *t)
{
    return bs_bytes_text(t);
}

static void put(struct rt_store *store, const char *key, const char *value, int64_t timestamp)
{
    assert_int_equal(rt_store_put(store, text(key), text(value), timestamp, NULL), 0);
}

static void expect(struct rt_iter *iter, const char *want)
{
    char got[1024] = "";
    struct rt_row row;
    int rc;
    while ((rc = rt_iter_next(iter, &row, NULL)) == 0) {
        size_t len = strlen(got);
        snprintf(got + len, sizeof got - len, "%.*s@%lld=%.*s ", (int)row.key.len,
                 (const char *)row.key.ptr, (long long)row.start, (int)row.value.len,
                 (const char *)row.value.ptr);
    }
    assert_int_equal(rc, 1);
    assert_string_equal(got, want);
    rt_iter_close(iter);
}

static void kv_orders_and_ranges(void **state)
{
    struct rt_store *store = rt_store_memory_new(&KV, on_change, NULL);
    struct rt_iter *iter;
    struct bs_bytes value, open = {0};
    int64_t timestamp;
    (void)state;
    changes[0] = '\0';
    put(store, "b", "2", 20);
    put(store, "a", "1", 10);
    put(store, "ab", "3", 30);
    put(store, "b", "22", 21);
    assert_int_equal(rt_store_get(store, text("b"), &value, &timestamp, NULL), 0);
    assert_true(bs_bytes_is(value, "22"));
    assert_int_equal(timestamp, 21);
    assert_int_equal(rt_store_get(store, text("zz"), &value, &timestamp, NULL), 1);
    put(store, "zz", "", 5);
    assert_int_equal(rt_store_get(store, text("zz"), &value, &timestamp, NULL), 0);
    assert_int_equal(value.len, 0);
    put(store, "zz", NULL, 6);
    assert_int_equal(rt_store_get(store, text("zz"), &value, &timestamp, NULL), 1);
    assert_int_equal(rt_store_range(store, open, open, false, &iter, NULL), 0);
    expect(iter, "a@0=1 ab@0=3 b@0=22 ");
    assert_int_equal(rt_store_range(store, text("ab"), open, true, &iter, NULL), 0);
    expect(iter, "b@0=22 ab@0=3 ");
    assert_int_equal(rt_store_range(store, text("a"), text("ab"), false, &iter, NULL), 0);
    expect(iter, "a@0=1 ab@0=3 ");
    assert_string_equal(changes, "b=2/20 a=1/10 ab=3/30 b=22/21 zz=/5 zz=null/6 ");
    rt_store_free(store);
}

static void wput(struct rt_store *store, const char *key, int64_t start, const char *value,
                 int want)
{
    assert_int_equal(rt_window_put(store, text(key), start, text(value), start + 1, NULL), want);
}

static void window_rows_die_by_stream_time(void **state)
{
    struct rt_store *store = rt_store_memory_new(&WINDOW, on_change, NULL);
    struct rt_iter *iter;
    struct bs_bytes value, all = {0};
    int64_t timestamp;
    (void)state;
    changes[0] = '\0';
    wput(store, "k", 0, "a", 0);
    wput(store, "k", 50, "b", 0);
    wput(store, "kk", 50, "c", 0);
    wput(store, "j", -10, "d", 0);
    assert_int_equal(rt_window_fetch(store, text("k"), -100, 1000, false, &iter, NULL), 0);
    expect(iter, "k@0=a k@50=b ");
    assert_int_equal(rt_window_fetch(store, all, -100, 1000, true, &iter, NULL), 0);
    expect(iter, "kk@50=c k@50=b k@0=a j@-10=d ");
    assert_int_equal(rt_window_fetch(store, all, 0, 49, false, &iter, NULL), 0);
    expect(iter, "k@0=a ");
    wput(store, "k", 100, "e", 0); /* 0 is not above 100 - 100 any more */
    assert_int_equal(rt_window_get(store, text("k"), 0, &value, &timestamp, NULL), 1);
    assert_int_equal(rt_window_get(store, text("k"), 50, &value, &timestamp, NULL), 0);
    wput(store, "k", 0, "late", 1);
    assert_int_equal(rt_window_fetch(store, text("k"), 0, 1000, false, &iter, NULL), 0);
    expect(iter, "k@50=b k@100=e ");
    changes[0] = '\0';
    assert_int_equal(rt_window_expire(store, 90, NULL), 0);
    assert_string_equal(changes, "j@-10=null/-10 k@0=null/0 ");
    changes[0] = '\0';
    assert_int_equal(rt_window_expire(store, 100, NULL), 0);
    assert_string_equal(changes, "");
    assert_int_equal(rt_window_expire(store, 150, NULL), 0);
    assert_string_equal(changes, "k@50=null/50 kk@50=null/50 ");
    wput(store, "k", 100, NULL, 0);
    assert_int_equal(rt_window_fetch(store, all, 0, 1000, false, &iter, NULL), 0);
    expect(iter, "");
    rt_store_free(store);
}

static void many_rows_expire_in_batches(void **state)
{
    struct rt_store *store = rt_store_memory_new(&WINDOW, NULL, NULL);
    struct rt_iter *iter;
    struct bs_bytes all = {0};
    char key[32];
    (void)state;
    for (int i = 0; i < 3000; i++) {
        snprintf(key, sizeof key, "key%d", (i * 7919) % 3000);
        wput(store, key, i % 90, "v", 0);
    }
    assert_int_equal(rt_window_expire(store, 10000, NULL), 0);
    assert_int_equal(rt_window_fetch(store, all, 0, 1000, false, &iter, NULL), 0);
    expect(iter, "");
    rt_store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kv_orders_and_ranges),
        cmocka_unit_test(window_rows_die_by_stream_time),
        cmocka_unit_test(many_rows_expire_in_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
