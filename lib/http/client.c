/* HTTP client: see client.h.
 *
 * A connection is kept when the answer's end was told by its length; one on which the server has
 * said anything meanwhile (its end, mostly) is not used again. Every wait ends at the exchange's
 * deadline; only the resolver has its own. */
#include "lib/http/client.h"
#include "lib/http/http.h"

#include "lib/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_MAX = 64 * 1024, CHUNK = 64 * 1024, ASK_MS = 50 };

struct idle {
    char url[300];
    int fd;
};

struct ht_client {
    pthread_mutex_t lock; /* guards what follows */
    struct idle *idle;
    unsigned count, max;
    size_t answer_max;
};

struct ht_client *ht_client_new(unsigned idle_max, size_t answer_max)
{
    struct ht_client *client = bs_new(struct ht_client);
    pthread_mutex_init(&client->lock, NULL);
    client->idle = bs_array(idle_max, sizeof *client->idle);
    client->max = idle_max;
    client->answer_max = answer_max;
    return client;
}

void ht_client_free(struct ht_client *client)
{
    if (client == NULL)
        return;
    while (client->count)
        close(client->idle[--client->count].fd);
    bs_free(client->idle);
    pthread_mutex_destroy(&client->lock);
    bs_free(client);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- connections ---- */

static int wait_for(int fd, short events, int64_t until_ms)
{
    struct pollfd item = {.fd = fd, .events = events};
    int64_t left = until_ms - now_ms();
    int n;
    do
        n = poll(&item, 1, left > 0 ? (int)(left < 3600000 ? left : 3600000) : 0);
    while (n < 0 && errno == EINTR);
    return n == 0 ? BS_ETIMEOUT : n < 0 ? BS_EIO : 0;
}

static int take_idle(struct ht_client *client, const char *url)
{
    int fd = -1;
    pthread_mutex_lock(&client->lock);
    for (unsigned i = client->count; i-- > 0 && fd < 0;) {
        if (strcmp(client->idle[i].url, url) != 0)
            continue;
        fd = client->idle[i].fd;
        client->idle[i] = client->idle[--client->count];
        if (wait_for(fd, POLLIN, 0) == 0) { /* its end, or nothing that belongs to us */
            close(fd);
            fd = -1;
        }
    }
    pthread_mutex_unlock(&client->lock);
    return fd;
}

static void give_idle(struct ht_client *client, const char *url, int fd)
{
    pthread_mutex_lock(&client->lock);
    if (client->count < client->max && strlen(url) < sizeof client->idle->url) {
        struct idle *idle = &client->idle[client->count++];
        snprintf(idle->url, sizeof idle->url, "%s", url);
        idle->fd = fd;
        fd = -1;
    }
    pthread_mutex_unlock(&client->lock);
    if (fd >= 0)
        close(fd);
}

static int connect_one(const struct addrinfo *address, int64_t until_ms, int *ret_fd)
{
    int fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    address->ai_protocol);
    int one = 1, error = 0;
    socklen_t len = sizeof error;
    if (fd < 0)
        return errno;
    if (connect(fd, address->ai_addr, address->ai_addrlen) < 0)
        error = errno;
    if (error == EINPROGRESS)
        error = wait_for(fd, POLLOUT, until_ms) < 0                      ? ETIMEDOUT
                : getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? errno
                                                                         : error;
    if (error) {
        close(fd);
        return error;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    *ret_fd = fd;
    return 0;
}

/* ret_error: the errno value of the last address tried, or 0 where it is not one. */
static int open_connection(const char *url, int64_t until_ms, int *ret_fd, int *ret_error,
                           struct bs_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    char host[256], service[16];
    int port, rc;
    *ret_error = 0;
    if (strncmp(url, "http://", 7) != 0)
        return bs_error_set(err, BS_EUNSUPPORTED, "%s: only http:// is asked", url);
    if ((rc = ht_split_host_port(url + 7, host, sizeof host, &port, err)) < 0)
        return rc;
    snprintf(service, sizeof service, "%d", port);
    rc = getaddrinfo(host, service, &hints, &list);
    if (rc != 0)
        return bs_error_set(err, BS_ECONNECT, "%s: %s", url, gai_strerror(rc));
    *ret_error = ENOENT;
    for (const struct addrinfo *at = list; at && *ret_error; at = at->ai_next)
        *ret_error = connect_one(at, until_ms, ret_fd);
    freeaddrinfo(list);
    if (*ret_error)
        return bs_error_set(err, *ret_error == ETIMEDOUT ? BS_ETIMEOUT : BS_ECONNECT, "%s: %s", url,
                            strerror(*ret_error));
    return 0;
}

bool ht_client_refused(const char *url, int64_t timeout_ms)
{
    int fd = -1, error;
    if (open_connection(url, now_ms() + timeout_ms, &fd, &error, NULL) == 0)
        close(fd);
    return error == ECONNREFUSED;
}

/* ---- one exchange ---- */

static int send_all(int fd, const uint8_t *data, size_t len, int64_t until_ms, struct bs_error *err)
{
    while (len) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            int rc = wait_for(fd, POLLOUT, until_ms);
            if (rc < 0)
                return bs_error_set(err, rc, "sending the request: %s", bs_strerror(rc));
            continue;
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return bs_error_set(err, BS_ECONNECT, "sending the request: %s", strerror(errno));
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Waits for more of the answer, for as long as the caller wants it. */
static int await_answer(int fd, const struct ht_exchange *x, int64_t until_ms)
{
    for (;;) {
        int64_t step_ms = x->give_up ? now_ms() + ASK_MS : until_ms;
        int rc = wait_for(fd, POLLIN, step_ms < until_ms ? step_ms : until_ms);
        if (rc != BS_ETIMEOUT || now_ms() >= until_ms)
            return rc;
        if (x->give_up(x->give_up_ctx))
            return BS_ECANCELLED;
    }
}

/* More of the answer; 1: the server has closed the connection. */
static int receive(int fd, struct bs_buf *in, const struct ht_exchange *x, int64_t until_ms,
                   struct bs_error *err)
{
    for (;;) {
        uint8_t piece[CHUNK];
        ssize_t n = recv(fd, piece, sizeof piece, 0);
        if (n > 0) {
            bs_buf_put(in, piece, (size_t)n);
            return 0;
        }
        if (n == 0)
            return 1;
        if (errno == EAGAIN) {
            int rc = await_answer(fd, x, until_ms);
            if (rc < 0)
                return bs_error_set(err, rc, "waiting for the answer: %s", bs_strerror(rc));
        } else if (errno != EINTR) {
            return bs_error_set(err, BS_ECONNECT, "reading the answer: %s", strerror(errno));
        }
    }
}

/* Value of a header within a head that ends with NUL; NULL: it is not there. */
static const char *head_value(const char *head, const char *name, size_t *ret_len)
{
    size_t len = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
            const char *value = line + len + 1;
            value += strspn(value, " \t");
            *ret_len = strcspn(value, "\r\n");
            return value;
        }
    }
    return NULL;
}

