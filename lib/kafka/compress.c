/* Compress: see compress.h. Each codec streams into out and stops at the limit, so that a small
 * batch that claims to be huge costs no more than the limit. Pure, any thread. */
#include "lib/kafka/compress.h"

#include "lib/base/err.h"
#include "lib/kafka/snappy_frame.h"

#include <lz4frame.h>
#include <zlib.h>
#include <zstd.h>

enum {
    GZIP_WINDOW = 15 + 16, /* largest window, gzip wrapper */
    STEP_BYTES = 64 * 1024,
    ZSTD_LEVEL = 3,
};

/* Room for the next step of output, one byte more than the limit allows, so that a stream which
 * goes on is seen; 0 when what is there is over the limit already. */
static size_t step_room(const struct bs_buf *out, size_t start, size_t limit)
{
    size_t have = out->len - start;
    if (have > limit)
        return 0;
    size_t left = limit - have;
    return left < STEP_BYTES ? left + 1 : STEP_BYTES;
}

/* ---- gzip -------------------------------------------------------------------------------------
 */

static int gzip_pack(struct bs_bytes in, struct bs_buf *out)
{
    z_stream z = {0};
    if (in.len > UINT32_MAX)
        return BS_ELIMIT;
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        return BS_ENOMEM;
    uLong bound = deflateBound(&z, in.len);
    z.next_in = (Bytef *)(uintptr_t)in.ptr;
    z.avail_in = (uInt)in.len;
    z.next_out = bs_buf_reserve(out, bound);
    z.avail_out = (uInt)bound;
    int state = deflate(&z, Z_FINISH);
    out->len += z.total_out;
    deflateEnd(&z);
    return state == Z_STREAM_END ? 0 : BS_ENOMEM;
}

/* Inflates up to the end of one member; *ret_in is what follows it. */
static int gzip_member(z_stream *z, size_t start, size_t limit, struct bs_buf *out)
{
    for (;;) {
        size_t room = step_room(out, start, limit);
        if (room == 0)
            return BS_ELIMIT;
        z->next_out = bs_buf_reserve(out, room);
        z->avail_out = (uInt)room;
        int state = inflate(z, Z_NO_FLUSH);
        out->len += room - z->avail_out;
        if (state == Z_STREAM_END)
            return out->len - start > limit ? BS_ELIMIT : 0;
        if (state == Z_MEM_ERROR)
            return BS_ENOMEM;
        if (state == Z_BUF_ERROR || (state == Z_OK && z->avail_in == 0 && z->avail_out > 0))
            return BS_ETRUNCATED;
        if (state != Z_OK)
            return BS_ECORRUPT;
    }
}

static int gzip_unpack(struct bs_bytes in, size_t limit, struct bs_buf *out)
{
    z_stream z = {0};
    size_t start = out->len;
    if (in.len == 0)
        return BS_ETRUNCATED;
    if (in.len > UINT32_MAX)
        return BS_ELIMIT;
    if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
        return BS_ENOMEM;
    z.next_in = (Bytef *)(uintptr_t)in.ptr;
    z.avail_in = (uInt)in.len;
    int rc = gzip_member(&z, start, limit, out);
    while (rc == 0 && z.avail_in > 0) {
        inflateReset(&z);
        rc = gzip_member(&z, start, limit, out);
    }
    inflateEnd(&z);
    return rc;
}

/* ---- lz4 --------------------------------------------------------------------------------------
 */

static int lz4_pack(struct bs_bytes in, struct bs_buf *out)
{
    /* As the Java client: independent blocks of 64 KiB, no content checksum. */
    LZ4F_preferences_t how = {
        .frameInfo = {.blockSizeID = LZ4F_max64KB, .blockMode = LZ4F_blockIndependent}};
    size_t bound = LZ4F_compressFrameBound(in.len, &how);
    size_t n = LZ4F_compressFrame(bs_buf_reserve(out, bound), bound, in.ptr, in.len, &how);
    if (LZ4F_isError(n))
        return BS_ENOMEM;
    out->len += n;
    return 0;
}

static int lz4_stream(LZ4F_dctx *dctx, struct bs_bytes in, size_t limit, struct bs_buf *out)
{
    size_t start = out->len, at = 0, hint = 1;
    while (at < in.len || hint != 0) {
        size_t room = step_room(out, start, limit);
        if (room == 0)
            return BS_ELIMIT;
        size_t made = room, eaten = in.len - at;
        hint = LZ4F_decompress(dctx, bs_buf_reserve(out, room), &made, in.ptr + at, &eaten, NULL);
        if (LZ4F_isError(hint))
            return BS_ECORRUPT;
        out->len += made;
        at += eaten;
        if (eaten == 0 && made == 0)
            return hint == 0 ? BS_ECORRUPT : BS_ETRUNCATED;
    }
    return out->len - start > limit ? BS_ELIMIT : 0;
}

