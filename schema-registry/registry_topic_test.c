/* Registry: what others have left in the topic, and what it leaves there itself. */
#include "schema-registry/registry_test.h"

#include "lib/base/log.h"
#include "schema-registry/journal.h"

#include <semaphore.h>
#include <stdatomic.h>

#define LONG_SCHEMA "{\"schema\":\"\\\"long\\\"\"}"

/* Asks until the answer has the part: a record may still be on its way. */
static void until(const char *path, const char *part)
{
    struct bs_buf out = BS_BUF_INIT;
    struct bs_error err = {0};
    int status;
    for (int i = 0;; i++) {
        bs_buf_reset(&out);
        if (rc_request(t.client, "GET", path, NULL, &out, &status, &err) < 0)
            fail_msg("%s", err.text);
        if (strstr(bs_buf_text(&out), part))
            break;
        if (i == 1000)
            fail_msg("%s: %s, not %s", path, bs_buf_text(&out), part);
        poll(NULL, 0, 10); /* between two looks at the condition */
    }
    bs_buf_deinit(&out);
}

static void expect_records(const char *part)
{
    struct bs_buf records = BS_BUF_INIT;
    read_records(&records);
    if (strstr(bs_buf_text(&records), part) == NULL)
        fail_msg("%s\nis not in\n%s", part, bs_buf_text(&records));
    bs_buf_deinit(&records);
}

/* Records that are none have no effect but to be counted and named. */
static void test_poisoned(void **state)
{
    (void)state;
    expect("GET", "/health", NULL, 200, "…\"skipped_records\":{\"count\":0,\"last\":[]}");
    expect("POST", "/subjects/s/versions", INT_SCHEMA, 200, "{\"id\":1,…");
    put_record("rubbish", "{}");
    put_record("{\"keytype\":\"SCHEMA\",\"subject\":\"p\",\"version\":1,\"magic\":1}", "{\"id\":");
    put_record("{\"keytype\":\"SCHEMA\",\"subject\":\"p\",\"version\":1,\"magic\":1}",
               "{\"subject\":\"p\",\"version\":1,\"id\":1,\"schema\":\"\\\"long\\\"\"}");
    put_record("{\"keytype\":\"ASSOC\",\"magic\":0}", "{\"a\":1}");
    put_record("{\"keytype\":\"SEED\",\"magic\":0}", "{}");
    until("/health", "\"skipped_records\":{\"count\":4,");
    until("/health",
          "\"reason\":\"version 1 of subject p: id 1 stands for another schema already\"");
    until("/health", "\"reason\":\"key:");
    expect("GET", "/subjects", NULL, 200, "[\"s\"]");
    for (int i = 0; i < 20; i++)
        put_record("rubbish", "{}");
    until("/health", "\"skipped_records\":{\"count\":24,\"last\":[{\"offset\":");
    stop();
    start();
    until("/health", "\"status\":\"ok\"");
    until("/health", "\"skipped_records\":{\"count\":24,");
    expect("POST", "/subjects/p/versions", LONG_SCHEMA, 200, "{\"id\":2,\"version\":1,…");
}

/* Another product has used the highest id there is: told at once, and nothing is written. */
static void test_no_ids_left(void **state)
{
    (void)state;
    put_record("{\"keytype\":\"SCHEMA\",\"subject\":\"p\",\"version\":1,\"magic\":1}",
               "{\"subject\":\"p\",\"version\":1,\"id\":2147483647,\"schema\":\"\\\"int\\\"\"}");
    until("/subjects", "\"p\"");
    expect("POST", "/subjects/s/versions", LONG_SCHEMA, 500,
           "{\"error_code\":50001,\"message\":\"The context of subject s has no ids left: …");
    expect("GET", "/subjects/s/versions", NULL, 404, "{\"error_code\":40401,…");
    until("/health", "\"skipped_records\":{\"count\":0,");
    expect("POST", "/subjects/:.c:s/versions", LONG_SCHEMA, 200, "{\"id\":1,…");
}

