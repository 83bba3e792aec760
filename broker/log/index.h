/* Index: the sparse tables of one segment: offset to file position, and timestamp to offset.
 *
 * On disk (Kafka's format), big endian, written once when the segment is full or at an orderly
 * stop:
 *   .index      8 bytes each:  int32 offset - base, int32 position
 *   .timeindex 12 bytes each:  int64 largest timestamp so far, int32 offset - base
 * Neither has a checksum; a file that does not rise strictly, or points behind its segment, is
 * rebuilt from the segment. */
#ifndef WEIR_BROKER_LOG_INDEX_H
#define WEIR_BROKER_LOG_INDEX_H

#include "lib/io/file.h"

#include <stdbool.h>

struct bk_index_entry {
    uint32_t offset_delta, position;
};
struct bk_time_entry {
    int64_t timestamp_ms;
    uint32_t offset_delta;
};

struct bk_index {
    struct bk_index_entry *entries;
    size_t count, cap;
    struct bk_time_entry *times;
    size_t time_count, time_cap;
};

void bk_index_deinit(struct bk_index *index); /* leaves it empty */
void bk_index_add(struct bk_index *index, uint32_t offset_delta, uint32_t position);
/* Ignored unless later than the last. */
void bk_index_add_time(struct bk_index *index, int64_t timestamp_ms, uint32_t offset_delta);
/* Position to start looking for an offset: that of the last entry <= it, or 0. */
uint32_t bk_index_find(const struct bk_index *index, uint32_t offset_delta);
/* Offset to start looking for a timestamp: that of the last entry before it, or 0. */
uint32_t bk_index_find_time(const struct bk_index *index, int64_t timestamp_ms);
int bk_index_load(struct bk_index *index, struct io_files *files, const char *index_path,
                  const char *time_path, int64_t segment_bytes, struct bs_error *err);
/* Writes both; the .index last, since its presence says that the segment is whole. */
int bk_index_save(const struct bk_index *index, struct io_files *files, const char *index_path,
                  const char *time_path, struct bs_error *err);

#endif
