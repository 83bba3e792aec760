/* weir broker: the broker alone. */
#include "broker/broker.h"
#include "cli/command.h"
#include "cli/single.h"

enum { KEY_HTTP = 0x2000 };

static const struct argp_option OPTIONS[] = {
    {.name = "data", .key = 'd', .arg = "DIR", .doc = "Folder of the logs (log.dirs)"},
    {.name = "listen",
     .key = 'l',
     .arg = "HOST:PORT",
     .doc = "Where clients connect (listeners); default 127.0.0.1:9092"},
    {.name = "http",
     .key = KEY_HTTP,
     .arg = "HOST:PORT",
     .doc = "Serve /health and /metrics there (http); off unless given"},
    {0}};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct cl_args *args = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = args;
        return 0;
    case 'd':
        cl_args_flag(args, "log.dirs", arg, "--data");
        return 0;
    case 'l':
        cl_args_flag(args, "listeners", arg, "--listen");
        return 0;
    case KEY_HTTP:
        cl_args_flag(args, "http", arg, "--http");
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "takes no arguments, got '%s'", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cl_broker_main(int argc, char **argv)
{
    static const struct argp_child CHILDREN[] = {{.argp = &cl_args_argp}, {0}};
    static const struct argp ARGP = {
        .options = OPTIONS,
        .parser = parse_option,
        .doc = "Runs the broker. Options have the names of Kafka's server.properties; they come "
               "from --config FILE, the environment (WEIR_LOG_RETENTION_MS sets "
               "log.retention.ms), --set and the flags, each winning over those before it.",
        .children = CHILDREN};
    struct cl_args args;
    int status;
    cl_args_init(&args, "broker");
    cl_args_parse(&ARGP, argc, argv, &args, "broker");
    status = cl_single_run(&bk_role, &args, true);
    cl_args_deinit(&args);
    return status;
}
