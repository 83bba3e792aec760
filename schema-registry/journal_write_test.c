/* Journal's writes: one batch at a time, nobody is told before what he wrote is read, and what
 * waited behind a write of unknown outcome is not sent. On librdkafka's mock cluster. */
#include "schema-registry/journal_write.h"

#include "lib/base/mem.h"

#include <librdkafka/rdkafka_mock.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
/* after the four headers above, which it needs and does not name */
#include <cmocka.h>

enum { WRITERS = 16, PRODUCE = 0, LONG_MS = 60000, BRIEF_MS = 1000 };

static struct {
    rd_kafka_t *holder, *producer; /* holder: of the mock cluster */
    rd_kafka_mock_cluster_t *cluster;
    struct sr_writes *writes;
    atomic_int appended, sent;
    atomic_int awaited; /* a batch that was sent goes on when so many have come */
} t;

static void count_step(const char *step)
{
    atomic_fetch_add(&t.appended, strcmp(step, "append") == 0);
    if (strcmp(step, "sent") != 0)
        return;
    atomic_fetch_add(&t.sent, 1);
    while (atomic_load(&t.appended) < atomic_load(&t.awaited))
        sched_yield();
}

static void open_all(int timeout_ms)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    struct bs_error err = {0};
    char text[512], timeout[32];
    rd_kafka_conf_set_log_cb(conf, NULL);
    t.holder = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    t.cluster = rd_kafka_mock_cluster_new(t.holder, 1);
    rd_kafka_mock_topic_create(t.cluster, "topic", 1, 1);
    conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, NULL);
    snprintf(timeout, sizeof timeout, "%d", timeout_ms);
    rd_kafka_conf_set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(t.cluster), text,
                      sizeof text);
    rd_kafka_conf_set(conf, "enable.idempotence", "true", text, sizeof text);
    rd_kafka_conf_set(conf, "message.timeout.ms", timeout, text, sizeof text);
    sr_writes_configure(conf, timeout_ms);
    t.producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    assert_non_null(t.producer);
    assert_int_equal(sr_writes_open(t.producer, "topic", &t.writes, &err), 0);
    atomic_store(&t.appended, 0);
    atomic_store(&t.sent, 0);
    atomic_store(&t.awaited, 0);
    sr_journal_hook = count_step;
}

static int setup(void **state)
{
    (void)state;
    open_all(LONG_MS);
    return 0;
}

static int setup_brief(void **state)
{
    (void)state;
    open_all(BRIEF_MS);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sr_journal_hook = NULL;
    sr_writes_stop(t.writes);
    rd_kafka_destroy(t.producer);
    sr_writes_free(t.writes);
    rd_kafka_mock_cluster_destroy(t.cluster);
    rd_kafka_destroy(t.holder);
    return 0;
}

struct one {
    pthread_t thread;
    struct sr_message message;
    int64_t read_ms;
    rd_kafka_resp_err_t code;
    bool unknown;
    int rc;
    struct bs_error err;
    atomic_bool done;
};

static void *append(void *arg)
{
    struct one *one = arg;
    one->message.key = one->message.value = bs_bytes_text("x");
    one->message.epoch = 3;
    one->rc = sr_writes_append(t.writes, &one->message, 1, one->read_ms, &one->code, &one->unknown,
                               &one->err);
    atomic_store(&one->done, true);
    return NULL;
}

static void start(struct one *one)
{
    assert_int_equal(pthread_create(&one->thread, NULL, append, one), 0);
}

/* Until the producer is connected and has its id; returns the offset that comes next. */
static int64_t warm_up(void)
{
    struct one one = {.read_ms = 0};
    do
        append(&one);
    while (one.code);
    return one.message.offset + 1;
}

static void test_read_back(void **state)
{
    static struct one all[WRITERS];
    bool seen[WRITERS] = {0};
    struct one last = {.read_ms = 0};
    int64_t next = warm_up();
    int before = atomic_load(&t.appended);
    (void)state;
    memset(all, 0, sizeof all);
    for (int i = 0; i < WRITERS; i++) {
        all[i].read_ms = 60000;
        start(&all[i]);
    }
    while (atomic_load(&t.appended) < before + WRITERS)
        sched_yield();
    start(&last); /* needs no reading */
    pthread_join(last.thread, NULL);
    assert_int_equal(last.rc, 0);
    assert_true(last.message.offset >= 0);
    for (int i = 0; i < WRITERS; i++)
        assert_false(atomic_load(&all[i].done));
    sr_writes_passed(t.writes, next + WRITERS);
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(all[i].thread, NULL);
        assert_int_equal(all[i].code, 0);
        assert_int_equal(all[i].rc, 0);
        assert_false(all[i].unknown);
        assert_in_range(all[i].message.offset - next, 0, WRITERS);
        seen[all[i].message.offset - next - (all[i].message.offset > last.message.offset)] = true;
    }
    for (int i = 0; i < WRITERS; i++)
        assert_true(seen[i]); /* each has an offset of its own */
}

static void test_not_read(void **state)
{
    struct one one = {.read_ms = 20};
    (void)state;
    append(&one);
    assert_int_equal(one.rc, BS_ETIMEOUT);
    assert_int_equal(one.code, 0);
    assert_true(one.unknown);
    assert_string_equal(one.err.text, "offset 0 was not read in 20 ms");
    sr_writes_passed(t.writes, 0);
    one.read_ms = 60000;
    start(&one);
    while (atomic_load(&t.sent) < 2)
        sched_yield();
    sr_writes_passed(t.writes, 1);
    pthread_join(one.thread, NULL);
    assert_int_equal(one.rc, 0);
}

/* The broker does not say what became of the first; the second was never sent. */
static void test_withdrawn(void **state)
{
    struct one first = {.read_ms = 60000}, second = {.read_ms = 60000};
    rd_kafka_resp_err_t errors[256];
    int before;
    (void)state;
    warm_up();
    before = atomic_load(&t.sent);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        errors[i] = RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT;
    rd_kafka_mock_push_request_errors_array(t.cluster, PRODUCE, sizeof errors / sizeof *errors,
                                            errors);
    atomic_store(&t.awaited, atomic_load(&t.appended) + 2);
    start(&first);
    while (atomic_load(&t.sent) == before)
        sched_yield();
    start(&second);
    pthread_join(first.thread, NULL);
    pthread_join(second.thread, NULL);
    assert_int_equal(first.code, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT);
    assert_true(first.unknown);
    assert_int_equal(second.code, first.code);
    assert_false(second.unknown);
    assert_int_equal(second.message.offset, -1);
    assert_int_equal(atomic_load(&t.sent), before + 1);
    rd_kafka_mock_clear_request_errors(t.cluster, PRODUCE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_read_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_withdrawn, setup_brief, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
