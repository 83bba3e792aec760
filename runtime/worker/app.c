/* One pipeline in this worker.
 *
 * Its own thread starts it step by step (load, topics, peers, global tables), each step waiting for
 * what is not there yet, then starts the processing threads and looks after them: progress lines
 * and the end. Fields of struct rt_app are set before the processing threads start and only read
 * afterwards; what changes later is in `progress`. */
#include "runtime/worker/app.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "runtime/worker/keeper.h"
#include "runtime/worker/peers.h"
#include "runtime/worker/thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct bs_event RUNNING = {"worker.pipeline-running", BS_LOG_INFO,
                                        "A pipeline's threads have joined its group."};
static const struct bs_event FAILED = {
    "worker.pipeline-failed", BS_LOG_ERROR,
    "A pipeline stopped with an error; nothing of the failed transaction was committed."};
static const struct bs_event STOPPED = {"worker.pipeline-stopped", BS_LOG_INFO,
                                        "A pipeline has ended in order."};
static const struct bs_event WAITING = {
    "worker.pipeline-waiting", BS_LOG_WARN,
    "A pipeline cannot start yet; it says what it waits for and tries again."};
static const struct bs_event PROGRESS = {"worker.progress", BS_LOG_INFO,
                                         "Records that a pipeline has processed and committed."};

static const struct bs_metric_desc PROCESSED = {"weir_pipeline_processed_records_total", BS_COUNTER,
                                                "Records taken through the pipeline."};
static const struct bs_metric_desc COMMITTED = {
    "weir_pipeline_committed_records_total", BS_COUNTER,
    "Records whose outputs and positions are committed."};
static const struct bs_metric_desc DROPPED = {
    "weir_pipeline_dropped_records_total", BS_COUNTER,
    "Records dropped by the rules of operators: no key, too late, no timestamp."};

static const struct bs_metric_desc COMMITS = {"weir_pipeline_commits_total", BS_COUNTER,
                                              "Commits of a thread's transaction."};
static const struct bs_metric_desc COMMIT_MS = {
    "weir_pipeline_commit_milliseconds_total", BS_COUNTER,
    "Time in commits: flush, transaction, state; a thread processes nothing meanwhile."};

enum {
    RETRY_MS = 100,
    WORD_MS = 1000,
    REPEAT_MS = 10000,
    LOOK_MS = 50,
    PROGRESS_MS = 5000,
    PEERS_MARGIN_MS = 2000,
    THREADS_MAX = 256,
};

struct rt_app_run {
    struct rt_app app;
    pthread_t thread;
    struct rt_thread *threads;
    pthread_t *handles;
    int started;
    struct rt_keeper *keeper;
    uint64_t quiet_version; /* of rt_app_caught_up's last look; 0: it was not quiet */
};

int rt_app_load(struct rt_app *app, struct rt_pipeline **ret, struct bs_error *err)
{
    const struct rt_settings *settings = app->shared->settings;
    struct rt_schemas schemas = rt_schemas_of(&app->shared->schemas);
    struct rt_limits limits = {.memory_max = settings->memory_max_bytes,
                               .cpu_max_per_record_ms = settings->cpu_max_per_record_ms};
    return rt_pipeline_load(app->file, &schemas, &limits, ret, err);
}

/* ---- the start, step by step ---- */

static int stopped(struct rt_app *app, struct bs_error *err)
{
    return rt_progress_stopping(app->progress)
               ? bs_error_set(err, BS_ECANCELLED, "%s: stopped before it ran", app->file)
               : 0;
}

/* A step that cannot be done yet is tried again for source.topics.wait.ms. */
struct patience {
    struct rt_app *app;
    int64_t start_ms, word_ms;
};

static struct patience patience(struct rt_app *app)
{
    int64_t now = rt_now_ms();
    return (struct patience){.app = app, .start_ms = now, .word_ms = now + WORD_MS};
}

