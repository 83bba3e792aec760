/* Global: the stores of a pipeline's global tables: written by one thread, read by all.
 *
 * The rows are in one RocksDB, with the offset of each source partition they stand at. A reader is
 * a store of one thread that only reads, with a cache of its own which goes when anything was
 * written since. The count of writes is the one thing the threads share. */
#ifndef WEIR_RUNTIME_STATE_GLOBAL_H
#define WEIR_RUNTIME_STATE_GLOBAL_H

#include "runtime/state/rocks.h"
#include "runtime/state/store.h"

struct rt_globals;

int rt_globals_open(struct rt_rocks_shared *rocks, const char *dir,
                    const struct rt_store_spec *specs, size_t count, struct rt_globals **ret,
                    struct bs_error *err);
void rt_globals_close(struct rt_globals *globals); /* after its readers; accepts NULL */

/* The writer. `partition` names the source partition within the table. */
int rt_globals_position(struct rt_globals *globals, size_t i, int32_t partition, int64_t *ret,
                        struct bs_error *err); /* -1: from the start */
void rt_globals_put(struct rt_globals *globals, size_t i, struct bs_bytes key,
                    struct bs_bytes value, int64_t timestamp);
void rt_globals_set_position(struct rt_globals *globals, size_t i, int32_t partition,
                             int64_t position);
/* Forgets a whole table and that it stood anywhere. */
int rt_globals_wipe(struct rt_globals *globals, size_t i, int32_t partition_count,
                    struct bs_error *err);
/* What was put, and the positions, in one batch; readers see it from then on. */
int rt_globals_write(struct rt_globals *globals, struct bs_error *err);

/* A reader for one thread; free it before rt_globals_close. */
struct rt_store *rt_globals_reader_new(struct rt_globals *globals, size_t i, size_t cache_bytes);
void rt_globals_reader_free(struct rt_store *reader); /* accepts NULL */

#endif
