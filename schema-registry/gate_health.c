/* Gate, the watching thread: would a write be accepted now? And what /health says of it.
 *
 * It is asked, not guessed: once a second whether a broker that has the topic answers, and a
 * follower asks its leader's /health. What the last write of this process came to is told by
 * gate.c; the leader's thread repeats a refused one with a record of its own (gate_lead.c), so that
 * the state ends by itself. */
#include "schema-registry/gate_state.h"

#include "lib/base/log.h"
#include "lib/http/client.h"
#include "lib/serde/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WATCH_MS = 1000, BROKER_MS = 2000, LEADER_MS = 2000, ANSWER_MAX = 64 * 1024 };

static const struct bs_event no_broker = {
    "registry.no-broker", BS_LOG_WARN,
    "No broker that has the topic answers: nothing can be written, and what others write is not "
    "seen. It is asked again every second."};
static const struct bs_event no_topic = {
    "registry.no-topic", BS_LOG_WARN,
    "The brokers answer and do not have the topic any more: somebody has deleted it, or they are "
    "those of another cluster. Schemas are answered from memory, nothing can be written. It is "
    "asked again every second."};
static const struct bs_event broker_again = {"registry.broker-again", BS_LOG_INFO,
                                             "A broker that has the topic answers again."};
static const struct bs_event leader_unready = {
    "registry.leader-unready", BS_LOG_WARN,
    "The leader accepts no writes, so neither does this process, which forwards them to it."};
static const struct bs_event options_differ = {
    "registry.options-differ", BS_LOG_WARN,
    "This process and its leader have different options: reads and writes follow different rules."};

/* ---- watching ---- */

/* Differing options, into `out`: "name is a here, b there; …". */
static void compare(const struct sd_value *ours, const struct sd_value *theirs, struct bs_buf *out)
{
    for (uint32_t i = 0; i < ours->map.count; i++) {
        const struct sd_field *own = &ours->map.fields[i];
        const struct sd_value *other = sd_value_get(theirs, own->name);
        if (other == NULL || sd_value_equal(&own->value, other))
            continue;
        bs_buf_printf(out, "%s%.*s is ", out->len ? "; " : "", (int)own->name.len,
                      (const char *)own->name.ptr);
        sd_json_write(&own->value, true, out, NULL);
        bs_buf_puts(out, " here, ");
        sd_json_write(other, true, out, NULL);
        bs_buf_puts(out, " there");
    }
}

/* The member "instance" of a /health; 0: there is none. */
static uint64_t instance_of(const struct sd_value *health)
{
    const struct sd_value *value = sd_value_get(health, bs_bytes_text("instance"));
    char text[17] = "";
    if (value && value->type == SD_STRING && value->bytes.len < sizeof text)
        memcpy(text, value->bytes.ptr, value->bytes.len);
    return strtoull(text, NULL, 16);
}

struct seen {
    uint64_t leader; /* the instance that is meant to answer; 0: not known */
    char unready[SR_REASON_MAX], differing[SR_REASON_MAX];
};

static bool stopping(void *ctx)
{
    struct sr_gate *gate = ctx;
    bool stop;
    pthread_mutex_lock(&gate->progress);
    stop = gate->stop;
    pthread_mutex_unlock(&gate->progress);
    return stop;
}

/* The /health at that URL: its status and its members (none, where it is no object). `gate`: one
 * whose end ends the waiting, or NULL. */
static int ask_health(struct ht_client *client, const char *url, int64_t timeout_ms,
                      struct sr_gate *gate, struct bs_arena *arena, int *ret_status,
                      struct sd_value *ret, struct bs_error *err)
{
    static const char *const headers[] = {"Accept: application/json", NULL};
    struct bs_buf answer = BS_BUF_INIT;
    struct ht_exchange x = {
        .url = url,
        .method = "GET",
        .target = "/health",
        .headers = headers,
        .timeout_ms = timeout_ms,
        .give_up = gate ? stopping : NULL,
        .give_up_ctx = gate,
        .out = &answer,
    };
    int rc = ht_client_ask(client, &x, err);
    if (rc == 0 && (sd_json_read(bs_bytes(bs_arena_dup(arena, answer.data, answer.len), answer.len),
                                 arena, ret, NULL) < 0 ||
                    ret->type != SD_MAP))
        *ret = (struct sd_value){.type = SD_MAP};
    *ret_status = x.status;
    bs_buf_deinit(&answer);
    return rc;
}

