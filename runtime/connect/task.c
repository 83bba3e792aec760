/* Task: the thread of one connector task, and the table that its plugin calls.
 *
 * The thread resolves placeholders in its own copy of the configuration, runs the source or the
 * sink until it ends, and reports. It is stopped by its eventfd, which plugins may watch as well.
 */
#include "runtime/connect/task.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "runtime/connect/seat.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static const struct bs_event plugin_events[] = {
    [CN_LOG_ERROR] = {"connect.error", BS_LOG_ERROR, "Said by a connector."},
    [CN_LOG_WARN] = {"connect.warning", BS_LOG_WARN, "Said by a connector."},
    [CN_LOG_INFO] = {"connect.info", BS_LOG_INFO, "Said by a connector."},
    [CN_LOG_DEBUG] = {"connect.debug", BS_LOG_DEBUG, "Said by a connector."},
};
static const struct bs_event passed_over = {
    "connect.record_passed_over", BS_LOG_WARN,
    "A record could not be read or written, and errors.tolerance=all lets the task go on."};

static const struct bs_metric_desc records_desc = {
    "weir_connect_records_total", BS_COUNTER,
    "Records read by a source or written by a sink task."};
static const struct bs_metric_desc rejected_desc = {
    "weir_connect_record_errors_total", BS_COUNTER,
    "Records that could not be read, converted or written."};

int64_t rt_connector_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Told by the host, apart from the seat. */
static bool told(const struct cn_task *task, int64_t ms)
{
    struct pollfd fd = {.fd = task->wake_fd, .events = POLLIN};
    int n;
    do
        n = poll(&fd, 1, (int)ms);
    while (n < 0 && errno == EINTR);
    return n > 0;
}

bool rt_connector_task_wait(struct cn_task *task, int64_t ms)
{
    enum { SLICE_MS = 500 };
    while (task->seat) {
        int64_t slice = ms < 0 || ms > SLICE_MS ? SLICE_MS : ms;
        if (!rt_seat_held(task->seat) || told(task, slice))
            return true;
        if (ms >= 0 && (ms -= slice) == 0)
            return false;
    }
    return told(task, ms);
}

bool rt_connector_task_stopping(struct cn_task *task)
{
    return rt_connector_task_wait(task, 0);
}

int64_t rt_connector_task_pause_ms(const struct cn_task *task, unsigned tries)
{
    int64_t fixed = rt_config_int(task->config, "retry.backoff.ms", 0);
    int64_t most = rt_config_int(task->config, "errors.retry.delay.max.ms", 10000);
    if (fixed > 0)
        return fixed;
    int64_t pause = INT64_C(250) << (tries < 6 ? tries : 6);
    if (most > 10000)
        most = 10000;
    return pause < most ? pause : most;
}

bool rt_connector_task_reject(struct cn_task *task, const char *text)
{
    bs_metric_add(&task->rejected, 1);
    if (!task->tolerant) {
        bs_error_set(&task->reason, BS_EINVAL, "%s", text);
        return false;
    }
    if (task->log_errors)
        bs_log(&passed_over, "%s-%u: %s", task->options.connector, task->options.index, text);
    return true;
}

/* ---- the table ---- */

static void host_log(struct cn_task *task, enum cn_level level, const char *text)
{
    if (level <= CN_LOG_DEBUG)
        bs_log(&plugin_events[level], "%s-%u: %s", task->options.connector, task->options.index,
               text);
}

static int host_reject(struct cn_task *task, const struct cn_error *error)
{
    return rt_connector_task_reject(task, error->text) ? CN_OK : CN_FAIL;
}

static int host_wake_fd(struct cn_task *task)
{
    return task->wake_fd;
}

static int host_stopping(struct cn_task *task)
{
    return rt_connector_task_stopping(task);
}

const struct cn_host rt_connector_table = {
    .struct_size = sizeof(rt_connector_table),
    .abi = CN_ABI,
    .version = WEIR_VERSION,
    .option = rt_config_option,
    .log = host_log,
    .emit = rt_source_emit,
    .position = rt_source_position,
    .stored = rt_source_stored,
    .reject = host_reject,
    .reject_record = rt_sink_reject_record,
    .wake_fd = host_wake_fd,
    .stopping = host_stopping,
};

/* ---- life ---- */

/* Runs as long as the seat is held, and stands by for it otherwise. Being fenced is losing it: the
 * one who fenced has it. */
static int run_seated(struct cn_task *task, struct bs_error *err)
{
    for (;;) {
        int result = task->options.instance ? rt_seat_take(task, &task->seat, err) : 0;
        if (result != 0)
            return result < 0 ? result : 0;
        result =
            task->plugin->kind == CN_SOURCE ? rt_source_run(task, err) : rt_sink_run(task, err);
        rt_seat_leave(task->seat);
        task->seat = NULL;
        if (!task->options.instance || told(task, 0) || (result != 0 && result != BS_EFENCED))
            return result;
        task->options.report(task->options.ctx, task, RT_TASK_WAITING,
                             result ? err->text : "another worker runs it");
        if (told(task, 500))
            return 0;
    }
}

static void *run(void *ptr)
{
    struct cn_task *task = ptr;
    struct bs_error err = {0};
    char name[16];
    snprintf(name, sizeof(name), "cn-%.12s", task->options.connector);
    pthread_setname_np(pthread_self(), name);
    int result = rt_config_resolve(task->config, &err);
    if (result == 0)
        result = run_seated(task, &err);
    task->options.report(task->options.ctx, task, result < 0 ? RT_TASK_FAILED : RT_TASK_ENDED,
                         result < 0 ? err.text : NULL);
    return NULL;
}

struct cn_task *rt_connector_task_start(const struct rt_task_options *options)
{
    struct cn_task *task = bs_new(struct cn_task);
    char *labels = bs_asprintf("connector=\"%s\",task=\"%u\"", options->connector, options->index);
    task->options = *options;
    task->options.connector = bs_strdup(options->connector);
    task->options.bootstrap = bs_strdup(options->bootstrap);
    task->options.group_id = bs_strdup(options->group_id);
    task->options.instance = bs_strdup(options->instance);
    task->options.config = NULL;
    task->config = rt_config_copy(options->config);
    task->plugin = options->config->plugin;
    task->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    task->tolerant = rt_config_is(task->config, "errors.tolerance", "all");
    task->log_errors = rt_config_is(task->config, "errors.log.enable", "true");
    bs_metric_init(&task->records, &records_desc, labels);
    bs_metric_init(&task->rejected, &rejected_desc, labels);
    bs_free(labels);
    pthread_create(&task->thread, NULL, run, task);
    return task;
}

void rt_connector_task_stop(struct cn_task *task)
{
    eventfd_write(task->wake_fd, 1);
}

void rt_connector_task_free(struct cn_task *task)
{
    if (!task)
        return;
    pthread_join(task->thread, NULL);
    close(task->wake_fd);
    bs_metric_deinit(&task->records);
    bs_metric_deinit(&task->rejected);
    rt_config_free(task->config);
    bs_free((char *)task->options.connector);
    bs_free((char *)task->options.bootstrap);
    bs_free((char *)task->options.group_id);
    bs_free((char *)task->options.instance);
    bs_free(task);
}
