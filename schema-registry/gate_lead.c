/* Gate, the leader's thread: claims when leader.h wants it, starts the group, and writes what is
 * owed to the topic.
 *
 * A process that starts beside a leader that is gone without a word need not wait for the group to
 * notice: when the URL of the last claim refuses connections, nobody leads. */
#include "schema-registry/gate_state.h"

#include "lib/base/log.h"
#include "lib/http/client.h"

#include <stdio.h>
#include <string.h>

enum { PROBE_MS = 300, RELEASE_MS = 500, RETRY_MS = 1000, WAIT_MAX_MS = 60000 };

static const struct bs_event leading = {"registry.leader", BS_LOG_INFO,
                                        "This process leads: it alone writes to the topic."};
static const struct bs_event following = {"registry.follower", BS_LOG_INFO,
                                          "Another process leads: writes are forwarded to it."};
static const struct bs_event same_url = {
    "registry.same-url", BS_LOG_ERROR,
    "Another process that runs announces the URL of this one, so what is forwarded to it may go "
    "astray: give each a host of its own, as /health says. This process leads only if the group "
    "says so."};
static const struct bs_event claim_failed = {
    "registry.claim-failed", BS_LOG_WARN,
    "This process wants to lead and cannot write to the topic; it goes on trying."};
static const struct bs_event owed_failed = {
    "registry.owed-failed", BS_LOG_WARN,
    "After a refused write, or one of a former leader, the topic's last record of a key may not be "
    "the one that counts, so this process writes that one again, which has failed. It goes on "
    "trying about every second and says it once; until it is done compaction may lose what counts, "
    "and /health shows how many are owed. Look at what the topic refuses: a full disk, a missing "
    "right."};

/* ---- records ---- */

static void put_member(struct sr_record *record, const char *name, struct sd_value value)
{
    struct sd_field *field = &record->value.map.fields[record->value.map.count++];
    *field = (struct sd_field){.name = bs_bytes_text(name), .value = value};
}

static struct sd_value text_value(const char *text)
{
    return (struct sd_value){.type = SD_STRING, .bytes = bs_bytes_text(text)};
}

void sr_gate_noop(struct sr_gate *gate, int64_t epoch, const char *url, struct bs_arena *arena,
                  struct sr_record *ret)
{
    pthread_rwlock_rdlock(&gate->state);
    *ret = sr_store_mark(gate->store, arena);
    pthread_rwlock_unlock(&gate->state);
    ret->epoch = epoch;
    if (epoch == 0)
        return;
    put_member(ret, "epoch", (struct sd_value){.type = SD_LONG, .number = epoch});
    put_member(ret, "leader", text_value(bs_arena_strndup(arena, url, strlen(url))));
    put_member(
        ret, "instance",
        text_value(bs_arena_printf(arena, "%016llx", (unsigned long long)gate->leader.instance)));
}

static void claim(struct sr_gate *gate, int64_t epoch)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_error err = {0};
    struct sr_bundle bundle;
    struct sr_record record;
    bool unknown, mine;
    int rc;
    sr_gate_noop(gate, epoch, gate->leader.own_url, &arena, &record);
    rc = sr_bundle_init(&bundle, &record, 1, -1, sr_journal_record_max(gate->journal), &err);
    if (rc == 0)
        rc = sr_journal_append(gate->journal, bundle.messages, bundle.count,
                               gate->settings.timeout_ms, &unknown, &err);
    sr_bundle_deinit(&bundle);
    bs_arena_deinit(&arena);
    pthread_mutex_lock(&gate->progress);
    sr_leader_claim_end(&gate->leader, sr_gate_now_ms());
    mine = gate->leader.mine;
    snprintf(gate->why_none, sizeof gate->why_none, "%s", rc < 0 ? err.text : "");
    if (rc == 0)
        sr_gate_taken(gate);
    pthread_cond_broadcast(&gate->turn);
    pthread_mutex_unlock(&gate->progress);
    if (rc < 0)
        bs_log(&claim_failed, "epoch %lld: %s", (long long)epoch, err.text);
    else if (mine)
        bs_log(&leading, "epoch %lld, %s", (long long)epoch, gate->leader.own_url);
}

