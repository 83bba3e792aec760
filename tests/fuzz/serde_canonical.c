/* The three texts of a schema. Of what is accepted: the canonical text is accepted again and gives
 * itself; the normalized one too, and it is its own normalized form; the parsing canonical form is
 * the same from each of the three, and is a schema with that same form where names are as new
 * schemas must have them (others are printed as they are, as everybody does: it is for digests).
 * Nor where a type without a namespace stands in one that has one: the form says no namespace, so
 * read again it is in that of its neighbours, in Avro Java as well. */
#include "lib/serde/schema.h"

#include <stdlib.h>
#include <string.h>

enum text { CANONICAL, NORMALIZED, PARSING, TEXTS };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(const struct sd_schema *schema, enum text kind, struct bs_buf *out)
{
    bs_buf_reset(out);
    if (kind == PARSING)
        sd_schema_pcf(schema, out);
    else
        sd_schema_text(schema, kind == NORMALIZED, out);
}

static struct sd_schema *parse(struct bs_bytes text)
{
    struct sd_schema *schema;
    if (sd_schema_parse(text, false, NULL, 0, &schema, NULL) < 0)
        abort();
    return schema;
}

static void same(const struct sd_schema *schema, enum text kind, const struct bs_buf *wanted)
{
    struct bs_buf text = BS_BUF_INIT;
    put(schema, kind, &text);
    if (!bs_bytes_equal(bs_buf_bytes(&text), bs_buf_bytes(wanted)))
        abort();
    bs_buf_deinit(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bs_buf texts[TEXTS] = {0};
    struct sd_schema *schema;
    int texts_read = PARSING;
    if (sd_schema_parse(bs_bytes(data, size), true, NULL, 0, &schema, NULL) == 0) {
        sd_schema_unref(schema);
        texts_read = TEXTS;
    }
    if (sd_schema_parse(bs_bytes(data, size), false, NULL, 0, &schema, NULL) < 0)
        return 0;
    for (int kind = 0; kind < TEXTS; kind++)
        put(schema, (enum text)kind, &texts[kind]);
    sd_schema_unref(schema);
    if (strstr(bs_buf_text(&texts[CANONICAL]), "\"namespace\":\"\""))
        texts_read = PARSING;
    for (int kind = 0; kind < texts_read; kind++) {
        schema = parse(bs_buf_bytes(&texts[kind]));
        same(schema, (enum text)kind, &texts[kind]);
        same(schema, PARSING, &texts[PARSING]);
        if (kind == CANONICAL) /* nothing that normalizing looks at was lost */
            same(schema, NORMALIZED, &texts[NORMALIZED]);
        sd_schema_unref(schema);
    }
    for (int kind = 0; kind < TEXTS; kind++)
        bs_buf_deinit(&texts[kind]);
    return 0;
}
