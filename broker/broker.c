/* Broker: opens the parts in order, on the thread that owns them, and stops them in the opposite
 * order.
 *
 * Start: loop, files, metadata (the lock of the data folder is taken by partitions), partitions,
 * coordinators, listeners. Stop: no more requests are read; parked fetches are answered with what
 * is there, parked joins with COORDINATOR_NOT_AVAILABLE, produces get their acknowledgement
 * (request.timeout.ms at most); connections close; logs are sealed and the clean-shutdown marker is
 * written last.
 *
 * bk_open and bk_close run on the caller's thread; they talk to the loop thread by a mailbox and by
 * posting to the loop. What /health says comes from metric cells. */
#include "broker/broker.h"
#include "broker/cluster/topic_config.h"
#include "broker/handler/service.h"
#include "broker/options.h"
#include "broker/server/conn.h"
#include "broker/server/dispatch.h"
#include "lib/base/log.h"
#include "lib/io/loop.h"
#include "lib/io/mailbox.h"
#include "lib/io/net.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

enum { STATUS_EVERY_MS = 1000, LOADING_EVERY_MS = 5 };

static const struct bs_event LISTENING = {"broker.listening", BS_LOG_INFO,
                                          "The broker takes connections."};
static const struct bs_event STOPPED = {"broker.stopped", BS_LOG_INFO,
                                        "The broker stopped in order; everything is on disk."};
static const struct bs_event STOP_LATE = {
    "broker.stop.late", BS_LOG_WARN,
    "Answers were still under way when request.timeout.ms was over; their connections were "
    "closed."};

static const struct bs_metric_desc TOPICS = {"weir_broker_topics", BS_GAUGE, "Topics."};
static const struct bs_metric_desc PARTITIONS = {"weir_broker_partitions", BS_GAUGE,
                                                 "Partitions of all topics."};
static const struct bs_metric_desc GROUPS = {"weir_broker_groups", BS_GAUGE, "Consumer groups."};
static const struct bs_metric_desc TXNS = {"weir_broker_transactional_ids", BS_GAUGE,
                                           "Transactional ids."};
static const struct bs_metric_desc PARKED = {"weir_broker_parked_requests", BS_GAUGE,
                                             "Produces and fetches that wait."};
static const struct bs_metric_desc LOADING = {"weir_broker_loading", BS_GAUGE,
                                              "1 while a coordinator reads its topic."};
static const struct bs_metric_desc FAILED = {"weir_broker_failed", BS_GAUGE,
                                             "1 when the disk of the metadata log has failed."};

struct listener {
    struct broker *broker;
    struct io_listener *io;
    uint16_t port;
};

struct broker {
    const struct bs_config *config;
    char *data_dir;
    struct bk_addresses addresses;
    char *listen_text; /* "127.0.0.1:40123": the first listener, as it came out */
    pthread_t thread;
    struct io_mailbox *started; /* one message, when the start is over */
    int start_result;
    struct bs_error start_error;
    struct io_loop *loop;
    struct io_files *files;
    struct io_net *net;
    struct bk_fd_cache *fds;
    struct bk_metadata *metadata;
    struct bk_partitions *partitions;
    struct bk_shards *shards;
    struct bk_service service;
    struct bk_conns *conns;
    struct listener *listeners;
    size_t listener_count;
    struct io_timer *status_timer, *stop_timer;
    bool stopping, draining;
    struct bs_metric topics, partition_count, groups, txns, parked, loading, failed;
};

static const struct bs_option_table *const TABLES[] = {&bk_broker_options, &bk_storage_options,
                                                       &bk_cluster_options, &bk_known_options};
enum { TABLE_COUNT = sizeof TABLES / sizeof TABLES[0] };

/* --- state for /health and /metrics --- */

