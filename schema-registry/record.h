/* Record: one record of the topic `_schemas`, as keys and values in Confluent's exact bytes. Pure.
 *
 *   key    {"keytype":"SCHEMA","subject":"s","version":1,"magic":1}
 *   value  {"subject":"s","version":1,"id":1,"schemaType":"AVRO",…,"schema":"…","deleted":false}
 *
 * Compaction works on key bytes: the order of members matters. Reading takes any order. */
#ifndef WEIR_SR_RECORD_H
#define WEIR_SR_RECORD_H

#include "lib/base/err.h"
#include "schema-registry/content.h"

enum sr_record_kind {
    SR_RECORD_SCHEMA,
    SR_RECORD_CONFIG,
    SR_RECORD_MODE,
    SR_RECORD_DELETE_SUBJECT,
    SR_RECORD_CLEAR_SUBJECT,
    SR_RECORD_CONTEXT,
    SR_RECORD_NOOP,
    SR_RECORD_ASSOC, /* a topic bound to a subject: nothing to us */
    SR_RECORD_UNKNOWN,
};

struct sr_record {
    enum sr_record_kind kind;
    const char *subject; /* in its stored form (context.h); NULL: global */
    int version;         /* SCHEMA; DELETE_SUBJECT: up to which */
    bool tombstone;      /* the value is null, or empty */
    /* SCHEMA */
    int32_t id;
    bool deleted;
    const char *type; /* schemaType where that is not AVRO: kept by id, not compared; or NULL */
    struct sr_content content;
    const struct sd_value *extra; /* members that we do not know, as a map; or NULL */
    /* CONFIG, MODE, NOOP: the value as it is */
    struct sd_value value;
    const char *context; /* CONTEXT */
    int64_t timestamp_ms;
    int64_t epoch; /* NOOP: of a claim, and in its key; 0: the highest ids alone */
    bool decided;  /* a leader wrote it: an earlier leader's record gives way */
    /* The key in other bytes than sr_record_put_key's own: set by reading, and written if set. */
    struct bs_bytes spelling;
};

/* Texts and the spelling are copies in the arena. BS_EINVAL / BS_ESYNTAX: not a record of a
 * registry. */
int sr_record_read(struct bs_bytes key, struct bs_bytes value, struct bs_arena *arena,
                   struct sr_record *ret, struct bs_error *err);
void sr_record_put_key(const struct sr_record *record, struct bs_buf *out);
/* Not for tombstones. */
void sr_record_put_value(const struct sr_record *record, struct bs_buf *out);

/* "references" of a request or a record: [{"name","subject","version"}]; BS_EINVAL says what is
 * missing. `list` may be NULL. */
int sr_refs_read(const struct sd_value *list, struct bs_arena *arena, struct sr_content *ret,
                 struct bs_error *err);

#endif
