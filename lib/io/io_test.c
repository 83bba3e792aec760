#include "lib/base/mem.h"
#include "lib/io/clock.h"
#include "lib/io/file.h"
#include "lib/io/loop.h"
#include "lib/io/mailbox.h"
#include "lib/io/net.h"
#include "lib/io/random.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void test_files(void **state)
{
    (void)state;
    char dir[] = "/tmp/io_test.XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct io_files *files = io_files_uv_new(NULL);
    struct bs_error err = {0};
    char *path = bs_asprintf("%s/a", dir);
    assert_int_equal(0, io_files_write_all(files, dir, path, "hello", 5, &err));
    char *data = NULL;
    size_t len = 0;
    assert_int_equal(0, io_files_read_all(files, path, 10, &data, &len, &err));
    assert_string_equal("hello", data);
    bs_free(data);
    assert_int_equal(BS_ELIMIT, io_files_read_all(files, path, 4, &data, &len, &err));
    assert_int_equal(BS_ENOTFOUND, io_files_read_all(files, "/nowhere/x", 4, &data, &len, &err));
    struct io_file *lock = NULL, *second = NULL;
    assert_int_equal(0, files->lock(files, path, &lock, &err));
    assert_int_equal(BS_EBUSY, files->lock(files, path, &second, &err));
    files->close(files, lock);
    int64_t size = 0, mtime_ms = 0;
    assert_int_equal(0, files->stat(files, path, &size, &mtime_ms, &err));
    files->remove_later(files, dir); /* at once without a loop: the file and the folder */
    assert_int_equal(BS_ENOTFOUND, files->stat(files, path, &size, &mtime_ms, &err));
    assert_int_equal(BS_ENOTFOUND, files->stat(files, dir, &size, &mtime_ms, &err));
    bs_free(path);
    io_files_uv_free(files);
}

static void *put_many(void *ctx)
{
    for (intptr_t i = 1; i <= 10000; i++)
        io_mailbox_put(ctx, (void *)i, -1);
    return NULL;
}

static void test_mailbox(void **state)
{
    (void)state;
    struct io_mailbox *box = io_mailbox_new(64, NULL, NULL);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, put_many, box);
    int64_t sum = 0;
    for (int i = 0; i < 20000; i++) {
        void *message = NULL;
        assert_int_equal(0, io_mailbox_take(box, 5000, &message));
        sum += (intptr_t)message;
    }
    assert_int_equal(2 * 10000L * 10001 / 2, sum);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    void *message = NULL;
    assert_int_equal(BS_EBUSY, io_mailbox_take(box, 0, &message));
    assert_int_equal(BS_ETIMEOUT, io_mailbox_take(box, 1, &message));
    io_mailbox_close(box);
    assert_int_equal(BS_ECANCELLED, io_mailbox_put(box, box, 0));
    assert_int_equal(BS_ECANCELLED, io_mailbox_take(box, -1, &message));
    io_mailbox_free(box);
}

struct echo {
    struct io_loop *loop;
    struct io_net *net;
    struct io_listener *listener;
    struct io_conn *conn;
    uint8_t buf[64];
    struct iovec vec;
    int written;
};

static void echo_room(void *ctx, uint8_t **ret_ptr, size_t *ret_len)
{
    struct echo *echo = ctx;
    *ret_ptr = echo->buf;
    *ret_len = sizeof echo->buf;
}

static void echo_written(void *ctx, int result)
{
    assert_int_equal(0, result);
    ((struct echo *)ctx)->written++;
}

static void echo_closed(void *ctx)
{
    struct echo *echo = ctx;
    echo->net->listener_close(echo->listener);
    echo->loop->stop(echo->loop);
}

static void echo_read(void *ctx, ptrdiff_t len)
{
    struct echo *echo = ctx;
    if (len <= 0) {
        io_conn_close(echo->conn, echo_closed, echo);
        return;
    }
    echo->vec = (struct iovec){.iov_base = echo->buf, .iov_len = (size_t)len};
    io_conn_write(echo->conn, &echo->vec, 1, echo_written, echo);
}

static const struct io_conn_handler echo_handler = {.room = echo_room, .read = echo_read};

static void echo_accepted(void *ctx, struct io_conn *conn)
{
    struct echo *echo = ctx;
    echo->conn = conn;
    assert_memory_equal("127.0.0.1:", conn->net->peer(conn), 10);
    assert_string_equal("127.0.0.1", conn->net->local_host(conn));
    io_conn_read_start(conn, &echo_handler, echo);
}

static void *echo_client(void *ctx)
{
    struct echo *echo = ctx;
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons(echo->net->listener_port(echo->listener))};
    inet_pton(AF_INET, "127.0.0.1", &addr.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char back[6] = "";
    intptr_t ok = connect(fd, (void *)&addr, sizeof addr) == 0 && write(fd, "hello", 5) == 5 &&
                  recv(fd, back, 5, MSG_WAITALL) == 5 && strcmp(back, "hello") == 0;
    close(fd);
    return (void *)ok;
}

static void count_call(void *ctx)
{
    ++*(int *)ctx;
}

static void test_loop_net(void **state)
{
    (void)state;
    struct bs_error err = {0};
    struct echo echo = {.loop = io_loop_uv_new(&err)};
    assert_non_null(echo.loop);
    echo.net = io_net_uv_new(echo.loop);
    assert_int_equal(0, echo.net->listen(echo.net, "127.0.0.1", 0, 16, echo_accepted, &echo,
                                         &echo.listener, &err));
    int fired = 0, posted = 0, worked = 0;
    struct io_timer *timer = io_timer_new(echo.loop, count_call, &fired);
    io_timer_start(timer, 0);
    io_loop_post(echo.loop, count_call, &posted);
    echo.loop->offload(echo.loop, count_call, count_call, &worked);
    pthread_t thread;
    pthread_create(&thread, NULL, echo_client, &echo);
    echo.loop->run(echo.loop);
    void *ok = NULL;
    pthread_join(thread, &ok);
    assert_non_null(ok);
    assert_int_equal(1, echo.written);
    assert_int_equal(1, posted);
    assert_int_equal(1, fired);
    io_timer_free(timer);
    io_net_uv_free(echo.net);
    io_loop_uv_free(echo.loop);
    assert_int_equal(2, worked);
}

static void test_clock_random(void **state)
{
    (void)state;
    assert_true(io_clock_wall_ms(io_clock_real()) > 1600000000000);
    int64_t a = io_clock_mono_us(io_clock_real());
    assert_true(io_clock_mono_us(io_clock_real()) >= a);
    uint8_t one[16], two[16];
    io_random_uuid(io_random_real(), one);
    io_random_uuid(io_random_real(), two);
    assert_memory_not_equal(one, two, 16);
    assert_int_equal(0x40, one[6] & 0xf0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_mailbox),
        cmocka_unit_test(test_loop_net),
        cmocka_unit_test(test_clock_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
