/* Serde: see serde.h. */
#include "cli/client/serde.h"

#include "lib/base/mem.h"
#include "lib/registry/serializer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_REGISTRY = 0x4000, KEY_SERDE };

static const struct argp_option OPTIONS[] = {
    {.name = "registry",
     .key = KEY_REGISTRY,
     .arg = "URL",
     .doc = "Default $WEIR_REGISTRY_URL or http://127.0.0.1:8081. A user and password belong in "
            "WEIR_REGISTRY_URL=http://NAME:PASSWORD@HOST:PORT, not in the command line, which "
            "every user of the machine can read"},
    {.name = "serde",
     .key = KEY_SERDE,
     .arg = "NAME=VALUE",
     .doc = "Any option of Confluent's Avro serializers and their registry client, as "
            "auto.register.schemas=false or max.retries=0; key. or value. before NAME for one "
            "side; may be repeated"},
    {0}};

int cl_serde_config(const struct cl_serde *serde, bool key, struct bs_config **ret,
                    struct bs_error *err)
{
    int rc = 0;
    *ret = rc_serde_config_new();
    for (size_t i = 0; i < serde->count * 2 && rc == 0; i++) { /* what is said of one side last */
        const char *setting = serde->settings[i % serde->count], *sign = strchr(setting, '=');
        char *name = bs_strndup(setting, (size_t)(sign - setting));
        if (rc_serde_of_one_side(name) == (i >= serde->count))
            rc = rc_serde_set(*ret, key, name, sign + 1, "--serde", err);
        bs_free(name);
    }
    return rc;
}

int cl_serde_client(const struct cl_serde *serde, struct rc_client **ret, struct bs_error *err)
{
    struct bs_config *config;
    int rc = cl_serde_config(serde, false, &config, err);
    if (rc == 0)
        rc = rc_client_of(config, serde->url, ret, err);
    bs_config_free(config);
    return rc;
}

/* A serializer reads all of them. */
static int check(const struct cl_serde *serde, bool key, struct bs_error *err)
{
    struct rc_serializer_options options = {.key = key, .url = serde->url};
    struct rc_serializer *serializer = NULL;
    struct bs_config *config;
    int rc = cl_serde_config(serde, key, &config, err);
    options.config = config;
    if (rc == 0)
        rc = rc_serializer_new(&options, &serializer, err);
    rc_serializer_free(serializer);
    bs_config_free(config);
    return rc;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct cl_serde *serde = state->input;
    const char *url = getenv("WEIR_REGISTRY_URL");
    struct bs_error err = {0};
    switch (key) {
    case ARGP_KEY_INIT:
        serde->url = url && *url ? url : "http://127.0.0.1:8081";
        return 0;
    case KEY_REGISTRY:
        serde->url = arg;
        return 0;
    case KEY_SERDE:
        if (strchr(arg, '=') == NULL)
            argp_error(state, "--serde takes NAME=VALUE, not '%s'", arg);
        serde->settings = bs_realloc(serde->settings, (serde->count + 1) * sizeof *serde->settings);
        serde->settings[serde->count++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (check(serde, true, &err) != 0 || check(serde, false, &err) != 0) {
            fprintf(stderr, "%s: %s\n", state->name, err.text); /* argp would break the lines */
            exit(argp_err_exit_status);
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cl_serde_argp = {.options = OPTIONS, .parser = parse_option};

void cl_serde_deinit(struct cl_serde *serde)
{
    bs_free(serde->settings);
    *serde = (struct cl_serde){0};
}

void cl_serde_hint(struct bs_error *err)
{
    if (err->code == BS_ECONNECT)
        bs_error_hint(err, "is a registry running there? --registry URL names another");
}
