/* The broker killed (SIGKILL) at random moments, again and again, under an idempotent producer and
 * a transactional one. Then: every record that was acknowledged is at the offset it was
 * acknowledged with; no value is there twice; values of one partition rise; a committed transaction
 * is in both of its partitions, an aborted one in none, one of unknown end in both or none.
 *
 *   kill_test BROKER [KILLS [SEED]]      BROKER: the program weir_broker_main; default 8 kills
 *
 * The main thread kills and starts; one thread per producer. They share nothing but `stopping`. */
#include "lib/base/mem.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PARTITIONS = 3, VALUES_MAX = 2000000 };
enum fate { NOT_SENT, UNKNOWN, DONE, ABORTED };

static atomic_bool stopping;
static char bootstrap[32];

struct outcome { /* of one value or transaction */
    enum fate fate;
    int32_t partition;
    int64_t offset;
};

static struct outcome *sent, *txns; /* by value; each written by one thread */
static int64_t sent_count, txn_count;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "kill_test: %s: %s\n", what, why);
    exit(1);
}

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- broker
 * -------------------------------------------------------------------------------------- */

static uint16_t free_port(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, "127.0.0.1", &addr.sin_addr);
    if (fd < 0 || bind(fd, (void *)&addr, sizeof addr) || getsockname(fd, (void *)&addr, &len))
        die("port", "none is free");
    close(fd);
    return ntohs(addr.sin_port);
}

/* Returns when it listens: it says so on its standard output. *ret_ms is how long that took. */
static pid_t broker_start(const char *program, const char *dir, int64_t *ret_ms)
{
    int out[2];
    char dirs[128], listeners[64], line[512] = "";
    int64_t began = now_ms();
    snprintf(dirs, sizeof dirs, "log.dirs=%s", dir);
    snprintf(listeners, sizeof listeners, "listeners=%s", bootstrap);
    if (pipe(out))
        die("pipe", "failed");
    pid_t pid = fork();
    if (pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        close(out[1]);
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that gives up leaves no broker behind */
        execl(program, program, dirs, listeners, "log.segment.bytes=1000000",
              "group.initial.rebalance.delay.ms=0", (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    FILE *lines = fdopen(out[0], "r");
    if (!lines || !fgets(line, sizeof line, lines) || !strstr(line, "\"listen\""))
        die("the broker did not start", line);
    fclose(lines);
    *ret_ms = now_ms() - began;
    return pid;
}

/* ---- clients
 * -------------------------------------------------------------------------------------- */

static rd_kafka_t *client(rd_kafka_type_t type, const char *const *options,
                          void (*delivered)(rd_kafka_t *, const rd_kafka_message_t *, void *))
{
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, why, sizeof why);
    rd_kafka_conf_set(conf, "reconnect.backoff.ms", "20", why, sizeof why);
    rd_kafka_conf_set(conf, "reconnect.backoff.max.ms", "100", why, sizeof why);
    rd_kafka_conf_set(conf, "log_level", "2", why, sizeof why);
    for (; *options; options += 2)
        if (rd_kafka_conf_set(conf, options[0], options[1], why, sizeof why) != RD_KAFKA_CONF_OK)
            die(options[0], why);
    if (delivered)
        rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof why);
    if (!rk)
        die("client", why);
    return rk;
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk, (void)opaque;
    struct outcome *outcome = &sent[(intptr_t)message->_private];
    if (message->err) {
        fprintf(stderr, "value %" PRIdPTR ": %s\n", (intptr_t)message->_private,
                rd_kafka_err2str(message->err));
        return; /* stays UNKNOWN */
    }
    outcome->offset = message->offset;
    outcome->fate = DONE;
}

static void *idempotent(void *ctx)
{
    (void)ctx;
    static const char *const options[] = {"enable.idempotence", "true",   "linger.ms", "2",
                                          "message.timeout.ms", "120000", NULL};
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, options, on_delivery);
    while (!stopping && sent_count < VALUES_MAX) {
        int64_t value = sent_count;
        char text[64];
        int len = snprintf(text, sizeof text, "%" PRId64, value);
        sent[value].fate = UNKNOWN;
        sent[value].partition = (int32_t)(value % PARTITIONS);
        rd_kafka_resp_err_t err = rd_kafka_producev(
            rk, RD_KAFKA_V_TOPIC("plain"), RD_KAFKA_V_PARTITION(sent[value].partition),
            RD_KAFKA_V_VALUE(text, (size_t)len), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_OPAQUE((void *)(intptr_t)value), RD_KAFKA_V_END);
        if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
            sent_count++;
        rd_kafka_poll(rk, err ? 10 : value % 50 == 0 ? 1 : 0);
    }
    if (rd_kafka_flush(rk, 120000))
        die("flush", "not all was delivered in two minutes");
    rd_kafka_destroy(rk);
    return NULL;
}

