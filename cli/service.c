/* Service: opening, watching and closing roles.
 *
 * A signal handler only counts and writes to an eventfd; the main thread waits on that. Health is
 * asked every few milliseconds while a role is starting and twice a second afterwards, so that a
 * role that fails later ends the program with its message instead of lingering. */
#include "cli/service.h"

#include "cli/command.h"
#include "cli/notify.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

static const struct bs_event READY = {"weir.ready", BS_LOG_INFO,
                                      "Every role of this process listens and is ready for work."};
static const struct bs_event STOPPING = {
    "weir.stopping", BS_LOG_INFO, "A signal asked for the end; what is under way is finished."};
static const struct bs_event CAUGHT_UP = {
    "weir.caught_up", BS_LOG_INFO,
    "Bounded sources are complete, nothing is left to read, sinks have committed."};

static volatile sig_atomic_t signal_count, opening;
static int signal_fd = -1;

static void on_signal(int number)
{
    uint64_t one = 1;
    int saved = errno;
    signal_count = signal_count + 1;
    if (opening)
        _exit(CL_OK); /* it may wait for a broker for long; nothing runs yet that has to end well */
    if (signal_count > 1)
        _exit(128 + number);
    if (write(signal_fd, &one, sizeof one) < 0) {
        /* the count above is what is looked at; the eventfd only wakes */
    }
    errno = saved;
}

void cl_signal_open(void)
{
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    signal_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

void cl_signal_opening(bool yes)
{
    opening = yes;
    if (yes && cl_signal_seen())
        _exit(CL_OK);
}

bool cl_signal_seen(void)
{
    return signal_count > 0;
}

/* A connection and a segment are files: the shell's soft bound, often 1,024, is no bound of ours.
 */
static void raise_file_bound(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

int cl_service_open(struct cl_service *service, const char *const *files, struct bs_error *err)
{
    static const char *const NONE[] = {NULL};
    struct bs_buf health = BS_BUF_INIT;
    int rc = bs_config_check(service->config, err);
    raise_file_bound();
    if (rc == 0)
        rc = service->role->open(service->config, files ? files : NONE, &service->self, err);
    if (rc != 0)
        return rc;
    service->role->health(service->self, &health);
    if (!cl_json_member(bs_buf_bytes(&health), "listen", service->listen, sizeof service->listen))
        service->listen[0] = '\0';
    bs_buf_deinit(&health);
    return 0;
}

void cl_service_close(struct cl_service *service)
{
    if (service->self)
        service->role->close(service->self);
    bs_config_free(service->config);
    *service = (struct cl_service){0};
}

/* What only the last service, the worker, knows of its work. */
struct work {
    bool caught_up;
    char error[900]; /* why a connector stands still; "" when none does */
};

/* 0 all ready, 1 some starting, negative: failed, err names the role. */
static int ask_health(struct cl_service *services, size_t count, struct work *ret_work,
                      struct bs_error *err)
{
    struct bs_buf health = BS_BUF_INIT;
    char text[900];
    int rc = 0;
    for (size_t i = 0; i < count && rc >= 0; i++) {
        int one;
        bs_buf_reset(&health);
        one = services[i].role->health(services[i].self, &health);
        if (one < 0) {
            if (!cl_json_member(bs_buf_bytes(&health), "message", text, sizeof text))
                snprintf(text, sizeof text, "%s", bs_strerror(one));
            rc = bs_error_set(err, one, "%s failed: %s", services[i].role->name, text);
        } else if (one > 0) {
            rc = 1;
        }
        ret_work->caught_up =
            cl_json_member(bs_buf_bytes(&health), "caught_up", text, sizeof text) &&
            strcmp(text, "true") == 0;
        if (!cl_json_member(bs_buf_bytes(&health), "connector_error", ret_work->error,
                            sizeof ret_work->error))
            ret_work->error[0] = '\0';
    }
    bs_buf_deinit(&health);
    return rc;
}

int cl_service_settle(struct cl_service *service, struct bs_error *err)
{
    struct pollfd wait = {.fd = signal_fd, .events = POLLIN};
    struct work work;
    int rc;
    while ((rc = ask_health(service, 1, &work, err)) > 0 && !cl_signal_seen())
        (void)poll(&wait, 1, 2);
    return rc < 0 ? rc : 0;
}

static void announce(struct cl_service *services, size_t count)
{
    struct bs_buf text = BS_BUF_INIT;
    for (size_t i = 0; i < count; i++)
        bs_buf_printf(&text, "%s%s %s", i ? ", " : "", services[i].role->name, services[i].listen);
    bs_log(&READY, "%s", bs_buf_text(&text));
    cl_notify("READY=1\nSTATUS=%s", bs_buf_text(&text));
    bs_buf_deinit(&text);
}

int cl_service_wait(struct cl_service *services, size_t count, bool until_caught_up,
                    struct bs_error *err)
{
    struct pollfd wait = {.fd = signal_fd, .events = POLLIN};
    struct work work = {0};
    bool ready = false;
    int pause_ms = 2;
    while (!cl_signal_seen()) {
        int rc = ask_health(services, count, &work, err);
        if (rc < 0)
            return CL_FAILED;
        if (until_caught_up && work.error[0]) { /* it would never come */
            bs_error_set(err, BS_ESTATE, "%s", work.error);
            return CL_FAILED;
        }
        if (rc == 0 && !ready) {
            ready = true;
            announce(services, count);
        }
        if (rc == 0 && until_caught_up && work.caught_up) {
            bs_log(&CAUGHT_UP, "everything there was to do is done");
            cl_notify("STOPPING=1");
            return CL_OK;
        }
        if (ready)
            pause_ms = until_caught_up ? 50 : 500;
        else if (pause_ms < 100)
            pause_ms += pause_ms / 2;
        (void)poll(&wait, 1, pause_ms);
    }
    bs_log(&STOPPING, "a signal came; a second one ends at once");
    cl_notify("STOPPING=1");
    return CL_OK;
}