/* A claim of an epoch out of reach and names that are none have no effect; writing goes on. */
static void test_bad_claims_and_names(void **state)
{
    (void)state;
    put_record(
        "{\"keytype\":\"NOOP\",\"magic\":2147483647}",
        "{\"maxId\":1,\"epoch\":2147483647,\"leader\":\"http://127.0.0.1:1\",\"instance\":\"aa\"}");
    put_record("{\"keytype\":\"SCHEMA\",\"subject\":\"a\\u0000b\",\"version\":1,\"magic\":1}",
               "{\"subject\":\"a\",\"version\":1,\"id\":1,\"schema\":\"\\\"int\\\"\"}");
    put_record("{\"keytype\":\"SCHEMA\",\"subject\":\":.__GLOBAL:\",\"version\":1,\"magic\":1}",
               "{\"subject\":\"a\",\"version\":1,\"id\":1,\"schema\":\"\\\"int\\\"\"}");
    until("/health", "\"skipped_records\":{\"count\":2,");
    expect("POST", "/subjects/s/versions", LONG_SCHEMA, 200, "{\"id\":1,\"version\":1,…");
    expect("GET", "/subjects", NULL, 200, "[\"s\"]");
    stop();
    start();
    expect("GET", "/subjects", NULL, 200, "[\"s\"]");
    expect("POST", "/subjects/s2/versions", LONG_SCHEMA, 200, "{\"id\":1,\"version\":1,…");
    expect("POST", "/subjects/s3/versions",
           "{\"schema\":\"\\\"int\\\"\",\"references\":[{\"name\":\"a\\u0000b\",\"subject\":\"s\","
           "\"version\":1}]}",
           422, "{\"error_code\":42201,…");
    expect("PUT", "/config/s", "{\"alias\":\"x\\n\"}", 422, "{\"error_code\":42208,…");
    expect("PUT", "/config/s", "{\"alias\":\"s2\\u0000\"}", 422, "{\"error_code\":42208,…");
}

/* Keys in another order of members are other keys to compaction: a deletion names them too, or what
 * was deleted comes back. */
static void test_other_spellings(void **state)
{
    (void)state;
    put_record(
        "{\"subject\":\"s\",\"version\":1,\"magic\":1,\"keytype\":\"SCHEMA\"}",
        "{\"subject\":\"s\",\"version\":1,\"id\":1,\"schema\":\"\\\"int\\\"\",\"deleted\":false}");
    put_record("{\"keytype\":\"CONFIG\",\"subject\":null,\"magic\":0}",
               "{\"compatibilityLevel\":\"FULL\"}");
    put_record("{\"subject\":\"s\",\"magic\":0,\"keytype\":\"MODE\"}",
               "{\"subject\":\"s\",\"mode\":\"READWRITE\"}");
    until("/mode/s", "READWRITE");
    expect("GET", "/config", NULL, 200, "{\"compatibilityLevel\":\"FULL\"}");
    expect("DELETE", "/config", NULL, 200, "{\"compatibilityLevel\":\"FULL\"}");
    expect_records("{\"keytype\":\"CONFIG\",\"magic\":0} null\n"
                   "{\"keytype\":\"CONFIG\",\"subject\":null,\"magic\":0} null\n");
    expect("DELETE", "/subjects/s", NULL, 200, "[1]");
    expect("DELETE", "/subjects/s?permanent=true", NULL, 200, "[1]");
    expect_records("{\"keytype\":\"SCHEMA\",\"subject\":\"s\",\"version\":1,\"magic\":1} null\n");
    expect_records("{\"subject\":\"s\",\"version\":1,\"magic\":1,\"keytype\":\"SCHEMA\"} null\n");
    expect_records("{\"keytype\":\"MODE\",\"subject\":\"s\",\"magic\":0} null\n");
    expect_records("{\"subject\":\"s\",\"magic\":0,\"keytype\":\"MODE\"} null\n");
    stop();
    start();
    expect("GET", "/subjects?deleted=true", NULL, 200, "[]");
    expect("GET", "/mode/s", NULL, 404, "{\"error_code\":40409,…");
    expect("POST", "/subjects/s/versions", LONG_SCHEMA, 200, "{\"id\":2,\"version\":1,…");
}