static void status(void *ctx)
{
    struct broker *broker = ctx;
    const struct bk_image *image = bk_metadata_image(broker->metadata);
    struct bk_shards *shards = broker->shards;
    bs_metric_set(&broker->topics, (int64_t)bk_image_topic_count(image));
    bs_metric_set(&broker->partition_count, bk_image_partition_count(image));
    bs_metric_set(&broker->groups, bk_shards_check(shards, BK_SHARD_GROUPS)
                                       ? 0
                                       : (int64_t)bk_groups_count(bk_shards_groups(shards)));
    bs_metric_set(&broker->txns, bk_shards_check(shards, BK_SHARD_TXNS)
                                     ? 0
                                     : (int64_t)bk_txns_count(bk_shards_txns(shards)));
    bs_metric_set(&broker->parked,
                  (int64_t)bk_waiter_count(bk_partitions_waiter(broker->partitions)));
    bs_metric_set(&broker->loading, bk_shards_loading(shards));
    bs_metric_set(&broker->failed, bk_metadata_failed(broker->metadata));
    if (!broker->stopping)
        io_timer_start(broker->status_timer,
                       bk_shards_loading(shards) ? LOADING_EVERY_MS : STATUS_EVERY_MS);
}

static int bk_health(void *self, struct bs_buf *out)
{
    struct broker *broker = self;
    bool failed = bs_metric_get(&broker->failed) != 0;
    bool loading = bs_metric_get(&broker->loading) != 0;
    bs_buf_printf(out, "{\"status\":\"%s\",", failed ? "failed" : loading ? "starting" : "ok");
    if (failed)
        bs_buf_puts(out, "\"message\":\"The metadata log could not be written; see the log, mend "
                         "the disk, restart.\",");
    bs_buf_puts(out, "\"listen\":");
    bs_buf_put_json_string(out, broker->listen_text, strlen(broker->listen_text));
    bs_buf_printf(out, ",\"topics\":%" PRId64 ",\"partitions\":%" PRId64 "}",
                  bs_metric_get(&broker->topics), bs_metric_get(&broker->partition_count));
    return failed ? BS_EIO : loading ? 1 : 0;
}

static void init_metrics(struct broker *broker)
{
    bs_metric_init(&broker->topics, &TOPICS, NULL);
    bs_metric_init(&broker->partition_count, &PARTITIONS, NULL);
    bs_metric_init(&broker->groups, &GROUPS, NULL);
    bs_metric_init(&broker->txns, &TXNS, NULL);
    bs_metric_init(&broker->parked, &PARKED, NULL);
    bs_metric_init(&broker->loading, &LOADING, NULL);
    bs_metric_init(&broker->failed, &FAILED, NULL);
    bk_service_init_metrics(&broker->service);
    bk_dispatch_init(&broker->service);
}

static void deinit_metrics(struct broker *broker)
{
    bs_metric_deinit(&broker->topics);
    bs_metric_deinit(&broker->partition_count);
    bs_metric_deinit(&broker->groups);
    bs_metric_deinit(&broker->txns);
    bs_metric_deinit(&broker->parked);
    bs_metric_deinit(&broker->loading);
    bs_metric_deinit(&broker->failed);
    bk_service_deinit_metrics(&broker->service);
    bk_dispatch_deinit(&broker->service);
}

/* --- start --- */

static void accepted(void *ctx, struct io_conn *conn)
{
    struct listener *listener = ctx;
    bk_conns_accept(listener->broker->conns, conn, listener->port);
}

static int32_t node_id(const struct bs_config *config)
{
    bool old = !bs_config_is_set(config, "node.id") && bs_config_is_set(config, "broker.id");
    return (int32_t)bs_config_int(config, old ? "broker.id" : "node.id");
}

static int open_storage(struct broker *broker, struct bs_error *err)
{
    struct bk_log_ports ports = {.files = broker->files,
                                 .clock = io_clock_real(),
                                 .random = io_random_real(),
                                 .fds = broker->fds};
    struct bk_metadata_spec metadata = {.dir = broker->data_dir,
                                        .ports = ports,
                                        .loop = broker->loop,
                                        .config = broker->config,
                                        .node_id = node_id(broker->config)};
    struct bk_partitions_spec partitions = {
        .dir = broker->data_dir, .ports = ports, .loop = broker->loop, .config = broker->config};
    int rc = bk_metadata_open(&metadata, &broker->metadata, err);
    if (rc)
        return rc;
    partitions.metadata = broker->metadata;
    return bk_partitions_open(&partitions, &broker->partitions, err);
}

