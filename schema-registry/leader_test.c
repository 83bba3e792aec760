/* Leader, bundle, owed: pure cases. */
#include "schema-registry/bundle.h"
#include "schema-registry/leader.h"
#include "schema-registry/owed.h"

#include "lib/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ME = 7, OTHER = 8, THIRD = 9 };

static struct sr_leader fresh(void)
{
    struct sr_leader leader;
    sr_leader_init(&leader, ME, true);
    snprintf(leader.own_url, sizeof leader.own_url, "http://me:1");
    return leader;
}

static bool claim(struct sr_leader *leader, int64_t epoch, uint64_t who, int64_t offset)
{
    struct sr_claim claim = {.epoch = epoch,
                             .instance = who,
                             .url = who == ME      ? "http://me:1"
                                    : who == OTHER ? "http://other:1"
                                                   : "http://third:1"};
    return sr_leader_claim(leader, &claim, -1, offset, 1000);
}

static int64_t wants(const struct sr_leader *leader, int64_t now_ms)
{
    int64_t wait_ms;
    return sr_leader_wants(leader, now_ms, &wait_ms);
}

static void test_empty_topic_is_claimed_at_once(void **state)
{
    struct sr_leader leader = fresh();
    (void)state;
    assert_int_equal(wants(&leader, 0), 0);
    sr_leader_replayed(&leader);
    assert_int_equal(wants(&leader, 0), 1);
    sr_leader_claim_begin(&leader);
    assert_int_equal(wants(&leader, 0), 0);
    assert_true(claim(&leader, 1, ME, 0));
    sr_leader_claim_end(&leader, 0);
    assert_true(leader.mine);
    assert_int_equal(leader.epoch, 1);
    assert_int_equal(wants(&leader, 0), 0);
}

static void test_first_claim_of_an_epoch_wins(void **state)
{
    struct sr_leader leader = fresh();
    (void)state;
    sr_leader_replayed(&leader);
    sr_leader_claim_begin(&leader);
    assert_true(claim(&leader, 1, OTHER, 0));
    assert_false(claim(&leader, 1, ME, 1));
    sr_leader_claim_end(&leader, 1000);
    assert_false(leader.mine);
    assert_string_equal(leader.url, "http://other:1");
    assert_int_equal(wants(&leader, 100000), 0); /* nobody has said that it is gone */
    assert_false(claim(&leader, 0, THIRD, 2));
}

static void test_lower_epoch_has_no_effect(void **state)
{
    struct sr_leader leader = fresh();
    (void)state;
    claim(&leader, 5, OTHER, 10);
    assert_true(sr_leader_record(&leader, 5, 11));
    claim(&leader, 6, THIRD, 12);
    assert_false(sr_leader_record(&leader, 5, 13));
    assert_true(sr_leader_record(&leader, 6, 14));
    assert_true(sr_leader_record(&leader, -1, 15));
    /* a claim that compaction has taken: its leader's records put the epoch in force */
    assert_true(sr_leader_record(&leader, 9, 16));
    assert_int_equal(leader.epoch, 9);
    assert_false(sr_leader_record(&leader, 6, 17));
    assert_int_equal(sr_leader_held(&leader, 5, 11), 1);
    assert_int_equal(sr_leader_held(&leader, 5, 13), 0);
    assert_int_equal(sr_leader_held(&leader, 6, 14), 1);
    assert_int_equal(sr_leader_held(&leader, 6, 17), 0);
}

static void test_rewritten_claim_and_release(void **state)
{
    struct sr_leader leader = fresh();
    struct sr_claim again = {.epoch = 3, .instance = OTHER, .url = "http://other:2"}, gone = again;
    (void)state;
    claim(&leader, 3, THIRD, 0); /* all that compaction has left: the loser's */
    assert_true(sr_leader_claim(&leader, &again, 3, 1, 0));
    assert_string_equal(leader.url, "http://other:2");
    gone.url = "";
    assert_true(sr_leader_claim(&leader, &gone, 3, 2, 0));
    assert_string_equal(leader.url, "");
    again.epoch = 2;
    assert_false(sr_leader_claim(&leader, &again, 2, 3, 0)); /* a zombie's */
    sr_leader_replayed(&leader);
    assert_int_equal(wants(&leader, 0), 4); /* it has said that it goes */
}

