/* Columns: the Avro record schema of a CSV file, and the typed reading of its fields by it. */
#ifndef WEIR_CONNECTORS_FILE_COLUMNS_H
#define WEIR_CONNECTORS_FILE_COLUMNS_H

#include "connectors/api/connector.h"

#include <stdbool.h>

struct cn_column {
    char *name;    /* of the schema's field */
    uint32_t type; /* enum cn_type of what is not null */
    bool narrow;   /* int: 32 bits */
    bool nullable;
    bool has_default; /* may be absent from the file */
    char **symbols;   /* enum: NULL-ended; else NULL */
};

struct cn_columns {
    char *text; /* the schema as given: the records' value_schema */
    struct cn_column *list;
    size_t count;
};

/* Reads the schema file. `flat`: it must be a record of scalar fields (CSV); else only `text` is
 * filled. CN_OK; CN_FAIL names file and field. */
int cn_columns_load(struct cn_columns *columns, const char *file, bool flat,
                    struct cn_error *error);
void cn_columns_deinit(struct cn_columns *columns);
/* Text of one field → value; strings are borrowed from text. `quoted` fields are never null.
 * false: *ret_reason is a static text of what was expected. */
bool cn_column_value(const struct cn_column *column, struct cn_text text, bool quoted,
                     struct cn_value *ret, const char **ret_reason);

#endif