/* One key that is owed: as a writer who is alone, so that nothing newer is undone. */
static int pay(struct sr_gate *gate)
{
    struct sr_writer writer = {.subject = NULL};
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_error err = {0};
    struct sr_record key = {.kind = SR_RECORD_UNKNOWN}, *records = NULL;
    const struct sr_owed *owed;
    size_t count = 1;
    int rc = sr_gate_enter(gate, &writer, sr_gate_now_ms() + gate->settings.timeout_ms, &err);
    if (rc < 0)
        return rc == BS_EFENCED ? 0 : rc;
    pthread_mutex_lock(&gate->progress);
    owed = sr_owed_next(&gate->owed, writer.epoch);
    if (owed) {
        key = owed->key;
        if (key.subject)
            key.subject = bs_arena_strndup(&arena, key.subject, strlen(key.subject));
        if (key.context)
            key.context = bs_arena_strndup(&arena, key.context, strlen(key.context));
        if (key.spelling.ptr)
            key.spelling.ptr = bs_arena_dup(&arena, key.spelling.ptr, key.spelling.len);
    }
    pthread_mutex_unlock(&gate->progress);
    if (owed && key.kind != SR_RECORD_NOOP) {
        pthread_rwlock_rdlock(&gate->state);
        sr_owed_pay(gate->store, &key, &arena, &records, &count);
        pthread_rwlock_unlock(&gate->state);
    } else if (owed) {
        records = &key;
        if (key.epoch == 0 || key.epoch == writer.epoch)
            sr_gate_noop(gate, key.epoch, gate->leader.own_url, &arena, &key);
    }
    if (owed)
        rc = sr_gate_append(gate, &writer, records, count, &err);
    sr_gate_leave(gate, &writer);
    bs_arena_deinit(&arena);
    if (rc < 0 && !gate->owing)
        bs_log(&owed_failed, "%s", err.text);
    gate->owing = rc < 0;
    return rc;
}

/* ---- the thread ---- */

static void on_owner(void *ctx, bool owner)
{
    struct sr_gate *gate = ctx;
    pthread_mutex_lock(&gate->progress);
    sr_leader_owner(&gate->leader, owner);
    pthread_cond_broadcast(&gate->turn);
    pthread_mutex_unlock(&gate->progress);
}

static void on_problem(void *ctx, const char *text, bool foreign)
{
    struct sr_gate *gate = ctx;
    pthread_mutex_lock(&gate->progress);
    snprintf(gate->group_problem, sizeof gate->group_problem, "%s", text ? text : "");
    sr_leader_foreign(&gate->leader, foreign);
    bs_metric_set(&gate->leads, gate->leader.mine);
    pthread_cond_broadcast(&gate->turn);
    pthread_mutex_unlock(&gate->progress);
}

bool sr_gate_gone(struct sr_gate *gate, const char *url)
{
    bool gone;
    pthread_mutex_lock(&gate->progress);
    gone = gate->leader.eligible && sr_leader_gone(&gate->leader, url);
    pthread_cond_broadcast(&gate->turn);
    pthread_mutex_unlock(&gate->progress);
    return gone;
}

static void join_group(struct sr_gate *gate)
{
    struct sr_group_options options = {
        .bootstrap = gate->settings.bootstrap,
        .topic = gate->settings.topic,
        .id = gate->settings.group,
        .properties = gate->settings.properties,
        .ctx = gate,
        .on_owner = on_owner,
        .on_problem = on_problem,
    };
    struct bs_error err = {0};
    if (sr_group_open(&options, &gate->group, &err) < 0)
        on_problem(gate, err.text, false);
}

/* Once, at start: is the leader that the topic names still there? */
static void probe(struct sr_gate *gate, const char *url)
{
    bool gone = ht_client_refused(url, PROBE_MS);
    pthread_mutex_lock(&gate->progress);
    gate->probed = true;
    gate->leader.shortcut = false;
    if (gone)
        sr_leader_gone(&gate->leader, url);
    pthread_cond_broadcast(&gate->turn);
    pthread_mutex_unlock(&gate->progress);
}

static bool wants_probe(const struct sr_gate *gate)
{
    return sr_gate_unsure(gate) && gate->leader.replayed && gate->leader.own_url[0];
}

/* The last claim names this process's own URL: was that its life before, or another's that runs? */
static void probe_own(struct sr_gate *gate)
{
    uint64_t there = sr_gate_instance_at(gate->leader.own_url, PROBE_MS);
    pthread_mutex_lock(&gate->progress);
    gate->probed = true;
    if (there && there != gate->leader.instance)
        sr_leader_twin(&gate->leader);
    pthread_mutex_unlock(&gate->progress);
}

