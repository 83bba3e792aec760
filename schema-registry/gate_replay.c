/* Gate, the journal's thread: what becomes of each record that is read, the same at every replay.
 *
 *   parse → is its epoch in force (leader.h)? → apply, with the rest of its write (bundle.h)
 *                     no → it is dropped, and its key is owed to the topic (owed.h)
 *
 * Then whoever waits for that offset is woken. */
#include "schema-registry/gate_state.h"

#include "lib/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct bs_event skipped = {
    "registry.record-skipped", BS_LOG_WARN,
    "A record of the topic is not one of a registry, or contradicts an earlier one; it has no "
    "effect."};
static const struct bs_event fenced = {
    "registry.record-fenced", BS_LOG_WARN,
    "A record of a leader that another had replaced has no effect; its writer got no success. The "
    "leader writes what is in force under its key once more."};
static const struct bs_event owed_full = {
    "registry.owed-full", BS_LOG_ERROR,
    "More keys than can be remembered want to be written again; start this registry again after a "
    "compaction of the topic."};
static const struct bs_event lost = {
    "registry.topic-lost", BS_LOG_ERROR,
    "The topic was deleted and created anew, or has lost records: this process writes no more, and "
    "what it tells is what was there. Restore the topic, or start this registry again."};
static const struct bs_event failed_event = {
    "registry.failed", BS_LOG_ERROR,
    "The registry cannot work: see the text; requests are answered with 503."};

static void set_applied(struct sr_gate *gate, int64_t offset)
{
    pthread_mutex_lock(&gate->progress);
    if (gate->applied_offset < offset)
        gate->applied_offset = offset;
    for (struct sr_waiter *waiter = gate->waiters; waiter; waiter = waiter->next)
        if (waiter->offset <= gate->applied_offset)
            pthread_cond_signal(&waiter->applied);
    pthread_mutex_unlock(&gate->progress);
}

/* ---- with progress locked ---- */

static void owe(struct sr_gate *gate, const struct sr_record *key, int64_t below)
{
    if (!sr_owed_add(&gate->owed, key, below))
        bs_log(&owed_full, "%d keys", SR_OWED_MAX);
}

static const char *text_member(const struct sr_record *record, const char *name,
                               struct bs_arena *arena)
{
    const struct sd_value *value = sd_value_get(&record->value, bs_bytes_text(name));
    return value && value->type == SD_STRING
               ? bs_arena_strndup(arena, (const char *)value->bytes.ptr, value->bytes.len)
               : NULL;
}

static bool claim_read(const struct sr_record *record, struct bs_arena *arena, struct sr_claim *ret)
{
    const char *url, *instance;
    if (record->kind != SR_RECORD_NOOP || record->epoch == 0 || record->tombstone)
        return false;
    url = text_member(record, "leader", arena);
    instance = text_member(record, "instance", arena);
    *ret = (struct sr_claim){.epoch = record->epoch,
                             .instance = instance ? strtoull(instance, NULL, 16) : 0,
                             .url = url && strlen(url) < SR_URL_MAX ? url : ""};
    return true;
}

/* A claim: true when it counts. The claim before it is needed no longer when everything that it had
 * made void has been written again; one that came second hides the first from compaction. */
static bool take_claim(struct sr_gate *gate, const struct sr_claim *claim,
                       const struct sr_read *read)
{
    struct sr_leader *leader = &gate->leader;
    struct sr_record key = {.kind = SR_RECORD_NOOP, .epoch = leader->epoch};
    int64_t before = leader->epoch;
    if (sr_leader_claim(leader, claim, read->epoch, read->offset, sr_gate_now_ms())) {
        if (before > 0 && before != leader->epoch)
            owe(gate, &key, before);
        return true;
    }
    key.epoch = claim->epoch;
    owe(gate, &key, claim->epoch < before ? claim->epoch : before - 1);
    return false;
}

/* Whether the record has an effect. One whose write brought it along before has it twice, which is
 * the same as once; what stands here may also be a later one of its key, where compaction took it.
 */
