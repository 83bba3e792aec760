/* Buf: see buf.h. */
#include "lib/base/buf.h"

#include "lib/base/mem.h"

#include <stdio.h>
#include <stdlib.h>

void bs_buf_deinit(struct bs_buf *buf)
{
    if (buf == NULL)
        return;
    bs_free(buf->data);
    *buf = (struct bs_buf)BS_BUF_INIT;
}

uint8_t *bs_buf_reserve(struct bs_buf *buf, size_t more)
{
    if (more > SIZE_MAX / 4 || buf->len > SIZE_MAX / 4)
        abort();
    if (buf->cap - buf->len < more) {
        size_t cap = buf->cap ? buf->cap * 2 : 64;
        while (cap - buf->len < more)
            cap *= 2;
        buf->data = bs_realloc(buf->data, cap);
        buf->cap = cap;
    }
    return buf->data + buf->len;
}

void bs_buf_put(struct bs_buf *buf, const void *ptr, size_t len)
{
    if (len == 0)
        return;
    memcpy(bs_buf_reserve(buf, len), ptr, len);
    buf->len += len;
}

void bs_buf_put_u8(struct bs_buf *buf, uint8_t v)
{
    *bs_buf_reserve(buf, 1) = v;
    buf->len += 1;
}

void bs_buf_put_u16(struct bs_buf *buf, uint16_t v)
{
    bs_store_u16(bs_buf_reserve(buf, 2), v);
    buf->len += 2;
}

void bs_buf_put_u32(struct bs_buf *buf, uint32_t v)
{
    bs_store_u32(bs_buf_reserve(buf, 4), v);
    buf->len += 4;
}

void bs_buf_put_u64(struct bs_buf *buf, uint64_t v)
{
    bs_store_u64(bs_buf_reserve(buf, 8), v);
    buf->len += 8;
}

void bs_buf_put_uvarlong(struct bs_buf *buf, uint64_t v)
{
    buf->len += bs_put_uvarlong(bs_buf_reserve(buf, 10), v);
}

void bs_buf_put_varlong(struct bs_buf *buf, int64_t v)
{
    bs_buf_put_uvarlong(buf, bs_zigzag(v));
}

void bs_buf_puts(struct bs_buf *buf, const char *text)
{
    bs_buf_put(buf, text, strlen(text));
}

void bs_buf_vprintf(struct bs_buf *buf, const char *fmt, va_list ap)
{
    enum { FIRST = 128 }; /* most texts are shorter: formatted once */
    va_list again;
    int n;
    va_copy(again, ap);
    n = vsnprintf((char *)bs_buf_reserve(buf, FIRST), FIRST, fmt, ap);
    if (n < 0)
        abort();
    if (n >= FIRST)
        vsnprintf((char *)bs_buf_reserve(buf, (size_t)n + 1), (size_t)n + 1, fmt, again);
    va_end(again);
    buf->len += (size_t)n;
}

void bs_buf_printf(struct bs_buf *buf, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    bs_buf_vprintf(buf, fmt, ap);
    va_end(ap);
}

/* Length of the valid UTF-8 sequence at p, or 0. */
static size_t utf8_sequence(const uint8_t *p, const uint8_t *end)
{
    size_t want = *p < 0x80 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
    if ((size_t)(end - p) < want || !bs_utf8_valid(bs_bytes(p, want)))
        return 0;
    return want;
}

/* Writes at `to` and returns what is behind it; 6 bytes at most. */
static uint8_t *escape(uint8_t *to, uint8_t c)
{
    static const char digits[] = "0123456789abcdef";
    const char text[] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
    char short_form = c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : '\0';
    if (short_form) {
        *to++ = '\\';
        *to++ = (uint8_t)short_form;
        return to;
    }
    memcpy(to, text, sizeof text);
    return to + sizeof text;
}

/* Texts with many quotes, such as schemas, are the usual ones: room is made for a piece at a time,
 * in which a byte becomes ESCAPED_MAX at most. */