static void fill_service(struct broker *broker)
{
    const struct bs_config *config = broker->config;
    struct bk_service *service = &broker->service;
    service->metadata = broker->metadata;
    service->partitions = broker->partitions;
    service->shards = broker->shards;
    service->config = config;
    service->tables = TABLES;
    service->table_count = TABLE_COUNT;
    service->node_id = node_id(config);
    service->advertised_host = broker->addresses.advertised.host;
    service->advertised_port = broker->addresses.advertised.port;
    service->rack = bs_config_text(config, "broker.rack");
    service->data_dir = broker->data_dir;
    service->fetch_bytes_max = bs_config_int(config, "fetch.max.bytes");
    service->auto_create = bs_config_bool(config, "auto.create.topics.enable");
    service->delete_topics = bs_config_bool(config, "delete.topic.enable");
    service->verify_txns = bs_config_bool(config, "transaction.partition.verification.enable");
}

static int open_server(struct broker *broker, struct bs_error *err)
{
    const struct bs_config *config = broker->config;
    struct bk_conns_spec conns = {
        .loop = broker->loop,
        .clock = io_clock_real(),
        .service = &broker->service,
        .dispatch = bk_dispatch,
        .connections_max = bs_config_int(config, "max.connections"),
        .frame_bytes_max = bs_config_int(config, "socket.request.max.bytes"),
        .requests_max = bs_config_int(config, "weir.connection.requests"),
        .response_bytes_max = bs_config_int(config, "weir.connection.response.bytes"),
        .total_bytes_max = bs_config_int(config, "queued.max.request.bytes"),
        .idle_ms = bs_config_int(config, "connections.max.idle.ms"),
    };
    struct bk_addresses *addresses = &broker->addresses;
    broker->conns = bk_conns_new(&conns);
    broker->service.memory_used = bk_conns_memory(broker->conns);
    broker->service.memory_max = conns.total_bytes_max;
    broker->listeners = bs_array(addresses->listen_count, sizeof *broker->listeners);
    for (size_t i = 0; i < addresses->listen_count; i++) {
        struct bk_address *address = &addresses->listen[i];
        struct listener *listener = &broker->listeners[i];
        int rc = broker->net->listen(broker->net, address->host, address->port,
                                     (int)bs_config_int(config, "socket.listen.backlog.size"),
                                     accepted, listener, &listener->io, err);
        if (rc)
            return bs_error_wrap(err, "listeners: %s:%u", *address->host ? address->host : "*",
                                 address->port);
        broker->listener_count++;
        listener->broker = broker;
        listener->port = broker->net->listener_port(listener->io);
        bs_log(&LISTENING, "%s:%u, data in %s", *address->host ? address->host : "0.0.0.0",
               listener->port, broker->data_dir);
    }
    bool six = strchr(addresses->listen[0].host, ':') != NULL;
    const char *host = addresses->listen[0].host;
    broker->listen_text =
        bs_asprintf(six ? "[%s]:%u" : "%s:%u", *host ? host : "0.0.0.0", broker->listeners[0].port);
    return 0;
}

static int start(struct broker *broker, struct bs_error *err)
{
    int rc;
    broker->loop = io_loop_uv_new(err);
    if (!broker->loop)
        return err->code ? err->code : BS_EIO;
    broker->files = io_files_uv_new(broker->loop);
    broker->net = io_net_uv_new(broker->loop);
    broker->fds =
        bk_fd_cache_new(broker->files, bs_config_int(broker->config, "weir.log.open.files"));
    rc = open_storage(broker, err);
    if (rc)
        return rc;
    struct bk_shards_spec shards = {.loop = broker->loop,
                                    .clock = io_clock_real(),
                                    .random = io_random_real(),
                                    .metadata = broker->metadata,
                                    .partitions = broker->partitions,
                                    .config = broker->config,
                                    .joined = bk_joined,
                                    .synced = bk_synced};
    broker->shards = bk_shards_open(&shards);
    fill_service(broker);
    broker->stop_timer = NULL;
    broker->status_timer = io_timer_new(broker->loop, status, broker);
    status(broker);
    return open_server(broker, err);
}

/* --- stop: each step posts or calls the next --- */

static void logs_sealed(void *ctx)
{
    struct broker *broker = ctx;
    struct bs_error err = {0};
    if (bk_metadata_seal(broker->metadata, &err))
        bs_log(&STOP_LATE, "metadata log: %s", err.text);
    else
        bs_log(&STOPPED, "%s", broker->data_dir);
    broker->loop->stop(broker->loop);
}

