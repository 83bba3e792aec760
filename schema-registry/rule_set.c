/* Rule set: see rule_set.h. */
#include "schema-registry/rule_set.h"

#include "lib/base/mem.h"
#include "schema-registry/member.h"

#include <ctype.h>
#include <stdlib.h>

static const struct list {
    const char *name, *title;
    const char *modes[3];
} lists[] = {
    {"migrationRules", "Migration", {"UPGRADE", "DOWNGRADE", "UPDOWN"}},
    {"domainRules", "Domain", {"WRITE", "READ", "WRITEREAD"}},
    {"encodingRules", "Encoding", {"WRITE", "READ", "WRITEREAD"}},
};

static const char *const kinds[] = {"TRANSFORM", "CONDITION"};
static const char *const places[] = {"ALL", "CLIENT", "GATEWAY", "SERVER", "NONE"};

enum {
    LISTS = sizeof lists / sizeof *lists,
    KINDS = sizeof kinds / sizeof *kinds,
    PLACES = sizeof places / sizeof *places,
};

/* Members of a rule in their order, and what they are. */
enum part { PART_TEXT, PART_KIND, PART_MODE, PART_SET, PART_MAP, PART_FLAG };
static const struct {
    const char *name;
    enum part part;
} parts[] = {
    {"name", PART_TEXT},      {"doc", PART_TEXT},      {"kind", PART_KIND},
    {"mode", PART_MODE},      {"type", PART_TEXT},     {"tags", PART_SET},
    {"params", PART_MAP},     {"expr", PART_TEXT},     {"onSuccess", PART_TEXT},
    {"onFailure", PART_TEXT}, {"disabled", PART_FLAG},
};

enum { PARTS = sizeof parts / sizeof *parts };

static const struct sd_value *member(const struct sd_value *map, const char *name)
{
    const struct sd_value *value = sd_value_get(map, bs_bytes_text(name));
    return value && value->type != SD_NULL ? value : NULL;
}

static bool one_of(const struct sd_value *value, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (value->type == SD_STRING && bs_bytes_is(value->bytes, words[i]))
            return true;
    return false;
}

/* ---- take ---- */

static void take_map(struct sd_value *map, struct bs_arena *arena)
{
    for (size_t i = 0; map->type == SD_MAP && i < map->map.count; i++) {
        struct sd_value *value = &map->map.fields[i].value, taken;
        if (sr_member_take(value, SD_STRING, arena, &taken))
            *value = taken;
    }
}

static void take_part(struct sd_value *value, enum part part, struct bs_arena *arena)
{
    struct sd_value taken;
    bool fine = part == PART_SET    ? sr_member_take_texts(value, arena, &taken)
                : part == PART_FLAG ? sr_member_take(value, SD_BOOL, arena, &taken)
                : part == PART_TEXT ? sr_member_take(value, SD_STRING, arena, &taken)
                                    : false;
    if (fine)
        *value = taken;
    else if (part == PART_MAP)
        take_map(value, arena);
}

static void take_rule(struct sd_value *rule, struct bs_arena *arena)
{
    for (size_t i = 0; rule->type == SD_MAP && i < rule->map.count; i++)
        for (size_t k = 0; k < PARTS; k++)
            if (bs_bytes_is(rule->map.fields[i].name, parts[k].name))
                take_part(&rule->map.fields[i].value, parts[k].part, arena);
}

const struct sd_value *sr_rule_set_take(const struct sd_value *set, struct bs_arena *arena)
{
    struct sd_value *to = sd_value_copy(arena, set);
    for (size_t i = 0; to->type == SD_MAP && i < to->map.count; i++) {
        struct sd_value *rules = &to->map.fields[i].value;
        for (size_t k = 0; rules->type == SD_ARRAY && k < rules->array.count; k++)
            take_rule(&rules->array.items[k], arena);
    }
    return to;
}

/* ---- check ---- */

/* Letters beyond ASCII count as letters: Java's do. */
static bool is_letter(uint8_t c)
{
    return isalpha(c) || c >= 0x80;
}

static int check_name(const struct sd_value *name, struct bs_error *err)
{
    size_t length = 0;
    if (name == NULL)
        return bs_error_set(err, BS_EINVAL, "Missing rule name");
    if (name->type != SD_STRING)
        return bs_error_set(err, BS_EINVAL, "Rule name is not a string");
    if (name->bytes.len == 0)
        return bs_error_set(err, BS_EINVAL, "Empty rule name");
    for (size_t i = 0; i < name->bytes.len; i++)
        length += (name->bytes.ptr[i] & 0xc0) != 0x80;
    if (length > SR_RULE_NAME_MAX)
        return bs_error_set(err, BS_EINVAL, "Rule name too long: more than %d characters: %.*s…",
                            SR_RULE_NAME_MAX, 32, (const char *)name->bytes.ptr);
    for (size_t i = 0; i < name->bytes.len; i++) {
        uint8_t c = name->bytes.ptr[i];
        if (is_letter(c) || c == '_' || (i && (isdigit(c) || c == '-')))
            continue;
        return bs_error_set(err, BS_EINVAL, "Illegal %scharacter in rule name: %.*s",
                            i ? "" : "initial ", (int)name->bytes.len,
                            (const char *)name->bytes.ptr);
    }
    return 0;
}

