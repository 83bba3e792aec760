/* Gate: see gate.h. */
#include "schema-registry/gate.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "schema-registry/journal.h"
#include "schema-registry/skipped.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct bs_event skipped = {
    "registry.record-skipped", BS_LOG_WARN,
    "A record of the topic is not one of a registry, or contradicts an earlier one; it has no "
    "effect."};
static const struct bs_event failed_event = {
    "registry.failed", BS_LOG_ERROR,
    "The registry cannot work: see the text; requests are answered with 503."};

static const struct bs_metric_desc schemas_desc = {"weir_registry_schemas", BS_GAUGE,
                                                   "Schemas by id."};
static const struct bs_metric_desc subjects_desc = {"weir_registry_subjects", BS_GAUGE,
                                                    "Subjects, with soft-deleted ones."};
static const struct bs_metric_desc offset_desc = {"weir_registry_applied_offset", BS_GAUGE,
                                                  "Offset of the last record applied."};
static const struct bs_metric_desc skipped_desc = {"weir_registry_records_skipped_total",
                                                   BS_COUNTER, "Records without effect."};
static const struct bs_metric_desc writes_desc = {"weir_registry_writes_total", BS_COUNTER,
                                                  "Records written and acknowledged."};

/* A writer until its records are applied; in its frame. */
struct waiter {
    int64_t offset;
    pthread_cond_t applied;
    struct waiter *next;
};

/* Ids that were given in a context, perhaps for writes that failed. */
struct given {
    char *context;
    int32_t next_id;
};

struct sr_gate {
    struct sr_settings settings;
    struct sr_journal *journal;
    struct bs_metric schemas, subjects, offset, skips, writes;

    pthread_rwlock_t state; /* guards store */
    struct sr_store *store;

    pthread_mutex_t line; /* guards what follows */
    pthread_cond_t left;
    struct sr_writer *writers; /* in the order of entering */
    struct given *given;       /* by context */
    size_t given_count;

    pthread_mutex_t progress; /* guards what follows */
    struct waiter *waiters;
    int64_t applied_offset;
    bool replayed, ready;
    char step[512], listen[300];
    struct sr_skipped skipped;
    struct bs_error failure;
};

/* ---- callbacks of the journal's thread ---- */

static void set_applied(struct sr_gate *gate, int64_t offset)
{
    pthread_mutex_lock(&gate->progress);
    if (gate->applied_offset < offset)
        gate->applied_offset = offset;
    for (struct waiter *waiter = gate->waiters; waiter; waiter = waiter->next)
        if (waiter->offset <= gate->applied_offset)
            pthread_cond_signal(&waiter->applied);
    pthread_mutex_unlock(&gate->progress);
}

static void on_record(void *ctx, int64_t offset, int64_t timestamp_ms, struct bs_bytes key,
                      struct bs_bytes value)
{
    struct sr_gate *gate = ctx;
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_error err = {0};
    struct sr_record record;
    int rc = key.ptr == NULL ? bs_error_set(&err, BS_EINVAL, "it has no key")
                             : sr_record_read(key, value, &arena, &record, &err);
    if (rc == 0) {
        record.timestamp_ms = timestamp_ms;
        pthread_rwlock_wrlock(&gate->state);
        rc = sr_store_apply(gate->store, &record, &err);
        bs_metric_set(&gate->schemas, (int64_t)sr_store_entry_count(gate->store));
        bs_metric_set(&gate->subjects, (int64_t)sr_store_subject_count(gate->store));
        pthread_rwlock_unlock(&gate->state);
    }
    if (rc < 0) {
        bs_metric_add(&gate->skips, 1);
        bs_log(&skipped, "offset %lld: %s", (long long)offset, err.text);
        pthread_mutex_lock(&gate->progress);
        sr_skipped_add(&gate->skipped, offset, err.text);
        pthread_mutex_unlock(&gate->progress);
    }
    bs_arena_deinit(&arena);
    bs_metric_set(&gate->offset, offset);
    set_applied(gate, offset);
}

