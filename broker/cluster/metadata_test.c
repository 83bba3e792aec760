#include "broker/cluster/metadata.h"
#include "broker/cluster/topic_config.h"

#include "lib/base/mem.h"
#include "lib/io/loop.h"
#include "lib/kafka/errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    char dir[64];
    struct io_loop *loop;
    struct io_files *files;
    struct bk_fd_cache *fds;
    struct bs_config *config;
    struct bk_metadata *metadata;
    int16_t last_error;
    int changes;
};

static const struct bs_option_table *const tables[] = {&bk_storage_options, &bk_cluster_options};

static int open_metadata(struct fixture *f, int32_t node_id, struct bs_error *err)
{
    struct bk_metadata_spec spec = {.dir = f->dir,
                                    .ports = {.files = f->files,
                                              .clock = io_clock_real(),
                                              .random = io_random_real(),
                                              .fds = f->fds},
                                    .loop = f->loop,
                                    .config = f->config,
                                    .node_id = node_id};
    return bk_metadata_open(&spec, &f->metadata, err);
}

static void reopen(struct fixture *f)
{
    struct bs_error err = {0};
    bk_metadata_close(f->metadata);
    f->metadata = NULL;
    if (open_metadata(f, 1, &err) != 0)
        fail_msg("%s", err.text);
}

