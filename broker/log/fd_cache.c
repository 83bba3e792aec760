/* Fd cache: open files in order of use; the oldest unpinned one is closed to open another. When
 * all are pinned the bound gives way: a sync under way must not be stopped. */
#include "broker/log/fd_cache.h"

#include "broker/log/log.h"
#include "lib/base/mem.h"

struct bk_fd_cache {
    struct io_files *files;
    int64_t open_max, open_count;
    struct bk_fd *newest, *oldest;
};

struct bk_fd_cache *bk_fd_cache_new(struct io_files *files, int64_t open_max)
{
    struct bk_fd_cache *cache = bs_new(struct bk_fd_cache);
    cache->files = files;
    cache->open_max = open_max < 4 ? 4 : open_max;
    return cache;
}

void bk_fd_cache_free(struct bk_fd_cache *cache)
{
    bs_free(cache);
}

struct io_files *bk_fd_cache_files(struct bk_fd_cache *cache)
{
    return cache->files;
}

static void fd_unlink(struct bk_fd *fd)
{
    struct bk_fd_cache *cache = fd->cache;
    *(fd->newer ? &fd->newer->older : &cache->newest) = fd->older;
    *(fd->older ? &fd->older->newer : &cache->oldest) = fd->newer;
    fd->newer = fd->older = NULL;
}

static void fd_link_newest(struct bk_fd *fd)
{
    struct bk_fd_cache *cache = fd->cache;
    fd->older = cache->newest;
    fd->newer = NULL;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = fd;
    cache->newest = fd;
}

static void fd_close(struct bk_fd *fd)
{
    fd_unlink(fd);
    fd->cache->files->close(fd->cache->files, fd->file);
    fd->cache->open_count--;
    fd->file = NULL;
}

void bk_fd_init(struct bk_fd *fd, struct bk_fd_cache *cache, char *path)
{
    *fd = (struct bk_fd){.cache = cache, .path = path};
}

void bk_fd_deinit(struct bk_fd *fd)
{
    if (fd->file)
        fd_close(fd);
    bs_free(fd->path);
    *fd = (struct bk_fd){0};
}

int bk_fd_get(struct bk_fd *fd, struct io_file **ret_file, struct bs_error *err)
{
    struct bk_fd_cache *cache = fd->cache;
    if (fd->file) {
        if (cache->newest != fd) {
            fd_unlink(fd);
            fd_link_newest(fd);
        }
        *ret_file = fd->file;
        return 0;
    }
    struct bk_fd *victim = cache->oldest;
    while (victim && cache->open_count >= cache->open_max) {
        struct bk_fd *next = victim->newer;
        if (victim->pins == 0)
            fd_close(victim);
        victim = next;
    }
    int rc =
        cache->files->open(cache->files, fd->path, IO_OPEN_WRITE | IO_OPEN_CREATE, &fd->file, err);
    if (rc)
        return rc;
    cache->open_count++;
    fd_link_newest(fd);
    *ret_file = fd->file;
    return 0;
}
