/* Schema names: the table of full names, name rules, uses before definitions, redefinitions.
 *
 * Names of Avro 1.12: a newly registered schema is checked strictly (ASCII letters, digits, '_',
 * namespaces and aliases too); one that is stored already leniently (any letter of Unicode, and
 * namespaces and aliases as they are), as Java's UTF validator did for years. */
#include "lib/serde/schema_parse.h"

#include "lib/base/mem.h"

enum { BUCKETS = 256 };

struct sd_forward {
    struct sd_forward *next;
    const char *qualified, *bare; /* bare NULL: only the one spelling */
    struct sd_node **slot;
    const char *where;
};

struct sd_redefinition {
    struct sd_redefinition *next;
    struct sd_node *old, *node;
};

/* The table is an array of buckets, itself in the schema's arena. */
struct table {
    struct sd_schema_name head; /* so that the parser can hold it by the row's type */
    struct sd_schema_name *buckets[BUCKETS];
};

static struct table *table_of(struct sd_parser *p)
{
    if (p->names == NULL)
        p->names = bs_zalloc(sizeof(struct table));
    return (struct table *)p->names;
}

struct sd_schema_name *sd_name_find(struct sd_parser *p, const char *full)
{
    struct table *t = table_of(p);
    struct sd_schema_name *entry = t->buckets[sd_name_hash(bs_bytes_text(full)) % BUCKETS];
    while (entry && strcmp(entry->full, full) != 0)
        entry = entry->next;
    return entry;
}

struct sd_schema_name *sd_name_add(struct sd_parser *p, const char *full)
{
    struct sd_schema_name *entry = sd_name_find(p, full);
    struct sd_schema_name **bucket;
    if (entry)
        return entry;
    bucket = &table_of(p)->buckets[sd_name_hash(bs_bytes_text(full)) % BUCKETS];
    entry = bs_arena_zalloc(&p->schema->arena, sizeof *entry);
    entry->full = full;
    entry->id = (uint32_t)p->schema->name_count++;
    entry->next = *bucket;
    *bucket = entry;
    return entry;
}

static int fail(const struct sd_parser *p, const struct sd_path *path, const char *what,
                struct bs_bytes name)
{
    char where[256];
    return bs_error_set(p->err, BS_EINVAL, "%s: %.*s (at %s)", what,
                        (int)(name.len > 120 ? 120 : name.len), (const char *)name.ptr,
                        sd_path_text(path, where, sizeof where));
}

static bool is_letter(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static const char *name_problem(struct bs_bytes name, bool strict)
{
    if (name.len == 0)
        return "Empty name";
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        bool fine = is_letter(c) || (i && c >= '0' && c <= '9') || (c >= 0x80 && !strict);
        /* U+0080 to U+00BF, U+00D7, U+00F7 and U+2000 to U+2BFF are no letters */
        if (fine && c == 0xc2 && name.ptr[i + 1] != 0xaa && name.ptr[i + 1] != 0xb5 &&
            name.ptr[i + 1] != 0xba)
            fine = false;
        if (fine && c == 0xc3 && (name.ptr[i + 1] == 0x97 || name.ptr[i + 1] == 0xb7))
            fine = false;
        if (fine && c == 0xe2 && name.ptr[i + 1] < 0xb0)
            fine = false;
        if (!fine)
            return i ? "Illegal character in" : "Illegal initial character";
    }
    return NULL;
}

int sd_name_check(struct sd_parser *p, struct bs_bytes name, const struct sd_path *path)
{
    const char *problem = name_problem(name, p->strict);
    return problem ? fail(p, path, problem, name) : 0;
}

static int check_space(struct sd_parser *p, struct bs_bytes space, const struct sd_path *path)
{
    size_t from = 0;
    if (!p->strict || space.len == 0)
        return 0;
    for (size_t i = 0; i <= space.len; i++) {
        if (i == space.len || space.ptr[i] == '.') {
            const char *problem = name_problem(bs_bytes(space.ptr + from, i - from), true);
            if (problem)
                return fail(p, path, "Illegal namespace", space);
            from = i + 1;
        }
    }
    return 0;
}

static const uint8_t *last_dot(struct bs_bytes name)
{
    return name.len ? memrchr(name.ptr, '.', name.len) : NULL;
}