static int set_up(void **state)
{
    struct fixture *f = bs_new(struct fixture);
    strcpy(f->dir, "/tmp/metadata_test.XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    f->loop = io_loop_uv_new(NULL);
    f->files = io_files_uv_new(f->loop);
    f->fds = bk_fd_cache_new(f->files, 16);
    f->config = bs_config_new(tables, 2);
    reopen(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    bk_metadata_close(f->metadata);
    bk_fd_cache_free(f->fds);
    io_files_uv_free(f->files);
    io_loop_uv_free(f->loop);
    bs_config_free(f->config);
    char *command = bs_asprintf("rm -r %s", f->dir);
    int rc = system(command);
    bs_free(command);
    bs_free(f);
    return rc;
}

static void done(void *ctx, int16_t error)
{
    struct fixture *f = ctx;
    f->last_error = error;
    f->loop->stop(f->loop);
}

/* Runs the loop when a change was begun; gives its Kafka error. */
static int settle(struct fixture *f, int error)
{
    if (error)
        return error;
    f->loop->run(f->loop);
    return f->last_error;
}

static int create(struct fixture *f, const char *name, int32_t count)
{
    struct bk_setting settings[] = {{(char *)"retention.ms", (char *)"1000"}};
    struct bk_topic_spec spec = {.name = name,
                                 .partition_count = count,
                                 .replication_factor = -1,
                                 .settings = settings,
                                 .setting_count = 1};
    return settle(f, bk_metadata_create_topic(f->metadata, &spec, done, f, NULL));
}

static const struct bk_topic *topic(struct fixture *f, const char *name)
{
    return bk_image_topic(bk_metadata_image(f->metadata), name, strlen(name));
}

static void test_topics(void **state)
{
    struct fixture *f = *state;
    char cluster[64];
    snprintf(cluster, sizeof cluster, "%s", bk_metadata_cluster_id(f->metadata));
    assert_int_equal(0, create(f, "b", 3));
    assert_int_equal(0, create(f, "a.x", -1));
    assert_int_equal(KP_ERR_TOPIC_ALREADY_EXISTS, create(f, "b", 3));
    assert_int_equal(KP_ERR_INVALID_TOPIC_EXCEPTION, create(f, "a_x", 1));
    assert_int_equal(KP_ERR_INVALID_TOPIC_EXCEPTION, create(f, "a/b", 1));
    assert_int_equal(KP_ERR_INVALID_TOPIC_EXCEPTION, create(f, "..", 1));
    assert_int_equal(KP_ERR_INVALID_PARTITIONS, create(f, "c", 0));
    assert_int_equal(KP_ERR_POLICY_VIOLATION, create(f, "c", 10001));
    assert_string_equal("a.x", bk_image_topic_next(bk_metadata_image(f->metadata), NULL)->name);
    struct bk_uuid id = topic(f, "b")->id;
    for (int pass = 0; pass < 2; pass++) {
        assert_int_equal(3, topic(f, "b")->partition_count);
        assert_int_equal(pass, topic(f, "b")->partitions[2].leader_epoch);
        assert_string_equal("1000", bk_topic_setting(topic(f, "b"), "retention.ms"));
        assert_ptr_equal(topic(f, "b"), bk_image_topic_by_id(bk_metadata_image(f->metadata), &id));
        assert_string_equal(cluster, bk_metadata_cluster_id(f->metadata));
        assert_int_equal(4, bk_image_partition_count(bk_metadata_image(f->metadata)));
        reopen(f);
    }
    assert_int_equal(0, settle(f, bk_metadata_create_partitions(f->metadata, topic(f, "b"), 5, NULL,
                                                                0, false, done, f, NULL)));
    assert_int_equal(5, topic(f, "b")->partition_count);
    assert_int_equal(KP_ERR_INVALID_PARTITIONS,
                     bk_metadata_create_partitions(f->metadata, topic(f, "b"), 5, NULL, 0, false,
                                                   done, f, NULL));
    assert_int_equal(
        0, settle(f, bk_metadata_delete_topic(f->metadata, topic(f, "b"), done, f, NULL)));
    assert_null(topic(f, "b"));
    assert_int_equal(0, create(f, "b", 1));
    reopen(f);
    assert_int_equal(1, topic(f, "b")->partition_count);
    assert_false(bk_uuid_equal(&id, &topic(f, "b")->id));
}

static int alter(struct fixture *f, const char *name, const char *value, enum bk_config_op op,
                 bool replace)
{
    struct bk_config_change change = {.name = name, .value = value, .op = op};
    return settle(f, bk_metadata_alter_configs(f->metadata, BK_RESOURCE_TOPIC, "t", &change, 1,
                                               replace, false, done, f, NULL));
}

static void test_configs(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(0, create(f, "t", 1));
    assert_int_equal(0, alter(f, "cleanup.policy", "compact", BK_CONFIG_APPEND, false));
    assert_string_equal("delete,compact", bk_topic_setting(topic(f, "t"), "cleanup.policy"));
    assert_int_equal(0, alter(f, "cleanup.policy", "delete", BK_CONFIG_SUBTRACT, false));
    struct bk_log_config config = bk_topic_config_log(topic(f, "t"), f->config);
    assert_true(config.compact && !config.remove);
    assert_int_equal(1000, config.retention_ms);
    assert_int_equal(KP_ERR_INVALID_CONFIG, alter(f, "retention.ms", "x", BK_CONFIG_SET, false));
    assert_int_equal(KP_ERR_INVALID_CONFIG, alter(f, "retention.m", "1", BK_CONFIG_SET, false));
    assert_int_equal(KP_ERR_INVALID_CONFIG, alter(f, "retention.ms", "1", BK_CONFIG_APPEND, false));
    assert_int_equal(0, alter(f, "segment.bytes", "5000", BK_CONFIG_SET, true));
    reopen(f);
    assert_int_equal(1, topic(f, "t")->setting_count);
    config = bk_topic_config_log(topic(f, "t"), f->config);
    assert_int_equal(5000, config.segment_bytes);
    assert_int_equal(604800000, config.retention_ms);
    assert_int_equal(0, alter(f, "segment.bytes", NULL, BK_CONFIG_DELETE, false));
    assert_int_equal(0, topic(f, "t")->setting_count);
    /* Broker defaults, also in another unit. */
    char scratch[32];
    enum bk_config_source source;
    bs_config_set(f->config, "log.retention.hours", "2", "--set", NULL);
    size_t row =
        (size_t)(bs_option_find(&bk_topic_options, "retention.ms") - bk_topic_options.rows);
    assert_string_equal("7200000",
                        bk_topic_config_value(topic(f, "t"), f->config, row, scratch, &source));
    assert_int_equal(BK_SOURCE_BROKER, source);
}

static void test_producer_ids(void **state)
{
    struct fixture *f = *state;
    int64_t last = -1, id = 0;
    for (int i = 0; i < 400; i++) {
        assert_int_equal(0, bk_metadata_producer_id(f->metadata, &id));
        assert_true(id > last);
        last = id;
    }
    reopen(f);
    assert_int_equal(0, bk_metadata_producer_id(f->metadata, &id));
    assert_int_equal(1000, id);
}

static void test_guards(void **state)
{
    struct fixture *f = *state;
    struct bk_metadata *first = f->metadata;
    struct bs_error err = {0};
    assert_int_equal(BS_EBUSY, open_metadata(f, 1, &err)); /* the folder is locked */
    bk_metadata_close(first);
    f->metadata = NULL;
    assert_int_equal(BS_ECONFLICT, open_metadata(f, 2, &err));
    assert_non_null(strstr(err.text, "node.id"));
    f->metadata = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(test_topics),
        T(test_configs),
        T(test_producer_ids),
        T(test_guards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