static void on_end(void *ctx, int64_t next_offset)
{
    struct sr_gate *gate = ctx;
    pthread_mutex_lock(&gate->progress);
    gate->replayed = true;
    pthread_mutex_unlock(&gate->progress);
    set_applied(ctx, next_offset - 1);
}

static void on_step(void *ctx, const char *step)
{
    struct sr_gate *gate = ctx;
    pthread_mutex_lock(&gate->progress);
    if (step)
        snprintf(gate->step, sizeof gate->step, "%s", step);
    else
        gate->ready = true;
    pthread_mutex_unlock(&gate->progress);
}

static void on_failed(void *ctx, const struct bs_error *err)
{
    struct sr_gate *gate = ctx;
    bs_log(&failed_event, "%s", err->text);
    pthread_mutex_lock(&gate->progress);
    gate->failure = *err;
    pthread_mutex_unlock(&gate->progress);
}

/* Keeps the highest ids: see subject.h. */
static void first_record(void *ctx, struct bs_buf *key, struct bs_buf *value)
{
    struct sr_gate *gate = ctx;
    struct bs_arena arena = BS_ARENA_INIT;
    /* this thread alone changes the store */
    struct sr_record record = sr_store_mark(gate->store, &arena);
    sr_record_put_key(&record, key);
    sr_record_put_value(&record, value);
    bs_arena_deinit(&arena);
}

/* ---- opening ---- */

static void metrics_init(struct sr_gate *gate)
{
    bs_metric_init(&gate->schemas, &schemas_desc, NULL);
    bs_metric_init(&gate->subjects, &subjects_desc, NULL);
    bs_metric_init(&gate->offset, &offset_desc, NULL);
    bs_metric_init(&gate->skips, &skipped_desc, NULL);
    bs_metric_init(&gate->writes, &writes_desc, NULL);
    bs_metric_set(&gate->offset, -1);
}

static void cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

int sr_gate_open(const struct sr_settings *settings, struct sr_gate **ret, struct bs_error *err)
{
    struct sr_gate *gate = bs_new(struct sr_gate);
    struct sr_journal_options options = {
        .bootstrap = settings->bootstrap,
        .topic = settings->topic,
        .replication = settings->replication,
        .timeout_ms = settings->timeout_ms,
        .init_ms = settings->init_ms,
        .properties = settings->properties,
        .ctx = gate,
        .on_record = on_record,
        .on_step = on_step,
        .on_end = on_end,
        .on_failed = on_failed,
        .first_record = first_record,
    };
    int rc;
    gate->settings = *settings;
    gate->applied_offset = -1;
    snprintf(gate->step, sizeof gate->step, "starting");
    gate->store = sr_store_new(settings->level);
    metrics_init(gate);
    pthread_rwlock_init(&gate->state, NULL);
    pthread_mutex_init(&gate->line, NULL);
    cond_init(&gate->left);
    pthread_mutex_init(&gate->progress, NULL);
    rc = sr_journal_open(&options, &gate->journal, err);
    if (rc < 0) {
        sr_gate_close(gate);
        return rc;
    }
    *ret = gate;
    return 0;
}

void sr_gate_close(struct sr_gate *gate)
{
    if (gate == NULL)
        return;
    sr_journal_close(gate->journal);
    sr_store_free(gate->store);
    pthread_mutex_destroy(&gate->progress);
    pthread_cond_destroy(&gate->left);
    pthread_mutex_destroy(&gate->line);
    pthread_rwlock_destroy(&gate->state);
    for (size_t i = 0; i < gate->given_count; i++)
        bs_free(gate->given[i].context);
    bs_free(gate->given);
    bs_metric_deinit(&gate->schemas);
    bs_metric_deinit(&gate->subjects);
    bs_metric_deinit(&gate->offset);
    bs_metric_deinit(&gate->skips);
    bs_metric_deinit(&gate->writes);
    bs_free(gate);
}

const struct sr_settings *sr_gate_settings(const struct sr_gate *gate)
{
    return &gate->settings;
}

