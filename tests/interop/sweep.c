/* interop_sweep BOOTSTRAP [SEED]: every request in every version that the broker offers, over plain
 * sockets: default, filled and null values, values aimed at the topic "sweep" (which must exist,
 * with one partition), then seeded mutations of all. What is well formed gets an answer that
 * decodes to its last byte; what is not may end the connection, never the broker. One thread. */
#include "generated/lib/kafka/api_versions.h"
#include "generated/lib/kafka/header.h"
#include "generated/lib/kafka/metadata.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/kafka/api.h"
#include "lib/kafka/record_batch.h"
#include "lib/kafka/sample.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    TIMEOUT_MS = 20000,
    MUTATED_MS = 1000,
    MUTATIONS = 16,
    VARIANTS = 4,
    ANSWER_BYTES_MAX = 16 << 20
};

static struct sockaddr_in broker;
static uint64_t random_state = 1;
static int32_t correlation;
static struct bs_bytes batch;   /* one record, for Produce */
static struct kp_uuid topic_id; /* of "sweep" */

#define DIE(...)                      \
    do {                              \
        fprintf(stderr, "FAILED: ");  \
        fprintf(stderr, __VA_ARGS__); \
        fputc('\n', stderr);          \
        exit(1);                      \
    } while (0)

static uint32_t random_next(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33);
}

static int broker_connect(void)
{
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&broker, sizeof broker) != 0)
        DIE("cannot connect to the broker: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* 1: got all; 0: the connection ended or nothing came in time (*ret_late). */
static int read_full(int fd, uint8_t *to, size_t len, int timeout_ms, bool *ret_late)
{
    while (len > 0) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, timeout_ms) == 0) {
            *ret_late = true;
            return 0;
        }
        ssize_t n = read(fd, to, len);
        if (n <= 0)
            return 0;
        to += n;
        len -= (size_t)n;
    }
    return 1;
}

static bool write_full(int fd, const uint8_t *from, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, from, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        from += n;
        len -= (size_t)n;
    }
    return true;
}

/* A frame's payload into answer; false: none came. */
static bool answer_read(int fd, int timeout_ms, struct bs_buf *answer, bool *ret_late)
{
    uint8_t head[4];
    bs_buf_reset(answer);
    if (!read_full(fd, head, 4, timeout_ms, ret_late))
        return false;
    uint32_t len = bs_load_u32(head);
    if (len > ANSWER_BYTES_MAX)
        DIE("an answer of %u bytes", len);
    bs_buf_reserve(answer, len + 1);
    answer->len = len;
    return read_full(fd, answer->data, len, timeout_ms, ret_late);
}

/* Frame with header and body. */
static void request_make(const struct kp_api *api, int16_t version, const void *value,
                         struct bs_buf *out)
{
    struct kp_request_header header;
    kp_request_header_init(&header);
    header.request_api_key = api->key;
    header.request_api_version = version;
    header.correlation_id = ++correlation;
    header.client_id = bs_bytes_text("sweep");
    bs_buf_reset(out);
    bs_buf_put_u32(out, 0);
    int rc = kp_request_header_encode(&header, kp_request_header_version(api->key, version), out);
    if (rc == 0)
        rc = kp_message_encode(api->request, value, version, out);
    if (rc)
        DIE("cannot encode %s %d: %s", api->name, version, bs_strerror(rc));
    bs_store_u32(out->data, (uint32_t)(out->len - 4));
}

static void answer_check(const struct kp_api *api, int16_t version, const char *variant,
                         const struct bs_buf *answer)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct kp_response_header header;
    void *value = bs_zalloc(api->response->root->size);
    struct bs_cursor in = bs_cursor(bs_buf_bytes(answer));
    if (kp_response_header_decode(&in, kp_response_header_version(api->key, version), &arena,
                                  &header) != 0)
        DIE("%s %d %s: the answer has no header", api->name, version, variant);
    if (header.correlation_id != correlation)
        DIE("%s %d %s: correlation id %d instead of %d", api->name, version, variant,
            header.correlation_id, correlation);
    int rc = kp_message_decode(api->response, &in, version, &arena, value);
    if (rc || bs_cursor_left(&in) > 0)
        DIE("%s %d %s: the answer does not decode: %s, %zu bytes left", api->name, version, variant,
            rc ? bs_strerror(rc) : "well", bs_cursor_left(&in));
    bs_free(value);
    bs_arena_deinit(&arena);
}

/* Sane waits, or the sweep would wait for what the sample's large numbers ask. */
static void tame(const struct kp_message *message, void *value)
{
    static const char *const names[] = {"MaxWaitMs", "TimeoutMs",          "timeoutMs",
                                        "Acks",      "RebalanceTimeoutMs", "SessionTimeoutMs"};
    for (uint16_t i = 0; i < message->root->field_count; i++) {
        const struct kp_field *field = &message->root->fields[i];
        int32_t one = 1;
        int16_t all = -1;
        for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
            if (strcmp(field->name, names[n]) != 0)
                continue;
            if (field->type == KP_INT32)
                memcpy((uint8_t *)value + field->offset, &one, sizeof one);
            else if (field->type == KP_INT16)
                memcpy((uint8_t *)value + field->offset, &all, sizeof all);
        }
    }
}

