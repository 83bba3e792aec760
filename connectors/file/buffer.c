/* Buffer: see buffer.h. Doubles when it is full. */
#include "connectors/file/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cn_buffer_reserve(struct cn_buffer *buffer, size_t more)
{
    if (buffer->cap - buffer->len >= more)
        return;
    size_t cap = buffer->cap ? buffer->cap : 4096;
    while (cap - buffer->len < more)
        cap *= 2;
    char *data = realloc(buffer->data, cap);
    if (!data) {
        fprintf(stderr, "file connector: no memory for %zu bytes\n", cap);
        abort();
    }
    buffer->data = data;
    buffer->cap = cap;
}

void cn_buffer_put(struct cn_buffer *buffer, const char *ptr, size_t len)
{
    if (!len)
        return;
    cn_buffer_reserve(buffer, len);
    memcpy(buffer->data + buffer->len, ptr, len);
    buffer->len += len;
}

void cn_buffer_puts(struct cn_buffer *buffer, const char *text)
{
    cn_buffer_put(buffer, text, strlen(text));
}

void cn_buffer_deinit(struct cn_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct cn_buffer){0};
}
