/* Route: the REST interface as one table; the handlers are in the route_*.c files by their path. */
#ifndef WEIR_SR_ROUTE_H
#define WEIR_SR_ROUTE_H

#include "schema-registry/input.h"

extern const struct ht_route sr_routes[]; /* body_max 1 stands for the option max.request.bytes */
extern const size_t sr_route_count;

/* route_subject.c */
ht_handler sr_subjects_list, sr_subject_lookup, sr_subject_versions, sr_version_get,
    sr_version_schema, sr_version_referrers, sr_subject_metadata;
/* route_register.c */
void sr_register(struct sr_call *call, struct sr_input *input);
ht_handler sr_version_register;
/* route_tags.c */
ht_handler sr_version_tags;
/* route_delete.c */
ht_handler sr_subject_delete, sr_version_delete;
/* route_schema.c */
ht_handler sr_schemas_list, sr_schema_by_id, sr_schema_text, sr_schema_subjects, sr_schema_versions,
    sr_schema_types, sr_schema_by_guid, sr_guid_ids;
/* route_compat.c */
ht_handler sr_compat_version, sr_compat_all;
/* route_config.c */
ht_handler sr_config_get, sr_config_put, sr_config_delete;
/* route_mode.c */
ht_handler sr_mode_get, sr_mode_put, sr_mode_delete;
/* route_page.c */
ht_handler sr_root, sr_page_get;
/* route_info.c */
ht_handler sr_health, sr_metrics, sr_metadata_id, sr_metadata_version, sr_metadata_deployment;
/* route_context.c */
ht_handler sr_contexts_list, sr_context_delete;
/* The rewrite hook: a path inside /contexts/{context} becomes the one with qualified names. */
int sr_context_rewrite(void *ctx, struct ht_request *request);

#endif