/* Makes sampled values mean something: the topic, its partition, a group, a batch of records. */
static void aim(const struct kp_struct *type, void *value)
{
    static const char *const topics[] = {"Topic", "TopicName", "Name", "Topics", "TopicNames"};
    static const char *const zeros[] = {"Partition",  "PartitionIndex", "PartitionIndexes", "Index",
                                        "Partitions", "PartitionId",    "ErrorCode"};
    for (uint16_t i = 0; i < type->field_count; i++) {
        const struct kp_field *field = &type->fields[i];
        uint8_t *at = (uint8_t *)value + field->offset;
        int32_t count = 1;
        if (field->array)
            memcpy(&count, (uint8_t *)value + field->count_offset, sizeof count);
        if (field->array || (field->type == KP_STRUCT && field->ever_null))
            memcpy(&at, at, sizeof at);
        for (int32_t n = 0; at && n < count; n++) {
            if (field->type == KP_STRUCT) {
                aim(field->members, at);
                at += field->members->size;
                continue;
            }
            for (size_t k = 0; k < sizeof topics / sizeof *topics; k++)
                if (field->type == KP_STRING && strcmp(field->name, topics[k]) == 0)
                    ((struct bs_bytes *)at)[n] = bs_bytes_text("sweep");
            for (size_t k = 0; k < sizeof zeros / sizeof *zeros; k++)
                if (field->type == KP_INT32 && strcmp(field->name, zeros[k]) == 0)
                    ((int32_t *)at)[n] = 0;
            if (field->type == KP_RECORDS)
                *(struct bs_bytes *)at = batch;
            if (field->type == KP_UUID && strcmp(field->name, "TopicId") == 0)
                *(struct kp_uuid *)at = topic_id;
        }
    }
}

/* A topic's id, and what Produce sends. */
static void aim_init(struct kp_batch_builder *builder)
{
    const struct kp_api *api = kp_api_find(KP_API_METADATA);
    struct kp_batch_options options = KP_BATCH_OPTIONS_INIT;
    struct kp_metadata_request ask;
    struct kp_metadata_request_topic topic;
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_buf request = BS_BUF_INIT, answer = BS_BUF_INIT;
    bool late = false;
    kp_batch_builder_init(builder, &options);
    kp_batch_builder_append(builder, 1700000000000, bs_bytes_text("key"), bs_bytes_text("value"),
                            NULL, 0);
    kp_batch_builder_finish(builder, &batch);
    kp_metadata_request_init(&ask);
    kp_metadata_request_topic_init(&topic);
    topic.name = bs_bytes_text("sweep");
    ask.topics = &topic;
    ask.topic_count = 1;
    request_make(api, 12, &ask, &request);
    int fd = broker_connect();
    struct kp_response_header header;
    struct kp_metadata_response found;
    if (!write_full(fd, request.data, request.len) || !answer_read(fd, TIMEOUT_MS, &answer, &late))
        DIE("no answer to Metadata");
    struct bs_cursor in = bs_cursor(bs_buf_bytes(&answer));
    if (kp_response_header_decode(&in, 1, &arena, &header) != 0 ||
        kp_metadata_response_decode(&in, 12, &arena, &found) != 0 || found.topic_count != 1 ||
        found.topics[0].error_code != 0)
        DIE("the broker has no topic 'sweep'");
    topic_id = found.topics[0].topic_id;
    close(fd);
    bs_buf_deinit(&request);
    bs_buf_deinit(&answer);
    bs_arena_deinit(&arena);
}

static void value_make(const struct kp_api *api, int16_t version, int variant,
                       struct bs_arena *arena, void *value)
{
    bs_arena_reset(arena);
    kp_struct_init(api->request->root, value);
    if (variant > 0)
        kp_sample_fill(api->request, version, variant == 2, arena, value);
    if (variant == 3 && api->key != KP_API_DELETE_TOPICS)
        aim(api->request->root, value);
    tame(api->request, value);
}

static void sweep_well_formed(const struct kp_api *api, int16_t version)
{
    static const char *const variants[VARIANTS] = {"default", "filled", "null", "aimed"};
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_buf request = BS_BUF_INIT, answer = BS_BUF_INIT;
    void *value = bs_zalloc(api->request->root->size);
    int fd = broker_connect();
    for (int variant = 0; variant < VARIANTS; variant++) {
        bool late = false;
        value_make(api, version, variant, &arena, value);
        request_make(api, version, value, &request);
        if (!write_full(fd, request.data, request.len) ||
            !answer_read(fd, TIMEOUT_MS, &answer, &late))
            DIE("%s %d %s: %s", api->name, version, variants[variant],
                late ? "no answer" : "the connection ended");
        answer_check(api, version, variants[variant], &answer);
    }
    close(fd);
    bs_free(value);
    bs_buf_deinit(&request);
    bs_buf_deinit(&answer);
    bs_arena_deinit(&arena);
}

