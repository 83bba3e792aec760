/* Tree: see tree.h. Depth is bounded by who made the tree: both readers stop at 512 levels. */
#include "runtime/connect/tree.h"

void rt_tree_to_serde(const struct cn_value *from, struct bs_arena *arena, struct sd_value *ret)
{
    *ret = (struct sd_value){.type = SD_NULL};
    switch (from->type) {
    case CN_BOOL:
        ret->type = SD_BOOL;
        ret->boolean = from->integer != 0;
        break;
    case CN_INT64:
        ret->type = SD_LONG;
        ret->number = from->integer;
        break;
    case CN_FLOAT:
    case CN_DOUBLE:
        ret->type = from->type == CN_FLOAT ? SD_FLOAT : SD_DOUBLE;
        ret->real = from->real;
        break;
    case CN_STRING:
    case CN_BYTES:
        ret->type = from->type == CN_STRING ? SD_STRING : SD_BYTES;
        ret->bytes = bs_bytes(from->text.ptr, from->text.len);
        break;
    case CN_ARRAY:
        ret->type = SD_ARRAY;
        ret->array.count = from->array.count;
        ret->array.items = bs_arena_array(arena, from->array.count, sizeof(struct sd_value));
        for (size_t i = 0; i < from->array.count; i++)
            rt_tree_to_serde(&from->array.items[i], arena, &ret->array.items[i]);
        break;
    case CN_MAP:
        ret->type = SD_MAP;
        ret->map.count = from->map.count;
        ret->map.fields = bs_arena_array(arena, from->map.count, sizeof(struct sd_field));
        for (size_t i = 0; i < from->map.count; i++) {
            const struct cn_field *field = &from->map.fields[i];
            ret->map.fields[i].name = bs_bytes(field->name.ptr, field->name.len);
            rt_tree_to_serde(&field->value, arena, &ret->map.fields[i].value);
        }
        break;
    default:
        break;
    }
}

void rt_tree_from_serde(const struct sd_value *from, struct bs_arena *arena, struct cn_value *ret)
{
    *ret = (struct cn_value){.type = CN_NULL};
    switch (from->type) {
    case SD_BOOL:
        ret->type = CN_BOOL;
        ret->integer = from->boolean;
        break;
    case SD_LONG:
        ret->type = CN_INT64;
        ret->integer = from->number;
        break;
    case SD_FLOAT:
    case SD_DOUBLE:
        ret->type = from->type == SD_FLOAT ? CN_FLOAT : CN_DOUBLE;
        ret->real = from->real;
        break;
    case SD_STRING:
    case SD_BYTES:
        ret->type = from->type == SD_STRING ? CN_STRING : CN_BYTES;
        ret->text = (struct cn_text){(const char *)from->bytes.ptr, from->bytes.len};
        break;
    case SD_ARRAY: {
        struct cn_value *items = bs_arena_array(arena, from->array.count, sizeof(*items));
        for (size_t i = 0; i < from->array.count; i++)
            rt_tree_from_serde(&from->array.items[i], arena, &items[i]);
        ret->type = CN_ARRAY;
        ret->array.items = items;
        ret->array.count = from->array.count;
        break;
    }
    case SD_MAP:
    case SD_RECORD: {
        struct cn_field *fields = bs_arena_array(arena, from->map.count, sizeof(*fields));
        for (size_t i = 0; i < from->map.count; i++) {
            const struct sd_field *field = &from->map.fields[i];
            fields[i].name = (struct cn_text){(const char *)field->name.ptr, field->name.len};
            rt_tree_from_serde(&field->value, arena, &fields[i].value);
        }
        ret->type = CN_MAP;
        ret->map.fields = fields;
        ret->map.count = from->map.count;
        break;
    }
    default:
        break;
    }
}