/* Karapace's permanent deletions. */
static void test_empty_values(void **state)
{
    (void)state;
    put_record(
        "{\"keytype\":\"SCHEMA\",\"subject\":\"s\",\"version\":1,\"magic\":1}",
        "{\"subject\":\"s\",\"version\":1,\"id\":3,\"schema\":\"\\\"int\\\"\",\"deleted\":false}");
    put_record("{\"keytype\":\"CONFIG\",\"subject\":\"s\",\"magic\":0}",
               "{\"compatibilityLevel\":\"NONE\"}");
    until("/config/s", "NONE");
    put_record("{\"keytype\":\"CONFIG\",\"subject\":\"s\",\"magic\":0}", "");
    put_record("{\"keytype\":\"SCHEMA\",\"subject\":\"s\",\"version\":1,\"magic\":1}", "");
    until("/schemas/ids/3", "40403");
    until("/health", "\"skipped_records\":{\"count\":0,");
    expect("GET", "/subjects?deleted=true", NULL, 200, "[]");
    expect("GET", "/config/s", NULL, 404, "{\"error_code\":40408,…");
}

/* A soft deletion writes the record again: with all that it had. */
static void test_rewritten(void **state)
{
    (void)state;
    put_record("{\"keytype\":\"SCHEMA\",\"subject\":\"s\",\"version\":1,\"magic\":1}",
               "{\"subject\":\"s\",\"version\":1,\"id\":5,\"md5\":\"71JOobkecxc9k4reNsHbMg==\","
               "\"schemaType\":\"AVRO\",\"metadata\":{\"properties\":{\"k\":\"v\"},\"sensitive\":"
               "[\"k\"]},\"schema\":\"\\\"int\\\"\",\"deleted\":false}");
    put_record(
        "{\"keytype\":\"SCHEMA\",\"subject\":\"j\",\"version\":1,\"magic\":0}",
        "{\"subject\":\"j\",\"version\":1,\"id\":6,\"schemaType\":\"JSON\",\"schema\":\"{}\"}");
    until("/subjects/j/versions", "[1]");
    expect("GET", "/schemas/ids/6", NULL, 200, "…\"schemaType\":\"JSON\"");
    expect("DELETE", "/subjects/s/versions/1", NULL, 200, "1");
    expect_records("{\"keytype\":\"SCHEMA\",\"subject\":\"s\",\"version\":1,\"magic\":1} "
                   "{\"subject\":\"s\",\"version\":1,\"id\":5,\"md5\":\"71JOobkecxc9k4reNsHbMg==\","
                   "\"schemaType\":\"AVRO\",\"metadata\":{\"properties\":{\"k\":\"v\"},"
                   "\"sensitive\":[\"k\"]},\"schema\":\"\\\"int\\\"\",\"deleted\":true}\n");
    expect("DELETE", "/subjects/j/versions/1", NULL, 200, "1");
    expect_records("{\"keytype\":\"SCHEMA\",\"subject\":\"j\",\"version\":1,\"magic\":1} "
                   "{\"subject\":\"j\",\"version\":1,\"id\":6,\"schemaType\":\"JSON\",\"schema\":"
                   "\"{}\",\"deleted\":true}\n");
    /* for good: both keys of it, and the highest id is kept before */
    expect("DELETE", "/subjects/j/versions/1?permanent=true", NULL, 200, "1");
    expect_records("\"maxId\":6");
    expect_records("{\"keytype\":\"SCHEMA\",\"subject\":\"j\",\"version\":1,\"magic\":1} null\n");
    expect_records("{\"keytype\":\"SCHEMA\",\"subject\":\"j\",\"version\":1,\"magic\":0} null\n");
}

