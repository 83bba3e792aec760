/* Config: see config.h. */
#include "schema-registry/config.h"

#include "lib/http/http.h"

#include <stdio.h>
#include <string.h>

#define LEVELS                                                                                \
    "none|backward|forward|full|backward_transitive|forward_transitive|full_transitive|NONE|" \
    "BACKWARD|FORWARD|FULL|BACKWARD_TRANSITIVE|FORWARD_TRANSITIVE|FULL_TRANSITIVE"

static const struct bs_option rows[] = {
    {.name = "listeners",
     .type = BS_OPT_STRING,
     .def = "127.0.0.1:8081",
     .doc = "Address of the REST interface, host:port or http://host:port; port 0 picks one."},
    {.name = "kafkastore.bootstrap.servers",
     .type = BS_OPT_STRING,
     .doc = "Brokers that hold the schemas, host:port,…; default is bootstrap.servers."},
    {.name = "bootstrap.servers",
     .type = BS_OPT_STRING,
     .def = "127.0.0.1:9092",
     .doc = "Brokers, when kafkastore.bootstrap.servers is not set."},
    {.name = "kafkastore.topic",
     .type = BS_OPT_STRING,
     .def = "_schemas",
     .doc = "Compacted topic with one partition that holds the schemas; created when absent."},
    {.name = "kafkastore.topic.replication.factor",
     .type = BS_OPT_INT,
     .def = "3",
     .min = 1,
     .max = 100,
     .doc = "Replicas of the topic when it is created; never more than there are brokers."},
    {.name = "kafkastore.timeout.ms",
     .type = BS_OPT_DURATION,
     .def = "5000",
     .min = 100,
     .max = 600000,
     .doc = "Longest wait for one write to be acknowledged and read back; then 50002."},
    {.name = "kafkastore.init.timeout.ms",
     .type = BS_OPT_DURATION,
     .def = "60000",
     .min = 1000,
     .max = 3600000,
     .doc = "Longest wait at start for the broker and for reading the topic; then the role fails."},
    {.name = "leader.wait.ms",
     .type = BS_OPT_DURATION,
     .def = "10000",
     .min = 0,
     .max = 600000,
     .doc = "Longest wait of a write for a leader and for the writes before it; then 50004."},
    {.name = "leader.eligibility",
     .type = BS_OPT_BOOL,
     .def = "true",
     .doc = "May this process become the leader, which writes? The others forward writes to it."},
    {.name = "schema.registry.group.id",
     .type = BS_OPT_STRING,
     .def = "schema-registry",
     .doc =
         "Consumer group by which the registries on one topic find out that the leader is gone."},
    {.name = "host.name",
     .type = BS_OPT_STRING,
     .doc =
         "Host under which other registries reach this one; default is the host of listeners, or "
         "the machine's name where that is every address."},
    {.name = "kafkastore.properties",
     .type = BS_OPT_STRING,
     .doc = "Further properties of the Kafka client, name=value,…: security.protocol and so on."},
    {.name = "schema.compatibility.level",
     .type = BS_OPT_ENUM,
     .def = "backward",
     .words = LEVELS,
     .doc = "Compatibility level where neither the subject nor PUT /config sets one."},
    {.name = "schema.reject.empty.subject",
     .type = BS_OPT_BOOL,
     .def = "false",
     .doc = "Refuse subjects with an empty name and the name \"*\"."},
    {.name = "max.request.bytes",
     .type = BS_OPT_SIZE,
     .def = "10M",
     .min = 1024,
     .max = 1 << 30,
     .doc = "Largest request body; a larger one is answered with 413."},
    {.name = "http.threads",
     .type = BS_OPT_INT,
     .def = "2",
     .min = 1,
     .max = 256,
     .doc = "Threads that serve requests; writes wait on a thread of their own."},
    {.name = "http.connections.max",
     .type = BS_OPT_INT,
     .def = "1024",
     .min = 1,
     .max = 100000,
     .doc = "Connections at a time; further ones wait. From three quarters on answers end their "
            "connection, and from seven eighths on those without a request for longest are cut."},
    {.name = "http.bodies.max.bytes",
     .type = BS_OPT_SIZE,
     .def = "128M",
     .min = 1 << 20,
     .max = 1ll << 40,
     .doc = "Bytes of request bodies held at a time, of all connections; a request beyond them is "
            "answered with 503. One of max.request.bytes always has room alone."},
    {.name = "http.slow.client.ms",
     .type = BS_OPT_DURATION,
     .def = "30000",
     .min = 100,
     .max = 3600000,
     .doc =
         "Longest time for a request's header, its body, or taking the answer, and 1 ms more for "
         "every 64 bytes; then the connection is cut."},
    {.name = "authentication.method",
     .type = BS_OPT_ENUM,
     .def = "NONE",
     .words = "NONE|BASIC",
     .doc = "BASIC: every request has a user of authentication.file; NONE: everybody may do all."},
    {.name = "authentication.file",
     .type = BS_OPT_STRING,
     .doc = "JSON file of users and their rights, as `weir schema user` writes it; read again when "
            "it changes."},
    {.name = "authentication.realm",
     .type = BS_OPT_STRING,
     .def = "Weir schema registry",
     .doc = "What a browser shows when it asks for name and password."},
    {.name = "authentication.skip.paths",
     .type = BS_OPT_LIST,
     .def = "",
     .doc = "Paths that are answered without a user, such as /metrics; /health always is."},
    {.name = "authentication.roles",
     .type = BS_OPT_STRING,
     .flags = BS_OPT_REFUSED,
     .doc = "Roles are not served: the rights of each user are in authentication.file."},
};