/* 0: try again; else the error to end with. */
static int wait_again(struct patience *p, int rc, const char *text, struct bs_error *err)
{
    int64_t now = rt_now_ms();
    int end = stopped(p->app, err);
    if (end != 0)
        return end;
    if (now - p->start_ms >= p->app->shared->settings->topics_wait_ms)
        return rc;
    if (now >= p->word_ms) {
        bs_log(&WAITING, "%s", text);
        rt_progress_phase(p->app->progress, RT_PHASE_STARTING, text);
        p->word_ms = now + REPEAT_MS;
    }
    usleep(RETRY_MS * 1000);
    return 0;
}

static int load(struct rt_app *app, struct bs_error *err)
{
    struct patience p = patience(app);
    if (access(app->file, R_OK) != 0)
        return bs_error_sys(err, errno, "cannot read %s", app->file);
    for (;;) {
        struct bs_error cause = {0};
        int rc = rt_app_load(app, &app->first, &cause);
        /* A subject that a connector is about to register, a registry that is about to start. */
        bool later = rc == BS_ENOTFOUND || rc == BS_ECONNECT || rc == BS_ETIMEOUT || rc == BS_EBUSY;
        if (rc == 0)
            break;
        if (err)
            *err = cause;
        if (!later || !app->shared->schemas.client)
            return rc;
        rc = wait_again(&p, rc, cause.text, err);
        if (rc != 0)
            return rc;
    }
    app->plan = rt_pipeline_plan(app->first);
    app->threads =
        app->shared->settings->threads ? app->shared->settings->threads : app->plan->threads;
    if (app->threads < 1 || app->threads > THREADS_MAX)
        return bs_error_set(err, BS_ERANGE, "%s: threads = %d, between 1 and %d are possible",
                            app->file, app->threads, THREADS_MAX);
    return 0;
}

static int open_admin(struct rt_app *app, struct bs_error *err)
{
    /* read_uncommitted: offsets of the log's true end. */
    static const struct rt_client_option OPTIONS[] = {
        {"isolation.level", "read_uncommitted"}, {"topic.metadata.refresh.interval.ms", "-1"}, {0}};
    struct rt_client_spec spec = {.type = RD_KAFKA_CONSUMER,
                                  .bootstrap = app->shared->settings->bootstrap,
                                  .client_id = "weir-admin",
                                  .options = OPTIONS,
                                  .where = app->file};
    return rt_client_open(&spec, &app->admin, err);
}

static int open_dir(struct rt_app *app, struct bs_error *err)
{
    const char *root =
        app->plan->state_dir ? app->plan->state_dir : app->shared->settings->state_dir;
    int rc;
    app->dir = bs_asprintf("%s/%s", root, app->plan->app_id);
    rc = rt_folder_make(app->dir, err);
    if (rc == 0)
        rc = rt_folder_lock(app->dir, &app->lock_fd, err);
    if (rc == BS_EBUSY)
        bs_error_set(
            err, rc,
            "%s: another pipeline runs with the id '%s', so both would share its group and "
            "state\n  hint: weir.app { id = \"…\" } in one of them",
            app->file, app->plan->app_id);
    return rc;
}

/* Members of another version may be the last run's: they count until their session ends. */
static int check_peers(struct rt_app *app, struct bs_error *err)
{
    int64_t end = rt_now_ms() + app->shared->settings->session_timeout_ms + PEERS_MARGIN_MS;
    int rc;
    while ((rc = rt_peers_check(app->admin, app->plan, app->shared->identity->id, err)) != 0) {
        if (rt_now_ms() > end || stopped(app, NULL) != 0)
            return rc;
        usleep(RETRY_MS * 1000);
    }
    return 0;
}

