/* Topics of a pipeline on the broker.
 *
 * Sources must be there: somebody else makes them. Repartition topics and changelogs are the
 * pipeline's own and are made with what their meaning asks: records for ever (a repartition topic's
 * are read at the pipeline's pace, never lost to the clock), changelogs compacted. A sink that is
 * missing is made unless create.sink.topics says no. Called once, by the pipeline's own thread. */
#include "runtime/worker/topics.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct bs_event WAITING = {
    "worker.waiting-for-topic", BS_LOG_WARN,
    "A pipeline reads a topic that is not there yet; create it, or start what writes it."};
static const struct bs_event MADE = {"worker.topic-made", BS_LOG_INFO,
                                     "A topic that a pipeline needs was created."};

enum { POLL_MS = 100, FIRST_WORD_MS = 1000, REPEAT_MS = 10000, CREATE_TIMEOUT_MS = 30000 };

static bool is_source(const struct rt_plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->global_count; i++)
        if (strcmp(plan->globals[i].topic, name) == 0)
            return true;
    for (size_t i = 0; i < plan->subtopology_count; i++)
        for (size_t t = 0; t < plan->subtopologies[i].topic_count; t++)
            if (strcmp(plan->subtopologies[i].topics[t], name) == 0)
                return true;
    return false;
}

static size_t find(const struct rt_plan *plan, const char *name)
{
    size_t i = 0;
    while (i < plan->topic_count && strcmp(plan->topics[i].name, name) != 0)
        i++;
    return i;
}

int32_t rt_topics_partitions(const struct rt_topics *topics, const char *name)
{
    size_t i = find(topics->plan, name);
    return i < topics->plan->topic_count ? topics->partitions[i] : 0;
}

int32_t rt_topics_tasks(const struct rt_topics *topics, const struct rt_subtopology *sub)
{
    int32_t most = 0;
    for (size_t i = 0; i < sub->topic_count; i++) {
        int32_t n = rt_topics_partitions(topics, sub->topics[i]);
        most = n > most ? n : most;
    }
    return most;
}

char *rt_topics_changelog(const struct rt_plan *plan, const char *store)
{
    return bs_asprintf("%s-%s-changelog", plan->app_id, store);
}

static int wait_for(rd_kafka_t *admin, const struct rt_plan *plan, const struct rt_topic *topic,
                    const struct rt_settings *settings, struct rt_progress *progress, int32_t *ret,
                    struct bs_error *err)
{
    int64_t start = rt_now_ms(), word = start + FIRST_WORD_MS;
    char detail[1400];
    for (;;) {
        struct bs_error cause = {0};
        int rc = rt_client_partitions(admin, topic->name, ret, &cause);
        int64_t now = rt_now_ms();
        if (rc == 0 && *ret > 0)
            return 0;
        if (rt_progress_stopping(progress))
            return bs_error_set(err, BS_ECANCELLED, "stopped while waiting for topic '%s'",
                                topic->name);
        if (rc != 0 && bs_error_class(rc) != BS_RETRY)
            return bs_error_set(err, rc, "%s: %s", topic->where, cause.text);
        snprintf(detail, sizeof detail, "%s: topic '%s' %s%s", topic->where, topic->name,
                 rc == 0 ? "does not exist" : "cannot be looked up: ", rc == 0 ? "" : cause.text);
        if (now - start >= settings->topics_wait_ms)
            return bs_error_set(err, rc == 0 ? BS_ENOTFOUND : rc,
                                "%s\n  hint: weir topic create %s --partitions N, or a longer "
                                "source.topics.wait.ms (%lld ms now)",
                                detail, topic->name, (long long)settings->topics_wait_ms);
        if (now >= word) {
            bs_log(&WAITING, "%s; %s waits for it", detail, plan->file);
            rt_progress_phase(progress, RT_PHASE_STARTING, detail);
            word = now + REPEAT_MS;
        }
        usleep(POLL_MS * 1000);
    }
}

