/* Gate: the registry's state, its journal, and who may touch them when.
 *
 * libmicrohttpd's threads read the state, the journal's thread changes it: the one place of this
 * room with locks. A view of the store is valid between sr_gate_read and sr_gate_done; a writer
 * holds sr_gate_enter … sr_gate_leave, so that what it decides stays true until its records are
 * applied. Writers of different subjects go on at the same time and share acknowledgements. Only
 * the journal's thread changes the store, by replay. Of several processes on one topic one leads
 * (leader.h); in the others nobody becomes a writer. */
#ifndef WEIR_SR_GATE_H
#define WEIR_SR_GATE_H

#include "lib/base/metric.h"
#include "schema-registry/config.h"
#include "schema-registry/leader.h"
#include "schema-registry/subject.h"

struct sr_gate;

int sr_gate_open(const struct sr_settings *settings, struct sr_gate **ret, struct bs_error *err);
void sr_gate_close(struct sr_gate *gate); /* accepts NULL */
const struct sr_settings *sr_gate_settings(const struct sr_gate *gate);

/* NULL until the topic has been read to its end. */
const struct sr_store *sr_gate_read(struct sr_gate *gate);
void sr_gate_done(struct sr_gate *gate); /* after every sr_gate_read, also a NULL one */

/* A writer's place in the line, in the order of entering. */
struct sr_writer {
    const char *subject;            /* NULL: alone, no other writer goes on */
    int64_t epoch;                  /* in which it decides */
    int32_t id;                     /* that it has been given, or 0 */
    uint8_t digest[SR_DIGEST_SIZE]; /* of the schema that the id is for */
    char leader[SR_URL_MAX];        /* after BS_EFENCED: who leads instead */
    uint64_t leader_instance;       /* … or 0 */
    struct sr_writer *next;
};

/* Waits until this process leads and no earlier writer of the same subject, or one that wants to be
 * alone, is left. `writer` (with its subject) stays where it is until sr_gate_leave. BS_EFENCED:
 * another process leads; BS_EBUSY: no leader, or others were not done, at `until_ms`; BS_ESTATE:
 * not replayed yet. */
int sr_gate_enter(struct sr_gate *gate, struct sr_writer *writer, int64_t until_ms,
                  struct bs_error *err);
void sr_gate_leave(struct sr_gate *gate, struct sr_writer *writer);
/* The writer, with the store still locked for reading and without an entry of that digest: the id
 * that another writer has been given for it, else one that was never given; it is used up even if
 * the write fails. 0: the context has none left. */
int32_t sr_gate_next_id(struct sr_gate *gate, const struct sr_store *store,
                        struct sr_writer *writer, const struct sr_content *content);
/* The writer: appends all or nothing, waits for the acknowledgement and until all of it is applied.
 * BS_EFENCED: it has no effect, because this process leads no longer; decide again. BS_ELIMIT: a
 * record is larger than the topic takes; BS_ERANGE: too many for one write. */
int sr_gate_append(struct sr_gate *gate, const struct sr_writer *writer,
                   const struct sr_record *records, size_t count, struct bs_error *err);

/* The id of the Kafka cluster; "" when it is not known (yet). */
void sr_gate_cluster(struct sr_gate *gate, char *ret, size_t cap);
/* Does this process lead? If not, who does ("": nobody known). */
bool sr_gate_leads(struct sr_gate *gate, char ret_url[SR_URL_MAX]);
/* Nothing listens at that URL: if it is the leader's, this process may take its place without
 * waiting for the group to notice. false: that says nothing. */
bool sr_gate_gone(struct sr_gate *gate, const char *url);
/* Which of all processes this is, made up at its start. */
uint64_t sr_gate_instance(const struct sr_gate *gate);
/* Waits until the offset has been read, so that who was answered by the leader through this process
 * finds it here too; and the offset that a leader tells for that. */
void sr_gate_catch_up(struct sr_gate *gate, int64_t offset, int64_t ms);
int64_t sr_gate_applied(struct sr_gate *gate);
int64_t sr_gate_now_ms(void);

/* The address that /health tells, and the URL under which other processes find this one; set once
 * when they are known. */
void sr_gate_set_listen(struct sr_gate *gate, const char *listen, const char *url);
/* 0 ready, 1 starting, BS_E… failed; the body of /health goes to out. */
int sr_gate_health(struct sr_gate *gate, struct bs_buf *out);

#endif
