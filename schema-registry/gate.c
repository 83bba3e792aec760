/* Gate: see gate.h. Here: opening, reading, the line of writers, appending. */
#include "schema-registry/gate_state.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

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
static const struct bs_metric_desc leads_desc = {
    "weir_registry_leader", BS_GAUGE, "1 where this process is the leader, which writes; else 0."};
static const struct bs_metric_desc epoch_desc = {"weir_registry_epoch", BS_GAUGE,
                                                 "Epoch of the leader in force."};
static const struct bs_metric_desc lag_desc = {"weir_registry_lag", BS_GAUGE,
                                               "Records of the topic that are not read yet."};
static const struct bs_metric_desc fenced_desc = {
    "weir_registry_fenced_total", BS_COUNTER,
    "Records dropped because their writer did not lead any more."};
static const struct bs_metric_desc ready_desc = {
    "weir_registry_ready", BS_GAUGE,
    "1 where writes are accepted, looked at every second; else 0, and /health says why."};

static const struct bs_event write_failed = {
    "registry.write-failed", BS_LOG_WARN,
    "The topic has refused a write, or nobody knows whether it has taken it: who asked for it was "
    "answered 50001 or 50002. Said once until the topic takes a write again; /health says it, "
    "too."};
static const struct bs_event writes_again = {"registry.writes-again", BS_LOG_INFO,
                                             "The topic takes writes again."};

/* ---- opening ---- */

static void metrics_init(struct sr_gate *gate)
{
    bs_metric_init(&gate->schemas, &schemas_desc, NULL);
    bs_metric_init(&gate->subjects, &subjects_desc, NULL);
    bs_metric_init(&gate->offset, &offset_desc, NULL);
    bs_metric_init(&gate->skips, &skipped_desc, NULL);
    bs_metric_init(&gate->writes, &writes_desc, NULL);
    bs_metric_init(&gate->leads, &leads_desc, NULL);
    bs_metric_init(&gate->epoch, &epoch_desc, NULL);
    bs_metric_init(&gate->lag, &lag_desc, NULL);
    bs_metric_init(&gate->fenced, &fenced_desc, NULL);
    bs_metric_init(&gate->ready, &ready_desc, NULL);
    bs_metric_set(&gate->offset, -1);
}

void sr_gate_cond_init(pthread_cond_t *cond)
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
    uint64_t instance = 0;
    int rc;
    gate->settings = *settings;
    gate->applied_offset = -1;
    snprintf(gate->step, sizeof gate->step, "starting");
    gate->store = sr_store_new(settings->level);
    /* by libcrypto it would load its providers, 2.3 MB that stay resident */
    if (getrandom(&instance, sizeof instance, 0) != (ssize_t)sizeof instance)
        instance = (uint64_t)sr_gate_now_ms() << 20 ^ (uint64_t)(uintptr_t)gate;
    sr_leader_init(&gate->leader, instance, settings->eligible);
    sr_owed_init(&gate->owed);
    metrics_init(gate);
    pthread_rwlock_init(&gate->state, NULL);
    pthread_mutex_init(&gate->line, NULL);
    sr_gate_cond_init(&gate->left);
    pthread_mutex_init(&gate->progress, NULL);
    sr_gate_cond_init(&gate->turn);
    if ((rc = sr_gate_open_journal(gate, err)) < 0 || (rc = sr_gate_start_leading(gate, err)) < 0 ||
        (rc = sr_gate_start_watching(gate, err)) < 0) {
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
    sr_gate_stop_leading(gate);
    sr_journal_close(gate->journal);
    sr_store_free(gate->store);
    bs_arena_deinit(&gate->scratch);
    sr_owed_deinit(&gate->owed);
    for (size_t i = 0; i < gate->given_count; i++)
        bs_free(gate->given[i].context);
    bs_free(gate->given);
    pthread_cond_destroy(&gate->turn);
    pthread_mutex_destroy(&gate->progress);
    pthread_cond_destroy(&gate->left);
    pthread_mutex_destroy(&gate->line);
    pthread_rwlock_destroy(&gate->state);
    bs_metric_deinit(&gate->schemas);
    bs_metric_deinit(&gate->subjects);
    bs_metric_deinit(&gate->offset);
    bs_metric_deinit(&gate->skips);
    bs_metric_deinit(&gate->writes);
    bs_metric_deinit(&gate->leads);
    bs_metric_deinit(&gate->epoch);
    bs_metric_deinit(&gate->lag);
    bs_metric_deinit(&gate->fenced);
    bs_metric_deinit(&gate->ready);
    bs_free(gate);
}

