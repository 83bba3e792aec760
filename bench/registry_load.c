/* Registry load: N connections, each with one request under way (keep-alive), in one thread by
 * epoll; prints rate and latencies as one JSON line. Any registry with Confluent's API will do.
 *
 * It shares the machine with what it measures, so the requests that come again and again are
 * written once, and an answer is looked at once: its status, its end. A request that is not
 * answered in PATIENCE_S, or whose connection ends, is counted as unanswered and its connection
 * replaced; the rate counts until the last answer.
 *
 *   registry_load URL LOAD CONNECTIONS AMOUNT [PID]
 *
 *   get SECONDS        GET /schemas/ids/{id}, over the ids of 1,000 schemas that it registers first
 *   latest SECONDS     GET /subjects/{subject}/versions/latest, over their subjects
 *   known SECONDS      POST of one of these schemas, as a serializer does when it starts
 *   register SECONDS   each request a new schema of a new subject
 *   fill:NAME:BYTES COUNT   subjects NAME-0 to NAME-(COUNT-1), each a schema of about BYTES
 *   share:NAME:BYTES COUNT  the same, all with one schema
 *   delete:NAME COUNT       deletes these subjects softly; purge:NAME COUNT: for good
 *
 * PID: of the registry, for its CPU time. */
#include "lib/base/buf.h"
#include "lib/base/mem.h"
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

enum { IDS = 1000, CONNECTIONS_MAX = 1024, ANSWER_MAX = 256 * 1024, LATENCIES = 1 << 20 };
enum { RECORD_BYTES = 220 }; /* of the schema that register and get use */
enum { PATIENCE_S = 10, UNANSWERED_MAX = 100 };

struct connection {
    int fd;
    int64_t number, sent_us; /* sent_us 0: nothing is under way */
    bool used;               /* it has brought an answer */
    size_t len, end;         /* of the answer so far; of all of it, 0: not known yet */
    char answer[ANSWER_MAX];
};

struct load {
    struct sockaddr_in to;
    const char *path; /* before every path, "" or "/apis/…" */
    const char *kind; /* get, latest, … */
    const char *name; /* of subjects and schemas */
    int64_t bytes;    /* of a schema */
    bool filling;     /* registers the IDS schemas that a load needs */
    int64_t connections, under_way, next, done, bad, unanswered;
    int64_t until_us, most; /* when and after how many requests it ends */
    int64_t last_us;        /* the last answer */
    int64_t ids[IDS];
    struct bs_buf again[IDS];      /* requests over the IDS schemas, once they are registered */
    uint32_t latencies[LATENCIES]; /* count by microsecond; the last one: more */
    struct connection *all;
    struct bs_buf request, body;
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

static bool is(const struct load *load, const char *kind)
{
    return strcmp(load->kind, kind) == 0;
}

/* ---- requests ---- */

/* A record with as many fields as its bytes ask for, as the text inside a JSON string. */
static void put_schema(const struct load *load, int64_t n, struct bs_buf *out)
{
    static const char *const types[] = {"\\\"string\\\"", "\\\"long\\\"",
                                        "[\\\"null\\\",\\\"double\\\"]",
                                        "{\\\"type\\\":\\\"map\\\",\\\"values\\\":\\\"long\\\"}"};
    size_t from = out->len, i = 0;
    bs_buf_printf(
        out, "{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"R%s_%" PRId64 "\\\",\\\"fields\\\":[",
        load->name, is(load, "share") ? 0 : n);
    do
        bs_buf_printf(out, "%s{\\\"name\\\":\\\"f%zu\\\",\\\"type\\\":%s}", i ? "," : "", i,
                      types[i % 4]);
    while (++i < 4 || (int64_t)(out->len - from) < load->bytes * 5 / 4); /* the backslashes */
    bs_buf_puts(out, "]}");
}

static void put_request(struct load *load, int64_t n, struct bs_buf *out)
{
    const char *permanent = is(load, "purge") ? "?permanent=true" : "";
    bool post = load->filling || is(load, "known") || is(load, "register") || is(load, "fill") ||
                is(load, "share");
    bs_buf_reset(out);
    if (!post && is(load, "get")) {
        bs_buf_printf(out, "GET %s/schemas/ids/%" PRId64, load->path, load->ids[n]);
    } else if (!post && is(load, "latest")) {
        bs_buf_printf(out, "GET %s/subjects/%s-%" PRId64 "/versions/latest", load->path, load->name,
                      n);
    } else if (!post) {
        bs_buf_printf(out, "DELETE %s/subjects/%s-%" PRId64 "%s", load->path, load->name, n,
                      permanent);
    } else {
        bs_buf_printf(out, "POST %s/subjects/%s-%" PRId64 "/versions", load->path, load->name, n);
    }
    bs_buf_puts(out, " HTTP/1.1\r\nHost: localhost\r\n");
    if (post) {
        bs_buf_reset(&load->body);
        bs_buf_puts(&load->body, "{\"schema\":\"");
        put_schema(load, n, &load->body);
        bs_buf_puts(&load->body, "\"}");
        bs_buf_printf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                      load->body.len);
        bs_buf_put(out, load->body.data, load->body.len);
    } else {
        bs_buf_puts(out, "\r\n");
    }
}