static void test_own_url_and_other_products(void **state)
{
    struct sr_leader leader = fresh();
    (void)state;
    claim(&leader, 3, ME + 100, 0); /* the process that this one replaces */
    snprintf(leader.url, sizeof leader.url, "http://me:1");
    sr_leader_replayed(&leader);
    assert_int_equal(wants(&leader, 0), 4);
    sr_leader_record(&leader, -1, 1); /* another product has written since */
    assert_int_equal(wants(&leader, 0), 0);
    sr_leader_owner(&leader, true);
    assert_int_equal(wants(&leader, 0), 4);
}

static void test_owner_replaces_and_is_patient(void **state)
{
    struct sr_leader leader = fresh();
    int64_t wait_ms;
    (void)state;
    claim(&leader, 1, OTHER, 0);
    sr_leader_replayed(&leader);
    assert_int_equal(wants(&leader, 0), 0);
    sr_leader_owner(&leader, true);
    assert_int_equal(wants(&leader, 0), 2);
    claim(&leader, 2, ME, 1);
    claim(&leader, 3, THIRD, 2); /* at 1000 ms: deposed, though the group says otherwise */
    assert_false(leader.mine);
    assert_int_equal(sr_leader_wants(&leader, 1000, &wait_ms), 0);
    assert_int_equal(wait_ms, SR_RECLAIM_MS);
    assert_int_equal(wants(&leader, 1000 + SR_RECLAIM_MS), 4);
    sr_leader_owner(&leader, false);
    assert_int_equal(wants(&leader, 100000), 0);
}

static void test_resigned_leader_claims_anew(void **state)
{
    struct sr_leader leader = fresh();
    (void)state;
    sr_leader_replayed(&leader);
    claim(&leader, 1, ME, 0);
    sr_leader_resign(&leader, 0); /* of an epoch that is over: nothing */
    assert_true(leader.mine);
    sr_leader_resign(&leader, 1);
    assert_false(leader.mine);
    assert_true(sr_leader_record(&leader, 1, 5)); /* what was under way may still come */
    assert_int_equal(wants(&leader, 0), 2);
    sr_leader_claim_begin(&leader);
    sr_leader_claim_end(&leader, 1000);
    assert_int_equal(wants(&leader, 1000), 0);
    assert_int_equal(wants(&leader, 1000 + SR_CLAIM_RETRY_MS), 2);
    claim(&leader, 2, ME, 6);
    assert_false(sr_leader_record(&leader, 1, 7));
}

/* What is far ahead is a mistake: it puts nothing in force, and the leader goes on. */
static void test_leaps_have_no_effect(void **state)
{
    struct sr_leader leader = fresh();
    (void)state;
    sr_leader_replayed(&leader);
    assert_true(claim(&leader, 1, ME, 0));
    assert_false(claim(&leader, INT32_MAX, THIRD, 1));
    assert_false(sr_leader_record(&leader, INT64_MAX, 2));
    assert_false(sr_leader_record(&leader, 1 + SR_EPOCH_LEAP + 1, 3));
    assert_true(leader.mine);
    assert_int_equal(leader.epoch, 1);
    while (leader.epoch < SR_EPOCH_MAX) {
        int64_t next = leader.epoch + SR_EPOCH_LEAP;
        assert_true(claim(&leader, next < SR_EPOCH_MAX ? next : SR_EPOCH_MAX, OTHER, 4));
    }
    sr_leader_owner(&leader, true);
    assert_int_equal(wants(&leader, 100000), 0); /* no numbers are left */
}

/* A claim that was read and did not count is not repeated at once. */
static void test_claims_in_vain_pause(void **state)
{
    struct sr_leader leader = fresh();
    (void)state;
    sr_leader_replayed(&leader);
    sr_leader_owner(&leader, true);
    assert_int_equal(wants(&leader, 0), 1);
    sr_leader_claim_begin(&leader);
    sr_leader_claim_end(&leader, 1000);
    assert_int_equal(wants(&leader, 1000), 0);
    assert_int_equal(wants(&leader, 1000 + SR_CLAIM_RETRY_MS), 1);
}

static void test_gone_and_not_eligible(void **state)
{
    struct sr_leader leader = fresh();
    (void)state;
    claim(&leader, 1, OTHER, 0);
    sr_leader_replayed(&leader);
    sr_leader_gone(&leader, "http://third:1");
    assert_int_equal(wants(&leader, 0), 0);
    sr_leader_gone(&leader, "http://other:1");
    assert_int_equal(wants(&leader, 0), 2);
    leader.eligible = false;
    assert_int_equal(wants(&leader, 0), 0);
}

