/* Main: finds the subcommand. The program carries the broker; registry, worker, client commands and
 * the HTTP server lie in modules and are opened only by the command that needs them, so that a
 * broker alone starts quickly and stays small. */
#include "cli/command.h"
#include "cli/log_sink.h"
#include "cli/module.h"

#include "lib/base/option.h"

#include <stdio.h>
#include <string.h>

struct row {
    const char *name;
    const char *summary;               /* NULL: not listed */
    int (*run)(int argc, char **argv); /* or … */
    const char *module;                /* … the module that carries the command */
};

static int run_version(int argc, char **argv);
static int run_help(int argc, char **argv);

static const struct row ROWS[] = {
    {.name = "dev", .summary = "broker, registry and worker in one process", .run = cl_dev_main},
    {.name = "broker", .summary = "the log broker, Kafka's protocol", .run = cl_broker_main},
    {.name = "registry", .summary = "the schema registry", .run = cl_registry_main},
    {.name = "worker", .summary = "runs pipelines and connectors", .run = cl_worker_main},
    {.name = "topic", .summary = "create, list, describe, delete topics", .module = "client"},
    {.name = "produce", .summary = "write records from standard input", .module = "client"},
    {.name = "consume", .summary = "print records", .module = "client"},
    {.name = "schema", .summary = "register, list, check schemas", .module = "client"},
    {.name = "connector", .summary = "create, watch, pause connectors", .module = "client"},
    {.name = "test", .summary = "run a pipeline's tests, without a broker", .module = "worker"},
    {.name = "pipeline", .summary = "show what a pipeline is made of", .module = "worker"},
    {.name = "docs", .run = cl_docs_main},
    {.name = "version", .summary = "print the version", .run = run_version},
    {.name = "help", .summary = "print this list", .run = run_help},
};
enum { ROW_COUNT = sizeof ROWS / sizeof ROWS[0] };

int cl_fail(const char *command, const struct bs_error *err)
{
    fprintf(stderr, "weir %s: %s\n", command, err->text);
    return CL_FAILED;
}

static int run_version(int argc, char **argv)
{
    (void)argc, (void)argv;
    printf("weir %s\n", WEIR_VERSION);
    return CL_OK;
}

static void print_help(FILE *out)
{
    fprintf(out, "Usage: weir COMMAND [OPTION...] [ARG...]\n\nCommands:\n");
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (ROWS[i].summary)
            fprintf(out, "  %-10s %s\n", ROWS[i].name, ROWS[i].summary);
    fprintf(out, "\nEvery command explains itself: weir COMMAND --help\n");
}

static int run_help(int argc, char **argv)
{
    (void)argc, (void)argv;
    print_help(stdout);
    return CL_OK;
}

static int run_module(const struct row *row, int argc, char **argv)
{
    const struct bs_module *module = NULL;
    const struct bs_command *command;
    struct bs_error err = {0};
    if (cl_module_open(row->module, &module, &err) != 0)
        return cl_fail(row->name, &err);
    command = cl_module_command(module, row->name);
    if (command == NULL) {
        bs_error_set(&err, BS_ENOTFOUND, "module %s does not carry this command", row->module);
        return cl_fail(row->name, &err);
    }
    return command->run(argc, argv);
}

static int unknown_command(const char *name)
{
    const char *names[ROW_COUNT], *near;
    size_t count = 0;
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (ROWS[i].summary)
            names[count++] = ROWS[i].name;
    near = bs_nearest(name, names, count);
    fprintf(stderr, "weir: unknown command '%s'", name);
    if (near)
        fprintf(stderr, "; did you mean '%s'?", near);
    fprintf(stderr, "\nhint: weir help lists all commands\n");
    return CL_USAGE;
}

int main(int argc, char **argv)
{
    cl_log_open();
    if (argc < 2) {
        print_help(stderr);
        return CL_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0)
        return run_help(argc, argv);
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
        return run_version(argc, argv);
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (strcmp(ROWS[i].name, argv[1]) == 0)
            return ROWS[i].run ? ROWS[i].run(argc - 1, argv + 1)
                               : run_module(&ROWS[i], argc - 1, argv + 1);
    return unknown_command(argv[1]);
}
