/* Sample: see sample.h. Walks the same tables as codec.c, but shares no code with it. */
#include "lib/kafka/sample.h"

#include <ctype.h>
#include <stdio.h>

enum { PATH_BYTES = 512 };

struct filler {
    int16_t version;
    bool nulls;
    struct bs_arena *arena;
};

static void fill_struct(const struct filler *f, const struct kp_struct *type, const char *path,
                        int depth, uint8_t *to);

static uint32_t hash_of(const char *path)
{
    uint32_t h = 0x811c9dc5;
    for (; *path; path++)
        h = (h ^ (uint8_t)*path) * 0x01000193;
    return h;
}

static void fill_slice(const struct filler *f, const struct kp_field *field, uint32_t h,
                       struct bs_bytes *to)
{
    if (field->type == KP_STRING) {
        char *text = bs_arena_printf(f->arena, "s%08x", h);
        *to = bs_bytes_text(text);
        return;
    }
    uint8_t *four = bs_arena_alloc(f->arena, 4);
    bs_store_u32(four, h);
    *to = bs_bytes(four, 4);
}

static void fill_item(const struct filler *f, const struct kp_field *field, const char *path,
                      int depth, uint8_t *to)
{
    uint32_t h = hash_of(path);
    uint16_t half = (uint16_t)h;
    uint64_t wide = (uint64_t)h << 32 | h;
    switch (field->type) {
    case KP_BOOL:
        *to = h & 1;
        break;
    case KP_INT8:
        *to = (uint8_t)h;
        break;
    case KP_INT16:
    case KP_UINT16:
        memcpy(to, &half, sizeof half);
        break;
    case KP_INT32:
    case KP_UINT32:
        memcpy(to, &h, sizeof h);
        break;
    case KP_INT64:
        memcpy(to, &wide, sizeof wide);
        break;
    case KP_UUID:
        for (int i = 0; i < 16; i += 4)
            bs_store_u32(to + i, h);
        break;
    case KP_STRUCT:
        fill_struct(f, field->members, path, depth + 1, to);
        break;
    default:
        fill_slice(f, field, h, (struct bs_bytes *)to);
    }
}

static size_t item_size(const struct kp_field *field)
{
    static const uint8_t sizes[] = {1, 1, 2, 2, 4, 4, 8, 16, 16, 16, 16};
    return field->type == KP_STRUCT ? field->members->size : sizes[field->type];
}

static void fill_field(const struct filler *f, const struct kp_field *field, const char *above,
                       int depth, uint8_t *base)
{
    char path[PATH_BYTES], item[PATH_BYTES + 16];
    size_t n = (size_t)snprintf(path, sizeof path, "%s/", above);
    for (const char *p = field->name; *p && n < sizeof path - 1; p++)
        path[n++] = (char)tolower((unsigned char)*p);
    path[n] = '\0';
    bool null = f->nulls && kp_range_has(field->nullable, f->version);
    uint8_t *to = base + field->offset, *there = NULL;
    if (field->array) {
        int32_t count = null ? -1 : depth == 0 ? 2 : 1;
        if (!null)
            there = bs_arena_array(f->arena, (size_t)count, item_size(field));
        memcpy(to, &there, sizeof there);
        memcpy(base + field->count_offset, &count, sizeof count);
        for (int32_t i = 0; i < count; i++) {
            snprintf(item, sizeof item, "%s[%d]", path, i);
            fill_item(f, field, item, depth, there + (size_t)i * item_size(field));
        }
    } else if (field->type == KP_STRUCT && field->ever_null) {
        if (!null) {
            there = bs_arena_zalloc(f->arena, field->members->size);
            fill_item(f, field, path, depth, there);
        }
        memcpy(to, &there, sizeof there);
    } else if (null) {
        memset(to, 0, sizeof(struct bs_bytes));
    } else {
        fill_item(f, field, path, depth, to);
    }
}

static void fill_struct(const struct filler *f, const struct kp_struct *type, const char *path,
                        int depth, uint8_t *to)
{
    kp_struct_init(type, to);
    for (uint16_t i = 0; i < type->field_count; i++)
        if (kp_range_has(type->fields[i].versions, f->version))
            fill_field(f, &type->fields[i], path, depth, to);
}

void kp_sample_fill(const struct kp_message *message, int16_t version, bool nulls,
                    struct bs_arena *arena, void *ret)
{
    struct filler f = {.version = version, .nulls = nulls, .arena = arena};
    fill_struct(&f, message->root, "", 0, ret);
}

/* ---- comparing --------------------------------------------------------------------------------
 */

static bool item_equal(const struct kp_field *field, const uint8_t *a, const uint8_t *b)
{
    switch (field->type) {
    case KP_STRUCT:
        return kp_sample_equal(field->members, a, b);
    case KP_STRING:
    case KP_BYTES:
    case KP_RECORDS: {
        const struct bs_bytes *x = (const struct bs_bytes *)a, *y = (const struct bs_bytes *)b;
        return !x->ptr == !y->ptr && bs_bytes_equal(*x, *y);
    }
    default:
        return memcmp(a, b, item_size(field)) == 0;
    }
}

static bool field_equal(const struct kp_field *field, const uint8_t *a, const uint8_t *b)
{
    const uint8_t *at_a = a + field->offset, *at_b = b + field->offset;
    const uint8_t *there_a, *there_b;
    if (field->array) {
        int32_t count = *(const int32_t *)(a + field->count_offset);
        if (count != *(const int32_t *)(b + field->count_offset))
            return false;
        memcpy(&there_a, at_a, sizeof there_a);
        memcpy(&there_b, at_b, sizeof there_b);
        for (int32_t i = 0; i < count; i++)
            if (!item_equal(field, there_a + (size_t)i * item_size(field),
                            there_b + (size_t)i * item_size(field)))
                return false;
        return true;
    }
    if (field->type == KP_STRUCT && field->ever_null) {
        memcpy(&there_a, at_a, sizeof there_a);
        memcpy(&there_b, at_b, sizeof there_b);
        return !there_a == !there_b && (!there_a || item_equal(field, there_a, there_b));
    }
    return item_equal(field, at_a, at_b);
}

bool kp_sample_equal(const struct kp_struct *type, const void *a, const void *b)
{
    for (uint16_t i = 0; i < type->field_count; i++)
        if (!field_equal(&type->fields[i], a, b))
            return false;
    return true;
}