static bool strings_only(const struct sd_value *value, enum part part)
{
    bool is_map = part == PART_MAP;
    if (value->type != (is_map ? SD_MAP : SD_ARRAY))
        return false;
    for (size_t i = 0; i < (is_map ? value->map.count : value->array.count); i++)
        if ((is_map ? value->map.fields[i].value : value->array.items[i]).type != SD_STRING)
            return false;
    return true;
}

static const char *wanted(const struct sd_value *value, enum part part)
{
    switch (part) {
    case PART_KIND:
        return one_of(value, kinds, KINDS) ? NULL : "TRANSFORM or CONDITION";
    case PART_MODE: {
        bool known = false;
        for (size_t i = 0; i < LISTS; i++)
            known = known || one_of(value, lists[i].modes, 3);
        return known ? NULL : "UPGRADE, DOWNGRADE, UPDOWN, WRITE, READ or WRITEREAD";
    }
    case PART_SET:
        return strings_only(value, part) ? NULL : "a list of strings";
    case PART_MAP:
        return strings_only(value, part) ? NULL : "an object of strings";
    case PART_FLAG:
        return value->type == SD_BOOL ? NULL : "true or false";
    default:
        return value->type == SD_STRING ? NULL : "a string";
    }
}

/* "none,error": one action for writing (or up), one for reading (or down). */
static bool two_actions(const struct sd_value *rule, const char *name)
{
    const struct sd_value *action = member(rule, name);
    return action && memchr(action->bytes.ptr, ',', action->bytes.len);
}

static int check_rule(const struct sd_value *rule, const struct list *list, struct bs_error *err)
{
    static const char *const both[] = {"WRITEREAD", "UPDOWN"};
    const struct sd_value *name = member(rule, "name"), *mode = member(rule, "mode");
    int rc = check_name(name, err);
    int len = name ? (int)name->bytes.len : 0;
    const char *text = name ? (const char *)name->bytes.ptr : "";
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < PARTS; i++) {
        const struct sd_value *value = member(rule, parts[i].name);
        const char *want = value ? wanted(value, parts[i].part) : NULL;
        if (want)
            return bs_error_set(err, BS_EINVAL, "Rule '%.*s': \"%s\" is not %s", len, text,
                                parts[i].name, want);
    }
    if (member(rule, "type") == NULL)
        return bs_error_set(err, BS_EINVAL, "Rule '%.*s': Missing rule type", len, text);
    /* without a mode it is WRITEREAD, which no migration rule may be */
    if (mode ? !one_of(mode, list->modes, 3) : list == &lists[0])
        return bs_error_set(err, BS_EINVAL, "Rule '%.*s': %s rules can only be %s, %s, %s", len,
                            text, list->title, list->modes[0], list->modes[1], list->modes[2]);
    if (mode && !one_of(mode, both, 2) &&
        (two_actions(rule, "onSuccess") || two_actions(rule, "onFailure")))
        return bs_error_set(err, BS_EINVAL,
                            "Rule '%.*s': Multiple actions only valid with WRITEREAD and UPDOWN",
                            len, text);
    return 0;
}

static int bytes_compare(const void *a, const void *b)
{
    return bs_bytes_compare(*(const struct bs_bytes *)a, *(const struct bs_bytes *)b);
}

static int check_lists(const struct sd_value *set, struct bs_bytes *names, size_t *count,
                       struct bs_error *err)
{
    for (size_t i = 0; i < LISTS; i++) {
        const struct sd_value *rules = member(set, lists[i].name);
        if (rules == NULL)
            continue;
        if (rules->type != SD_ARRAY)
            return bs_error_set(err, BS_EINVAL, "\"%s\" is not a list of rules", lists[i].name);
        for (size_t k = 0; k < rules->array.count; k++) {
            const struct sd_value *rule = &rules->array.items[k];
            int rc;
            if (rule->type != SD_MAP)
                return bs_error_set(err, BS_EINVAL, "Rule %zu of \"%s\" is not an object", k,
                                    lists[i].name);
            if (*count == SR_RULES_MAX)
                return bs_error_set(err, BS_EINVAL, "More than %d rules", SR_RULES_MAX);
            if ((rc = check_rule(rule, &lists[i], err)) < 0)
                return rc;
            names[(*count)++] = member(rule, "name")->bytes;
        }
    }
    return 0;
}

