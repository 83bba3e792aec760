/* interop_client BOOTSTRAP CASE: see cases.h. */
#include "tests/interop/cases.h"
#include "tests/interop/client.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {.name = "produce", .run = case_produce},
    {.name = "idempotent", .run = case_idempotent},
    {.name = "transaction", .run = case_transaction},
    {.name = "fencing", .run = case_fencing},
    {.name = "abandoned", .run = case_abandoned},
    {.name = "eager", .run = case_eager},
    {.name = "cooperative", .run = case_cooperative},
    {.name = "static", .run = case_static},
    {.name = "admin", .run = case_admin},
    {.name = "copy", .run = case_copy},
};

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; argc == 3 && i < sizeof cases / sizeof *cases; i++) {
        if (strcmp(argv[2], cases[i].name) != 0)
            continue;
        client_bootstrap = argv[1];
        cases[i].run();
        printf("%s: well\n", argv[2]);
        return 0;
    }
    fprintf(stderr, "usage: interop_client BOOTSTRAP CASE\ncases:");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        fprintf(stderr, " %s", cases[i].name);
    fputc('\n', stderr);
    return 2;
}
