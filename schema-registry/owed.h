/* Owed: keys whose last record in the topic is not what is in force: a dropped one, or none at all
 * because a writer ended before it. Compaction would keep the wrong one, so the leader writes what
 * is in force (a tombstone, where nothing is). Pure; who writes and when: gate_lead.c. */
#ifndef WEIR_SR_OWED_H
#define WEIR_SR_OWED_H

#include "schema-registry/subject.h"

/* A key; its text is that of the list. */
struct sr_owed {
    struct sr_owed *next;
    struct sr_record key; /* kind, subject, version, epoch */
    int64_t below;        /* a leader of a higher epoch than this pays it */
};

struct sr_owed_list {
    struct sr_owed *first, **end;
    size_t count;
};

/* So many at most: what a stopped process had under way when another took over is far less. */
enum { SR_OWED_MAX = 65536 };

void sr_owed_init(struct sr_owed_list *list);
void sr_owed_deinit(struct sr_owed_list *list);
/* false: the list is full. A key that is in it stays, with the new epoch. */
bool sr_owed_add(struct sr_owed_list *list, const struct sr_record *key, int64_t below);
/* A record of that key took its place in the topic. */
void sr_owed_settle(struct sr_owed_list *list, const struct sr_record *key);
bool sr_owed_due(const struct sr_owed_list *list, int64_t epoch);
/* One that a leader of the epoch pays: claims of older epochs (kind NOOP) come after all others. */
const struct sr_owed *sr_owed_next(const struct sr_owed_list *list, int64_t epoch);

/* The records that put in force what is in force for that key. Claims are not its business. */
void sr_owed_pay(const struct sr_store *store, const struct sr_record *key, struct bs_arena *arena,
                 struct sr_record **ret_records, size_t *ret_count);

#endif
