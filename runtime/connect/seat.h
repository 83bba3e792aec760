/* Seat: a connector task runs in one worker at a time. Every worker of a group has every task; the
 * one that holds the task's seat runs it, the others stand by. */
#ifndef WEIR_RUNTIME_CONNECT_SEAT_H
#define WEIR_RUNTIME_CONNECT_SEAT_H

#include "lib/base/err.h"

#include <stdbool.h>

struct rt_seat;
struct cn_task;

/* Waits until the task has its seat: 0. 1: the task is to stop. A bounded source that has been
 * completed elsewhere reports RT_TASK_ELSEWHERE and waits on. On the task's thread. */
int rt_seat_take(struct cn_task *task, struct rt_seat **ret, struct bs_error *err);
/* False once it is lost: the task ends what it does. Also keeps the place in the group; to be asked
 * from time to time. On the task's thread. */
bool rt_seat_held(struct rt_seat *seat);
void rt_seat_leave(struct rt_seat *seat); /* accepts NULL */

#endif
