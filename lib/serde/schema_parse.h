/* Schema parser: what its files share. */
#ifndef WEIR_SERDE_SCHEMA_PARSE_H
#define WEIR_SERDE_SCHEMA_PARSE_H

#include "lib/serde/path.h"
#include "lib/serde/schema_model.h"

#include <stdio.h>
#include <strings.h>

struct sd_schema_name; /* one row of the table of names: see schema_name.c */
struct sd_forward;
struct sd_redefinition;

struct sd_parser {
    struct sd_schema *schema;
    bool strict, foreign;
    struct sd_node_more **nodes; /* by index; grows */
    size_t node_cap;
    struct sd_node_more *plain[2][SD_AVRO_STRING + 1]; /* primitives by `foreign` and kind */
    struct sd_schema_name *names;                      /* hash table */
    struct sd_forward *forwards;                       /* uses before the definition */
    struct sd_redefinition *redefinitions;
    struct bs_error *err;
};

/* schema_name.c */
struct sd_schema_name *sd_name_find(struct sd_parser *p, const char *full);
struct sd_schema_name *sd_name_add(struct sd_parser *p, const char *full); /* or the one there */
int sd_name_check(struct sd_parser *p, struct bs_bytes name, const struct sd_path *path);
/* Fills name, space and base of `node`. */
int sd_name_split(struct sd_parser *p, struct bs_bytes name, const char *space,
                  const struct sd_path *path, struct sd_node_more *node);
int sd_alias_full(struct sd_parser *p, struct bs_bytes alias, const char *space,
                  const struct sd_path *path, const char **ret);
/* Puts the named type into *slot, now or when sd_names_resolve finds it. */
int sd_name_use(struct sd_parser *p, struct bs_bytes name, const char *space,
                const struct sd_path *path, struct sd_node **slot);
int sd_redefinition_add(struct sd_parser *p, struct sd_node *old, struct sd_node *node);
int sd_names_resolve(struct sd_parser *p);
int sd_redefinitions_compare(struct sd_parser *p); /* once the graph is known to be sound */
void sd_names_deinit(struct sd_parser *p);

struct sd_schema_name {
    const char *full;
    uint32_t id;
    struct sd_node *node; /* NULL: only used yet */
    struct sd_schema_name *next;
};

/* schema_check.c */
bool sd_record_index(struct sd_parser *p, struct sd_node_more *record); /* false: a name twice */
bool sd_symbol_index(struct sd_parser *p, struct sd_node_more *node);
void sd_logical_apply(struct sd_node_more *node);
int sd_schema_check(struct sd_parser *p);

#endif