/* The bounded sources that fill global tables come first: the pipeline joins with whole tables. */
static int wait_for_sources(struct rt_app *app, struct bs_error *err)
{
    int64_t word = rt_now_ms() + WORD_MS;
    for (size_t i = 0; i < app->plan->global_count && app->shared->host; i++) {
        const char *topic = app->plan->globals[i].topic;
        bool complete = false;
        for (;;) {
            char text[400];
            int rc = rt_connect_topic_complete(app->shared->host, topic, &complete, err);
            if (rc != 0)
                return bs_error_wrap(err, "%s: the source of global table '%s'", app->file, topic);
            if (complete)
                break;
            if ((rc = stopped(app, err)) != 0)
                return rc;
            if (rt_now_ms() >= word) {
                snprintf(text, sizeof text,
                         "%s waits for the source of global table '%s' to be complete", app->file,
                         topic);
                bs_log(&WAITING, "%s", text);
                rt_progress_phase(app->progress, RT_PHASE_STARTING, text);
                word = rt_now_ms() + REPEAT_MS;
            }
            usleep(20000);
        }
    }
    return 0;
}

static int open_globals(struct rt_app_run *run, struct bs_error *err)
{
    struct rt_app *app = &run->app;
    struct rt_store_spec *specs;
    char *dir;
    int rc;
    if (app->plan->global_count == 0)
        return 0;
    rc = wait_for_sources(app, err);
    if (rc != 0)
        return rc;
    rt_progress_phase(app->progress, RT_PHASE_RESTORING, "reading global tables");
    specs = bs_array(app->plan->global_count, sizeof *specs);
    for (size_t i = 0; i < app->plan->global_count; i++)
        specs[i] = app->plan->globals[i].store;
    dir = bs_asprintf("%s/global", app->dir);
    rc = rt_globals_open(app->shared->rocks, dir, specs, app->plan->global_count, &app->globals,
                         err);
    bs_free(dir);
    bs_free(specs);
    return rc != 0 ? rc : rt_keeper_open(app, &run->keeper, err);
}

static void *thread_entry(void *arg)
{
    rt_thread_main(arg);
    return NULL;
}

static int start_threads(struct rt_app_run *run, struct bs_error *err)
{
    struct rt_app *app = &run->app;
    run->threads = bs_array((size_t)app->threads, sizeof *run->threads);
    run->handles = bs_array((size_t)app->threads, sizeof *run->handles);
    for (int i = 0; i < app->threads; i++) {
        run->threads[i] = (struct rt_thread){.app = app, .index = i};
        run->threads[i].pipeline = i == 0 ? app->first : NULL;
        if (pthread_create(&run->handles[i], NULL, thread_entry, &run->threads[i]) != 0)
            return bs_error_set(err, BS_ENOMEM, "%s: cannot start thread %d", app->file, i);
        run->started = i + 1;
    }
    return 0;
}

static int start(struct rt_app_run *run, struct bs_error *err)
{
    struct rt_app *app = &run->app;
    int rc = load(app, err);
    if (rc == 0)
        rc = open_dir(app, err);
    if (rc == 0)
        rc = open_admin(app, err);
    if (rc == 0)
        rc = rt_topics_prepare(app->admin, app->plan, app->shared->settings, app->progress,
                               &app->topics, err);
    if (rc == 0)
        rc = check_peers(app, err);
    if (rc == 0)
        rc = open_globals(run, err);
    return rc == 0 ? start_threads(run, err) : rc;
}

/* ---- running ---- */

static void say_progress(struct rt_app *app, int64_t *said)
{
    struct rt_snapshot snapshot;
    rt_progress_snapshot(app->progress, app->threads, &snapshot);
    if (snapshot.committed != *said)
        bs_log(&PROGRESS, "%s: %lld record%s committed, %lld dropped, %zu partition%s",
               app->plan->app_id, (long long)snapshot.committed, bs_plural(snapshot.committed),
               (long long)snapshot.dropped, snapshot.count, bs_plural((long long)snapshot.count));
    *said = snapshot.committed;
    rt_snapshot_deinit(&snapshot);
}