static bool is(struct sr_gate *gate, const bool *what)
{
    bool yes;
    pthread_mutex_lock(&gate->progress);
    yes = *what;
    pthread_mutex_unlock(&gate->progress);
    return yes;
}

const struct sr_store *sr_gate_read(struct sr_gate *gate)
{
    bool ready = is(gate, &gate->replayed);
    pthread_rwlock_rdlock(&gate->state);
    return ready ? gate->store : NULL;
}

void sr_gate_done(struct sr_gate *gate)
{
    pthread_rwlock_unlock(&gate->state);
}

/* ---- writing ---- */

static struct timespec after(clockid_t clock, int64_t ms)
{
    struct timespec t;
    clock_gettime(clock, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

static int wait_applied(struct sr_gate *gate, int64_t offset, struct bs_error *err)
{
    struct timespec until = after(CLOCK_MONOTONIC, gate->settings.timeout_ms);
    struct waiter waiter = {.offset = offset}, **at;
    int rc = 0;
    cond_init(&waiter.applied);
    pthread_mutex_lock(&gate->progress);
    waiter.next = gate->waiters;
    gate->waiters = &waiter;
    while (gate->applied_offset < offset && rc == 0)
        rc = pthread_cond_timedwait(&waiter.applied, &gate->progress, &until);
    rc = gate->applied_offset < offset ? BS_ETIMEOUT : 0;
    for (at = &gate->waiters; *at != &waiter; at = &(*at)->next)
        ;
    *at = waiter.next;
    pthread_mutex_unlock(&gate->progress);
    pthread_cond_destroy(&waiter.applied);
    if (rc < 0)
        return bs_error_set(err, rc, "offset %lld was not read in %lld ms", (long long)offset,
                            (long long)gate->settings.timeout_ms);
    return 0;
}

static bool has_to_wait(const struct sr_gate *gate, const struct sr_writer *writer)
{
    for (const struct sr_writer *other = gate->writers; other != writer; other = other->next)
        if (writer->subject == NULL || other->subject == NULL ||
            strcmp(writer->subject, other->subject) == 0)
            return true;
    return false;
}

static void leave_line(struct sr_gate *gate, const struct sr_writer *writer)
{
    struct sr_writer **at = &gate->writers;
    while (*at != writer)
        at = &(*at)->next;
    *at = writer->next;
    pthread_cond_broadcast(&gate->left);
}

int sr_gate_enter(struct sr_gate *gate, struct sr_writer *writer, struct bs_error *err)
{
    struct timespec until = after(CLOCK_MONOTONIC, gate->settings.wait_ms);
    struct sr_writer **end;
    bool wait;
    int rc = 0;
    if (!is(gate, &gate->ready))
        return bs_error_set(err, BS_ESTATE, "the registry is starting");
    writer->id = 0;
    writer->next = NULL;
    pthread_mutex_lock(&gate->line);
    for (end = &gate->writers; *end; end = &(*end)->next)
        ;
    *end = writer;
    while ((wait = has_to_wait(gate, writer)) && rc == 0)
        rc = pthread_cond_timedwait(&gate->left, &gate->line, &until);
    if (wait)
        leave_line(gate, writer);
    pthread_mutex_unlock(&gate->line);
    if (wait)
        return bs_error_set(err, BS_EBUSY, "other writes were not done in %lld ms",
                            (long long)gate->settings.wait_ms);
    return 0;
}

void sr_gate_leave(struct sr_gate *gate, struct sr_writer *writer)
{
    pthread_mutex_lock(&gate->line);
    leave_line(gate, writer);
    pthread_mutex_unlock(&gate->line);
}

static int32_t *next_id_of(struct sr_gate *gate, struct bs_bytes context)
{
    for (size_t i = 0; i < gate->given_count; i++)
        if (bs_bytes_is(context, gate->given[i].context))
            return &gate->given[i].next_id;
    gate->given = bs_realloc(gate->given, (gate->given_count + 1) * sizeof *gate->given);
    gate->given[gate->given_count] =
        (struct given){.context = bs_strndup((const char *)context.ptr, context.len)};
    return &gate->given[gate->given_count++].next_id;
}

/* Another writer's id may have been lost to another process: then the store has it for another
 * schema. */
int32_t sr_gate_next_id(struct sr_gate *gate, const struct sr_store *store,
                        struct sr_writer *writer, const struct sr_content *content)
{
    int32_t max = sr_store_max_id(store, writer->subject), id = 0, *next;
    struct bs_bytes context = sr_name_split(writer->subject).context;
    pthread_mutex_lock(&gate->line);
    for (const struct sr_writer *other = gate->writers; other && id == 0; other = other->next)
        if (other != writer && other->id > 0 &&
            bs_bytes_equal(sr_name_split(other->subject).context, context) &&
            sr_store_id(store, writer->subject, other->id) == NULL &&
            memcmp(other->digest, content->digest, SR_DIGEST_SIZE) == 0)
            id = other->id;
    next = next_id_of(gate, context);
    if (*next <= max)
        *next = max + 1;
    if (id == 0)
        id = (*next)++;
    writer->id = id;
    memcpy(writer->digest, content->digest, SR_DIGEST_SIZE);
    pthread_mutex_unlock(&gate->line);
    return id;
}

int sr_gate_append(struct sr_gate *gate, const struct sr_record *records, size_t count,
                   struct bs_error *err)
{
    struct bs_buf *bufs = bs_array(count * 2, sizeof *bufs);
    struct sr_message *messages = bs_array(count, sizeof *messages);
    int64_t offset = -1;
    int rc;
    for (size_t i = 0; i < count; i++) {
        sr_record_put_key(&records[i], &bufs[2 * i]);
        messages[i].key = bs_buf_bytes(&bufs[2 * i]);
        if (records[i].tombstone)
            continue;
        sr_record_put_value(&records[i], &bufs[2 * i + 1]);
        messages[i].value = bs_buf_bytes(&bufs[2 * i + 1]);
    }
    rc = sr_journal_append(gate->journal, messages, count, &offset, err);
    if (rc == 0)
        bs_metric_add(&gate->writes, (int64_t)count);
    if (rc == 0)
        rc = wait_applied(gate, offset, err);
    for (size_t i = 0; i < count * 2; i++)
        bs_buf_deinit(&bufs[i]);
    bs_free(bufs);
    bs_free(messages);
    return rc;
}

void sr_gate_cluster(struct sr_gate *gate, char *ret, size_t cap)
{
    sr_journal_cluster(gate->journal, ret, cap);
}

void sr_gate_set_listen(struct sr_gate *gate, const char *listen)
{
    pthread_mutex_lock(&gate->progress);
    snprintf(gate->listen, sizeof gate->listen, "%s", listen);
    pthread_mutex_unlock(&gate->progress);
}

int sr_gate_health(struct sr_gate *gate, struct bs_buf *out)
{
    const char *status = "ok";
    int rc = 0;
    pthread_mutex_lock(&gate->progress);
    if (!gate->ready) {
        rc = gate->failure.code ? gate->failure.code : 1;
        status = rc < 0 ? "failed" : "starting";
    }
    bs_buf_printf(out, "{\"status\":\"%s\",\"listen\":", status);
    bs_buf_put_json_string(out, gate->listen, strlen(gate->listen));
    bs_buf_puts(out, ",\"topic\":");
    bs_buf_put_json_string(out, gate->settings.topic, strlen(gate->settings.topic));
    bs_buf_printf(out, ",\"applied_offset\":%lld,\"schemas\":%lld,\"subjects\":%lld",
                  (long long)gate->applied_offset, (long long)bs_metric_get(&gate->schemas),
                  (long long)bs_metric_get(&gate->subjects));
    bs_buf_puts(out, ",\"skipped_records\":");
    sr_skipped_put(&gate->skipped, out);
    if (rc != 0) {
        const char *text = rc < 0 ? gate->failure.text : gate->step;
        bs_buf_puts(out, ",\"message\":");
        bs_buf_put_json_string(out, text, strlen(text));
    }
    bs_buf_puts(out, "}");
    pthread_mutex_unlock(&gate->progress);
    return rc;
}
