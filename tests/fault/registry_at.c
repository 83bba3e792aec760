/* A registry that ends itself with SIGKILL at one step of a write, for
 * tests/system/leader_steps.py.
 *
 *   registry_at BOOTSTRAP HOST:PORT STEP COUNT
 *
 * STEP is one of schema-registry/journal.h's hook: append, between (two records of one write),
 * sent, acknowledged, read; it ends at the COUNT-th of them after SIGUSR1. At "between" and "sent"
 * it waits then until the broker has what was handed over, so that the step is what it says. Prints
 * "armed" after the signal. */
#include "lib/base/mem.h"
#include "schema-registry/journal.h"
#include "schema-registry/role.h"

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static const char *step_wanted;
static int count_wanted;
static atomic_bool armed;
static rd_kafka_t *asker;
static int64_t end_at_arming;

static int64_t topic_end(void)
{
    int64_t first, end = -1;
    rd_kafka_query_watermark_offsets(asker, "_schemas", 0, &first, &end, 5000);
    return end;
}

static void at_step(const char *step)
{
    static int handed_over, seen;
    bool waits = strcmp(step, "between") == 0 || strcmp(step, "sent") == 0;
    if (!atomic_load(&armed))
        return;
    handed_over += waits;
    if (strcmp(step, step_wanted) != 0 || ++seen != count_wanted)
        return;
    while (waits && topic_end() < end_at_arming + handed_over)
        usleep(1000);
    kill(getpid(), SIGKILL);
}

static void fail(const char *what)
{
    fprintf(stderr, "registry_at: %s\n", what);
    exit(1);
}

int main(int argc, char **argv)
{
    struct bs_config *config = bs_config_new(sr_role.tables, sr_role.table_count);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    struct bs_error err = {0};
    char text[256];
    void *role;
    sigset_t set;
    int number;
    if (argc != 5)
        fail("usage: registry_at BOOTSTRAP HOST:PORT STEP COUNT");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    step_wanted = argv[3];
    count_wanted = (int)strtol(argv[4], NULL, 10);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    rd_kafka_conf_set(conf, "bootstrap.servers", argv[1], NULL, 0);
    asker = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (asker == NULL)
        fail(text);
    sr_journal_hook = at_step;
    bs_config_set(config, "listeners", argv[2], "test", NULL);
    bs_config_set(config, "kafkastore.bootstrap.servers", argv[1], "test", NULL);
    if (sr_role.open(config, (const char *const[]){NULL}, &role, &err) < 0)
        fail(err.text);
    fprintf(stderr, "registry.listening http://%s\n", argv[2]);
    for (;;) {
        sigwait(&set, &number);
        end_at_arming = topic_end();
        atomic_store(&armed, true);
        puts("armed");
        fflush(stdout);
    }
}
