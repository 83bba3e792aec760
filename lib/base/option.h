/* Option: tables of option rows, and a config that holds values for them.
 *
 * A row says name, type, default, bounds and one sentence; from it come parsing, validation,
 * --help, DescribeConfigs and docs/generated/options.md. A value is checked when it is set, and an
 * error names the option, the value, where it came from, and what is accepted. Sources are applied
 * by the caller in rising priority (file, environment, --set, flag): the last set wins. One owner
 * thread. */
#ifndef WEIR_BASE_OPTION_H
#define WEIR_BASE_OPTION_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#include <stdint.h>

enum bs_option_type {
    BS_OPT_BOOL, /* true | false */
    BS_OPT_INT,  /* decimal, min..max */
    BS_OPT_DOUBLE,
    BS_OPT_STRING,
    BS_OPT_PASSWORD, /* a string that is never printed */
    BS_OPT_ENUM,     /* one of words, "a|b|c" */
    BS_OPT_LIST,     /* comma separated; each of words if given */
    BS_OPT_DURATION, /* integer ms, or 250ms 10s 5m 1h 7d; read as ms */
    BS_OPT_SIZE,     /* integer bytes, or 64K 10M 1G */
};

enum bs_option_flag {
    BS_OPT_REQUIRED = 1, /* no default: bs_config_check fails without it */
    BS_OPT_IGNORED =
        2, /* known elsewhere, without effect here and harmless: accepted with a warning */
    BS_OPT_REFUSED = 4, /* known elsewhere, concerns security or durability, not here: an error */
};

struct bs_option {
    const char *name;
    enum bs_option_type type;
    const char *def;   /* NULL: unset; as text, in the type's own syntax */
    int64_t min, max;  /* INT, DURATION, SIZE; both 0: no bound */
    const char *words; /* ENUM, LIST */
    unsigned flags;
    const char *doc; /* one sentence: what it does, unit; why for REFUSED */
};

struct bs_option_table {
    const char *title; /* heading in the docs */
    const struct bs_option *rows;
    size_t count;
};

struct bs_config;

/* `tables` (count of them) must outlive the config. */
struct bs_config *bs_config_new(const struct bs_option_table *const *tables, size_t count);
void bs_config_free(struct bs_config *config);
/* Unknown name: BS_ENOTFOUND, and err names the nearest known one. Bad value: BS_EINVAL.
 * An IGNORED option is kept in the list that bs_config_warning walks. `source` is copied:
 * "broker.properties:12", "--set", "WEIR_…". */
int bs_config_set(struct bs_config *config, const char *name, const char *value, const char *source,
                  struct bs_error *err);
/* Java properties syntax: `name=value`, `name: value`, '#' and '!' comments, '\' joins lines. */
int bs_config_load_properties(struct bs_config *config, const char *text, size_t len,
                              const char *file, struct bs_error *err);
/* Takes every "WEIR_…" of a NULL-ended environ-like list: WEIR_LOG_RETENTION_MS sets
 * log.retention.ms ('_' stands for '.', '-' or '_'). Names in `except` (NULL-ended) are passed
 * over. */
int bs_config_load_environ(struct bs_config *config, char *const *environ_list,
                           const char *const *except, struct bs_error *err);
/* Required options present; call after all sources. */
int bs_config_check(const struct bs_config *config, struct bs_error *err);
/* The i-th warning sentence or NULL behind the last. */
const char *bs_config_warning(const struct bs_config *config, size_t i);

/* Values; the name must be in a table (a wrong one is a bug and aborts). */
bool bs_config_is_set(const struct bs_config *config, const char *name); /* set by a source */
const char *bs_config_text(const struct bs_config *config,
                           const char *name); /* or default; may be NULL */
bool bs_config_bool(const struct bs_config *config, const char *name);
int64_t bs_config_int(const struct bs_config *config,
                      const char *name); /* INT, DURATION (ms), SIZE (bytes) */
double bs_config_double(const struct bs_config *config, const char *name);
const char *bs_config_source(const struct bs_config *config, const char *name); /* or "default" */

/* Single values, for callers that keep their own storage (topic configs, Lua). */
const struct bs_option *bs_option_find(const struct bs_option_table *table, const char *name);
int bs_option_check(const struct bs_option *row, const char *value, struct bs_error *err);
int bs_parse_int(const char *text, int64_t min, int64_t max, int64_t *ret);
int bs_parse_duration_ms(const char *text, int64_t *ret);
int bs_parse_size(const char *text, int64_t *ret);
int bs_parse_bool(const char *text, bool *ret);
/* Nearest of `count` names by edit distance, or NULL when none is near. */
const char *bs_nearest(const char *name, const char *const *names, size_t count);

void bs_option_print_help(const struct bs_option_table *table, struct bs_buf *out);
void bs_option_print_markdown(const struct bs_option_table *table, struct bs_buf *out);

#endif
