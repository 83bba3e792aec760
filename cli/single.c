/* Single: opens one role from its arguments and waits for the end. */
#include "cli/single.h"

#include "cli/command.h"
#include "cli/health_http.h"
#include "cli/service.h"

int cl_single_run(const struct bs_role *role, struct cl_args *args, const char *http)
{
    struct cl_service service = {.role = role};
    struct cl_health_http *health = NULL;
    struct bs_error err = {0};
    int status = CL_FAILED;
    if (args->list_options) {
        cl_args_print_options(role->tables, role->table_count);
        return CL_OK;
    }
    if (cl_args_config(args, role->tables, role->table_count, &service.config, &err) != 0) {
        cl_fail(args->command, &err);
        return CL_USAGE;
    }
    if (bs_config_check(service.config, &err) != 0) {
        cl_fail(args->command, &err);
        status = CL_USAGE;
        goto done;
    }
    cl_signal_open();
    if (cl_service_open(&service, args->files, &err) != 0) {
        cl_fail(args->command, &err);
        goto done;
    }
    if (http && cl_health_http_open(http, &service, &health, &err) != 0) {
        cl_fail(args->command, &err);
        goto done;
    }
    status = cl_service_wait(&service, 1, false, &err);
    if (status != CL_OK)
        cl_fail(args->command, &err);
done:
    cl_health_http_close(health);
    cl_service_close(&service);
    return status;
}
