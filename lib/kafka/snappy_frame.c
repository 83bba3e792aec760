/* Snappy frame: see snappy_frame.h. Pure.
 *
 * Frame: 8 bytes of magic, version i32, lowest compatible version i32, then blocks: length i32 and
 * raw snappy of up to 32 KiB. Librdkafka and others send raw snappy without a frame.
 *
 * The library is opened when it is first asked for: it needs the one of C++, and every process
 * would have a megabyte of that resident from its start. */
#include "lib/kafka/snappy_frame.h"

#include "lib/base/err.h"

#include <dlfcn.h>
#include <pthread.h>
#include <snappy-c.h>

enum { FRAME_HEAD_BYTES = 16, BLOCK_BYTES = 32 * 1024 };

static const uint8_t magic[8] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};

static struct {
    pthread_once_t once;
    bool there;
    __typeof__(snappy_compress) *compress;
    __typeof__(snappy_max_compressed_length) *max_compressed_length;
    __typeof__(snappy_uncompress) *uncompress;
    __typeof__(snappy_uncompressed_length) *uncompressed_length;
} snappy = {.once = PTHREAD_ONCE_INIT};

static void open_library(void)
{
    void *library = dlopen("libsnappy.so.1", RTLD_NOW | RTLD_LOCAL); /* stays open */
    if (library == NULL)
        return;
    *(void **)&snappy.compress = dlsym(library, "snappy_compress");
    *(void **)&snappy.max_compressed_length = dlsym(library, "snappy_max_compressed_length");
    *(void **)&snappy.uncompress = dlsym(library, "snappy_uncompress");
    *(void **)&snappy.uncompressed_length = dlsym(library, "snappy_uncompressed_length");
    snappy.there = snappy.compress && snappy.max_compressed_length && snappy.uncompress &&
                   snappy.uncompressed_length;
}

static bool is_there(void)
{
    pthread_once(&snappy.once, open_library);
    return snappy.there;
}

int kp_snappy_pack(struct bs_bytes in, struct bs_buf *out)
{
    if (!is_there())
        return BS_EUNSUPPORTED;
    bs_buf_put(out, magic, sizeof magic);
    bs_buf_put_u32(out, 1);
    bs_buf_put_u32(out, 1);
    for (size_t at = 0; at < in.len; at += BLOCK_BYTES) {
        size_t len = in.len - at < BLOCK_BYTES ? in.len - at : BLOCK_BYTES;
        size_t packed = snappy.max_compressed_length(len);
        uint8_t *to = bs_buf_reserve(out, 4 + packed);
        if (snappy.compress((const char *)in.ptr + at, len, (char *)to + 4, &packed) != SNAPPY_OK)
            return BS_ENOMEM;
        bs_store_u32(to, (uint32_t)packed);
        out->len += 4 + packed;
    }
    return 0;
}

static int block_unpack(struct bs_bytes block, size_t limit, struct bs_buf *out)
{
    size_t len;
    if (snappy.uncompressed_length((const char *)block.ptr, block.len, &len) != SNAPPY_OK)
        return BS_ECORRUPT;
    if (len > limit)
        return BS_ELIMIT;
    /* A literal or copy makes at most 64 bytes of 2 and more: what claims more is lying, and gets
     * no memory. */
    if (len / 64 > block.len)
        return BS_ECORRUPT;
    uint8_t *to = bs_buf_reserve(out, len + 1);
    if (snappy.uncompress((const char *)block.ptr, block.len, (char *)to, &len) != SNAPPY_OK)
        return BS_ECORRUPT;
    out->len += len;
    return 0;
}

int kp_snappy_unpack(struct bs_bytes in, size_t limit, struct bs_buf *out)
{
    size_t start = out->len;
    if (!is_there())
        return BS_EUNSUPPORTED;
    if (in.len < FRAME_HEAD_BYTES || memcmp(in.ptr, magic, sizeof magic) != 0)
        return in.len ? block_unpack(in, limit, out) : BS_ETRUNCATED;
    struct bs_cursor c = bs_cursor(in);
    c.at += FRAME_HEAD_BYTES;
    while (bs_cursor_left(&c) > 0) {
        uint32_t len;
        struct bs_bytes block;
        int rc = bs_get_u32(&c, &len);
        rc = rc ? rc : bs_get_bytes(&c, len, &block);
        rc = rc ? rc : block_unpack(block, limit - (out->len - start), out);
        if (rc)
            return rc;
    }
    return 0;
}
