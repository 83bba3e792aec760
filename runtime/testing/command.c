/* Command: runs test files one after the other. Exit status 0: all passed, 1: something failed,
 * 2: wrong usage. */
#include "runtime/testing/command.h"

#include "lib/registry/serde_option.h"
#include "runtime/testing/script.h"

#include <stdio.h>
#include <string.h>

static void usage(FILE *out)
{
    fprintf(
        out,
        "usage: weir test [--serde NAME=VALUE …] FILE_test.lua …\n"
        "Runs tests of pipelines without broker, registry or clock. --serde: an option of Avro\n"
        "serializers as the worker would have it. In a file:\n"
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

/* Takes the options out of argv; the files are left, *count of them. 0, or the exit status + 1. */
static int take_options(int argc, char **argv, struct bs_config *serde, int *count)
{
    struct bs_error err = {0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            usage(stdout);
            return 1;
        }
        if (strcmp(argv[i], "--serde") == 0 && i + 1 < argc) {
            if (rc_serde_set_text(serde, argv[++i], "--serde", &err) < 0) {
                fprintf(stderr, "weir test: %s\n", err.text);
                return 3;
            }
        } else if (argv[i][0] == '-' && argv[i][1]) {
            fprintf(stderr, "weir test: unknown option %s\n", argv[i]);
            usage(stderr);
            return 3;
        } else {
            argv[(*count)++] = argv[i];
        }
    }
    if (rc_serde_needs_client(serde)) {
        fprintf(stderr, "weir test: --serde: no registry is asked here, so its URL, user, "
                        "certificates and waits have no meaning\n");
        return 3;
    }
    if (*count == 0)
        usage(stderr);
    return *count ? 0 : 3;
}

static int run_all(char **files, int count, const struct bs_config *serde)
{
    size_t passed = 0, failed = 0;
    for (int i = 0; i < count; i++) {
        struct bs_error err = {0};
        size_t well = 0, badly = 0;
        printf("%s\n", files[i]);
        fflush(stdout);
        int rc = rt_script_run(files[i], serde, &well, &badly, &err);
        passed += well;
        failed += badly;
        if (rc) {
            failed++;
            printf("  FAIL  %s\n", err.text);
        } else if (!well && !badly) { /* a pipeline's own file, or a test that tests nothing */
            failed++;
            printf("  FAIL  %s: no test ran; a test file calls t.describe (weir test --help)\n",
                   files[i]);
        }
    }
    printf("%zu passed, %zu failed\n", passed, failed);
    return failed ? 1 : 0;
}

int rt_test_main(int argc, char **argv)
{
    struct bs_config *serde = rc_serde_config_new();
    int count = 0, status = take_options(argc, argv, serde, &count);
    status = status ? status - 1 : run_all(argv, count, serde);
    bs_config_free(serde);
    return status;
}

const struct bs_command rt_test_command = {
    .name = "test",
    .summary = "run tests of pipelines, without broker or registry",
    .run = rt_test_main,
};
