/* Options: see options.h. Names, types and defaults are Kafka's (server.properties) where Kafka has
 * the option; a default that differs says why in its sentence. */
#include "broker/options.h"

#include "lib/base/mem.h"

#include <string.h>

static const struct bs_option ROWS[] = {
    {.name = "listeners",
     .type = BS_OPT_LIST,
     .def = "127.0.0.1:9092",
     .doc = "HOST:PORT or NAME://HOST:PORT, …; an empty host is every address, port 0 a free one. "
            "Only PLAINTEXT. Only this machine by default, because there is no authentication."},
    {.name = "advertised.listeners",
     .type = BS_OPT_LIST,
     .doc = "HOST:PORT or NAME://HOST:PORT; the first one is told to clients. Without it each "
            "client is told the address it reached the broker at."},
    {.name = "listener.security.protocol.map",
     .type = BS_OPT_LIST,
     .doc = "NAME:PROTOCOL,…; a listener that is used must map to PLAINTEXT."},
    {.name = "controller.listener.names",
     .type = BS_OPT_LIST,
     .doc = "Listeners with these names are passed over: the broker is its own controller."},
    {.name = "controller.quorum.voters",
     .type = BS_OPT_LIST,
     .doc = "At most one voter: the broker is a quorum of one."},
    {.name = "security.inter.broker.protocol",
     .type = BS_OPT_ENUM,
     .def = "PLAINTEXT",
     .words = "PLAINTEXT",
     .doc = "Only PLAINTEXT."},
    {.name = "node.id",
     .type = BS_OPT_INT,
     .def = "1",
     .min = 0,
     .max = INT32_MAX,
     .doc = "Number of this broker; may not change for a data folder."},
    {.name = "broker.id",
     .type = BS_OPT_INT,
     .min = 0,
     .max = INT32_MAX,
     .doc = "Old name of node.id."},
    {.name = "broker.rack", .type = BS_OPT_STRING, .doc = "Rack name told to clients."},
    {.name = "log.dirs",
     .type = BS_OPT_LIST,
     .def = "weir-data",
     .doc = "Folder of everything the broker keeps, one; made when it is not there."},
    {.name = "log.dir", .type = BS_OPT_STRING, .doc = "Old name of log.dirs."},
    {.name = "auto.create.topics.enable",
     .type = BS_OPT_BOOL,
     .def = "true",
     .doc = "A client's question about an unknown topic creates it, if the client allows it."},
    {.name = "delete.topic.enable",
     .type = BS_OPT_BOOL,
     .def = "true",
     .doc = "Topics may be deleted."},
    {.name = "max.connections",
     .type = BS_OPT_INT,
     .def = "1024",
     .min = 1,
     .max = 1000000,
     .doc = "Connections at the same time; more are accepted and closed at once. Kafka has no "
            "bound."},
    {.name = "connections.max.idle.ms",
     .type = BS_OPT_DURATION,
     .def = "600000",
     .min = 1000,
     .max = INT64_MAX,
     .doc = "A connection without a request for so long is closed."},
    {.name = "socket.request.max.bytes",
     .type = BS_OPT_SIZE,
     .def = "104857600",
     .min = 1024,
     .max = 1073741824,
     .doc = "Largest request; a connection that announces more is closed."},
    {.name = "socket.listen.backlog.size",
     .type = BS_OPT_INT,
     .def = "50",
     .min = 1,
     .max = 65535,
     .doc = "Connections that wait to be accepted."},
    {.name = "queued.max.request.bytes",
     .type = BS_OPT_SIZE,
     .def = "268435456",
     .min = 1048576,
     .max = INT64_MAX,
     .doc = "Bytes of requests and responses in memory, over all connections; above it no more is "
            "read until some have left. Kafka has no bound."},
    {.name = "weir.connection.requests",
     .type = BS_OPT_INT,
     .def = "64",
     .min = 1,
     .max = 10000,
     .doc = "Requests of one connection under way; the next is read when one is answered."},
    {.name = "weir.connection.response.bytes",
     .type = BS_OPT_SIZE,
     .def = "8388608",
     .min = 65536,
     .max = INT64_MAX,
     .doc =
         "Bytes of responses that a client has not taken yet; above it nothing more is read from "
         "it."},
    {.name = "fetch.max.bytes",
     .type = BS_OPT_SIZE,
     .def = "57671680",
     .min = 1024,
     .max = 1073741824,
     .doc = "Most bytes of records in one fetch response, whatever the client asks for."},
    {.name = "offsets.topic.num.partitions",
     .type = BS_OPT_INT,
     .def = "4",
     .min = 1,
     .max = 1000,
     .doc =
         "Partitions of __consumer_offsets, fixed at its creation. Kafka's 50 spread groups over "
         "brokers; one broker only pays for them in files and memory."},
    {.name = "transaction.state.log.num.partitions",
     .type = BS_OPT_INT,
     .def = "4",
     .min = 1,
     .max = 1000,
     .doc = "Partitions of __transaction_state, fixed at its creation. Kafka's 50: see "
            "offsets.topic.num.partitions."},
    {.name = "offsets.retention.minutes",
     .type = BS_OPT_INT,
     .def = "10080",
     .min = 1,
     .max = INT32_MAX,
     .doc = "Offsets of a group without members are forgotten after so many minutes."},
    {.name = "offsets.retention.check.interval.ms",
     .type = BS_OPT_DURATION,
     .def = "600000",
     .min = 1,
     .max = INT64_MAX,
     .doc = "How often that is checked."},
    {.name = "offset.metadata.max.bytes",
     .type = BS_OPT_SIZE,
     .def = "4096",
     .min = 0,
     .max = 32767,
     .doc = "Longest text that a client may keep with an offset."},
    {.name = "group.initial.rebalance.delay.ms",
     .type = BS_OPT_DURATION,
     .def = "3000",
     .min = 0,
     .max = INT32_MAX,
     .doc = "An empty group waits so long for more members before its first rebalance."},
    {.name = "group.min.session.timeout.ms",
     .type = BS_OPT_DURATION,
     .def = "6000",
     .min = 1,
     .max = INT32_MAX,
     .doc = "Shortest session time-out that a member may ask for."},
    {.name = "group.max.session.timeout.ms",
     .type = BS_OPT_DURATION,
     .def = "1800000",
     .min = 1,
     .max = INT32_MAX,
     .doc = "Longest session time-out that a member may ask for."},
    {.name = "weir.coordinator.rewrite.bytes",
     .type = BS_OPT_SIZE,
     .def = "33554432",
     .min = 1024,
     .max = INT64_MAX,
     .doc =
         "A partition of __consumer_offsets or __transaction_state that has grown by so much (and "
         "four times its state) is written anew, and what is older is deleted."},
    {.name = "group.max.size",
     .type = BS_OPT_INT,
     .def = "2147483647",
     .min = 1,
     .max = INT32_MAX,
     .doc = "Most members of one group."},
    {.name = "transaction.max.timeout.ms",
     .type = BS_OPT_DURATION,
     .def = "900000",
     .min = 1,
     .max = INT32_MAX,
     .doc = "Longest transaction time-out that a producer may ask for."},
    {.name = "transactional.id.expiration.ms",
     .type = BS_OPT_DURATION,
     .def = "604800000",
     .min = 1,
     .max = INT32_MAX,
     .doc = "A transactional id unused for so long is forgotten."},
    {.name = "transaction.partition.verification.enable",
     .type = BS_OPT_BOOL,
     .def = "true",
     .doc = "A transactional write to a partition outside of the open transaction is refused."},
    {.name = "request.timeout.ms",
     .type = BS_OPT_DURATION,
     .def = "30000",
     .min = 1,
     .max = INT32_MAX,
     .doc = "How long an orderly stop waits for answers under way."},
};