static void test_another_product_has_the_group(void **state)
{
    struct sr_leader leader = fresh();
    (void)state;
    sr_leader_replayed(&leader);
    claim(&leader, 1, ME, 0);
    sr_leader_foreign(&leader, true);
    assert_false(leader.mine);
    assert_int_equal(wants(&leader, 100000), 0);
    sr_leader_foreign(&leader, false);
    assert_int_equal(wants(&leader, 100000), 0); /* not before the group says so */
    sr_leader_owner(&leader, true);
    assert_int_equal(wants(&leader, 100000), 2);
}

static void test_old_epochs_are_forgotten(void **state)
{
    struct sr_leader leader = fresh();
    (void)state;
    for (int64_t epoch = 1; epoch <= 3 * SR_EPOCHS_KEPT; epoch++)
        claim(&leader, epoch, epoch % 2 ? ME : OTHER, epoch * 10);
    assert_int_equal(sr_leader_held(&leader, 3 * SR_EPOCHS_KEPT - 2, 30 * SR_EPOCHS_KEPT - 15), 1);
    assert_int_equal(sr_leader_held(&leader, 3 * SR_EPOCHS_KEPT - 2, 30 * SR_EPOCHS_KEPT - 5), 0);
    assert_int_equal(sr_leader_held(&leader, 1, 15), -1);
}

/* A URL under which nothing is found is that of a process that runs: once, not again and again. */
static void test_gone_and_not(void **state)
{
    struct sr_leader leader = fresh();
    (void)state;
    claim(&leader, 1, OTHER, 0);
    sr_leader_replayed(&leader);
    assert_true(sr_leader_gone(&leader, "http://other:1"));
    assert_int_equal(wants(&leader, 0), 2);
    claim(&leader, 2, ME, 5);
    assert_false(sr_leader_gone(&leader, "http://other:1"));
    claim(&leader, 3, OTHER, 6); /* the group's owner, which was there all the time */
    assert_int_equal(leader.holder, OTHER);
    assert_false(sr_leader_gone(&leader, "http://other:1"));
    assert_string_equal(leader.url, "http://other:1");
    assert_int_equal(wants(&leader, 10000), 0);
    claim(&leader, 4, THIRD, 7);
    assert_true(sr_leader_gone(&leader, "http://third:1"));
}

/* Two processes announce one URL: the one that the group names leads. */
static void test_twin(void **state)
{
    struct sr_leader leader = fresh();
    const struct sr_claim twin = {.epoch = 2, .instance = OTHER, .url = "http://me:1"};
    (void)state;
    sr_leader_replayed(&leader);
    claim(&leader, 1, ME, 0);
    assert_true(leader.mine);
    assert_true(sr_leader_claim(&leader, &twin, -1, 5, 1000));
    assert_true(leader.twin);
    assert_false(leader.mine);
    assert_int_equal(wants(&leader, 100000), 0);
    sr_leader_owner(&leader, true);
    assert_int_equal(wants(&leader, 100000), 3);
    leader = fresh();
    assert_true(sr_leader_claim(&leader, &twin, -1, 5, 1000)); /* before the end: an earlier life */
    sr_leader_replayed(&leader);
    assert_false(leader.twin);
    assert_int_equal(wants(&leader, 0), 3);
    sr_leader_twin(&leader); /* it answers */
    assert_int_equal(wants(&leader, 100000), 0);
}

/* ---- bundle ---- */

static struct sr_record gone(const char *subject, int version)
{
    return (struct sr_record){
        .kind = SR_RECORD_SCHEMA, .subject = subject, .version = version, .tombstone = true};
}