/* Until it is to stop. RUNNING is said once every thread has an assignment. */
static void look_after(struct rt_app *app)
{
    int64_t said = 0, next = rt_now_ms() + PROGRESS_MS;
    bool running = false;
    while (!rt_progress_stopping(app->progress)) {
        if (!running) {
            struct rt_snapshot snapshot;
            rt_progress_snapshot(app->progress, app->threads, &snapshot);
            running = snapshot.assigned;
            rt_snapshot_deinit(&snapshot);
            if (running) {
                rt_progress_phase(app->progress, RT_PHASE_RUNNING, NULL);
                bs_log(&RUNNING, "%s: %d thread%s", app->plan->app_id, app->threads,
                       bs_plural(app->threads));
            }
        }
        if (rt_now_ms() >= next) {
            say_progress(app, &said);
            next = rt_now_ms() + PROGRESS_MS;
        }
        usleep(running ? LOOK_MS * 1000 : 5000);
    }
    say_progress(app, &said);
}

static void close_parts(struct rt_app_run *run)
{
    struct rt_app *app = &run->app;
    for (int i = 0; i < run->started; i++)
        pthread_join(run->handles[i], NULL);
    rt_keeper_close(run->keeper);
    rt_globals_close(app->globals);
    for (int i = 1; i < run->started; i++)
        rt_pipeline_free(run->threads[i].pipeline);
}

static void *main_entry(void *arg)
{
    struct rt_app_run *run = arg;
    struct rt_app *app = &run->app;
    struct bs_error err = {0};
    struct bs_buf detail = BS_BUF_INIT;
    int rc = start(run, &err);
    if (rc == 0)
        look_after(app);
    else if (rc != BS_ECANCELLED || !rt_progress_stopping(app->progress))
        rt_progress_phase(app->progress, RT_PHASE_FAILED, err.text);
    rt_progress_stop(app->progress);
    close_parts(run);
    if (rt_progress_get(app->progress, &detail) == RT_PHASE_FAILED) {
        bs_log(&FAILED, "%s", bs_buf_text(&detail));
    } else {
        rt_progress_phase(app->progress, RT_PHASE_STOPPED, NULL);
        bs_log(&STOPPED, "%s", app->file);
    }
    bs_buf_deinit(&detail);
    return NULL;
}

int rt_app_open(const struct rt_shared *shared, const char *file, struct rt_app_run **ret,
                struct bs_error *err)
{
    struct rt_app_run *run = bs_new(struct rt_app_run);
    char *labels = bs_asprintf("file=\"%s\"", file);
    run->app.shared = shared;
    run->app.file = bs_strdup(file);
    run->app.lock_fd = -1;
    run->app.progress = rt_progress_new(THREADS_MAX);
    bs_metric_init(&run->app.processed, &PROCESSED, labels);
    bs_metric_init(&run->app.committed, &COMMITTED, labels);
    bs_metric_init(&run->app.dropped, &DROPPED, labels);
    bs_metric_init(&run->app.commits, &COMMITS, labels);
    bs_metric_init(&run->app.commit_ms, &COMMIT_MS, labels);
    bs_free(labels);
    *ret = run;
    if (pthread_create(&run->thread, NULL, main_entry, run) != 0) {
        run->thread = 0;
        rt_app_close(run);
        *ret = NULL;
        return bs_error_set(err, BS_ENOMEM, "%s: cannot start a thread", file);
    }
    return 0;
}

struct rt_app *rt_app_of(struct rt_app_run *run)
{
    return &run->app;
}

void rt_app_stop(struct rt_app_run *run)
{
    rt_progress_stop(run->app.progress);
}