uint64_t sr_gate_instance_at(const char *url, int64_t timeout_ms)
{
    struct ht_client *client = ht_client_new(1, ANSWER_MAX);
    struct bs_arena arena = BS_ARENA_INIT;
    struct sd_value health;
    struct bs_error err = {0};
    uint64_t instance = 0;
    int status;
    if (ask_health(client, url, timeout_ms, NULL, &arena, &status, &health, &err) == 0)
        instance = instance_of(&health);
    bs_arena_deinit(&arena);
    ht_client_free(client);
    return instance;
}

/* What the leader's /health says. */
static void judge_leader(struct sr_gate *gate, const char *url, int status,
                         const struct sd_value *health, struct bs_arena *arena, struct seen *ret)
{
    const struct sd_value *message = sd_value_get(health, bs_bytes_text("message"));
    const struct sd_value *options = sd_value_get(health, bs_bytes_text("options"));
    struct bs_buf own = BS_BUF_INIT, differing = BS_BUF_INIT;
    struct sd_value ours;
    uint64_t there = instance_of(health);
    if (there && ret->leader && there != ret->leader)
        snprintf(ret->unready, sizeof ret->unready,
                 "%s, which the leader announces, leads to %s: set its option host.name", url,
                 there == sr_gate_instance(gate) ? "this process, which is not it"
                                                 : "another process");
    else if (status != 200)
        snprintf(ret->unready, sizeof ret->unready, "the leader %s is not ready: %.*s", url,
                 message && message->type == SD_STRING ? (int)message->bytes.len : 0,
                 message && message->type == SD_STRING ? (const char *)message->bytes.ptr : "");
    sr_settings_put_shared(&gate->settings, &own);
    if (options && options->type == SD_MAP &&
        sd_json_read(bs_buf_bytes(&own), arena, &ours, NULL) == 0)
        compare(&ours, options, &differing);
    if (differing.len)
        snprintf(ret->differing, sizeof ret->differing,
                 "options differ from those of the leader %s: %s", url, bs_buf_text(&differing));
    bs_buf_deinit(&differing);
    bs_buf_deinit(&own);
}

static void ask_leader(struct sr_gate *gate, struct ht_client *client, const char *url,
                       struct seen *ret)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct sd_value health;
    struct bs_error err = {0};
    int status;
    if (ask_health(client, url, LEADER_MS, gate, &arena, &status, &health, &err) < 0)
        snprintf(ret->unready, sizeof ret->unready, "the leader %s does not answer: %.600s", url,
                 err.text);
    else
        judge_leader(gate, url, status, &health, &arena, ret);
    bs_arena_deinit(&arena);
}

/* With progress locked: takes what was seen over, and logs where it has changed. */
static void note(struct sr_gate *gate, const struct bs_error *away, const struct seen *seen)
{
    bool missing = away->code == BS_ENOTFOUND;
    if (away->code && (!gate->away[0] || missing != gate->no_topic))
        bs_log(missing ? &no_topic : &no_broker, "%s", away->text);
    else if (away->code == 0 && gate->away[0])
        bs_log(&broker_again, "%s", gate->settings.topic);
    if (seen->unready[0] && !gate->unready[0])
        bs_log(&leader_unready, "%s", seen->unready);
    if (seen->differing[0] && strcmp(seen->differing, gate->differing) != 0)
        bs_log(&options_differ, "%s", seen->differing);
    memcpy(gate->away, away->text, sizeof gate->away);
    gate->no_topic = missing;
    memcpy(gate->unready, seen->unready, sizeof gate->unready);
    memcpy(gate->differing, seen->differing, sizeof gate->differing);
}

struct state {
    int rc; /* as sr_gate_health */
    const char *status, *role, *message;
};

/* With progress locked. */
static struct state judge(const struct sr_gate *gate)
{
    const struct sr_leader *leader = &gate->leader;
    const char *role = leader->mine ? "leader" : "follower", *why = sr_gate_why_none(gate);
    if (!leader->replayed && gate->failure.code)
        return (struct state){gate->failure.code, "failed", "starting", gate->failure.text};
    if (!leader->replayed)
        return (struct state){1, "starting", "starting", gate->step};
    if (gate->lost.code)
        return (struct state){1, "topic-lost", role, gate->lost.text};
    if (gate->away[0])
        return (struct state){1, gate->no_topic ? "no-topic" : "no-broker", role, gate->away};
    if (leader->mine && gate->unwritten[0])
        return (struct state){1, "not-writable", role, gate->unwritten};
    if (leader->mine)
        return (struct state){0, "ok", role, leader->twin ? sr_gate_why_none(gate) : ""};
    if (!sr_gate_other_leads(gate))
        return (struct state){1, sr_gate_unsure(gate) ? "starting" : "no-leader", role,
                              *why ? why : "waiting for a leader"};
    if (!gate->looked)
        return (struct state){1, "starting", role, "asking the leader whether it is ready"};
    if (gate->unready[0])
        return (struct state){1, "leader-not-ready", role, gate->unready};
    return (struct state){0, "ok", role, gate->group_problem};
}