/* DELETE_SUBJECT means the versions before it, whether they are still there or not. */
static void test_deletion_marks(void **state)
{
    (void)state;
    put_record("{\"keytype\":\"DELETE_SUBJECT\",\"subject\":\"s\",\"magic\":0}",
               "{\"subject\":\"s\",\"version\":3}");
    put_record("{\"keytype\":\"SCHEMA\",\"subject\":\"s\",\"version\":2,\"magic\":1}",
               "{\"subject\":\"s\",\"version\":2,\"id\":2,\"schema\":\"\\\"int\\\"\"}");
    put_record("{\"keytype\":\"SCHEMA\",\"subject\":\"s\",\"version\":5,\"magic\":1}",
               "{\"subject\":\"s\",\"version\":5,\"id\":3,\"schema\":\"\\\"long\\\"\"}");
    until("/subjects/s/versions", "[2,5]");
    put_record("{\"keytype\":\"DELETE_SUBJECT\",\"subject\":\"s\",\"magic\":0}",
               "{\"subject\":\"s\",\"version\":4}");
    put_record("{\"keytype\":\"DELETE_SUBJECT\",\"subject\":\"s\",\"magic\":0}",
               "{\"subject\":\"s\",\"version\":4}");
    until("/subjects/s/versions", "[5]");
    expect("GET", "/subjects/s/versions?deleted=true", NULL, 200, "[2,5]");
    expect("GET", "/schemas/ids/2", NULL, 200, "…schema");
    expect("GET", "/schemas/ids/2/subjects", NULL, 200, "[]");
    expect("GET", "/schemas/ids/2/subjects?deleted=true", NULL, 200, "[\"s\"]");
    /* a reference to a version that compaction has taken: told by id all the same */
    put_record(
        "{\"keytype\":\"SCHEMA\",\"subject\":\"r\",\"version\":1,\"magic\":1}",
        "{\"subject\":\"r\",\"version\":1,\"id\":9,\"references\":[{\"name\":\"x.M\",\"subject\":"
        "\"gone\",\"version\":1}],\"schema\":\"{\\\"type\\\":\\\"array\\\",\\\"items\\\":"
        "\\\"x.M\\\"}\"}");
    until("/schemas/ids/9", "x.M");
    expect("GET", "/subjects/r/versions/1", NULL, 200, "…\"subject\":\"gone\"");
    /* with the last version its settings go, and its numbers begin again */
    expect("PUT", "/config/s", "{\"compatibility\":\"NONE\"}", 200, "…NONE");
    expect("PUT", "/mode/s", "{\"mode\":\"READWRITE\"}", 200, "…READWRITE");
    expect("DELETE", "/subjects/s/versions/5", NULL, 200, "5");
    expect("DELETE", "/subjects/s/versions/5?permanent=true", NULL, 200, "5");
    expect("GET", "/config/s", NULL, 200, "…NONE");
    expect("DELETE", "/subjects/s/versions/2?permanent=true", NULL, 200, "2");
    expect("GET", "/config/s", NULL, 404, "{\"error_code\":40408,…");
    expect("GET", "/mode/s", NULL, 404, "{\"error_code\":40409,…");
    expect("POST", "/subjects/s/versions", INT_SCHEMA, 200, "{\"id\":10,\"version\":1,…");
}

static int open_with(const char *properties, struct bs_error *err)
{
    struct bs_config *config = bs_config_new(sr_role.tables, sr_role.table_count);
    void *role = NULL;
    int rc;
    bs_config_set(config, "listeners", "http://127.0.0.1:0", "test", NULL);
    bs_config_set(config, "kafkastore.bootstrap.servers", t.bootstrap, "test", NULL);
    bs_config_set(config, "kafkastore.topic", t.topic, "test", NULL);
    bs_config_set(config, "kafkastore.properties", properties, "test", NULL);
    rc = sr_role.open(config, (const char *const[]){NULL}, &role, err);
    if (rc == 0)
        sr_role.close(role);
    bs_config_free(config);
    return rc;
}

/* What the user sets counts, or is refused by its name. */
static void test_properties(void **state)
{
    struct bs_error err = {0};
    (void)state;
    assert_int_equal(open_with("queued.max.messages.kbytes=1024,linger.ms=1", &err), 0);
    assert_int_equal(open_with("queued.max.messages.kbytes=much", &err), BS_EINVAL);
    assert_non_null(strstr(err.text, "queued.max.messages.kbytes=much"));
    assert_int_equal(open_with("linger.ms=1,enable.idempotence=false", &err), BS_EINVAL);
    assert_non_null(strstr(err.text, "enable.idempotence cannot be set here"));
    assert_int_equal(open_with("auto.offset.reset=latest", &err), BS_EINVAL);
    assert_non_null(strstr(err.text, "auto.offset.reset cannot be set here"));
}