static void test_bundle_carries_the_rest(void **state)
{
    struct sr_record records[] = {gone("s", 2),
                                  {.kind = SR_RECORD_NOOP, .value = {.type = SD_MAP}},
                                  {.kind = SR_RECORD_CONTEXT, .context = ".c"},
                                  {.kind = SR_RECORD_SCHEMA, .subject = "s", .version = 4}};
    struct sr_bundle bundle;
    struct sr_record *rest;
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_error err = {0};
    size_t count;
    (void)state;
    assert_int_equal(sr_bundle_init(&bundle, records, 4, 12, 1000000, &err), 0);
    assert_int_equal(bundle.count, 4);
    assert_true(bs_bytes_is(bundle.messages[0].key, "{\"keytype\":\"NOOP\",\"magic\":0}"));
    assert_int_equal(bundle.carrier, 1);
    assert_null(bundle.messages[0].rest.ptr);
    assert_null(bundle.messages[2].rest.ptr);
    assert_int_equal(sr_bundle_rest(bundle.messages[1].rest, &arena, &rest, &count, &err), 0);
    assert_int_equal(count, 2); /* of the version that goes first */
    assert_int_equal(rest[0].kind, SR_RECORD_CONTEXT);
    assert_false(rest[0].tombstone);
    assert_int_equal(rest[1].version, 2);
    assert_true(rest[1].tombstone);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(bundle.messages[i].epoch, 12);
    sr_bundle_deinit(&bundle);
    assert_int_equal(sr_bundle_rest(bs_bytes_text("{}"), &arena, &rest, &count, &err), BS_EINVAL);
    assert_int_equal(sr_bundle_rest(bs_bytes_text("[1]"), &arena, &rest, &count, &err), BS_EINVAL);
    assert_true(sr_bundle_rest(bs_bytes_text("["), &arena, &rest, &count, &err) < 0);
    bs_arena_deinit(&arena);
}

/* The records that a header stands for. */
static size_t rest_of(const struct sr_bundle *bundle, struct bs_arena *arena,
                      struct sr_record **ret)
{
    struct bs_error err = {0};
    size_t count = 0;
    if (sr_bundle_rest(bundle->messages[bundle->carrier].rest, arena, ret, &count, &err) < 0)
        fail_msg("%s", err.text);
    return count;
}

static void test_bundle_has_ranges(void **state)
{
    struct sr_record records[12];
    struct sr_bundle bundle;
    struct sr_record *rest;
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_error err = {0};
    static const int numbers[] = {9, 8, 7, 6, 4, 5, 6, 1, 3, 2};
    static const char *const bad[] = {
        "[[\"{\\\"keytype\\\":\\\"MODE\\\",\\\"magic\\\":0}\",null,3]]",
        "[[\"{\\\"keytype\\\":\\\"SCHEMA\\\",\\\"subject\\\":\\\"s\\\",\\\"version\\\":1,"
        "\\\"magic\\\":1}\","
        "null,0]]",
        "[[\"{\\\"keytype\\\":\\\"SCHEMA\\\",\\\"subject\\\":\\\"s\\\",\\\"version\\\":1,"
        "\\\"magic\\\":1}\","
        "null,\"2\"]]",
        "[[\"{\\\"keytype\\\":\\\"SCHEMA\\\",\\\"subject\\\":\\\"s\\\",\\\"version\\\":1,"
        "\\\"magic\\\":1}\","
        "null,2147483647]]",
    };
    size_t count;
    (void)state;
    for (int i = 0; i < 10; i++)
        records[i] = gone("s", numbers[i]);
    records[10] = gone("t", 1); /* another subject's */
    records[11] =
        (struct sr_record){.kind = SR_RECORD_DELETE_SUBJECT, .subject = "s", .tombstone = true};
    assert_int_equal(sr_bundle_init(&bundle, records, 12, 1, 5000, &err), 0);
    assert_non_null(memmem(bundle.messages[0].rest.ptr, bundle.messages[0].rest.len, "null,6]", 7));
    assert_int_equal(rest_of(&bundle, &arena, &rest), 11);
    for (int i = 0; i < 9; i++) {
        assert_int_equal(rest[i].version, numbers[i + 1]);
        assert_string_equal(rest[i].subject, "s");
        assert_true(rest[i].tombstone);
    }
    assert_string_equal(rest[9].subject, "t");
    assert_int_equal(rest[10].kind, SR_RECORD_DELETE_SUBJECT);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_true(sr_bundle_rest(bs_bytes_text(bad[i]), &arena, &rest, &count, &err) < 0);
    sr_bundle_deinit(&bundle);
    bs_arena_deinit(&arena);
}

