/* Bundle: the records of one write, whole or absent. Pure.
 *
 * Kafka appends records one by one, and a process can end between two. So the first record of a
 * write carries the others in a header (weir-rest): who reads it applies all of them at once, and
 * has done with them when they come by themselves. A writer that ended in between owes them to the
 * topic, for compaction's sake and for other products: the next leader writes them (owed.h).
 * Records with the highest id go before, alone: they take nothing away.
 *
 *   weir-rest  [["key","value"|null],["key",null,3],…]   in the order of the write
 *
 * The third element of an item says up to which version (or down to) the key's and those between go
 * for good: a subject with tens of thousands of them is deleted in one write. */
#ifndef WEIR_SR_BUNDLE_H
#define WEIR_SR_BUNDLE_H

#include "schema-registry/journal.h"
#include "schema-registry/record.h"

/* Records behind the first: as many keys as owed.h remembers, where the writer ends in between. */
enum { SR_REST_MAX = 60000 };

struct sr_bundle {
    struct sr_message *messages; /* in the order of appending */
    size_t count, carrier;       /* index of the message that decides */
    struct bs_arena arena;
};

/* To be deinitialized in any case. BS_ELIMIT: a record is larger than `max`, the bytes that the
 * topic takes; BS_ERANGE: the write is, or has too many records: it must be made in parts. */
int sr_bundle_init(struct sr_bundle *bundle, const struct sr_record *records, size_t count,
                   int64_t epoch, size_t max, struct bs_error *err);
void sr_bundle_deinit(struct sr_bundle *bundle);

/* The records of a header, in order. */
int sr_bundle_rest(struct bs_bytes rest, struct bs_arena *arena, struct sr_record **ret_records,
                   size_t *ret_count, struct bs_error *err);

#endif
