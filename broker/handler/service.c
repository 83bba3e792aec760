/* Service: see service.h. */
#include "broker/handler/service.h"
#include "lib/base/log.h"

enum { CALL_BYTES_MAX = 128 << 20 };

static const struct bs_event TOO_LARGE = {"broker.response.too_large", BS_LOG_WARN,
                                          "A request asked for so much that its answer would take "
                                          "over 128 MiB; its connection was closed. "
                                          "Ask for less at a time."};

static const struct bs_metric_desc PRODUCE_BYTES = {"weir_broker_produced_bytes_total", BS_COUNTER,
                                                    "Bytes of record batches appended by clients."};
static const struct bs_metric_desc PRODUCE_ERRORS = {
    "weir_broker_produce_errors_total", BS_COUNTER,
    "Partitions of produce requests that were refused."};
static const struct bs_metric_desc FETCH_BYTES = {"weir_broker_fetched_bytes_total", BS_COUNTER,
                                                  "Bytes of record batches sent to clients."};
static const struct bs_metric_desc FETCH_ERRORS = {
    "weir_broker_fetch_errors_total", BS_COUNTER,
    "Partitions of fetch requests that were refused."};

void bk_service_init_metrics(struct bk_service *service)
{
    bs_metric_init(&service->produce_bytes, &PRODUCE_BYTES, NULL);
    bs_metric_init(&service->produce_errors, &PRODUCE_ERRORS, NULL);
    bs_metric_init(&service->fetch_bytes, &FETCH_BYTES, NULL);
    bs_metric_init(&service->fetch_errors, &FETCH_ERRORS, NULL);
}

void bk_service_deinit_metrics(struct bk_service *service)
{
    bs_metric_deinit(&service->produce_bytes);
    bs_metric_deinit(&service->produce_errors);
    bs_metric_deinit(&service->fetch_bytes);
    bs_metric_deinit(&service->fetch_errors);
}

bool bk_call_too_large(struct bk_call *call)
{
    if (bs_arena_used(&call->arena) <= CALL_BYTES_MAX)
        return false;
    bs_log(&TOO_LARGE, "%s: %s", call->client_host, call->api->wire->name);
    bk_call_end(call, BK_HANG_UP);
    return true;
}

struct bs_bytes bk_service_host(const struct bk_call *call)
{
    const char *host = call->service->advertised_host;
    return bs_bytes_text(host ? host : call->local_host);
}

int32_t bk_service_port(const struct bk_call *call)
{
    return call->service->advertised_host ? call->service->advertised_port : call->local_port;
}

const struct bk_topic *bk_service_topic(struct bk_service *service, struct bs_bytes name,
                                        const struct kp_uuid *id, int16_t *ret_error)
{
    const struct bk_image *image = bk_metadata_image(service->metadata);
    const struct bk_topic *topic;
    if (name.len || !id) {
        topic = bk_image_topic(image, (const char *)name.ptr, name.len);
        *ret_error = topic ? 0 : KP_ERR_UNKNOWN_TOPIC_OR_PARTITION;
    } else {
        struct bk_uuid uuid;
        memcpy(uuid.bytes, id->bytes, sizeof uuid.bytes);
        topic = bk_image_topic_by_id(image, &uuid);
        *ret_error = topic ? 0 : KP_ERR_UNKNOWN_TOPIC_ID;
    }
    return topic;
}

struct bk_partition *bk_service_partition(struct bk_service *service, struct bs_bytes topic_name,
                                          const struct kp_uuid *topic_id, int32_t index,
                                          int16_t *ret_error)
{
    const struct bk_topic *topic = bk_service_topic(service, topic_name, topic_id, ret_error);
    if (!topic)
        return NULL;
    return bk_partitions_get(service->partitions, topic->name, strlen(topic->name), index,
                             ret_error);
}