int sr_rule_set_check(const struct sd_value *set, struct bs_error *err)
{
    struct bs_bytes *names;
    const struct sd_value *place;
    size_t count = 0;
    int rc;
    if (set == NULL)
        return 0;
    if (set->type != SD_MAP)
        return bs_error_set(err, BS_EINVAL, "A rule set is an object");
    place = member(set, "enableAt");
    if (place && !one_of(place, places, PLACES))
        return bs_error_set(err, BS_EINVAL,
                            "\"enableAt\" is not ALL, CLIENT, GATEWAY, SERVER or NONE");
    names = bs_array(SR_RULES_MAX, sizeof *names);
    rc = check_lists(set, names, &count, err);
    if (rc == 0 && count)
        qsort(names, count, sizeof *names, bytes_compare);
    for (size_t i = 1; i < count && rc == 0; i++)
        if (bs_bytes_equal(names[i - 1], names[i]))
            rc = bs_error_set(err, BS_EINVAL, "Found rule with duplicate name '%.*s'",
                              (int)names[i].len, (const char *)names[i].ptr);
    bs_free(names);
    return rc;
}

/* ---- complete ---- */

static struct sd_value text_value(const char *text)
{
    return (struct sd_value){.type = SD_STRING, .bytes = bs_bytes_text(text)};
}

static void put(struct sd_value *map, const char *name, struct sd_value value)
{
    map->map.fields[map->map.count].name = bs_bytes_text(name);
    map->map.fields[map->map.count++].value = value;
}

static int field_compare(const void *a, const void *b)
{
    return bs_bytes_compare(((const struct sd_field *)a)->name, ((const struct sd_field *)b)->name);
}

static int item_compare(const void *a, const void *b)
{
    return bs_bytes_compare(((const struct sd_value *)a)->bytes,
                            ((const struct sd_value *)b)->bytes);
}

static void put_sorted(struct sd_value *rule, const char *name, const struct sd_value *value,
                       enum part part, struct bs_arena *arena)
{
    struct sd_value *copy;
    size_t kept = 0;
    if (!strings_only(value, part))
        return;
    copy = sd_value_copy(arena, value);
    if (part == PART_MAP) {
        qsort(copy->map.fields, copy->map.count, sizeof *copy->map.fields, field_compare);
    } else {
        qsort(copy->array.items, copy->array.count, sizeof *copy->array.items, item_compare);
        for (size_t i = 0; i < copy->array.count; i++)
            if (kept == 0 || item_compare(&copy->array.items[kept - 1], &copy->array.items[i]))
                copy->array.items[kept++] = copy->array.items[i];
        copy->array.count = kept;
    }
    put(rule, name, *copy);
}

static struct sd_value complete_rule(const struct sd_value *rule, struct bs_arena *arena)
{
    struct sd_value to = {.type = SD_MAP};
    to.map.fields = bs_arena_array(arena, PARTS, sizeof *to.map.fields);
    for (size_t i = 0; i < PARTS; i++) {
        const struct sd_value *value = member(rule, parts[i].name);
        switch (parts[i].part) {
        case PART_KIND:
        case PART_MODE:
            if (value && value->type == SD_STRING)
                put(&to, parts[i].name, *sd_value_copy(arena, value));
            else
                put(&to, parts[i].name,
                    text_value(parts[i].part == PART_KIND ? "TRANSFORM" : "WRITEREAD"));
            break;
        case PART_FLAG:
            put(&to, parts[i].name,
                (struct sd_value){.type = SD_BOOL,
                                  .boolean = value && value->type == SD_BOOL && value->boolean});
            break;
        case PART_SET:
        case PART_MAP:
            if (value && (value->type == SD_ARRAY ? value->array.count : value->map.count))
                put_sorted(&to, parts[i].name, value, parts[i].part, arena);
            break;
        default:
            if (value && value->type == SD_STRING && value->bytes.len)
                put(&to, parts[i].name, *sd_value_copy(arena, value));
            break;
        }
    }
    return to;
}

static struct sd_value *set_new(struct bs_arena *arena)
{
    struct sd_value *set = bs_arena_zalloc(arena, sizeof *set);
    set->type = SD_MAP;
    set->map.fields = bs_arena_array(arena, LISTS + 1, sizeof *set->map.fields);
    return set;
}

static const struct sd_value *rules_of(const struct sd_value *set, size_t list)
{
    const struct sd_value *rules = set ? member(set, lists[list].name) : NULL;
    return rules && rules->type == SD_ARRAY && rules->array.count ? rules : NULL;
}

