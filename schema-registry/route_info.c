/* Routes that tell about the registry itself. /health and /metrics work while it is starting. */
#include "schema-registry/access.h"
#include "schema-registry/route.h"

int sr_health(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_service *service = ctx;
    (void)request;
    response->content_type = "application/json";
    response->status = sr_gate_health(service->gate, &response->body) == 0 ? 200 : 503;
    if (service->auth) {
        response->body.len--; /* the closing brace */
        bs_buf_puts(&response->body, ",\"authentication\":");
        sr_auth_health(service->auth, &response->body);
        bs_buf_puts(&response->body, "}");
    }
    return 0;
}

int sr_metrics(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call = {.service = ctx, .request = request, .response = response};
    if (!sr_access_begin(&call))
        return sr_end(&call);
    response->content_type = "text/plain; version=0.0.4; charset=utf-8";
    bs_metric_print_all(&response->body);
    return sr_end(&call);
}

int sr_metadata_id(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin_without_store(&call, ctx, request, response)) {
        struct bs_buf *out = &response->body;
        char cluster[256];
        sr_gate_cluster(call.service->gate, cluster, sizeof cluster);
        bs_buf_puts(out, "{\"id\":\"\",\"scope\":{\"path\":[],\"clusters\":{");
        if (*cluster) {
            bs_buf_puts(out, "\"kafka-cluster\":");
            sr_put_text(out, cluster);
            bs_buf_puts(out, ",");
        }
        bs_buf_puts(out, "\"schema-registry-cluster\":\"schema-registry\"}}}");
    }
    return sr_end(&call);
}

int sr_metadata_version(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin_without_store(&call, ctx, request, response))
        bs_buf_puts(&response->body, "{\"version\":\"" WEIR_VERSION "\",\"commitId\":\"\"}");
    return sr_end(&call);
}

int sr_metadata_deployment(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin_without_store(&call, ctx, request, response))
        bs_buf_puts(&response->body, "{\"attributes\":[]}");
    return sr_end(&call);
}
