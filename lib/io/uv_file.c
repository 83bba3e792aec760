/* The real files: POSIX calls on the calling thread; sync_start runs fdatasync on the loop's pool.
 *
 * fdatasync, not fsync: it also writes the size when that changed, which is all a log needs. */
#include "lib/io/file.h"

#include "lib/base/mem.h"
#include "lib/io/loop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct files_uv {
    struct io_files base;
    struct io_loop *loop;
};

struct io_file {
    int fd;
    char *path;
};

struct file_sync {
    struct io_file *file;
    io_sync_done *done;
    void *ctx;
    int sys; /* errno of the sync, 0 */
};

static int files_open(struct io_files *self, const char *path, unsigned flags,
                      struct io_file **ret_file, struct bs_error *err)
{
    (void)self;
    int mode = (flags & IO_OPEN_WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC;
    mode |= flags & IO_OPEN_CREATE ? O_CREAT : 0;
    mode |= flags & IO_OPEN_TRUNCATE ? O_TRUNC : 0;
    mode |= flags & IO_OPEN_EXCLUSIVE ? O_EXCL : 0;
    int fd;
    do
        fd = open(path, mode, 0640);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return bs_error_sys(err, errno, "open %s", path);
    struct io_file *file = bs_new(struct io_file);
    file->fd = fd;
    file->path = bs_strdup(path);
    *ret_file = file;
    return 0;
}

static void files_close(struct io_files *self, struct io_file *file)
{
    (void)self;
    if (!file)
        return;
    close(file->fd);
    bs_free(file->path);
    bs_free(file);
}

static int files_read_at(struct io_files *self, struct io_file *file, void *out, size_t len,
                         int64_t at, size_t *ret_len, struct bs_error *err)
{
    (void)self;
    size_t got = 0;
    while (got < len) {
        ssize_t n = pread(file->fd, (char *)out + got, len - got, at + (int64_t)got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return bs_error_sys(err, errno, "read %zu bytes of %s at %" PRId64, len, file->path,
                                at);
        if (n == 0)
            break;
        got += (size_t)n;
    }
    *ret_len = got;
    return 0;
}

static int files_write_at(struct io_files *self, struct io_file *file, const struct iovec *vec,
                          size_t count, int64_t at, struct bs_error *err)
{
    (void)self;
    size_t i = 0, skip = 0; /* skip bytes of vec[i] are written */
    while (i < count) {
        struct iovec part[64];
        size_t n = 0;
        for (size_t k = i; k < count && n < 64; k++, n++)
            part[n] = vec[k];
        part[0].iov_base = (char *)part[0].iov_base + skip;
        part[0].iov_len -= skip;
        ssize_t put = pwritev(file->fd, part, (int)n, at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return bs_error_sys(err, errno, "write %s at %" PRId64, file->path, at);
        at += put;
        size_t left = (size_t)put + skip;
        while (i < count && left >= vec[i].iov_len)
            left -= vec[i++].iov_len;
        skip = left;
    }
    return 0;
}

static int files_truncate(struct io_files *self, struct io_file *file, int64_t size,
                          struct bs_error *err)
{
    (void)self;
    int rc;
    do
        rc = ftruncate(file->fd, size);
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? bs_error_sys(err, errno, "truncate %s to %" PRId64, file->path, size) : 0;
}

static int files_size(struct io_files *self, struct io_file *file, int64_t *ret_size,
                      struct bs_error *err)
{
    (void)self;
    struct stat st;
    if (fstat(file->fd, &st) < 0)
        return bs_error_sys(err, errno, "stat %s", file->path);
    *ret_size = st.st_size;
    return 0;
}

/* errno, or 0. After a failure the system counts the pages as clean and goes on showing them,
 * though the disk never got them: they are dropped, so that whoever reads next, also after a
 * restart of the broker, reads what the disk has. */
static int file_sync_now(const struct io_file *file)
{
    int sys = fdatasync(file->fd) < 0 ? errno : 0;
    if (sys)
        posix_fadvise(file->fd, 0, 0, POSIX_FADV_DONTNEED);
    return sys;
}

static int files_sync(struct io_files *self, struct io_file *file, struct bs_error *err)
{
    (void)self;
    int sys = file_sync_now(file);
    return sys ? bs_error_sys(err, sys, "sync %s", file->path) : 0;
}

static void sync_work(void *ctx)
{
    struct file_sync *sync = ctx;
    sync->sys = file_sync_now(sync->file);
}

static void sync_done(void *ctx)
{
    struct file_sync sync = *(struct file_sync *)ctx;
    bs_free(ctx);
    int code = sync.sys ? bs_error_from_sys(sync.sys) : 0;
    sync.done(sync.ctx, code);
}

static void files_sync_start(struct io_files *self, struct io_file *file, io_sync_done *done,
                             void *ctx)
{
    struct io_loop *loop = ((struct files_uv *)self)->loop;
    struct file_sync *sync = bs_new(struct file_sync);
    *sync = (struct file_sync){.file = file, .done = done, .ctx = ctx};
    loop->offload(loop, sync_work, sync_done, sync);
}

static int files_rename(struct io_files *self, const char *from, const char *to,
                        struct bs_error *err)
{
    (void)self;
    return rename(from, to) < 0 ? bs_error_sys(err, errno, "rename %s to %s", from, to) : 0;
}

static int files_unlink(struct io_files *self, const char *path, struct bs_error *err)
{
    (void)self;
    return unlink(path) < 0 ? bs_error_sys(err, errno, "remove %s", path) : 0;
}

static void remove_tree(const char *path)
{
    DIR *d = unlink(path) == 0 || (errno != EISDIR && errno != EPERM) ? NULL : opendir(path);
    struct dirent *e;
    if (!d)
        return;
    while ((e = readdir(d)))
        unlinkat(dirfd(d), e->d_name, 0); /* "." and ".." fail, which is well */
    closedir(d);
    rmdir(path);
}

static void remove_work(void *ctx)
{
    remove_tree(ctx);
}

static void files_remove_later(struct io_files *self, const char *path)
{
    struct io_loop *loop = ((struct files_uv *)self)->loop;
    if (loop)
        loop->offload(loop, remove_work, bs_free, bs_strdup(path));
    else
        remove_tree(path);
}

static int files_mkdir(struct io_files *self, const char *path, struct bs_error *err)
{
    (void)self;
    if (mkdir(path, 0750) == 0)
        return 0;
    int sys = errno;
    struct stat st;
    if (sys == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return 0;
    return bs_error_sys(err, sys, "make folder %s", path);
}

static int files_rmdir(struct io_files *self, const char *path, struct bs_error *err)
{
    (void)self;
    return rmdir(path) < 0 ? bs_error_sys(err, errno, "remove folder %s", path) : 0;
}

static int files_sync_dir(struct io_files *self, const char *path, struct bs_error *err)
{
    (void)self;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return bs_error_sys(err, errno, "open folder %s", path);
    int rc = fsync(fd) < 0 ? bs_error_sys(err, errno, "sync folder %s", path) : 0;
    close(fd);
    return rc;
}

static int files_list(struct io_files *self, const char *dir, io_list_entry *entry, void *ctx,
                      struct bs_error *err)
{
    (void)self;
    DIR *d = opendir(dir);
    if (!d)
        return bs_error_sys(err, errno, "list folder %s", dir);
    int rc = 0;
    for (;;) {
        errno = 0;
        struct dirent *e = readdir(d);
        if (!e) {
            if (errno)
                rc = bs_error_sys(err, errno, "list folder %s", dir);
            break;
        }
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        rc = entry(ctx, e->d_name);
        if (rc)
            break;
    }
    closedir(d);
    return rc;
}

static int files_stat(struct io_files *self, const char *path, int64_t *ret_size,
                      int64_t *ret_mtime_ms, struct bs_error *err)
{
    (void)self;
    struct stat st;
    if (stat(path, &st) < 0)
        return bs_error_sys(err, errno, "stat %s", path);
    *ret_size = st.st_size;
    *ret_mtime_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
    return 0;
}

static int files_free_space(struct io_files *self, const char *path, int64_t *ret_bytes,
                            struct bs_error *err)
{
    (void)self;
    struct statvfs st;
    if (statvfs(path, &st) < 0)
        return bs_error_sys(err, errno, "free space of %s", path);
    *ret_bytes = (int64_t)st.f_bavail * (int64_t)st.f_frsize;
    return 0;
}

static int files_lock(struct io_files *self, const char *path, struct io_file **ret_file,
                      struct bs_error *err)
{
    struct io_file *file = NULL;
    int rc = files_open(self, path, IO_OPEN_WRITE | IO_OPEN_CREATE, &file, err);
    if (rc)
        return rc;
    if (flock(file->fd, LOCK_EX | LOCK_NB) < 0) {
        int sys = errno;
        files_close(self, file);
        if (sys == EWOULDBLOCK)
            return bs_error_set(err, BS_EBUSY,
                                "%s is locked: another process uses this folder; stop it or choose "
                                "another folder",
                                path);
        return bs_error_sys(err, sys, "lock %s", path);
    }
    *ret_file = file;
    return 0;
}

struct io_files *io_files_uv_new(struct io_loop *loop)
{
    struct files_uv *files = bs_new(struct files_uv);
    files->loop = loop;
    files->base = (struct io_files){
        .open = files_open,
        .close = files_close,
        .read_at = files_read_at,
        .write_at = files_write_at,
        .truncate = files_truncate,
        .size = files_size,
        .sync = files_sync,
        .sync_start = files_sync_start,
        .rename = files_rename,
        .unlink = files_unlink,
        .remove_later = files_remove_later,
        .mkdir = files_mkdir,
        .rmdir = files_rmdir,
        .sync_dir = files_sync_dir,
        .list = files_list,
        .stat = files_stat,
        .free_space = files_free_space,
        .lock = files_lock,
    };
    return &files->base;
}

void io_files_uv_free(struct io_files *files)
{
    bs_free(files);
}
