/* The state folder's lock and id. The id is written to a new file that is then renamed, so a crash
 * leaves the old one or the new one. One thread. */
#include "runtime/worker/identity.h"

#include "lib/base/mem.h"
#include "lib/io/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int rt_folder_make(const char *path, struct bs_error *err)
{
    char *copy = bs_strdup(path);
    int rc = 0;
    for (char *at = copy + 1; rc == 0; at++) {
        char saved = *at;
        if (saved != '/' && saved != '\0')
            continue;
        *at = '\0';
        if (mkdir(copy, 0777) != 0 && errno != EEXIST)
            rc = bs_error_sys(err, errno, "cannot make folder %s", copy);
        *at = saved;
        if (saved == '\0')
            break;
    }
    bs_free(copy);
    return rc;
}

static bool valid(const char *id)
{
    return strlen(id) == RT_IDENTITY_LEN && strspn(id, "0123456789abcdef") == RT_IDENTITY_LEN;
}

static int make_id(const char *path, struct rt_identity *identity, struct bs_error *err)
{
    char *temporary = bs_asprintf("%s.new", path);
    int rc = 0, fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    snprintf(identity->id, sizeof identity->id, "%016llx",
             (unsigned long long)io_random_u64(io_random_real()));
    if (fd < 0 || write(fd, identity->id, RT_IDENTITY_LEN) != RT_IDENTITY_LEN || fsync(fd) != 0 ||
        rename(temporary, path) != 0)
        rc = bs_error_sys(err, errno, "cannot write %s", path);
    if (fd >= 0)
        close(fd);
    bs_free(temporary);
    return rc;
}

static int read_id(const char *path, struct rt_identity *identity, struct bs_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;
    if (fd < 0)
        return errno == ENOENT ? make_id(path, identity, err)
                               : bs_error_sys(err, errno, "cannot read %s", path);
    n = read(fd, identity->id, RT_IDENTITY_LEN);
    close(fd);
    identity->id[n > 0 ? n : 0] = '\0';
    if (!valid(identity->id))
        return bs_error_set(err, BS_ECORRUPT, "%s does not hold %d hex digits; delete it", path,
                            RT_IDENTITY_LEN);
    return 0;
}

int rt_folder_lock(const char *path, int *ret_fd, struct bs_error *err)
{
    char *lock = bs_asprintf("%s/lock", path);
    int rc = 0, fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        rc = bs_error_sys(err, errno, "cannot open %s", lock);
    else if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        rc = errno == EWOULDBLOCK ? bs_error_set(err, BS_EBUSY, "%s is taken", lock)
                                  : bs_error_sys(err, errno, "cannot lock %s", lock);
    if (rc != 0 && fd >= 0)
        close(fd);
    *ret_fd = rc == 0 ? fd : -1;
    bs_free(lock);
    return rc;
}

int rt_identity_open(const char *state_dir, struct rt_identity *ret, struct bs_error *err)
{
    char *id = bs_asprintf("%s/process-id", state_dir);
    int rc = rt_folder_make(state_dir, err);
    *ret = (struct rt_identity){.lock_fd = -1};
    if (rc == 0)
        rc = rt_folder_lock(state_dir, &ret->lock_fd, err);
    if (rc == BS_EBUSY)
        bs_error_set(err, rc, "another worker runs on %s; give each its own (state.dir, --data)",
                     state_dir);
    if (rc == 0)
        rc = read_id(id, ret, err);
    if (rc != 0)
        rt_identity_close(ret);
    bs_free(id);
    return rc;
}

void rt_identity_close(struct rt_identity *identity)
{
    if (identity->lock_fd >= 0)
        close(identity->lock_fd);
    identity->lock_fd = -1;
}