uint64_t sr_gate_instance(const struct sr_gate *gate)
{
    return gate->leader.instance; /* it never changes */
}

const struct sr_settings *sr_gate_settings(const struct sr_gate *gate)
{
    return &gate->settings;
}

const struct sr_store *sr_gate_read(struct sr_gate *gate)
{
    bool ready;
    pthread_mutex_lock(&gate->progress);
    ready = gate->leader.replayed;
    pthread_mutex_unlock(&gate->progress);
    pthread_rwlock_rdlock(&gate->state);
    return ready ? gate->store : NULL;
}

void sr_gate_done(struct sr_gate *gate)
{
    pthread_rwlock_unlock(&gate->state);
}

/* ---- writing ---- */

int64_t sr_gate_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct timespec at_ms(int64_t ms)
{
    return (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
}

struct timespec sr_gate_after(int64_t ms)
{
    return at_ms(sr_gate_now_ms() + ms);
}

void sr_gate_catch_up(struct sr_gate *gate, int64_t offset, int64_t ms)
{
    struct timespec until = sr_gate_after(ms);
    struct sr_waiter waiter = {.offset = offset}, **at;
    int rc = 0;
    sr_gate_cond_init(&waiter.applied);
    pthread_mutex_lock(&gate->progress);
    waiter.next = gate->waiters;
    gate->waiters = &waiter;
    while (gate->applied_offset < offset && rc == 0)
        rc = pthread_cond_timedwait(&waiter.applied, &gate->progress, &until);
    for (at = &gate->waiters; *at != &waiter; at = &(*at)->next)
        ;
    *at = waiter.next;
    pthread_mutex_unlock(&gate->progress);
    pthread_cond_destroy(&waiter.applied);
}

int64_t sr_gate_applied(struct sr_gate *gate)
{
    int64_t offset;
    pthread_mutex_lock(&gate->progress);
    offset = gate->applied_offset;
    pthread_mutex_unlock(&gate->progress);
    return offset;
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

/* Takes its place in the line and waits for those before. */
static int wait_in_line(struct sr_gate *gate, struct sr_writer *writer, int64_t until_ms,
                        struct bs_error *err)
{
    struct timespec until = at_ms(until_ms);
    struct sr_writer **end;
    bool wait;
    int rc = 0;
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
        return bs_error_set(err, BS_EBUSY, "other writes were not done in time");
    return 0;
}

bool sr_gate_unsure(const struct sr_gate *gate)
{
    const struct sr_leader *leader = &gate->leader;
    return !gate->probed && leader->shortcut && leader->eligible && leader->url[0] &&
           strcmp(leader->url, leader->own_url) != 0;
}

bool sr_gate_other_leads(const struct sr_gate *gate)
{
    const struct sr_leader *leader = &gate->leader;
    return !leader->mine && leader->url[0] && strcmp(leader->url, leader->own_url) != 0 &&
           !(leader->owner && leader->eligible) && !sr_gate_unsure(gate);
}

const char *sr_gate_why_none(const struct sr_gate *gate)
{
    if (gate->leader.twin)
        return "Another process that runs announces the URL of this one: set option host.name of "
               "each to a name, and a port, of its own.";
    return gate->group_problem[0] ? gate->group_problem : gate->why_none;
}

static int await_leader(struct sr_gate *gate, struct sr_writer *writer, int64_t until_ms,
                        struct bs_error *err)
{
    struct timespec until = at_ms(until_ms);
    const struct sr_leader *leader = &gate->leader;
    int rc = 0, timed_out = 0;
    pthread_mutex_lock(&gate->progress);
    if (!leader->replayed)
        rc = bs_error_set(err, BS_ESTATE, "the registry is starting");
    while (rc == 0 && !gate->lost.code && !leader->mine && !sr_gate_other_leads(gate) &&
           timed_out == 0)
        timed_out = pthread_cond_timedwait(&gate->turn, &gate->progress, &until);
    if (rc == 0 && gate->lost.code) {
        rc = bs_error_set(err, BS_ESTATE, "%s", gate->lost.text);
    } else if (rc == 0 && leader->mine) {
        writer->epoch = leader->epoch;
    } else if (rc == 0 && sr_gate_other_leads(gate)) {
        memcpy(writer->leader, leader->url, sizeof writer->leader);
        writer->leader_instance = leader->holder;
        rc = bs_error_set(err, BS_EFENCED, "%s leads", leader->url);
    } else if (rc == 0) {
        const char *why = sr_gate_why_none(gate);
        rc = bs_error_set(err, BS_EBUSY, "Leader not known.%s%s", *why ? " " : "", why);
    }
    pthread_mutex_unlock(&gate->progress);
    return rc;
}

int sr_gate_enter(struct sr_gate *gate, struct sr_writer *writer, int64_t until_ms,
                  struct bs_error *err)
{
    int64_t epoch;
    int rc = await_leader(gate, writer, until_ms, err);
    while (rc == 0) {
        epoch = writer->epoch;
        if ((rc = wait_in_line(gate, writer, until_ms, err)) < 0)
            return rc;
        rc = await_leader(gate, writer, until_ms, err);
        if (rc == 0 && writer->epoch == epoch)
            return 0;
        sr_gate_leave(gate, writer); /* who came before may have lost: let others go first */
    }
    return rc;
}

bool sr_gate_leads(struct sr_gate *gate, char ret_url[SR_URL_MAX])
{
    bool mine;
    pthread_mutex_lock(&gate->progress);
    mine = gate->leader.mine;
    ret_url[0] = '\0';
    if (sr_gate_other_leads(gate))
        memcpy(ret_url, gate->leader.url, SR_URL_MAX);
    pthread_mutex_unlock(&gate->progress);
    return mine;
}

void sr_gate_leave(struct sr_gate *gate, struct sr_writer *writer)
{
    pthread_mutex_lock(&gate->line);
    leave_line(gate, writer);
    pthread_mutex_unlock(&gate->line);
}

static int64_t *next_id_of(struct sr_gate *gate, struct bs_bytes context)
{
    for (size_t i = 0; i < gate->given_count; i++)
        if (bs_bytes_is(context, gate->given[i].context))
            return &gate->given[i].next_id;
    gate->given = bs_realloc(gate->given, (gate->given_count + 1) * sizeof *gate->given);
    gate->given[gate->given_count] =
        (struct sr_given){.context = bs_strndup((const char *)context.ptr, context.len)};
    return &gate->given[gate->given_count++].next_id;
}

/* Another writer's id may have been lost to another product: then the store has it for another
 * schema. */
int32_t sr_gate_next_id(struct sr_gate *gate, const struct sr_store *store,
                        struct sr_writer *writer, const struct sr_content *content)
{
    int32_t max = sr_store_max_id(store, writer->subject), id = 0;
    int64_t *next;
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
        *next = (int64_t)max + 1;
    if (id == 0 && *next <= INT32_MAX)
        id = (int32_t)(*next)++;
    writer->id = id;
    memcpy(writer->digest, content->digest, SR_DIGEST_SIZE);
    pthread_mutex_unlock(&gate->line);
    return id;
}

void sr_gate_taken(struct sr_gate *gate)
{
    gate->unwritten[0] = '\0';
    if (gate->told)
        bs_log(&writes_again, "topic %s", gate->settings.topic);
    gate->told = false;
}

/* With progress locked. */
static void tell_failure(struct sr_gate *gate, const struct sr_record *records, size_t count,
                         const struct bs_error *why)
{
    const char *subject = NULL;
    for (size_t i = 0; i < count && subject == NULL; i++)
        subject = records[i].subject;
    if (gate->told)
        return;
    gate->told = true;
    if (subject)
        bs_log(&write_failed, "subject %s: %s", subject, why->text);
    else
        bs_log(&write_failed, "%s", why->text);
}

/* The topic has not taken a write, of which nothing is left: /health says so until one is taken.
 * The leader's own claim once more is one that cannot do harm, so that is owed until it is. */
static void note_refused(struct sr_gate *gate, int64_t epoch, const struct bs_error *why)
{
    const struct sr_record claim = {.kind = SR_RECORD_NOOP, .epoch = epoch};
    pthread_mutex_lock(&gate->progress);
    snprintf(gate->unwritten, sizeof gate->unwritten, "%s", why->text);
    sr_owed_add(&gate->owed, &claim, epoch - 1);
    pthread_cond_broadcast(&gate->turn);
    pthread_mutex_unlock(&gate->progress);
}

/* After an append: was it in force where it lies? */
static int outcome(struct sr_gate *gate, const struct sr_writer *writer, int64_t offset,
                   struct bs_error *err)
{
    int held;
    pthread_mutex_lock(&gate->progress);
    sr_gate_taken(gate);
    held = sr_leader_held(&gate->leader, writer->epoch, offset);
    pthread_mutex_unlock(&gate->progress);
    if (held == 0)
        return bs_error_set(err, BS_EFENCED, "another process has become the leader");
    if (held < 0)
        return bs_error_set(err, BS_EIO, "too many leaders since the write to know its outcome");
    return 0;
}

/* What nobody knows the outcome of must not be decided upon: the next epoch settles it. */
static void resign(struct sr_gate *gate, int64_t epoch, const struct bs_error *why)
{
    pthread_mutex_lock(&gate->progress);
    sr_leader_resign(&gate->leader, epoch);
    bs_metric_set(&gate->leads, gate->leader.mine);
    snprintf(gate->why_none, sizeof gate->why_none, "%s", why->text);
    pthread_cond_broadcast(&gate->turn);
    pthread_mutex_unlock(&gate->progress);
}

int sr_gate_append(struct sr_gate *gate, const struct sr_writer *writer,
                   const struct sr_record *records, size_t count, struct bs_error *err)
{
    struct bs_error why = {0};
    struct sr_bundle bundle;
    bool unknown = false, leads;
    int rc;
    pthread_mutex_lock(&gate->progress);
    leads = gate->leader.mine && gate->leader.epoch == writer->epoch;
    pthread_mutex_unlock(&gate->progress);
    if (!leads)
        return bs_error_set(err, BS_EFENCED, "this process leads no longer");
    rc = sr_bundle_init(&bundle, records, count, writer->epoch,
                        sr_journal_record_max(gate->journal), err);
    if (rc < 0) { /* nothing was tried */
        sr_bundle_deinit(&bundle);
        return rc;
    }
    rc = sr_journal_append(gate->journal, bundle.messages, bundle.count, gate->settings.timeout_ms,
                           &unknown, &why);
    if (rc == 0) {
        bs_metric_add(&gate->writes, (int64_t)count);
        rc = outcome(gate, writer, bundle.messages[bundle.carrier].offset, &why);
    }
    if (sr_journal_hook)
        sr_journal_hook("read");
    if (unknown || (rc < 0 && rc != BS_ELIMIT && rc != BS_EFENCED)) {
        pthread_mutex_lock(&gate->progress);
        tell_failure(gate, records, count, &why);
        pthread_mutex_unlock(&gate->progress);
    }
    if (unknown)
        resign(gate, writer->epoch, &why);
    else if (rc < 0 && rc != BS_ELIMIT && rc != BS_EFENCED)
        note_refused(gate, writer->epoch, &why);
    if (rc < 0 && err)
        *err = why;
    sr_bundle_deinit(&bundle);
    return rc;
}

void sr_gate_cluster(struct sr_gate *gate, char *ret, size_t cap)
{
    sr_journal_cluster(gate->journal, ret, cap);
}

void sr_gate_set_listen(struct sr_gate *gate, const char *listen, const char *url)
{
    pthread_mutex_lock(&gate->progress);
    snprintf(gate->listen, sizeof gate->listen, "%s", listen);
    snprintf(gate->leader.own_url, sizeof gate->leader.own_url, "%s", url);
    pthread_cond_broadcast(&gate->turn);
    pthread_mutex_unlock(&gate->progress);
}
