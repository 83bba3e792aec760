/* Registry floor: what this machine allows. Threads that wait by epoll, and answer whatever comes
 * on a connection with the same bytes: one receive and one send each, nothing is read or made.
 *
 *   registry_floor THREADS < ANSWER     prints its port, ends with SIGTERM
 *
 * A request has to come in one piece, which the loopback device does for small ones. The
 * connections are dealt out to the threads in turn. */
#include "lib/base/mem.h"
#include "lib/base/option.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { THREADS_MAX = 64, ANSWER_MAX = 256 * 1024, REQUEST_MAX = 16 * 1024 };

static char answer[ANSWER_MAX];
static size_t answer_len;

static void die(const char *what)
{
    fprintf(stderr, "registry_floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void *serve(void *epoll)
{
    char request[REQUEST_MAX];
    for (;;) {
        struct epoll_event events[64];
        int n = epoll_wait((int)(intptr_t)epoll, events, 64, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (recv(fd, request, sizeof request, 0) <= 0)
                close(fd);
            else if (send(fd, answer, answer_len, MSG_NOSIGNAL) != (ssize_t)answer_len)
                die("send");
        }
    }
    return NULL;
}

static int listen_on_any(int *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, 1024) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) < 0)
        die("listen");
    *ret_port = ntohs(address.sin_port);
    return fd;
}

int main(int argc, char **argv)
{
    int epolls[THREADS_MAX], listening, port;
    int64_t threads;
    if (argc != 2 || bs_parse_int(argv[1], 1, THREADS_MAX, &threads) != 0) {
        fprintf(stderr, "usage: registry_floor THREADS < ANSWER\n");
        return 2;
    }
    answer_len = fread(answer, 1, sizeof answer, stdin);
    listening = listen_on_any(&port);
    for (int64_t i = 0; i < threads; i++) {
        pthread_t thread;
        epolls[i] = epoll_create1(EPOLL_CLOEXEC);
        if (epolls[i] < 0 || pthread_create(&thread, NULL, serve, (void *)(intptr_t)epolls[i]) != 0)
            die("start");
    }
    printf("%d\n", port);
    fflush(stdout);
    for (int64_t i = 0;; i++) {
        int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC), on = 1;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (fd < 0)
            die("accept");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        epoll_ctl(epolls[i % threads], EPOLL_CTL_ADD, fd, &event);
    }
}
