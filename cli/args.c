/* Args: the common command line of roles, and the config made from all sources. */
#include "cli/args.h"

#include "cli/command.h"
#include "cli/log_sink.h"
#include "lib/base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

static const struct bs_event CONFIG_WARNING = {
    "weir.config_warning", BS_LOG_WARN,
    "An option was accepted that has no effect here; the sentence says why."};

enum { KEY_CONFIG = 0x1000, KEY_SET, KEY_LOG_LEVEL, KEY_OPTIONS };

static const struct argp_option OPTIONS[] = {
    {.name = "config", .key = KEY_CONFIG, .arg = "FILE", .doc = "Options from a properties file"},
    {.name = "set", .key = KEY_SET, .arg = "NAME=VALUE", .doc = "Set one option; may be repeated"},
    {.name = "log-level",
     .key = KEY_LOG_LEVEL,
     .arg = "LEVEL",
     .doc = "error, warn, info (default) or debug"},
    {.name = "options", .key = KEY_OPTIONS, .doc = "Print every option with its default, and end"},
    {0}};

static void add_pair(struct cl_pair **pairs, size_t *count, struct cl_pair pair)
{
    *pairs = bs_realloc(*pairs, (*count + 1) * sizeof **pairs);
    (*pairs)[(*count)++] = pair;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct cl_args *args = state->input;
    char *sign;
    switch (key) {
    case KEY_CONFIG:
        args->config_file = arg;
        return 0;
    case KEY_SET:
        sign = strchr(arg, '=');
        if (sign == NULL || sign == arg)
            argp_error(state, "--set takes NAME=VALUE, not '%s'", arg);
        else
            add_pair(&args->sets, &args->set_count,
                     (struct cl_pair){.name = bs_strndup(arg, (size_t)(sign - arg)),
                                      .value = bs_strdup(sign + 1),
                                      .source = "--set"});
        return 0;
    case KEY_LOG_LEVEL:
        if (cl_log_level_set(arg) != 0)
            argp_error(state, "--log-level takes error, warn, info or debug, not '%s'", arg);
        return 0;
    case KEY_OPTIONS:
        args->list_options = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cl_args_argp = {.options = OPTIONS, .parser = parse_option};

void cl_args_init(struct cl_args *args, const char *command)
{
    *args = (struct cl_args){.command = command, .files = bs_array(1, sizeof *args->files)};
}

static void free_pairs(struct cl_pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bs_free(pairs[i].name);
        bs_free(pairs[i].value);
    }
    bs_free(pairs);
}

void cl_args_deinit(struct cl_args *args)
{
    free_pairs(args->sets, args->set_count);
    free_pairs(args->flags, args->flag_count);
    for (size_t i = 0; i < args->file_count; i++)
        bs_free((char *)args->files[i]);
    bs_free(args->files);
    *args = (struct cl_args){0};
}

void cl_args_flag(struct cl_args *args, const char *option, const char *value, const char *flag)
{
    add_pair(
        &args->flags, &args->flag_count,
        (struct cl_pair){.name = bs_strdup(option), .value = bs_strdup(value), .source = flag});
}

void cl_args_file(struct cl_args *args, const char *prefix, const char *file)
{
    args->files = bs_realloc(args->files, (args->file_count + 2) * sizeof *args->files);
    args->files[args->file_count++] = bs_asprintf("%s%s", prefix, file);
    args->files[args->file_count] = NULL;
}

void cl_args_parse(const struct argp *argp, int argc, char **argv, void *input, const char *command)
{
    char *name = bs_asprintf("weir %s", command);
    argv[0] = program_invocation_name = program_invocation_short_name = name;
    argp_err_exit_status = 2;
    argp_parse(argp, argc, argv, 0, NULL, input);
    argv[0] = program_invocation_name = program_invocation_short_name = "weir";
    bs_free(name);
}

static int load_file(struct bs_config *config, const char *file, struct bs_error *err)
{
    enum { FILE_MAX = 1 << 20 };
    FILE *in = fopen(file, "re");
    char *text;
    size_t n;
    int rc;
    if (in == NULL) /* no matter why: no option is wrong */
        return bs_error_set(err, BS_EIO, "--config %s: %s", file, strerror(errno));
    text = bs_alloc(FILE_MAX + 1);
    n = fread(text, 1, FILE_MAX + 1, in);
    if (ferror(in))
        rc = bs_error_set(err, BS_EIO, "--config %s: %s", file, strerror(errno));
    else if (n > FILE_MAX)
        rc = bs_error_set(err, BS_ELIMIT, "--config %s: larger than 1 MiB", file);
    else
        rc = bs_config_load_properties(config, text, n, file, err);
    bs_free(text);
    fclose(in);
    return rc;
}

static int apply_pairs(struct bs_config *config, const struct cl_pair *pairs, size_t count,
                       struct bs_error *err)
{
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = bs_config_set(config, pairs[i].name, pairs[i].value, pairs[i].source, err);
    return rc;
}

int cl_args_config(const struct cl_args *args, const struct bs_option_table *const *tables,
                   size_t count, struct bs_config **ret, struct bs_error *err)
{
    /* The program's own variables and those of the client commands: no options of a role. */
    static const char *const EXCEPT[] = {"WEIR_LIB",
                                         "WEIR_LOG_LEVEL",
                                         "WEIR_BOOTSTRAP",
                                         "WEIR_REGISTRY_URL",
                                         "WEIR_WORKER_URL",
                                         "WEIR_TEST_ALL",
                                         NULL};
    struct bs_config *config = bs_config_new(tables, count);
    const char *warning;
    int rc = args->config_file ? load_file(config, args->config_file, err) : 0;
    if (rc == 0)
        rc = bs_config_load_environ(config, environ, EXCEPT, err);
    if (rc == 0)
        rc = apply_pairs(config, args->sets, args->set_count, err);
    if (rc == 0)
        rc = apply_pairs(config, args->flags, args->flag_count, err);
    for (size_t i = 0; rc == 0 && (warning = bs_config_warning(config, i)) != NULL; i++)
        bs_log(&CONFIG_WARNING, "%s", warning);
    if (rc == BS_ENOTFOUND && err) {
        struct bs_error unknown = *err;
        bs_error_set(err, rc, "%s%s weir %s --options lists them", unknown.text,
                     unknown.text[strlen(unknown.text) - 1] == '?' ? "" : ";", args->command);
    }
    if (rc != 0) {
        bs_config_free(config);
        config = NULL;
    }
    *ret = config;
    return rc;
}

int cl_args_status(const struct bs_error *err)
{
    return err->code == BS_EIO ? CL_FAILED : CL_USAGE;
}

void cl_args_print_options(const struct bs_option_table *const *tables, size_t count)
{
    struct bs_buf out = BS_BUF_INIT;
    for (size_t i = 0; i < count; i++) {
        bs_buf_printf(&out, "%s%s\n\n", i ? "\n" : "", tables[i]->title);
        bs_option_print_help(tables[i], &out);
    }
    fwrite(out.data, 1, out.len, stdout);
    bs_buf_deinit(&out);
}
