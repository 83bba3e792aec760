/* Routes over contexts, and the one place where /contexts/{context}/… gets its meaning: the path
 * becomes the one with qualified names, before the table is searched; names in the query follow
 * request->scope. */
#include "schema-registry/access.h"
#include "schema-registry/route.h"

#include "lib/base/mem.h"
#include "lib/http/route.h"

#include <string.h>

enum { BAD_REQUEST = 400, NO_CONTENT = 204 };

static const char ROOT[] = "/contexts/";

/* The name that a path means: ":.ctx:", ".ctx" and "ctx" alike. */
static const char *context_of(struct bs_arena *arena, const char *text)
{
    size_t len;
    text += *text == ':';
    len = strlen(text);
    if (len && text[len - 1] == ':')
        len--;
    return bs_arena_printf(arena, "%s%.*s", *text == '.' ? "" : ".", (int)len, text);
}

static bool is_qualified(struct bs_arena *arena, const char *segment)
{
    const char *name = ht_percent_decode(arena, segment, strcspn(segment, "/"));
    return name == NULL || sr_name_split(name).qualified;
}

/* The path is decoded once more: what could be taken for a part of it is written out. */
static const char *encoded(struct bs_arena *arena, const char *text)
{
    struct bs_buf out = BS_BUF_INIT;
    const char *copy;
    for (; *text; text++) {
        if (strchr("/%?#", *text))
            bs_buf_printf(&out, "%%%02X", (unsigned char)*text);
        else
            bs_buf_put_u8(&out, (uint8_t)*text);
    }
    copy = bs_arena_strndup(arena, bs_buf_text(&out), out.len);
    bs_buf_deinit(&out);
    return copy;
}

/* What has a subject behind it in the path. */
static const char *const roots[] = {"/compatibility/subjects", "/subjects", "/config", "/mode"};

static const char *rewritten(struct bs_arena *arena, const char *scope, const char *rest)
{
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        size_t len = strlen(roots[i]);
        const char *name = rest + len;
        bool settings = i >= 2;
        if (strncmp(rest, roots[i], len) != 0 || (*name != '/' && *name != '\0'))
            continue;
        name += *name == '/';
        if (*name == '\0' && !settings)
            return rest;
        if (*name && is_qualified(arena, name)) /* it keeps its own */
            return rest;
        return bs_arena_printf(arena, "%s/%s%s", roots[i], encoded(arena, scope), name);
    }
    return rest;
}

int sr_context_rewrite(void *ctx, struct ht_request *request)
{
    const char *segment, *rest, *decoded, *context;
    (void)ctx;
    if (strncmp(request->path, ROOT, sizeof ROOT - 1) != 0)
        return 0;
    segment = request->path + sizeof ROOT - 1;
    rest = strchrnul(segment, '/');
    if (rest[0] == '\0' || rest[1] == '\0') /* the context itself */
        return 0;
    decoded = ht_percent_decode(request->arena, segment, (size_t)(rest - segment));
    context = decoded ? context_of(request->arena, decoded) : "";
    if (!sr_context_valid(bs_bytes_text(context))) {
        request->why = "the path names no context that can be";
        return BAD_REQUEST;
    }
    request->scope = bs_arena_printf(request->arena, ":%s:", context);
    request->path = rewritten(request->arena, request->scope, rest);
    return 0;
}

/* Contexts that were declared or have subjects. */
int sr_contexts_list(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin(&call, ctx, request, response)) {
        const char *prefix = ht_query(request, "contextPrefix");
        size_t total = sr_store_space_count(call.store), found = 0, from, to;
        const struct sr_space **list =
            bs_arena_array(request->arena, total, sizeof(const struct sr_space *));
        prefix = prefix ? prefix + (*prefix == ':') : "";
        for (size_t i = 0; i < total; i++) {
            const struct sr_space *space = sr_store_space_at(call.store, i);
            if ((i == 0 || space->declared || space->used) &&
                strncmp(space->context, prefix, strlen(prefix)) == 0 &&
                sr_may_read_space(&call, space))
                list[found++] = space;
        }
        if (!sr_page(&call, found, found, &from, &to))
            return sr_end(&call);
        bs_buf_puts(&response->body, "[");
        for (size_t i = from; i < to; i++) {
            bs_buf_puts(&response->body, i > from ? "," : "");
            sr_put_text(&response->body, list[i]->context);
        }
        bs_buf_puts(&response->body, "]");
    }
    return sr_end(&call);
}

/* Everything that the context still has: its record, and settings. */
static size_t context_records(struct sr_call *call, const struct sr_space *space,
                              struct sr_record **ret)
{
    size_t total = sr_store_subject_count(call->store), count = 0;
    struct bs_arena *arena = call->request->arena;
    struct sr_record *records = bs_arena_array(arena, 2 * total + 2, sizeof *records);
    records[count++] = sr_store_mark(call->store, arena);
    for (size_t i = 0; i < total; i++) {
        const struct sr_subject *subject = sr_store_subject_at(call->store, i);
        const char *name;
        if (subject->space != space)
            continue;
        name = bs_arena_strndup(arena, subject->name, strlen(subject->name));
        if (subject->config)
            records[count++] =
                (struct sr_record){.kind = SR_RECORD_CONFIG, .subject = name, .tombstone = true};
        if (subject->mode != SR_MODE_UNSET)
            records[count++] =
                (struct sr_record){.kind = SR_RECORD_MODE, .subject = name, .tombstone = true};
    }
    if (space->declared)
        records[count++] = (struct sr_record){
            .kind = SR_RECORD_CONTEXT,
            .context = bs_arena_strndup(arena, space->context, strlen(space->context)),
            .tombstone = true};
    *ret = records;
    return count;
}

/* The default context has nothing of its own that could be deleted: it is just found empty. */
static void delete_context(struct sr_call *call)
{
    const struct sr_space *space;
    struct sr_record *records;
    size_t count;
    if (!sr_become_writer(call))
        return;
    if (sr_refuse_readonly(call))
        return;
    space = sr_store_space(call->store, call->subject);
    if (space && space->used) {
        sr_fail(call, 42211, "The specified context '%s' is not empty.", space->context);
        return;
    }
    if (space && call->subject) {
        count = context_records(call, space, &records);
        if (count > 1 && !sr_append(call, records, count))
            return;
    }
    call->response->status = NO_CONTENT;
}

int sr_context_delete(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin(&call, ctx, request, response)) {
        const char *context = context_of(request->arena, request->params[0]);
        if (!sr_context_valid(bs_bytes_text(context)) || strcmp(context, ".__GLOBAL") == 0) {
            sr_fail(&call, BAD_REQUEST, "'%s' is not the name of a context", request->params[0]);
        } else {
            if (strcmp(context, SR_CONTEXT_DEFAULT) != 0)
                call.subject = bs_arena_printf(request->arena, ":%s:", context);
            delete_context(&call);
        }
    }
    return sr_end(&call);
}
