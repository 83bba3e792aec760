/* Bundle: the records of one write, whole or absent. Pure.
 *
 * Kafka appends records one by one, and a process can end between two. So the first record of a
 * write carries the others in a header (weir-rest): who reads it applies all of them at once, and
 * has done with them when they come by themselves. A writer that ended in between owes them to the
 * topic, for compaction's sake and for other products: the next leader writes them (owed.h).
 * Records with the highest id go before, alone: they take nothing away.
 *
 *   weir-rest  [["key","value"|null],null,…]   in the order of the write; null: the carrier itself
 */
#ifndef WEIR_SR_BUNDLE_H
#define WEIR_SR_BUNDLE_H

#include "schema-registry/journal.h"
#include "schema-registry/record.h"

/* More in one header would not fit beside a schema into a record of 1 MiB; such a write (a
 * permanent deletion of some 3,000 versions) goes without, and may be seen in part after a crash.
 */
enum { SR_REST_MAX = 256 * 1024 };

struct sr_bundle {
    struct sr_message *messages; /* in the order of appending */
    size_t count, carrier;       /* index of the message that decides */
    struct bs_arena arena;
};

void sr_bundle_init(struct sr_bundle *bundle, const struct sr_record *records, size_t count,
                    int64_t epoch);
void sr_bundle_deinit(struct sr_bundle *bundle);

/* The records of a header, in order. */
int sr_bundle_rest(struct bs_bytes rest, struct bs_arena *arena, struct sr_record **ret_records,
                   size_t *ret_count, struct bs_error *err);

#endif
