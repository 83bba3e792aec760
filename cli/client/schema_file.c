/* weir schema canonical, decode: what needs schema files alone, no registry. */
#include "cli/client/codec.h"
#include "cli/client/schema_args.h"
#include "lib/serde/avro.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int read_schema(const char *file, bool strict, struct sd_schema **ret, struct bs_error *err)
{
    struct bs_buf text = BS_BUF_INIT;
    int rc = cl_file_read(file, &text, err);
    if (rc == 0) {
        rc = sd_schema_parse(bs_buf_bytes(&text), strict, NULL, 0, ret, err);
        if (rc != 0)
            bs_error_wrap(err, "%s", file);
    }
    bs_buf_deinit(&text);
    return rc;
}

int cl_schema_canonical(int argc, char **argv)
{
    struct cl_schema_args args;
    struct bs_error err = {0};
    struct bs_buf out = BS_BUF_INIT;
    struct sd_schema *schema = NULL;
    cl_schema_args_parse(&args, CL_SCHEMA_LOCAL | CL_SCHEMA_NORMALIZE, "FILE.avsc",
                         "Prints the text that a registry stores for a schema, after the checks of "
                         "a new one.",
                         1, argc, argv);
    if (read_schema(args.args[0], true, &schema, &err) == 0) {
        sd_schema_text(schema, args.normalize, &out);
        printf("%s\n", bs_buf_text(&out));
    }
    sd_schema_unref(schema);
    bs_buf_deinit(&out);
    return cl_schema_finish(&args, argv, &err);
}

static int decode(const struct cl_schema_args *args, const struct sd_schema *writer,
                  const struct sd_schema *reader, struct bs_buf *out, struct bs_error *err)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_buf bytes = BS_BUF_INIT;
    struct sd_resolver *resolver = NULL;
    struct sd_value value;
    int rc = cl_hex_read(bs_bytes_text(args->args[0]), &bytes, err);
    if (rc == 0)
        rc = sd_resolver_new(writer, reader, &resolver, err);
    if (rc == 0)
        rc = sd_resolver_read(resolver, bs_buf_bytes(&bytes), &arena, &value, err);
    if (rc == 0)
        rc = sd_avro_json_write(sd_schema_root(reader), &value, out, err);
    sd_resolver_free(resolver);
    bs_buf_deinit(&bytes);
    bs_arena_deinit(&arena);
    return rc;
}

int cl_schema_decode(int argc, char **argv)
{
    struct cl_schema_args args;
    struct bs_error err = {0};
    struct bs_buf out = BS_BUF_INIT;
    struct sd_schema *writer = NULL, *reader = NULL;
    cl_schema_args_parse(&args, CL_SCHEMA_LOCAL | CL_SCHEMA_PAIR, "HEX",
                         "Prints a datum in Avro's JSON encoding, seen through the reader's "
                         "schema. HEX is the datum alone, without a registry's five bytes.",
                         1, argc, argv);
    if (args.writer == NULL) {
        fprintf(stderr, "%s: --writer FILE is missing\n", argv[0]);
        return CL_USAGE;
    }
    if (read_schema(args.writer, false, &writer, &err) == 0 &&
        read_schema(args.reader ? args.reader : args.writer, false, &reader, &err) == 0 &&
        decode(&args, writer, reader, &out, &err) == 0)
        printf("%s\n", bs_buf_text(&out));
    sd_schema_unref(writer);
    sd_schema_unref(reader);
    bs_buf_deinit(&out);
    return cl_schema_finish(&args, argv, &err);
}
