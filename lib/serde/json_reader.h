/* JSON reader: the parser behind sd_json_read, with what a schema text needs in addition. */
#ifndef WEIR_SERDE_JSON_READER_H
#define WEIR_SERDE_JSON_READER_H

#include "lib/serde/value.h"

struct sd_json_rules {
    unsigned depth_max;
    size_t values_max; /* 0: as many as the text has; one takes about 50 bytes */
    /* Schema texts: comments are white space (Avro specification 1.12, Java), and an integer beyond
     * 64 bits is kept as SD_BYTES holding its digits (JSON itself never gives SD_BYTES). */
    bool schema;
};

int sd_json_parse(struct bs_bytes text, const struct sd_json_rules *rules, struct bs_arena *arena,
                  struct sd_value *ret, struct bs_error *err);

#endif
