/* Identity: who this worker is, kept in its state folder so that a restart is the same worker: its
 * consumer takes its old place in the group at once, its producer fences what the last run left. */
#ifndef WEIR_RUNTIME_WORKER_IDENTITY_H
#define WEIR_RUNTIME_WORKER_IDENTITY_H

#include "lib/base/err.h"

enum { RT_IDENTITY_LEN = 16 };

struct rt_identity {
    char id[RT_IDENTITY_LEN + 1]; /* hex; in `process-id` of the folder */
    int lock_fd;                  /* of `lock`; held while open */
};

/* Makes the folder and its parents. BS_EBUSY: another worker runs on it. */
int rt_identity_open(const char *state_dir, struct rt_identity *ret, struct bs_error *err);
void rt_identity_close(struct rt_identity *identity);

int rt_folder_make(const char *path, struct bs_error *err); /* with its parents */
/* Takes `lock` in the folder for as long as *ret_fd (-1 on failure) is open. BS_EBUSY: somebody has
 * it, in this process or another. */
int rt_folder_lock(const char *path, int *ret_fd, struct bs_error *err);

#endif
