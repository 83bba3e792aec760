/* File source: one file as lines, JSON lines or CSV rows, one record each.
 *
 * Position = byte behind the last whole record that was emitted or rejected, so a restart goes on
 * with the next record. Beside it a fingerprint of the file's first bytes is stored (not for
 * Kafka's class names, whose offsets keep their form): a file that does not begin as it did is a
 * new file and is read from its start. A last line without its newline waits for it; in a bounded
 * file it counts. CSV needs its header row, so that is read first, wherever reading goes on.
 * One thread: the task's. */
#include "connectors/file/columns.h"
#include "connectors/file/csv.h"
#include "connectors/file/json.h"
#include "connectors/file/plugin.h"
#include "connectors/file/reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum format { FORMAT_LINES, FORMAT_JSONL, FORMAT_CSV };
enum { HEAD_BYTES = 1024 };

struct source {
    struct cn_task *task;
    struct cn_reader reader;
    const char *topic, *key_field;
    enum format format;
    bool bounded, fingerprint, waiting_said;
    size_t batch_size, record_bytes_max;

    int64_t start; /* where reading goes on when the file is opened */
    bool ready;    /* opened, and the header read (CSV) */
    bool skipping; /* inside a record that is too long: up to its newline */
    bool moved;    /* position changed since it was last told */

    struct cn_csv csv;
    char **names; /* CSV header */
    size_t name_count;
    struct cn_columns columns;      /* of schema.file; text NULL without */
    const struct cn_column **typed; /* per CSV column, or NULL: not in the schema */
    size_t key_column;
    struct cn_field *fields;
    struct cn_json *json;
};

static void say(struct source *self, enum cn_level level, const char *fmt, const char *path)
{
    char text[1200];
    snprintf(text, sizeof(text), "%s: %s", path, fmt);
    cn_file_host->log(self->task, level, text);
}

/* Rejects the record at the reader's place: "file:line: reason". */
static int reject(struct source *self, size_t lines_before, const char *column, const char *reason)
{
    struct cn_error error = {.struct_size = sizeof(error)};
    int64_t line = cn_reader_line(&self->reader, cn_reader_position(&self->reader));
    snprintf(error.text, sizeof(error.text), "%s:%" PRId64 ": %s%s%s", self->reader.path,
             line + (int64_t)lines_before, column, *column ? ": " : "", reason);
    return cn_file_host->reject(self->task, &error);
}

static int emit(struct source *self, struct cn_record *record, struct cn_error *error)
{
    record->topic = self->topic;
    record->partition = -1;
    record->timestamp = CN_NO_TIMESTAMP;
    record->value_schema = self->columns.text;
    int result = cn_file_host->emit(self->task, record, error);
    if (result == CN_FAIL) { /* say which record it was */
        char why[sizeof(error->text)];
        int64_t line = cn_reader_line(&self->reader, cn_reader_position(&self->reader));
        memcpy(why, error->text, sizeof(why));
        snprintf(error->text, sizeof(error->text), "%s:%" PRId64 ": %.800s", self->reader.path,
                 line, why);
    }
    return result;
}

/* ---- one record of each format; the reader stands at its start ---- */

static int emit_line(struct source *self, struct cn_text line, struct cn_error *error)
{
    struct cn_record record = {.value = {.type = CN_STRING, .text = line}};
    return emit(self, &record, error);
}

static int emit_json(struct source *self, struct cn_text line, struct cn_error *error)
{
    struct cn_record record = {0};
    const char *reason;
    char column[32];
    int at;
    if (!line.len)
        return CN_OK;
    if (!cn_json_read(self->json, line, &record.value, &reason, &at)) {
        snprintf(column, sizeof(column), "column %d", at);
        return reject(self, 0, column, reason);
    }
    if (*self->key_field) {
        size_t i = 0, n = record.value.type == CN_MAP ? record.value.map.count : 0;
        const struct cn_field *fields = n ? record.value.map.fields : NULL;
        size_t len = strlen(self->key_field);
        while (i < n &&
               !(fields[i].name.len == len && !memcmp(fields[i].name.ptr, self->key_field, len)))
            i++;
        if (i == n)
            return reject(self, 0, self->key_field, "the field that key.field names is not there");
        record.key = fields[i].value;
    }
    return emit(self, &record, error);
}

