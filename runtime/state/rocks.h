/* Rocks: one RocksDB, of one task or of one pipeline's global tables, and the bases in it.
 *
 * All stores of a task share it: two bytes of store id stand before each row, id 0 is the
 * database's own: the id of each store's name, the changelog position each store stands at, its
 * observed time. One cache is shared by all databases of a process.
 *
 * The write-ahead log is on and never synced. Reason: after kill -9 the log is complete and a
 * restart reads nothing back from Kafka; after a power loss RocksDB keeps a prefix of the batches,
 * each with the positions it belongs to, and the changelog supplies the rest. Without the log every
 * kill would cost a restore of up to a write buffer; with sync each commit would cost a disk flush
 * for nothing, since the changelog is the durable copy. */
#ifndef WEIR_RUNTIME_STATE_ROCKS_H
#define WEIR_RUNTIME_STATE_ROCKS_H

#include "runtime/state/base.h"

struct rt_rocks_options {
    size_t block_cache_bytes;  /* of the process */
    size_t write_buffer_bytes; /* of each database */
};

/* What all databases of a process share. Any thread. */
struct rt_rocks_shared;
struct rt_rocks_shared *rt_rocks_shared_new(const struct rt_rocks_options *options);
void rt_rocks_shared_free(struct rt_rocks_shared *shared); /* after all databases; accepts NULL */

struct rt_rocks;
/* Makes the folder (its parent must be there). BS_EBUSY: another process has it open; BS_ECORRUPT
 * says what to do. */
int rt_rocks_open(struct rt_rocks_shared *shared, const char *path, struct rt_rocks **ret,
                  struct bs_error *err);
void rt_rocks_close(struct rt_rocks *rocks); /* accepts NULL */

/* The id of a store, given to its name for ever. */
int rt_rocks_store_id(struct rt_rocks *rocks, const char *name, uint16_t *ret,
                      struct bs_error *err);

enum rt_rocks_number { RT_ROCKS_POSITION = 'p', RT_ROCKS_OBSERVED = 'o' };
/* The number kept under a name, `missing` when there is none. */
int rt_rocks_number(struct rt_rocks *rocks, enum rt_rocks_number kind, const char *name,
                    int64_t missing, int64_t *ret, struct bs_error *err);

/* Collected, then written at once; one owner thread. */
void rt_rocks_put(struct rt_rocks *rocks, uint16_t id, struct bs_bytes row, struct bs_bytes value,
                  int64_t timestamp); /* value.ptr NULL deletes */
void rt_rocks_put_number(struct rt_rocks *rocks, enum rt_rocks_number kind, const char *name,
                         int64_t value);
void rt_rocks_wipe(struct rt_rocks *rocks, uint16_t id); /* every row of a store */
/* In one atomic batch; the collection is empty afterwards, also on failure. */
int rt_rocks_write(struct rt_rocks *rocks, struct bs_error *err);

/* A view of one store's rows, of one thread; several may be open. */
struct rt_base *rt_rocks_base_new(struct rt_rocks *rocks, uint16_t id);
void rt_rocks_base_free(struct rt_base *base); /* accepts NULL */

#endif