const struct bs_option_table bk_broker_options = {"broker", ROWS, sizeof ROWS / sizeof ROWS[0]};

/* --- addresses --- */

int bk_address_parse(const char *text, size_t len, char **ret_host, uint16_t *ret_port)
{
    const char *colon = memrchr(text, ':', len);
    char digits[8];
    int64_t port;
    size_t host_len, port_len;
    if (!colon)
        return BS_ESYNTAX;
    host_len = (size_t)(colon - text);
    port_len = len - host_len - 1;
    if (port_len == 0 || port_len >= sizeof digits || host_len > 253)
        return BS_ESYNTAX;
    memcpy(digits, colon + 1, port_len);
    digits[port_len] = '\0';
    if (bs_parse_int(digits, 0, 65535, &port))
        return BS_ESYNTAX;
    if (host_len >= 2 && text[0] == '[' && text[host_len - 1] == ']') {
        text++;
        host_len -= 2;
    } else if (memchr(text, ':', host_len)) {
        return BS_ESYNTAX; /* an IPv6 address needs brackets */
    }
    *ret_host = bs_strndup(text, host_len);
    *ret_port = (uint16_t)port;
    return 0;
}

/* The next element of a comma separated list, without blanks around it. */
static bool next_part(const char **at, const char **ret, size_t *ret_len)
{
    const char *end;
    *at += strspn(*at, ", \t");
    if (**at == '\0')
        return false;
    end = *at + strcspn(*at, ",");
    *ret = *at;
    *ret_len = (size_t)(end - *at);
    while (*ret_len && ((*ret)[*ret_len - 1] == ' ' || (*ret)[*ret_len - 1] == '\t'))
        --*ret_len;
    *at = end;
    return true;
}

