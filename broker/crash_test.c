/* The broker killed with SIGKILL again and again while a transactional producer works: at the end a
 * read_committed consumer sees each transaction whole or not at all, every one whose commit was
 * acknowledged, none that was aborted; and the group's offset is that of a transaction that was not
 * aborted, not older than the last one acknowledged.
 *
 * argv[1]: the broker's program (broker_main.c). WEIR_CRASHES: how often (6). */
#include "lib/base/mem.h"

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { WAIT_MS = 30000, TXN_MAX = 20000, PARTITIONS = 2, EACH = 3 };

enum outcome { UNKNOWN, COMMITTED, ABORTED };

static const char *program;

struct world {
    char dir[64], listen[64];
    pid_t pid;
    atomic_bool done; /* the killer has had enough */
    int crashes;
    enum outcome outcomes[TXN_MAX];
    int txn_count;
};

static void start(struct world *w, const char *listen)
{
    char line[512] = "", listeners[96], dirs[96];
    int out[2];
    FILE *in;
    char *at;
    snprintf(listeners, sizeof listeners, "listeners=%s", listen);
    snprintf(dirs, sizeof dirs, "log.dirs=%s", w->dir);
    assert_int_equal(pipe(out), 0);
    w->pid = fork();
    if (w->pid == 0) {
        dup2(out[1], 1);
        close(out[0]);
        close(out[1]);
        if (!getenv("WEIR_VERBOSE") && !freopen("/dev/null", "w", stderr))
            _exit(3);
        execl(program, program, listeners, dirs, "group.initial.rebalance.delay.ms=0",
              "weir.coordinator.rewrite.bytes=4K", NULL);
        _exit(3);
    }
    close(out[1]);
    in = fdopen(out[0], "r");
    if (!fgets(line, sizeof line, in))
        fail_msg("the broker did not start");
    fclose(in);
    at = strstr(line, "\"listen\":\"");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "\"listen\":\"%63[^\"]", w->listen), 1);
}

static void *killer(void *ctx)
{
    struct world *w = ctx;
    unsigned seed = 4711;
    char listen[64];
    snprintf(listen, sizeof listen, "%s", w->listen);
    for (int i = 0; i < w->crashes; i++) {
        usleep(200000 + (useconds_t)rand_r(&seed) % 700000);
        kill(w->pid, SIGKILL);
        waitpid(w->pid, NULL, 0);
        start(w, listen);
    }
    atomic_store(&w->done, true);
    return NULL;
}

static rd_kafka_t *client(struct world *w, rd_kafka_type_t type, const char *const *settings)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_t *rk;
    rd_kafka_conf_set(conf, "bootstrap.servers", w->listen, text, sizeof text);
    rd_kafka_conf_set(conf, "log_level", getenv("WEIR_VERBOSE") ? "6" : "0", text, sizeof text);
    rd_kafka_conf_set(conf, "reconnect.backoff.max.ms", "200", text, sizeof text);
    for (; *settings; settings += 2)
        if (rd_kafka_conf_set(conf, settings[0], settings[1], text, sizeof text))
            fail_msg("%s", text);
    rk = rd_kafka_new(type, conf, text, sizeof text);
    assert_non_null(rk);
    if (type == RD_KAFKA_CONSUMER)
        rd_kafka_poll_set_consumer(rk);
    return rk;
}

