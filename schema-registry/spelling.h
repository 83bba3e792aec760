/* Spelling: keys of the topic that mean the same as ours in other bytes: members in another order,
 * "subject":null, another magic, members of other registries. Compaction takes them for different
 * keys, so a deletion has to name each, or the deleted thing comes back. Pure. */
#ifndef WEIR_SR_SPELLING_H
#define WEIR_SR_SPELLING_H

#include "lib/base/bytes.h"

enum { SR_SPELLINGS_MAX = 1000 }; /* of one key; the oldest are forgotten */

struct sr_spelling;

/* `keys` is the head of all, NULL at first. `ours` is the key as we write it. */
void sr_spelling_add(struct sr_spelling **keys, struct bs_bytes ours, struct bs_bytes other);
void sr_spelling_remove(struct sr_spelling **keys, struct bs_bytes ours, struct bs_bytes other);
/* The other spellings, valid until the next change. */
size_t sr_spelling_find(const struct sr_spelling *keys, struct bs_bytes ours,
                        const struct bs_bytes **ret);
void sr_spelling_free(struct sr_spelling **keys);

#endif
