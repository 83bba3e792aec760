/* Partitioner: see partitioner.h. Pure. */
#include "lib/kafka/partitioner.h"

static uint32_t load_le(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint32_t kp_murmur2(struct bs_bytes key)
{
    const uint32_t m = 0x5bd1e995;
    uint32_t h = 0x9747b28cu ^ (uint32_t)key.len;
    size_t whole = key.len / 4 * 4;
    for (size_t i = 0; i < whole; i += 4) {
        uint32_t k = load_le(key.ptr + i) * m;
        k ^= k >> 24;
        h = h * m ^ k * m;
    }
    size_t rest = key.len - whole;
    if (rest > 0) {
        for (size_t i = rest; i-- > 0;)
            h ^= (uint32_t)key.ptr[whole + i] << (8 * i);
        h *= m;
    }
    h ^= h >> 13;
    h *= m;
    return h ^ h >> 15;
}

int32_t kp_partition_for_key(struct bs_bytes key, int32_t partition_count)
{
    return (int32_t)(kp_murmur2(key) & 0x7fffffff) % partition_count;
}

/* The code point at *at, which moves behind it; a byte that fits nowhere is U+FFFD. */
static uint32_t code_next(struct bs_bytes text, size_t *at)
{
    for (size_t len = 1; len <= 4 && *at + len <= text.len; len++) {
        const uint8_t *p = text.ptr + *at;
        if (!bs_utf8_valid(bs_bytes(p, len)))
            continue;
        *at += len;
        if (len == 1)
            return p[0];
        uint32_t code = p[0] & (0xffu >> (len + 1));
        for (size_t i = 1; i < len; i++)
            code = code << 6 | (p[i] & 0x3fu);
        return code;
    }
    *at += 1;
    return 0xfffd;
}

int32_t kp_java_string_hash(struct bs_bytes text)
{
    uint32_t hash = 0;
    for (size_t at = 0; at < text.len;) {
        uint32_t code = code_next(text, &at);
        if (code >= 0x10000) {
            code -= 0x10000;
            hash = hash * 31 + (0xd800 | code >> 10);
            code = 0xdc00 | (code & 0x3ff);
        }
        hash = hash * 31 + code;
    }
    return (int32_t)hash;
}

int32_t kp_partition_for_id(struct bs_bytes id, int32_t partition_count)
{
    int32_t hash = kp_java_string_hash(id);
    if (hash == INT32_MIN)
        return 0; /* has no absolute value; Kafka takes 0 */
    return (hash < 0 ? -hash : hash) % partition_count;
}