static bool list_has(const char *list, const char *word, size_t len)
{
    const char *part;
    size_t part_len;
    while (list && next_part(&list, &part, &part_len))
        if (part_len == len && memcmp(part, word, len) == 0)
            return true;
    return false;
}

/* The protocol of a listener's name: from the map, else the name itself. */
static bool is_plaintext(const struct bs_config *config, const char *name, size_t len)
{
    const char *map = bs_config_text(config, "listener.security.protocol.map");
    const char *part;
    size_t part_len;
    while (map && next_part(&map, &part, &part_len))
        if (part_len > len && part[len] == ':' && memcmp(part, name, len) == 0)
            return part_len == len + 10 && memcmp(part + len + 1, "PLAINTEXT", 9) == 0;
    return len == 9 && memcmp(name, "PLAINTEXT", 9) == 0;
}

/* One HOST:PORT or NAME://HOST:PORT; 1: a controller's listener, passed over. */
static int parse_listener(const struct bs_config *config, const char *option, const char *part,
                          size_t len, struct bk_address *ret, struct bs_error *err)
{
    const char *sep = memmem(part, len, "://", 3);
    const char *name = sep ? part : "PLAINTEXT";
    const char *at = sep ? sep + 3 : part;
    size_t name_len = sep ? (size_t)(sep - part) : strlen(name);
    if (sep && list_has(bs_config_text(config, "controller.listener.names"), name, name_len))
        return 1;
    if (sep && !is_plaintext(config, name, name_len))
        return bs_error_set(err, BS_EUNSUPPORTED,
                            "%s: \"%.*s\": only PLAINTEXT listeners are served; there is no TLS "
                            "and no SASL here",
                            option, (int)len, part);
    if (bk_address_parse(at, len - (size_t)(at - part), &ret->host, &ret->port))
        return bs_error_set(err, BS_EINVAL,
                            "%s: \"%.*s\" is neither HOST:PORT nor PLAINTEXT://HOST:PORT", option,
                            (int)len, part);
    ret->name = bs_strndup(name, name_len);
    return 0;
}

