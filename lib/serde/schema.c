/* Schema: counting, lookup of fields and symbols, fingerprint. The count is atomic because the
 * registry client hands one schema to several threads; everything else is immutable. */
#include "lib/serde/schema_model.h"

#include "lib/base/mem.h"

struct sd_schema *sd_schema_ref(struct sd_schema *schema)
{
    atomic_fetch_add_explicit(&schema->refs, 1, memory_order_relaxed);
    return schema;
}

void sd_schema_unref(struct sd_schema *schema)
{
    if (schema == NULL || atomic_fetch_sub_explicit(&schema->refs, 1, memory_order_acq_rel) != 1)
        return;
    bs_arena_deinit(&schema->arena);
    bs_free(schema);
}

const struct sd_node *sd_schema_root(const struct sd_schema *schema)
{
    return schema->root;
}

size_t sd_schema_memory(const struct sd_schema *schema)
{
    return sizeof *schema + schema->arena.used;
}

const char *sd_avro_name(enum sd_avro kind)
{
    static const char *const names[] = {
        [SD_AVRO_NULL] = "null",   [SD_AVRO_BOOLEAN] = "boolean", [SD_AVRO_INT] = "int",
        [SD_AVRO_LONG] = "long",   [SD_AVRO_FLOAT] = "float",     [SD_AVRO_DOUBLE] = "double",
        [SD_AVRO_BYTES] = "bytes", [SD_AVRO_STRING] = "string",   [SD_AVRO_RECORD] = "record",
        [SD_AVRO_ENUM] = "enum",   [SD_AVRO_ARRAY] = "array",     [SD_AVRO_MAP] = "map",
        [SD_AVRO_UNION] = "union", [SD_AVRO_FIXED] = "fixed",
    };
    return (unsigned)kind < sizeof names / sizeof *names ? names[kind] : "unknown";
}

uint32_t sd_name_hash(struct bs_bytes name)
{
    uint32_t h = 0x811c9dc5u;
    for (size_t i = 0; i < name.len; i++)
        h = (h ^ name.ptr[i]) * 0x01000193u;
    return h ^ h >> 15;
}

int sd_node_field(const struct sd_node *record, struct bs_bytes name)
{
    const struct sd_node_more *more = sd_more(record);
    if (record->kind != SD_AVRO_RECORD)
        return -1;
    if (more->table) {
        size_t slot = sd_name_hash(name) & (more->table_cap - 1);
        for (; more->table[slot]; slot = (slot + 1) & (more->table_cap - 1))
            if (bs_bytes_equal(more->more[more->table[slot] - 1].name, name))
                return (int)more->table[slot] - 1;
        return -1;
    }
    for (size_t i = 0; i < record->field_count; i++)
        if (bs_bytes_equal(more->more[i].name, name))
            return (int)i;
    return -1;
}

int sd_node_symbol(const struct sd_node *node, struct bs_bytes symbol)
{
    const struct sd_node_more *more = sd_more(node);
    if (more->table) {
        size_t slot = sd_name_hash(symbol) & (more->table_cap - 1);
        for (; more->table[slot]; slot = (slot + 1) & (more->table_cap - 1))
            if (bs_bytes_equal(more->symbol_text[more->table[slot] - 1], symbol))
                return (int)more->table[slot] - 1;
        return -1;
    }
    for (size_t i = 0; i < node->symbol_count; i++)
        if (bs_bytes_equal(more->symbol_text[i], symbol))
            return (int)i;
    return -1;
}

/* CRC-64-AVRO (Avro specification 1.12, "Schema Fingerprints"). */
uint64_t sd_fingerprint64(struct bs_bytes pcf)
{
    const uint64_t seed = 0xc15d213aa4d7a795u;
    uint64_t fp = seed;
    for (size_t i = 0; i < pcf.len; i++) {
        uint64_t low = (fp ^ pcf.ptr[i]) & 0xff;
        for (int bit = 0; bit < 8; bit++)
            low = low >> 1 ^ (seed & -(low & 1));
        fp = fp >> 8 ^ low;
    }
    return fp;
}