static bool judge(struct sr_gate *gate, const struct sr_record *record, const struct sr_read *read,
                  const struct sr_record *rest, size_t rest_count, struct bs_arena *arena)
{
    struct sr_claim claim;
    bool is_claim = claim_read(record, arena, &claim), counts;
    pthread_mutex_lock(&gate->progress);
    counts = is_claim ? take_claim(gate, &claim, read)
                      : sr_leader_record(&gate->leader, read->epoch, read->offset);
    if (counts) {
        sr_owed_settle(&gate->owed, record);
        for (size_t i = 0; i < rest_count; i++)
            owe(gate, &rest[i], read->epoch);
    } else {
        if (!is_claim)
            owe(gate, record, read->epoch);
        bs_metric_add(&gate->fenced, 1);
        bs_log(&fenced, "offset %lld: epoch %lld, %lld is in force", (long long)read->offset,
               (long long)(is_claim ? claim.epoch : read->epoch), (long long)gate->leader.epoch);
    }
    if (is_claim || gate->owed.first)
        pthread_cond_broadcast(&gate->turn);
    bs_metric_set(&gate->leads, gate->leader.mine);
    bs_metric_set(&gate->epoch, gate->leader.epoch);
    pthread_mutex_unlock(&gate->progress);
    return counts;
}

/* ---- callbacks ---- */

static int apply(struct sr_gate *gate, struct sr_record *record, struct sr_record *rest,
                 size_t rest_count, const struct sr_read *read, struct bs_error *err)
{
    int rc = 0;
    pthread_rwlock_wrlock(&gate->state);
    for (size_t i = 0; i <= rest_count && rc == 0; i++) {
        struct sr_record *one = i ? &rest[i - 1] : record;
        one->timestamp_ms = read->timestamp_ms;
        one->decided = read->epoch >= 0;
        rc = sr_store_apply(gate->store, one, err);
    }
    bs_metric_set(&gate->schemas, (int64_t)sr_store_entry_count(gate->store));
    bs_metric_set(&gate->subjects, (int64_t)sr_store_subject_count(gate->store));
    pthread_rwlock_unlock(&gate->state);
    return rc;
}

static void set_lag(struct sr_gate *gate, int64_t next_offset)
{
    int64_t end = gate->journal ? sr_journal_end(gate->journal) : 0;
    bs_metric_set(&gate->lag, end > next_offset ? end - next_offset : 0);
}

static void on_record(void *ctx, const struct sr_read *read)
{
    struct sr_gate *gate = ctx;
    struct bs_arena *arena = &gate->scratch;
    struct bs_error err = {0};
    struct sr_record record, *rest = NULL;
    size_t rest_count = 0;
    int rc = read->key.ptr == NULL ? bs_error_set(&err, BS_EINVAL, "it has no key")
                                   : sr_record_read(read->key, read->value, arena, &record, &err);
    if (rc == 0 && read->rest.ptr && read->epoch >= 0)
        rc = sr_bundle_rest(read->rest, arena, &rest, &rest_count, &err);
    if (rc == 0 && judge(gate, &record, read, rest, rest_count, arena))
        rc = apply(gate, &record, rest, rest_count, read, &err);
    if (rc < 0) {
        bs_metric_add(&gate->skips, 1);
        bs_log(&skipped, "offset %lld: %s", (long long)read->offset, err.text);
        pthread_mutex_lock(&gate->progress);
        sr_skipped_add(&gate->skipped, read->offset, err.text);
        pthread_mutex_unlock(&gate->progress);
    }
    bs_arena_reset(arena);
    bs_metric_set(&gate->offset, read->offset);
    if (gate->leader.replayed) /* this thread alone sets it */
        set_lag(gate, read->offset + 1);
    set_applied(gate, read->offset);
}

static void on_end(void *ctx, int64_t next_offset)
{
    struct sr_gate *gate = ctx;
    set_lag(gate, next_offset);
    set_applied(gate, next_offset - 1);
    pthread_mutex_lock(&gate->progress);
    if (!gate->leader.replayed) {
        sr_leader_replayed(&gate->leader);
        pthread_cond_broadcast(&gate->turn);
    }
    pthread_mutex_unlock(&gate->progress);
}

static void on_step(void *ctx, const char *step)
{
    struct sr_gate *gate = ctx;
    pthread_mutex_lock(&gate->progress);
    snprintf(gate->step, sizeof gate->step, "%s", step);
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

static void on_lost(void *ctx, const struct bs_error *err)
{
    struct sr_gate *gate = ctx;
    bs_log(&lost, "%s", err->text);
    pthread_mutex_lock(&gate->progress);
    gate->lost = *err;
    sr_leader_end(&gate->leader);
    bs_metric_set(&gate->leads, 0);
    pthread_cond_broadcast(&gate->turn);
    pthread_mutex_unlock(&gate->progress);
}

int sr_gate_open_journal(struct sr_gate *gate, struct bs_error *err)
{
    const struct sr_settings *settings = &gate->settings;
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
        .on_lost = on_lost,
    };
    return sr_journal_open(&options, &gate->journal, err);
}
