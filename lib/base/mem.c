/* Memory: see mem.h. Any thread; the fault counter is atomic. */
#include "lib/base/mem.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Atomic long fail_after;

static _Noreturn void out_of_memory(size_t size)
{
    fprintf(stderr, "weir: out of memory (%zu bytes asked for); ending\n", size);
    abort();
}

void *bs_alloc(size_t size)
{
    void *ptr = malloc(size ? size : 1);
    if (ptr == NULL)
        out_of_memory(size);
    return ptr;
}

void *bs_zalloc(size_t size)
{
    void *ptr = calloc(1, size ? size : 1);
    if (ptr == NULL)
        out_of_memory(size);
    return ptr;
}

void *bs_realloc(void *ptr, size_t size)
{
    void *grown = realloc(ptr, size ? size : 1);
    if (grown == NULL)
        out_of_memory(size);
    return grown;
}

void *bs_array(size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        out_of_memory(SIZE_MAX);
    return bs_zalloc(count * size);
}

void *bs_memdup(const void *ptr, size_t len)
{
    void *copy = bs_alloc(len);
    if (len)
        memcpy(copy, ptr, len);
    return copy;
}

char *bs_strndup(const char *text, size_t len)
{
    char *copy = bs_alloc(len + 1);
    if (len)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

char *bs_strdup(const char *text)
{
    return text ? bs_strndup(text, strlen(text)) : NULL;
}

char *bs_asprintf(const char *fmt, ...)
{
    va_list ap;
    char *text = NULL;
    int n;
    va_start(ap, fmt);
    n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0)
        out_of_memory(0);
    return text;
}

static int fault_due(void)
{
    long left = atomic_load_explicit(&fail_after, memory_order_relaxed);
    return left > 0 && atomic_fetch_sub(&fail_after, 1) == 1;
}

void *bs_try_alloc(size_t size)
{
    return fault_due() ? NULL : malloc(size ? size : 1);
}

void *bs_try_realloc(void *ptr, size_t size)
{
    return fault_due() ? NULL : realloc(ptr, size ? size : 1);
}

void bs_free(void *ptr)
{
    free(ptr);
}

void bs_mem_fail_after(long n)
{
    atomic_store(&fail_after, n);
}
