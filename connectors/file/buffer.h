/* Buffer: growable bytes of the file connectors. Ends the process without memory: what is put in is
 * bounded by the options line.bytes.max and batch.size. One owner. */
#ifndef WEIR_CONNECTORS_FILE_BUFFER_H
#define WEIR_CONNECTORS_FILE_BUFFER_H

#include <stddef.h>

struct cn_buffer {
    char *data;
    size_t len, cap;
};

void cn_buffer_reserve(struct cn_buffer *buffer, size_t more);
void cn_buffer_put(struct cn_buffer *buffer, const char *ptr, size_t len);
void cn_buffer_puts(struct cn_buffer *buffer, const char *text);
void cn_buffer_deinit(struct cn_buffer *buffer); /* accepts a zeroed one */

#endif
