/* Memory. Two kinds of request, told apart by who chose the size:
 *
 *  - the program's own small objects: bs_alloc and friends never return NULL; without memory the
 *    process ends with a clear line (everything acknowledged is on disk, a restart is the
 * recovery).
 *  - anything whose size was read from outside (a frame, a count, a body): check it against its
 * limit first, then bs_try_alloc, which may return NULL and whose failure is answered like any
 * error. */
#ifndef WEIR_BASE_MEM_H
#define WEIR_BASE_MEM_H

#include <stddef.h>

void *bs_alloc(size_t size);  /* not cleared; size 0 gives a valid pointer */
void *bs_zalloc(size_t size); /* cleared */
void *bs_realloc(void *ptr, size_t size);
void *bs_array(size_t count, size_t size); /* cleared; the product is checked */
char *bs_strdup(const char *text);         /* NULL gives NULL */
char *bs_strndup(const char *text, size_t len);
void *bs_memdup(const void *ptr, size_t len);
char *bs_asprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void *bs_try_alloc(size_t size); /* NULL without memory, or when a fault was set */
void *bs_try_realloc(void *ptr, size_t size);
void bs_free(void *ptr); /* accepts NULL */

/* Tests: the n-th bs_try_* from now fails (1 = the next), once; 0 switches it off. */
void bs_mem_fail_after(long n);

#define bs_new(type) ((type *)bs_zalloc(sizeof(type)))

#endif
