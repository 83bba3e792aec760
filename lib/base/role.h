/* Role: a part of Weir that runs until it is told to stop: broker, registry, worker. The program
 * (cli/) opens roles from their rows, one for `weir broker`, several for `weir dev`. A role that
 * lives in a module is found by the symbol `weir_module` (cli/module.h).
 *
 * What the program's flags set, by the role's own option names:
 *   broker    --listen `listeners` (HOST:PORT or PLAINTEXT://HOST:PORT), --data `log.dirs`
 *   registry  --listen `listeners` (HOST:PORT or http://HOST:PORT), --bootstrap
 *             `kafkastore.bootstrap.servers`
 *   worker    --listen `listeners`, --bootstrap `bootstrap.servers`, --registry
 *             `schema.registry.url`, --data `state.dir`; positional files and --connector files
 *             come as `files`, a connector's as "connector:FILE.json"
 * --http is the program's own (module http serves /health and /metrics of the broker). */
#ifndef WEIR_BASE_ROLE_H
#define WEIR_BASE_ROLE_H

#include "lib/base/option.h"

struct bs_role {
    const char *name; /* "broker" */
    const struct bs_option_table *const *tables;
    size_t table_count;

    /* Do the options fit together? Opens and connects to nothing; NULL: open says it. */
    int (*check)(const struct bs_config *config, struct bs_error *err);
    /* Starts threads and returns when the role listens (0), or says why not. `files` are the
     * positional arguments and --connector files (worker); NULL-ended, copied. */
    int (*open)(const struct bs_config *config, const char *const *files, void **ret_self,
                struct bs_error *err);
    /* The body of /health: one JSON object whose "status" is "ok", "starting" or "failed" (with
     * "message"), and whose "listen" is the address it listens at, "127.0.0.1:40123", also when
     * port 0 was asked for. The worker's has "caught_up": true|false too (bounded sources complete,
     * lag 0, sinks committed). Any thread. Returns 0 when the role is ready for work, 1 while it is
     * starting, BS_E… when it failed. */
    int (*health)(void *self, struct bs_buf *out);
    /* Orderly stop: finishes what is under way, joins its threads, frees. Accepts NULL. */
    void (*close)(void *self);
};

/* A subcommand that lives in a module: argv[0] is its name ("topic"); returns the exit status:
 * 0 well, 1 failed, 2 wrong usage. Writes results to stdout, errors to stderr. */
struct bs_command {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv);
};

/* `__attribute__((visibility("default"))) const struct bs_module weir_module = {…};` */
struct bs_module {
    const struct bs_role *const *roles; /* NULL-ended, or NULL */
    const struct bs_command *commands;  /* ended by a row without a name, or NULL */
};

#endif
