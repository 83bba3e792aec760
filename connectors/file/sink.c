/* File sink: one line per record, appended.
 *
 * Exactly once with one task: flush makes the file durable and gives its length as the commit's
 * metadata; at the next start the same file (by inode) is cut back to the length of the last
 * commit before the records behind it come again. With more tasks on one file nothing is cut: at
 * least once. A batch is written whole or, when the disk is full, not at all. */
#include "connectors/file/json.h"
#include "connectors/file/plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct sink {
    struct cn_task *task;
    const char *path;
    int fd;
    bool jsonl, alone, assigned, dirty;
    ino_t inode;
    off_t length;
    struct cn_buffer buffer;
    char metadata[96];
};

static int fail(struct sink *self, struct cn_error *error, const char *what, int sys)
{
    snprintf(error->text, sizeof(error->text), "cannot %s %s: %s", what, self->path, strerror(sys));
    return sys == ENOSPC || sys == EDQUOT || sys == EINTR ? CN_RETRY : CN_FAIL;
}

static int sink_open(const struct cn_open *open_, void **ret_self, struct cn_error *error)
{
    struct sink *self = calloc(1, sizeof(*self));
    struct stat st;
    if (!self)
        abort();
    *ret_self = self;
    self->task = open_->task;
    self->path = cn_file_option(open_->config, "file");
    self->jsonl = !strcmp(cn_file_option(open_->config, "format"), "jsonl");
    self->alone = open_->count == 1;
    self->fd = open(self->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (self->fd < 0)
        return fail(self, error, "open", errno);
    if (fstat(self->fd, &st) < 0)
        return fail(self, error, "look at", errno);
    self->inode = st.st_ino;
    self->length = S_ISREG(st.st_mode) ? st.st_size : 0;
    self->alone = self->alone && S_ISREG(st.st_mode);
    return CN_OK;
}

/* Cuts what was written behind the last commit. Only at the start: later nothing is there that did
 * not come from this run. */
static int sink_assign(void *ptr, const struct cn_partition *partitions, size_t count, size_t size,
                       struct cn_error *error)
{
    struct sink *self = ptr;
    int64_t most = -1;
    if (self->assigned || !self->alone || !count)
        return CN_OK;
    self->assigned = true;
    for (size_t i = 0; i < count; i++) {
        const struct cn_partition *partition =
            (const struct cn_partition *)((const char *)partitions + i * size);
        uint64_t inode;
        int64_t length;
        if (partition->metadata &&
            sscanf(partition->metadata, "{\"inode\":%" SCNu64 ",\"length\":%" SCNd64 "}", &inode,
                   &length) == 2 &&
            inode == self->inode && length > most)
            most = length;
    }
    if (most < 0 || most >= self->length)
        return CN_OK;
    if (ftruncate(self->fd, most) < 0)
        return fail(self, error, "cut back", errno);
    char text[256];
    snprintf(text, sizeof(text),
             "%.120s: cut back from %lld to %lld bytes, the length at the last commit", self->path,
             (long long)self->length, (long long)most);
    cn_file_host->log(self->task, CN_LOG_INFO, text);
    self->length = most;
    return CN_OK;
}

static bool put_value(struct sink *self, const struct cn_value *value)
{
    if (!self->jsonl && (value->type == CN_STRING || value->type == CN_BYTES))
        cn_buffer_put(&self->buffer, value->text.ptr, value->text.len);
    else if (!cn_json_write(value, &self->buffer))
        return false;
    cn_buffer_put(&self->buffer, "\n", 1);
    return true;
}

static int write_all(struct sink *self, struct cn_error *error)
{
    size_t done = 0;
    while (done < self->buffer.len) {
        ssize_t n = write(self->fd, self->buffer.data + done, self->buffer.len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int sys = errno;
            if (self->alone && ftruncate(self->fd, self->length) < 0)
                sys = errno;
            return fail(self, error, "write to", sys);
        }
        done += (size_t)n;
    }
    self->length += (off_t)done;
    self->dirty = true;
    return CN_OK;
}

static int sink_put(void *ptr, const struct cn_batch *batch, struct cn_error *error)
{
    struct sink *self = ptr;
    self->buffer.len = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct cn_record *record = cn_batch_at(batch, i);
        size_t before = self->buffer.len;
        if (put_value(self, &record->value))
            continue;
        self->buffer.len = before;
        snprintf(error->text, sizeof(error->text),
                 "%s[%d]@%lld: the value has no JSON form (NaN, infinity, or text that is not "
                 "UTF-8)",
                 record->topic, (int)record->partition, (long long)record->offset);
        int result = cn_file_host->reject_record(self->task, i, error);
        if (result != CN_OK)
            return result;
    }
    return write_all(self, error);
}

static int sink_flush(void *ptr, const char **ret_metadata, struct cn_error *error)
{
    struct sink *self = ptr;
    if (self->dirty && fdatasync(self->fd) < 0 && errno != EINVAL && errno != EROFS)
        return fail(self, error, "make durable", errno);
    self->dirty = false;
    if (self->alone) {
        snprintf(self->metadata, sizeof(self->metadata),
                 "{\"inode\":%" PRIu64 ",\"length\":%" PRId64 "}", (uint64_t)self->inode,
                 (int64_t)self->length);
        *ret_metadata = self->metadata;
    }
    return CN_OK;
}

static void sink_close(void *ptr)
{
    struct sink *self = ptr;
    if (!self)
        return;
    if (self->fd >= 0)
        close(self->fd);
    cn_buffer_deinit(&self->buffer);
    free(self);
}

const struct cn_sink cn_file_sink = {
    .struct_size = sizeof(struct cn_sink),
    .open = sink_open,
    .assign = sink_assign,
    .put = sink_put,
    .flush = sink_flush,
    .close = sink_close,
};
