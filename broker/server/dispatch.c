/* Dispatch: see dispatch.h.
 *
 * Request header: int16 key, int16 version, int32 correlation id, nullable string client id (always
 * the int16 form), and tagged fields when the request is flexible. Loop thread. */
#include "broker/server/dispatch.h"
#include "broker/handler/service.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metric.h"
#include "lib/kafka/errors.h"

#include <inttypes.h>

enum { KEY_COUNT = 128, TAGS_MAX = 64 };
/* Decoding may not take more than this, whatever the rows say. */
enum { DECODED_BYTES_MAX = 256 << 20 };

static const struct bs_event NOT_SERVED = {
    "broker.request.not_served", BS_LOG_WARN,
    "A client sent a request that ApiVersions does not list; its connection was closed, as Kafka "
    "does."};
static const struct bs_event UNREADABLE = {
    "broker.request.unreadable", BS_LOG_WARN,
    "A request could not be read; its connection was closed."};

static const struct bs_metric_desc REQUESTS = {"weir_broker_requests_total", BS_COUNTER,
                                               "Requests, by API."};
static const struct bs_metric_desc FAILURES = {
    "weir_broker_request_failures_total", BS_COUNTER,
    "Requests that could not be read or are not served; each closed its connection."};

void bk_dispatch_init(struct bk_service *service)
{
    const struct bk_api *api = NULL;
    bk_apis_init();
    service->requests = bs_array(KEY_COUNT, sizeof *service->requests);
    while ((api = bk_api_next(api))) {
        char *labels = bs_asprintf("api=\"%s\"", api->wire->name);
        bs_metric_init(&service->requests[api->key], &REQUESTS, labels);
        bs_free(labels);
    }
    bs_metric_init(&service->request_failures, &FAILURES, NULL);
}

void bk_dispatch_deinit(struct bk_service *service)
{
    const struct bk_api *api = NULL;
    while ((api = bk_api_next(api)))
        bs_metric_deinit(&service->requests[api->key]);
    bs_metric_deinit(&service->request_failures);
    bs_free(service->requests);
}

static void hang_up(struct bk_call *call)
{
    bs_metric_add(&call->service->request_failures, 1);
    bk_call_end(call, BK_HANG_UP);
}

/* KIP-511: error 35 in the encoding of version 0, which every client can read, with our range of
 * ApiVersions so that it asks again well. */
static void refuse_api_versions(struct bk_call *call)
{
    struct bs_buf *out = &call->out;
    bs_buf_put_u32(out, 0);
    bs_buf_put_u32(out, (uint32_t)call->correlation);
    bs_buf_put_u16(out, KP_ERR_UNSUPPORTED_VERSION);
    bs_buf_put_u32(out, 1);
    bs_buf_put_u16(out, (uint16_t)call->api->key);
    bs_buf_put_u16(out, (uint16_t)call->api->min);
    bs_buf_put_u16(out, (uint16_t)call->api->max);
    bs_store_u32(out->data, (uint32_t)(out->len - 4));
    bk_call_end(call, BK_REPLY);
}

static int skip_tags(struct bs_cursor *in)
{
    uint32_t count, tag, size;
    struct bs_bytes value;
    if (bs_get_uvarint(in, &count) || count > TAGS_MAX)
        return BS_ECORRUPT;
    for (uint32_t i = 0; i < count; i++)
        if (bs_get_uvarint(in, &tag) || bs_get_uvarint(in, &size) || bs_get_bytes(in, size, &value))
            return BS_ECORRUPT;
    return 0;
}

static int read_client_id(struct bs_cursor *in, struct bs_bytes *ret)
{
    uint16_t len;
    int rc = bs_get_u16(in, &len);
    if (rc || len == 0xffff)
        return rc;
    return len > INT16_MAX ? BS_ECORRUPT : bs_get_bytes(in, len, ret);
}

/* The rest of the header, then the request. */
static int read_request(struct bk_call *call, struct bs_cursor *in)
{
    const struct kp_message *message = call->api->wire->request;
    void *request;
    int rc = read_client_id(in, &call->client_id);
    if (!rc && kp_request_header_version(call->api->key, call->version) == 2)
        rc = skip_tags(in);
    if (!rc && (uint64_t)bs_cursor_left(in) * call->api->growth > DECODED_BYTES_MAX &&
        call->api->key != KP_API_PRODUCE && call->api->key != KP_API_SYNC_GROUP)
        rc = BS_ELIMIT;
    if (rc)
        return rc;
    request = bs_arena_alloc(&call->arena, message->root->size);
    rc = kp_message_decode(message, in, call->version, &call->arena, request);
    call->request = request;
    return rc;
}

void bk_dispatch(struct bk_call *call)
{
    struct bs_cursor in = bs_cursor(call->frame);
    uint16_t key, version;
    uint32_t correlation;
    int rc;
    /* A frame has at least these eight bytes, conn.c sees to it. */
    if (bs_get_u16(&in, &key) || bs_get_u16(&in, &version) || bs_get_u32(&in, &correlation)) {
        hang_up(call);
        return;
    }
    call->version = (int16_t)version;
    call->correlation = (int32_t)correlation;
    call->api = bk_api_find((int16_t)key);
    if (!call->api || call->version < call->api->min || call->version > call->api->max) {
        if (call->api && call->api->key == KP_API_API_VERSIONS) {
            refuse_api_versions(call);
            return;
        }
        bs_log(&NOT_SERVED, "%s: API %d (%s) version %d", call->client_host, (int16_t)key,
               call->api ? call->api->wire->name : "unknown", call->version);
        hang_up(call);
        return;
    }
    rc = read_request(call, &in);
    if (rc) {
        bs_log(&UNREADABLE, "%s: %s version %d: %s", call->client_host, call->api->wire->name,
               call->version, bs_strerror(rc));
        hang_up(call);
        return;
    }
    bs_metric_add(&call->service->requests[call->api->key], 1);
    call->api->handle(call);
}
