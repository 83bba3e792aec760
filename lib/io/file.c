/* Whole small files over the port: read at once, replaced at once (temporary, sync, rename). */
#include "lib/io/file.h"

#include "lib/base/mem.h"

#include <inttypes.h>

int io_files_read_all(struct io_files *files, const char *path, size_t max, char **ret_data,
                      size_t *ret_len, struct bs_error *err)
{
    struct io_file *file = NULL;
    char *data = NULL;
    int64_t size = 0;
    size_t got = 0;
    int rc = files->open(files, path, 0, &file, err);
    if (rc)
        goto done;
    rc = files->size(files, file, &size, err);
    if (rc)
        goto done;
    if (size < 0 || (uint64_t)size > max) {
        rc = bs_error_set(err, BS_ELIMIT, "%s has %" PRId64 " bytes, at most %zu are expected",
                          path, size, max);
        goto done;
    }
    data = bs_try_alloc((size_t)size + 1);
    if (!data) {
        rc = bs_error_set(err, BS_ENOMEM, "%s: no memory for its %" PRId64 " bytes", path, size);
        goto done;
    }
    rc = files->read_at(files, file, data, (size_t)size, 0, &got, err);
    if (rc)
        goto done;
    data[got] = '\0';
    *ret_data = data;
    *ret_len = got;
    data = NULL;
done:
    bs_free(data);
    if (file)
        files->close(files, file);
    return rc;
}

int io_files_write_all(struct io_files *files, const char *dir, const char *path, const void *data,
                       size_t len, struct bs_error *err)
{
    struct io_file *file = NULL;
    char *tmp = bs_asprintf("%s.tmp", path);
    struct iovec vec = {.iov_base = (void *)data, .iov_len = len};
    int rc = files->open(files, tmp, IO_OPEN_WRITE | IO_OPEN_CREATE | IO_OPEN_TRUNCATE, &file, err);
    if (!rc && len > 0)
        rc = files->write_at(files, file, &vec, 1, 0, err);
    if (!rc)
        rc = files->sync(files, file, err);
    if (file)
        files->close(files, file);
    if (!rc)
        rc = files->rename(files, tmp, path, err);
    if (!rc)
        rc = files->sync_dir(files, dir, err);
    bs_free(tmp);
    return rc;
}
