/* Reader: one text file, read forward in pieces of 256 KiB.
 *
 * buffer[at..len) is read and not used up; base is the file position of buffer[0], so the position
 * of the next unused byte is base + at. The used part is moved out when a fill needs the room. The
 * file is watched by looking: at its end, its path's inode and size are compared. */
#include "connectors/file/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILL_BYTES = 256 * 1024 };

static int fail(struct cn_error *error, const char *what, const char *path)
{
    snprintf(error->text, sizeof(error->text), "%s %s: %s", what, path, strerror(errno));
    return CN_FAIL;
}

void cn_reader_init(struct cn_reader *reader, const char *path)
{
    *reader = (struct cn_reader){.path = strdup(path), .fd = -1};
}

void cn_reader_deinit(struct cn_reader *reader)
{
    if (reader->path && reader->fd >= 0)
        close(reader->fd);
    free(reader->path);
    cn_buffer_deinit(&reader->buffer);
    *reader = (struct cn_reader){.fd = -1};
}

void cn_reader_seek(struct cn_reader *reader, int64_t position)
{
    reader->base = position;
    reader->at = reader->buffer.len = 0;
    reader->at_end = false;
}

int cn_reader_open(struct cn_reader *reader, int64_t position, bool *ret_short,
                   struct cn_error *error)
{
    struct stat st;
    if (reader->fd >= 0)
        close(reader->fd);
    reader->fd = open(reader->path, O_RDONLY | O_CLOEXEC);
    if (reader->fd < 0) {
        fail(error, "cannot open", reader->path);
        return errno == ENOENT ? CN_RETRY : CN_FAIL;
    }
    if (fstat(reader->fd, &st) < 0)
        return fail(error, "cannot look at", reader->path);
    if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return fail(error, "cannot read", reader->path);
    }
    reader->device = st.st_dev;
    reader->inode = st.st_ino;
    *ret_short = S_ISREG(st.st_mode) && st.st_size < position;
    cn_reader_seek(reader, *ret_short ? 0 : position);
    return CN_OK;
}

int cn_reader_fill(struct cn_reader *reader, struct cn_error *error)
{
    struct cn_buffer *buffer = &reader->buffer;
    if (reader->at) {
        memmove(buffer->data, buffer->data + reader->at, buffer->len - reader->at);
        buffer->len -= reader->at;
        reader->base += (int64_t)reader->at;
        reader->at = 0;
    }
    cn_buffer_reserve(buffer, FILL_BYTES);
    ssize_t got;
    do
        got = pread(reader->fd, buffer->data + buffer->len, buffer->cap - buffer->len,
                    reader->base + (int64_t)buffer->len);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return fail(error, "cannot read", reader->path);
    buffer->len += (size_t)got;
    reader->at_end = got == 0;
    return CN_OK;
}

enum cn_reader_change cn_reader_check(const struct cn_reader *reader)
{
    struct stat st;
    if (fstat(reader->fd, &st) == 0 && S_ISREG(st.st_mode) &&
        st.st_size < reader->base + (int64_t)reader->buffer.len)
        return CN_READER_TRUNCATED;
    /* A path that is gone for the moment (between rename and create) is not a change yet. */
    if (stat(reader->path, &st) < 0)
        return CN_READER_SAME;
    return st.st_ino == reader->inode && st.st_dev == reader->device ? CN_READER_SAME
                                                                     : CN_READER_REPLACED;
}

int64_t cn_reader_line(const struct cn_reader *reader, int64_t position)
{
    static const size_t piece = 64 * 1024;
    char *data = malloc(piece);
    int64_t line = 1, at = 0;
    while (data && at < position) {
        size_t want = position - at < (int64_t)piece ? (size_t)(position - at) : piece;
        ssize_t got = pread(reader->fd, data, want, at);
        if (got <= 0) {
            line = 0;
            break;
        }
        for (char *p = data; (p = memchr(p, '\n', (size_t)(data + got - p))) != NULL; p++)
            line++;
        at += got;
    }
    free(data);
    return line;
}
