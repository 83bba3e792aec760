/* Module worker: the role, and the commands that need the runtime but no broker. */
#include "runtime/testing/command.h"
#include "runtime/worker/describe.h"
#include "runtime/worker/worker.h"

static const struct bs_role *const ROLES[] = {&rt_worker_role, NULL};
static const struct bs_command COMMANDS[] = {
    {.name = "test", .summary = "run a pipeline's tests, without a broker", .run = rt_test_main},
    {.name = "pipeline", .summary = "show what a pipeline is made of", .run = rt_describe_main},
    {0}};

extern const struct bs_module weir_module;
__attribute__((visibility("default")))
const struct bs_module weir_module = {.roles = ROLES, .commands = COMMANDS};