struct answer {
    struct bs_buf in;
    size_t head; /* bytes of it, with the empty line */
    size_t body_len;
    bool keep;
};

static int read_head(int fd, struct answer *answer, struct ht_exchange *x, size_t answer_max,
                     int64_t until_ms, struct bs_error *err)
{
    const char *text, *end = NULL, *value;
    char *digits_end;
    unsigned long long body = 0;
    size_t len;
    while ((end = answer->in.len ? strstr(bs_buf_text(&answer->in), "\r\n\r\n") : NULL) == NULL) {
        int rc = answer->in.len > HEAD_MAX ? BS_ELIMIT : receive(fd, &answer->in, x, until_ms, err);
        if (rc == BS_ELIMIT)
            return bs_error_set(err, BS_ELIMIT, "the answer's head is longer than %d", HEAD_MAX);
        if (rc == 1)
            return bs_error_set(err, BS_ECONNECT, "the connection was closed before the answer");
        if (rc < 0)
            return rc;
    }
    text = bs_buf_text(&answer->in);
    answer->head = (size_t)(end - text) + 4;
    answer->in.data[answer->head - 2] = '\0'; /* the head is a text of its own */
    if (strncmp(text, "HTTP/1.1 ", 9) != 0 || (x->status = (int)strtol(text + 9, NULL, 10)) < 100)
        return bs_error_set(err, BS_ESYNTAX, "the answer is not one of HTTP/1.1");
    value = head_value(text, "Content-Type", &len);
    snprintf(x->content_type, sizeof x->content_type, "%.*s", value ? (int)len : 0,
             value ? value : "");
    value = x->field_name ? head_value(text, x->field_name, &len) : NULL;
    snprintf(x->field, sizeof x->field, "%.*s", value ? (int)len : 0, value ? value : "");
    value = head_value(text, "Content-Length", &len);
    if (value)
        body = strtoull(value, &digits_end, 10);
    else if (x->status != 204 && x->status != 304)
        return bs_error_set(err, BS_ESYNTAX, "the answer has no Content-Length");
    if (body > answer_max)
        return bs_error_set(err, BS_ELIMIT, "the answer is longer than %zu bytes", answer_max);
    answer->body_len = (size_t)body;
    value = head_value(text, "Connection", &len);
    answer->keep = !(value && len == 5 && strncasecmp(value, "close", 5) == 0);
    return 0;
}

static void put_request(const struct ht_exchange *x, struct bs_buf *out)
{
    bs_buf_printf(out, "%s %s HTTP/1.1\r\nHost: %s\r\n", x->method, x->target, x->url + 7);
    for (const char *const *header = x->headers; header && *header; header++)
        bs_buf_printf(out, "%s\r\n", *header);
    if (x->body.len || strcmp(x->method, "GET") != 0)
        bs_buf_printf(out, "Content-Length: %zu\r\n", x->body.len);
    bs_buf_puts(out, "\r\n");
    bs_buf_put(out, x->body.ptr, x->body.len);
}

int ht_client_ask(struct ht_client *client, struct ht_exchange *x, struct bs_error *err)
{
    int64_t until_ms = now_ms() + x->timeout_ms;
    struct answer answer = {.in = BS_BUF_INIT};
    struct bs_buf request = BS_BUF_INIT;
    int fd = take_idle(client, x->url), error, rc = 0;
    x->sent = x->refused = false;
    x->status = 0;
    if (fd < 0 && (rc = open_connection(x->url, until_ms, &fd, &error, err)) < 0) {
        x->refused = error == ECONNREFUSED;
        goto done;
    }
    put_request(x, &request);
    x->sent = true;
    if ((rc = send_all(fd, request.data, request.len, until_ms, err)) < 0 ||
        (rc = read_head(fd, &answer, x, client->answer_max, until_ms, err)) < 0)
        goto done;
    while (answer.in.len - answer.head < answer.body_len && rc == 0)
        rc = receive(fd, &answer.in, x, until_ms, err);
    if (rc == 1)
        rc = bs_error_set(err, BS_ECONNECT, "the connection was closed within the answer");
    if (rc < 0)
        goto done;
    bs_buf_put(x->out, answer.in.data + answer.head, answer.body_len);
    if (answer.keep && answer.in.len == answer.head + answer.body_len) {
        give_idle(client, x->url, fd);
        fd = -1;
    }
done:
    if (fd >= 0)
        close(fd);
    bs_buf_deinit(&request);
    bs_buf_deinit(&answer.in);
    return rc;
}
