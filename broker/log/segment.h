/* Segment: one .log file with its index; and a scan over batches of it.
 *
 * The file is batches one after another, as on the wire. Owner: the log's thread. */
#ifndef WEIR_BROKER_LOG_SEGMENT_H
#define WEIR_BROKER_LOG_SEGMENT_H

#include "broker/log/fd_cache.h"
#include "broker/log/index.h"
#include "lib/base/buf.h"
#include "lib/kafka/record_batch.h"

struct bk_segment {
    int64_t base_offset;
    int64_t next_offset; /* behind its last record; equal to base when empty */
    int64_t bytes;
    int64_t max_timestamp_ms; /* -1: none */
    int64_t max_timestamp_offset;
    int64_t first_timestamp_ms; /* of the first batch, for segment.ms; -1: none */
    int64_t created_ms;         /* wall clock, for batches without a timestamp */
    struct bk_fd fd;
    struct bk_index index;
    int64_t index_gap; /* bytes since the last index entry */
    bool indexed;      /* index is in memory */
    bool dirty;        /* written since the last sync began */
    bool torn;         /* a write failed and was cut: the cut must be on disk before the next */
    bool sealed;       /* its .index is on disk: it needs no scan after a crash */
};

struct bk_segment *bk_segment_new(struct bk_fd_cache *fds, const char *dir, int64_t base_offset);
void bk_segment_free(struct bk_segment *segment); /* closes; accepts NULL */
/* dir/%020d.suffix; bs_free. */
char *bk_segment_path(const char *dir, int64_t base_offset, const char *suffix);
/* A batch of `len` bytes was put at position; the sparse index takes note. */
void bk_segment_note(struct bk_segment *segment, const struct kp_batch *batch, int64_t position,
                     int64_t index_interval_bytes);
int bk_segment_index(struct bk_segment *segment, const char *dir, struct bs_error *err);
/* Writes the index files: all of the segment is on disk. */
int bk_segment_seal(struct bk_segment *segment, const char *dir, struct bs_error *err);
/* Removes the index files, durably: the segment is written again. */
int bk_segment_unseal(struct bk_segment *segment, const char *dir, struct bs_error *err);
int bk_segment_remove(struct bk_segment *segment, const char *dir, struct bs_error *err);

/* A walk over batches from a position. `at` is the position of the batch last given. */
struct bk_scan {
    struct bk_segment *segment;
    int64_t at, next;  /* position of the batch given last, and behind it */
    struct bs_buf buf; /* bytes of the file from buf_at */
    int64_t buf_at;
    size_t chunk;
};
void bk_scan_init(struct bk_scan *scan, struct bk_segment *segment, int64_t position,
                  size_t chunk_bytes);
void bk_scan_deinit(struct bk_scan *scan);
/* 0: a batch; 1: the end; BS_ECORRUPT: no batch at `next` (torn or overwritten). `whole`:
 * *ret_bytes is the whole batch, valid until the next call; else only its header is read. */
int bk_scan_next(struct bk_scan *scan, bool whole, struct kp_batch *ret_batch,
                 const uint8_t **ret_bytes, struct bs_error *err);

#endif