static const char *create_config(const struct rt_topic *topic, rd_kafka_NewTopic_t *fresh)
{
    char number[32];
    rd_kafka_resp_err_t code;
    snprintf(number, sizeof number, "%lld", (long long)topic->retention_ms);
    if (topic->compacted)
        code = rd_kafka_NewTopic_set_config(fresh, "cleanup.policy", "compact");
    else
        code = rd_kafka_NewTopic_set_config(fresh, "retention.ms", number);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? NULL : rd_kafka_err2str(code);
}

static int create_answer(rd_kafka_event_t *event, const struct rt_topic *topic,
                         struct bs_error *err)
{
    const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
    const rd_kafka_topic_result_t **rows;
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    const char *text = rd_kafka_event_error_string(event);
    size_t count = 0;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && result) {
        rows = rd_kafka_CreateTopics_result_topics(result, &count);
        if (count == 1) {
            code = rd_kafka_topic_result_error(rows[0]);
            text = rd_kafka_topic_result_error_string(rows[0]);
        }
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        return 0; /* another worker of the group may have been faster */
    return bs_error_set(err, rt_client_code(code), "%s: cannot create topic '%s': %s", topic->where,
                        topic->name, text ? text : rd_kafka_err2str(code));
}

static int create(rd_kafka_t *admin, const struct rt_topic *topic, int32_t partitions,
                  const struct rt_settings *settings, struct bs_error *err)
{
    char text[300] = "";
    rd_kafka_NewTopic_t *fresh = rd_kafka_NewTopic_new(
        topic->name, partitions, settings->replication_factor, text, sizeof text);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(admin);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(admin, RD_KAFKA_ADMIN_OP_ANY);
    rd_kafka_event_t *event = NULL;
    const char *bad = fresh ? create_config(topic, fresh) : text;
    int rc = 0;
    rd_kafka_AdminOptions_set_request_timeout(options, CREATE_TIMEOUT_MS, text, sizeof text);
    rd_kafka_AdminOptions_set_operation_timeout(options, CREATE_TIMEOUT_MS, text, sizeof text);
    if (bad) {
        rc = bs_error_set(err, BS_EINVAL, "%s: topic '%s': %s", topic->where, topic->name, bad);
    } else {
        rd_kafka_CreateTopics(admin, &fresh, 1, options, queue);
        event = rd_kafka_queue_poll(queue, CREATE_TIMEOUT_MS + 5000);
        rc = event ? create_answer(event, topic, err)
                   : bs_error_set(err, BS_ETIMEOUT, "%s: creating topic '%s' took over %d s",
                                  topic->where, topic->name, CREATE_TIMEOUT_MS / 1000);
    }
    if (rc == 0)
        bs_log(&MADE, "topic %s%s", topic->name, topic->compacted ? ", compacted" : "");
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    if (fresh)
        rd_kafka_NewTopic_destroy(fresh);
    return rc;
}

/* Partitions that an own topic must have; 0: the broker's default is as good as any. */
static int32_t wanted(const struct rt_topics *topics, const struct rt_topic *topic,
                      const struct rt_settings *settings)
{
    const struct rt_plan *plan = topics->plan;
    int32_t most = settings->repartition_min, n;
    if (topic->partitions > 0)
        return topic->partitions;
    if (!topic->internal)
        return 0;
    for (size_t i = 0; i < plan->subtopology_count; i++) {
        const struct rt_subtopology *sub = &plan->subtopologies[i];
        for (size_t s = 0; s < sub->store_count; s++) {
            char *changelog = rt_topics_changelog(plan, sub->stores[s].name);
            bool its = strcmp(changelog, topic->name) == 0;
            bs_free(changelog);
            if (its)
                return rt_topics_tasks(topics, sub);
        }
        for (size_t t = 0; t < sub->topic_count && sub->copartitioned; t++)
            if (strcmp(sub->topics[t], topic->name) == 0 && (n = rt_topics_tasks(topics, sub)) > 0)
                return n; /* joined with a topic whose number is given */
    }
    for (size_t i = 0; i < plan->topic_count; i++)
        if (!plan->topics[i].internal && is_source(plan, plan->topics[i].name))
            most = topics->partitions[i] > most ? topics->partitions[i] : most;
    return most;
}

