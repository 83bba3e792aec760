/* weir docs: prints docs/generated/options.md from the option tables of every role. Not in the list
 * of commands; scripts/check compares its output with what is committed. */
#include "broker/broker.h"
#include "cli/command.h"
#include "cli/health_http.h"
#include "cli/module.h"

#include <stdio.h>
#include <string.h>

static void print_role(const struct bs_role *role, struct bs_buf *out)
{
    bs_buf_printf(out, "\n# %s\n", role->name);
    for (size_t i = 0; i < role->table_count; i++) {
        bs_buf_puts(out, "\n");
        bs_option_print_markdown(role->tables[i], out);
    }
}

static int print_options(struct bs_buf *out, struct bs_error *err)
{
    static const char *const MODULES[] = {"registry", "worker"};
    bs_buf_puts(out, "<!-- printed by `weir docs options`; do not edit -->\n");
    print_role(&bk_role, out);
    bs_buf_puts(out, "\n");
    bs_option_print_markdown(&cl_health_http_options, out);
    for (size_t i = 0; i < sizeof MODULES / sizeof MODULES[0]; i++) {
        const struct bs_module *module = NULL;
        int rc = cl_module_open(MODULES[i], &module, err);
        if (rc != 0)
            return rc;
        for (size_t j = 0; module->roles && module->roles[j]; j++)
            print_role(module->roles[j], out);
    }
    return 0;
}

int cl_docs_main(int argc, char **argv)
{
    struct bs_buf out = BS_BUF_INIT;
    struct bs_error err = {0};
    int status = CL_OK;
    if (argc != 2 || strcmp(argv[1], "options") != 0) {
        fprintf(stderr, "weir docs: takes one word: options\n");
        return CL_USAGE;
    }
    if (print_options(&out, &err) != 0)
        status = cl_fail("docs", &err);
    else
        fwrite(out.data, 1, out.len, stdout);
    bs_buf_deinit(&out);
    return status;
}
