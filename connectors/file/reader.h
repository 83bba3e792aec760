/* Reader: one text file, read forward from a byte position, followed over rotation. */
#ifndef WEIR_CONNECTORS_FILE_READER_H
#define WEIR_CONNECTORS_FILE_READER_H

#include "connectors/api/connector.h"
#include "connectors/file/buffer.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum cn_reader_change { CN_READER_SAME, CN_READER_TRUNCATED, CN_READER_REPLACED };

struct cn_reader {
    char *path;
    int fd; /* -1: the file is not there (yet) */
    dev_t device;
    ino_t inode;
    struct cn_buffer buffer;
    size_t at;    /* first byte of the buffer that is not used up */
    int64_t base; /* position in the file of the buffer's first byte */
    bool at_end;  /* the last fill met the end of the file */
};

void cn_reader_init(struct cn_reader *reader, const char *path);
void cn_reader_deinit(struct cn_reader *reader);
/* Opens at `position`. CN_OK; CN_RETRY: no such file; CN_FAIL. A file shorter than position is read
 * from its beginning, and *ret_short says so. */
int cn_reader_open(struct cn_reader *reader, int64_t position, bool *ret_short,
                   struct cn_error *error);
void cn_reader_seek(struct cn_reader *reader, int64_t position);
/* Reads some more behind what is there; at_end tells whether there was nothing. CN_OK, CN_FAIL. */
int cn_reader_fill(struct cn_reader *reader, struct cn_error *error);
static inline char *cn_reader_data(const struct cn_reader *reader)
{
    return reader->buffer.data + reader->at;
}
static inline size_t cn_reader_left(const struct cn_reader *reader)
{
    return reader->buffer.len - reader->at;
}
static inline int64_t cn_reader_position(const struct cn_reader *reader)
{
    return reader->base + (int64_t)reader->at;
}
/* At the end of the file: is the path still this file, and not shorter than what was read? */
enum cn_reader_change cn_reader_check(const struct cn_reader *reader);
/* Number (from 1) of the line that begins at position; counts from the file's start, so only for
 * messages. 0: cannot be read. */
int64_t cn_reader_line(const struct cn_reader *reader, int64_t position);

#endif
