/* Serde: what --registry and --serde say, for a registry's client and for the codecs of keys and
 * values. One thread. */
#ifndef WEIR_CLI_CLIENT_SERDE_H
#define WEIR_CLI_CLIENT_SERDE_H

#include "lib/registry/serde_option.h"

#include <argp.h>

/* Zeroed at first. */
struct cl_serde {
    const char *url;       /* flag, or WEIR_REGISTRY_URL, or http://127.0.0.1:8081 */
    const char **settings; /* "NAME=VALUE" */
    size_t count;
};

/* Child parser (--registry, --serde); its input is a struct cl_serde. An option that is unknown or
 * has a wrong value is wrong usage. */
extern const struct argp cl_serde_argp;

void cl_serde_deinit(struct cl_serde *serde);
/* The options that hold for keys or values; bs_config_free it, whether it succeeds or not. */
int cl_serde_config(const struct cl_serde *serde, bool key, struct bs_config **ret,
                    struct bs_error *err);
/* A client of the registry alone. */
int cl_serde_client(const struct cl_serde *serde, struct rc_client **ret, struct bs_error *err);
/* Adds what to try to an error of the registry's client. */
void cl_serde_hint(struct bs_error *err);

#endif