static int emit_row(struct source *self, struct cn_error *error)
{
    const struct cn_csv *csv = &self->csv;
    struct cn_record record = {.value = {.type = CN_MAP}};
    char column[160];
    if (csv->count == 1 && !csv->fields[0].len && !csv->quoted[0] && self->name_count > 1)
        return CN_OK; /* an empty line */
    if (csv->count != self->name_count) {
        snprintf(column, sizeof(column), "the row has %zu fields", csv->count);
        char reason[64];
        snprintf(reason, sizeof(reason), "the header names %zu", self->name_count);
        return reject(self, 0, column, reason);
    }
    size_t n = 0;
    for (size_t i = 0; i < csv->count; i++) {
        struct cn_field *field = &self->fields[n];
        if (self->columns.text && !self->typed[i])
            continue;
        field->name = (struct cn_text){self->names[i], strlen(self->names[i])};
        if (!self->typed[i]) {
            field->value = (struct cn_value){.type = CN_STRING, .text = csv->fields[i]};
        } else {
            const char *reason = "";
            if (!cn_column_value(self->typed[i], csv->fields[i], csv->quoted[i], &field->value,
                                 &reason)) {
                char found[256];
                snprintf(found, sizeof(found), "%s, found \"%.*s\"", reason,
                         (int)(csv->fields[i].len < 60 ? csv->fields[i].len : 60),
                         csv->fields[i].ptr);
                snprintf(column, sizeof(column), "column %zu (%.80s)", i + 1, self->names[i]);
                return reject(self, 0, column, found);
            }
        }
        n++;
    }
    record.value.map.fields = self->fields;
    record.value.map.count = n;
    if (*self->key_field)
        record.key = (struct cn_value){.type = CN_STRING, .text = csv->fields[self->key_column]};
    return emit(self, &record, error);
}

/* ---- taking records out of the buffer ---- */

static void use(struct source *self, size_t bytes)
{
    self->reader.at += bytes;
    self->moved = true;
}

/* Drops the rest of a record that is too long; true when its end was found. */
static bool skip(struct source *self)
{
    char *data = cn_reader_data(&self->reader);
    size_t left = cn_reader_left(&self->reader);
    char *newline = left ? memchr(data, '\n', left) : NULL;
    use(self, newline ? (size_t)(newline - data) + 1 : left);
    self->skipping = newline == NULL;
    return newline != NULL;
}

static int too_long(struct source *self)
{
    char reason[160];
    snprintf(reason, sizeof(reason), "the record is longer than line.bytes.max (%zu)%s",
             self->record_bytes_max, self->format == FORMAT_CSV ? "; is a quote not closed?" : "");
    int result = reject(self, 0, "", reason);
    if (result == CN_OK)
        skip(self);
    return result;
}

/* CN_OK and *ret_got: one record (or rejected one) was used up; else more bytes are needed. */
static int take(struct source *self, bool last, bool *ret_got, struct cn_error *error)
{
    char *data = cn_reader_data(&self->reader);
    size_t left = cn_reader_left(&self->reader), used = 0;
    int result;
    *ret_got = false;
    if (!left)
        return CN_OK;
    if (self->skipping) {
        *ret_got = skip(self);
        return CN_OK;
    }
    if (self->format == FORMAT_CSV) {
        enum cn_csv_result got = cn_csv_next(&self->csv, data, left, last, &used);
        if (got == CN_CSV_MORE) {
            *ret_got = left > self->record_bytes_max;
            return *ret_got ? too_long(self) : CN_OK;
        }
        if (got == CN_CSV_ERROR) {
            char column[32];
            snprintf(column, sizeof(column), "column %zu", self->csv.error_field + 1);
            result = reject(self, 0, column, self->csv.error);
        } else {
            result = emit_row(self, error);
        }
    } else {
        char *newline = memchr(data, '\n', left);
        if (!newline && !last) {
            *ret_got = left > self->record_bytes_max;
            return *ret_got ? too_long(self) : CN_OK;
        }
        struct cn_text line = {data, newline ? (size_t)(newline - data) : left};
        used = line.len + (newline != NULL);
        if (line.len && line.ptr[line.len - 1] == '\r')
            line.len--;
        result = self->format == FORMAT_LINES ? emit_line(self, line, error)
                                              : emit_json(self, line, error);
    }
    if (result != CN_OK)
        return result;
    use(self, used);
    *ret_got = true;
    return CN_OK;
}

