/* Journal: the compacted topic `_schemas`: append with acks=all, replay. With group.c the only
 * files of this room that know librdkafka.
 *
 * A thread of its own connects, creates or verifies the topic, and then reads it for ever; the
 * callbacks come from that thread. */
#ifndef WEIR_SR_JOURNAL_H
#define WEIR_SR_JOURNAL_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#define SR_HEADER_EPOCH "weir-epoch"
#define SR_HEADER_REST  "weir-rest"

struct sr_journal;

/* One record as it was read; value.ptr NULL: a tombstone. */
struct sr_read {
    int64_t offset, timestamp_ms;
    int64_t epoch;        /* of the header weir-epoch, or -1 */
    struct bs_bytes rest; /* of the header weir-rest; ptr NULL: none */
    struct bs_bytes key, value;
};

struct sr_journal_options {
    const char *bootstrap, *topic;
    int replication;        /* of a topic that is created; at most the number of brokers */
    int64_t timeout_ms;     /* of one append */
    int64_t init_ms;        /* until the first complete replay */
    const char *properties; /* further librdkafka properties, "a=b,c=d"; or NULL */
    void *ctx;
    void (*on_record)(void *ctx, const struct sr_read *read); /* in order */
    /* Everything before `next_offset` has been read, also where compaction left no record; the
     * first time, everything there was at start. */
    void (*on_end)(void *ctx, int64_t next_offset);
    void (*on_step)(void *ctx, const char *step);             /* what start-up is waiting for */
    void (*on_failed)(void *ctx, const struct bs_error *err); /* init_ms are over, or fatal */
    /* It is another topic, or less of it, than was read (trail.h): nothing more is told. */
    void (*on_lost)(void *ctx, const struct bs_error *err);
};

struct sr_message {
    struct bs_bytes key, value; /* value.ptr NULL: a tombstone */
    int64_t epoch;              /* -1: no header */
    struct bs_bytes rest;       /* ptr NULL: no header */
    int64_t offset;             /* out: where it is; -1 unless acknowledged */
};

int sr_journal_open(const struct sr_journal_options *options, struct sr_journal **ret,
                    struct bs_error *err);
/* Appends in order, waits for all acknowledgements and, up to read_ms (0: not at all), until the
 * last one has been read back: on_record or on_end has returned. Any thread. After an error
 * *ret_unknown says whether some may have been written, or may still be: reading tells. */
int sr_journal_append(struct sr_journal *journal, struct sr_message *messages, size_t count,
                      int64_t read_ms, bool *ret_unknown, struct bs_error *err);
/* Bytes of a record that the topic takes, with all around it, as told at start. */
size_t sr_journal_record_max(const struct sr_journal *journal);
/* The offset behind the last record, as last heard. */
int64_t sr_journal_end(struct sr_journal *journal);
/* Does a broker answer, and is the topic there? BS_ETIMEOUT, BS_ENOTFOUND, BS_EIO, with the last
 * that was heard of the brokers. */
int sr_journal_ask(struct sr_journal *journal, int timeout_ms, struct bs_error *err);
/* The id of the cluster that has the topic, without waiting for it; "" when it is not known. */
void sr_journal_cluster(struct sr_journal *journal, char *ret, size_t cap);
void sr_journal_close(struct sr_journal *journal); /* accepts NULL */

/* Properties that every client of the registry has, with the user's over them. */
struct rd_kafka_conf_s;
int sr_journal_conf(struct rd_kafka_conf_s *conf, const char *bootstrap, const char *properties,
                    struct bs_error *err);

/* For tests: called with the name of each step of an append. */
extern void (*sr_journal_hook)(const char *step);

#endif
