/* Follow: the thread that keeps a pipeline's global tables: reads each source topic to the end it
 * has at the start, says so, and follows it from then on. */
#ifndef WEIR_RUNTIME_WORKER_FOLLOW_H
#define WEIR_RUNTIME_WORKER_FOLLOW_H

#include "runtime/worker/app.h"

struct rt_follow;

/* Blocks until all tables are read to their end (0), the app stops (BS_ECANCELLED) or fails; then a
 * thread follows. */
int rt_follow_open(struct rt_app *app, struct rt_follow **ret, struct bs_error *err);
void rt_follow_close(struct rt_follow *follow); /* accepts NULL */

#endif
