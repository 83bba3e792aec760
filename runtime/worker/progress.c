/* What is shared between a pipeline's threads and those who ask about them; see progress.h.
 * `lock` guards every field. */
#include "runtime/worker/progress.h"

#include "lib/base/mem.h"

#include <pthread.h>

struct picture {
    struct rt_place *places;
    size_t count, cap, restoring;
    bool assigned, busy;
};

struct rt_progress {
    pthread_mutex_t lock;
    bool stop;
    enum rt_phase phase;
    char *detail;
    struct picture *pictures;
    int threads;
    uint64_t version;
    int64_t processed, committed, dropped;
};

struct rt_progress *rt_progress_new(int threads_max)
{
    struct rt_progress *progress = bs_new(struct rt_progress);
    pthread_mutex_init(&progress->lock, NULL);
    progress->threads = threads_max;
    progress->pictures = bs_array((size_t)threads_max, sizeof *progress->pictures);
    return progress;
}

void rt_progress_free(struct rt_progress *progress)
{
    if (!progress)
        return;
    for (int i = 0; i < progress->threads; i++)
        bs_free(progress->pictures[i].places);
    bs_free(progress->pictures);
    bs_free(progress->detail);
    pthread_mutex_destroy(&progress->lock);
    bs_free(progress);
}

void rt_progress_stop(struct rt_progress *progress)
{
    pthread_mutex_lock(&progress->lock);
    progress->stop = true;
    pthread_mutex_unlock(&progress->lock);
}

bool rt_progress_stopping(struct rt_progress *progress)
{
    bool stop;
    pthread_mutex_lock(&progress->lock);
    stop = progress->stop;
    pthread_mutex_unlock(&progress->lock);
    return stop;
}

void rt_progress_phase(struct rt_progress *progress, enum rt_phase phase, const char *detail)
{
    pthread_mutex_lock(&progress->lock);
    if (progress->phase != RT_PHASE_FAILED) {
        progress->phase = phase;
        bs_free(progress->detail);
        progress->detail = bs_strdup(detail);
        progress->version++;
        if (phase == RT_PHASE_FAILED)
            progress->stop = true;
    }
    pthread_mutex_unlock(&progress->lock);
}

enum rt_phase rt_progress_get(struct rt_progress *progress, struct bs_buf *detail)
{
    enum rt_phase phase;
    pthread_mutex_lock(&progress->lock);
    phase = progress->phase;
    if (detail && progress->detail)
        bs_buf_puts(detail, progress->detail);
    pthread_mutex_unlock(&progress->lock);
    return phase;
}

void rt_progress_publish(struct rt_progress *progress, int thread, const struct rt_place *places,
                         size_t count, bool assigned, bool busy, size_t restoring)
{
    struct picture *picture = &progress->pictures[thread];
    pthread_mutex_lock(&progress->lock);
    if (picture->cap < count) {
        picture->cap = count;
        picture->places = bs_realloc(picture->places, count * sizeof *places);
    }
    if (count)
        memcpy(picture->places, places, count * sizeof *places);
    picture->count = count;
    picture->assigned = assigned;
    picture->busy = busy;
    picture->restoring = restoring;
    progress->version++;
    pthread_mutex_unlock(&progress->lock);
}

void rt_progress_count(struct rt_progress *progress, int64_t processed, int64_t committed,
                       int64_t dropped)
{
    pthread_mutex_lock(&progress->lock);
    progress->processed += processed;
    progress->committed += committed;
    progress->dropped += dropped;
    pthread_mutex_unlock(&progress->lock);
}

void rt_progress_snapshot(struct rt_progress *progress, int threads, struct rt_snapshot *ret)
{
    size_t count = 0, at = 0;
    *ret = (struct rt_snapshot){.assigned = true, .idle = true};
    pthread_mutex_lock(&progress->lock);
    for (int i = 0; i < threads; i++)
        count += progress->pictures[i].count;
    ret->places = bs_array(count + 1, sizeof *ret->places);
    for (int i = 0; i < threads; i++) {
        const struct picture *picture = &progress->pictures[i];
        if (picture->count)
            memcpy(ret->places + at, picture->places, picture->count * sizeof *ret->places);
        at += picture->count;
        ret->assigned = ret->assigned && picture->assigned;
        ret->restoring += picture->restoring;
        ret->idle = ret->idle && !picture->busy && picture->restoring == 0;
    }
    ret->count = count;
    ret->version = progress->version;
    ret->processed = progress->processed;
    ret->committed = progress->committed;
    ret->dropped = progress->dropped;
    pthread_mutex_unlock(&progress->lock);
    for (size_t i = 0; i < count; i++)
        ret->idle = ret->idle && ret->places[i].at_end;
}

void rt_snapshot_deinit(struct rt_snapshot *snapshot)
{
    bs_free(snapshot->places);
    *snapshot = (struct rt_snapshot){0};
}