static const struct bs_buf *request(struct load *load, int64_t n)
{
    if (load->again[0].len && !load->filling)
        return &load->again[n % IDS];
    put_request(load, n, &load->request);
    return &load->request;
}

static void connect_one(const struct load *load, struct connection *c)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&load->to, sizeof load->to) < 0)
        die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->used = false;
    epoll_ctl(load->epoll, EPOLL_CTL_ADD, c->fd, &event);
}

static void send_request(struct load *load, struct connection *c, int64_t now)
{
    const struct bs_buf *text = request(load, c->number);
    size_t sent = 0;
    c->len = c->end = 0;
    c->sent_us = now;
    while (sent < text->len) {
        ssize_t n = send(c->fd, text->data + sent, text->len - sent, MSG_NOSIGNAL);
        if (n < 0)
            return; /* what is wrong is told by the read */
        sent += (size_t)n;
    }
}

static void send_next(struct load *load, struct connection *c, int64_t now)
{
    load->under_way -= c->sent_us != 0;
    c->sent_us = 0;
    if (load->next == load->most || now >= load->until_us)
        return;
    load->under_way++;
    c->number = load->next++;
    send_request(load, c, now);
}

/* ---- answers ---- */

/* Where the answer ends that has this head; SIZE_MAX: with its last chunk. */
static size_t find_end(const char *answer, size_t head)
{
    for (const char *line = answer; line < answer + head; line = strchr(line, '\n') + 1)
        if (strncasecmp(line, "Content-Length:", 15) == 0)
            return head + strtoul(line + 15, NULL, 10);
    return strncmp(answer, "HTTP/1.1 204", 12) == 0 ? head : SIZE_MAX;
}

static bool complete(struct connection *c)
{
    const char *end;
    c->answer[c->len] = '\0';
    if (c->end == 0 && (end = strstr(c->answer, "\r\n\r\n")))
        c->end = find_end(c->answer, (size_t)(end + 4 - c->answer));
    if (c->end == SIZE_MAX && strcmp(c->answer + c->len - 7, "\r\n0\r\n\r\n") == 0)
        return true;
    errno = EMSGSIZE;
    if (c->len == ANSWER_MAX - 1)
        die("an answer is too long");
    if (c->end && c->len > c->end)
        die("more came than an answer");
    return c->end && c->len == c->end;
}

/* `ended`: by the server, which may do that on a connection that it has answered on; what came too
 * late for it is asked again. So is, in any case, what has to be done a number of times. */
static void replace(struct load *load, struct connection *c, bool ended, int64_t now)
{
    bool late = ended && c->used && c->len == 0;
    close(c->fd);
    connect_one(load, c);
    if (c->sent_us == 0)
        return;
    if (!late && ++load->unanswered > UNANSWERED_MAX) {
        errno = ETIMEDOUT;
        die("too many requests are not answered");
    }
    if (late || load->most != INT64_MAX)
        send_request(load, c, now);
    else
        send_next(load, c, now);
}

static void receive(struct load *load, struct connection *c)
{
    ssize_t n = recv(c->fd, c->answer + c->len, ANSWER_MAX - 1 - c->len, 0);
    int64_t now = now_us(), took = now - c->sent_us;
    const char *id;
    if (n <= 0) {
        replace(load, c, true, now);
        return;
    }
    c->len += (size_t)n;
    if (!complete(c))
        return;
    if (strncmp(c->answer, "HTTP/1.1 2", 10) != 0 && load->bad++ == 0)
        fprintf(stderr, "registry_load: %.*s\n", (int)c->len, c->answer);
    id = load->filling ? strstr(c->answer, "\"id\":") : NULL;
    if (id && c->number < IDS)
        load->ids[c->number] = strtoll(id + 5, NULL, 10);
    load->latencies[took < LATENCIES - 1 ? took : LATENCIES - 1]++;
    load->done++;
    load->last_us = now;
    c->used = true;
    send_next(load, c, now);
}

/* Those that have waited too long. */
static void look_after(struct load *load, int64_t now)
{
    for (int64_t i = 0; i < load->connections; i++) {
        struct connection *c = &load->all[i];
        if (c->sent_us && now - c->sent_us > (int64_t)PATIENCE_S * 1000000)
            replace(load, c, false, now);
    }
}

