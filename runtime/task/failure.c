/* Failure: the message a user meets when a record fails, and what on_error makes of it. The
 * pipeline's thread. */
#include "runtime/task/operator.h"

#include "lib/base/log.h"

#include <stdio.h>
#include <string.h>

static const struct bs_event EVENT_SKIPPED = {
    .id = "pipeline.record_skipped",
    .level = BS_LOG_WARN,
    .doc = "A record failed and on_error says to go on without it (or with a dead letter).",
};

enum { VALUE_SHOWN = 240 };

/* Splits "…\n  hint: …" off the end, so that the hint can come last. */
static const char *split_hint(char *text)
{
    char *hint = strstr(text, "\n  hint: ");
    if (!hint)
        return NULL;
    *hint = '\0';
    return hint + strlen("\n  hint: ");
}

/* Bytes as what they are: "70 72 65 … (12 bytes)". */
static void show(const struct rt_datum *datum, struct bs_arena *arena, size_t max,
                 struct bs_buf *out)
{
    enum { BYTES_SHOWN = 16 };
    struct bs_bytes bytes = datum->bytes;
    if (datum->form != RT_BYTES) {
        rt_datum_show(datum, arena, max, out);
        return;
    }
    for (size_t i = 0; i < bytes.len && i < BYTES_SHOWN; i++)
        bs_buf_printf(out, "%02x ", bytes.ptr[i]);
    bs_buf_printf(out, "%s(%zu byte%s)", bytes.len > BYTES_SHOWN ? "… " : "", bytes.len,
                  bytes.len == 1 ? "" : "s");
}

static void describe(struct rt_task *task, const struct rt_node *node,
                     const struct rt_update *update, struct bs_error *err)
{
    struct bs_buf *note = &task->note;
    const struct rt_message *message = task->message;
    const char *fields = NULL, *missing = rt_vm_missing(task->vm, &fields);
    char text[sizeof err->text];
    note->len = 0;
    memcpy(text, err->text, sizeof text);
    const char *hint = split_hint(text);
    size_t where_len = strlen(node->where);
    const char *colon = strchr(node->where, ':');
    bool placed = colon && strncmp(text, node->where, (size_t)(colon - node->where)) == 0;
    if (!placed)
        bs_buf_printf(note, "%.*s: ", (int)where_len, node->where);
    bs_buf_puts(note, text);
    bool field_is_cause = missing && (strstr(text, "nil") || strstr(text, "must be a boolean"));
    if (field_is_cause)
        bs_buf_printf(note, " (the value has no field '%s')", missing);
    bs_buf_printf(note, "\n  in %s (%s), record %s[%d]@%lld, key ", node->kind, node->where,
                  message->topic, (int)message->partition, (long long)message->offset);
    show(&update->key, &task->arena, 80, note);
    bs_buf_puts(note, "\n  value ");
    show(&update->value, &task->arena, VALUE_SHOWN, note);
    if (field_is_cause && *fields)
        bs_buf_printf(note, "\n  hint: its fields are %s", fields);
    else if (hint)
        bs_buf_printf(note, "\n  hint: %s", hint);
    else if (rt_datum_null(&update->value) && strstr(text, "nil value"))
        bs_buf_puts(note, "\n  hint: the value is null (a tombstone), functions see it as nil");
    snprintf(err->text, sizeof err->text, "%s", bs_buf_text(note));
}

static int send_dead_letter(struct rt_task *task, const struct bs_error *problem,
                            struct bs_error *err)
{
    const struct rt_message *message = task->message == &task->plain ? task->origin : task->message;
    char partition[16], offset[24];
    size_t count = message->header_count;
    struct rt_header *headers = bs_arena_array(&task->arena, count + 4, sizeof *headers);
    if (count)
        memcpy(headers, message->headers, count * sizeof *headers);
    snprintf(partition, sizeof partition, "%d", (int)message->partition);
    snprintf(offset, sizeof offset, "%lld", (long long)message->offset);
    const char *const pairs[][2] = {{"weir.error", problem->text},
                                    {"weir.topic", message->topic},
                                    {"weir.partition", partition},
                                    {"weir.offset", offset}};
    for (size_t i = 0; i < 4; i++)
        headers[count + i] = (struct rt_header){.name = bs_bytes_text(pairs[i][0]),
                                                .value = bs_bytes_text(pairs[i][1])};
    struct rt_output output = {
        .topic = task->pipeline->graph.dead_letter,
        .partition = -1,
        .timestamp = message->timestamp < 0 ? 0 : message->timestamp,
        .key = message->key,
        .value = message->value,
        .headers = headers,
        .header_count = count + 4,
    };
    return task->ports.emit(task->ports.ctx, &output, err);
}

int rt_fail(struct rt_task *task, const struct rt_node *node, const struct rt_update *update,
            int rc, struct bs_error *err)
{
    struct bs_error own;
    if (!err)
        err = &own;
    err->code = rc;
    describe(task, node, update, err);
    /* What may pass by itself (no memory, no registry) is no fault of the record. */
    if (task->pipeline->graph.on_error == RT_ON_ERROR_STOP || bs_error_class(rc) == BS_RETRY)
        return rc;
    bs_log(&EVENT_SKIPPED, "%s", err->text);
    task->dropped++;
    int sent = 0;
    if (task->pipeline->graph.on_error == RT_ON_ERROR_DEAD_LETTER) {
        struct bs_error problem = *err;
        sent = send_dead_letter(task, &problem, err);
    }
    if (!sent)
        err->code = 0;
    return sent;
}