void rt_app_close(struct rt_app_run *run)
{
    if (!run)
        return;
    rt_progress_stop(run->app.progress);
    if (run->thread)
        pthread_join(run->thread, NULL);
    if (run->app.admin) /* others may ask through it until here */
        rd_kafka_destroy(run->app.admin);
    rt_topics_deinit(&run->app.topics);
    rt_pipeline_free(run->app.first);
    bs_metric_deinit(&run->app.processed);
    bs_metric_deinit(&run->app.committed);
    bs_metric_deinit(&run->app.dropped);
    bs_metric_deinit(&run->app.commits);
    bs_metric_deinit(&run->app.commit_ms);
    rt_progress_free(run->app.progress);
    bs_free(run->threads);
    bs_free(run->handles);
    if (run->app.lock_fd >= 0)
        close(run->app.lock_fd);
    bs_free(run->app.dir);
    bs_free(run->app.file);
    bs_free(run);
}

/* ---- what others ask ---- */

/* The ends are those of the log itself: were a committed transaction's marker still on its way, the
 * end would be ahead of any position. */
static bool at_ends(struct rt_app *app, const struct rt_snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->count; i++) {
        int64_t first, end;
        if (rt_client_ends(app->admin, snapshot->places[i].topic, snapshot->places[i].partition,
                           &first, &end, NULL) != 0 ||
            end > (snapshot->places[i].position < 0 ? first : snapshot->places[i].position))
            return false;
    }
    return true;
}

bool rt_app_caught_up(struct rt_app_run *run)
{
    struct rt_app *app = &run->app;
    struct rt_snapshot before, after;
    bool quiet, again;
    if (rt_progress_get(app->progress, NULL) != RT_PHASE_RUNNING)
        return false;
    rt_progress_snapshot(app->progress, app->threads, &before);
    quiet = before.assigned && before.idle && at_ends(app, &before);
    rt_progress_snapshot(app->progress, app->threads, &after);
    quiet = quiet && before.version == after.version;
    again = quiet && run->quiet_version == before.version;
    run->quiet_version = quiet ? before.version : 0;
    rt_snapshot_deinit(&before);
    rt_snapshot_deinit(&after);
    return again;
}

void rt_app_status(struct rt_app_run *run, struct bs_buf *out)
{
    static const char *const PHASES[] = {[RT_PHASE_STARTING] = "starting",
                                         [RT_PHASE_RESTORING] = "restoring",
                                         [RT_PHASE_RUNNING] = "running",
                                         [RT_PHASE_FAILED] = "failed",
                                         [RT_PHASE_STOPPED] = "stopped"};
    struct rt_app *app = &run->app;
    struct bs_buf detail = BS_BUF_INIT;
    struct rt_snapshot snapshot;
    enum rt_phase phase = rt_progress_get(app->progress, &detail);
    rt_progress_snapshot(app->progress, THREADS_MAX, &snapshot);
    bs_buf_puts(out, "{\"file\":");
    bs_buf_put_json_string(out, app->file, strlen(app->file));
    bs_buf_printf(out, ",\"state\":\"%s\"", PHASES[phase]);
    if (detail.len) {
        bs_buf_puts(out, ",\"message\":");
        bs_buf_put_json_string(out, (const char *)detail.data, detail.len);
    }
    bs_buf_printf(out,
                  ",\"processed_records\":%lld,\"committed_records\":%lld,\"dropped_records\":%lld,"
                  "\"restoring_tasks\":%zu,\"partitions\":[",
                  (long long)snapshot.processed, (long long)snapshot.committed,
                  (long long)snapshot.dropped, snapshot.restoring);
    for (size_t i = 0; i < snapshot.count; i++) {
        const struct rt_place *place = &snapshot.places[i];
        bs_buf_puts(out, i ? ",{\"topic\":" : "{\"topic\":");
        bs_buf_put_json_string(out, place->topic, strlen(place->topic));
        bs_buf_printf(out, ",\"partition\":%d,\"task\":\"%d_%d\",\"position\":%lld,\"at_end\":%s}",
                      place->partition, place->subtopology, place->partition,
                      (long long)place->position, place->at_end ? "true" : "false");
    }
    bs_buf_puts(out, "]}");
    rt_snapshot_deinit(&snapshot);
    bs_buf_deinit(&detail);
}