static double run(struct load *load, double seconds, int64_t most)
{
    int64_t began = now_us(), looked = began;
    load->until_us = began + (int64_t)(seconds * 1e6);
    load->most = most == INT64_MAX ? most : load->next + most;
    load->done = load->bad = load->unanswered = 0;
    load->last_us = began;
    memset(load->latencies, 0, sizeof load->latencies);
    for (int64_t i = 0; i < load->connections; i++)
        send_next(load, &load->all[i], now_us());
    while (load->under_way > 0) {
        struct epoll_event events[64];
        int n = epoll_wait(load->epoll, events, 64, 1000);
        for (int i = 0; i < n; i++)
            receive(load, events[i].data.ptr);
        if (now_us() - looked > 1000000) {
            looked = now_us();
            look_after(load, looked);
        }
    }
    return (double)(load->last_us - began) / 1e6;
}

static void open_all(struct load *load)
{
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->all = bs_array((size_t)load->connections, sizeof *load->all);
    if (load->epoll < 0)
        die("start");
    for (int64_t i = 0; i < load->connections; i++)
        connect_one(load, &load->all[i]);
}

/* ---- the program ---- */

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

/* http://127.0.0.1:8081/apis/… → address and path. */
static bool parse_url(char *url, struct load *load)
{
    char *host = strncmp(url, "http://", 7) == 0 ? url + 7 : url, *path = strchr(host, '/'), *colon;
    int64_t port;
    load->path = path ? bs_strdup(path) : "";
    if (path)
        *path = '\0';
    colon = strrchr(host, ':');
    if (colon == NULL || bs_parse_int(colon + 1, 1, 65535, &port) != 0)
        return false;
    *colon = '\0';
    load->to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    return inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host,
                     &load->to.sin_addr) == 1;
}

/* "fill:NAME:BYTES" and so on. */
static bool parse_load(char *text, struct load *load)
{
    static char own[32];
    char *name = strchr(text, ':'), *bytes = name ? strchr(name + 1, ':') : NULL;
    snprintf(own, sizeof own, "p%d", (int)getpid());
    load->kind = text;
    load->name = own;
    load->bytes = RECORD_BYTES;
    if (name) {
        *name = '\0';
        load->name = name + 1;
    }
    if (bytes) {
        *bytes = '\0';
        if (bs_parse_int(bytes + 1, 1, 1 << 20, &load->bytes) != 0)
            return false;
    }
    return true;
}

/* The load whose AMOUNT are requests, not seconds. */
static bool is_counted(const struct load *load)
{
    return is(load, "fill") || is(load, "share") || is(load, "delete") || is(load, "purge");
}

/* What get, latest and known ask for. */
static void fill(struct load *load)
{
    load->filling = true;
    run(load, 3600, IDS);
    if (load->bad)
        exit(1);
    load->filling = false;
    for (int64_t i = 0; i < IDS; i++)
        put_request(load, i, &load->again[i]);
}

static void report(const struct load *load, double took, double cpu)
{
    printf("{\"load\":\"%s\",\"connections\":%" PRId64 ",\"requests\":%" PRId64 ",\"bad\":%" PRId64
           ",\"unanswered\":%" PRId64
           ",\"seconds\":%.3f,\"per_s\":%.0f,\"p50_ms\":%.3f,\"p99_ms\":%.3f",
           load->kind, load->connections, load->done, load->bad, load->unanswered, took,
           (double)load->done / took, percentile_ms(load, 0.5), percentile_ms(load, 0.99));
    if (cpu >= 0)
        printf(",\"cpu_us_each\":%.1f", cpu * 1e6 / (double)load->done);
    printf("}\n");
}

int main(int argc, char **argv)
{
    static struct load load;
    const char *pid = argc > 5 ? argv[5] : NULL;
    int64_t amount;
    double took, cpu;
    if (argc < 5 || !parse_url(argv[1], &load) || !parse_load(argv[2], &load) ||
        bs_parse_int(argv[3], 1, CONNECTIONS_MAX, &load.connections) != 0 ||
        bs_parse_int(argv[4], 1, 100000000, &amount) != 0) {
        fprintf(stderr, "usage: registry_load http://ADDRESS:PORT[/PATH] "
                        "get|latest|known|register|fill:NAME:BYTES|share:NAME:BYTES|delete:NAME|"
                        "purge:NAME CONNECTIONS SECONDS|COUNT [PID]\n");
        return 2;
    }
    open_all(&load);
    if (!is_counted(&load) && !is(&load, "register"))
        fill(&load);
    if (!is_counted(&load))
        run(&load, 1, INT64_MAX); /* warm */
    cpu = pid ? cpu_s(pid) : 0;
    took = is_counted(&load) ? run(&load, 3600, amount) : run(&load, (double)amount, INT64_MAX);
    report(&load, took, pid ? cpu_s(pid) - cpu : -1);
    return load.bad ? 1 : 0;
}
