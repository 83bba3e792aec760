/* Routes that check a schema without registering it. */
#include "schema-registry/route.h"

static void put_verdict(struct sr_call *call, bool fine, const char *const *messages, size_t count)
{
    struct bs_buf *out = &call->response->body;
    bs_buf_printf(out, "{\"is_compatible\":%s", fine ? "true" : "false");
    if (sr_flag(call, "verbose")) {
        bs_buf_puts(out, ",\"messages\":[");
        for (size_t i = 0; i < count; i++) {
            bs_buf_puts(out, i ? "," : "");
            sr_put_text(out, messages[i]);
        }
        bs_buf_puts(out, "]");
    }
    bs_buf_puts(out, "}");
}

/* `number` 0: all live versions under the level. */
static void check(struct sr_call *call, struct sr_input *input, int number)
{
    const struct sr_version *only = NULL;
    struct sd_schema *schema = NULL;
    struct bs_error err = {0};
    const char **messages = NULL;
    size_t count = 0;
    bool fine;
    if (input->empty || sr_input_schema(call, input, true, &schema, &err) < 0) {
        const char *text =
            input->empty ? "Empty schema"
                         : bs_arena_printf(call->request->arena,
                                           "Invalid schema of type AVRO, details: %s", err.text);
        if (sr_flag(call, "verbose"))
            put_verdict(call, false, &text, 1);
        else
            sr_fail(call, 42201, "%s", text);
        return;
    }
    if (number)
        only = sr_subject_version(sr_store_subject(call->store, call->subject), number, false);
    fine = (number == -1 && only == NULL) ||
           sr_compatible(call, input, schema, only, &messages, &count);
    if (number > 0 && only == NULL)
        sr_fail(call, 40402, "Version %d not found.", number);
    else
        put_verdict(call, fine, messages, count);
    sd_schema_unref(schema);
}

/* Small schemas are compared where they come in; others must not hold up who only reads. */
static bool is_heavy(struct sr_call *call, const struct sr_version *only)
{
    size_t bytes = call->request->body.len;
    if (bytes <= SR_HEAVY_BYTES && !call->request->may_block)
        bytes += sr_compatible_bytes(call, only, SR_HEAVY_BYTES);
    return sr_must_compute(call, bytes);
}

int sr_compat_all(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin_subject(&call, ctx, request, response)) {
        struct sr_input input;
        if (!is_heavy(&call, NULL) && sr_input_read(&call, &input))
            check(&call, &input, 0);
    }
    return sr_end(&call);
}

int sr_compat_version(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin_subject(&call, ctx, request, response)) {
        const struct sr_subject *subject = sr_store_subject(call.store, call.subject);
        const struct sr_version *version;
        struct sr_input input;
        int number;
        if (!sr_version_param(&call, request->params[1], &number))
            return sr_end(&call);
        version = sr_subject_version(subject, number, false);
        if (is_heavy(&call, version) || !sr_input_read(&call, &input))
            return sr_end(&call);
        if (version == NULL && number != -1)
            sr_fail(&call, 40402, "Version %d not found.", number);
        else
            check(&call, &input, number);
    }
    return sr_end(&call);
}
