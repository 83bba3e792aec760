/* Serializer: which schema a topic's keys or values are written with, and by which name the message
 * says so; and its counterpart for reading. As the options say (serde_option.h), asked of the
 * registry once and kept. One owner thread; the client below it is shared. */
#ifndef WEIR_REGISTRY_SERIALIZER_H
#define WEIR_REGISTRY_SERIALIZER_H

#include "lib/registry/serde_option.h"
#include "lib/serde/avro.h"

struct rc_serializer;

struct rc_serializer_options {
    const struct bs_config *config; /* holds rc_serde_options; read here, not kept */
    bool key;
    struct rc_client *client;       /* borrowed; NULL, or options of an own client: it makes one */
    const char *url;                /* for an own client when the options name none; may be NULL */
    const struct sd_schema *reader; /* what all is read with, counted; NULL: as the options say */
};

/* BS_EINVAL names the option. */
int rc_serializer_new(const struct rc_serializer_options *options, struct rc_serializer **ret,
                      struct bs_error *err);
void rc_serializer_free(struct rc_serializer *serializer); /* accepts NULL */

/* What a message is written with. */
struct rc_writing {
    const char *subject;
    int32_t id;
    const struct sd_schema *schema;
    bool in_header;
    uint8_t header[SD_SCHEMA_HEADER_SIZE]; /* with in_header */
};

/* `own`: the schema that the caller's data has, or NULL when it has none; then the subject's latest
 * version is taken. The answer is valid until the next call. Errors name the subject. */
int rc_serializer_pick(struct rc_serializer *serializer, const char *topic,
                       const struct sd_schema *own, const struct rc_writing **ret,
                       struct bs_error *err);
/* The subject that a message with this schema belongs to; bs_free it. */
int rc_serializer_subject(const struct rc_serializer *serializer, const char *topic,
                          const struct sd_schema *own, char **ret, struct bs_error *err);
/* Does it register the own schema? */
bool rc_serializer_registers(const struct rc_serializer *serializer);
/* The message, appended (out is cut back on error): envelope unless in_header, then the payload. A
 * record without key or value has none of this: null stays null. */
int rc_writing_put(const struct rc_writing *writing, const struct sd_value *value,
                   struct bs_buf *out, struct bs_error *err);
/* The same of a value that sd_json_write wrote as JSON: see sd_avro_write_base64. */
int rc_writing_put_base64(const struct rc_writing *writing, const struct sd_value *value,
                          struct bs_buf *out, struct bs_error *err);
/* Name of the header for keys or values. */
const char *rc_schema_header(bool key);

/* Reading: `header` is the last of that name, without pointer when there is none. *ret_schema,
 * which the value is of, is counted: sd_schema_unref it. It is the reader's schema that was given,
 * else the version of the subject that use.latest.with.metadata or use.latest.version asks for,
 * else the writer's own. */
int rc_serializer_read(struct rc_serializer *serializer, const char *topic, struct bs_bytes header,
                       struct bs_bytes message, struct bs_arena *arena,
                       struct sd_schema **ret_schema, struct sd_value *ret, struct bs_error *err);
/* Before a topic is read with `schema`: the latest version of its subject has to be readable with
 * it; where there is none yet it becomes the first, if auto.register.schemas lets it. A refusal
 * names version, field and why. */
int rc_serializer_admit(struct rc_serializer *serializer, const char *topic,
                        struct sd_schema *schema, struct bs_error *err);
/* Where rc_serde_reads_latest: that version; *ret->schema is counted. */
int rc_serializer_reader(struct rc_serializer *serializer, const char *topic,
                         const struct sd_schema *writer, struct rc_version *ret,
                         struct bs_error *err);

#endif
