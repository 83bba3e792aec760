/* Routes over contexts, and the one place where /contexts/{context}/… gets its meaning: the path
 * becomes the one with qualified names, before the table is searched; names in the query follow
 * request->scope. */
#include "schema-registry/route.h"
#include "schema-registry/scope.h"

#include "lib/base/mem.h"
#include "lib/http/route.h"

#include <string.h>

enum { BAD_REQUEST = 400, NO_CONTENT = 204 };

static const char ROOT[] = "/contexts/";

/* ":.ctx:" and ".ctx" alike; a view. */
static struct bs_bytes without_colons(const char *text, size_t len)
{
    if (len && text[0] == ':') {
        text++;
        len--;
    }
    if (len && text[len - 1] == ':')
        len--;
    return bs_bytes(text, len);
}

/* What has a subject behind it in the path. */
static const char *const roots[] = {"/compatibility/subjects", "/subjects", "/config", "/mode"};

static const char *rewritten(struct bs_arena *arena, struct bs_bytes raw, const char *rest)
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
        /* a name that has a context of its own keeps it */
        if (strncmp(name, ":.", 2) == 0 || strncasecmp(name, "%3A.", 4) == 0)
            return rest;
        return bs_arena_printf(arena, "%s/:%.*s:%s", roots[i], (int)raw.len, (const char *)raw.ptr,
                               name);
    }
    return rest;
}

int sr_context_rewrite(void *ctx, struct ht_request *request)
{
    const char *segment, *rest, *decoded;
    struct bs_bytes raw;
    (void)ctx;
    if (strncmp(request->path, ROOT, sizeof ROOT - 1) != 0)
        return 0;
    segment = request->path + sizeof ROOT - 1;
    rest = strchrnul(segment, '/');
    if (rest[0] == '\0' || rest[1] == '\0') /* the context itself */
        return 0;
    decoded = ht_percent_decode(request->arena, segment, (size_t)(rest - segment));
    if (decoded == NULL || !sr_context_valid(without_colons(decoded, strlen(decoded))))
        return BAD_REQUEST;
    raw = without_colons(decoded, strlen(decoded));
    request->scope = bs_arena_printf(request->arena, ":%.*s:", (int)raw.len, (const char *)raw.ptr);
    /* the segment as it was sent, without colons in any spelling */
    raw = bs_bytes(segment, (size_t)(rest - segment));
    if (decoded[0] == ':') {
        size_t skip = raw.ptr[0] == '%' ? 3 : 1;
        raw = bs_bytes(raw.ptr + skip, raw.len - skip);
    }
    if (decoded[strlen(decoded) - 1] == ':')
        raw.len -= raw.ptr[raw.len - 1] == ':' ? 1 : 3;
    request->path = rewritten(request->arena, raw, rest);
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
                strncmp(space->context, prefix, strlen(prefix)) == 0)
                list[found++] = space;
        }
        sr_page(&call, found, found, &from, &to);
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
        if (subject->config.present)
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
    if (sr_mode_readonly(sr_store_mode(call->store, call->subject))) {
        sr_fail_mode(call, "is in read-only mode");
        return;
    }
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
        const char *text = request->params[0];
        struct bs_bytes context = without_colons(text, strlen(text));
        if (!sr_context_valid(context) || bs_bytes_is(context, ".__GLOBAL")) {
            sr_fail(&call, BAD_REQUEST, "'%s' is not the name of a context: it begins with '.'",
                    text);
        } else {
            call.subject = context.len == 1
                               ? NULL
                               : bs_arena_printf(request->arena, ":%.*s:", (int)context.len,
                                                 (const char *)context.ptr);
            delete_context(&call);
        }
    }
    return sr_end(&call);
}
