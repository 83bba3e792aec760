/* CSV record: RFC 4180, one record at a time out of a buffer that may end anywhere. */
#ifndef WEIR_CONNECTORS_FILE_CSV_H
#define WEIR_CONNECTORS_FILE_CSV_H

#include "connectors/api/connector.h"

#include <stdbool.h>

enum { CN_CSV_FIELDS_MAX = 4096 };

enum cn_csv_result {
    CN_CSV_RECORD,
    CN_CSV_MORE,  /* the record goes on behind the buffer */
    CN_CSV_ERROR, /* see error; the record ends at ret_used all the same */
};

struct cn_csv {
    char separator;
    struct cn_text *fields; /* of the last record; slices of the buffer, unquoted in place */
    bool *quoted;
    size_t count, cap;
    const char *error;  /* static text of what is wrong */
    size_t error_field; /* 0-based column, and */
    size_t lines;       /* newlines that the record took, its own end included */
};

void cn_csv_init(struct cn_csv *csv, char separator);
void cn_csv_deinit(struct cn_csv *csv);
/* Takes one record from the start of data; `last`: nothing comes behind data. Changes data only
 * when it gives CN_CSV_RECORD. An empty line is a record of one empty field. */
enum cn_csv_result cn_csv_next(struct cn_csv *csv, char *data, size_t len, bool last,
                               size_t *ret_used);

#endif
