/* Single: opens one role from its arguments and waits for the end. */
#include "cli/single.h"

#include "cli/command.h"
#include "cli/health_http.h"
#include "cli/service.h"
#include "lib/base/mem.h"

#include <string.h>

static int run_open(struct cl_service *service, const struct cl_args *args, const char *http,
                    struct bs_error *err)
{
    struct cl_health_http *health = NULL;
    int status = CL_FAILED, rc;
    cl_signal_open();
    cl_signal_opening(true);
    rc = cl_service_open(service, args->files, err);
    cl_signal_opening(false);
    if (rc == 0 && (http == NULL || cl_health_http_open(http, service, &health, err) == 0))
        status = cl_service_wait(service, 1, false, err);
    cl_health_http_close(health);
    return status;
}

int cl_single_run(const struct bs_role *role, struct cl_args *args, bool own_http)
{
    struct cl_service service = {.role = role};
    const struct bs_option_table **tables = bs_array(role->table_count + 1, sizeof *tables);
    size_t count = role->table_count;
    struct bs_error err = {0};
    int status = CL_OK;
    memcpy(tables, role->tables, count * sizeof *tables);
    if (own_http)
        tables[count++] = &cl_health_http_options;
    if (args->list_options)
        cl_args_print_options(tables, count);
    else if (cl_args_config(args, tables, count, &service.config, &err) != 0 ||
             bs_config_check(service.config, &err) != 0 ||
             (role->check && role->check(service.config, &err) != 0))
        status = cl_args_status(&err);
    else
        status = run_open(&service, args, own_http ? bs_config_text(service.config, "http") : NULL,
                          &err);
    if (status != CL_OK)
        cl_fail(args->command, &err);
    cl_service_close(&service);
    bs_free(tables);
    return status;
}
