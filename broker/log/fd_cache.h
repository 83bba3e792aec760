/* Fd cache: the open files of all logs, bounded. A bk_fd lives in its segment; its file is opened
 * when somebody asks and closed when another needs the place. Owner: the loop thread. */
#ifndef WEIR_BROKER_LOG_FD_CACHE_H
#define WEIR_BROKER_LOG_FD_CACHE_H

#include "lib/io/file.h"

struct bk_fd_cache;

struct bk_fd {
    struct bk_fd_cache *cache;
    char *path;
    struct io_file *file; /* NULL: closed */
    int pins;             /* not to be closed while > 0: a sync is under way */
    struct bk_fd *newer, *older;
};

void bk_fd_init(struct bk_fd *fd, struct bk_fd_cache *cache, char *path /* taken over */);
void bk_fd_deinit(struct bk_fd *fd); /* closes; accepts a zeroed one */
/* The file, valid until the next bk_fd_get of any fd unless pinned; made when it is not there. */
int bk_fd_get(struct bk_fd *fd, struct io_file **ret_file, struct bs_error *err);

struct io_files *bk_fd_cache_files(struct bk_fd_cache *cache);

#endif