const struct sd_value *sr_rule_set_complete(const struct sd_value *set, struct bs_arena *arena)
{
    struct sd_value *to = set_new(arena);
    const struct sd_value *place = set ? member(set, "enableAt") : NULL;
    for (size_t i = 0; i < LISTS; i++) {
        const struct sd_value *rules = rules_of(set, i);
        struct sd_value list = {.type = SD_ARRAY};
        if (rules == NULL)
            continue;
        list.array.items = bs_arena_array(arena, rules->array.count, sizeof *list.array.items);
        for (size_t k = 0; k < rules->array.count; k++)
            if (rules->array.items[k].type == SD_MAP)
                list.array.items[list.array.count++] = complete_rule(&rules->array.items[k], arena);
        if (list.array.count)
            put(to, lists[i].name, list);
    }
    if (to->map.count && place && one_of(place, places, PLACES))
        put(to, "enableAt", *sd_value_copy(arena, place));
    return to;
}

/* ---- merge ---- */

static struct bs_bytes name_of(const struct sd_value *rule)
{
    const struct sd_value *name = member(rule, "name");
    return name && name->type == SD_STRING ? name->bytes : bs_bytes("", 0);
}

static bool named(const struct bs_bytes *names, size_t count, const struct sd_value *rule)
{
    struct bs_bytes name = name_of(rule);
    return count && bsearch(&name, names, count, sizeof *names, bytes_compare);
}

/* `old` but the rules that are named, then `new` (or NULL). */
static struct sd_value join(const struct sd_value *old, const struct sd_value *new,
                            const struct bs_bytes *names, size_t name_count, struct bs_arena *arena)
{
    size_t most = (old ? old->array.count : 0) + (new ? new->array.count : 0);
    struct sd_value to = {.type = SD_ARRAY};
    to.array.items = bs_arena_array(arena, most, sizeof *to.array.items);
    for (size_t i = 0; old && i < old->array.count; i++)
        if (!named(names, name_count, &old->array.items[i]))
            to.array.items[to.array.count++] = *sd_value_copy(arena, &old->array.items[i]);
    for (size_t i = 0; new &&i < new->array.count; i++)
        to.array.items[to.array.count++] = *sd_value_copy(arena, &new->array.items[i]);
    return to;
}

const struct sd_value *sr_rule_set_merge(const struct sd_value *old, const struct sd_value *new,
                                         struct bs_arena *arena)
{
    struct sd_value *to;
    const struct sd_value *place;
    if (old == NULL || new == NULL)
        return old ? old : new;
    to = set_new(arena);
    for (size_t i = 0; i < LISTS; i++) {
        const struct sd_value *over = rules_of(new, i);
        size_t count = over ? over->array.count : 0;
        struct bs_bytes *names = bs_array(count, sizeof *names);
        struct sd_value list;
        for (size_t k = 0; k < count; k++)
            names[k] = name_of(&over->array.items[k]);
        if (count)
            qsort(names, count, sizeof *names, bytes_compare);
        list = join(rules_of(old, i), over, names, count, arena);
        if (list.array.count)
            put(to, lists[i].name, list);
        bs_free(names);
    }
    place = member(new, "enableAt");
    if (place == NULL)
        place = member(old, "enableAt");
    if (place)
        put(to, "enableAt", *sd_value_copy(arena, place));
    return to;
}

const struct sd_value *sr_rule_set_without(const struct sd_value *set, const struct sd_value *names,
                                           struct bs_arena *arena)
{
    struct sd_value *to = set_new(arena);
    struct bs_bytes *sorted = bs_array(names->array.count, sizeof *sorted);
    const struct sd_value *place = set ? member(set, "enableAt") : NULL;
    size_t count = 0;
    for (size_t i = 0; i < names->array.count; i++)
        if (names->array.items[i].type == SD_STRING)
            sorted[count++] = names->array.items[i].bytes;
    if (count)
        qsort(sorted, count, sizeof *sorted, bytes_compare);
    for (size_t i = 0; i < LISTS; i++) {
        struct sd_value list = join(rules_of(set, i), NULL, sorted, count, arena);
        if (list.array.count)
            put(to, lists[i].name, list);
    }
    if (place)
        put(to, "enableAt", *sd_value_copy(arena, place));
    bs_free(sorted);
    return to;
}

bool sr_rule_set_has_type(const struct sd_value *set, const char *type)
{
    for (size_t i = 0; i < LISTS; i++) {
        const struct sd_value *rules = rules_of(set, i);
        for (size_t k = 0; rules && k < rules->array.count; k++) {
            const struct sd_value *have = member(&rules->array.items[k], "type");
            if (have && have->type == SD_STRING && bs_bytes_is(have->bytes, type))
                return true;
        }
    }
    return false;
}
