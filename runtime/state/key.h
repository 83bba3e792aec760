/* Key: how a store's rows are named in its ordered map and in RocksDB, and in a changelog.
 *
 *   row of a KV store      'r' key
 *   row of a window store  'r' escaped(key) start      rows of one key lie together, by start
 *   index of a window row  'i' start escaped(key)      the oldest windows come first: expiry is a
 *                                                      walk over a range
 *   changelog of a window  key start(8) sequence(4)    as Kafka Streams writes it
 *
 * start: 8 bytes big endian with the sign bit turned, so that bytes order as numbers (in the
 * changelog: plain big endian). escaped: 00 → 00 FF, ended by 00 00, so that a key is never ordered
 * amid the rows of a shorter one. Pure. */
#ifndef WEIR_RUNTIME_STATE_KEY_H
#define WEIR_RUNTIME_STATE_KEY_H

#include "lib/base/buf.h"

enum { RT_KEY_INDEX = 'i', RT_KEY_ROW = 'r' };
enum { RT_CHANGELOG_WINDOW_TAIL = 12 };

/* Each writes into `out` after emptying it. */
void rt_key_row(struct bs_buf *out, struct bs_bytes key);
void rt_key_window(struct bs_buf *out, struct bs_bytes key, int64_t start);
void rt_key_index(struct bs_buf *out, int64_t start, struct bs_bytes key);
void rt_key_window_changelog(struct bs_buf *out, struct bs_bytes key, int64_t start);
/* The bounds [lo, hi) of the index rows with from ≤ start ≤ until. */
void rt_key_index_range(struct bs_buf *lo, struct bs_buf *hi, int64_t from, int64_t until);

/* Back again; `key` gets the plain key. BS_ECORRUPT. */
int rt_key_window_parse(struct bs_bytes row, struct bs_buf *key, int64_t *ret_start);
int rt_key_index_parse(struct bs_bytes row, struct bs_buf *key, int64_t *ret_start);
int rt_key_window_changelog_parse(struct bs_bytes in, struct bs_bytes *ret_key, int64_t *ret_start);

#endif
