/* Flat: values survive the way there and back; bytes that were changed never make a reader go
 * wrong. */
#include "runtime/pipeline/datum.h"

#include "lib/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static uint64_t seed = 88172645463325252u;

static uint64_t next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static struct bs_bytes random_text(struct bs_arena *arena)
{
    size_t len = next() % 20;
    uint8_t *text = bs_arena_alloc(arena, len + 1);
    for (size_t i = 0; i < len; i++)
        text[i] = (uint8_t)next();
    return bs_bytes(text, len);
}

static void random_value(struct bs_arena *arena, struct sd_value *value, unsigned depth)
{
    memset(value, 0, sizeof *value);
    value->type = (uint8_t)(next() % (depth > 4 ? SD_ARRAY : SD_RECORD + 1));
    size_t count = next() % 5;
    switch ((enum sd_type)value->type) {
    case SD_BOOL:
        value->boolean = next() & 1;
        break;
    case SD_LONG:
        value->number = (int64_t)next() >> (next() % 64);
        break;
    case SD_FLOAT:
        value->real = (double)(float)((double)next() / 3.0);
        break;
    case SD_DOUBLE:
        value->real = (double)next() / 7.0;
        break;
    case SD_STRING:
    case SD_BYTES:
        value->bytes = random_text(arena);
        break;
    case SD_ARRAY:
        value->array.count = count;
        value->array.items = bs_arena_array(arena, count + 1, sizeof *value->array.items);
        for (size_t i = 0; i < count; i++)
            random_value(arena, &value->array.items[i], depth + 1);
        break;
    case SD_MAP:
    case SD_RECORD:
        value->map.count = count;
        value->map.fields = bs_arena_array(arena, count + 1, sizeof *value->map.fields);
        for (size_t i = 0; i < count; i++) {
            value->map.fields[i].name =
                bs_bytes_text(bs_arena_printf(arena, "%zu-%u", i, (unsigned)(next() % 9)));
            random_value(arena, &value->map.fields[i].value, depth + 1);
        }
        break;
    default:
        break;
    }
    if (value->type != SD_NULL && next() % 8 == 0)
        value->branch = "some.Branch";
}

static void test_there_and_back(void **state)
{
    (void)state;
    struct bs_arena arena;
    struct bs_buf out = BS_BUF_INIT;
    bs_arena_init(&arena);
    for (int round = 0; round < 3000; round++) {
        struct sd_value value, back;
        random_value(&arena, &value, 0);
        out.len = 0;
        rt_flat_put_value(&out, &value);
        struct bs_cursor at = bs_cursor(bs_buf_bytes(&out)), skipped = at;
        assert_int_equal(rt_flat_get_value(&at, &arena, &back, 0), 0);
        assert_int_equal(bs_cursor_left(&at), 0);
        assert_int_equal(rt_flat_skip(&skipped), 0);
        assert_int_equal(bs_cursor_left(&skipped), 0);
        assert_true(sd_value_equal(&value, &back));
        bs_arena_reset(&arena);
    }
    bs_buf_deinit(&out);
    bs_arena_deinit(&arena);
}

/* In a heap block of just its size, so that a sanitizer sees any step over the end. */
static void read_all(struct bs_bytes bytes, struct bs_arena *arena)
{
    uint8_t *own = bs_memdup(bytes.ptr, bytes.len);
    struct bs_bytes flat = bs_bytes(own, bytes.len), field;
    struct bs_cursor at = bs_cursor(flat);
    struct sd_value value;
    struct rt_datum datum;
    rt_flat_get_value(&at, arena, &value, 0);
    rt_flat_field(flat, bs_bytes_text("1-3"), &field);
    if (rt_datum_from_flat(flat, &datum) == 0)
        rt_datum_value(&datum, arena, &value, NULL);
    bs_free(own);
}

static void test_changed_bytes(void **state)
{
    (void)state;
    struct bs_arena arena;
    struct bs_buf out = BS_BUF_INIT;
    bs_arena_init(&arena);
    for (int round = 0; round < 20000; round++) {
        struct sd_value value;
        random_value(&arena, &value, 0);
        out.len = 0;
        rt_flat_put_value(&out, &value);
        for (uint64_t n = next() % 4; n; n--)
            out.data[next() % out.len] = (uint8_t)(next() % 3 ? next() % 16 : next());
        out.len -= next() % 4 == 0 ? next() % out.len : 0;
        read_all(bs_buf_bytes(&out), &arena);
        bs_arena_reset(&arena);
    }
    bs_buf_deinit(&out);
    bs_arena_deinit(&arena);
}

static void test_too_deep(void **state)
{
    (void)state;
    struct bs_arena arena;
    struct bs_buf out = BS_BUF_INIT;
    size_t marks[400];
    struct sd_value value;
    bs_arena_init(&arena);
    for (int i = 0; i < 400; i++)
        marks[i] = rt_flat_begin(&out, RT_TAG_ARRAY);
    for (int i = 400; i-- > 0;)
        rt_flat_end(&out, marks[i], i < 399);
    struct bs_cursor at = bs_cursor(bs_buf_bytes(&out));
    assert_int_equal(rt_flat_get_value(&at, &arena, &value, 0), BS_ELIMIT);
    bs_buf_deinit(&out);
    bs_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_changed_bytes),
        cmocka_unit_test(test_too_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
