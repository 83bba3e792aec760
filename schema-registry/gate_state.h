/* Gate's state: what gate.c (the store, the line of writers), gate_replay.c (the journal's thread),
 * gate_lead.c (the leader's thread) and gate_health.c (the watching thread) share. Every lock of
 * this room is here. Order: state, line, progress; none is held over a call to the broker. */
#ifndef WEIR_SR_GATE_STATE_H
#define WEIR_SR_GATE_STATE_H

#include "schema-registry/bundle.h"
#include "schema-registry/gate.h"
#include "schema-registry/group.h"
#include "schema-registry/leader.h"
#include "schema-registry/owed.h"
#include "schema-registry/skipped.h"

#include <pthread.h>
#include <time.h>

/* Who waits for what another process has written; in its frame. */
struct sr_waiter {
    int64_t offset;
    pthread_cond_t applied;
    struct sr_waiter *next;
};

/* Ids that were given in a context, perhaps for writes that failed. */
struct sr_given {
    char *context;
    int64_t next_id;
};

enum { SR_REASON_MAX = sizeof((struct bs_error *)0)->text };

struct sr_gate {
    struct sr_settings settings;
    struct sr_journal *journal;
    struct sr_group *group; /* of the leader's thread */
    struct bs_metric schemas, subjects, offset, skips, writes;
    struct bs_metric leads, epoch, lag, fenced, ready;

    pthread_rwlock_t state; /* guards store */
    struct sr_store *store;
    struct bs_arena scratch; /* of the journal's thread: the record under way */

    pthread_mutex_t line; /* guards what follows */
    pthread_cond_t left;
    struct sr_writer *writers; /* in the order of entering */
    struct sr_given *given;    /* by context */
    size_t given_count;

    pthread_mutex_t progress; /* guards what follows */
    struct sr_waiter *waiters;
    int64_t applied_offset;
    struct sr_leader leader;
    struct sr_owed_list owed;
    pthread_cond_t turn; /* the leader, or what is owed, has changed */
    bool probed, stop;
    char step[512], listen[300], why_none[1024], group_problem[1024];
    struct sr_skipped skipped;
    struct bs_error failure, lost; /* lost: the topic is not what was read */
    bool looked;                   /* the watching thread, once */
    /* Why writes are not accepted, and what may surprise; "" where nothing is wrong. */
    char away[SR_REASON_MAX];      /* no broker answers, or it has not the topic */
    bool no_topic;                 /* the latter */
    char unwritten[SR_REASON_MAX]; /* the last write of this process was refused */
    bool told;                     /* that a write failed; until one is taken */
    char unready[SR_REASON_MAX];   /* the leader, another process, says so */
    char differing[SR_REASON_MAX]; /* options, from that leader's */

    bool owing; /* of the leader's thread: paying what is owed has failed */
    pthread_t thread, watcher;
    bool started, watching;
};

int64_t sr_gate_now_ms(void);
struct timespec sr_gate_after(int64_t ms); /* of the monotonic clock */
void sr_gate_cond_init(pthread_cond_t *cond);

/* With progress locked: does another process lead? One that has not been looked for yet at start,
 * or that this process is about to replace, does not count. */
bool sr_gate_other_leads(const struct sr_gate *gate);
bool sr_gate_unsure(const struct sr_gate *gate); /* it has to be looked for */

/* With progress locked: the topic has taken a write. */
void sr_gate_taken(struct sr_gate *gate);

/* gate_replay.c: the callbacks of the journal's thread. */
int sr_gate_open_journal(struct sr_gate *gate, struct bs_error *err);

/* With progress locked: what is known of the reason that nobody leads, or "". */
const char *sr_gate_why_none(const struct sr_gate *gate);

/* gate_health.c */
/* Which process answers at that URL; 0: none, or none that says it. */
uint64_t sr_gate_instance_at(const char *url, int64_t timeout_ms);
int sr_gate_start_watching(struct sr_gate *gate, struct bs_error *err);

/* gate_lead.c; it ends the watching thread too. */
int sr_gate_start_leading(struct sr_gate *gate, struct bs_error *err);
void sr_gate_stop_leading(struct sr_gate *gate);
/* {"maxId":…} alone (epoch 0), or a claim with it. */
void sr_gate_noop(struct sr_gate *gate, int64_t epoch, const char *url, struct bs_arena *arena,
                  struct sr_record *ret);

#endif