void bs_buf_put_json_string(struct bs_buf *buf, const char *text, size_t len)
{
    enum { PIECE = 64, ESCAPED_MAX = 6 };
    static const bool plain[256] = {
        [' ' ... '!'] = true, ['#' ... '['] = true, [']' ... 0x7f] = true};
    const uint8_t *p = (const uint8_t *)text, *end = len ? p + len : p;
    bs_buf_reserve(buf, len + 2);
    bs_buf_put_u8(buf, '"');
    while (p < end) {
        const uint8_t *stop = end - p > PIECE ? p + PIECE : end;
        uint8_t *to = bs_buf_reserve(buf, (size_t)PIECE * ESCAPED_MAX);
        while (p < stop) {
            uint8_t c = *p;
            size_t n = 1;
            if (plain[c]) {
                *to++ = c;
                p++;
                continue;
            }
            if (c == '"' || c == '\\') {
                *to++ = '\\';
                *to++ = c;
            } else if (c < 0x20) {
                to = escape(to, c);
            } else if ((n = utf8_sequence(p, end)) > 0) {
                memcpy(to, p, n);
                to += n;
            } else {
                memcpy(to, "\\ufffd", 6);
                to += 6;
                n = 1;
            }
            p += n;
        }
        buf->len = (size_t)(to - buf->data);
    }
    bs_buf_put_u8(buf, '"');
}

static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void bs_buf_put_base64(struct bs_buf *buf, struct bs_bytes bytes)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t v = (uint32_t)bytes.ptr[i] << 16 |
                     (left > 1 ? (uint32_t)bytes.ptr[i + 1] << 8 : 0) |
                     (left > 2 ? bytes.ptr[i + 2] : 0);
        char four[4] = {BASE64[v >> 18], BASE64[v >> 12 & 63], left > 1 ? BASE64[v >> 6 & 63] : '=',
                        left > 2 ? BASE64[v & 63] : '='};
        bs_buf_put(buf, four, 4);
    }
}

static size_t base64_pads(struct bs_bytes text)
{
    if (text.len == 0 || text.ptr[text.len - 1] != '=')
        return 0;
    return text.len > 1 && text.ptr[text.len - 2] == '=' ? 2 : 1;
}

size_t bs_base64_decoded_size(struct bs_bytes text)
{
    return text.len < 4 ? 0 : text.len / 4 * 3 - base64_pads(text);
}

bool bs_buf_put_base64_decoded(struct bs_buf *buf, struct bs_bytes text)
{
    size_t before = buf->len, pads = base64_pads(text);
    if (text.len % 4)
        return false;
    for (size_t i = 0; i < text.len; i += 4) {
        size_t digits = i + 4 == text.len ? 4 - pads : 4;
        uint32_t v = 0;
        bool well = true;
        for (size_t k = 0; k < 4 && well; k++) {
            const char *at = k < digits && text.ptr[i + k] ? strchr(BASE64, text.ptr[i + k]) : NULL;
            well = at || k >= digits;
            v = v << 6 | (at ? (uint32_t)(at - BASE64) : 0);
        }
        if (!well || (digits == 2 && v & 0xffff) || (digits == 3 && v & 0xff)) {
            buf->len = before; /* no digit, or bits that no byte has */
            return false;
        }
        for (size_t k = 0; k + 1 < digits; k++)
            bs_buf_put_u8(buf, (uint8_t)(v >> (16 - 8 * k)));
    }
    return true;
}

const char *bs_buf_text(struct bs_buf *buf)
{
    *bs_buf_reserve(buf, 1) = '\0';
    return (const char *)buf->data;
}

uint8_t *bs_buf_steal(struct bs_buf *buf, size_t *ret_len)
{
    uint8_t *data = buf->data;
    *ret_len = buf->len;
    *buf = (struct bs_buf)BS_BUF_INIT;
    return data;
}
