/* Route: which row of the table a request belongs to; pure. */
#ifndef WEIR_HTTP_ROUTE_H
#define WEIR_HTTP_ROUTE_H

#include "lib/http/http.h"

enum ht_match {
    HT_MATCH,        /* *ret_route and params are set */
    HT_NO_PATH,      /* 404 */
    HT_NO_METHOD,    /* 405: the path is known with other methods, listed in *ret_detail */
    HT_BAD_ENCODING, /* 400: *ret_detail is the "{…}" whose text cannot be decoded */
};

/* `path` is raw; params are percent-decoded copies in the arena. HEAD is served by GET rows. */
enum ht_match ht_route_find(const struct ht_route *routes, size_t count, const char *method,
                            const char *path, struct bs_arena *arena,
                            const struct ht_route **ret_route, const char *params[4],
                            const char **ret_detail);
/* Percent-decodes. NULL: a '%' without two digits, a NUL inside, or no UTF-8. */
char *ht_percent_decode(struct bs_arena *arena, const char *text, size_t len);

#endif
