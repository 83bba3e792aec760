/* Journal: the compacted topic `_schemas`: append with acks=all, replay. The only file pair of this
 * room that knows librdkafka.
 *
 * A thread of its own connects, creates or verifies the topic, and then reads it for ever; the
 * callbacks come from that thread. */
#ifndef WEIR_SR_JOURNAL_H
#define WEIR_SR_JOURNAL_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

struct sr_journal;

struct sr_journal_options {
    const char *bootstrap, *topic;
    int replication;        /* of a topic that is created; at most the number of brokers */
    int64_t timeout_ms;     /* of one append */
    int64_t init_ms;        /* until the first complete replay */
    const char *properties; /* further librdkafka properties, "a=b,c=d"; or NULL */
    void *ctx;
    /* One record, in order; value.ptr NULL: a tombstone. */
    void (*on_record)(void *ctx, int64_t offset, int64_t timestamp_ms, struct bs_bytes key,
                      struct bs_bytes value);
    /* Everything before `next_offset` has been read, also where compaction left no record; the
     * first time, everything there was at start. */
    void (*on_end)(void *ctx, int64_t next_offset);
    /* What start-up is waiting for; NULL: the first record is written. */
    void (*on_step)(void *ctx, const char *step);
    void (*on_failed)(void *ctx, const struct bs_error *err); /* init_ms are over, or fatal */
    /* The record that is written after the first replay: only a topic that takes writes is ready.
     */
    void (*first_record)(void *ctx, struct bs_buf *key, struct bs_buf *value);
};

struct sr_message {
    struct bs_bytes key, value; /* value.ptr NULL: a tombstone */
};

int sr_journal_open(const struct sr_journal_options *options, struct sr_journal **ret,
                    struct bs_error *err);
/* Appends in order and waits for all acknowledgements. Any thread. After an error some may
 * have been written, or may still be: their outcome shows when they are read. */
int sr_journal_append(struct sr_journal *journal, const struct sr_message *messages, size_t count,
                      int64_t *ret_last_offset, struct bs_error *err);
/* The id of the cluster that has the topic, without waiting for it; "" when it is not known. */
void sr_journal_cluster(struct sr_journal *journal, char *ret, size_t cap);
void sr_journal_close(struct sr_journal *journal); /* accepts NULL */

#endif