/* ---- header and schema of CSV ---- */

static int column_error(struct cn_error *error, const char *path, const char *name,
                        const char *text)
{
    snprintf(error->text, sizeof(error->text), "%s: %s: %s", path, name, text);
    return CN_FAIL;
}

static int match_schema(struct source *self, struct cn_error *error)
{
    for (size_t i = 0; i < self->columns.count; i++) {
        struct cn_column *column = &self->columns.list[i];
        size_t j = 0;
        while (j < self->name_count && strcmp(self->names[j], column->name) != 0)
            j++;
        if (j < self->name_count)
            self->typed[j] = column;
        else if (!column->has_default)
            return column_error(error, self->reader.path, column->name,
                                "the schema's field is not in the CSV header and has no default");
    }
    for (size_t j = 0; self->columns.text && j < self->name_count; j++)
        if (!self->typed[j]) {
            char text[300];
            snprintf(text, sizeof(text), "column %.200s is not in schema.file and is left out",
                     self->names[j]);
            say(self, CN_LOG_WARN, text, self->reader.path);
        }
    return CN_OK;
}

static int set_header(struct source *self, struct cn_error *error)
{
    size_t n = self->csv.count;
    self->names = calloc(n, sizeof(*self->names));
    self->typed = calloc(n, sizeof(*self->typed));
    self->fields = calloc(n, sizeof(*self->fields));
    self->name_count = n;
    self->key_column = n;
    for (size_t i = 0; i < n; i++) {
        self->names[i] = strndup(self->csv.fields[i].ptr, self->csv.fields[i].len);
        for (size_t j = 0; j < i; j++)
            if (!strcmp(self->names[i], self->names[j]))
                return column_error(error, self->reader.path, self->names[i],
                                    "two columns of the CSV header have this name");
        if (*self->key_field && !strcmp(self->names[i], self->key_field))
            self->key_column = i;
    }
    if (*self->key_field && self->key_column == n)
        return column_error(error, self->reader.path, self->key_field,
                            "key.field names no column of the CSV header");
    return match_schema(self, error);
}

static void skip_byte_order_mark(struct source *self)
{
    if (cn_reader_position(&self->reader) == 0 && cn_reader_left(&self->reader) >= 3 &&
        !memcmp(cn_reader_data(&self->reader), "\xef\xbb\xbf", 3))
        self->reader.at += 3;
}

/* Reads up to the end of the header row. CN_RETRY: it is not there yet. */
static int read_header(struct source *self, struct cn_error *error)
{
    for (;;) {
        size_t used = 0;
        bool last = self->bounded && self->reader.at_end;
        skip_byte_order_mark(self);
        size_t left = cn_reader_left(&self->reader);
        enum cn_csv_result got =
            left ? cn_csv_next(&self->csv, cn_reader_data(&self->reader), left, last, &used)
                 : CN_CSV_MORE;
        if (got == CN_CSV_RECORD) {
            self->reader.at += used;
            return set_header(self, error);
        }
        if (got == CN_CSV_ERROR || left > self->record_bytes_max)
            return column_error(error, self->reader.path, "line 1",
                                got == CN_CSV_ERROR ? self->csv.error
                                                    : "the header row is too long");
        if (self->reader.at_end) {
            self->reader.at_end = false;
            return CN_RETRY;
        }
        if (cn_reader_fill(&self->reader, error) != CN_OK)
            return CN_FAIL;
    }
}

/* ---- position ---- */

/* FNV-1a of the file's first bytes, not beyond `position`. */
static uint64_t head_hash(struct source *self, int64_t position)
{
    char head[HEAD_BYTES];
    size_t want = position < HEAD_BYTES ? (size_t)position : HEAD_BYTES;
    ssize_t got = pread(self->reader.fd, head, want, 0);
    uint64_t hash = 14695981039346656037ull;
    for (ssize_t i = 0; i < got; i++)
        hash = (hash ^ (uint8_t)head[i]) * 1099511628211ull;
    return got == (ssize_t)want ? hash : 0;
}