/* 0 done, 1 abort it, 2 the end is unknown and the producer is of no more use. */
static int txn_check(rd_kafka_error_t *error, const char *what)
{
    if (!error)
        return 0;
    int result = rd_kafka_error_is_fatal(error) ? 2 : 1;
    if (result == 2)
        fprintf(stderr, "transaction %s: %s\n", what, rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return result;
}

static int txn_commit(rd_kafka_t *rk)
{
    for (;;) {
        rd_kafka_error_t *error = rd_kafka_commit_transaction(rk, 60000);
        if (!error || !rd_kafka_error_is_retriable(error))
            return txn_check(error, "commit");
        rd_kafka_error_destroy(error);
    }
}

static rd_kafka_t *txn_open(void)
{
    static const char *const options[] = {"transactional.id",       "killed", "linger.ms", "1",
                                          "transaction.timeout.ms", "60000",  NULL};
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, options, NULL);
    for (;;) {
        rd_kafka_error_t *error = rd_kafka_init_transactions(rk, 60000);
        if (!error)
            return rk;
        bool retriable = rd_kafka_error_is_retriable(error);
        if (!retriable)
            die("init_transactions", rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
    }
}

static void *transactional(void *ctx)
{
    (void)ctx;
    rd_kafka_t *rk = txn_open();
    while (!stopping && txn_count < VALUES_MAX) {
        int64_t id = txn_count++;
        char text[64];
        int len = snprintf(text, sizeof text, "%" PRId64, id);
        txns[id].fate = UNKNOWN;
        int result = txn_check(rd_kafka_begin_transaction(rk), "begin");
        for (int32_t p = 0; p < 2 && !result; p++)
            if (rd_kafka_producev(rk, RD_KAFKA_V_TOPIC("txn"), RD_KAFKA_V_PARTITION(p),
                                  RD_KAFKA_V_VALUE(text, (size_t)len),
                                  RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END))
                result = 1;
        if (!result && id % 4 != 3) {
            result = txn_commit(rk);
            if (!result)
                txns[id].fate = DONE;
        } else if (!result) {
            result = 1;
        }
        if (result == 1) { /* asked for, or the commit said so */
            result = txn_check(rd_kafka_abort_transaction(rk, 60000), "abort");
            if (!result)
                txns[id].fate = ABORTED;
        }
        if (result) {
            rd_kafka_destroy(rk);
            rk = txn_open();
        }
    }
    rd_kafka_destroy(rk);
    return NULL;
}

/* ---- verdict
 * --------------------------------------------------------------------------------------- */

typedef void visit(int32_t partition, int64_t offset, int64_t value);

/* Reads every partition of a topic to its end. */
static void read_topic(const char *topic, int partitions, const char *isolation, visit *seen)
{
    const char *options[] = {"group.id",
                             "verdict",
                             "enable.auto.commit",
                             "false",
                             "enable.partition.eof",
                             "true",
                             "isolation.level",
                             isolation,
                             "check.crcs",
                             "true",
                             NULL};
    rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, options, NULL);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int i = 0; i < partitions; i++)
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(rk, list);
    int64_t deadline = now_ms() + 60000;
    for (int ended = 0; ended < partitions;) {
        if (now_ms() > deadline)
            die(topic, "cannot be read to its end in a minute");
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 1000);
        if (!m)
            continue;
        if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            ended++;
        else if (m->err)
            die(topic, rd_kafka_message_errstr(m));
        else
            seen(m->partition, m->offset, strtoll(m->payload, NULL, 10));
        rd_kafka_message_destroy(m);
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
}

static int64_t wrong, *found_at, last_value[PARTITIONS];
static uint8_t *txn_seen;

static void see_plain(int32_t partition, int64_t offset, int64_t value)
{
    if (value < 0 || value >= sent_count || found_at[value] >= 0 ||
        sent[value].partition != partition || value <= last_value[partition]) {
        fprintf(stderr, "value %" PRId64 " at %" PRId32 "/%" PRId64 ": twice or out of order\n",
                value, partition, offset);
        wrong++;
        return;
    }
    last_value[partition] = value;
    found_at[value] = offset;
}

static void see_txn(int32_t partition, int64_t offset, int64_t value)
{
    uint8_t bit = (uint8_t)(1 << partition);
    if (value < 0 || value >= txn_count || (txn_seen[value] & bit) || txns[value].fate == ABORTED) {
        fprintf(stderr, "transaction %" PRId64 " at %" PRId32 "/%" PRId64 ": twice or aborted\n",
                value, partition, offset);
        wrong++;
        return;
    }
    txn_seen[value] |= bit;
}

