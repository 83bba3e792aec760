/* Epochs: which leader epoch began at which offset. File leader-epoch-checkpoint, Kafka's text:
 * "0\n", count, then "epoch offset" lines. */
#ifndef WEIR_BROKER_LOG_EPOCHS_H
#define WEIR_BROKER_LOG_EPOCHS_H

#include "lib/io/file.h"

struct bk_epoch {
    int32_t epoch;
    int64_t start_offset;
};
struct bk_epochs {
    struct bk_epoch *entries;
    size_t count, cap;
};

void bk_epochs_deinit(struct bk_epochs *epochs);
void bk_epochs_note(struct bk_epochs *epochs, int32_t epoch, int64_t offset); /* if it is new */
void bk_epochs_truncate(struct bk_epochs *epochs, int64_t end_offset);  /* drop what starts there */
void bk_epochs_advance(struct bk_epochs *epochs, int64_t start_offset); /* drop what ended before */
void bk_epochs_end(const struct bk_epochs *epochs, int32_t epoch, int64_t log_end,
                   int32_t *ret_epoch, int64_t *ret_end_offset);
int32_t bk_epochs_at(const struct bk_epochs *epochs, int64_t offset); /* -1: none */
/* A file that is not there is no error. */
int bk_epochs_load(struct bk_epochs *epochs, struct io_files *files, const char *path,
                   struct bs_error *err);
int bk_epochs_save(const struct bk_epochs *epochs, struct io_files *files, const char *dir,
                   const char *path, struct bs_error *err);

#endif
