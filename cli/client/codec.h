/* Codec: between text on the terminal and the bytes of a key or value: string, json, hex, avro
 * (with the registry's envelope). One thread. */
#ifndef WEIR_CLI_CLIENT_CODEC_H
#define WEIR_CLI_CLIENT_CODEC_H

#include "lib/registry/client.h"

enum cl_format { CL_STRING, CL_JSON, CL_HEX, CL_AVRO };

struct cl_codec {
    enum cl_format format;
    struct rc_client *registry; /* borrowed; needed for CL_AVRO */
    const char *subject;        /* writing Avro: whose schema */
    struct sd_schema *schema;   /* writing Avro, once resolved */
    int32_t schema_id;
    struct bs_arena arena; /* of the record at hand */
};

/* "string" | "json" | "hex" | "avro". */
int cl_format_parse(const char *name, enum cl_format *ret);
void cl_codec_deinit(struct cl_codec *codec); /* accepts a zeroed one */
/* Writing Avro: registers the schema of `file`, or takes the subject's latest (file NULL). A schema
 * that the registry refuses is an error that holds its message, which names the field. */
int cl_codec_resolve(struct cl_codec *codec, const char *file, struct bs_error *err);
/* Text → bytes of the record, appended. */
int cl_codec_write(struct cl_codec *codec, struct bs_bytes text, struct bs_buf *out,
                   struct bs_error *err);
/* Bytes of a record → text, appended; `quoted`: as a JSON value (strings in quotes). */
int cl_codec_read(struct cl_codec *codec, struct bs_bytes bytes, bool quoted, struct bs_buf *out,
                  struct bs_error *err);
/* Hex digits → bytes, appended. */
int cl_hex_read(struct bs_bytes text, struct bs_buf *out, struct bs_error *err);
/* A whole file, at most 1 MiB. */
int cl_file_read(const char *file, struct bs_buf *out, struct bs_error *err);

#endif
