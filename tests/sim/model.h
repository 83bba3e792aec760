/* Model: what a partition must hold, told by who appends, in plain lists; and the questions a test
 * asks of it, answered by brute force. */
#ifndef WEIR_TESTS_SIM_MODEL_H
#define WEIR_TESTS_SIM_MODEL_H

#include "broker/partition/partition.h"

struct model_batch {
    int64_t base_offset, last_offset, producer_id;
    int16_t epoch;
    int32_t sequence; /* of its first record; -1: none */
    bool transactional, control, commit;
    int64_t id; /* value of its first record; each record's is one more */
};

struct model {
    struct model_batch *list;
    size_t count, cap;
    int64_t acked_end; /* everything below it was acknowledged */
};

void model_deinit(struct model *model);
void model_add(struct model *model, const struct model_batch *batch);
int64_t model_end(const struct model *model);
void model_cut(struct model *model, int64_t end_offset);
/* What the log says of a producer: epoch, and the sequence that must follow. -1, 0: not known. */
void model_producer(const struct model *model, int64_t producer_id, int16_t *ret_epoch,
                    int32_t *ret_next_sequence);
/* The i-th newest batch of a producer in its current epoch; NULL: none. */
const struct model_batch *model_recent(const struct model *model, int64_t producer_id, int i);
int64_t model_stable(const struct model *model, int64_t limit);
size_t model_aborted(const struct model *model, int64_t from, int64_t to, struct bk_aborted *out,
                     size_t cap);

/* Reads the whole partition and compares it, record by record; returns the log end, or -1 with a
 * sentence. The log may be shorter than the model, but not below what was acknowledged. */
int64_t model_compare(const struct model *model, struct bk_partition *partition, char *why,
                      size_t why_len);

#endif
