/* Threads: machines on several threads at once, one of them in endless loops: the watchdog stops
 * that one and no other. */
#include "runtime/testing/driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char script[] = "local weir = require 'weir'\n"
                             "weir.app { cpu_max_per_record = '50ms' }\n"
                             "weir.stream('in', { value = 'string' }):map_values(function(v)\n"
                             "  while v == 'bad' do pcall(function() local x = 1 end) end\n"
                             "  return v\n"
                             "end):to('out', { value = 'string' })\n";

struct worker {
    pthread_t thread;
    char path[64];
    bool bad;
    int failures, errors, records;
};

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct bs_error err = {0};
    sigset_t all;
    sigfillset(&all); /* as a program does that takes its signals in one thread */
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    struct rt_driver *driver = rt_driver_new(worker->path);
    worker->failures += rt_driver_load(driver, &err) != 0;
    for (int i = 0; i < (worker->bad ? 3 : 3000) && !worker->failures; i++) {
        struct rt_message message = {.topic = "in",
                                     .key = bs_bytes_text("k"),
                                     .value = bs_bytes_text(worker->bad ? "bad" : "good")};
        int rc = rt_driver_pipe(driver, &message, &err);
        worker->errors += rc != 0;
        worker->records++;
    }
    rt_driver_free(driver);
    return NULL;
}

static void test_only_the_bad_is_stopped(void **state)
{
    (void)state;
    char path[] = "/tmp/weir-threads-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, script, strlen(script)), (ssize_t)strlen(script));
    close(fd);
    struct worker workers[4] = {0};
    for (int i = 0; i < 4; i++) {
        workers[i].bad = i == 0;
        snprintf(workers[i].path, sizeof workers[i].path, "%s", path);
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(workers[i].thread, NULL);
    unlink(path);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(workers[i].failures, 0);
        assert_int_equal(workers[i].errors, workers[i].bad ? 3 : 0);
        assert_int_equal(workers[i].records, workers[i].bad ? 3 : 3000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_the_bad_is_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
