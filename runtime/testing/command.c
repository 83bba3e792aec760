/* Command: runs test files one after the other. Exit status 0: all passed, 1: something failed,
 * 2: wrong usage. */
#include "runtime/testing/command.h"

#include "runtime/testing/script.h"

#include <stdio.h>
#include <string.h>

static void usage(FILE *out)
{
    fprintf(
        out,
        "usage: weir test FILE_test.lua …\n"
        "Runs tests of pipelines without broker, registry or clock. In a file:\n"
        "  local t = require \"weir.test\"\n"
        "  t.describe(\"delays\", \"delays.lua\", function(p) … end)\n"
        "  p:schema(topic, \"file.avsc\" [, { key = true, subject = name, id = n, metadata = {…} "
        "}])\n"
        "                                          a version that the registry has; what is piped "
        "into\n"
        "                                          the topic is written with the last one\n"
        "  p:pipe(topic, key, value [, { timestamp = ms, headers = {…} }])\n"
        "  p:read_all(topic), p:read(topic)         records with key, value, timestamp, headers\n"
        "  p:advance_wall(\"10s\"), p:dropped(), p:restart()\n"
        "  t.equal(got, want), t.not_equal, t.ok(value), t.fails(fn, text), t.fail(text)\n");
}

int rt_test_main(int argc, char **argv)
{
    size_t passed = 0, failed = 0;
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            usage(stdout);
            return 0;
        }
        if (argv[i][0] == '-' && argv[i][1]) {
            fprintf(stderr, "weir test: unknown option %s\n", argv[i]);
            usage(stderr);
            return 2;
        }
    }
    for (int i = 1; i < argc; i++) {
        struct bs_error err = {0};
        size_t well = 0, badly = 0;
        printf("%s\n", argv[i]);
        fflush(stdout);
        int rc = rt_script_run(argv[i], &well, &badly, &err);
        passed += well;
        failed += badly;
        if (rc) {
            failed++;
            printf("  FAIL  %s\n", err.text);
        } else if (!well && !badly) { /* a pipeline's own file, or a test that tests nothing */
            failed++;
            printf("  FAIL  %s: no test ran; a test file calls t.describe (weir test --help)\n",
                   argv[i]);
        }
    }
    printf("%zu passed, %zu failed\n", passed, failed);
    return failed ? 1 : 0;
}

const struct bs_command rt_test_command = {
    .name = "test",
    .summary = "run tests of pipelines, without broker or registry",
    .run = rt_test_main,
};
