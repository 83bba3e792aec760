/* Query: see http.h and query.h. libmicrohttpd splits the query and keeps its parts as they were
 * sent; they are decoded when a handler asks for them. */
#include "lib/http/query.h"

#include "lib/base/buf.h"
#include "lib/http/route.h"

#include <microhttpd.h>
#include <string.h>

const char *ht_query(const struct ht_request *request, const char *name)
{
    const char *value = NULL;
    size_t len = 0;
    if (MHD_lookup_connection_value_n(request->mhd, MHD_GET_ARGUMENT_KIND, name, strlen(name),
                                      &value, &len) != MHD_YES)
        return NULL;
    return value ? ht_percent_decode(request->arena, value, len) : "";
}

/* libmicrohttpd has made blanks of '+', which no request line may have. */
static void put_sent(struct bs_buf *out, const char *text)
{
    for (; *text; text++)
        bs_buf_put_u8(out, *text == ' ' ? '+' : (uint8_t)*text);
}

static enum MHD_Result put_argument(void *ctx, enum MHD_ValueKind kind, const char *name,
                                    const char *value)
{
    struct bs_buf *out = ctx;
    (void)kind;
    bs_buf_puts(out, memchr(out->data, '?', out->len) ? "&" : "?");
    put_sent(out, name);
    if (value) {
        bs_buf_puts(out, "=");
        put_sent(out, value);
    }
    return MHD_YES;
}

/* Nothing else is unescaped before a handler asks for it: the parts are as they were sent. */
const char *ht_target(const struct ht_request *request)
{
    struct bs_buf out = BS_BUF_INIT;
    const char *text;
    bs_buf_puts(&out, request->sent_path);
    MHD_get_connection_values(request->mhd, MHD_GET_ARGUMENT_KIND, put_argument, &out);
    text = bs_arena_strndup(request->arena, (const char *)out.data, out.len);
    bs_buf_deinit(&out);
    return text;
}

struct nth {
    const char *name, *value;
    unsigned left;
};

static enum MHD_Result find_nth(void *ctx, enum MHD_ValueKind kind, const char *name,
                                const char *value)
{
    struct nth *nth = ctx;
    (void)kind;
    if (strcmp(name, nth->name) != 0 || nth->left-- > 0)
        return MHD_YES;
    nth->value = value ? value : "";
    return MHD_NO;
}

const char *ht_query_at(const struct ht_request *request, const char *name, unsigned i)
{
    struct nth nth = {.name = name, .left = i};
    MHD_get_connection_values(request->mhd, MHD_GET_ARGUMENT_KIND, find_nth, &nth);
    return nth.value ? ht_percent_decode(request->arena, nth.value, strlen(nth.value)) : NULL;
}

struct unreadable {
    struct bs_arena *arena;
    const char *part;
};

static bool is_plain(const char *text)
{
    for (; *text; text++)
        if (*text == '%' || (unsigned char)*text >= 0x80)
            return false;
    return true;
}

static enum MHD_Result find_unreadable(void *ctx, enum MHD_ValueKind kind, const char *name,
                                       const char *value)
{
    enum { NAME_MAX_SHOWN = 100 };
    struct unreadable *found = ctx;
    const char *shown;
    (void)kind;
    if (value == NULL || is_plain(value) ||
        ht_percent_decode(found->arena, value, strlen(value)) != NULL)
        return MHD_YES;
    shown = ht_percent_decode(found->arena, name, strlen(name));
    found->part = bs_arena_printf(found->arena, "parameter '%.*s' of the query", NAME_MAX_SHOWN,
                                  shown && strlen(shown) <= NAME_MAX_SHOWN ? shown : "…");
    return MHD_NO;
}

const char *ht_query_unreadable(const struct ht_request *request)
{
    struct unreadable found = {.arena = request->arena};
    MHD_get_connection_values(request->mhd, MHD_GET_ARGUMENT_KIND, find_unreadable, &found);
    return found.part;
}