static void conns_closed(void *ctx)
{
    struct broker *broker = ctx;
    bk_partitions_stop(broker->partitions, logs_sealed, broker);
}

static void answers_left(void *ctx)
{
    struct broker *broker = ctx;
    if (!broker->draining)
        return;
    broker->draining = false;
    io_timer_stop(broker->stop_timer);
    bk_conns_close(broker->conns, conns_closed, broker);
}

static void stop_late(void *ctx)
{
    struct broker *broker = ctx;
    bs_log(&STOP_LATE, "%zu connections", bk_conns_count(broker->conns));
    answers_left(broker);
}

static void stop(void *ctx)
{
    struct broker *broker = ctx;
    broker->stopping = true;
    for (size_t i = 0; i < broker->listener_count; i++)
        broker->net->listener_close(broker->listeners[i].io);
    broker->listener_count = 0;
    broker->draining = true;
    broker->stop_timer = io_timer_new(broker->loop, stop_late, broker);
    io_timer_start(broker->stop_timer, bs_config_int(broker->config, "request.timeout.ms"));
    io_timer_stop(broker->status_timer);
    bk_service_stop(&broker->service);
    bk_shards_stop(broker->shards);
    bk_conns_drain(broker->conns, answers_left, broker);
}

/* Frees what was opened, in the opposite order; also after a start that failed half way. */
static void teardown(struct broker *broker)
{
    for (size_t i = 0; i < broker->listener_count; i++)
        broker->net->listener_close(broker->listeners[i].io);
    bk_conns_free(broker->conns);
    io_timer_free(broker->status_timer);
    io_timer_free(broker->stop_timer);
    bk_shards_close(broker->shards);
    bk_partitions_close(broker->partitions);
    bk_metadata_close(broker->metadata);
    bk_fd_cache_free(broker->fds);
    io_net_uv_free(broker->net);
    io_files_uv_free(broker->files);
    io_loop_uv_free(broker->loop);
    bs_free(broker->listeners);
    broker->listeners = NULL;
}

static void *thread_main(void *ctx)
{
    struct broker *broker = ctx;
    broker->start_result = start(broker, &broker->start_error);
    if (broker->start_result) {
        teardown(broker);
        io_mailbox_put(broker->started, broker, -1);
        return NULL;
    }
    io_mailbox_put(broker->started, broker, -1);
    broker->loop->run(broker->loop);
    teardown(broker);
    return NULL;
}

static void broker_free(struct broker *broker)
{
    deinit_metrics(broker);
    bk_addresses_deinit(&broker->addresses);
    io_mailbox_free(broker->started);
    bs_free(broker->listen_text);
    bs_free(broker->data_dir);
    bs_free(broker);
}

static int bk_open(const struct bs_config *config, const char *const *files, void **ret_self,
                   struct bs_error *err)
{
    struct broker *broker = bs_new(struct broker);
    void *message;
    int rc;
    (void)files;
    broker->config = config;
    init_metrics(broker);
    rc = bk_options_check(config, err);
    if (!rc)
        rc = bk_addresses_read(config, &broker->addresses, err);
    if (!rc)
        rc = bk_data_dir(config, &broker->data_dir, err);
    if (rc) {
        broker_free(broker);
        return rc;
    }
    broker->started = io_mailbox_new(1, NULL, NULL);
    rc = pthread_create(&broker->thread, NULL, thread_main, broker);
    if (rc) {
        rc = bs_error_sys(err, rc, "broker: no thread");
        broker_free(broker);
        return rc;
    }
    io_mailbox_take(broker->started, -1, &message);
    if (broker->start_result) {
        pthread_join(broker->thread, NULL);
        rc = broker->start_result;
        if (err)
            *err = broker->start_error;
        broker_free(broker);
        return rc;
    }
    *ret_self = broker;
    return 0;
}

static void bk_close(void *self)
{
    struct broker *broker = self;
    if (!broker)
        return;
    io_loop_post(broker->loop, stop, broker);
    pthread_join(broker->thread, NULL);
    broker_free(broker);
}

const struct bs_role bk_role = {.name = "broker",
                                .tables = TABLES,
                                .table_count = TABLE_COUNT,
                                .open = bk_open,
                                .health = bk_health,
                                .close = bk_close};
