/* weir registry: the schema registry alone, on any broker that speaks Kafka's protocol. */
#include "cli/command.h"
#include "cli/module.h"
#include "cli/single.h"

#include <malloc.h>

enum {
    KEPT_FREE = 1024 * 1024,
    OWN_PAGES = 512 * 1024, /* a block of so many bytes goes back when it is freed */
    ARENAS = 3,
};

static const struct argp_option OPTIONS[] = {
    {.name = "listen",
     .key = 'l',
     .arg = "HOST:PORT",
     .doc = "Where the REST interface listens (listeners); default 127.0.0.1:8081"},
    {.name = "bootstrap",
     .key = 'b',
     .arg = "HOST:PORT",
     .doc = "The broker (kafkastore.bootstrap.servers); default 127.0.0.1:9092"},
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
        cl_args_flag(args, "kafkastore.bootstrap.servers", arg, "--bootstrap");
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "takes no arguments, got '%s'", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* glibc's allocator keeps what is free at the end of a thread's arena, and more of it after each
 * large block that was freed, unless it is told how much. A parsed schema of 1,000 fields should
 * find its memory there, or it pays for each page again. Few arenas keep less; but with one the
 * threads that serve connections wait for each other (a known schema is answered 33,000 times a
 * second with three, 25,000 with one). It is the whole process's, so `weir dev` does without. */
static void bound_allocator(void)
{
    mallopt(M_TRIM_THRESHOLD, KEPT_FREE);
    mallopt(M_MMAP_THRESHOLD, OWN_PAGES);
    mallopt(M_ARENA_MAX, ARENAS);
}

int cl_registry_main(int argc, char **argv)
{
    static const struct argp_child CHILDREN[] = {{.argp = &cl_args_argp}, {0}};
    static const struct argp ARGP = {
        .options = OPTIONS,
        .parser = parse_option,
        .doc = "Runs the schema registry; its schemas are kept in the topic _schemas.",
        .children = CHILDREN};
    const struct bs_role *role = NULL;
    struct bs_error err = {0};
    struct cl_args args;
    int status = CL_FAILED;
    bound_allocator();
    cl_args_init(&args, "registry");
    cl_args_parse(&ARGP, argc, argv, &args, "registry");
    if (cl_module_role("registry", &role, &err) != 0)
        cl_fail("registry", &err);
    else
        status = cl_single_run(role, &args, false);
    cl_args_deinit(&args);
    return status;
}
