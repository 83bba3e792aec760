/* weir produce: one record for each line of standard input, by librdkafka's idempotent producer.
 *
 * A line is the value, or with --key-separator key and value. A line that cannot be encoded stops
 * the command with its number; what was sent before it stays sent and is counted in the message. */
#include "cli/client/codec.h"
#include "cli/client/commands.h"
#include "cli/client/schema_args.h"
#include "lib/base/mem.h"
#include "lib/base/option.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_KEY_FORMAT = 0x2000, KEY_SCHEMA, KEY_KEY_SCHEMA, KEY_NULL };

struct produce_args {
    struct cl_kafka kafka;
    struct cl_codec key, value;
    const char *topic, *separator, *fixed_key, *null_text, *schema, *key_schema;
    struct cl_serde serde;
    char **headers; /* "name=value" */
    size_t header_count;
    int32_t partition;
    int64_t line, delivered;
    struct bs_error failed; /* of the first record that was not delivered */
};

static const struct argp_option OPTIONS[] = {
    {.name = "format",
     .key = 'f',
     .arg = "FORMAT",
     .doc = "Of values: string (default), json, avro (JSON lines, written by a schema; bytes and "
            "fixed, so decimals too, are base64, as weir consume prints them), avro-json "
            "(Avro's own JSON encoding: {\"branch\": value} in unions, one character for each "
            "byte), hex"},
    {.name = "key-format", .key = KEY_KEY_FORMAT, .arg = "FORMAT", .doc = "Of keys; string"},
    {.name = "key-separator",
     .key = 'k',
     .arg = "TEXT",
     .doc = "A line is KEY TEXT VALUE; without it records have no key"},
    {.name = "key", .key = 'K', .arg = "KEY", .doc = "The same key for every record"},
    {.name = "null", .key = KEY_NULL, .arg = "TEXT", .doc = "A value that means none (tombstone)"},
    {.name = "partition", .key = 'p', .arg = "N", .doc = "Default: by the key's hash"},
    {.name = "header", .key = 'H', .arg = "NAME=VALUE", .doc = "May be repeated"},
    {.name = "schema",
     .key = KEY_SCHEMA,
     .arg = "FILE.avsc",
     .doc = "Registered for TOPIC-value unless --serde says otherwise; without it the subject's "
            "latest version is used"},
    {.name = "key-schema", .key = KEY_KEY_SCHEMA, .arg = "FILE.avsc", .doc = "For TOPIC-key"},
    {0}};

static void take_partition(struct argp_state *state, const char *arg, int32_t *ret)
{
    int64_t n = 0;
    if (bs_parse_int(arg, 0, INT32_MAX, &n) != 0)
        argp_error(state, "--partition takes a number, not '%s'", arg);
    *ret = (int32_t)n;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct produce_args *args = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &args->kafka;
        state->child_inputs[1] = &args->serde;
        return 0;
    case 'f':
        cl_format_take(state, arg, &args->value.format);
        return 0;
    case KEY_KEY_FORMAT:
        cl_format_take(state, arg, &args->key.format);
        return 0;
    case 'k':
        args->separator = arg;
        return 0;
    case 'K':
        args->fixed_key = arg;
        return 0;
    case KEY_NULL:
        args->null_text = arg;
        return 0;
    case 'p':
        take_partition(state, arg, &args->partition);
        return 0;
    case 'H':
        if (strchr(arg, '=') == NULL)
            argp_error(state, "--header takes NAME=VALUE, not '%s'", arg);
        args->headers = bs_realloc(args->headers, (args->header_count + 1) * sizeof(char *));
        args->headers[args->header_count++] = arg;
        return 0;
    case KEY_SCHEMA:
        args->schema = arg;
        return 0;
    case KEY_KEY_SCHEMA:
        args->key_schema = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (args->topic)
            argp_error(state, "takes one topic, got '%s' too", arg);
        args->topic = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which topic?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct produce_args *args =
        (struct produce_args *)((char *)opaque - offsetof(struct produce_args, kafka));
    (void)rk;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        args->delivered++;
    else if (args->failed.code == 0)
        cl_kafka_undelivered(&args->kafka, message->err, args->topic, &args->failed);
}