const struct bs_option_table sr_options = {
    .title = "Schema registry", .rows = rows, .count = sizeof rows / sizeof *rows};

static int read_authentication(const struct bs_config *config, struct sr_settings *ret,
                               struct bs_error *err)
{
    const char *file = bs_config_text(config, "authentication.file");
    bool basic = strcmp(bs_config_text(config, "authentication.method"), "BASIC") == 0;
    ret->realm = bs_config_text(config, "authentication.realm");
    ret->open_paths = bs_config_text(config, "authentication.skip.paths");
    ret->users = basic ? file : NULL;
    if (basic && (file == NULL || *file == '\0'))
        return bs_error_set(err, BS_EINVAL,
                            "authentication.method=BASIC needs authentication.file; make one with "
                            "`weir schema user add FILE NAME --grant Read=Subject:.*`");
    if (!basic && file && *file)
        return bs_error_set(err, BS_EINVAL,
                            "authentication.file is set and authentication.method is NONE, so "
                            "nobody would be asked; set authentication.method=BASIC, or remove it");
    for (const char *p = ret->realm; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == '"' || *p == '\\' || strlen(ret->realm) > 100)
            return bs_error_set(err, BS_EINVAL,
                                "authentication.realm=%s: 100 bytes at most, without quotes, "
                                "backslashes and control characters",
                                ret->realm);
    return 0;
}

/* Said before anything is opened: the broker may answer late. */
static int read_listeners(const struct bs_config *config, struct sr_settings *ret,
                          struct bs_error *err)
{
    const char *text = bs_config_text(config, "listeners"), *listen = text;
    char host[sizeof ret->listen];
    int port;
    ret->listen_source = bs_config_source(config, "listeners");
    if (strncmp(listen, "http://", 7) == 0)
        listen += 7;
    else if (strstr(listen, "://"))
        return bs_error_set(err, BS_EUNSUPPORTED,
                            "%s: listeners=%s: only http is served; put a TLS proxy in front",
                            ret->listen_source, text);
    snprintf(ret->listen, sizeof ret->listen, "%s", listen);
    ret->listen[strcspn(ret->listen, "/")] = '\0';
    if (strchr(ret->listen, ','))
        return bs_error_set(err, BS_EUNSUPPORTED, "%s: listeners=%s: one address is served",
                            ret->listen_source, text);
    if (ht_split_host_port(ret->listen, host, sizeof host, &port, err) < 0)
        return bs_error_wrap(err, "%s: option 'listeners'", ret->listen_source);
    return 0;
}

int sr_settings_read(const struct bs_config *config, struct sr_settings *ret, struct bs_error *err)
{
    int rc;
    *ret = (struct sr_settings){0};
    if ((rc = read_listeners(config, ret, err)) < 0)
        return rc;
    ret->bootstrap = bs_config_text(config, "kafkastore.bootstrap.servers");
    if (ret->bootstrap == NULL)
        ret->bootstrap = bs_config_text(config, "bootstrap.servers");
    if (strncmp(ret->bootstrap, "PLAINTEXT://", 12) == 0) /* Confluent's spelling */
        ret->bootstrap += 12;
    ret->topic = bs_config_text(config, "kafkastore.topic");
    ret->properties = bs_config_text(config, "kafkastore.properties");
    ret->level = sr_level_parse(bs_config_text(config, "schema.compatibility.level"));
    ret->replication = (int)bs_config_int(config, "kafkastore.topic.replication.factor");
    ret->connections = (int)bs_config_int(config, "http.connections.max");
    ret->bodies_max = bs_config_int(config, "http.bodies.max.bytes");
    ret->slow_ms = (unsigned)bs_config_int(config, "http.slow.client.ms");
    ret->threads = (int)bs_config_int(config, "http.threads");
    ret->timeout_ms = bs_config_int(config, "kafkastore.timeout.ms");
    ret->init_ms = bs_config_int(config, "kafkastore.init.timeout.ms");
    ret->wait_ms = bs_config_int(config, "leader.wait.ms");
    ret->eligible = bs_config_bool(config, "leader.eligibility");
    ret->group = bs_config_text(config, "schema.registry.group.id");
    ret->host = bs_config_text(config, "host.name");
    ret->body_max = bs_config_int(config, "max.request.bytes");
    ret->reject_empty = bs_config_bool(config, "schema.reject.empty.subject");
    return read_authentication(config, ret, err);
}

void sr_settings_put_shared(const struct sr_settings *settings, struct bs_buf *out)
{
    bs_buf_printf(out,
                  "{\"schema.compatibility.level\":\"%s\",\"schema.reject.empty.subject\":%s,"
                  "\"max.request.bytes\":%lld,\"authentication.method\":\"%s\","
                  "\"schema.registry.group.id\":",
                  sr_level_name(settings->level), settings->reject_empty ? "true" : "false",
                  (long long)settings->body_max, settings->users ? "BASIC" : "NONE");
    bs_buf_put_json_string(out, settings->group, strlen(settings->group));
    bs_buf_puts(out, "}");
}