/* What is larger than the topic takes is refused as a whole, before anything is written. */
static void test_bundle_has_a_bound(void **state)
{
    enum { MANY = SR_REST_MAX + 2, TOPIC_MAX = 1000000 };
    struct sr_record *records = bs_array(MANY, sizeof *records), *rest;
    struct bs_arena arena = BS_ARENA_INIT;
    struct sr_bundle bundle;
    struct bs_error err = {0};
    (void)state;
    for (int i = 0; i < MANY; i++)
        records[i] = gone("subject", i + 1);
    assert_int_equal(sr_bundle_init(&bundle, records, MANY - 2, 1, TOPIC_MAX, &err), 0);
    assert_int_equal(bundle.carrier, 0);
    assert_int_equal(rest_of(&bundle, &arena, &rest), MANY - 3);
    assert_int_equal(rest[MANY - 4].version, MANY - 2);
    sr_bundle_deinit(&bundle);
    assert_int_equal(sr_bundle_init(&bundle, records, MANY, 1, TOPIC_MAX, &err), BS_ERANGE);
    sr_bundle_deinit(&bundle);
    for (int i = 0; i < MANY; i++)
        records[i].version = 2 * i + 1; /* each for itself */
    assert_int_equal(sr_bundle_init(&bundle, records, 12000, 1, TOPIC_MAX, &err), BS_ERANGE);
    sr_bundle_deinit(&bundle);
    assert_int_equal(sr_bundle_init(&bundle, records, 9000, 1, TOPIC_MAX, &err), 0);
    sr_bundle_deinit(&bundle);
    assert_int_equal(sr_bundle_init(&bundle, records, 9000, 1, 100, &err), BS_ELIMIT);
    sr_bundle_deinit(&bundle);
    assert_int_equal(sr_bundle_init(&bundle, records, 1, 1, TOPIC_MAX, &err), 0);
    assert_null(bundle.messages[0].rest.ptr);
    assert_int_equal(bundle.carrier, 0);
    sr_bundle_deinit(&bundle);
    records[3].tombstone = records[4].tombstone = false; /* one would bring the other back */
    assert_int_equal(sr_bundle_init(&bundle, records, 100, 1, TOPIC_MAX, &err), 0);
    assert_null(bundle.messages[0].rest.ptr);
    assert_int_equal(bundle.carrier, 99); /* the last one ends it */
    sr_bundle_deinit(&bundle);
    bs_arena_deinit(&arena);
    bs_free(records);
}

/* ---- owed ---- */

static void apply(struct sr_store *store, const char *key, const char *value)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_error err = {0};
    struct sr_record record;
    if (sr_record_read(bs_bytes_text(key), value ? bs_bytes_text(value) : bs_bytes(NULL, 0), &arena,
                       &record, &err) < 0 ||
        (record.decided = true, sr_store_apply(store, &record, &err)) < 0)
        fail_msg("%s", err.text);
    bs_arena_deinit(&arena);
}

#define KEY(version) \
    "{\"keytype\":\"SCHEMA\",\"subject\":\"s\",\"version\":" #version ",\"magic\":1}"
#define VALUE(version, id, schema, deleted)                                               \
    "{\"subject\":\"s\",\"version\":" #version ",\"id\":" #id ",\"schema\":\"\\\"" schema \
    "\\\"\",\"deleted\":" #deleted "}"

static void test_owed_list(void **state)
{
    struct sr_owed_list list;
    struct sr_record one = gone("s", 1), two = gone("s", 2),
                     old = {.kind = SR_RECORD_NOOP, .epoch = 3};
    (void)state;
    sr_owed_init(&list);
    assert_true(sr_owed_add(&list, &old, 3));
    assert_true(sr_owed_add(&list, &one, 4));
    assert_true(sr_owed_add(&list, &two, 3));
    assert_true(sr_owed_add(&list, &two, 3));
    assert_int_equal(list.count, 3);
    assert_int_equal(sr_owed_next(&list, 4)->key.version, 2); /* claims come last */
    assert_int_equal(sr_owed_next(&list, 5)->key.version, 1);
    sr_owed_settle(&list, &one);
    sr_owed_settle(&list, &two);
    assert_int_equal(sr_owed_next(&list, 4)->key.kind, SR_RECORD_NOOP);
    assert_false(sr_owed_due(&list, 3));
    assert_true(sr_owed_add(&list, &one, 4));
    sr_owed_deinit(&list);
}

