/* The broker on the wire, without a client library: what ApiVersions says byte for byte, what is
 * refused and how, every request in every version with sample values and with bytes changed at
 * random, and clients that behave badly. After each, the broker must answer as before. */
#include "broker/broker.h"
#include "broker/handler/api.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/metric.h"
#include "lib/kafka/errors.h"
#include "lib/kafka/record_batch.h"
#include "lib/kafka/sample.h"
#include "generated/lib/kafka/add_partitions_to_txn.h"
#include "generated/lib/kafka/end_txn.h"
#include "generated/lib/kafka/find_coordinator.h"
#include "generated/lib/kafka/init_producer_id.h"
#include "generated/lib/kafka/metadata.h"
#include "generated/lib/kafka/produce.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum { WAIT_MS = 10000 };

struct world {
    char dir[64];
    struct bs_config *config;
    void *self;
    int port;
};

static int setup(void **state)
{
    static const char *const SETTINGS[][2] = {
        {"listeners", "127.0.0.1:0"},       {"max.connections", "40"},
        {"socket.request.max.bytes", "1M"}, {"weir.connection.response.bytes", "64K"},
        {"connections.max.idle.ms", "2s"},  {"num.partitions", "2"},
    };
    struct world *w = bs_new(struct world);
    struct bs_error err = {0};
    struct bs_buf health = BS_BUF_INIT;
    snprintf(w->dir, sizeof w->dir, "/tmp/weir-wire-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    signal(SIGPIPE, SIG_IGN);
    w->config = bs_config_new(bk_role.tables, bk_role.table_count);
    assert_int_equal(bs_config_set(w->config, "log.dirs", w->dir, "test", &err), 0);
    for (size_t i = 0; i < sizeof SETTINGS / sizeof SETTINGS[0]; i++)
        if (bs_config_set(w->config, SETTINGS[i][0], SETTINGS[i][1], "test", &err))
            fail_msg("%s", err.text);
    if (bk_role.open(w->config, NULL, &w->self, &err))
        fail_msg("%s", err.text);
    bk_role.health(w->self, &health);
    assert_int_equal(sscanf(strstr(bs_buf_text(&health), "127.0.0.1:"), "127.0.0.1:%d", &w->port),
                     1);
    bs_buf_deinit(&health);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char *command = bs_asprintf("rm -rf '%s'", w->dir);
    bk_role.close(w->self);
    bs_config_free(w->config);
    assert_int_equal(system(command), 0);
    bs_free(command);
    bs_free(w);
    return 0;
}

static int dial(struct world *w)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)w->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval wait = {.tv_sec = WAIT_MS / 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    return fd;
}

