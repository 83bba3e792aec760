/* File: the port through which the broker touches the disk. io_files_uv_new() is the real one;
 * tests/sim has one that forgets what was not synced.
 *
 * Owner: the loop thread; calls block it, except sync_start. Results are 0 or BS_E…, with a
 * sentence that names the path. A file that a sync_start is under way on must not be closed. */
#ifndef WEIR_IO_FILE_H
#define WEIR_IO_FILE_H

#include "lib/base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct io_file; /* an open file of one io_files */

enum io_open_flag {
    IO_OPEN_WRITE = 1,    /* read and write; without it read only */
    IO_OPEN_CREATE = 2,   /* made when it is not there */
    IO_OPEN_TRUNCATE = 4, /* emptied */
    IO_OPEN_EXCLUSIVE = 8 /* with CREATE: BS_EEXIST when it is there */
};

/* Result of a sync, on the loop thread: 0 or BS_E…. After an error what was written since the last
 * good sync may be lost, a later sync that succeeds does not bring it back, and reads show what the
 * disk has. */
typedef void io_sync_done(void *ctx, int result);
typedef int io_list_entry(void *ctx, const char *name); /* non-zero ends the walk, returned */

struct io_files {
    int (*open)(struct io_files *self, const char *path, unsigned flags, struct io_file **ret_file,
                struct bs_error *err);
    void (*close)(struct io_files *self, struct io_file *file);
    /* Reads up to len bytes; *ret_len < len only at the end of the file. */
    int (*read_at)(struct io_files *self, struct io_file *file, void *out, size_t len, int64_t at,
                   size_t *ret_len, struct bs_error *err);
    /* Writes all of it or fails; after a failure a part may be there: truncate. */
    int (*write_at)(struct io_files *self, struct io_file *file, const struct iovec *vec,
                    size_t count, int64_t at, struct bs_error *err);
    int (*truncate)(struct io_files *self, struct io_file *file, int64_t size,
                    struct bs_error *err);
    int (*size)(struct io_files *self, struct io_file *file, int64_t *ret_size,
                struct bs_error *err);
    int (*sync)(struct io_files *self, struct io_file *file, struct bs_error *err);
    void (*sync_start)(struct io_files *self, struct io_file *file, io_sync_done *done, void *ctx);
    /* Names. A rename, a creation or a removal is durable only after sync_dir of its folder. */
    int (*rename)(struct io_files *self, const char *from, const char *to, struct bs_error *err);
    int (*unlink)(struct io_files *self, const char *path, struct bs_error *err);
    /* A file, or a folder with its files, in the background: freeing a large file takes long. What
     * fails stays; rename it first to a name that says so. */
    void (*remove_later)(struct io_files *self, const char *path);
    int (*mkdir)(struct io_files *self, const char *path, struct bs_error *err); /* or is there */
    int (*rmdir)(struct io_files *self, const char *path, struct bs_error *err); /* empty one */
    int (*sync_dir)(struct io_files *self, const char *path, struct bs_error *err);
    int (*list)(struct io_files *self, const char *dir, io_list_entry *entry, void *ctx,
                struct bs_error *err); /* without . and ..; any order */
    /* Size in bytes and time of last change of a path; BS_ENOTFOUND. */
    int (*stat)(struct io_files *self, const char *path, int64_t *ret_size, int64_t *ret_mtime_ms,
                struct bs_error *err);
    int (*free_space)(struct io_files *self, const char *path, int64_t *ret_bytes,
                      struct bs_error *err);
    /* Takes an exclusive lock on a file for the life of the process: BS_EBUSY when another has it.
     */
    int (*lock)(struct io_files *self, const char *path, struct io_file **ret_file,
                struct bs_error *err);
};

struct io_loop;
struct io_files *io_files_uv_new(struct io_loop *loop); /* loop may be NULL: no sync_start then */
void io_files_uv_free(struct io_files *files);          /* accepts NULL */

/* Small whole files. read_all appends to nothing: *ret is bs_free'd by the caller, NUL behind it.
 * More than max bytes: BS_ELIMIT. write_all goes through path.tmp, sync, rename, sync of `dir`. */
int io_files_read_all(struct io_files *files, const char *path, size_t max, char **ret_data,
                      size_t *ret_len, struct bs_error *err);
int io_files_write_all(struct io_files *files, const char *dir, const char *path, const void *data,
                       size_t len, struct bs_error *err);

#endif
