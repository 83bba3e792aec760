/* weir consume, the printer: a record as a value, as key and value, or whole as one JSON object. */
#include "cli/client/consume.h"

#include <inttypes.h>
#include <stdio.h>

/* The id or GUID of a schema in its header; false: the value has not that form. */
static bool put_schema_id(struct bs_bytes value, struct bs_buf *out)
{
    struct sd_schema_id id;
    struct bs_bytes payload;
    if (sd_schema_id_split(value, value, &id, &payload, NULL) != 0)
        return false;
    if (!id.is_guid) {
        bs_buf_printf(out, "{\"id\":%" PRId32 "}", id.id);
        return true;
    }
    bs_buf_puts(out, "{\"guid\":\"");
    for (size_t i = 0; i < sizeof id.guid; i++)
        bs_buf_printf(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", id.guid[i]);
    bs_buf_puts(out, "\"}");
    return true;
}

/* A string; {"base64": …} of what is no text, {"guid": …} and {"id": …} in a schema's header. */
static void put_header(const char *name, struct bs_bytes value, struct bs_buf *out)
{
    bool schema =
        strcmp(name, rc_schema_header(true)) == 0 || strcmp(name, rc_schema_header(false)) == 0;
    if (value.ptr == NULL) {
        bs_buf_puts(out, "null");
    } else if (schema && put_schema_id(value, out)) {
        return;
    } else if (bs_utf8_valid(value)) {
        bs_buf_put_json_string(out, (const char *)value.ptr, value.len);
    } else {
        bs_buf_puts(out, "{\"base64\":\"");
        bs_buf_put_base64(out, value);
        bs_buf_puts(out, "\"}");
    }
}

static void put_headers(const rd_kafka_message_t *message, struct bs_buf *out)
{
    rd_kafka_headers_t *headers = NULL;
    const char *name;
    const void *value;
    size_t size;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    bs_buf_puts(out, ",\"headers\":[");
    for (size_t i = 0;
         rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
         i++) {
        bs_buf_puts(out, i ? ",[" : "[");
        bs_buf_put_json_string(out, name, strlen(name));
        bs_buf_puts(out, ",");
        put_header(name, bs_bytes(value, size), out);
        bs_buf_puts(out, "]");
    }
    bs_buf_puts(out, "]");
}

/* The last header of that name; without pointer: none. */
static struct bs_bytes last_header(const rd_kafka_message_t *message, const char *name)
{
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;
    size_t size = 0;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return (struct bs_bytes){0};
    return bs_bytes(value, size);
}

static int put_key(struct cl_printer *printer, const rd_kafka_message_t *message, bool quoted,
                   struct bs_error *err)
{
    return cl_codec_read(&printer->key, last_header(message, rc_schema_header(true)),
                         bs_bytes(message->key, message->key_len), quoted, &printer->line, err);
}

static int put_value(struct cl_printer *printer, const rd_kafka_message_t *message, bool quoted,
                     struct bs_error *err)
{
    return cl_codec_read(&printer->value, last_header(message, rc_schema_header(false)),
                         bs_bytes(message->payload, message->len), quoted, &printer->line, err);
}

static int put_record(struct cl_printer *printer, const rd_kafka_message_t *message,
                      struct bs_error *err)
{
    struct bs_buf *out = &printer->line;
    rd_kafka_timestamp_type_t type;
    int64_t timestamp = rd_kafka_message_timestamp(message, &type);
    const char *topic = rd_kafka_topic_name(message->rkt);
    int rc;
    bs_buf_puts(out, "{\"topic\":");
    bs_buf_put_json_string(out, topic, strlen(topic));
    bs_buf_printf(out, ",\"partition\":%" PRId32 ",\"offset\":%" PRId64 ",\"timestamp\":%" PRId64,
                  message->partition, message->offset, timestamp);
    put_headers(message, out);
    bs_buf_puts(out, ",\"key\":");
    rc = put_key(printer, message, true, err);
    if (rc != 0)
        return bs_error_wrap(err, "key");
    bs_buf_puts(out, ",\"value\":");
    rc = put_value(printer, message, true, err);
    bs_buf_puts(out, "}");
    return rc;
}

int cl_printer_print(struct cl_printer *printer, const rd_kafka_message_t *message,
                     struct bs_error *err)
{
    int rc = 0;
    bs_buf_reset(&printer->line);
    if (printer->show == CL_SHOW_RECORD) {
        rc = put_record(printer, message, err);
    } else {
        if (printer->show == CL_SHOW_KEY) {
            rc = put_key(printer, message, false, err);
            bs_buf_puts(&printer->line, printer->separator);
        }
        if (rc == 0)
            rc = put_value(printer, message, false, err);
    }
    if (rc != 0)
        return bs_error_wrap(err, "%s[%" PRId32 "]@%" PRId64, rd_kafka_topic_name(message->rkt),
                             message->partition, message->offset);
    bs_buf_puts(&printer->line, "\n");
    if (fwrite(printer->line.data, 1, printer->line.len, stdout) != printer->line.len)
        return bs_error_set(err, BS_EIO, "cannot write to standard output");
    return 0;
}

void cl_printer_deinit(struct cl_printer *printer)
{
    cl_codec_deinit(&printer->key);
    cl_codec_deinit(&printer->value);
    bs_buf_deinit(&printer->line);
}