/* A producer that owns the transactional id; whatever was open is aborted by taking over. */
static rd_kafka_t *producer(struct world *w)
{
    static const char *const SETTINGS[] = {"transactional.id", "crash", "transaction.timeout.ms",
                                           "20000", NULL};
    for (int i = 0; i < 20; i++) {
        rd_kafka_t *rk = client(w, RD_KAFKA_PRODUCER, SETTINGS);
        rd_kafka_error_t *error = rd_kafka_init_transactions(rk, WAIT_MS);
        if (!error)
            return rk;
        print_message("init: %s\n", rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        rd_kafka_destroy(rk);
    }
    fail_msg("no transactional producer");
    return NULL;
}

static rd_kafka_error_t *send_offset(rd_kafka_t *rk, rd_kafka_t *consumer, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(consumer);
    rd_kafka_error_t *error;
    rd_kafka_topic_partition_list_add(list, "crash", 0)->offset = offset;
    error = rd_kafka_send_offsets_to_transaction(rk, list, group, WAIT_MS);
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(list);
    return error;
}

/* 0: it ended as intended; 1: it was aborted instead; -1: unknown, the producer is finished. */
static int one_txn(rd_kafka_t *rk, rd_kafka_t *consumer, int i, bool commit)
{
    rd_kafka_error_t *error = rd_kafka_begin_transaction(rk);
    int result = 0;
    for (int k = 0; !error && k < PARTITIONS * EACH; k++) {
        char value[32];
        int len = snprintf(value, sizeof value, "%d", i);
        if (rd_kafka_producev(rk, RD_KAFKA_V_TOPIC("crash"), RD_KAFKA_V_PARTITION(k % PARTITIONS),
                              RD_KAFKA_V_VALUE(value, (size_t)len),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END))
            return -1;
    }
    if (!error)
        error = send_offset(rk, consumer, i + 1);
    if (!error)
        error = commit ? rd_kafka_commit_transaction(rk, WAIT_MS)
                       : rd_kafka_abort_transaction(rk, WAIT_MS);
    while (error) {
        bool fatal = rd_kafka_error_is_fatal(error);
        bool retriable = rd_kafka_error_is_retriable(error);
        bool must_abort = rd_kafka_error_txn_requires_abort(error);
        if (getenv("WEIR_VERBOSE"))
            print_message("txn %d: %s\n", i, rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        if (fatal || !(must_abort || retriable))
            return -1;
        if (must_abort) {
            result = commit ? 1 : 0;
            commit = false;
        }
        error = commit ? rd_kafka_commit_transaction(rk, WAIT_MS)
                       : rd_kafka_abort_transaction(rk, WAIT_MS);
    }
    return result;
}

static void work(struct world *w)
{
    static const char *const GROUP[] = {"group.id", "crash", NULL};
    rd_kafka_t *consumer = client(w, RD_KAFKA_CONSUMER, GROUP);
    rd_kafka_t *rk = producer(w);
    while (!atomic_load(&w->done) && w->txn_count < TXN_MAX) {
        int i = w->txn_count++;
        bool commit = i % 3 != 2;
        int result = one_txn(rk, consumer, i, commit);
        if (result < 0) {
            rd_kafka_destroy(rk);
            rk = producer(w);
        } else {
            w->outcomes[i] = commit && result == 0 ? COMMITTED : ABORTED;
        }
    }
    rd_kafka_destroy(rk);
    rk = producer(w); /* nothing stays open */
    rd_kafka_destroy(rk);
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
}

static int *read_counts(struct world *w)
{
    static const char *const SETTINGS[] = {"group.id",
                                           "verify",
                                           "auto.offset.reset",
                                           "earliest",
                                           "isolation.level",
                                           "read_committed",
                                           "enable.partition.eof",
                                           "true",
                                           NULL};
    rd_kafka_t *rk = client(w, RD_KAFKA_CONSUMER, SETTINGS);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS);
    int *counts = bs_array(TXN_MAX, sizeof *counts);
    for (int p = 0; p < PARTITIONS; p++)
        rd_kafka_topic_partition_list_add(list, "crash", p)->offset = RD_KAFKA_OFFSET_BEGINNING;
    assert_int_equal(rd_kafka_assign(rk, list), 0);
    rd_kafka_topic_partition_list_destroy(list);
    for (int ends = 0; ends < PARTITIONS;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, WAIT_MS);
        assert_non_null(message);
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            ends++;
        } else if (!message->err) {
            char text[32] = "";
            assert_true(message->len < sizeof text);
            memcpy(text, message->payload, message->len);
            counts[atoi(text)]++;
        }
        rd_kafka_message_destroy(message);
    }
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return counts;
}

static int64_t committed_offset(struct world *w)
{
    static const char *const GROUP[] = {"group.id", "crash", NULL};
    rd_kafka_t *rk = client(w, RD_KAFKA_CONSUMER, GROUP);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    int64_t offset;
    rd_kafka_topic_partition_list_add(list, "crash", 0);
    assert_int_equal(rd_kafka_committed(rk, list, WAIT_MS), 0);
    offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return offset;
}

static void create_topic(struct world *w)
{
    static const char *const NOTHING[] = {NULL};
    rd_kafka_t *rk = client(w, RD_KAFKA_PRODUCER, NOTHING);
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new("crash", PARTITIONS, 1, NULL, 0);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_event_t *event;
    rd_kafka_CreateTopics(rk, &topic, 1, NULL, queue);
    event = rd_kafka_queue_poll(queue, WAIT_MS);
    assert_non_null(event);
    assert_int_equal(rd_kafka_event_error(event), 0);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(topic);
    rd_kafka_destroy(rk);
}

static void test_crashes(void **state)
{
    struct world *w = bs_new(struct world);
    const char *given = getenv("WEIR_CRASHES");
    int kinds[3] = {0}, last_committed = -1, *counts;
    int64_t offset;
    pthread_t thread;
    char *command;
    (void)state;
    w->crashes = given ? atoi(given) : 6;
    snprintf(w->dir, sizeof w->dir, "/tmp/weir-crash-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    start(w, "127.0.0.1:0");
    create_topic(w);
    assert_int_equal(pthread_create(&thread, NULL, killer, w), 0);
    work(w);
    pthread_join(thread, NULL);
    counts = read_counts(w);
    for (int i = 0; i < w->txn_count; i++) {
        kinds[w->outcomes[i]]++;
        if (counts[i] != 0 && counts[i] != PARTITIONS * EACH)
            fail_msg("transaction %d is torn: %d records", i, counts[i]);
        if (w->outcomes[i] == COMMITTED && counts[i] == 0)
            fail_msg("transaction %d was committed and is not there", i);
        if (w->outcomes[i] == ABORTED && counts[i] != 0)
            fail_msg("transaction %d was aborted and is there", i);
        if (counts[i])
            last_committed = i;
    }
    offset = committed_offset(w);
    print_message("%d committed, %d aborted, %d unknown; offset %lld\n", kinds[COMMITTED],
                  kinds[ABORTED], kinds[UNKNOWN], (long long)offset);
    assert_int_equal(offset, last_committed + 1);
    kill(w->pid, SIGTERM);
    waitpid(w->pid, NULL, 0);
    command = bs_asprintf("rm -rf '%s'", w->dir);
    assert_int_equal(system(command), 0);
    bs_free(command);
    bs_free(counts);
    bs_free(w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_crashes)};
    program = argc > 1 ? argv[1] : "./weir_broker_main";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
