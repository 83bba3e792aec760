/* API: the list of requests, and which header goes with a version. */
#ifndef WEIR_KAFKA_API_H
#define WEIR_KAFKA_API_H

#include "generated/lib/kafka/api_keys.h" /* enum kp_api_key { KP_API_PRODUCE = 0, … } */
#include "lib/kafka/codec.h"

struct kp_api {
    int16_t key;
    const char *name; /* "Produce" */
    int16_t min_version, max_version;
    int16_t first_flexible; /* 32767: none */
    bool latest_unstable;   /* max_version is not to be offered */
    const struct kp_message *request, *response;
};

/* Every API there are codecs for, by rising key. What a broker offers may be less. */
extern const struct kp_api kp_apis[];
extern const size_t kp_api_count;
const struct kp_api *kp_api_find(int16_t key); /* NULL: none */

/* Version of the request header (1, or 2 with flexible requests) and of the response header (0 or
 * 1; ApiVersions: always 0, since the client does not know yet what the broker speaks). An unknown
 * key or version counts as not flexible. */
int16_t kp_request_header_version(int16_t key, int16_t version);
int16_t kp_response_header_version(int16_t key, int16_t version);

static inline bool kp_uuid_equal(struct kp_uuid a, struct kp_uuid b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}
static inline bool kp_uuid_is_zero(struct kp_uuid a)
{
    return kp_uuid_equal(a, (struct kp_uuid){0});
}

enum { KP_UUID_TEXT_BYTES = 23 }; /* 22 characters and the NUL */
/* Kafka's form: base64 with - and _, no padding. */
void kp_uuid_format(struct kp_uuid uuid, char ret_text[KP_UUID_TEXT_BYTES]);
/* BS_ESYNTAX. */
int kp_uuid_parse(struct bs_bytes text, struct kp_uuid *ret);

#endif
