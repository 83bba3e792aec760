/* REST: the worker itself, its plugins, and the check of a configuration. Plugins never change
 * after the start, so these need no call to the host's thread. */
#include "lib/base/mem.h"
#include "runtime/connect/definition.h"
#include "runtime/connect/rest.h"

#include <stdlib.h>
#include <string.h>

int rt_rest_root(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct rt_connect_host *host = ctx;
    char *id = rd_kafka_clusterid(host->query, 5000);
    struct rt_rest rest = {.out = json_pack("{s:s, s:s, s:s}", "version", WEIR_VERSION, "commit",
                                            "unknown", "kafka_cluster_id", id ? id : "unknown")};
    if (id)
        rd_kafka_mem_free(host->query, id);
    return rt_rest_answer(&rest, request, response);
}

static const char *const converters[] = {"org.apache.kafka.connect.json.JsonConverter",
                                         "org.apache.kafka.connect.storage.StringConverter",
                                         "org.apache.kafka.connect.converters.ByteArrayConverter",
                                         "io.confluent.connect.avro.AvroConverter"};

int rt_rest_plugins(void *ctx, struct ht_request *request, struct ht_response *response)
{
    const struct rt_connect_host *host = ctx;
    const char *only = ht_query(request, "connectorsOnly");
    struct rt_rest rest = {.out = json_array()};
    for (uint32_t round = 0; round < 2; round++) {
        uint32_t kind = round ? CN_SOURCE : CN_SINK; /* Connect lists sinks first */
        for (size_t i = 0; i < rt_plugins_count(host->plugins); i++) {
            const struct cn_plugin *plugin = rt_plugins_at(host->plugins, i);
            if (plugin->kind == kind)
                json_array_append_new(
                    rest.out, json_pack("{s:s, s:s, s:s?, s:s}", "class", rt_plugin_class(plugin),
                                        "type", kind == CN_SOURCE ? "source" : "sink", "version",
                                        plugin->version, "name", plugin->name));
        }
    }
    if (only && !strcasecmp(only, "false"))
        for (size_t i = 0; i < sizeof(converters) / sizeof(converters[0]); i++)
            json_array_append_new(rest.out,
                                  json_pack("{s:s, s:s, s:s}", "class", converters[i], "type",
                                            "converter", "version", WEIR_VERSION));
    return rt_rest_answer(&rest, request, response);
}

int rt_rest_plugin_config(void *ctx, struct ht_request *request, struct ht_response *response)
{
    const struct rt_connect_host *host = ctx;
    struct rt_rest rest = {0};
    const struct cn_plugin *plugin = rt_plugins_find(host->plugins, request->params[0], NULL);
    if (plugin)
        rest.out = rt_definition_list(plugin);
    else
        rt_rest_error(&rest, 404, "Unknown plugin %s.", request->params[0]);
    return rt_rest_answer(&rest, request, response);
}

static void validate(struct rt_connect_host *host, struct rt_rest *rest, const char *asked)
{
    struct bs_error err = {0};
    struct cn_config *config = NULL;
    int result = rt_config_from_json(rest->body, &config, &err);
    if (result < 0) {
        rt_rest_error(rest, result == BS_ESYNTAX ? 500 : 400, "%s", err.text);
        return;
    }
    const char *class_name = rt_config_get(config, "connector.class");
    const struct cn_plugin *plugin = rt_plugins_find(host->plugins, asked, &err);
    if (!class_name)
        rt_rest_error(rest, 500, "Connector config {} contains no connector type");
    else if (!plugin)
        rt_rest_error(rest, 500, "%s", err.text);
    else if (rt_plugins_find(host->plugins, class_name, NULL) != plugin)
        rt_rest_error(rest, 400, "Included connector type %s does not match request type %s",
                      class_name, asked);
    else {
        json_t *lines = json_array(), *warnings = json_array();
        rest->out = rt_definition_validate(plugin, asked, config, lines, warnings);
        json_decref(lines);
        json_decref(warnings);
    }
    rt_config_free(config);
}

int rt_rest_validate(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct rt_rest rest = {0};
    if (rt_rest_body(&rest, request))
        validate(ctx, &rest, request->params[0]);
    return rt_rest_answer(&rest, request, response);
}