/* ---- heavy checks ---- */

static void put_union(struct bs_buf *out, const char *prefix, const char *field)
{
    bs_buf_puts(out, "{\"schema\":\"");
    for (int i = 0; i < 120; i++) {
        bs_buf_printf(out,
                      "%s{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"%s%d.X\\\",\\\"fields\\\":["
                      "{\\\"name\\\":\\\"%s\\\",\\\"type\\\":\\\"int\\\"},"
                      "{\\\"name\\\":\\\"u\\\",\\\"type\\\":[",
                      i ? "," : "[", prefix, i, field);
        for (int k = 0; k <= i; k++)
            bs_buf_printf(out, "%s\\\"%s%d.X\\\"", k ? "," : "", prefix, k);
        bs_buf_puts(out, "]}]}");
    }
    bs_buf_puts(out, "]\"}");
}

enum { PRODUCE = 0 }; /* ApiKey */

static struct {
    struct bs_buf body;
    atomic_bool stop;
    atomic_int begun, ended;
} heavy;

static void *check_again_and_again(void *arg)
{
    const char *path = "/compatibility/subjects/heavy/versions/latest";
    while (!atomic_load(&heavy.stop)) {
        struct bs_buf out = BS_BUF_INIT;
        struct bs_error err = {0};
        int status = 0;
        atomic_fetch_add(&heavy.begun, 1);
        if (rc_request(arg, "POST", path, bs_buf_text(&heavy.body), &out, &status, &err) < 0 ||
            status != 200 || strcmp(bs_buf_text(&out), "{\"is_compatible\":false}") != 0)
            abort();
        atomic_fetch_add(&heavy.ended, 1);
        bs_buf_deinit(&out);
    }
    return NULL;
}

/* Reads and writes are answered while more large checks run than there are threads for anything. */
static void test_heavy_checks(void **state)
{
    struct bs_buf old = BS_BUF_INIT;
    pthread_t threads[4];
    int answered = 0;
    (void)state;
    put_union(&old, "p", "z");
    put_union(&heavy.body, "q", "zz");
    expect("POST", "/subjects/heavy/versions", bs_buf_text(&old), 200, "{\"id\":1,…");
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, check_again_and_again, t.client), 0);
    for (int round = 0; answered < 20; round++) {
        int ended = atomic_load(&heavy.ended);
        bool running = atomic_load(&heavy.begun) - ended >= 3;
        if (round == 100000)
            fail_msg("%d answers while the same checks ran", answered);
        expect("GET", "/health", NULL, 200, "…\"status\":\"ok\"");
        expect("GET", "/schemas/ids/1/subjects", NULL, 200, "[\"heavy\"]");
        answered = running && atomic_load(&heavy.ended) == ended ? answered + 1 : answered;
    }
    expect("POST", "/subjects/s/versions", INT_SCHEMA, 200, "{\"id\":2,…");
    atomic_store(&heavy.stop, true);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    bs_buf_deinit(&old);
    bs_buf_deinit(&heavy.body);
}

/* ---- a mode that changes under a write ---- */

static struct {
    atomic_bool armed;
    sem_t held, go;
} step;

static void hold_step(const char *name)
{
    (void)name;
    if (!atomic_exchange(&step.armed, false))
        return;
    sem_post(&step.held);
    sem_wait(&step.go);
}

static void *put_readwrite(void *arg)
{
    (void)arg;
    expect("PUT", "/mode", "{\"mode\":\"READWRITE\"}", 200, "{\"mode\":\"READWRITE\"}");
    return NULL;
}

static void *import_late(void *arg)
{
    (void)arg;
    expect("POST", "/subjects/s/versions", "{\"schema\":\"\\\"int\\\"\",\"id\":7,\"version\":1}",
           422, "{\"error_code\":42205,…");
    return NULL;
}

static long requests(void)
{
    static const char name[] = "\nweir_registry_requests_total ";
    struct bs_buf out = BS_BUF_INIT;
    struct bs_error err = {0};
    const char *at;
    int status;
    long count;
    assert_int_equal(rc_request(t.client, "GET", "/metrics", NULL, &out, &status, &err), 0);
    at = strstr(bs_buf_text(&out), name);
    assert_non_null(at);
    count = strtol(at + strlen(name), NULL, 10);
    bs_buf_deinit(&out);
    return count;
}

