/* Sim disk: files in memory that remember what was not synced. A crash keeps a random part of it: a
 * prefix of the writes, or any subset, with the last one torn; names only as far as their folder
 * was synced or luck had it. Errors are injected on demand. Deterministic for a seed. */
#ifndef WEIR_TESTS_SIM_DISK_H
#define WEIR_TESTS_SIM_DISK_H

#include "lib/io/file.h"

#include <stdbool.h>

struct sim_rng {
    uint64_t s;
};
uint64_t sim_rng_next(struct sim_rng *rng);
uint64_t sim_rng_below(struct sim_rng *rng, uint64_t n); /* 0..n-1; 0 for n 0 */
bool sim_rng_chance(struct sim_rng *rng, unsigned percent);

struct sim_disk;
struct sim_disk *sim_disk_new(struct sim_rng *rng);
void sim_disk_free(struct sim_disk *disk);
struct io_files *sim_disk_files(struct sim_disk *disk);

/* Syncs begun and not ended; end one, by its number. */
size_t sim_disk_syncs(const struct sim_disk *disk);
void sim_disk_sync_end(struct sim_disk *disk, size_t i);

/* After so many more effects (writes, syncs, names) nothing has any effect and all calls fail, as
 * if the machine had stopped there; -1: never. */
void sim_disk_crash_after(struct sim_disk *disk, int64_t effects);
bool sim_disk_crashed(const struct sim_disk *disk);
/* The machine starts again with what the platter holds. All files must be closed. */
void sim_disk_restart(struct sim_disk *disk);
/* Only the program was killed: what it wrote is still there, synced or not. */
void sim_disk_restart_program(struct sim_disk *disk);

void sim_disk_set_space(struct sim_disk *disk, int64_t bytes); /* free; -1: endless */
void sim_disk_fail_sync(struct sim_disk *disk); /* the next one fails and what it covered is lost */
int64_t sim_disk_effects(const struct sim_disk *disk);
uint64_t sim_disk_hash(const struct sim_disk *disk); /* over all effects, for equal runs */

#endif
