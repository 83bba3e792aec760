/* Module client: the commands that talk to a broker, a registry or a worker from outside. */
#include "cli/client/commands.h"
#include "lib/base/role.h"

static const struct bs_command COMMANDS[] = {
    {"topic", "create, list, describe, delete topics", cl_topic_main},
    {"produce", "write records from standard input", cl_produce_main},
    {"consume", "print records", cl_consume_main},
    {"schema", "register, list, check schemas", cl_schema_main},
    {"connector", "create, watch, pause connectors", cl_connector_main},
    {0}};

extern const struct bs_module weir_module;
__attribute__((visibility("default"))) const struct bs_module weir_module = {.commands = COMMANDS};