static bool wants_probe_own(const struct sr_gate *gate)
{
    const struct sr_leader *leader = &gate->leader;
    return !gate->probed && leader->replayed && leader->own_url[0] && !leader->mine &&
           strcmp(leader->url, leader->own_url) == 0;
}

/* One thing to do, with progress unlocked meanwhile; false: nothing. */
static bool act(struct sr_gate *gate, bool *joined, int64_t *ret_wait_ms)
{
    int64_t epoch;
    if (wants_probe_own(gate)) {
        pthread_mutex_unlock(&gate->progress);
        probe_own(gate);
        pthread_mutex_lock(&gate->progress);
    }
    epoch = sr_leader_wants(&gate->leader, sr_gate_now_ms(), ret_wait_ms);
    if (epoch) {
        sr_leader_claim_begin(&gate->leader);
        pthread_mutex_unlock(&gate->progress);
        claim(gate, epoch);
        pthread_mutex_lock(&gate->progress);
        return true;
    }
    if (gate->leader.replayed && gate->leader.eligible && !*joined) {
        *joined = true;
        pthread_mutex_unlock(&gate->progress);
        join_group(gate);
        pthread_mutex_lock(&gate->progress);
        return true;
    }
    if (wants_probe(gate)) {
        char url[SR_URL_MAX];
        memcpy(url, gate->leader.url, sizeof url);
        pthread_mutex_unlock(&gate->progress);
        probe(gate, url);
        pthread_mutex_lock(&gate->progress);
        return true;
    }
    if (gate->leader.mine && sr_owed_due(&gate->owed, gate->leader.epoch)) {
        int rc;
        pthread_mutex_unlock(&gate->progress);
        rc = pay(gate);
        pthread_mutex_lock(&gate->progress);
        if (rc == 0)
            return true;
        *ret_wait_ms = RETRY_MS;
    }
    return false;
}

static void *lead(void *arg)
{
    struct sr_gate *gate = arg;
    bool joined = false, followed = false, told = false;
    pthread_mutex_lock(&gate->progress);
    while (!gate->stop) {
        int64_t wait_ms;
        struct timespec until;
        bool follows;
        if (act(gate, &joined, &wait_ms))
            continue;
        follows = gate->leader.replayed && !gate->leader.mine && gate->leader.url[0];
        if (follows && !followed)
            bs_log(&following, "epoch %lld, %s", (long long)gate->leader.epoch, gate->leader.url);
        followed = follows;
        if (gate->leader.twin && !told)
            bs_log(&same_url, "%s", gate->leader.own_url);
        told = gate->leader.twin;
        until = sr_gate_after(wait_ms < WAIT_MAX_MS ? wait_ms : WAIT_MAX_MS);
        pthread_cond_timedwait(&gate->turn, &gate->progress, &until);
    }
    pthread_mutex_unlock(&gate->progress);
    return NULL;
}

int sr_gate_start_leading(struct sr_gate *gate, struct bs_error *err)
{
    int rc = pthread_create(&gate->thread, NULL, lead, gate);
    if (rc != 0)
        return bs_error_sys(err, rc, "cannot start the registry's leading thread");
    gate->started = true;
    return 0;
}

/* A claim without a URL: who starts next need not wait for this process. */
static void release(struct sr_gate *gate)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct sr_bundle bundle;
    struct sr_record record;
    bool unknown;
    sr_gate_noop(gate, gate->leader.epoch, "", &arena, &record);
    if (sr_bundle_init(&bundle, &record, 1, gate->leader.epoch,
                       sr_journal_record_max(gate->journal), NULL) == 0)
        sr_journal_append(gate->journal, bundle.messages, bundle.count, 0, &unknown, NULL);
    sr_bundle_deinit(&bundle);
    bs_arena_deinit(&arena);
}

void sr_gate_stop_leading(struct sr_gate *gate)
{
    bool mine, reachable;
    pthread_mutex_lock(&gate->progress);
    gate->stop = true;
    mine = gate->leader.mine;
    pthread_cond_broadcast(&gate->turn);
    pthread_mutex_unlock(&gate->progress);
    if (gate->started)
        pthread_join(gate->thread, NULL);
    if (gate->watching)
        pthread_join(gate->watcher, NULL);
    reachable = gate->journal && sr_journal_ask(gate->journal, RELEASE_MS, NULL) == 0;
    if (mine && reachable)
        release(gate);
    sr_group_close(gate->group, reachable);
}
