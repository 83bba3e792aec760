/* Journal's writes: what is appended to the topic and waited for. One batch at a time is under way,
 * and whatever comes meanwhile is the next one.
 *
 * Left alone, an idempotent producer of librdkafka sends nothing more while five messages are under
 * way, and looks again without a pause until they are acknowledged: half of a core, for nothing. So
 * it gets the next batch when the one before is done, whole: its linger.ms is long, and a flush
 * sends what is there. */
#ifndef WEIR_SR_JOURNAL_WRITE_H
#define WEIR_SR_JOURNAL_WRITE_H

#include "schema-registry/journal.h"

#include <librdkafka/rdkafka.h>

struct sr_writes;

/* The producer's, whose messages time out after that. */
void sr_writes_configure(rd_kafka_conf_t *conf, int64_t timeout_ms);
/* `topic` stays the caller's. Starts the thread that writes. */
int sr_writes_open(rd_kafka_t *producer, const char *topic, struct sr_writes **ret,
                   struct bs_error *err);
void sr_writes_stop(struct sr_writes *writes); /* accepts NULL; nobody waits any more */
void sr_writes_free(struct sr_writes *writes); /* accepts NULL; the producer has ended */
/* See sr_journal_append. Any thread. *ret_code: why it was not acknowledged; then err is not set.
 * BS_ETIMEOUT: it was not read in time. */
int sr_writes_append(struct sr_writes *writes, struct sr_message *messages, size_t count,
                     int64_t read_ms, rd_kafka_resp_err_t *ret_code, bool *ret_unknown,
                     struct bs_error *err);
/* Everything up to this offset has been read and applied. */
void sr_writes_passed(struct sr_writes *writes, int64_t offset);

#endif
