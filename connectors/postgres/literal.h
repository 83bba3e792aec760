/* Literal: values in the text forms that PostgreSQL reads: inside arrays, and as JSON. */
#ifndef WEIR_CONNECTORS_POSTGRES_LITERAL_H
#define WEIR_CONNECTORS_POSTGRES_LITERAL_H

#include "connectors/postgres/type.h"

#include "connectors/postgres/expbuffer.h"

/* Appends one element of an array literal: NULL, 12, "quoted". `scratch` is a buffer for reuse.
 * false: *ret_reason is a static text of what PostgreSQL cannot hold. */
bool cn_literal_put(PQExpBuffer out, PQExpBuffer scratch, const struct cn_pg_type *type,
                    const struct cn_value *value, const char **ret_reason);

#endif
