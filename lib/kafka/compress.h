/* Compress: the four codecs of record batches. A library of its own (weir_kafka_compress), so that
 * a broker, which passes batches on as they are, does not link the compressors.
 *
 * gzip: RFC 1952 members. snappy: read raw or in the xerial frame, written in the xerial frame as
 * the Java client does; its library is opened by the first that needs it (BS_EUNSUPPORTED: it is
 * not there). lz4: the frame format. zstd: frames. Any thread. */
#ifndef WEIR_KAFKA_COMPRESS_H
#define WEIR_KAFKA_COMPRESS_H

#include "lib/base/buf.h"
#include "lib/kafka/record_batch.h"

/* Appends to out. Codec none copies. BS_EUNSUPPORTED: unknown codec; BS_ENOMEM. */
int kp_compress(int codec, struct bs_bytes in, struct bs_buf *out);
/* Appends to out, at most limit bytes: BS_ELIMIT when there are more. BS_ECORRUPT, BS_ETRUNCATED,
 * BS_EUNSUPPORTED, BS_ENOMEM. On failure out may hold a part. */
int kp_decompress(int codec, struct bs_bytes in, size_t limit, struct bs_buf *out);

/* The records of a whole batch, ready for kp_record_reader_init: a view of the batch when it is not
 * compressed, else of scratch (reset first). limit as above. */
int kp_batch_unpack(const uint8_t *ptr, const struct kp_batch *batch, size_t limit,
                    struct bs_buf *scratch, struct bs_bytes *ret_payload);

#endif
