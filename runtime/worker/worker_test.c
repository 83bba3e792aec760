/* Exactly once, counted: a pipeline that counts per key over a repartition topic runs against the
 * real broker; workers are killed with SIGKILL at every step of the commit cycle, and the counts
 * that became visible must be 1, 2, 3 … for each key, without gap or repeat.
 *
 *   worker_test PATH-OF-WEIR          the test
 *   worker_test --worker …            a worker of its own process, ended by the hook or by itself
 */
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "runtime/worker/client.h"
#include "runtime/worker/thread.h"
#include "runtime/worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { KEYS = 10, RECORDS = 90000, PARTITIONS = 2, WAIT_MS = 60000, NEVER = 1 << 30 };

static const char *weir_path, *self_path;
static char dir[64], bootstrap[64];
static pid_t broker;

/* ---- the worker process ---- */

static const char *kill_step;
static int kill_count, kill_signal = SIGKILL;

static void kill_here(const char *step)
{
    static _Atomic int seen;
    if (strcmp(step, kill_step) == 0 && ++seen == kill_count)
        kill(getpid(), kill_signal);
}

static void to_stderr(void *ctx, const struct bs_event *event, const char *text)
{
    (void)ctx;
    fprintf(stderr, "%d %lld %s %s\n", (int)getpid(), (long long)rt_now_ms(), event->id, text);
}

/* argv: --worker STATE-DIR FILE STEP COUNT BOOTSTRAP END-FILE. Ends with 0 when it has caught up
 * and END-FILE exists ("": at once). */
static int worker_main(char **argv)
{
    struct bs_config *config = bs_config_new(rt_worker_role.tables, rt_worker_role.table_count);
    const char *files[] = {argv[3], NULL};
    struct bs_error err = {0};
    struct bs_buf health = BS_BUF_INIT;
    void *self = NULL;
    int rc = 0;
    bs_log_set_sink(to_stderr, NULL);
    kill_step = argv[4];
    if (strncmp(kill_step, "sleep:", 6) == 0) {
        kill_step += 6;
        kill_signal = SIGSTOP;
    }
    kill_count = atoi(argv[5]);
    rt_commit_hook = kill_here;
    bs_config_set(config, "state.dir", argv[2], "test", NULL);
    bs_config_set(config, "listeners", "127.0.0.1:0", "test", NULL);
    bs_config_set(config, "bootstrap.servers", argv[6], "test", NULL);
    bs_config_set(config, "transaction.timeout.ms", "3s", "test", NULL);
    bs_config_set(config, "buffered.records.per.partition", "100", "test", NULL);
    bs_config_set(config, "repartition.partitions.min", "2", "test", NULL);
    rc = rt_worker_role.open(config, files, &self, &err);
    for (int waited = 0; rc >= 0; waited += 20) {
        bs_buf_reset(&health);
        rc = waited < WAIT_MS ? rt_worker_role.health(self, &health) : BS_ETIMEOUT;
        if (strstr(bs_buf_text(&health), "\"caught_up\":true") &&
            (!*argv[7] || access(argv[7], F_OK) == 0))
            break;
        usleep(20000);
    }
    if (rc != 0)
        fprintf(stderr, "worker: %s %s\n", err.text, bs_buf_text(&health));
    rt_worker_role.close(self);
    bs_buf_deinit(&health);
    bs_config_free(config);
    return rc == 0 ? 0 : 1;
}

static pid_t start_worker(const char *state, const char *file, const char *step, int count,
                          const char *end)
{
    char state_dir[128], number[16], log[128];
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    snprintf(state_dir, sizeof state_dir, "%s/%s", dir, state);
    snprintf(log, sizeof log, "%s/%s.log", dir, state);
    snprintf(number, sizeof number, "%d", count);
    if (!freopen(log, "a", stderr))
        _exit(126);
    execl(self_path, self_path, "--worker", state_dir, file, step, number, bootstrap, end,
          (char *)NULL);
    _exit(127);
}

