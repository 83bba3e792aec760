/* Buf: a growable byte buffer, for texts and encodings. One owner.
 *
 * The put functions cannot fail (see mem.h); who fills a buf from outside data bounds it first.
 * Integers big endian. bs_buf_text keeps a NUL behind the content without counting it. */
#ifndef WEIR_BASE_BUF_H
#define WEIR_BASE_BUF_H

#include "lib/base/bytes.h"

#include <stdarg.h>

struct bs_buf {
    uint8_t *data;
    size_t len, cap;
};

#define BS_BUF_INIT \
    {               \
        0           \
    }

void bs_buf_deinit(struct bs_buf *buf); /* accepts a zeroed one; leaves it zeroed */
static inline void bs_buf_reset(struct bs_buf *buf)
{
    buf->len = 0;
}
/* Makes room for `more` bytes behind len and gives where they start; len stays. */
uint8_t *bs_buf_reserve(struct bs_buf *buf, size_t more);
void bs_buf_put(struct bs_buf *buf, const void *ptr, size_t len);
void bs_buf_put_u8(struct bs_buf *buf, uint8_t v);
void bs_buf_put_u16(struct bs_buf *buf, uint16_t v);
void bs_buf_put_u32(struct bs_buf *buf, uint32_t v);
void bs_buf_put_u64(struct bs_buf *buf, uint64_t v);
void bs_buf_put_uvarlong(struct bs_buf *buf, uint64_t v);
void bs_buf_put_varlong(struct bs_buf *buf, int64_t v);
void bs_buf_puts(struct bs_buf *buf, const char *text);
void bs_buf_printf(struct bs_buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void bs_buf_vprintf(struct bs_buf *buf, const char *fmt, va_list ap);
/* The text of a JSON string literal, quotes included (RFC 8259); bytes that are not UTF-8 become
 * U+FFFD. */
void bs_buf_put_json_string(struct bs_buf *buf, const char *text, size_t len);
/* Base64 (RFC 4648, section 4), padded, without quotes. */
void bs_buf_put_base64(struct bs_buf *buf, struct bs_bytes bytes);
/* What a padded base64 text stands for, appended; false, and nothing appended: it is none. */
bool bs_buf_put_base64_decoded(struct bs_buf *buf, struct bs_bytes text);
/* How many bytes that is, for a text that is base64. */
size_t bs_base64_decoded_size(struct bs_bytes text);
const char *bs_buf_text(struct bs_buf *buf); /* NUL-terminated; valid until the next put */
static inline struct bs_bytes bs_buf_bytes(const struct bs_buf *buf)
{
    return bs_bytes(buf->data, buf->len);
}
/* Hands the memory over (free with bs_free) and leaves buf empty. */
uint8_t *bs_buf_steal(struct bs_buf *buf, size_t *ret_len);

#endif
