/* Keeper: the thread that keeps a pipeline's global tables: reads each source topic to the end it
 * has at the start, says so, and follows it from then on. */
#ifndef WEIR_RUNTIME_WORKER_KEEPER_H
#define WEIR_RUNTIME_WORKER_KEEPER_H

#include "runtime/worker/app.h"

struct rt_keeper;

/* Blocks until all tables are read to their end (0), the app stops (BS_ECANCELLED) or fails; then a
 * thread follows. */
int rt_keeper_open(struct rt_app *app, struct rt_keeper **ret, struct bs_error *err);
void rt_keeper_close(struct rt_keeper *keeper); /* accepts NULL */

#endif