/* An import that has waited while the mode changed is judged by the mode there is. */
static void test_mode_changes(void **state)
{
    pthread_t change, import;
    long before, own; /* own: what asking takes itself */
    (void)state;
    expect("PUT", "/mode", "{\"mode\":\"IMPORT\"}", 200, "{\"mode\":\"IMPORT\"}");
    sem_init(&step.held, 0, 0);
    sem_init(&step.go, 0, 0);
    atomic_store(&step.armed, true);
    sr_journal_hook = hold_step;
    pthread_create(&change, NULL, put_readwrite, NULL);
    sem_wait(&step.held);
    own = requests();
    before = requests();
    own = before - own;
    pthread_create(&import, NULL, import_late, NULL);
    for (long i = 1; requests() < before + i * own + 2;
         i++) /* it has come, and comes again to wait */
        assert_true(i < 100000);
    sem_post(&step.go);
    pthread_join(change, NULL);
    pthread_join(import, NULL);
    sr_journal_hook = NULL;
    expect("GET", "/subjects", NULL, 200, "[]");
    sem_destroy(&step.held);
    sem_destroy(&step.go);
}

static atomic_int failures_told, recoveries_told;
static char failure_told[512];

static void count_told(void *ctx, const struct bs_event *event, const char *text)
{
    (void)ctx;
    if (strcmp(event->id, "registry.write-failed") == 0 && atomic_fetch_add(&failures_told, 1) == 0)
        snprintf(failure_told, sizeof failure_told, "%s", text);
    if (strcmp(event->id, "registry.writes-again") == 0)
        atomic_fetch_add(&recoveries_told, 1);
}

/* A write that the topic has refused: /health says so until one is taken, which the registry tries
 * by itself. */
static void test_refused_writes(void **state)
{
    rd_kafka_resp_err_t errors[64];
    (void)state;
    if (t.cluster == NULL)
        skip();
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        errors[i] = RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    expect("POST", "/subjects/a/versions", INT_SCHEMA, 200, "{\"id\":1,…");
    bs_log_set_sink(count_told, NULL);
    rd_kafka_mock_push_request_errors_array(t.cluster, PRODUCE, sizeof errors / sizeof *errors,
                                            errors);
    expect("POST", "/subjects/b/versions", "{\"schema\":\"\\\"long\\\"\"}", 500,
           "{\"error_code\":50001,\"message\":\"writing to topic …");
    expect("POST", "/subjects/c/versions", "{\"schema\":\"\\\"float\\\"\"}", 500,
           "{\"error_code\":50001,…");
    assert_int_equal(atomic_load(&failures_told), 1);
    assert_non_null(strstr(failure_told, "subject b: "));
    assert_non_null(strstr(failure_told, "Topic authorization failed"));
    assert_int_equal(atomic_load(&recoveries_told), 0);
    expect("GET", "/health", NULL, 503, "{\"status\":\"not-writable\",…");
    expect("GET", "/health", NULL, 503, "…Broker: Topic authorization failed");
    expect("GET", "/schemas/ids/1", NULL, 200, "{\"guid\":…");
    rd_kafka_mock_clear_request_errors(t.cluster, PRODUCE);
    until("/health", "\"status\":\"ok\"");
    expect("GET", "/health", NULL, 200, "…\"owed\":0");
    assert_int_equal(atomic_load(&recoveries_told), 1);
    bs_log_set_sink(NULL, NULL);
    expect("POST", "/subjects/b/versions", "{\"schema\":\"\\\"long\\\"\"}", 200, "{\"id\":4,…");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(test_poisoned),       ROW(test_other_spellings),
        ROW(test_no_ids_left),    ROW(test_bad_claims_and_names),
        ROW(test_empty_values),   ROW(test_rewritten),
        ROW(test_properties),     ROW(test_heavy_checks),
        ROW(test_mode_changes),   ROW(test_deletion_marks),
        ROW(test_refused_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
