/* Routes of the page. "/" is {} for programs and the page for a browser, whichever Accept prefers;
 * the page asks the REST interface for everything, so it holds no secret, but with authentication
 * it is for users: the browser asks for the password before it shows anything. */
#include "schema-registry/access.h"
#include "schema-registry/media.h"
#include "schema-registry/page.h"
#include "schema-registry/route.h"

#include <string.h>

/* Files go to users, whatever the row says: that of "/" is open for the sake of {}. */
static bool begin_file(struct sr_call *call, void *service, struct ht_request *request,
                       struct ht_response *response)
{
    *call = (struct sr_call){.service = service, .request = request, .response = response};
    bs_metric_add(&call->service->requests, 1);
    return sr_access_sign_in(call);
}

static const struct sr_page_file *find(const char *name)
{
    for (size_t i = 0; i < sr_page_file_count; i++)
        if (strcmp(sr_page_files[i].name, name) == 0)
            return &sr_page_files[i];
    return NULL;
}

/* Scripts, styles and images of this server alone; nothing may frame the page. */
static void send_file(struct sr_call *call, const struct sr_page_file *file)
{
    struct ht_response *response = call->response;
    const char *known = ht_header_list(call->request, "If-None-Match");
    response->content_type = file->type;
    ht_response_field(response, "Cache-Control", "no-cache");
    ht_response_field(response, "ETag", file->tag);
    ht_response_field(response, "Content-Security-Policy",
                      "default-src 'self'; base-uri 'none'; form-action 'none'; "
                      "frame-ancestors 'none'");
    ht_response_field(response, "X-Content-Type-Options", "nosniff");
    ht_response_field(response, "Referrer-Policy", "no-referrer");
    if (known && (strstr(known, file->tag) || strcmp(known, "*") == 0))
        response->status = 304;
    else
        bs_buf_put(&response->body, file->bytes, file->len);
}

int sr_root(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (strcmp(request->method, "POST") == 0 ||
        !sr_media_prefers_html(ht_header_list(request, "Accept"))) {
        if (sr_begin_without_store(&call, ctx, request, response))
            bs_buf_puts(&response->body, "{}");
    } else if (begin_file(&call, ctx, request, response)) {
        send_file(&call, find("index.html"));
    }
    ht_response_field(response, "Vary", "Accept");
    return sr_end(&call);
}

int sr_page_get(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (begin_file(&call, ctx, request, response)) {
        const struct sr_page_file *file = find(request->params[0]);
        if (file == NULL)
            sr_fail(&call, 404, "HTTP 404 Not Found");
        else if (sr_media_quality(ht_header_list(request, "Accept"), file->media) == 0)
            sr_fail(&call, 406, "HTTP 406 Not Acceptable");
        else
            send_file(&call, file);
    }
    return sr_end(&call);
}
