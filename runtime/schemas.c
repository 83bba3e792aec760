/* Schemas: see schemas.h. */
#include "runtime/schemas.h"

#include <string.h>

static int by_id(void *ctx, int32_t id, struct sd_schema **ret, struct bs_error *err)
{
    const struct rt_schema_port *port = ctx;
    return rc_schema_by_id(port->client, id, ret, err);
}

static int by_guid(void *ctx, const uint8_t guid[16], int32_t *ret_id, struct sd_schema **ret,
                   struct bs_error *err)
{
    const struct rt_schema_port *port = ctx;
    return rc_schema_by_guid(port->client, guid, ret_id, ret, err);
}

/* The options of one side; those that cannot be a single topic's are refused. */
static int read_options(const struct rt_schema_port *port, const struct rt_schema_ask *ask,
                        struct bs_config *ret, struct bs_error *err)
{
    static const char *const DESERIALIZERS[] = {"value.schema.id.deserializer",
                                                "key.schema.id.deserializer"};
    int rc = 0;
    for (int one_side = 0; one_side < 2; one_side++) /* what is said of one side counts more */
        for (size_t i = 0; i < ask->option_count && rc == 0; i++)
            if (rc_serde_of_one_side(ask->options[i].name) == one_side)
                rc = rc_serde_set(ret, ask->key, ask->options[i].name, ask->options[i].value,
                                  "options", err);
    if (rc == BS_ENOTFOUND) /* no option becomes known by waiting */
        rc = bs_error_recode(err, BS_EINVAL);
    if (rc == 0)
        rc = rc_serde_check(ret, err);
    if (rc != 0)
        return rc;
    if (rc_serde_needs_client(ret))
        return bs_error_set(err, BS_EUNSUPPORTED,
                            "a pipeline has one registry: its URL, user and waits are options of "
                            "the worker (--set schema.registry.url=…)");
    if (bs_config_is_set(ret, "latest.cache.ttl.sec") ||
        bs_config_is_set(ret, DESERIALIZERS[ask->key]))
        return bs_error_set(err, BS_EUNSUPPORTED,
                            "%s: a pipeline keeps the version that it found at its start, and "
                            "looks for ids in headers and before the data",
                            bs_config_is_set(ret, "latest.cache.ttl.sec")
                                ? "latest.cache.ttl.sec"
                                : DESERIALIZERS[ask->key]);
    return port->serde ? rc_serde_inherit(ret, port->serde, err) : 0;
}

/* At the start, with a file: what comes later would only fail a record at a time. */
static int admit(const struct rt_schema_port *port, const struct rt_schema_ask *ask,
                 const struct bs_config *config, struct bs_error *err)
{
    struct rc_serializer_options options = {
        .config = config, .key = ask->key, .client = port->once};
    struct rc_serializer *serializer;
    int rc = rc_serializer_new(&options, &serializer, err);
    if (rc != 0)
        return rc;
    rc = rc_serializer_admit(serializer, ask->topic, (struct sd_schema *)ask->own, err);
    rc_serializer_free(serializer);
    return rc;
}

static int pick(const struct rt_schema_port *port, const struct rt_schema_ask *ask,
                const struct bs_config *config, struct rt_schema_answer *ret, struct bs_error *err)
{
    struct rc_serializer_options options = {
        .config = config, .key = ask->key, .client = port->once};
    const struct rc_writing *writing;
    struct rc_serializer *serializer;
    int rc;
    if (port->once == NULL)
        return bs_error_set(err, BS_ENOTFOUND,
                            "there is no registry to ask\n  hint: --registry URL");
    rc = rc_serializer_new(&options, &serializer, err);
    if (rc != 0)
        return rc;
    rc = rc_serializer_pick(serializer, ask->topic, ask->own, &writing, err);
    if (rc == 0) {
        ret->id = writing->id;
        ret->schema = sd_schema_ref((struct sd_schema *)writing->schema);
        ret->in_header = writing->in_header;
        memcpy(ret->header, writing->header, sizeof ret->header);
    }
    rc_serializer_free(serializer);
    return rc;
}

/* For a record: so the client that asks again. */
static int pick_reader(const struct rt_schema_port *port, const struct rt_schema_ask *ask,
                       const struct bs_config *config, struct rt_schema_answer *ret,
                       struct bs_error *err)
{
    struct rc_serializer_options options = {
        .config = config, .key = ask->key, .client = port->client};
    struct rc_version version = {0};
    struct rc_serializer *serializer;
    int rc;
    if (port->client == NULL)
        return bs_error_set(err, BS_ENOTFOUND,
                            "there is no registry to ask\n  hint: --registry URL");
    rc = rc_serializer_new(&options, &serializer, err);
    if (rc != 0)
        return rc;
    rc = rc_serializer_reader(serializer, ask->topic, ask->writer, &version, err);
    ret->id = version.id;
    ret->schema = version.schema;
    rc_serializer_free(serializer);
    return rc;
}

static int choose(void *ctx, const struct rt_schema_ask *ask, struct rt_schema_answer *ret,
                  struct bs_error *err)
{
    const struct rt_schema_port *port = ctx;
    struct bs_config *config = rc_serde_config_new();
    int rc = read_options(port, ask, config, err);
    if (rc == 0 && ask->only_read) {
        ret->latest = rc_serde_reads_latest(config);
        if (ask->writer)
            rc = pick_reader(port, ask, config, ret, err);
        else if (ask->own && port->once && !port->dry && !port->test)
            rc = admit(port, ask, config, err);
    } else if (rc == 0 && port->dry && ask->own) {
        ret->id = 1;
        ret->schema = sd_schema_ref((struct sd_schema *)ask->own);
    } else if (rc == 0) {
        rc = pick(port, ask, config, ret, err);
    }
    bs_config_free(config);
    return rc;
}

int rt_schema_plain(const struct rt_schema_port *port, struct bs_bytes header, struct bs_bytes data,
                    struct bs_buf *out, struct bs_error *err)
{
    struct sd_schema *schema = NULL;
    struct sd_schema_id id;
    struct bs_bytes payload;
    int rc = sd_schema_id_split(header, data, &id, &payload, err);
    if (rc == 0 && id.is_guid)
        rc = port->client ? rc_schema_by_guid(port->client, id.guid, &id.id, &schema, err)
                          : bs_error_set(err, BS_ENOTFOUND, "there is no registry to ask");
    sd_schema_unref(schema);
    if (rc == 0) {
        sd_envelope_put(out, id.id);
        bs_buf_put(out, payload.ptr, payload.len);
    }
    return rc;
}

struct rt_schemas rt_schemas_of(const struct rt_schema_port *port)
{
    return (struct rt_schemas){.ctx = (void *)port,
                               .by_id = port->client ? by_id : NULL,
                               .by_guid = port->client ? by_guid : NULL,
                               .choose = choose};
}
