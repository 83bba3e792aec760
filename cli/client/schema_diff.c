/* Schema diff: see schema_diff.h. A record's fields have a line each; of the rest what fits a line
 * stands on one, else each member has its own. The longest common subsequence of the lines that are
 * left between the equal ends. */
#include "cli/client/schema_diff.h"

#include "lib/base/mem.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 96, AROUND = 2, CELLS_MAX = 16 << 20, DEPTH_MAX = 100 };

static bool is_fields(const char *name, const json_t *value)
{
    return strcmp(name, "fields") == 0 && json_array_size(value) > 0;
}

/* Is there a record with fields in it? */
static bool has_fields(const json_t *json, size_t depth)
{
    const char *name;
    json_t *item;
    size_t i;
    if (depth > DEPTH_MAX)
        return false;
    json_object_foreach((json_t *)json, name,
                        item) if (is_fields(name, item) || has_fields(item, depth + 1)) return true;
    json_array_foreach(json, i, item) if (has_fields(item, depth + 1)) return true;
    return false;
}

static void put_json(const json_t *json, bool fields, size_t indent, struct bs_buf *out)
{
    char *flat = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    const char *name;
    json_t *item;
    size_t i, count = json_is_object(json) ? json_object_size(json) : json_array_size(json);
    if (count == 0 || indent > DEPTH_MAX ||
        (indent * 2 + strlen(flat) <= WIDTH && !fields && !has_fields(json, indent))) {
        bs_buf_puts(out, flat);
        free(flat);
        return;
    }
    free(flat);
    bs_buf_puts(out, json_is_object(json) ? "{" : "[");
    if (json_is_object(json)) {
        i = 0;
        json_object_foreach((json_t *)json, name, item)
        {
            bs_buf_printf(out, "\n%*s", (int)(indent * 2 + 2), "");
            bs_buf_put_json_string(out, name, strlen(name));
            bs_buf_puts(out, ":");
            put_json(item, is_fields(name, item), indent + 1, out);
            bs_buf_puts(out, ++i < count ? "," : "");
        }
    } else {
        json_array_foreach(json, i, item)
        {
            bs_buf_printf(out, "\n%*s", (int)(indent * 2 + 2), "");
            put_json(item, false, indent + 1, out);
            bs_buf_puts(out, i + 1 < count ? "," : "");
        }
    }
    bs_buf_printf(out, "\n%*s%s", (int)(indent * 2), "", json_is_object(json) ? "}" : "]");
}

struct lines {
    struct bs_buf text;
    const char **items; /* NUL-terminated, in text */
    size_t count;
};

static void lines_of(const char *schema, struct lines *ret)
{
    json_t *json = json_loads(schema, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    size_t len;
    *ret = (struct lines){0};
    if (json)
        put_json(json, false, 0, &ret->text);
    else
        bs_buf_puts(&ret->text, schema);
    json_decref(json);
    bs_buf_text(&ret->text);
    len = ret->text.len;
    ret->items = bs_array(len + 1, sizeof *ret->items);
    for (char *at = (char *)ret->text.data, *end; at; at = end ? end + 1 : NULL) {
        if ((end = strchr(at, '\n')) != NULL)
            *end = '\0';
        ret->items[ret->count++] = at;
    }
}

static void lines_deinit(struct lines *lines)
{
    bs_buf_deinit(&lines->text);
    bs_free(lines->items);
}

/* One line of the answer. */
struct edit {
    char sign;
    const char *line;
};

struct edits {
    struct edit *items;
    size_t count;
};

static void add(struct edits *edits, char sign, const char *line)
{
    edits->items[edits->count++] = (struct edit){.sign = sign, .line = line};
}

/* a[0..n) and b[0..m) by the longest common subsequence; without table: all of a, then all of b. */
static void edit_middle(const char **a, size_t n, const char **b, size_t m, struct edits *out)
{
    uint32_t *table =
        n && m && n < CELLS_MAX / (m + 1) ? bs_array((n + 1) * (m + 1), sizeof *table) : NULL;
    size_t i = 0, j = 0, w = m + 1;
    for (size_t r = n; table && r-- > 0;)
        for (size_t c = m; c-- > 0;) {
            uint32_t down = table[(r + 1) * w + c], right = table[r * w + c + 1];
            table[r * w + c] = strcmp(a[r], b[c]) == 0 ? table[(r + 1) * w + c + 1] + 1
                               : down > right          ? down
                                                       : right;
        }
    while (table && i < n && j < m) {
        if (strcmp(a[i], b[j]) == 0) {
            add(out, ' ', a[i++]);
            j++;
        } else if (table[(i + 1) * w + j] >= table[i * w + j + 1]) {
            add(out, '-', a[i++]);
        } else {
            add(out, '+', b[j++]);
        }
    }
    while (i < n)
        add(out, '-', a[i++]);
    while (j < m)
        add(out, '+', b[j++]);
    bs_free(table);
}

static bool is_near(const struct edits *edits, size_t at)
{
    size_t from = at > AROUND ? at - AROUND : 0;
    for (size_t i = from; i < edits->count && i <= at + AROUND; i++)
        if (edits->items[i].sign != ' ')
            return true;
    return false;
}

void cl_schema_diff(const char *old_text, const char *old_name, const char *new_text,
                    const char *new_name, struct bs_buf *out)
{
    struct lines old, new;
    struct edits edits = {0};
    size_t head = 0, tail = 0;
    bool gap = false;
    lines_of(old_text, &old);
    lines_of(new_text, &new);
    edits.items = bs_array(old.count + new.count, sizeof *edits.items);
    while (head < old.count && head < new.count &&strcmp(old.items[head], new.items[head]) == 0)
        add(&edits, ' ', old.items[head++]);
    while (tail < old.count - head &&
           tail < new.count - head &&strcmp(old.items[old.count - 1 - tail],
                                            new.items[new.count - 1 - tail]) ==
               0)
        tail++;
    edit_middle(old.items + head, old.count - head - tail, new.items + head,
                new.count - head - tail, &edits);
    for (size_t i = old.count - tail; i < old.count; i++)
        add(&edits, ' ', old.items[i]);
    if (head < old.count || head < new.count) {
        bs_buf_printf(out, "--- %s\n+++ %s\n", old_name, new_name);
        for (size_t i = 0; i < edits.count; i++) {
            bool near = is_near(&edits, i);
            if (near)
                bs_buf_printf(out, "%c%s\n", edits.items[i].sign, edits.items[i].line);
            else if (!gap)
                bs_buf_puts(out, " …\n");
            gap = !near;
        }
    }
    bs_free(edits.items);
    lines_deinit(&old);
    lines_deinit(&new);
}
