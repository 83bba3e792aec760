/* Bytes: see bytes.h. Pure. */
#include "lib/base/bytes.h"

#include "lib/base/err.h"

bool bs_bytes_equal(struct bs_bytes a, struct bs_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

int bs_bytes_compare(struct bs_bytes a, struct bs_bytes b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.ptr, b.ptr, n) : 0;
    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

bool bs_bytes_is(struct bs_bytes a, const char *text)
{
    size_t i = 0;
    while (i < a.len && text[i] != '\0' && (uint8_t)text[i] == a.ptr[i]) /* most differ at once */
        i++;
    return i == a.len && text[i] == '\0';
}

/* Nearly all text is ASCII: eight bytes of it at a time. */
static const uint8_t *skip_ascii(const uint8_t *p, const uint8_t *end)
{
    uint64_t word;
    for (; end - p >= (ptrdiff_t)sizeof word; p += sizeof word) {
        memcpy(&word, p, sizeof word);
        if (word & 0x8080808080808080u)
            break;
    }
    while (p < end && *p < 0x80)
        p++;
    return p;
}

bool bs_utf8_valid(struct bs_bytes text)
{
    const uint8_t *p = text.ptr, *end = text.len ? p + text.len : p;
    while ((p = skip_ascii(p, end)) < end) {
        uint32_t code;
        int more;
        if (*p >= 0xc2 && *p <= 0xdf)
            code = *p & 0x1fu, more = 1;
        else if ((*p & 0xf0) == 0xe0)
            code = *p & 0x0fu, more = 2;
        else if (*p >= 0xf0 && *p <= 0xf4)
            code = *p & 0x07u, more = 3;
        else
            return false;
        if (end - p <= more)
            return false;
        for (int i = 1; i <= more; i++) {
            if ((p[i] & 0xc0) != 0x80)
                return false;
            code = code << 6 | (p[i] & 0x3fu);
        }
        if ((more == 2 && code < 0x800) || (more == 3 && (code < 0x10000 || code > 0x10ffff)) ||
            (code >= 0xd800 && code <= 0xdfff))
            return false;
        p += more + 1;
    }
    return true;
}

int bs_get_bytes(struct bs_cursor *c, size_t len, struct bs_bytes *ret)
{
    if (bs_cursor_left(c) < len)
        return BS_ETRUNCATED;
    *ret = bs_bytes(c->at, len);
    if (len)
        c->at += len;
    return 0;
}

int bs_get_u8(struct bs_cursor *c, uint8_t *ret)
{
    if (c->at == c->end)
        return BS_ETRUNCATED;
    *ret = *c->at++;
    return 0;
}

int bs_get_u16(struct bs_cursor *c, uint16_t *ret)
{
    if (bs_cursor_left(c) < 2)
        return BS_ETRUNCATED;
    *ret = bs_load_u16(c->at);
    c->at += 2;
    return 0;
}

int bs_get_u32(struct bs_cursor *c, uint32_t *ret)
{
    if (bs_cursor_left(c) < 4)
        return BS_ETRUNCATED;
    *ret = bs_load_u32(c->at);
    c->at += 4;
    return 0;
}

int bs_get_u64(struct bs_cursor *c, uint64_t *ret)
{
    if (bs_cursor_left(c) < 8)
        return BS_ETRUNCATED;
    *ret = bs_load_u64(c->at);
    c->at += 8;
    return 0;
}

int bs_get_uvarlong(struct bs_cursor *c, uint64_t *ret)
{
    uint64_t v = 0;
    for (int i = 0; i < 10; i++) {
        if (c->at + i >= c->end)
            return BS_ETRUNCATED;
        v |= (uint64_t)(c->at[i] & 0x7f) << (7 * i);
        if (i == 9 && c->at[i] > 1)
            return BS_ECORRUPT;
        if ((c->at[i] & 0x80) == 0) {
            c->at += i + 1;
            *ret = v;
            return 0;
        }
    }
    return BS_ECORRUPT;
}

int bs_get_uvarint(struct bs_cursor *c, uint32_t *ret)
{
    struct bs_cursor tried = *c;
    uint64_t v;
    int rc = bs_get_uvarlong(&tried, &v);
    if (rc != 0)
        return rc;
    if (v > UINT32_MAX)
        return BS_ECORRUPT;
    *c = tried;
    *ret = (uint32_t)v;
    return 0;
}

int bs_get_varint(struct bs_cursor *c, int32_t *ret)
{
    uint32_t v;
    int rc = bs_get_uvarint(c, &v);
    if (rc == 0)
        *ret = (int32_t)bs_unzigzag(v);
    return rc;
}

int bs_get_varlong(struct bs_cursor *c, int64_t *ret)
{
    uint64_t v;
    int rc = bs_get_uvarlong(c, &v);
    if (rc == 0)
        *ret = bs_unzigzag(v);
    return rc;
}

size_t bs_put_uvarlong(uint8_t *out, uint64_t v)
{
    size_t n = 0;
    while (v >= 0x80) {
        out[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    out[n++] = (uint8_t)v;
    return n;
}
