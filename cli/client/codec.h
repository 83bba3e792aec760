/* Codec: between text on the terminal and the bytes of a key or value: string, json, hex, avro
 * (by the registry's schemas; as plain JSON, or as Avro encodes JSON). One thread. */
#ifndef WEIR_CLI_CLIENT_CODEC_H
#define WEIR_CLI_CLIENT_CODEC_H

#include "cli/client/serde.h"
#include "lib/registry/serializer.h"

enum cl_format { CL_STRING, CL_JSON, CL_HEX, CL_AVRO, CL_AVRO_JSON };

struct cl_codec {
    enum cl_format format;
    struct rc_serializer *serializer; /* Avro; owned */
    const char *topic;                /* Avro */
    struct sd_schema *schema;         /* writing Avro: of the file, or NULL: the registry's */
    struct bs_arena arena;            /* of the record at hand */
};

/* --format and --key-format: string, json, avro, avro-json, hex. */
void cl_format_take(struct argp_state *state, const char *name, enum cl_format *ret);
static inline bool cl_format_is_avro(enum cl_format format)
{
    return format == CL_AVRO || format == CL_AVRO_JSON;
}
void cl_codec_deinit(struct cl_codec *codec); /* accepts a zeroed one */
/* With an Avro format: the serializer for keys or values of `topic`. `reader`: file of the schema
 * that records are read with, or NULL: as they were written, unless the options say otherwise. */
int cl_codec_open(struct cl_codec *codec, const struct cl_serde *serde, const char *topic, bool key,
                  const char *reader, struct bs_error *err);
/* Writing Avro: finds the schema to write with, from that of `file` (NULL: none) and as the options
 * say. One that the registry refuses is an error that holds its message, which names the field. */
int cl_codec_resolve(struct cl_codec *codec, const char *file, struct bs_error *err);
/* Text → bytes of the record, appended. *ret_header, for the record's headers, is without pointer
 * when the bytes say the schema themselves; valid until the next call. */
int cl_codec_write(struct cl_codec *codec, struct bs_bytes text, struct bs_buf *out,
                   struct bs_bytes *ret_header, struct bs_error *err);
/* Bytes of a record → text, appended; `quoted`: as a JSON value (strings in quotes). `header`: the
 * last one with the schema's id, or without pointer. */
int cl_codec_read(struct cl_codec *codec, struct bs_bytes header, struct bs_bytes bytes,
                  bool quoted, struct bs_buf *out, struct bs_error *err);
/* Hex digits → bytes, appended. */
int cl_hex_read(struct bs_bytes text, struct bs_buf *out, struct bs_error *err);
/* A whole file, at most 1 MiB. */
int cl_file_read(const char *file, struct bs_buf *out, struct bs_error *err);

#endif