static void sweep_mutated(const struct kp_api *api, int16_t version)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_buf request = BS_BUF_INIT, answer = BS_BUF_INIT;
    void *value = bs_zalloc(api->request->root->size);
    for (int i = 0; i < MUTATIONS; i++) {
        bool late = false;
        value_make(api, version, i % VARIANTS, &arena, value);
        request_make(api, version, value, &request);
        size_t body = request.len > 18 ? 18 : request.len - 1;
        for (uint32_t n = 1 + random_next() % 4; n > 0; n--)
            request.data[body + random_next() % (request.len - body)] = (uint8_t)random_next();
        if (i % 5 == 4) { /* cut short, and the frame says so */
            request.len = body + random_next() % (request.len - body);
            bs_store_u32(request.data, (uint32_t)(request.len - 4));
        }
        int fd = broker_connect();
        if (write_full(fd, request.data, request.len))
            answer_read(fd, MUTATED_MS / 20, &answer, &late); /* whatever it is */
        close(fd);
    }
    bs_free(value);
    bs_buf_deinit(&request);
    bs_buf_deinit(&answer);
    bs_arena_deinit(&arena);
}

/* The versions that the broker offers, by asking it. */
static void offers_read(struct kp_api_versions_response *offers, struct bs_arena *arena,
                        struct bs_buf *answer)
{
    const struct kp_api *api = kp_api_find(KP_API_API_VERSIONS);
    struct kp_api_versions_request ask;
    struct bs_buf request = BS_BUF_INIT;
    bool late = false;
    kp_api_versions_request_init(&ask);
    ask.client_software_name = bs_bytes_text("sweep");
    ask.client_software_version = bs_bytes_text("1");
    request_make(api, 3, &ask, &request);
    int fd = broker_connect();
    if (!write_full(fd, request.data, request.len) || !answer_read(fd, TIMEOUT_MS, answer, &late))
        DIE("no answer to ApiVersions");
    struct kp_response_header header;
    struct bs_cursor in = bs_cursor(bs_buf_bytes(answer));
    if (kp_response_header_decode(&in, 0, arena, &header) != 0 ||
        kp_api_versions_response_decode(&in, 3, arena, offers) != 0 || offers->error_code != 0)
        DIE("the answer to ApiVersions does not decode");
    close(fd);
    bs_buf_deinit(&request);
}

/* What no request should be. */
static void sweep_garbage(void)
{
    static const char *const texts[] = {
        "GET / HTTP/1.1\r\n\r\n",   "",
        "\x16\x03\x01\x02\x00\x01", "\xff\xff\xff\xff",
        "\x7f\xff\xff\xff",         "\x00\x00\x00\x04\x00\x00\x00\x00"};
    struct bs_buf answer = BS_BUF_INIT;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        bool late = false;
        int fd = broker_connect();
        size_t len = i == 3 || i == 4 ? 4 : i == 5 ? 8 : strlen(texts[i]);
        if (write_full(fd, (const uint8_t *)texts[i], len))
            answer_read(fd, MUTATED_MS, &answer, &late);
        close(fd);
    }
    bs_buf_deinit(&answer);
}

int main(int argc, char **argv)
{
    char host[64];
    int port = 0;
    if (argc < 2 || sscanf(argv[1], "%63[^:]:%d", host, &port) != 2) {
        fprintf(stderr, "usage: interop_sweep HOST:PORT [SEED]\n");
        return 2;
    }
    if (argc > 2)
        random_state = strtoull(argv[2], NULL, 10);
    broker = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, host, &broker.sin_addr);
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_buf answer = BS_BUF_INIT, last = BS_BUF_INIT;
    struct kp_api_versions_response offers;
    struct kp_batch_builder builder;
    offers_read(&offers, &arena, &answer);
    aim_init(&builder);
    int count = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int32_t i = 0; i < offers.api_key_count; i++) {
            const struct kp_api *api = kp_api_find(offers.api_keys[i].api_key);
            if (!api)
                DIE("the broker offers API %d, which lib/kafka does not have",
                    offers.api_keys[i].api_key);
            /* Produce is offered from version 0, as Kafka does for old librdkafka, and not served
             * below 3. */
            int16_t v = offers.api_keys[i].min_version;
            for (v = v < api->min_version ? api->min_version : v;
                 v <= offers.api_keys[i].max_version; v++) {
                if (pass == 0)
                    sweep_well_formed(api, v);
                else
                    sweep_mutated(api, v);
                count++;
            }
        }
    }
    sweep_garbage();
    struct kp_api_versions_response again;
    offers_read(&again, &arena, &last); /* it is still there */
    printf("%d APIs, %d versions: well\n", offers.api_key_count, count / 2);
    bs_buf_deinit(&answer);
    bs_buf_deinit(&last);
    kp_batch_builder_deinit(&builder);
    bs_arena_deinit(&arena);
    return 0;
}
