/* Access: what the user of a request may. Every row of the route table names the right it needs;
 * handlers that show more than one subject ask for each. Without authentication all is allowed. */
#ifndef WEIR_SR_ACCESS_H
#define WEIR_SR_ACCESS_H

#include "schema-registry/auth.h"
#include "schema-registry/service.h"

/* The column `right` of the route table. */
enum sr_right {
    SR_RIGHT_MISSING, /* a row without one is a mistake: refused */
    SR_OPEN,          /* nobody is asked who he is */
    SR_SIGNED_IN,     /* any user; what is shown is what he may read */
    SR_READ_SUBJECT,
    SR_WRITE_SUBJECT,
    SR_ADMIN_SUBJECT, /* level and mode; of a context or of all it is SR_WRITE_CONFIG on Config: */
    SR_READ_CONFIG,
    SR_WRITE_CONFIG,
};

const char *sr_right_name(int right); /* "Read on the subject", for the docs */

/* Who sends it, and the rights that concern no subject; false: the response is set, or it waits. */
bool sr_access_begin(struct sr_call *call);
/* Who sends it, whatever the route says; false: the response is set, or it waits. */
bool sr_access_sign_in(struct sr_call *call);
/* The route's right on call->subject; false: the response is set. */
bool sr_access_subject(struct sr_call *call);
void sr_access_end(struct sr_call *call);

bool sr_may_read(const struct sr_call *call, const char *subject);
/* As sr_may_read, and sets the response where it is not so. */
bool sr_must_read(struct sr_call *call, const char *subject);
/* The default context, and those with a subject or settings that may be read. */
bool sr_may_read_space(const struct sr_call *call, const struct sr_space *space);
/* An id may be read by who may read a subject that uses it. */
bool sr_may_read_entry(const struct sr_call *call, const struct sr_entry *entry);
/* As sr_may_read_entry, of an id in the context of `name`; false for others' ids. */
bool sr_may_read_id(const struct sr_call *call, const char *name, int32_t id);
/* 40403 of an id or a GUID, the same whether nobody has it or only others do. */
void sr_fail_unreadable(struct sr_call *call, const char *schema);

#endif
