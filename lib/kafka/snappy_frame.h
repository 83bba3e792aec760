/* Snappy frame: snappy data in the frame of xerial's Java library, or without one. Part of
 * compress.c, split off since only this codec has a frame of its own. */
#ifndef WEIR_KAFKA_SNAPPY_FRAME_H
#define WEIR_KAFKA_SNAPPY_FRAME_H

#include "lib/base/buf.h"

/* Appends; the contracts of kp_compress and kp_decompress. */
int kp_snappy_pack(struct bs_bytes in, struct bs_buf *out);
int kp_snappy_unpack(struct bs_bytes in, size_t limit, struct bs_buf *out);

#endif