static void watch_once(struct sr_gate *gate, struct ht_client *client)
{
    struct bs_error away = {0};
    struct seen seen = {0};
    char url[SR_URL_MAX] = "";
    pthread_mutex_unlock(&gate->progress);
    sr_journal_ask(gate->journal, BROKER_MS, &away);
    pthread_mutex_lock(&gate->progress);
    seen.leader = gate->leader.holder;
    pthread_mutex_unlock(&gate->progress);
    if (away.code == 0 && !sr_gate_leads(gate, url) && url[0])
        ask_leader(gate, client, url, &seen);
    pthread_mutex_lock(&gate->progress);
    if (strcmp(url, gate->leader.mine ? "" : gate->leader.url) != 0 ||
        seen.leader != gate->leader.holder)
        seen = (struct seen){0}; /* of one that leads no longer */
    note(gate, &away, &seen);
    gate->looked = true;
    bs_metric_set(&gate->ready, judge(gate).rc == 0);
}

static void *watch(void *arg)
{
    struct sr_gate *gate = arg;
    struct ht_client *client = ht_client_new(1, ANSWER_MAX);
    pthread_mutex_lock(&gate->progress);
    while (!gate->stop) {
        struct timespec until = sr_gate_after(WATCH_MS);
        int rc = 0;
        if (gate->leader.replayed)
            watch_once(gate, client); /* the first time at once: a follower is not ready before */
        while (!gate->stop && rc == 0 && (gate->looked || !gate->leader.replayed))
            rc = pthread_cond_timedwait(&gate->turn, &gate->progress, &until);
    }
    pthread_mutex_unlock(&gate->progress);
    ht_client_free(client);
    return NULL;
}

int sr_gate_start_watching(struct sr_gate *gate, struct bs_error *err)
{
    int rc = pthread_create(&gate->watcher, NULL, watch, gate);
    if (rc != 0)
        return bs_error_sys(err, rc, "cannot start the registry's watching thread");
    gate->watching = true;
    return 0;
}

/* ---- the body of /health ---- */

static void put_text(struct bs_buf *out, const char *name, const char *text)
{
    bs_buf_printf(out, ",\"%s\":", name);
    bs_buf_put_json_string(out, text, strlen(text));
}

int sr_gate_health(struct sr_gate *gate, struct bs_buf *out)
{
    const struct sr_leader *leader = &gate->leader;
    struct state state;
    pthread_mutex_lock(&gate->progress);
    state = judge(gate);
    bs_buf_printf(out, "{\"status\":\"%s\"", state.status);
    put_text(out, "listen", gate->listen);
    put_text(out, "topic", gate->settings.topic);
    put_text(out, "role", state.role);
    bs_buf_printf(out, ",\"instance\":\"%016llx\"", (unsigned long long)leader->instance);
    if (leader->url[0])
        put_text(out, "leader", leader->url);
    else
        bs_buf_puts(out, ",\"leader\":null");
    bs_buf_printf(out, ",\"epoch\":%lld,\"applied_offset\":%lld", (long long)leader->epoch,
                  (long long)gate->applied_offset);
    if (gate->away[0]) /* the end is not known */
        bs_buf_puts(out, ",\"lag\":null");
    else
        bs_buf_printf(out, ",\"lag\":%lld", (long long)bs_metric_get(&gate->lag));
    bs_buf_printf(out, ",\"schemas\":%lld,\"subjects\":%lld,\"fenced\":%lld,\"owed\":%zu",
                  (long long)bs_metric_get(&gate->schemas),
                  (long long)bs_metric_get(&gate->subjects),
                  (long long)bs_metric_get(&gate->fenced), gate->owed.count);
    bs_buf_puts(out, ",\"options\":");
    sr_settings_put_shared(&gate->settings, out);
    bs_buf_puts(out, ",\"skipped_records\":");
    sr_skipped_put(&gate->skipped, out);
    if (*state.message)
        put_text(out, "message", state.message);
    if (gate->differing[0])
        put_text(out, "warning", gate->differing);
    bs_buf_puts(out, "}");
    pthread_mutex_unlock(&gate->progress);
    return state.rc;
}
