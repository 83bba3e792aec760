/* Epochs: entries rise in epoch and in offset. Owner: the log's thread. */
#include "broker/log/epochs.h"

#include "lib/base/buf.h"
#include "lib/base/mem.h"

#include <inttypes.h>
#include <stdio.h>

enum { EPOCHS_FILE_MAX = 16 << 20 };

void bk_epochs_deinit(struct bk_epochs *epochs)
{
    bs_free(epochs->entries);
    *epochs = (struct bk_epochs){0};
}

void bk_epochs_note(struct bk_epochs *epochs, int32_t epoch, int64_t offset)
{
    if (epoch < 0 || (epochs->count && epochs->entries[epochs->count - 1].epoch >= epoch))
        return;
    if (epochs->count == epochs->cap) {
        epochs->cap = epochs->cap ? epochs->cap * 2 : 8;
        epochs->entries = bs_realloc(epochs->entries, epochs->cap * sizeof *epochs->entries);
    }
    epochs->entries[epochs->count++] = (struct bk_epoch){.epoch = epoch, .start_offset = offset};
}

void bk_epochs_truncate(struct bk_epochs *epochs, int64_t end_offset)
{
    while (epochs->count && epochs->entries[epochs->count - 1].start_offset >= end_offset)
        epochs->count--;
}

void bk_epochs_advance(struct bk_epochs *epochs, int64_t start_offset)
{
    size_t drop = 0;
    while (drop + 1 < epochs->count && epochs->entries[drop + 1].start_offset <= start_offset)
        drop++;
    for (size_t i = drop; i < epochs->count; i++)
        epochs->entries[i - drop] = epochs->entries[i];
    epochs->count -= drop;
    if (epochs->count && epochs->entries[0].start_offset < start_offset)
        epochs->entries[0].start_offset = start_offset;
}

void bk_epochs_end(const struct bk_epochs *epochs, int32_t epoch, int64_t log_end,
                   int32_t *ret_epoch, int64_t *ret_end_offset)
{
    *ret_epoch = -1;
    *ret_end_offset = -1;
    if (epochs->count && epoch > epochs->entries[epochs->count - 1].epoch)
        return; /* not begun here: the asker knows more than this log */
    for (size_t i = epochs->count; i-- > 0;)
        if (epochs->entries[i].epoch <= epoch) {
            *ret_epoch = epochs->entries[i].epoch;
            *ret_end_offset = i + 1 < epochs->count ? epochs->entries[i + 1].start_offset : log_end;
            return;
        }
}

int32_t bk_epochs_at(const struct bk_epochs *epochs, int64_t offset)
{
    for (size_t i = epochs->count; i-- > 0;)
        if (epochs->entries[i].start_offset <= offset)
            return epochs->entries[i].epoch;
    return -1;
}

int bk_epochs_load(struct bk_epochs *epochs, struct io_files *files, const char *path,
                   struct bs_error *err)
{
    char *text = NULL;
    size_t len = 0;
    int rc = io_files_read_all(files, path, EPOCHS_FILE_MAX, &text, &len, err);
    if (rc == BS_ENOTFOUND)
        return 0;
    if (rc)
        return rc;
    int version = -1, n = 0;
    size_t count = 0;
    const char *at = text;
    if (sscanf(at, "%d %zu%n", &version, &count, &n) != 2 || version != 0) {
        rc = bs_error_set(err, BS_ECORRUPT, "%s: expected version 0 and a count", path);
        goto done;
    }
    at += n;
    for (size_t i = 0; i < count; i++) {
        int32_t epoch = 0;
        int64_t offset = 0;
        if (sscanf(at, "%" SCNd32 " %" SCNd64 "%n", &epoch, &offset, &n) != 2) {
            rc = bs_error_set(err, BS_ECORRUPT, "%s: line %zu is not 'epoch offset'", path, i + 3);
            goto done;
        }
        at += n;
        bk_epochs_note(epochs, epoch, offset);
    }
done:
    bs_free(text);
    return rc;
}

int bk_epochs_save(const struct bk_epochs *epochs, struct io_files *files, const char *dir,
                   const char *path, struct bs_error *err)
{
    struct bs_buf buf = BS_BUF_INIT;
    bs_buf_printf(&buf, "0\n%zu\n", epochs->count);
    for (size_t i = 0; i < epochs->count; i++)
        bs_buf_printf(&buf, "%" PRId32 " %" PRId64 "\n", epochs->entries[i].epoch,
                      epochs->entries[i].start_offset);
    int rc = io_files_write_all(files, dir, path, buf.data, buf.len, err);
    bs_buf_deinit(&buf);
    return rc;
}