/* A registration was refused: what stands against it, as weir schema register prints it. */
static void explain(const struct produce_args *args, const struct cl_codec *codec, const char *file,
                    struct bs_error *err)
{
    struct cl_schema_question question = {.file = file, .out = stderr};
    struct cl_rest rest = {0};
    struct bs_error ignored = {0}; /* the registry's own words stand without it */
    struct bs_buf text = BS_BUF_INIT;
    char *subject = NULL;
    if (rc_serializer_subject(codec->serializer, args->topic, codec->schema, &subject, &ignored) ==
            0 &&
        cl_schema_body(file, &text, &question.body, &ignored) == 0 &&
        cl_serde_client(&args->serde, &rest.registry, &ignored) == 0) {
        question.subject = subject;
        question.text = bs_buf_text(&text);
        cl_schema_explain(&rest, &question, err);
    }
    rc_client_free(rest.registry);
    json_decref(question.body);
    bs_buf_deinit(&text);
    bs_free(subject);
}

static int resolve(const struct produce_args *args, struct cl_codec *codec, const char *file,
                   struct bs_error *err)
{
    int rc = cl_codec_resolve(codec, file, err);
    if (rc == BS_ECONFLICT && file && rc_serializer_registers(codec->serializer))
        explain(args, codec, file, err);
    return rc;
}

static int open_all(struct produce_args *args, struct bs_error *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    const struct rd_kafka_metadata_topic *topic = NULL;
    rd_kafka_conf_t *conf = cl_kafka_conf(&args->kafka, err);
    int rc;
    if (conf == NULL)
        return err->code;
    cl_kafka_conf_set(conf, "enable.idempotence", "true");
    cl_kafka_conf_set(conf, "linger.ms", "5");
    cl_kafka_conf_set(conf, "partitioner", "murmur2_random");
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rc = cl_kafka_open(&args->kafka, RD_KAFKA_PRODUCER, conf, err);
    if (rc == 0)
        rc = cl_kafka_topic(&args->kafka, args->topic, &metadata, &topic, err);
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    if (rc == 0)
        rc = cl_codec_open(&args->key, &args->serde, args->topic, true, NULL, err);
    if (rc == 0)
        rc = cl_codec_open(&args->value, &args->serde, args->topic, false, NULL, err);
    if (rc == 0)
        rc = resolve(args, &args->key, args->key_schema, err);
    if (rc == 0)
        rc = resolve(args, &args->value, args->schema, err);
    return rc;
}

/* A record's own parts. */
struct record {
    struct bs_bytes key, value;
    struct bs_bytes key_header, value_header; /* schema ids; without pointer: none */
};

static void add_header(rd_kafka_headers_t *headers, bool key, struct bs_bytes value)
{
    if (value.ptr)
        rd_kafka_header_add(headers, rc_schema_header(key), -1, value.ptr, (ssize_t)value.len);
}

static rd_kafka_headers_t *make_headers(const struct produce_args *args,
                                        const struct record *record)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(args->header_count + 2);
    for (size_t i = 0; i < args->header_count; i++) {
        const char *sign = strchr(args->headers[i], '=');
        rd_kafka_header_add(headers, args->headers[i], sign - args->headers[i], sign + 1, -1);
    }
    add_header(headers, true, record->key_header);
    add_header(headers, false, record->value_header);
    return headers;
}