static int lz4_unpack(struct bs_bytes in, size_t limit, struct bs_buf *out)
{
    LZ4F_dctx *dctx = NULL;
    if (in.len == 0)
        return BS_ETRUNCATED;
    if (LZ4F_isError(LZ4F_createDecompressionContext(&dctx, LZ4F_VERSION)))
        return BS_ENOMEM;
    int rc = lz4_stream(dctx, in, limit, out);
    LZ4F_freeDecompressionContext(dctx);
    return rc;
}

/* ---- zstd -------------------------------------------------------------------------------------
 */

static int zstd_pack(struct bs_bytes in, struct bs_buf *out)
{
    size_t bound = ZSTD_compressBound(in.len);
    size_t n = ZSTD_compress(bs_buf_reserve(out, bound), bound, in.ptr, in.len, ZSTD_LEVEL);
    if (ZSTD_isError(n))
        return BS_ENOMEM;
    out->len += n;
    return 0;
}

static int zstd_stream(ZSTD_DCtx *dctx, struct bs_bytes bytes, size_t limit, struct bs_buf *out)
{
    size_t start = out->len, hint = 1;
    ZSTD_inBuffer in = {.src = bytes.ptr, .size = bytes.len};
    while (in.pos < in.size || hint != 0) {
        size_t room = step_room(out, start, limit);
        if (room == 0)
            return BS_ELIMIT;
        size_t before = in.pos;
        ZSTD_outBuffer to = {.dst = bs_buf_reserve(out, room), .size = room};
        hint = ZSTD_decompressStream(dctx, &to, &in);
        if (ZSTD_isError(hint))
            return BS_ECORRUPT;
        out->len += to.pos;
        if (in.pos == before && to.pos == 0)
            return BS_ETRUNCATED;
    }
    return out->len - start > limit ? BS_ELIMIT : 0;
}

static int zstd_unpack(struct bs_bytes in, size_t limit, struct bs_buf *out)
{
    if (in.len == 0)
        return BS_ETRUNCATED;
    ZSTD_DCtx *dctx = ZSTD_createDCtx();
    if (!dctx)
        return BS_ENOMEM;
    int rc = zstd_stream(dctx, in, limit, out);
    ZSTD_freeDCtx(dctx);
    return rc;
}

/* ---- all --------------------------------------------------------------------------------------
 */

int kp_compress(int codec, struct bs_bytes in, struct bs_buf *out)
{
    switch (codec) {
    case KP_CODEC_NONE:
        bs_buf_put(out, in.ptr, in.len);
        return 0;
    case KP_CODEC_GZIP:
        return gzip_pack(in, out);
    case KP_CODEC_SNAPPY:
        return kp_snappy_pack(in, out);
    case KP_CODEC_LZ4:
        return lz4_pack(in, out);
    case KP_CODEC_ZSTD:
        return zstd_pack(in, out);
    default:
        return BS_EUNSUPPORTED;
    }
}

int kp_decompress(int codec, struct bs_bytes in, size_t limit, struct bs_buf *out)
{
    switch (codec) {
    case KP_CODEC_NONE:
        if (in.len > limit)
            return BS_ELIMIT;
        bs_buf_put(out, in.ptr, in.len);
        return 0;
    case KP_CODEC_GZIP:
        return gzip_unpack(in, limit, out);
    case KP_CODEC_SNAPPY:
        return kp_snappy_unpack(in, limit, out);
    case KP_CODEC_LZ4:
        return lz4_unpack(in, limit, out);
    case KP_CODEC_ZSTD:
        return zstd_unpack(in, limit, out);
    default:
        return BS_EUNSUPPORTED;
    }
}

int kp_batch_unpack(const uint8_t *ptr, const struct kp_batch *batch, size_t limit,
                    struct bs_buf *scratch, struct bs_bytes *ret_payload)
{
    struct bs_bytes payload = kp_batch_payload(ptr, batch);
    if (kp_batch_codec(batch) == KP_CODEC_NONE) {
        *ret_payload = payload;
        return payload.len > limit ? BS_ELIMIT : 0;
    }
    bs_buf_reset(scratch);
    int rc = kp_decompress((int)kp_batch_codec(batch), payload, limit, scratch);
    if (rc == 0)
        *ret_payload = bs_buf_bytes(scratch);
    return rc;
}
