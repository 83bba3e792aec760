/* Referred: how many references there are to each subject, so that one that nobody refers to, as
 * most are, is known without a look at every version. Pure. */
#ifndef WEIR_SR_REFERRED_H
#define WEIR_SR_REFERRED_H

#include "schema-registry/content.h"

struct sr_referred; /* NULL: there are no references */

/* A version of `referrer` with that content comes or goes. */
void sr_referred_add(struct sr_referred **all, const char *referrer,
                     const struct sr_content *content);
void sr_referred_remove(struct sr_referred **all, const char *referrer,
                        const struct sr_content *content);
/* References to any version of the subject, from soft-deleted versions too. */
size_t sr_referred_count(const struct sr_referred *all, const char *subject);
void sr_referred_free(struct sr_referred **all);

#endif
