/* The connector host against the broker of this build: files to topics to files, restarts, errors.
 * Arguments: the build folder (weir, lib/weir/connectors). Exit status 77 (skipped) without weir.
 */
#include "runtime/connect/host.h"

#include "lib/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>

static char folder[64], build[4096], bootstrap[64];
static pid_t broker;
static struct rt_connect_host *host;

static const char *path_of(const char *name)
{
    static char path[8][160];
    static int turn;
    char *at = path[turn++ % 8];
    snprintf(at, sizeof(path[0]), "%s/%s", folder, name);
    return at;
}

static const char *file_put(const char *name, const char *text)
{
    const char *path = path_of(name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

static char *file_get(const char *name)
{
    static char text[65536];
    FILE *f = fopen(path_of(name), "r");
    size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
    if (f)
        fclose(f);
    text[n] = 0;
    return text;
}

static void pause_short(void)
{
    struct timespec pause = {.tv_nsec = 20000000};
    nanosleep(&pause, NULL);
}

static int free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int ok = bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
             getsockname(fd, (struct sockaddr *)&at, &len) == 0;
    close(fd);
    return ok ? ntohs(at.sin_port) : 0;
}

static bool reachable(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
    close(fd);
    return ok;
}

static bool broker_start(void)
{
    char weir[4200];
    int port = free_port();
    snprintf(weir, sizeof(weir), "%s/weir", build);
    snprintf(bootstrap, sizeof(bootstrap), "127.0.0.1:%d", port);
    broker = fork();
    if (broker == 0) {
        int log = open(path_of("broker.log"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(log, 1);
        dup2(log, 2);
        execl(weir, "weir", "broker", "--data", path_of("data"), "--listen", bootstrap, "--set",
              "group.initial.rebalance.delay.ms=0", NULL);
        _exit(127);
    }
    for (int i = 0; i < 500; i++) {
        if (waitpid(broker, NULL, WNOHANG) == broker) {
            broker = 0;
            return false;
        }
        if (reachable(port))
            return true;
        pause_short();
    }
    return false;
}

static void host_open(void)
{
    struct bs_error err = {0};
    char plugins[4200];
    snprintf(plugins, sizeof(plugins), "%s/lib/weir/connectors", build);
    struct rt_connect_options options = {.bootstrap = bootstrap, .plugin_dir = plugins};
    if (rt_connect_open(&options, &host, &err) < 0)
        fail_msg("%s", err.text);
}

static int apply(const char *name, const char *text, struct bs_error *err)
{
    *err = (struct bs_error){0};
    return rt_connect_apply_file(host, file_put(name, text), err);
}

/* Until the condition or 30 s; what rt_connect_caught_up last said. */
static int caught_up(struct bs_error *err)
{
    bool done = false;
    for (int i = 0; i < 1500; i++) {
        int result = rt_connect_caught_up(host, &done, err);
        if (result < 0 || done)
            return result;
        pause_short();
    }
    return BS_ETIMEOUT;
}

static bool file_becomes(const char *name, const char *text)
{
    for (int i = 0; i < 1500; i++) {
        if (!strcmp(file_get(name), text))
            return true;
        pause_short();
    }
    return false;
}

static void test_file_to_file(void **state)
{
    (void)state;
    struct bs_error err;
    bool complete = false;
    file_put("in.csv", "id,name\n1,one\n2,\"two, or so\"\n3,three\n");
    assert_int_equal(apply("source.json",
                           "{\"name\":\"src\",\"config\":{\"connector.class\":\"file-source\","
                           "\"file\":\"in.csv\",\"topic\":\"rows\",\"format\":\"csv\",\"bounded\":"
                           "true,\"key.field\":\"id\",\"topic.creation.default.partitions\":1}}",
                           &err),
                     0);
    assert_int_equal(apply("sink.json",
                           "{\"name\":\"snk\",\"config\":{\"connector.class\":\"file-sink\","
                           "\"file\":\"out.jsonl\",\"topics\":\"rows\",\"format\":\"jsonl\"}}",
                           &err),
                     0);
    assert_int_equal(caught_up(&err), 0);
    assert_int_equal(rt_connect_topic_complete(host, "rows", &complete, &err), 0);
    assert_true(complete);
    assert_int_equal(rt_connect_topic_complete(host, "no-such-topic", &complete, &err), 0);
    assert_true(complete);
    static const char want[] = "{\"id\":\"1\",\"name\":\"one\"}\n"
                               "{\"id\":\"2\",\"name\":\"two, or so\"}\n"
                               "{\"id\":\"3\",\"name\":\"three\"}\n";
    assert_string_equal(file_get("out.jsonl"), want);

    /* What is kept in the topics is enough to go on: nothing comes twice. */
    rt_connect_close(host);
    host_open();
    assert_int_equal(caught_up(&err), 0);
    assert_string_equal(file_get("out.jsonl"), want);
}

static void test_class_names_of_kafka(void **state)
{
    (void)state;
    struct bs_error err;
    file_put("lines.txt", "a\nb\n");
    assert_int_equal(apply("stream-source.json",
                           "{\"name\":\"stream-src\",\"config\":{\"connector.class\":"
                           "\"FileStreamSource\",\"file\":"
                           "\"lines.txt\",\"topic\":\"lines\",\"tasks.max\":\"3\"}}",
                           &err),
                     0);
    assert_int_equal(
        apply("stream-sink.json",
              "{\"name\":\"stream-snk\",\"config\":{\"connector.class\":"
              "\"org.apache.kafka.connect.file.FileStreamSinkConnector\",\"file\":\"lines.out\","
              "\"topics\":\"lines\",\"key.converter\":"
              "\"org.apache.kafka.connect.storage.StringConverter\"}}",
              &err),
        0);
    assert_true(file_becomes("lines.out", "a\nb\n"));
    FILE *f = fopen(path_of("lines.txt"), "a");
    fputs("c\n", f);
    fclose(f);
    assert_true(file_becomes("lines.out", "a\nb\nc\n"));
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *config, *want;
    } rows[] = {
        {"\"connector.class\":\"file-source\",\"fil\":\"x\",\"topic\":\"t\"", "did you mean file?"},
        {"\"connector.class\":\"file-source\",\"file\":\"x\"",
         "topic: Missing required configuration"},
        {"\"connector.class\":\"nope\"",
         "which name matches nope, available connectors are: file-s"},
        {"\"file\":\"x\"", "contains no connector type"},
        {"\"connector.class\":\"file-sink\",\"file\":\"x\",\"topics\":\"t\",\"transforms\":\"a\"",
         "transforms are not supported yet"},
        {"\"connector.class\":\"file-sink\",\"file\":\"x\",\"topics\":\"t\",\"value.converter\":"
         "\"x\"",
         "converters are string, json, avro"},
        {"\"connector.class\":\"file-sink\",\"file\":\"${env:WEIR_TEST_NOT_SET}\",\"topics\":\"t\"",
         "environment variable WEIR_TEST_NOT_SET is not set"},
        {"\"connector.class\":\"JdbcSinkConnector\",\"topics\":\"t\",\"connection.url\":"
         "\"mysql://h/secret\"",
         "connection.url cannot be read"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bs_error err;
        char text[600];
        snprintf(text, sizeof(text), "{\"name\":\"bad\",\"config\":{%s}}", rows[i].config);
        assert_true(apply("bad.json", text, &err) < 0);
        if (!strstr(err.text, rows[i].want) || strstr(err.text, "secret"))
            fail_msg("%s\n  lacks: %s", err.text, rows[i].want);
        assert_non_null(strstr(err.text, "bad.json"));
    }
}

static void test_dead_letters(void **state)
{
    (void)state;
    struct bs_error err;
    file_put("mixed.txt", "{\"a\":1}\nnot json\n{\"a\":2}\n");
    assert_int_equal(apply("mixed.json",
                           "{\"name\":\"mixed\",\"config\":{\"connector.class\":\"file-source\","
                           "\"file\":\"mixed.txt\",\"topic\":\"mixed\",\"bounded\":\"true\"}}",
                           &err),
                     0);
    assert_int_equal(
        apply(
            "mixed-sink.json",
            "{\"name\":\"mixed-sink\",\"config\":{\"connector.class\":\"file-sink\",\"file\":"
            "\"good.jsonl\",\"topics\":\"mixed\",\"format\":\"jsonl\",\"errors.tolerance\":\"all\","
            "\"errors.deadletterqueue.topic.name\":\"letters\","
            "\"errors.deadletterqueue.topic.replication.factor\":\"1\"}}",
            &err),
        0);
    assert_int_equal(apply("letters.json",
                           "{\"name\":\"letters\",\"config\":{\"connector.class\":\"file-sink\","
                           "\"file\":\"letters.txt\",\"topics\":\"letters\"}}",
                           &err),
                     0);
    assert_true(file_becomes("good.jsonl", "{\"a\":1}\n{\"a\":2}\n"));
    assert_true(file_becomes("letters.txt", "not json\n"));
}

static void test_failed(void **state)
{
    (void)state;
    struct bs_error err;
    bool complete;
    file_put("broken.jsonl", "{\"a\":1}\n{\"a\":\n");
    assert_int_equal(apply("broken.json",
                           "{\"name\":\"broken\",\"config\":{\"connector.class\":\"file-source\","
                           "\"file\":\"broken.jsonl\",\"topic\":\"broken\",\"format\":\"jsonl\","
                           "\"bounded\":\"true\"}}",
                           &err),
                     0);
    assert_int_equal(caught_up(&err), BS_ESTATE);
    assert_non_null(strstr(err.text, "connector broken, task 0 failed: "));
    assert_non_null(strstr(err.text, "broken.jsonl:2: column "));
    assert_int_equal(rt_connect_topic_complete(host, "broken", &complete, &err), BS_ESTATE);
    assert_int_equal(rt_connect_topic_complete(host, "rows", &complete, &err), 0);
    assert_true(complete); /* the others are not touched */
}

int main(int argc, char **argv)
{
    char command[128], weir[4200];
    snprintf(build, sizeof(build), "%s", argc > 1 ? argv[1] : ".");
    snprintf(weir, sizeof(weir), "%s/weir", build);
    snprintf(folder, sizeof(folder), "/tmp/weir-connect-XXXXXX");
    if (!mkdtemp(folder))
        return 1;
    int failed = 77;
    if (access(weir, X_OK) < 0 || !broker_start()) {
        printf("skipped: no broker, %s broker does not start\n", weir);
    } else {
        host_open();
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_file_to_file), cmocka_unit_test(test_class_names_of_kafka),
            cmocka_unit_test(test_refused),      cmocka_unit_test(test_dead_letters),
            cmocka_unit_test(test_failed), /* last: its connector stays failed */
        };
        failed = cmocka_run_group_tests(tests, NULL, NULL);
        rt_connect_close(host);
    }
    if (broker > 0) {
        kill(broker, SIGTERM);
        waitpid(broker, NULL, 0);
    }
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command) != 0 ? 1 : failed;
}
