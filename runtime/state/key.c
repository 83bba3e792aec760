/* Names of rows; the forms are drawn in key.h. Pure. */
#include "runtime/state/key.h"

#include "lib/base/err.h"

static void put_start(struct bs_buf *out, int64_t start)
{
    bs_buf_put_u64(out, (uint64_t)start ^ (uint64_t)1 << 63);
}

static int64_t load_start(const uint8_t *p)
{
    return (int64_t)(bs_load_u64(p) ^ (uint64_t)1 << 63);
}

static void put_escaped(struct bs_buf *out, struct bs_bytes key)
{
    const uint8_t *at = key.ptr, *end = key.len ? key.ptr + key.len : key.ptr;
    while (at < end) {
        const uint8_t *zero = memchr(at, 0, (size_t)(end - at));
        bs_buf_put(out, at, (size_t)((zero ? zero : end) - at));
        if (!zero)
            break;
        bs_buf_put_u16(out, 0x00ff);
        at = zero + 1;
    }
    bs_buf_put_u16(out, 0);
}

/* Moves *at behind the end mark. */
static int get_escaped(const uint8_t **at, const uint8_t *end, struct bs_buf *key)
{
    const uint8_t *p = *at;
    bs_buf_reset(key);
    for (;;) {
        const uint8_t *zero = p < end ? memchr(p, 0, (size_t)(end - p)) : NULL;
        if (!zero || end - zero < 2)
            return BS_ECORRUPT;
        bs_buf_put(key, p, (size_t)(zero - p));
        p = zero + 2;
        if (zero[1] == 0)
            break;
        if (zero[1] != 0xff)
            return BS_ECORRUPT;
        bs_buf_put_u8(key, 0);
    }
    *at = p;
    return 0;
}

void rt_key_row(struct bs_buf *out, struct bs_bytes key)
{
    bs_buf_reset(out);
    bs_buf_put_u8(out, RT_KEY_ROW);
    bs_buf_put(out, key.ptr, key.len);
}

void rt_key_window(struct bs_buf *out, struct bs_bytes key, int64_t start)
{
    bs_buf_reset(out);
    bs_buf_put_u8(out, RT_KEY_ROW);
    put_escaped(out, key);
    put_start(out, start);
}

void rt_key_index(struct bs_buf *out, int64_t start, struct bs_bytes key)
{
    bs_buf_reset(out);
    bs_buf_put_u8(out, RT_KEY_INDEX);
    put_start(out, start);
    put_escaped(out, key);
}

void rt_key_window_changelog(struct bs_buf *out, struct bs_bytes key, int64_t start)
{
    bs_buf_reset(out);
    bs_buf_put(out, key.ptr, key.len);
    bs_buf_put_u64(out, (uint64_t)start);
    bs_buf_put_u32(out, 0);
}

void rt_key_index_range(struct bs_buf *lo, struct bs_buf *hi, int64_t from, int64_t until)
{
    bs_buf_reset(lo);
    bs_buf_put_u8(lo, RT_KEY_INDEX);
    put_start(lo, from);
    bs_buf_reset(hi);
    if (until == INT64_MAX) {
        bs_buf_put_u8(hi, RT_KEY_INDEX + 1);
    } else {
        bs_buf_put_u8(hi, RT_KEY_INDEX);
        put_start(hi, until + 1);
    }
}

int rt_key_window_parse(struct bs_bytes row, struct bs_buf *key, int64_t *ret_start)
{
    const uint8_t *at = row.ptr + 1, *end = row.ptr + row.len;
    if (row.len < 1 + 2 + 8 || row.ptr[0] != RT_KEY_ROW || get_escaped(&at, end, key) != 0 ||
        end - at != 8)
        return BS_ECORRUPT;
    *ret_start = load_start(at);
    return 0;
}

int rt_key_index_parse(struct bs_bytes row, struct bs_buf *key, int64_t *ret_start)
{
    const uint8_t *at = row.ptr + 9, *end = row.ptr + row.len;
    if (row.len < 1 + 8 + 2 || row.ptr[0] != RT_KEY_INDEX)
        return BS_ECORRUPT;
    *ret_start = load_start(row.ptr + 1);
    return get_escaped(&at, end, key) != 0 || at != end ? BS_ECORRUPT : 0;
}

int rt_key_window_changelog_parse(struct bs_bytes in, struct bs_bytes *ret_key, int64_t *ret_start)
{
    if (!in.ptr || in.len < RT_CHANGELOG_WINDOW_TAIL)
        return BS_ECORRUPT;
    *ret_key = bs_bytes(in.ptr, in.len - RT_CHANGELOG_WINDOW_TAIL);
    *ret_start = (int64_t)bs_load_u64(in.ptr + ret_key->len);
    return 0;
}
