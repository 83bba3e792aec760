/* Log sink: formats an event into one buffer and writes it with one write(2), so that lines of
 * several threads never mix. UTC with milliseconds; colour only on a terminal. Any thread. */
#include "cli/log_sink.h"

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/log.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const LEVELS[] = {[BS_LOG_ERROR] = "error",
                                     [BS_LOG_WARN] = "warn",
                                     [BS_LOG_INFO] = "info",
                                     [BS_LOG_DEBUG] = "debug"};
static const char *const COLOURS[] = {[BS_LOG_ERROR] = "\033[31m",
                                      [BS_LOG_WARN] = "\033[33m",
                                      [BS_LOG_INFO] = "",
                                      [BS_LOG_DEBUG] = "\033[2m"};
static bool is_terminal; /* set once before any other thread */

static void write_event(void *ctx, const struct bs_event *event, const char *text)
{
    struct bs_buf line = BS_BUF_INIT;
    struct timespec now;
    struct tm utc;
    const char *colour = is_terminal ? COLOURS[event->level] : "";
    size_t done = 0;
    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    bs_buf_printf(&line, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ %s%-5s%s %s ", utc.tm_year + 1900,
                  utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                  now.tv_nsec / 1000000, colour, LEVELS[event->level], *colour ? "\033[0m" : "",
                  event->id);
    bs_buf_puts(&line, text);
    bs_buf_put_u8(&line, '\n');
    while (done < line.len) {
        ssize_t n = write(STDERR_FILENO, line.data + done, line.len - done);
        if (n <= 0)
            break; /* nobody to tell */
        done += (size_t)n;
    }
    bs_buf_deinit(&line);
}

int cl_log_level_set(const char *name)
{
    for (size_t i = 0; i < sizeof LEVELS / sizeof LEVELS[0]; i++)
        if (strcmp(LEVELS[i], name) == 0) {
            bs_log_set_level((enum bs_level)i);
            return 0;
        }
    return BS_EINVAL;
}

void cl_log_open(void)
{
    const char *level = getenv("WEIR_LOG_LEVEL");
    is_terminal = isatty(STDERR_FILENO);
    if (level)
        (void)cl_log_level_set(level);
    bs_log_set_sink(write_event, NULL);
}
