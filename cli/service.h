/* Service: an open role with its config; and the wait of a program made of services. Main thread.
 */
#ifndef WEIR_CLI_SERVICE_H
#define WEIR_CLI_SERVICE_H

#include "lib/base/role.h"

struct cl_service {
    const struct bs_role *role;
    struct bs_config *config; /* owned */
    void *self;               /* NULL: not open */
    char listen[256];         /* "127.0.0.1:9092", as the role says it */
};

/* Checks the config, opens the role, asks its address. */
int cl_service_open(struct cl_service *service, const char *const *files, struct bs_error *err);
void cl_service_close(struct cl_service *service); /* also frees the config; accepts a zeroed one */

/* From here on SIGTERM and SIGINT are kept for cl_service_wait; a second one ends the process at
 * once. Call before any thread is started. */
void cl_signal_open(void);
bool cl_signal_seen(void);
/* While a single role is being opened a signal ends the program at once. */
void cl_signal_opening(bool yes);

/* Waits until a role is ready for work, so that what is opened next finds it so; a signal ends the
 * wait too (0). The role's failure is the error. */
int cl_service_settle(struct cl_service *service, struct bs_error *err);

/* Says that all are ready once they are (log, sd_notify), and waits for a signal: CL_OK. A role
 * that fails ends the wait: CL_FAILED, its message in err. With until_caught_up, CL_OK also when
 * the last service (the worker) has caught up. */
int cl_service_wait(struct cl_service *services, size_t count, bool until_caught_up,
                    struct bs_error *err);

/* A member of the JSON object in `json` at its top level: a string's content or a literal's text,
 * at most cap-1 bytes; false when it is not there. */
bool cl_json_member(struct bs_bytes json, const char *name, char *ret, size_t cap);

#endif