static struct cn_value text_value(const char *text)
{
    return (struct cn_value){.type = CN_STRING, .text = {text, strlen(text)}};
}

static void tell_position(struct source *self)
{
    char head[20];
    struct cn_field name = {{"filename", 8}, text_value(self->reader.path)};
    struct cn_field fields[2] = {
        {{"position", 8}, {.type = CN_INT64, .integer = cn_reader_position(&self->reader)}}};
    struct cn_value partition = {.type = CN_MAP, .map = {&name, 1}};
    struct cn_value offset = {.type = CN_MAP, .map = {fields, 1}};
    if (self->fingerprint) {
        snprintf(head, sizeof(head), "%016" PRIx64, head_hash(self, fields[0].value.integer));
        fields[1] = (struct cn_field){{"head", 4}, text_value(head)};
        offset.map.count = 2;
    }
    cn_file_host->position(self->task, &partition, &offset);
    self->moved = false;
}

static const struct cn_value *member(const struct cn_value *map, const char *name, uint32_t type)
{
    for (size_t i = 0; map && map->type == CN_MAP && i < map->map.count; i++) {
        const struct cn_field *field = &map->map.fields[i];
        if (field->name.len == strlen(name) && !memcmp(field->name.ptr, name, field->name.len))
            return field->value.type == type ? &field->value : NULL;
    }
    return NULL;
}

/* ---- life cycle ---- */

/* Opens the file where reading goes on. CN_RETRY: not there yet, or no header yet. */
static int start(struct source *self, struct cn_error *error)
{
    bool is_short = false;
    if (self->reader.fd < 0) {
        int result = cn_reader_open(&self->reader, self->start, &is_short, error);
        if (result != CN_OK)
            return result;
        if (is_short) {
            say(self, CN_LOG_WARN, "shorter than the stored position: read from its beginning",
                self->reader.path);
            self->start = 0;
        }
    }
    if (self->format == FORMAT_CSV && !self->names) {
        cn_reader_seek(&self->reader, 0);
        int result = read_header(self, error);
        if (result != CN_OK)
            return result;
        if (self->start > cn_reader_position(&self->reader))
            cn_reader_seek(&self->reader, self->start);
    }
    self->ready = true;
    return CN_OK;
}

static void reset_header(struct source *self)
{
    for (size_t i = 0; i < self->name_count; i++)
        free(self->names[i]);
    free(self->names);
    free(self->typed);
    free(self->fields);
    self->names = NULL;
    self->typed = NULL;
    self->fields = NULL;
    self->name_count = 0;
}

/* The file was cut or replaced: from its beginning, with its own header. */
static void start_over(struct source *self)
{
    reset_header(self);
    if (self->reader.fd >= 0)
        close(self->reader.fd);
    self->reader.fd = -1;
    self->start = 0;
    self->ready = self->skipping = false;
}