/* Hands one record to librdkafka, waiting while its queue is full. */
static int send_record(struct produce_args *args, const struct record *record, struct bs_error *err)
{
    for (;;) {
        rd_kafka_headers_t *headers = make_headers(args, record);
        rd_kafka_resp_err_t code = rd_kafka_producev(
            args->kafka.rk, RD_KAFKA_V_TOPIC(args->topic), RD_KAFKA_V_PARTITION(args->partition),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_KEY(record->key.ptr, record->key.len),
            RD_KAFKA_V_VALUE((void *)(uintptr_t)record->value.ptr, record->value.len),
            RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            return 0;
        rd_kafka_headers_destroy(headers);
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            return cl_kafka_error(err, code, args->topic);
        rd_kafka_poll(args->kafka.rk, 100);
        if (args->failed.code) {
            *err = args->failed;
            return err->code;
        }
    }
}

static int send_line(struct produce_args *args, struct bs_bytes line, struct bs_buf key_buf[1],
                     struct bs_buf value_buf[1], struct bs_error *err)
{
    struct record record = {.key = bs_bytes_text(args->fixed_key), .value = line};
    int rc = 0;
    if (args->separator) {
        size_t n = strlen(args->separator);
        const uint8_t *at = memmem(line.ptr, line.len, args->separator, n);
        if (at == NULL)
            return bs_error_set(err, BS_EINVAL, "no key separator '%s' in it", args->separator);
        record.key = bs_bytes(line.ptr, (size_t)(at - line.ptr));
        record.value = bs_bytes(at + n, line.len - record.key.len - n);
    }
    bs_buf_reset(key_buf);
    bs_buf_reset(value_buf);
    if (record.key.ptr)
        rc = cl_codec_write(&args->key, record.key, key_buf, &record.key_header, err);
    if (rc != 0)
        return bs_error_wrap(err, "key");
    if (args->null_text && bs_bytes_is(record.value, args->null_text)) {
        record.value = (struct bs_bytes){0};
    } else {
        rc = cl_codec_write(&args->value, record.value, value_buf, &record.value_header, err);
        record.value = bs_bytes(bs_buf_text(value_buf), value_buf->len);
    }
    if (record.key.ptr)
        record.key = bs_bytes(bs_buf_text(key_buf), key_buf->len);
    return rc != 0 ? rc : send_record(args, &record, err);
}

static int send_all(struct produce_args *args, struct bs_error *err)
{
    struct bs_buf key = BS_BUF_INIT, value = BS_BUF_INIT;
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    int rc = 0;
    while (rc == 0 && args->failed.code == 0 && (n = getline(&line, &cap, stdin)) >= 0) {
        size_t len = (size_t)n;
        args->line++;
        if (len && line[len - 1] == '\n')
            len--;
        rc = send_line(args, bs_bytes(line, len), &key, &value, err);
        if (rc != 0)
            bs_error_wrap(err, "line %" PRId64, args->line);
        rd_kafka_poll(args->kafka.rk, 0);
    }
    while (rd_kafka_outq_len(args->kafka.rk) > 0 && args->failed.code == 0)
        rd_kafka_flush(args->kafka.rk, 200);
    if (rc == 0 && args->failed.code) {
        *err = args->failed;
        rc = err->code;
    }
    free(line);
    bs_buf_deinit(&key);
    bs_buf_deinit(&value);
    return rc;
}

int cl_produce_main(int argc, char **argv)
{
    static const struct argp_child CHILDREN[] = {
        {.argp = &cl_kafka_argp}, {.argp = &cl_serde_argp}, {0}};
    static const struct argp ARGP = {.options = OPTIONS,
                                     .parser = parse_option,
                                     .args_doc = "TOPIC",
                                     .doc = "Writes one record for each line of standard input.",
                                     .children = CHILDREN};
    struct produce_args args = {.partition = RD_KAFKA_PARTITION_UA};
    char name[] = "weir produce";
    struct bs_error err = {0};
    int status = CL_OK;
    argv[0] = name;
    cl_kafka_init(&args.kafka);
    cl_verb_parse(&ARGP, argc, argv, &args);
    if (open_all(&args, &err) != 0 || send_all(&args, &err) != 0) {
        status = cl_verb_fail(argv[0], &err);
        if (args.delivered)
            fprintf(stderr, "%s: %" PRId64 " %s delivered before that\n", argv[0], args.delivered,
                    args.delivered == 1 ? "record was" : "records were");
    }
    cl_kafka_deinit(&args.kafka);
    cl_codec_deinit(&args.key);
    cl_codec_deinit(&args.value);
    cl_serde_deinit(&args.serde);
    bs_free(args.headers);
    return status;
}
