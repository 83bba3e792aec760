/* Registry client: HTTP by libcurl, with a cache that only grows by distinct schemas (bounded by
 * `cache_max`, default 1,000 ids; beyond it the oldest unused one goes). Thread-safe; calls block
 * up to the time-out. A 409's message is passed on whole, it names the field. */
#ifndef WEIR_REGISTRY_CLIENT_H
#define WEIR_REGISTRY_CLIENT_H

#include "lib/serde/schema.h"

struct rc_client;

struct rc_options {
    const char *url;  /* "http://host:port", several separated by commas */
    int timeout_ms;   /* 0: 10,000 */
    size_t cache_max; /* 0: 1,000 */
};

int rc_client_new(const struct rc_options *options, struct rc_client **ret, struct bs_error *err);
void rc_client_free(struct rc_client *client);

/* Each hands out a counted schema: sd_schema_unref it. BS_ENOTFOUND, BS_ECONFLICT (409),
 * BS_ECONNECT, BS_ETIMEOUT, BS_EINVAL (422), …; err names URL and subject. */
int rc_schema_by_id(struct rc_client *client, int32_t id, struct sd_schema **ret,
                    struct bs_error *err);
int rc_schema_latest(struct rc_client *client, const char *subject, int32_t *ret_id,
                     int *ret_version, struct sd_schema **ret, struct bs_error *err);
int rc_schema_register(struct rc_client *client, const char *subject, struct bs_bytes text,
                       int32_t *ret_id, struct bs_error *err);
/* Any other call of the REST interface: `path` from "/subjects…", body NULL for GET and DELETE. The
 * answer's body goes to `out`; *ret_status is the HTTP status. */
int rc_request(struct rc_client *client, const char *method, const char *path, const char *body,
               struct bs_buf *out, int *ret_status, struct bs_error *err);

#endif
