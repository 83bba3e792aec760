/* Trail: see trail.h. */
#include "schema-registry/trail.h"

enum { VALUE_BYTES = 256 };

static uint64_t add_to_print(uint64_t print, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i++) /* FNV-1a */
        print = (print ^ bytes[i]) * 1099511628211u;
    return print;
}

/* Of a large value the length and the beginning are enough to tell two topics apart, with the time
 * and the key; every record that is replayed is printed. */
static uint64_t print_of(int64_t timestamp_ms, struct bs_bytes key, struct bs_bytes value)
{
    uint64_t print = add_to_print(14695981039346656037u, &timestamp_ms, sizeof timestamp_ms);
    print = add_to_print(print, &value.len, sizeof value.len);
    print = add_to_print(print, key.ptr, key.len);
    return add_to_print(print, value.ptr, value.len < VALUE_BYTES ? value.len : VALUE_BYTES);
}

void sr_trail_init(struct sr_trail *trail)
{
    *trail = (struct sr_trail){.anchor.offset = -1, .last.offset = -1, .proved.offset = -1};
}

int64_t sr_trail_look(struct sr_trail *trail)
{
    if (trail->proved.offset >= 0)
        trail->anchor = trail->proved;
    trail->proved.offset = -1;
    trail->looking = trail->anchor.offset >= 0;
    return trail->anchor.offset;
}

/* The anchor, or one behind it, has come once more. */
static enum sr_trail_found seen(struct sr_trail *trail)
{
    if (!trail->looking)
        return SR_TRAIL_KNOWN;
    trail->looking = false;
    trail->proved = trail->last;
    return SR_TRAIL_SAME;
}

enum sr_trail_found sr_trail_record(struct sr_trail *trail, int64_t offset, int64_t timestamp_ms,
                                    struct bs_bytes key, struct bs_bytes value)
{
    uint64_t print = print_of(timestamp_ms, key, value);
    if (offset < trail->anchor.offset ||
        (offset == trail->anchor.offset && print != trail->anchor.print))
        return SR_TRAIL_LOST;
    if (offset < trail->next) /* where it is not the anchor, compaction has taken that */
        return seen(trail);
    trail->next = offset + 1;
    trail->last = (struct sr_mark){.offset = offset, .print = print};
    if (trail->anchor.offset < 0)
        trail->anchor = trail->last;
    return SR_TRAIL_NEW;
}

bool sr_trail_end(struct sr_trail *trail, int64_t next_offset)
{
    if (next_offset < trail->next)
        return false;
    trail->next = next_offset;
    return true;
}
