/* Image edit: how bk_metadata changes an image. Not for others. */
#ifndef WEIR_BROKER_CLUSTER_IMAGE_EDIT_H
#define WEIR_BROKER_CLUSTER_IMAGE_EDIT_H

#include "broker/cluster/image.h"
#include "broker/cluster/record.h"

#include "lib/base/err.h"

struct bk_image *bk_image_new(void);
void bk_image_free(struct bk_image *image); /* accepts NULL */
/* Applies one record of a batch. BS_ECORRUPT: it does not fit what came before. */
int bk_image_apply(struct bk_image *image, const struct bk_record *record, struct bs_error *err);
/* The batch is at its end: tells every topic it touched, once each. From now on they are
 * immutable. */
typedef void bk_image_visit(void *ctx, const struct bk_topic *before, const struct bk_topic *after);
void bk_image_commit(struct bk_image *image, bk_image_visit *visit, void *ctx);
/* First producer id that no block covers yet. */
int64_t bk_image_next_producer_id(const struct bk_image *image);

#endif