static bool send_all(int fd, const void *data, size_t len)
{
    const uint8_t *at = data;
    while (len) {
        ssize_t n = send(fd, at, len, 0);
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool recv_all(int fd, void *data, size_t len)
{
    uint8_t *at = data;
    while (len) {
        ssize_t n = recv(fd, at, len, 0);
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

/* One response frame without its size; false: the connection was closed. */
static bool receive(int fd, struct bs_buf *out)
{
    uint8_t size[4];
    bs_buf_reset(out);
    if (!recv_all(fd, size, 4))
        return false;
    uint32_t len = bs_load_u32(size);
    assert_true(len < 64 << 20);
    bs_buf_reserve(out, len);
    out->len = len;
    return recv_all(fd, out->data, len);
}

/* Header of a request; the size comes with finish. */
static void begin(struct bs_buf *out, int16_t key, int16_t version, int32_t correlation)
{
    bs_buf_reset(out);
    bs_buf_put_u32(out, 0);
    bs_buf_put_u16(out, (uint16_t)key);
    bs_buf_put_u16(out, (uint16_t)version);
    bs_buf_put_u32(out, (uint32_t)correlation);
    bs_buf_put_u16(out, 4);
    bs_buf_put(out, "test", 4);
    if (kp_request_header_version(key, version) == 2)
        bs_buf_put_u8(out, 0);
}

static void finish(struct bs_buf *out)
{
    bs_store_u32(out->data, (uint32_t)(out->len - 4));
}

static void api_versions_request(struct bs_buf *out, int16_t version, int32_t correlation)
{
    begin(out, KP_API_API_VERSIONS, version, correlation);
    if (version >= 3)
        bs_buf_put(out, "\005weir\0041.0\000", 10);
    finish(out);
}

/* The broker is well: a new connection gets an answer. */
static void check_alive(struct world *w)
{
    struct bs_buf request = BS_BUF_INIT, response = BS_BUF_INIT;
    int fd = dial(w);
    api_versions_request(&request, 0, 7);
    assert_true(send_all(fd, request.data, request.len));
    assert_true(receive(fd, &response));
    assert_int_equal(bs_load_u32(response.data), 7);
    close(fd);
    bs_buf_deinit(&request);
    bs_buf_deinit(&response);
}

static void check_closed(int fd)
{
    uint8_t byte;
    ssize_t n = recv(fd, &byte, 1, 0);
    assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
    close(fd);
}

static void test_api_versions(void **state)
{
    struct world *w = *state;
    struct bs_buf request = BS_BUF_INIT, response = BS_BUF_INIT;
    int fd = dial(w);
    for (int16_t version = 0; version <= 4; version++) {
        struct kp_message const *message = kp_api_find(KP_API_API_VERSIONS)->response;
        struct bs_arena arena = BS_ARENA_INIT;
        void *decoded = bs_arena_alloc(&arena, message->root->size);
        struct bs_cursor in;
        api_versions_request(&request, version, 100 + version);
        assert_true(send_all(fd, request.data, request.len));
        assert_true(receive(fd, &response));
        assert_int_equal(bs_load_u32(response.data), 100 + version);
        in = bs_cursor(bs_bytes(response.data + 4, response.len - 4)); /* header v0 always */
        assert_int_equal(kp_message_decode(message, &in, version, &arena, decoded), 0);
        assert_int_equal(bs_cursor_left(&in), 0);
        assert_int_equal(bs_load_u16(response.data + 4), 0);
        if (version == 0) {
            /* Produce comes first, from version 0, whatever is really served. */
            assert_int_equal(bs_load_u16(response.data + 10), KP_API_PRODUCE);
            assert_int_equal(bs_load_u16(response.data + 12), 0);
            assert_true(bs_load_u16(response.data + 14) >= 9);
        }
        bs_arena_deinit(&arena);
    }
    close(fd);
    bs_buf_deinit(&request);
    bs_buf_deinit(&response);
}

static void test_api_versions_unknown(void **state)
{
    static const uint8_t EXPECT[] = {0, 0, 0, 9, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4};
    struct world *w = *state;
    struct bs_buf request = BS_BUF_INIT, response = BS_BUF_INIT;
    int fd = dial(w);
    begin(&request, KP_API_API_VERSIONS, 99, 9);
    bs_buf_put(&request, "whatever a later version has", 28);
    finish(&request);
    assert_true(send_all(fd, request.data, request.len));
    assert_true(receive(fd, &response));
    assert_int_equal(response.len, sizeof EXPECT);
    assert_memory_equal(response.data, EXPECT, sizeof EXPECT);
    /* The connection lives, and the client asks again well. */
    api_versions_request(&request, 4, 10);
    assert_true(send_all(fd, request.data, request.len));
    assert_true(receive(fd, &response));
    assert_int_equal(bs_load_u32(response.data), 10);
    /* A software name that is none. */
    begin(&request, KP_API_API_VERSIONS, 3, 11);
    bs_buf_put(&request, "\005we r\0041.0\000", 10);
    finish(&request);
    assert_true(send_all(fd, request.data, request.len));
    assert_true(receive(fd, &response));
    assert_int_equal(bs_load_u16(response.data + 4), 42); /* INVALID_REQUEST */
    close(fd);
    bs_buf_deinit(&request);
    bs_buf_deinit(&response);
}

static void test_not_served(void **state)
{
    static const int16_t ASK[][2] = {{4, 0},  {99, 0}, {-1, 0}, {KP_API_PRODUCE, 2},
                                     {3, 99}, {3, -1}, {27, 1}, {32767, 32767}};
    struct world *w = *state;
    struct bs_buf request = BS_BUF_INIT;
    for (size_t i = 0; i < sizeof ASK / sizeof ASK[0]; i++) {
        int fd = dial(w);
        begin(&request, ASK[i][0], ASK[i][1], 1);
        finish(&request);
        assert_true(send_all(fd, request.data, request.len));
        check_closed(fd);
    }
    check_alive(w);
    bs_buf_deinit(&request);
}

static void test_bad_frames(void **state)
{
    static const uint32_t SIZES[] = {0, 1, 7, 0x00100001, 0x7fffffff, 0x80000000, 0xffffffff};
    struct world *w = *state;
    uint8_t frame[64] = {0};
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        int fd = dial(w);
        bs_store_u32(frame, SIZES[i]);
        assert_true(send_all(fd, frame, sizeof frame));
        check_closed(fd);
    }
    /* HTTP and TLS, by mistake. */
    const char *const wrong[] = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01\x02\x00\x01"};
    for (size_t i = 0; i < 2; i++) {
        int fd = dial(w);
        assert_true(send_all(fd, wrong[i], 8 > strlen(wrong[i]) ? 6 : strlen(wrong[i])));
        check_closed(fd);
    }
    /* Half a frame, then the end. */
    int fd = dial(w);
    bs_store_u32(frame, 1000);
    assert_true(send_all(fd, frame, 20));
    shutdown(fd, SHUT_WR);
    check_closed(fd);
    check_alive(w);
}

static void test_pipelining(void **state)
{
    enum { COUNT = 500 };
    struct world *w = *state;
    struct bs_buf request = BS_BUF_INIT, response = BS_BUF_INIT, all = BS_BUF_INIT;
    int fd = dial(w);
    for (int i = 0; i < COUNT; i++) {
        api_versions_request(&request, (int16_t)(i % 5), i);
        bs_buf_put(&all, request.data, request.len);
    }
    /* In pieces that end anywhere. */
    for (size_t at = 0, n = 1; at < all.len; at += n, n = n * 7 % 1000 + 1) {
        n = n > all.len - at ? all.len - at : n;
        assert_true(send_all(fd, all.data + at, n));
    }
    for (int i = 0; i < COUNT; i++) {
        assert_true(receive(fd, &response));
        assert_int_equal(bs_load_u32(response.data), i);
    }
    close(fd);
    bs_buf_deinit(&all);
    bs_buf_deinit(&request);
    bs_buf_deinit(&response);
}

static int64_t metric(const char *name)
{
    struct bs_buf text = BS_BUF_INIT;
    char *key = bs_asprintf("\n%s ", name);
    char *at;
    int64_t value;
    bs_metric_print_all(&text);
    at = strstr(bs_buf_text(&text), key);
    assert_non_null(at);
    value = atoll(at + strlen(key));
    bs_free(key);
    bs_buf_deinit(&text);
    return value;
}

static void test_slow_reader(void **state)
{
    struct world *w = *state;
    struct bs_buf request = BS_BUF_INIT;
    struct timeval wait = {.tv_usec = 300000};
    int fd = dial(w), sent = 0;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    api_versions_request(&request, 4, 1);
    /* Asks and asks, and reads nothing: at last the broker reads nothing either. */
    while (sent < 2000000 && send_all(fd, request.data, request.len))
        sent++;
    assert_true(sent < 2000000);
    assert_true(metric("weir_broker_request_memory_bytes") < 4 << 20);
    check_alive(w); /* others are served */
    close(fd);
    bs_buf_deinit(&request);
}

static void test_connect_flood(void **state)
{
    enum { COUNT = 120 };
    struct world *w = *state;
    struct pollfd fds[COUNT];
    int closed = 0;
    for (int i = 0; i < COUNT; i++)
        fds[i] = (struct pollfd){.fd = dial(w), .events = POLLIN};
    /* Those above max.connections are closed; the others go when they have been idle too long. */
    for (int round = 0; round < 100 && closed < COUNT; round++) {
        assert_true(poll(fds, COUNT, WAIT_MS) > 0);
        for (int i = 0; i < COUNT; i++) {
            if (fds[i].fd >= 0 && fds[i].revents) {
                check_closed(fds[i].fd);
                fds[i].fd = -1;
                closed++;
            }
        }
    }
    assert_int_equal(closed, COUNT);
    /* How many is the scheduler's: on a busy machine the first go idle while others still come. */
    assert_true(metric("weir_broker_connections_refused_total") > 0);
    check_alive(w);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Sends a frame; whatever comes back is fine. Requests that wait (a join, a fetch) are left. */
static void poke(struct world *w, int *fd, const struct bs_buf *frame, struct bs_buf *response)
{
    struct pollfd ready;
    if (*fd < 0)
        *fd = dial(w);
    if (!send_all(*fd, frame->data, frame->len)) {
        close(*fd);
        *fd = dial(w);
        return;
    }
    ready = (struct pollfd){.fd = *fd, .events = POLLIN};
    if (poll(&ready, 1, 50) != 1 || !receive(*fd, response)) {
        close(*fd);
        *fd = -1;
    }
}

static void sample_request(const struct bk_api *api, int16_t version, bool nulls,
                           struct bs_buf *out)
{
    const struct kp_message *message = api->wire->request;
    struct bs_arena arena = BS_ARENA_INIT;
    void *request = bs_arena_alloc(&arena, message->root->size);
    kp_sample_fill(message, version, nulls, &arena, request);
    begin(out, api->key, version, 5);
    assert_int_equal(kp_message_encode(message, request, version, out), 0);
    finish(out);
    bs_arena_deinit(&arena);
}

static void test_samples(void **state)
{
    struct world *w = *state;
    struct bs_buf request = BS_BUF_INIT, response = BS_BUF_INIT;
    const struct bk_api *api = NULL;
    int fd = -1;
    while ((api = bk_api_next(api))) {
        for (int16_t version = api->min; version <= api->max; version++) {
            for (int nulls = 0; nulls < 2; nulls++) {
                sample_request(api, version, nulls, &request);
                poke(w, &fd, &request, &response);
            }
        }
    }
    if (fd >= 0)
        close(fd);
    check_alive(w);
    bs_buf_deinit(&request);
    bs_buf_deinit(&response);
}

/* --- transactions, one request at a time --- */

static void *ask(struct world *w, int *fd, int16_t key, int16_t version, const void *request,
                 struct bs_arena *arena)
{
    const struct kp_api *api = kp_api_find(key);
    struct bs_buf out = BS_BUF_INIT, in = BS_BUF_INIT;
    void *response = bs_arena_alloc(arena, api->response->root->size);
    struct bs_cursor cursor;
    (void)w;
    begin(&out, key, version, 77);
    assert_int_equal(kp_message_encode(api->request, request, version, &out), 0);
    finish(&out);
    assert_true(send_all(*fd, out.data, out.len));
    assert_true(receive(*fd, &in));
    assert_int_equal(bs_load_u32(in.data), 77);
    uint8_t *copy = bs_arena_dup(arena, in.data, in.len);
    size_t header = kp_response_header_version(key, version) ? 5 : 4;
    cursor = bs_cursor(bs_bytes(copy + header, in.len - header));
    assert_int_equal(kp_message_decode(api->response, &cursor, version, arena, response), 0);
    bs_buf_deinit(&out);
    bs_buf_deinit(&in);
    return response;
}

struct txn_producer {
    int64_t id;
    int16_t epoch;
    int32_t sequence;
};

/* Error of the one partition of a produce of one record. */
static int16_t produce_one(struct world *w, int *fd, const char *topic, int16_t acks,
                           int16_t version, struct txn_producer *producer, bool control)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct kp_batch_options options = KP_BATCH_OPTIONS_INIT;
    struct kp_batch_builder builder;
    struct kp_produce_request request;
    struct kp_produce_request_topic_data data = {.name = bs_bytes_text(topic)};
    struct kp_produce_request_partition_data row = {.index = 0};
    struct kp_produce_response *response;
    int16_t error;
    if (producer) {
        options.transactional = true;
        options.producer_id = producer->id;
        options.producer_epoch = producer->epoch;
        options.base_sequence = producer->sequence;
    }
    options.control = control;
    kp_batch_builder_init(&builder, &options);
    kp_batch_builder_append(&builder, time(NULL) * 1000, bs_bytes_text("k"), bs_bytes_text("v"),
                            NULL, 0);
    assert_int_equal(kp_batch_builder_finish(&builder, &row.records), 0);
    kp_produce_request_init(&request);
    if (producer)
        request.transactional_id = bs_bytes_text("raw");
    request.acks = acks;
    request.timeout_ms = 10000;
    data.partition_data = &row;
    data.partition_data_count = 1;
    request.topic_data = &data;
    request.topic_data_count = 1;
    response = ask(w, fd, KP_API_PRODUCE, version, &request, &arena);
    error = response->responses[0].partition_responses[0].error_code;
    if (producer && !error)
        producer->sequence++;
    kp_batch_builder_deinit(&builder);
    bs_arena_deinit(&arena);
    return error;
}

static int16_t end_txn(struct world *w, int *fd, const struct txn_producer *producer, bool commit)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct kp_end_txn_request request;
    int16_t error;
    kp_end_txn_request_init(&request);
    request.transactional_id = bs_bytes_text("raw");
    request.producer_id = producer->id;
    request.producer_epoch = producer->epoch;
    request.committed = commit;
    error =
        ((struct kp_end_txn_response *)ask(w, fd, KP_API_END_TXN, 3, &request, &arena))->error_code;
    bs_arena_deinit(&arena);
    return error;
}

static int16_t add_partition(struct world *w, int *fd, const struct txn_producer *producer,
                             const char *topic)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct kp_add_partitions_to_txn_request request;
    struct kp_add_partitions_to_txn_request_topic row = {.name = bs_bytes_text(topic)};
    struct kp_add_partitions_to_txn_response *response;
    int32_t partition = 0;
    int16_t error;
    kp_add_partitions_to_txn_request_init(&request);
    request.v3_and_below_transactional_id = bs_bytes_text("raw");
    request.v3_and_below_producer_id = producer->id;
    request.v3_and_below_producer_epoch = producer->epoch;
    row.partitions = &partition;
    row.partition_count = 1;
    request.v3_and_below_topics = &row;
    request.v3_and_below_topic_count = 1;
    response = ask(w, fd, KP_API_ADD_PARTITIONS_TO_TXN, 3, &request, &arena);
    error = response->results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code;
    bs_arena_deinit(&arena);
    return error;
}

static void begin_producer(struct world *w, int *fd, struct txn_producer *producer)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct kp_find_coordinator_request find;
    struct kp_find_coordinator_response *found;
    struct kp_metadata_request metadata;
    struct kp_metadata_request_topic topic = {.name = bs_bytes_text("raw")};
    struct kp_metadata_response *topics;
    struct kp_init_producer_id_request init;
    struct kp_init_producer_id_response *given;
    kp_metadata_request_init(&metadata);
    metadata.topics = &topic;
    metadata.topic_count = 1;
    topics = ask(w, fd, KP_API_METADATA, 9, &metadata, &arena);
    assert_int_equal(topics->topics[0].error_code, 0); /* made on the way */
    assert_int_equal(topics->topics[0].partition_count, 2);
    kp_find_coordinator_request_init(&find);
    find.key = bs_bytes_text("raw");
    find.key_type = 1;
    found = ask(w, fd, KP_API_FIND_COORDINATOR, 3, &find, &arena);
    assert_int_equal(found->error_code, 0);
    assert_int_equal(found->port, w->port);
    kp_init_producer_id_request_init(&init);
    init.transactional_id = bs_bytes_text("raw");
    init.transaction_timeout_ms = 60000;
    given = ask(w, fd, KP_API_INIT_PRODUCER_ID, 4, &init, &arena);
    assert_int_equal(given->error_code, 0);
    *producer = (struct txn_producer){.id = given->producer_id, .epoch = given->producer_epoch};
    bs_arena_deinit(&arena);
}