int sd_name_split(struct sd_parser *p, struct bs_bytes name, const char *space,
                  const struct sd_path *path, struct sd_node_more *node)
{
    struct bs_arena *arena = &p->schema->arena;
    const uint8_t *dot = last_dot(name);
    struct bs_bytes base = name, prefix = bs_bytes_text(space);
    int rc;
    if (dot) {
        prefix = bs_bytes(name.ptr, (size_t)(dot - name.ptr));
        base = bs_bytes(dot + 1, name.len - prefix.len - 1);
        if (memchr(prefix.ptr, 0, prefix.len))
            return fail(p, path, "Illegal namespace (it has a NUL character)", base);
    }
    if ((rc = sd_name_check(p, base, path)) < 0 || (rc = check_space(p, prefix, path)) < 0)
        return rc;
    node->space = bs_arena_strndup(arena, (const char *)prefix.ptr, prefix.len);
    node->base = bs_arena_strndup(arena, (const char *)base.ptr, base.len);
    node->node.name =
        prefix.len ? bs_arena_printf(arena, "%s.%s", node->space, node->base) : node->base;
    return 0;
}

int sd_alias_full(struct sd_parser *p, struct bs_bytes alias, const char *space,
                  const struct sd_path *path, const char **ret)
{
    struct sd_node_more parts = {0};
    int rc;
    if (p->strict) {
        if ((rc = sd_name_split(p, alias, space, path, &parts)) < 0)
            return rc;
        *ret = parts.node.name;
        return 0;
    }
    if (last_dot(alias) || *space == '\0')
        *ret = bs_arena_strndup(&p->schema->arena, (const char *)alias.ptr, alias.len);
    else
        *ret = bs_arena_printf(&p->schema->arena, "%s.%.*s", space, (int)alias.len,
                               (const char *)alias.ptr);
    return 0;
}

int sd_name_use(struct sd_parser *p, struct bs_bytes name, const char *space,
                const struct sd_path *path, struct sd_node **slot)
{
    struct bs_arena *arena = &p->schema->arena;
    struct sd_schema_name *entry = NULL;
    struct sd_forward *forward;
    const char *bare, *qualified;
    char where[256];
    if (name.len == 0 || memchr(name.ptr, 0, name.len))
        return fail(p, path, "Undefined name", name);
    bare = qualified = bs_arena_strndup(arena, (const char *)name.ptr, name.len);
    if (*bare == '.') /* Java: an empty namespace before the dot is the null namespace */
        bare = qualified = bare + 1;
    else if (strchr(bare, '.') == NULL && *space)
        qualified = bs_arena_printf(arena, "%s.%s", space, bare);
    entry = sd_name_find(p, qualified);
    if ((entry == NULL || entry->node == NULL) && bare != qualified)
        entry = sd_name_find(p, bare);
    if (entry && entry->node) {
        *slot = entry->node;
        return 0;
    }
    forward = bs_arena_zalloc(arena, sizeof *forward);
    *forward = (struct sd_forward){
        .next = p->forwards,
        .qualified = qualified,
        .bare = bare == qualified ? NULL : bare,
        .slot = slot,
        .where = bs_arena_printf(arena, "%s", sd_path_text(path, where, sizeof where)),
    };
    p->forwards = forward;
    return 0;
}

int sd_redefinition_add(struct sd_parser *p, struct sd_node *old, struct sd_node *node)
{
    struct sd_redefinition *entry = bs_arena_zalloc(&p->schema->arena, sizeof *entry);
    *entry = (struct sd_redefinition){.next = p->redefinitions, .old = old, .node = node};
    p->redefinitions = entry;
    return 0;
}

int sd_redefinitions_compare(struct sd_parser *p)
{
    struct bs_buf a = BS_BUF_INIT, b = BS_BUF_INIT;
    int rc = 0;
    for (struct sd_redefinition *r = p->redefinitions; r && rc == 0; r = r->next) {
        bs_buf_reset(&a);
        bs_buf_reset(&b);
        sd_node_text(p->schema, r->old, &a);
        sd_node_text(p->schema, r->node, &b);
        if (!bs_bytes_equal(bs_buf_bytes(&a), bs_buf_bytes(&b)))
            rc = bs_error_set(p->err, BS_EINVAL, "Can't redefine: %s (its definitions differ)",
                              r->old->name);
    }
    bs_buf_deinit(&a);
    bs_buf_deinit(&b);
    return rc;
}

int sd_names_resolve(struct sd_parser *p)
{
    for (struct sd_forward *f = p->forwards; f; f = f->next) {
        struct sd_schema_name *entry = sd_name_find(p, f->qualified);
        if ((entry == NULL || entry->node == NULL) && f->bare)
            entry = sd_name_find(p, f->bare);
        if (entry == NULL || entry->node == NULL)
            return bs_error_set(p->err, BS_EINVAL,
                                "Undefined name: \"%.200s\" (at %s); a type is defined in the "
                                "same schema or comes by \"references\"",
                                f->qualified, f->where);
        *f->slot = entry->node;
    }
    return 0;
}

void sd_names_deinit(struct sd_parser *p)
{
    bs_free(p->names);
    p->names = NULL;
}