static void verdict(void)
{
    int64_t acked = 0, committed = 0;
    found_at = bs_array((size_t)sent_count + 1, sizeof *found_at);
    txn_seen = bs_array((size_t)txn_count + 1, 1);
    memset(found_at, 0xff, (size_t)sent_count * sizeof *found_at);
    memset(last_value, 0xff, sizeof last_value);
    read_topic("plain", PARTITIONS, "read_uncommitted", see_plain);
    read_topic("txn", 2, "read_committed", see_txn);
    for (int64_t i = 0; i < sent_count; i++) {
        acked += sent[i].fate == DONE;
        if (sent[i].fate == DONE && sent[i].offset != found_at[i]) {
            fprintf(stderr, "value %" PRId64 " acknowledged at %" PRId64 ", found at %" PRId64 "\n",
                    i, sent[i].offset, found_at[i]);
            wrong++;
        }
    }
    for (int64_t i = 0; i < txn_count; i++) {
        committed += txns[i].fate == DONE;
        if ((txns[i].fate == DONE && txn_seen[i] != 3) || (txn_seen[i] != 0 && txn_seen[i] != 3)) {
            fprintf(stderr, "transaction %" PRId64 " is in partitions %d, fate %d\n", i,
                    txn_seen[i], (int)txns[i].fate);
            wrong++;
        }
    }
    printf("{\"values\":%" PRId64 ",\"acknowledged\":%" PRId64 ",\"transactions\":%" PRId64
           ",\"committed\":%" PRId64 ",\"wrong\":%" PRId64 "}\n",
           sent_count, acked, txn_count, committed, wrong);
    if (acked == 0 || committed == 0)
        die("verdict", "nothing was acknowledged");
    bs_free(found_at);
    bs_free(txn_seen);
}

static void make_topics(void)
{
    static const char *const options[] = {NULL};
    char why[256];
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, options, NULL);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_NewTopic_t *topics[] = {
        rd_kafka_NewTopic_new("plain", PARTITIONS, 1, why, sizeof why),
        rd_kafka_NewTopic_new("txn", 2, 1, why, sizeof why),
    };
    rd_kafka_CreateTopics(rk, topics, 2, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 20000);
    if (!event || rd_kafka_event_error(event))
        die("topics", event ? rd_kafka_event_error_string(event) : "no answer");
    rd_kafka_event_destroy(event);
    rd_kafka_NewTopic_destroy_array(topics, 2);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(rk);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        die("usage", "kill_test BROKER [KILLS [SEED]]");
    int kills = argc > 2 ? atoi(argv[2]) : 8;
    unsigned seed = argc > 3 ? (unsigned)atoi(argv[3]) : (unsigned)getpid();
    char dir[] = "/tmp/weir-kill.XXXXXX";
    int64_t ms = 0, slowest_ms = 0;
    pthread_t threads[2];
    if (!mkdtemp(dir))
        die("folder", "cannot be made");
    snprintf(bootstrap, sizeof bootstrap, "127.0.0.1:%u", free_port());
    printf("seed %u\n", seed);
    srand(seed);
    sent = bs_array(VALUES_MAX, sizeof *sent);
    txns = bs_array(VALUES_MAX, sizeof *txns);
    pid_t broker = broker_start(argv[1], dir, &ms);
    make_topics();
    pthread_create(&threads[0], NULL, idempotent, NULL);
    pthread_create(&threads[1], NULL, transactional, NULL);
    for (int i = 0; i < kills; i++) {
        /* The moment of the kill is what is tried here; nothing waits for this time to pass. */
        usleep((useconds_t)(20 + rand() % 600) * 1000);
        kill(broker, SIGKILL);
        waitpid(broker, NULL, 0);
        broker = broker_start(argv[1], dir, &ms);
        slowest_ms = ms > slowest_ms ? ms : slowest_ms;
    }
    usleep(300000);
    stopping = true;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    verdict();
    printf("{\"kills\":%d,\"slowest_start_ms\":%" PRId64 "}\n", kills, slowest_ms);
    kill(broker, SIGTERM);
    waitpid(broker, NULL, 0);
    char *command = bs_asprintf("rm -rf -- %s", dir);
    if (!wrong && system(command) != 0)
        wrong++;
    if (wrong)
        fprintf(stderr, "kill_test: seed %u, data left in %s\n", seed, dir);
    bs_free(command);
    bs_free(sent);
    bs_free(txns);
    return wrong ? 1 : 0;
}
