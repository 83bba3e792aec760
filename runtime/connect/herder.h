/* Herder: the connectors that are configured, and their tasks. Internal to the host: everything
 * here is the host thread's alone; others reach it by rt_herder_call. */
#ifndef WEIR_RUNTIME_CONNECT_HERDER_H
#define WEIR_RUNTIME_CONNECT_HERDER_H

#include "lib/io/mailbox.h"
#include "runtime/connect/kafka.h"
#include "runtime/connect/host.h"
#include "runtime/connect/task.h"

#include <uthash.h>

enum rt_state {
    RT_STATE_UNASSIGNED,
    RT_STATE_RUNNING,
    RT_STATE_PAUSED,
    RT_STATE_STOPPED,
    RT_STATE_FAILED,
    RT_STATE_RESTARTING,
};
enum rt_target { RT_TARGET_STARTED, RT_TARGET_PAUSED, RT_TARGET_STOPPED };

/* One task of a connector: what is shown of it, and the running one if there is one. */
struct rt_slot {
    struct cn_task *task; /* NULL: no thread */
    enum rt_state state;
    char *trace; /* or NULL */
    bool stopping, restart;
    bool complete; /* a bounded source that has delivered everything */
};

struct rt_connector {
    UT_hash_handle hh;
    char *name;
    struct cn_config *config; /* as given: placeholders unresolved */
    enum rt_target target;
    enum rt_state state;
    char *trace;
    bool rebuild; /* the configuration changed: new tasks when the old ones have ended */
    bool deleted; /* goes when its tasks have ended */
    bool bounded;
    char *topic; /* of a source, or NULL */
    struct rt_slot *slots;
    size_t slot_count;
    char **used; /* topics seen in status records and tasks' writes */
    size_t used_count;
};

/* Offset of the last record that this host wrote under a key of connect-configs. */
struct rt_written {
    UT_hash_handle hh;
    char *key;
    int64_t offset;
};

struct rt_connect_host {
    char *bootstrap, *group_id, *advertised;
    char *instance; /* or NULL: alone */
    struct rt_registry registry;
    void *owner;
    unsigned connectors_max;
    struct rt_plugins *plugins;
    struct io_mailbox *box;
    pthread_t thread;
    bool running; /* the thread was started */
    bool closing;
    rd_kafka_t *producer; /* configs and states */
    rd_kafka_t *query;    /* ends of topics, committed offsets */
    struct rt_connector *connectors;
    struct rt_written *written;
    int64_t watch_from; /* behind the replay */
    struct rt_watch *watch;
};

typedef int rt_herder_fn(struct rt_connect_host *host, void *arg, struct bs_error *err);
/* Runs fn on the host's thread and waits for it. Any thread but that. */
int rt_herder_call(struct rt_connect_host *host, rt_herder_fn *fn, void *arg, struct bs_error *err);

const char *rt_state_name(enum rt_state state);
struct rt_connector *rt_herder_find(struct rt_connect_host *host, const char *name);
/* Sets or replaces a connector in memory and brings its tasks in line; takes config. */
int rt_herder_put(struct rt_connect_host *host, const char *name, struct cn_config *config,
                  enum rt_target target, struct bs_error *err);
/* The same as a client asks for it: checked, stored in the journal, then put. BS_EINVAL lists all
 * that is wrong. Takes config. */
int rt_herder_set(struct rt_connect_host *host, const char *name, struct cn_config *config,
                  enum rt_target target, struct bs_error *err);
void rt_herder_free(struct rt_connect_host *host,
                    struct rt_connector *connector); /* no task runs */
void rt_herder_remove(struct rt_connect_host *host, struct rt_connector *connector);
void rt_herder_target(struct rt_connect_host *host, struct rt_connector *connector,
                      enum rt_target target);
void rt_herder_restart(struct rt_connect_host *host, struct rt_connector *connector, bool tasks,
                       bool only_failed);
/* After a change: starts and stops what differs from what is wanted. May free the connector. */
void rt_herder_align(struct rt_connect_host *host, struct rt_connector *connector);
/* What a task reported; on FAILED and ENDED the task is joined and freed. */
void rt_herder_report(struct rt_connect_host *host, struct cn_task *task, enum rt_task_event event,
                      const char *text);
void rt_herder_used_topic(struct rt_connector *connector, const char *topic);

/* Brings a task's report to the host's thread: host.c. */
rt_task_report rt_connect_task_report;

#endif