static int wait_for(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

/* ---- the broker and the records ---- */

static int start_broker(void **state)
{
    char data[80], log[80], line[512];
    (void)state;
    strcpy(dir, "/tmp/weir-worker-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(data, sizeof data, "%s/broker", dir);
    snprintf(log, sizeof log, "%s/broker.log", dir);
    mkdir(data, 0777);
    broker = fork();
    if (broker == 0) {
        if (!freopen(log, "w", stderr))
            _exit(126);
        execl(weir_path, weir_path, "broker", "--data", data, "--listen", "127.0.0.1:0", "--set",
              "group.initial.rebalance.delay.ms=0", (char *)NULL);
        _exit(127);
    }
    for (int waited = 0; waited < WAIT_MS; waited += 20) {
        FILE *file = fopen(log, "r");
        while (file && fgets(line, sizeof line, file)) {
            const char *at = strstr(line, "broker.listening ");
            if (at && sscanf(at, "broker.listening %63[0-9.:]", bootstrap) == 1) {
                fclose(file);
                return 0;
            }
        }
        if (file)
            fclose(file);
        usleep(20000);
    }
    return -1;
}

static int stop_broker(void **state)
{
    char command[128];
    (void)state;
    kill(broker, SIGTERM);
    wait_for(broker);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command) == 0 ? 0 : -1;
}

static rd_kafka_t *client(rd_kafka_type_t type, const struct rt_client_option *options)
{
    struct rt_client_spec spec = {.type = type,
                                  .bootstrap = bootstrap,
                                  .client_id = "test",
                                  .options = options,
                                  .where = "test"};
    struct bs_error err = {0};
    rd_kafka_t *ret;
    if (rt_client_open(&spec, &ret, &err) != 0)
        fail_msg("%s", err.text);
    return ret;
}

static void make_topic(const char *name)
{
    static const struct rt_client_option NONE[] = {{0}};
    rd_kafka_t *admin = client(RD_KAFKA_PRODUCER, NONE);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(admin);
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, PARTITIONS, 1, NULL, 0);
    rd_kafka_event_t *event;
    rd_kafka_CreateTopics(admin, &topic, 1, NULL, queue);
    event = rd_kafka_queue_poll(queue, 20000);
    assert_non_null(event);
    assert_int_equal(rd_kafka_event_error(event), 0);
    rd_kafka_event_destroy(event);
    rd_kafka_NewTopic_destroy(topic);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(admin);
}

static void fill_topic(const char *name)
{
    static const struct rt_client_option OPTIONS[] = {{"enable.idempotence", "true"}, {0}};
    rd_kafka_t *producer = client(RD_KAFKA_PRODUCER, OPTIONS);
    for (int i = 0; i < RECORDS; i++) {
        char key[16];
        int len = snprintf(key, sizeof key, "key%d", i % KEYS);
        rd_kafka_resp_err_t code;
        while ((code = rd_kafka_producev(
                    producer, RD_KAFKA_V_TOPIC(name), RD_KAFKA_V_PARTITION(i / KEYS % PARTITIONS),
                    RD_KAFKA_V_KEY(key, (size_t)len), RD_KAFKA_V_VALUE("v", 1),
                    RD_KAFKA_V_TIMESTAMP(1000000 + i), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                    RD_KAFKA_V_END)) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
            rd_kafka_poll(producer, 10);
        assert_int_equal(code, 0);
    }
    assert_int_equal(rd_kafka_flush(producer, 30000), 0);
    rd_kafka_destroy(producer);
}

static void write_pipeline(const char *id, const char *guarantee, char path[128])
{
    FILE *file;
    snprintf(path, 128, "%s/%s.lua", dir, id);
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "local weir = require \"weir\"\n"
            "weir.app { id = \"%s\", guarantee = \"%s\", commit_interval = \"1ms\" }\n"
            "weir.stream(\"%s-in\", { key = \"string\", value = \"string\" })\n"
            "  :group_by(function(v, k) return \"by-\" .. k end)\n"
            "  :count()\n"
            "  :to_stream()\n"
            "  :to(\"%s-out\", { key = \"string\", value = \"int64\" })\n",
            id, guarantee, id, id);
    fclose(file);
}

/* Reads every committed record of a topic; counts[k] gets the last value; fails unless each key's
 * values are 1, 2, 3 … */
