/* Connector host: runs source and sink connectors inside a worker, and speaks Connect's REST API.
 *
 * Configurations, offsets and states are kept in the topics connect-configs, connect-offsets and
 * connect-status, as Kafka Connect keeps them. Functions may be called from any thread; each
 * connector task has a thread of its own. */
#ifndef WEIR_RUNTIME_CONNECT_HOST_H
#define WEIR_RUNTIME_CONNECT_HOST_H

#include "lib/http/http.h"
#include "runtime/connect/convert.h"

struct rt_connect_host;

struct rt_connect_options {
    const char *bootstrap;       /* "host:port,…" */
    const char *group_id;        /* "connect-cluster": names the internal topics' group */
    const char *instance;        /* stable name of this worker among those that share connectors;
                                  * NULL: it is alone and runs all of them at once */
    struct rt_registry registry; /* borrowed; without client Avro converters need their own URL */
    const char *plugin_dir;      /* NULL: lib/weir/connectors beside the program */
    const char *advertised;      /* "host:port" for worker_id in states */
    void *owner;                 /* given back by rt_connect_owner: routes share one context */
    unsigned connectors_max;     /* 0: 256 */
};

/* Replays the internal topics (made where absent) and starts what is configured to run. */
int rt_connect_open(const struct rt_connect_options *options, struct rt_connect_host **ret,
                    struct bs_error *err);
void rt_connect_close(struct rt_connect_host *host); /* stops all tasks in order; accepts NULL */
void *rt_connect_owner(const struct rt_connect_host *host);

/* Creates the connector of a JSON file {"name":…, "config":{…}} (or updates it when its
 * configuration differs; nothing when equal). Errors name the file and the option. */
int rt_connect_apply_file(struct rt_connect_host *host, const char *file, struct bs_error *err);

/* True when every bounded source that writes to `topic` has delivered everything and committed;
 * true when there is none. False while one of them runs; a failed one is BS_ESTATE with its
 * message. */
int rt_connect_topic_complete(struct rt_connect_host *host, const char *topic, bool *ret,
                              struct bs_error *err);
/* True when all bounded sources are complete and all sinks have committed all there is in their
 * topics (compared with the topics' end now). BS_ESTATE when a task has failed, with its message.
 */
int rt_connect_caught_up(struct rt_connect_host *host, bool *ret, struct bs_error *err);

/* Rows of Connect's REST API; their ctx is the host. */
const struct ht_route *rt_connect_routes(size_t *ret_count);

#endif
