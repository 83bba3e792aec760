/* Broker main: the role alone in a process, for tests: name=value arguments, prints the address it
 * listens at, stops on SIGTERM or SIGINT. */
#include "broker/broker.h"
#include "lib/base/log.h"
#include "lib/base/metric.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void sink(void *ctx, const struct bs_event *event, const char *text)
{
    (void)ctx;
    fprintf(stderr, "%s %s\n", event->id, text);
}

int main(int argc, char **argv)
{
    struct bs_config *config = bs_config_new(bk_role.tables, bk_role.table_count);
    struct bs_error err = {0};
    struct bs_buf health = BS_BUF_INIT;
    sigset_t set;
    void *self;
    int signal_number;
    bs_log_set_sink(sink, NULL);
    if (getenv("BROKER_DEBUG"))
        bs_log_set_level(BS_LOG_DEBUG);
    for (int i = 1; i < argc; i++) {
        char *sep = strchr(argv[i], '=');
        if (sep)
            *sep = '\0';
        if (!sep || bs_config_set(config, argv[i], sep + 1, "argument", &err)) {
            fprintf(stderr, "%s\n", sep ? err.text : "arguments are name=value");
            return 2;
        }
    }
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (bk_role.open(config, NULL, &self, &err)) {
        fprintf(stderr, "%s\n", err.text);
        bs_config_free(config);
        return 1;
    }
    bk_role.health(self, &health);
    printf("%s\n", bs_buf_text(&health));
    fflush(stdout);
    while (sigwait(&set, &signal_number) == 0 && signal_number == SIGUSR1) {
        bs_buf_reset(&health);
        bs_metric_print_all(&health);
        fputs(bs_buf_text(&health), stderr);
    }
    bk_role.close(self);
    bs_buf_deinit(&health);
    bs_config_free(config);
    return 0;
}