static void pay(struct sr_store *store, const struct sr_record *key, struct bs_buf *out)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct sr_record *records;
    size_t count;
    sr_owed_pay(store, key, &arena, &records, &count);
    bs_buf_reset(out);
    for (size_t i = 0; i < count; i++) {
        sr_record_put_key(&records[i], out);
        bs_buf_puts(out, records[i].tombstone ? " null\n" : " ");
        if (!records[i].tombstone) {
            sr_record_put_value(&records[i], out);
            bs_buf_puts(out, "\n");
        }
    }
    bs_arena_deinit(&arena);
}

static void test_owed_is_what_is_in_force(void **state)
{
    struct sr_store *store = sr_store_new(SR_BACKWARD);
    struct bs_buf out = BS_BUF_INIT;
    struct sr_record key = gone("s", 1), mark = {.kind = SR_RECORD_DELETE_SUBJECT, .subject = "s"},
                     level = {.kind = SR_RECORD_CONFIG, .subject = "s"};
    (void)state;
    pay(store, &key, &out);
    assert_string_equal(bs_buf_text(&out), KEY(1) " null\n");
    apply(store, KEY(1), VALUE(1, 1, "int", true));
    apply(store, KEY(2), VALUE(2, 2, "long", false));
    pay(store, &key, &out);
    assert_non_null(strstr(bs_buf_text(&out), KEY(1) " {\"subject\":\"s\",\"version\":1,\"id\":1"));
    /* a mark that is not in force: the versions as they are, and the mark goes */
    pay(store, &mark, &out);
    assert_non_null(strstr(bs_buf_text(&out), "\"deleted\":true}\n{\"keytype\":\"DELETE_SUBJECT\","
                                              "\"subject\":\"s\",\"magic\":0} null\n"));
    assert_null(strstr(bs_buf_text(&out), "\"version\":2"));
    pay(store, &level, &out);
    assert_string_equal(bs_buf_text(&out),
                        "{\"keytype\":\"CONFIG\",\"subject\":\"s\",\"magic\":0} null\n");
    apply(store, "{\"keytype\":\"CONFIG\",\"subject\":\"s\",\"magic\":0}",
          "{\"subject\":\"s\",\"compatibilityLevel\":\"FULL\"}");
    pay(store, &level, &out);
    assert_non_null(strstr(bs_buf_text(&out), "\"compatibilityLevel\":\"FULL\"}\n"));
    bs_buf_deinit(&out);
    sr_store_free(store);
}

/* Compaction has left a loser without the claim that had made it void: the winner's id counts. */
static void test_winner_takes_the_id_back(void **state)
{
    struct sr_store *store = sr_store_new(SR_BACKWARD);
    (void)state;
    apply(store, KEY(1), VALUE(1, 9, "int", false));
    apply(
        store, "{\"keytype\":\"SCHEMA\",\"subject\":\"t\",\"version\":1,\"magic\":1}",
        "{\"subject\":\"t\",\"version\":1,\"id\":9,\"schema\":\"\\\"long\\\"\",\"deleted\":false}");
    assert_true(bs_bytes_is(sr_store_id(store, NULL, 9)->content.text, "\"long\""));
    assert_null(sr_subject_version(sr_store_subject(store, "s"), 1, true));
    sr_store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_topic_is_claimed_at_once),
        cmocka_unit_test(test_first_claim_of_an_epoch_wins),
        cmocka_unit_test(test_lower_epoch_has_no_effect),
        cmocka_unit_test(test_rewritten_claim_and_release),
        cmocka_unit_test(test_own_url_and_other_products),
        cmocka_unit_test(test_owner_replaces_and_is_patient),
        cmocka_unit_test(test_resigned_leader_claims_anew),
        cmocka_unit_test(test_leaps_have_no_effect),
        cmocka_unit_test(test_claims_in_vain_pause),
        cmocka_unit_test(test_gone_and_not_eligible),
        cmocka_unit_test(test_another_product_has_the_group),
        cmocka_unit_test(test_old_epochs_are_forgotten),
        cmocka_unit_test(test_gone_and_not),
        cmocka_unit_test(test_twin),
        cmocka_unit_test(test_bundle_carries_the_rest),
        cmocka_unit_test(test_bundle_has_ranges),
        cmocka_unit_test(test_bundle_has_a_bound),
        cmocka_unit_test(test_owed_list),
        cmocka_unit_test(test_owed_is_what_is_in_force),
        cmocka_unit_test(test_winner_takes_the_id_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