static int64_t read_counts(const char *topic, bool exact)
{
    static const struct rt_client_option OPTIONS[] = {{"group.id", "check"},
                                                      {"isolation.level", "read_committed"},
                                                      {"enable.auto.commit", "false"},
                                                      {"enable.partition.eof", "true"},
                                                      {0}};
    rd_kafka_t *consumer = client(RD_KAFKA_CONSUMER, OPTIONS);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS);
    int64_t last[KEYS] = {0}, records = 0, sum = 0;
    int32_t partitions = 0;
    struct bs_error err = {0};
    assert_int_equal(rt_client_partitions(consumer, topic, &partitions, &err), 0);
    for (int32_t p = 0; p < partitions; p++)
        rd_kafka_topic_partition_list_add(list, topic, p)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_poll_set_consumer(consumer);
    assert_int_equal(rd_kafka_assign(consumer, list), 0);
    while (partitions > 0) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(consumer, 10000);
        int key;
        int64_t value;
        assert_non_null(m);
        if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            partitions--;
        } else if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            assert_int_equal(m->len, 8);
            assert_int_equal(sscanf(m->key, "by-key%1d", &key), 1);
            value = (int64_t)bs_load_u64(m->payload);
            if (exact && value != last[key] + 1)
                fail_msg("key%d: %lld comes after %lld (offset %lld)", key, (long long)value,
                         (long long)last[key], (long long)m->offset);
            last[key] = value;
            records++;
        }
        rd_kafka_message_destroy(m);
    }
    for (int k = 0; k < KEYS; k++) {
        if (exact)
            assert_int_equal(last[k], RECORDS / KEYS);
        sum += last[k];
    }
    if (exact)
        assert_int_equal(records, RECORDS);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    return sum;
}

/* ---- the tests ---- */

static void until_logged(const char *state, const char *want)
{
    char log[128], line[1024];
    snprintf(log, sizeof log, "%s/%s.log", dir, state);
    for (int waited = 0; waited < WAIT_MS; waited += 20) {
        FILE *file = fopen(log, "r");
        bool found = false;
        while (file && !found && fgets(line, sizeof line, file))
            found = strstr(line, want) != NULL;
        if (file)
            fclose(file);
        if (found)
            return;
        usleep(20000);
    }
    fail_msg("%s does not say '%s'", state, want);
}

static void say_log(const char *state)
{
    char command[200];
    snprintf(command, sizeof command, "tail -40 %s/%s.log >&2", dir, state);
    (void)!system(command);
}

/* Until every record's output is committed. */
static void until_counted(const char *topic, const char *state)
{
    for (int waited = 0; waited < WAIT_MS; waited += 500) {
        if (read_counts(topic, false) == RECORDS)
            return;
        usleep(500000);
    }
    say_log(state);
    fail_msg("%s is never complete", topic);
}

static void expect_killed(int status, const char *state, const char *step)
{
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        say_log(state);
        fail_msg("the worker that was to be killed at '%s' ended with status %#x", step,
                 (unsigned)status);
    }
}

static void expect_well(int status, const char *state)
{
    if (status != 0) {
        say_log(state);
        fail_msg("the worker ended with status %#x", (unsigned)status);
    }
}

static void killed_at_every_step(void **state)
{
    static const char *const STEPS[] = {"flushed", "offsets-sent", "committed", "task-stored",
                                        "stored"};
    char file[128];
    (void)state;
    make_topic("exact-in");
    fill_topic("exact-in");
    write_pipeline("exact", "exactly_once", file);
    for (size_t i = 0; i < sizeof STEPS / sizeof STEPS[0]; i++)
        for (int count = 2; count <= 5; count += 3)
            expect_killed(wait_for(start_worker("exact", file, STEPS[i], count, "")), "exact",
                          STEPS[i]);
    expect_well(wait_for(start_worker("exact", file, "never", NEVER, "")), "exact");
    (void)read_counts("exact-out", true);
}

/* Both have their half before the first record comes; one dies with a transaction open; the other
 * takes its half over and finishes everything. */