static void address_deinit(struct bk_address *address)
{
    bs_free(address->host);
    bs_free(address->name);
    *address = (struct bk_address){0};
}

void bk_addresses_deinit(struct bk_addresses *addresses)
{
    for (size_t i = 0; i < addresses->listen_count; i++)
        address_deinit(&addresses->listen[i]);
    bs_free(addresses->listen);
    address_deinit(&addresses->advertised);
    *addresses = (struct bk_addresses){0};
}

static int read_listen(const struct bs_config *config, struct bk_addresses *ret,
                       struct bs_error *err)
{
    enum { LISTENERS_MAX = 16 };
    const char *list = bs_config_text(config, "listeners");
    const char *part;
    size_t len;
    int rc;
    ret->listen = bs_array(LISTENERS_MAX, sizeof *ret->listen);
    while (next_part(&list, &part, &len)) {
        if (ret->listen_count == LISTENERS_MAX)
            return bs_error_set(err, BS_ELIMIT, "listeners: more than %d", LISTENERS_MAX);
        rc = parse_listener(config, "listeners", part, len, &ret->listen[ret->listen_count], err);
        if (rc < 0)
            return rc;
        ret->listen_count += rc == 0;
    }
    if (ret->listen_count == 0)
        return bs_error_set(err, BS_EINVAL, "listeners: none that clients can use");
    return 0;
}

static int read_advertised(const struct bs_config *config, struct bk_addresses *ret,
                           struct bs_error *err)
{
    const char *list = bs_config_text(config, "advertised.listeners");
    const char *part;
    size_t len;
    int rc;
    while (list && !ret->advertised.host && next_part(&list, &part, &len)) {
        rc = parse_listener(config, "advertised.listeners", part, len, &ret->advertised, err);
        if (rc < 0)
            return rc;
        if (rc == 0 && !*ret->advertised.host)
            return bs_error_set(err, BS_EINVAL,
                                "advertised.listeners: \"%.*s\": clients need a host to connect to",
                                (int)len, part);
    }
    return 0;
}

int bk_addresses_read(const struct bs_config *config, struct bk_addresses *ret,
                      struct bs_error *err)
{
    int rc;
    *ret = (struct bk_addresses){0};
    rc = read_listen(config, ret, err);
    if (!rc)
        rc = read_advertised(config, ret, err);
    if (rc)
        bk_addresses_deinit(ret);
    return rc;
}

int bk_data_dir(const struct bs_config *config, char **ret_dir, struct bs_error *err)
{
    bool old = !bs_config_is_set(config, "log.dirs") && bs_config_is_set(config, "log.dir");
    const char *name = old ? "log.dir" : "log.dirs";
    const char *dir = bs_config_text(config, name);
    if (!dir || !*dir)
        return bs_error_set(err, BS_EINVAL, "%s: a folder is needed", name);
    if (strchr(dir, ',') && !old)
        return bs_error_set(err, BS_EUNSUPPORTED, "log.dirs: \"%s\": one folder only", dir);
    *ret_dir = bs_strdup(dir);
    return 0;
}

int bk_options_check(const struct bs_config *config, struct bs_error *err)
{
    const char *voters = bs_config_text(config, "controller.quorum.voters");
    int64_t least = bs_config_int(config, "group.min.session.timeout.ms");
    int64_t most = bs_config_int(config, "group.max.session.timeout.ms");
    if (voters && strchr(voters, ','))
        return bs_error_set(err, BS_EUNSUPPORTED,
                            "controller.quorum.voters: \"%s\": a quorum of several nodes is not "
                            "served; data would be on one node only",
                            voters);
    if (least > most)
        return bs_error_set(err, BS_EINVAL,
                            "group.min.session.timeout.ms: %lld is more than "
                            "group.max.session.timeout.ms: %lld",
                            (long long)least, (long long)most);
    return 0;
}
