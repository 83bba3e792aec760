/* Sample: fills any message with values that follow from the fields' names, for tests: golden
 * bytes, round trips, seeds of the fuzzers. The rule stands in tests/golden/kafka/README.md. Pure.
 */
#ifndef WEIR_KAFKA_SAMPLE_H
#define WEIR_KAFKA_SAMPLE_H

#include "lib/kafka/codec.h"

/* Sets every field that `version` has and leaves the others at their defaults; nulls: sets all to
 * null that may be. Memory is the arena's. */
void kp_sample_fill(const struct kp_message *message, int16_t version, bool nulls,
                    struct bs_arena *arena, void *ret);
/* Whether two structs of one type hold the same values. */
bool kp_sample_equal(const struct kp_struct *type, const void *a, const void *b);

#endif
