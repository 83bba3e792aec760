/* Query: the parameters of a request; what handlers ask is in http.h. */
#ifndef WEIR_HTTP_QUERY_H
#define WEIR_HTTP_QUERY_H

#include "lib/http/http.h"

/* "parameter 'x' of the query": the first whose value cannot be decoded; NULL: all can. */
const char *ht_query_unreadable(const struct ht_request *request);

#endif
