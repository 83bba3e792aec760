/* Cases: each plays a real client's part against a broker and ends the program when it is let down.
 */
#ifndef WEIR_TESTS_INTEROP_CASES_H
#define WEIR_TESTS_INTEROP_CASES_H

void case_produce(void);     /* codecs, keys, headers, nulls, large records, lookup by time */
void case_idempotent(void);  /* order and no duplicates; over a restart when one happens */
void case_transaction(void); /* commit, abort, read_committed, offsets in the transaction */
void case_fencing(void);     /* a newer producer of the same transactional id */
void case_abandoned(void);   /* a transaction nobody ends */
void case_eager(void);       /* two members, range assignor */
void case_cooperative(void); /* two members, cooperative-sticky assignor */
void case_static(void);      /* a static member comes back without a rebalance */
void case_admin(void);       /* topics, configuration, partitions, records, groups */
void case_copy(void);        /* consume, produce, commit as one; over restarts when they happen */

#endif