static int make(rd_kafka_t *admin, struct rt_topics *topics, size_t i,
                const struct rt_settings *settings, struct rt_progress *progress,
                struct bs_error *err)
{
    const struct rt_topic *topic = &topics->plan->topics[i];
    int32_t want = wanted(topics, topic, settings);
    int rc = rt_client_partitions(admin, topic->name, &topics->partitions[i], err);
    if (rc == 0 && topics->partitions[i] == 0 && !topic->internal && !settings->create_sinks)
        return wait_for(admin, topics->plan, topic, settings, progress, &topics->partitions[i],
                        err);
    if (rc == 0 && topics->partitions[i] == 0) {
        rc = create(admin, topic, want ? want : -1, settings, err);
        if (rc == 0)
            rc = wait_for(admin, topics->plan, topic, settings, progress, &topics->partitions[i],
                          err);
    }
    if (rc == 0 && topic->internal && topics->partitions[i] != want)
        rc = bs_error_set(err, BS_ECONFLICT,
                          "%s: topic '%s' has %d partition%s, the pipeline needs %d\n  hint: the "
                          "sources' partitions changed; stop the pipeline and delete the topic, or "
                          "give the pipeline a new id",
                          topic->where, topic->name, topics->partitions[i],
                          bs_plural(topics->partitions[i]), want);
    return rc;
}

static int check_copartition(const struct rt_topics *topics, const struct rt_subtopology *sub,
                             struct bs_error *err)
{
    int32_t first = rt_topics_partitions(topics, sub->topics[0]);
    if (!sub->copartitioned && sub->store_count == 0)
        return 0;
    for (size_t i = 1; i < sub->topic_count; i++) {
        int32_t n = rt_topics_partitions(topics, sub->topics[i]);
        if (n != first)
            return bs_error_set(
                err, BS_ECONFLICT,
                "%s: join of '%s' (%d partition%s) with '%s' (%d): both sides need the same "
                "number\n"
                "  hint: :repartition { partitions = %d } on one of them, or weir.global_table",
                topics->plan->topics[find(topics->plan, sub->topics[i])].where, sub->topics[0],
                first, bs_plural(first), sub->topics[i], n, first);
    }
    return 0;
}

int rt_topics_prepare(rd_kafka_t *admin, const struct rt_plan *plan,
                      const struct rt_settings *settings, struct rt_progress *progress,
                      struct rt_topics *ret, struct bs_error *err)
{
    int rc = 0;
    ret->plan = plan;
    ret->partitions = bs_array(plan->topic_count + 1, sizeof *ret->partitions);
    for (size_t i = 0; i < plan->topic_count && rc == 0; i++)
        if (!plan->topics[i].internal && is_source(plan, plan->topics[i].name))
            rc = wait_for(admin, plan, &plan->topics[i], settings, progress, &ret->partitions[i],
                          err);
    /* Repartition topics first: changelogs have as many partitions as what their tasks read. */
    for (int changelogs = 0; changelogs < 2; changelogs++)
        for (size_t i = 0; i < plan->topic_count && rc == 0; i++)
            if (ret->partitions[i] == 0 && plan->topics[i].compacted == (changelogs == 1))
                rc = make(admin, ret, i, settings, progress, err);
    for (size_t i = 0; i < plan->subtopology_count && rc == 0; i++)
        rc = check_copartition(ret, &plan->subtopologies[i], err);
    if (rc != 0)
        rt_topics_deinit(ret);
    return rc;
}

void rt_topics_deinit(struct rt_topics *topics)
{
    bs_free(topics->partitions);
    topics->partitions = NULL;
}
