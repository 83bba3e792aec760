/* Leader: which of the registries on one topic decides, told by the topic itself. Pure.
 *
 * A claim is a NOOP record with the value {"maxId":n,"epoch":N,"leader":url,"instance":i}. The
 * first claim of an epoch, in the order of the topic, makes its writer the leader, until a claim of
 * a higher epoch. Everything a leader writes carries its epoch in a header; a record of a lower
 * epoch than the one in force where it lies has no effect, in every process and at every replay
 * alike. So a process may believe that it leads and be wrong: what it writes is dropped.
 *
 * Who claims: the owner of the consumer group's partition (group.h), which tells that a leader is
 * gone. Without waiting for the group: a process that starts and finds its own URL in the last
 * claim, or an empty topic, or a leader that has said that it goes; one to which the leader's host
 * says that nothing listens there. Neither, where another product has written since the last claim,
 * nor where URLs lead astray: two processes announce the same one, or one under which nothing is
 * found is that of a process that runs. They would take the lead from each other for ever.
 * After a write whose outcome is unknown: the leader itself, because only a new epoch settles what
 * becomes of that write. */
#ifndef WEIR_SR_LEADER_H
#define WEIR_SR_LEADER_H

#include "lib/base/err.h"

#include <stddef.h>
#include <stdint.h>

enum {
    SR_URL_MAX = 300,
    SR_EPOCHS_KEPT = 32,  /* for sr_leader_held */
    SR_RECLAIM_MS = 2000, /* an owner that another one's claim has deposed waits this long */
    SR_CLAIM_RETRY_MS = 200,
    /* Epochs rise by one. One that is far ahead of the one in force is no leader's but somebody's
     * mistake, and would use up the numbers. */
    SR_EPOCH_LEAP = 1000000,
    SR_EPOCH_MAX = INT32_MAX,
};

struct sr_claim {
    int64_t epoch;
    uint64_t instance; /* of a process, made up at its start */
    const char *url;   /* "": the leader has gone, cleanly */
};

struct sr_leader {
    /* this process */
    uint64_t instance;
    char own_url[SR_URL_MAX]; /* "" until the listener is open */
    bool eligible, replayed, owner;
    bool shortcut;   /* may claim without being the owner */
    bool foreign;    /* another product has the group */
    uint64_t gone;   /* the instance that was taken for gone last; 0: none */
    uint64_t deaf;   /* one that was so, and was not: nothing can be concluded from its URL */
    bool twin;       /* another process that runs announces own_url */
    bool claiming;   /* a claim of its own is under way */
    int64_t wait_ms; /* no claim before this time */
    /* the topic */
    int64_t epoch;        /* in force; 0 before the first */
    char url[SR_URL_MAX]; /* of its leader; "" when none is known */
    uint64_t holder;      /* the instance that has claimed it; 0 when that is not known */
    bool mine;            /* this process leads */
    bool records;         /* there are any */
    bool others; /* records without an epoch since the last claim: another product writes */
    struct {
        int64_t epoch, offset; /* of the first record of the epoch */
    } starts[SR_EPOCHS_KEPT];
    size_t start_count;
};

void sr_leader_init(struct sr_leader *leader, uint64_t instance, bool eligible);

/* A record was read that is no claim; epoch -1: it has none. false: it has no effect. */
bool sr_leader_record(struct sr_leader *leader, int64_t epoch, int64_t offset);
/* A claim was read. `epoch` is that of its header: -1, or its leader's own, who writes it once
 * more. false: it came too late. */
bool sr_leader_claim(struct sr_leader *leader, const struct sr_claim *claim, int64_t epoch,
                     int64_t offset, int64_t now_ms);
void sr_leader_replayed(struct sr_leader *leader);
/* Nothing listens at that URL. false: that says nothing, or not of the leader. */
bool sr_leader_gone(struct sr_leader *leader, const char *url);
/* This process writes no more. */
void sr_leader_end(struct sr_leader *leader);
/* Another process answers at this one's URL. */
void sr_leader_twin(struct sr_leader *leader);
/* Another product has the group: it writes, and this process must not. */
void sr_leader_foreign(struct sr_leader *leader, bool foreign);
void sr_leader_owner(struct sr_leader *leader, bool owner);

/* The epoch to claim now, or 0 (also when there are none left). *ret_wait_ms: when to ask again at
 * the latest, if nothing happens.
 */
int64_t sr_leader_wants(const struct sr_leader *leader, int64_t now_ms, int64_t *ret_wait_ms);
void sr_leader_claim_begin(struct sr_leader *leader);
/* The claim has been read, or may never be; one in vain is not repeated at once. */
void sr_leader_claim_end(struct sr_leader *leader, int64_t now_ms);

/* A write of that epoch has an unknown outcome: nothing more is decided in it. */
void sr_leader_resign(struct sr_leader *leader, int64_t epoch);
/* Was the epoch in force at that offset, which has been read? 1, 0, or -1: too long ago to know. */
int sr_leader_held(const struct sr_leader *leader, int64_t epoch, int64_t offset);

#endif
