/* weir connector: Kafka Connect's REST interface of a worker. */
#include "cli/client/codec.h"
#include "cli/client/commands.h"
#include "cli/client/rest.h"
#include "cli/client/verb.h"
#include "lib/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_WORKER = 0x2000 };

struct connector_args {
    struct cl_rest rest;
    const char *name;
};

static const struct argp_option OPTIONS[] = {
    {.name = "worker",
     .key = KEY_WORKER,
     .arg = "URL",
     .doc = "The worker's REST interface; default $WEIR_WORKER_URL or http://127.0.0.1:8083"},
    {0}};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct connector_args *args = state->input;
    switch (key) {
    case KEY_WORKER:
        args->rest.url = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (args->name)
            argp_error(state, "one argument too many: '%s'", arg);
        args->name = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void parse(struct connector_args *args, const char *args_doc, const char *doc, int argc,
                  char **argv)
{
    struct argp argp = {
        .options = OPTIONS, .parser = parse_option, .args_doc = args_doc, .doc = doc};
    const char *url = getenv("WEIR_WORKER_URL");
    *args = (struct connector_args){.rest = {.url = url && *url ? url : "http://127.0.0.1:8083",
                                             .content_type = "application/json",
                                             .name = "worker"}};
    cl_verb_parse(&argp, argc, argv, args);
    if (*args_doc && args->name == NULL) {
        fprintf(stderr, "%s: too few arguments; usage: %s %s\n", argv[0], argv[0], args_doc);
        exit(CL_USAGE);
    }
}

static int finish(char **argv, struct bs_error *err)
{
    if (err->code == BS_ECONNECT)
        bs_error_hint(err, "is a worker running there? --worker URL names another");
    else if (err->code == BS_ENOTFOUND)
        bs_error_hint(err, "weir connector list shows the names");
    return err->code == 0 ? CL_OK : cl_verb_fail(argv[0], err);
}

/* One call about the connector NAME; the answer, if it has one, as indented JSON. */
static int call_named(const char *method, const char *suffix, const char *doc, const char *done,
                      int argc, char **argv)
{
    struct connector_args args;
    struct bs_error err = {0};
    json_t *answer = NULL;
    char *name, *path;
    parse(&args, "NAME", doc, argc, argv);
    name = cl_rest_escape(args.name);
    path = bs_asprintf("/connectors/%s%s", name, suffix);
    if (cl_rest_call(&args.rest, method, path, NULL, &answer, &err) == 0) {
        if (done)
            printf("%s %s\n", done, args.name);
        else if (answer) {
            json_dumpf(answer, stdout, JSON_INDENT(2));
            printf("\n");
        }
    }
    json_decref(answer);
    bs_free(path);
    bs_free(name);
    return finish(argv, &err);
}

static int read_file(const char *file, json_t **ret, struct bs_error *err)
{
    json_error_t where;
    *ret = json_load_file(file, JSON_REJECT_DUPLICATES, &where);
    if (*ret == NULL && where.line <= 0) /* jansson's text names the file and why */
        return bs_error_set(err, BS_EINVAL, "%s", where.text);
    if (*ret == NULL)
        return bs_error_set(err, BS_ESYNTAX, "%s:%d: %s", file, where.line, where.text);
    if (!json_is_string(json_object_get(*ret, "name")) ||
        !json_is_object(json_object_get(*ret, "config"))) {
        json_decref(*ret);
        *ret = NULL;
        return bs_error_set(err, BS_EINVAL, "%s: expected {\"name\": \"…\", \"config\": {…}}",
                            file);
    }
    return 0;
}

static int run_create(int argc, char **argv)
{
    struct connector_args args;
    struct bs_error err = {0};
    json_t *body = NULL, *answer = NULL;
    parse(&args, "FILE.json", "Creates a connector from {\"name\": …, \"config\": {…}}.", argc,
          argv);
    if (read_file(args.name, &body, &err) == 0 &&
        cl_rest_call(&args.rest, "POST", "/connectors", body, &answer, &err) == 0)
        printf("created %s\n", json_string_value(json_object_get(body, "name")));
    json_decref(body);
    json_decref(answer);
    return finish(argv, &err);
}

static int run_update(int argc, char **argv)
{
    struct connector_args args;
    struct bs_error err = {0};
    json_t *body = NULL, *answer = NULL;
    parse(&args, "FILE.json", "Creates a connector, or gives it the file's configuration.", argc,
          argv);
    if (read_file(args.name, &body, &err) == 0) {
        char *name = cl_rest_escape(json_string_value(json_object_get(body, "name")));
        char *path = bs_asprintf("/connectors/%s/config", name);
        if (cl_rest_call(&args.rest, "PUT", path, json_object_get(body, "config"), &answer, &err) ==
            0)
            printf("updated %s\n", json_string_value(json_object_get(body, "name")));
        bs_free(path);
        bs_free(name);
    }
    json_decref(body);
    json_decref(answer);
    return finish(argv, &err);
}

static int call_list(const char *path, const char *field, const char *doc, int argc, char **argv)
{
    struct connector_args args;
    struct bs_error err = {0};
    json_t *answer = NULL, *item;
    size_t i;
    parse(&args, "", doc, argc, argv);
    if (cl_rest_call(&args.rest, "GET", path, NULL, &answer, &err) == 0)
        json_array_foreach(answer, i, item)
        {
            const char *text = json_string_value(field ? json_object_get(item, field) : item);
            printf("%s\n", text ? text : "");
        }
    json_decref(answer);
    return finish(argv, &err);
}

static int run_list(int argc, char **argv)
{
    return call_list("/connectors", NULL, "Lists connectors, one a line.", argc, argv);
}

static int run_plugins(int argc, char **argv)
{
    return call_list("/connector-plugins", "class", "Lists what the worker can run.", argc, argv);
}

static int run_status(int argc, char **argv)
{
    return call_named("GET", "/status", "Shows a connector's state and its tasks'.", NULL, argc,
                      argv);
}

static int run_config(int argc, char **argv)
{
    return call_named("GET", "/config", "Shows a connector's configuration.", NULL, argc, argv);
}

static int run_pause(int argc, char **argv)
{
    return call_named("PUT", "/pause", "Pauses a connector; it keeps its position.", "paused", argc,
                      argv);
}

static int run_resume(int argc, char **argv)
{
    return call_named("PUT", "/resume", "Resumes a paused connector.", "resumed", argc, argv);
}

static int run_restart(int argc, char **argv)
{
    return call_named("POST", "/restart?includeTasks=true", "Restarts a connector and its tasks.",
                      "restarted", argc, argv);
}

static int run_delete(int argc, char **argv)
{
    return call_named("DELETE", "", "Stops and removes a connector.", "deleted", argc, argv);
}

int cl_connector_main(int argc, char **argv)
{
    static const struct cl_verb VERBS[] = {
        {"create", "from a JSON file", run_create},
        {"update", "create, or change the configuration", run_update},
        {"list", "names", run_list},
        {"status", "state and tasks", run_status},
        {"config", "configuration", run_config},
        {"pause", "stop for a while", run_pause},
        {"resume", "go on", run_resume},
        {"restart", "start anew", run_restart},
        {"delete", "remove", run_delete},
        {"plugins", "what can be run", run_plugins},
        {0}};
    return cl_verb_run("connector", "Connectors of a worker.", VERBS, argc, argv);
}