static int source_open(const struct cn_open *open, void **ret_self, struct cn_error *error)
{
    const struct cn_config *config = open->config;
    const char *format = cn_file_option(config, "format"), *schema, *separator;
    struct source *self = calloc(1, sizeof(*self));
    if (!self)
        abort();
    *ret_self = self;
    self->task = open->task;
    self->topic = cn_file_option(config, "topic");
    self->key_field = cn_file_option(config, "key.field");
    self->format = !strcmp(format, "csv")     ? FORMAT_CSV
                   : !strcmp(format, "jsonl") ? FORMAT_JSONL
                                              : FORMAT_LINES;
    self->bounded = !strcmp(cn_file_option(config, "bounded"), "true");
    self->fingerprint = *format != 0; /* Kafka's class has no such option */
    self->batch_size = strtoul(cn_file_option(config, "batch.size"), NULL, 10);
    self->record_bytes_max = strtoul(cn_file_option(config, "line.bytes.max"), NULL, 10);
    if (!self->record_bytes_max)
        self->record_bytes_max = 16 << 20;
    separator = cn_file_option(config, "csv.separator");
    cn_csv_init(&self->csv, !strcmp(separator, "\\t") ? '\t' : *separator ? *separator : ',');
    cn_reader_init(&self->reader, cn_file_option(config, "file"));
    self->json = cn_json_new();
    schema = cn_file_option(config, "schema.file");
    if (*schema && cn_columns_load(&self->columns, schema, self->format == FORMAT_CSV, error))
        return CN_FAIL;

    struct cn_field name = {{"filename", 8}, text_value(self->reader.path)};
    struct cn_value partition = {.type = CN_MAP, .map = {&name, 1}};
    const struct cn_value *stored = cn_file_host->stored(self->task, &partition);
    const struct cn_value *position = member(stored, "position", CN_INT64);
    const struct cn_value *head = member(stored, "head", CN_STRING);
    bool is_short;
    if (position && position->integer >= 0)
        self->start = position->integer;
    if (head && cn_reader_open(&self->reader, 0, &is_short, error) == CN_OK) {
        char now[20];
        snprintf(now, sizeof(now), "%016" PRIx64, head_hash(self, self->start));
        if (head->text.len != 16 || memcmp(now, head->text.ptr, 16) != 0) {
            say(self, CN_LOG_WARN, "does not begin as it did: a new file, read from its beginning",
                self->reader.path);
            self->start = 0;
        }
        close(self->reader.fd);
        self->reader.fd = -1;
    }
    return CN_OK;
}

/* At the end of the file: complete, or is there a new one under the name? */
static int at_end(struct source *self, bool *ret_again, struct cn_error *error)
{
    bool got;
    *ret_again = false;
    if (self->bounded) {
        int result = take(self, true, &got, error);
        return result != CN_OK ? result : CN_COMPLETE;
    }
    switch (cn_reader_check(&self->reader)) {
    case CN_READER_SAME:
        return CN_OK;
    case CN_READER_TRUNCATED:
        say(self, CN_LOG_WARN, "was truncated: read from its beginning", self->reader.path);
        break;
    case CN_READER_REPLACED: {
        int result = take(self, true, &got, error); /* a last line whose newline will not come */
        if (result != CN_OK)
            return result;
        say(self, CN_LOG_INFO, "was replaced: the new file is read from its beginning",
            self->reader.path);
        break;
    }
    }
    start_over(self);
    *ret_again = true;
    return CN_OK;
}

static int source_poll(void *ptr, uint32_t records_max, struct cn_error *error)
{
    struct source *self = ptr;
    size_t most =
        self->batch_size && self->batch_size < records_max ? self->batch_size : records_max;
    int result = CN_OK;
    if (!self->ready && (result = start(self, error)) != CN_OK) {
        if (result == CN_RETRY && self->reader.fd >= 0)
            return self->bounded ? CN_COMPLETE : CN_OK; /* an empty file */
        if (result == CN_RETRY && !self->waiting_said)
            say(self, CN_LOG_WARN, "is not there; waiting for it", self->reader.path);
        self->waiting_said = true;
        return result == CN_RETRY ? CN_OK : result;
    }
    if (self->format != FORMAT_LINES)
        skip_byte_order_mark(self);
    for (size_t taken = 0; taken < most && result == CN_OK;) {
        bool got = false, again;
        if ((result = take(self, false, &got, error)) != CN_OK)
            break;
        taken += got;
        if (got)
            continue;
        if ((result = cn_reader_fill(&self->reader, error)) != CN_OK || !self->reader.at_end)
            continue;
        result = at_end(self, &again, error);
        break;
    }
    if (self->moved && self->ready && result != CN_FAIL)
        tell_position(self);
    return result;
}

static void source_close(void *ptr)
{
    struct source *self = ptr;
    if (!self)
        return;
    reset_header(self);
    cn_reader_deinit(&self->reader);
    cn_csv_deinit(&self->csv);
    cn_columns_deinit(&self->columns);
    cn_json_free(self->json);
    free(self);
}

const struct cn_source cn_file_source = {
    .struct_size = sizeof(struct cn_source),
    .open = source_open,
    .poll = source_poll,
    .close = source_close,
};