static void one_of_two_workers_killed(void **state)
{
    char file[128], end[128];
    pid_t first, second;
    (void)state;
    snprintf(end, sizeof end, "%s/end", dir);
    make_topic("two-in");
    write_pipeline("two", "exactly_once", file);
    first = start_worker("two-a", file, "offsets-sent", 3, end);
    second = start_worker("two-b", file, "never", NEVER, end);
    until_logged("two-a", "worker.assigned two-0: 2 partitions");
    until_logged("two-b", "worker.assigned two-0: 2 partitions");
    fill_topic("two-in");
    expect_killed(wait_for(first), "two-a", "offsets-sent");
    until_counted("two-out", "two-b");
    close(open(end, O_CREAT | O_WRONLY, 0666));
    expect_well(wait_for(second), "two-b");
    (void)read_counts("two-out", true);
}

/* A worker that sleeps through its session and its transaction's time-out wakes up as a zombie:
 * what it had open must leave no trace, and it joins again. */
static void a_zombie_is_fenced(void **state)
{
    char file[128], end[128];
    pid_t first, second;
    int status;
    (void)state;
    snprintf(end, sizeof end, "%s/zombie-end", dir);
    make_topic("zombie-in");
    write_pipeline("zombie", "exactly_once", file);
    first = start_worker("zombie-a", file, "sleep:offsets-sent", 3, end);
    second = start_worker("zombie-b", file, "never", NEVER, end);
    until_logged("zombie-a", "worker.assigned zombie-0: 2 partitions");
    until_logged("zombie-b", "worker.assigned zombie-0: 2 partitions");
    fill_topic("zombie-in");
    assert_int_equal(waitpid(first, &status, WUNTRACED), first);
    assert_true(WIFSTOPPED(status));
    until_counted("zombie-out", "zombie-b"); /* it took everything over */
    kill(first, SIGCONT);
    until_logged("zombie-a", "worker.session-restart");
    close(open(end, O_CREAT | O_WRONLY, 0666));
    expect_well(wait_for(first), "zombie-a");
    expect_well(wait_for(second), "zombie-b");
    (void)read_counts("zombie-out", true);
}

/* A worker with another version of the file is refused while one of the group runs. */
static void another_version_is_refused(void **state)
{
    char file[128], end[128];
    FILE *out;
    pid_t first;
    (void)state;
    snprintf(end, sizeof end, "%s/version-end", dir);
    make_topic("version-in");
    make_topic("other-in");
    write_pipeline("version", "exactly_once", file);
    first = start_worker("version-a", file, "never", NEVER, end);
    until_logged("version-a", "worker.assigned version-0: 4 partitions");
    out = fopen(file, "a");
    assert_non_null(out);
    fprintf(out, "weir.stream(\"other-in\"):to(\"version-out\")\n");
    fclose(out);
    assert_int_not_equal(wait_for(start_worker("version-b", file, "never", NEVER, "")), 0);
    until_logged("version-b", "runs another version of this file");
    close(open(end, O_CREAT | O_WRONLY, 0666));
    expect_well(wait_for(first), "version-a");
}

static void at_least_once_loses_nothing(void **state)
{
    char file[128];
    (void)state;
    make_topic("least-in");
    fill_topic("least-in");
    write_pipeline("least", "at_least_once", file);
    expect_killed(wait_for(start_worker("least", file, "flushed", 3, "")), "least", "flushed");
    expect_killed(wait_for(start_worker("least", file, "stored", 2, "")), "least", "stored");
    expect_well(wait_for(start_worker("least", file, "never", NEVER, "")), "least");
    assert_true(read_counts("least-out", false) >= RECORDS);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_every_step),        cmocka_unit_test(one_of_two_workers_killed),
        cmocka_unit_test(a_zombie_is_fenced),          cmocka_unit_test(another_version_is_refused),
        cmocka_unit_test(at_least_once_loses_nothing),
    };
    self_path = argv[0];
    if (argc == 8 && strcmp(argv[1], "--worker") == 0)
        return worker_main(argv);
    if (argc != 2) {
        fprintf(stderr, "usage: %s PATH-OF-WEIR\n", argv[0]);
        return 2;
    }
    weir_path = argv[1];
    return cmocka_run_group_tests(tests, start_broker, stop_broker);
}
