/* weir worker: pipelines and connectors, on any broker that speaks Kafka's protocol. */
#include "cli/command.h"
#include "cli/module.h"
#include "cli/single.h"

enum { KEY_REGISTRY = 0x2000, KEY_CONNECTOR };

static const struct argp_option OPTIONS[] = {
    {.name = "listen",
     .key = 'l',
     .arg = "HOST:PORT",
     .doc = "Where the REST interface listens (listeners); default 127.0.0.1:8083"},
    {.name = "bootstrap",
     .key = 'b',
     .arg = "HOST:PORT",
     .doc = "The broker (bootstrap.servers); default 127.0.0.1:9092"},
    {.name = "registry",
     .key = KEY_REGISTRY,
     .arg = "URL",
     .doc = "The schema registry (schema.registry.url)"},
    {.name = "data", .key = 'd', .arg = "DIR", .doc = "Folder of the state stores (state.dir)"},
    {.name = "connector",
     .key = KEY_CONNECTOR,
     .arg = "FILE.json",
     .doc = "Create this connector at start, or update it; may be repeated"},
    {0}};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct cl_args *args = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = args;
        return 0;
    case 'l':
        cl_args_flag(args, "listeners", arg, "--listen");
        return 0;
    case 'b':
        cl_args_flag(args, "bootstrap.servers", arg, "--bootstrap");
        return 0;
    case 'd':
        cl_args_flag(args, "state.dir", arg, "--data");
        return 0;
    case KEY_REGISTRY:
        cl_args_flag(args, "schema.registry.url", arg, "--registry");
        return 0;
    case KEY_CONNECTOR:
        cl_args_file(args, "connector:", arg);
        return 0;
    case ARGP_KEY_ARG:
        cl_args_file(args, "", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cl_worker_main(int argc, char **argv)
{
    static const struct argp_child CHILDREN[] = {{.argp = &cl_args_argp}, {0}};
    static const struct argp ARGP = {
        .options = OPTIONS,
        .parser = parse_option,
        .args_doc = "[PIPELINE.lua...]",
        .doc = "Runs pipelines and connectors. Workers that run the same files share the work.",
        .children = CHILDREN};
    const struct bs_role *role = NULL;
    struct bs_error err = {0};
    struct cl_args args;
    int status = CL_FAILED;
    cl_args_init(&args, "worker");
    cl_args_parse(&ARGP, argc, argv, &args, "worker");
    if (cl_module_role("worker", &role, &err) != 0)
        cl_fail("worker", &err);
    else
        status = cl_single_run(role, &args, false);
    cl_args_deinit(&args);
    return status;
}
