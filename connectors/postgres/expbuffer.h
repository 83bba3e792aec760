/* Expbuffer: libpq's own growable text buffer, whose header expects a macro of the server's. */
#ifndef WEIR_CONNECTORS_POSTGRES_EXPBUFFER_H
#define WEIR_CONNECTORS_POSTGRES_EXPBUFFER_H

#ifndef pg_attribute_printf
#define pg_attribute_printf(format_at, args_at) __attribute__((format(printf, format_at, args_at)))
#endif

#include <postgresql/internal/pqexpbuffer.h>

#endif
