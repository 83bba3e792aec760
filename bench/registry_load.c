/* Registry load: N connections, each with one request under way (keep-alive), in one thread by
 * epoll; prints rate and latencies as one JSON line.
 *
 *   registry_load HOST PORT get|register CONNECTIONS SECONDS [PID]
 *
 * get: GET /schemas/ids/{id} over the ids 1 to 1,000, which it registers before where they are
 * missing. register: each request a new schema of a new subject. PID: of the registry, for its CPU
 * time.
 */
#include "lib/base/option.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { IDS = 1000, CONNECTIONS_MAX = 1024, ANSWER_MAX = 64 * 1024, LATENCIES = 1 << 17 };

struct connection {
    int fd;
    int64_t sent_us;
    size_t len; /* of the answer so far */
    char answer[ANSWER_MAX];
};

struct load {
    struct sockaddr_in to;
    const char *run; /* part of the names of subjects and schemas */
    bool writes, warm;
    int64_t connections, next, done, bad;
    int64_t until_us;
    uint32_t latencies[LATENCIES]; /* count by microsecond; the last one: more */
    struct connection *all;
    int epoll;
};

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void die(const char *what)
{
    fprintf(stderr, "registry_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int make_request(struct load *load, char *out, size_t cap)
{
    char body[1024];
    int64_t n = load->next++;
    int len;
    if (!load->writes)
        return snprintf(out, cap, "GET /schemas/ids/%" PRId64 " HTTP/1.1\r\nHost: x\r\n\r\n",
                        n % IDS + 1);
    len = snprintf(body, sizeof body,
                   "{\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"R%s_%" PRId64
                   "\\\",\\\"fields\\\":[{\\\"name\\\":\\\"a\\\",\\\"type\\\":\\\"string\\\"},"
                   "{\\\"name\\\":\\\"b\\\",\\\"type\\\":\\\"long\\\"},{\\\"name\\\":\\\"c\\\","
                   "\\\"type\\\":[\\\"null\\\",\\\"double\\\"]},{\\\"name\\\":\\\"d\\\","
                   "\\\"type\\\":{\\\"type\\\":\\\"map\\\",\\\"values\\\":\\\"long\\\"}}]}\"}",
                   load->run, n);
    return snprintf(out, cap,
                    "POST /subjects/%s-%" PRId64 "/versions HTTP/1.1\r\nHost: x\r\n"
                    "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                    load->run, n, len, body);
}

static void send_next(struct load *load, struct connection *c)
{
    char request[2048];
    int len = make_request(load, request, sizeof request);
    c->len = 0;
    c->sent_us = now_us();
    if (write(c->fd, request, (size_t)len) != len)
        die("write");
}

/* The bytes of a complete answer, or 0. */
static size_t answer_size(struct connection *c)
{
    char *end, *length;
    size_t size;
    c->answer[c->len] = '\0';
    end = strstr(c->answer, "\r\n\r\n");
    if (end == NULL)
        return 0;
    length = strcasestr(c->answer, "\r\nContent-Length:");
    size = (size_t)(end + 4 - c->answer) + (length ? strtoul(length + 17, NULL, 10) : 0);
    return c->len >= size ? size : 0;
}

static void receive(struct load *load, struct connection *c)
{
    ssize_t n = read(c->fd, c->answer + c->len, ANSWER_MAX - 1 - c->len);
    int64_t took;
    if (n <= 0)
        die("the registry closed a connection");
    c->len += (size_t)n;
    if (answer_size(c) == 0)
        return;
    if (strncmp(c->answer, "HTTP/1.1 200", 12) != 0 && load->bad++ == 0 && !load->warm)
        fprintf(stderr, "registry_load: %.*s\n", (int)c->len, c->answer);
    took = now_us() - c->sent_us;
    load->latencies[took < LATENCIES - 1 ? took : LATENCIES - 1]++;
    load->done++;
    if (now_us() < load->until_us)
        send_next(load, c);
    else
        c->sent_us = 0;
}

static bool waiting(const struct load *load)
{
    for (int64_t i = 0; i < load->connections; i++)
        if (load->all[i].sent_us)
            return true;
    return false;
}

static double run(struct load *load, double seconds)
{
    int64_t began = now_us();
    load->until_us = began + (int64_t)(seconds * 1e6);
    load->done = load->bad = 0;
    memset(load->latencies, 0, sizeof load->latencies);
    for (int64_t i = 0; i < load->connections; i++)
        send_next(load, &load->all[i]);
    while (waiting(load)) {
        struct epoll_event events[64];
        int n = epoll_wait(load->epoll, events, 64, 30000);
        if (n <= 0)
            die("no answer in 30 s");
        for (int i = 0; i < n; i++)
            receive(load, events[i].data.ptr);
    }
    return (double)(now_us() - began) / 1e6;
}

static void open_all(struct load *load)
{
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->all = calloc((size_t)load->connections, sizeof *load->all);
    if (load->all == NULL || load->epoll < 0)
        die("start");
    for (int64_t i = 0; i < load->connections; i++) {
        struct connection *c = &load->all[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        int on = 1;
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&load->to, sizeof load->to) < 0)
            die("connect");
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        epoll_ctl(load->epoll, EPOLL_CTL_ADD, c->fd, &event);
    }
}

static double cpu_s(const char *pid)
{
    char path[64], text[512];
    unsigned long user = 0, system = 0;
    FILE *in;
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    in = fopen(path, "re");
    if (in && fgets(text, sizeof text, in) && strrchr(text, ')'))
        sscanf(strrchr(text, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &system);
    if (in)
        fclose(in);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static double percentile_ms(const struct load *load, double part)
{
    int64_t before = 0;
    for (int us = 0; us < LATENCIES; us++)
        if ((double)(before += load->latencies[us]) >= part * (double)load->done)
            return us / 1e3;
    return 0;
}

/* The ids that get asks for: as many schemas as there are ids, if there are not. */
static void fill(struct load *load)
{
    bool writes = load->writes;
    load->writes = false;
    load->next = IDS - 1;
    load->warm = true;
    run(load, 0);
    load->writes = true;
    load->next = 0;
    while (load->bad && load->next < IDS)
        run(load, 0), load->bad = 1;
    load->warm = false;
    load->writes = writes;
}

int main(int argc, char **argv)
{
    static struct load load;
    int64_t port, seconds;
    double took, cpu;
    char name[32];
    if (argc < 6 || bs_parse_int(argv[2], 1, 65535, &port) != 0 ||
        bs_parse_int(argv[4], 1, CONNECTIONS_MAX, &load.connections) != 0 ||
        bs_parse_int(argv[5], 1, 3600, &seconds) != 0) {
        fprintf(stderr, "usage: registry_load HOST PORT get|register CONNECTIONS SECONDS [PID]\n");
        return 2;
    }
    load.to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, argv[1], &load.to.sin_addr) != 1) {
        fprintf(stderr, "registry_load: HOST is not an IPv4 address\n");
        return 2;
    }
    snprintf(name, sizeof name, "p%d", (int)getpid());
    load.run = name;
    load.writes = strcmp(argv[3], "register") == 0;
    open_all(&load);
    if (!load.writes)
        fill(&load);
    run(&load, 1); /* warm */
    cpu = argc > 6 ? cpu_s(argv[6]) : 0;
    took = run(&load, (double)seconds);
    cpu = argc > 6 ? cpu_s(argv[6]) - cpu : 0;
    printf("{\"bench\":\"registry\",\"load\":\"%s\",\"connections\":%" PRId64
           ",\"requests\":%" PRId64 ",\"bad\":%" PRId64
           ",\"seconds\":%.3f,\"per_s\":%.0f,\"p50_ms\":%.3f,\"p99_ms\":%.3f",
           argv[3], load.connections, load.done, load.bad, took, (double)load.done / took,
           percentile_ms(&load, 0.5), percentile_ms(&load, 0.99));
    if (argc > 6)
        printf(",\"cpu_us_each\":%.1f", cpu * 1e6 / (double)load.done);
    printf("}\n");
    return load.bad ? 1 : 0;
}