static void test_produce_rules(void **state)
{
    struct world *w = *state;
    struct txn_producer producer, old;
    int fd = dial(w);
    int16_t error;
    begin_producer(w, &fd, &producer);
    assert_int_equal(produce_one(w, &fd, "raw", -1, 9, NULL, false), 0);
    assert_int_equal(produce_one(w, &fd, "raw", 2, 9, NULL, false), KP_ERR_INVALID_REQUIRED_ACKS);
    assert_int_equal(produce_one(w, &fd, "nobody", 1, 9, NULL, false),
                     KP_ERR_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(produce_one(w, &fd, "__transaction_state", 1, 9, NULL, false),
                     KP_ERR_INVALID_TOPIC_EXCEPTION);
    assert_int_equal(produce_one(w, &fd, "raw", 1, 9, NULL, true), KP_ERR_INVALID_RECORD);
    /* KIP-890: not in a transaction, not in this one, in it, and after its end. */
    assert_int_equal(produce_one(w, &fd, "raw", -1, 9, &producer, false), KP_ERR_INVALID_TXN_STATE);
    assert_int_equal(produce_one(w, &fd, "raw", -1, 11, &producer, false),
                     KP_ERR_TRANSACTION_ABORTABLE);
    assert_int_equal(add_partition(w, &fd, &producer, "nobody"), KP_ERR_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(add_partition(w, &fd, &producer, "raw"), 0);
    assert_int_equal(produce_one(w, &fd, "raw", -1, 9, &producer, false), 0);
    assert_int_equal(end_txn(w, &fd, &producer, true), 0);
    assert_int_equal(produce_one(w, &fd, "raw", -1, 9, &producer, false), KP_ERR_INVALID_TXN_STATE);
    while ((error = end_txn(w, &fd, &producer, true)) == KP_ERR_CONCURRENT_TRANSACTIONS)
        ;
    assert_int_equal(error, 0); /* its retry, when it is complete */
    assert_int_equal(end_txn(w, &fd, &producer, false), KP_ERR_INVALID_TXN_STATE);
    /* The next instance fences this one. */
    old = producer;
    begin_producer(w, &fd, &producer);
    assert_int_equal(producer.id, old.id);
    assert_int_equal(producer.epoch, old.epoch + 1);
    assert_int_equal(add_partition(w, &fd, &old, "raw"), KP_ERR_PRODUCER_FENCED);
    assert_int_equal(produce_one(w, &fd, "raw", -1, 9, &old, false), KP_ERR_INVALID_PRODUCER_EPOCH);
    assert_int_equal(end_txn(w, &fd, &old, true), KP_ERR_PRODUCER_FENCED);
    close(fd);
}

static void test_mutations(void **state)
{
    struct world *w = *state;
    struct bs_buf request = BS_BUF_INIT, response = BS_BUF_INIT;
    const struct bk_api *api = NULL;
    const char *given = getenv("WEIR_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : 0x9e3779b97f4a7c15;
    int fd = -1;
    for (int i = 0; i < 1500; i++) {
        api = bk_api_next(api);
        if (!api)
            api = bk_api_next(NULL);
        int16_t range = (int16_t)(api->max - api->min + 1);
        int16_t version = (int16_t)(api->min + (int16_t)(next_random(&seed) % (uint64_t)range));
        sample_request(api, version, next_random(&seed) & 1, &request);
        size_t count = 1 + next_random(&seed) % 4;
        for (size_t k = 0; k < count; k++) {
            size_t at = 8 + next_random(&seed) % (request.len - 8);
            request.data[at] = next_random(&seed) % 3 ? (uint8_t)next_random(&seed) : 0xff;
        }
        if (next_random(&seed) % 4 == 0 && request.len > 20)
            request.len = 20 + next_random(&seed) % (request.len - 20);
        finish(&request);
        poke(w, &fd, &request, &response);
    }
    if (fd >= 0)
        close(fd);
    check_alive(w);
    bs_buf_deinit(&request);
    bs_buf_deinit(&response);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_api_versions),  cmocka_unit_test(test_api_versions_unknown),
        cmocka_unit_test(test_not_served),    cmocka_unit_test(test_bad_frames),
        cmocka_unit_test(test_pipelining),    cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_connect_flood), cmocka_unit_test(test_produce_rules),
        cmocka_unit_test(test_samples),       cmocka_unit_test(test_mutations),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
