/* Registry client: HTTP by libcurl, with a cache that only grows by distinct schemas (bounded by
 * `cache_max`, default 1,000 ids; beyond it the oldest unused one goes). Thread-safe; calls block
 * up to the time-outs and the waits between rounds. A refusal's message is passed on whole, it
 * names the field; user and password are in no message. */
#ifndef WEIR_REGISTRY_CLIENT_H
#define WEIR_REGISTRY_CLIENT_H

#include "lib/registry/secure.h"
#include "lib/serde/schema.h"

struct rc_client;

struct rc_options {
    const char *url;       /* "http://user:password@host:port", several separated by commas */
    const char *user_info; /* "user:password" for all of them; NULL: what the URLs say */
    struct rc_secure secure;
    int timeout_ms;          /* of a whole exchange; 0: 10,000 */
    int connect_timeout_ms;  /* 0: 10,000 */
    int retries_max;         /* rounds after the first; 0: 3, negative: none */
    int retries_wait_ms;     /* before the second round, then doubled; 0: 1,000 */
    int retries_max_wait_ms; /* 0: 20,000 */
    size_t cache_max;        /* 0: 1,000 */
};

int rc_client_new(const struct rc_options *options, struct rc_client **ret, struct bs_error *err);
void rc_client_free(struct rc_client *client); /* accepts NULL */

/* Hand out a counted schema: sd_schema_unref it. BS_ENOTFOUND, BS_ECONFLICT (409), BS_EDENIED,
 * BS_ECONNECT, BS_ETIMEOUT, BS_EINVAL (422), …; err names URL and subject. */
int rc_schema_by_id(struct rc_client *client, int32_t id, struct sd_schema **ret,
                    struct bs_error *err);
/* *ret_id is the GUID's id in the default context, else in the first one listed. */
int rc_schema_by_guid(struct rc_client *client, const uint8_t guid[16], int32_t *ret_id,
                      struct sd_schema **ret, struct bs_error *err);

/* What the registry says of one version. */
struct rc_version {
    int32_t id;
    int number;               /* 0: the answer does not say */
    struct sd_schema *schema; /* counted; NULL after register and lookup */
    bool has_guid;            /* registries before 8.0 give none */
    uint8_t guid[16];
};

void rc_version_deinit(struct rc_version *version); /* accepts a zeroed one */
int rc_version_latest(struct rc_client *client, const char *subject, struct rc_version *ret,
                      struct bs_error *err);
/* The newest version with these properties: "name=value", several separated by commas. */
int rc_version_by_metadata(struct rc_client *client, const char *subject, const char *properties,
                           struct rc_version *ret, struct bs_error *err);
int rc_version_by_id(struct rc_client *client, int32_t id, const char *subject,
                     struct rc_version *ret, struct bs_error *err);
int rc_version_register(struct rc_client *client, const char *subject, struct bs_bytes text,
                        bool normalize, struct rc_version *ret, struct bs_error *err);
int rc_version_lookup(struct rc_client *client, const char *subject, struct bs_bytes text,
                      bool normalize, struct rc_version *ret, struct bs_error *err);

/* Any other call of the REST interface: `path` from "/subjects…", body NULL for GET and DELETE. The
 * answer's body goes to `out`; *ret_status is the HTTP status. One round over the URLs; the second,
 * as the calls above, asks again when what failed may pass. */
int rc_request(struct rc_client *client, const char *method, const char *path, const char *body,
               struct bs_buf *out, int *ret_status, struct bs_error *err);
int rc_request_again(struct rc_client *client, const char *method, const char *path,
                     const char *body, struct bs_buf *out, int *ret_status, struct bs_error *err);
/* An answer that is no 2xx as an error: code and the registry's words, and what to do for 401 and
 * 403. */
int rc_refused(const struct rc_client *client, const char *method, const char *path,
               struct bs_bytes body, int status, struct bs_error *err);
char *rc_escape(const char *text); /* percent-encoded path segment; bs_free it */

#endif
