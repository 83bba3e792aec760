/* Trail: pure cases. */
#include "schema-registry/trail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static enum sr_trail_found read_one(struct sr_trail *trail, int64_t offset, const char *value)
{
    return sr_trail_record(trail, offset, 1000 + offset, bs_bytes_text("key"),
                           bs_bytes_text(value));
}

static void test_offsets_rise(void **state)
{
    struct sr_trail trail;
    (void)state;
    sr_trail_init(&trail);
    assert_int_equal(sr_trail_look(&trail), -1); /* there is nothing to be sure of */
    assert_int_equal(read_one(&trail, 0, "a"), SR_TRAIL_NEW);
    assert_int_equal(read_one(&trail, 7, "b"), SR_TRAIL_NEW); /* compaction took what was between */
    assert_true(sr_trail_end(&trail, 9));
    assert_int_equal(read_one(&trail, 9, "c"), SR_TRAIL_NEW);
    assert_int_equal(read_one(&trail, 7, "b"), SR_TRAIL_KNOWN);
    assert_int_equal(read_one(&trail, 0, "a"), SR_TRAIL_KNOWN);
    assert_int_equal(read_one(&trail, 0, "c"), SR_TRAIL_LOST); /* a new topic begins there */
    assert_false(sr_trail_end(&trail, 9));
    assert_false(sr_trail_end(&trail, 0));
}

static void test_anchor_once_more(void **state)
{
    struct sr_trail trail;
    (void)state;
    sr_trail_init(&trail);
    read_one(&trail, 4, "a");
    read_one(&trail, 5, "b");
    assert_int_equal(sr_trail_look(&trail), 4);
    assert_int_equal(read_one(&trail, 6, "c"), SR_TRAIL_NEW); /* on its way already */
    assert_int_equal(read_one(&trail, 4, "a"), SR_TRAIL_SAME);
    assert_int_equal(read_one(&trail, 5, "b"), SR_TRAIL_KNOWN);
    assert_int_equal(read_one(&trail, 7, "d"), SR_TRAIL_NEW);
    assert_int_equal(sr_trail_look(&trail), 6);                /* what was the last one then */
    assert_int_equal(read_one(&trail, 7, "d"), SR_TRAIL_SAME); /* compaction took it */
    assert_int_equal(sr_trail_look(&trail), 7);
    assert_int_equal(read_one(&trail, 6, "c"), SR_TRAIL_LOST);
}

/* Another topic, from which as many and more were read before it is looked at. */
static void test_other_topic(void **state)
{
    struct sr_trail trail;
    (void)state;
    sr_trail_init(&trail);
    read_one(&trail, 0, "a");
    assert_int_equal(read_one(&trail, 1, "of the new one"), SR_TRAIL_NEW);
    assert_int_equal(sr_trail_look(&trail), 0);
    assert_int_equal(read_one(&trail, 0, "another"), SR_TRAIL_LOST);
    sr_trail_init(&trail);
    read_one(&trail, 7, "a");
    assert_int_equal(sr_trail_look(&trail), 7);
    assert_int_equal(read_one(&trail, 0, "a"), SR_TRAIL_LOST); /* it is shorter */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offsets_rise),
        cmocka_unit_test(test_anchor_once_more),
        cmocka_unit_test(test_other_topic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
