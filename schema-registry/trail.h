/* Trail: is the topic that is read still the one that was read? Pure; one owner.
 *
 * Offsets only rise, in one topic. One that was deleted and created anew begins again, and one that
 * a broker has lost the end of goes back: what is known then is not what is in the topic, and ids
 * would be given twice. A new topic that has as many records already shows only by what is in them:
 * so a record that was read, the anchor, is read once more now and then. */
#ifndef WEIR_SR_TRAIL_H
#define WEIR_SR_TRAIL_H

#include "lib/base/bytes.h"

struct sr_mark {
    int64_t offset; /* -1: none */
    uint64_t print; /* of the record there */
};

struct sr_trail {
    int64_t next;          /* offset behind everything that was read */
    struct sr_mark anchor; /* nothing before it comes again */
    struct sr_mark last;   /* that was read */
    struct sr_mark proved; /* the next anchor: last when the topic was known to be the same */
    bool looking;          /* the anchor is to come once more */
};

enum sr_trail_found {
    SR_TRAIL_NEW,
    SR_TRAIL_KNOWN, /* read before */
    SR_TRAIL_SAME,  /* the same, as was asked: it is the same topic, reading may go on at `next` */
    SR_TRAIL_LOST,  /* it is another topic, or less of it */
};

void sr_trail_init(struct sr_trail *trail);
/* Which offset to read from once more, to be sure; -1: nothing was read. */
int64_t sr_trail_look(struct sr_trail *trail);
enum sr_trail_found sr_trail_record(struct sr_trail *trail, int64_t offset, int64_t timestamp_ms,
                                    struct bs_bytes key, struct bs_bytes value);
/* Nothing is behind that offset; false: something was. */
bool sr_trail_end(struct sr_trail *trail, int64_t next_offset);

#endif
