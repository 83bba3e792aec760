/* Listen: "host:port" → a listening socket. The first address of the host that can be bound is
 * taken; an empty host means every address. */
#include "lib/http/http.h"
#include "lib/http/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int bad_host_port(const char *text, struct bs_error *err)
{
    return bs_error_set(err, BS_EINVAL,
                        "\"%s\" is not host:port; accepted are name:8080, 127.0.0.1:8080, "
                        "[::1]:8080 and :8080 (every address), ports 0 to 65535",
                        text ? text : "");
}

int ht_split_host_port(const char *text, char *host, size_t host_cap, int *ret_port,
                       struct bs_error *err)
{
    const char *colon = text ? strrchr(text, ':') : NULL, *from = text;
    size_t len;
    long port = 0;
    if (colon == NULL || colon[1] == '\0')
        return bad_host_port(text, err);
    len = (size_t)(colon - text);
    if (text[0] == '[') {
        if (len < 3 || text[len - 1] != ']')
            return bad_host_port(text, err);
        from++;
        len -= 2;
    } else if (memchr(text, ':', len)) {
        return bad_host_port(text, err);
    }
    for (const char *p = colon + 1; *p; p++) {
        if (*p < '0' || *p > '9' || (port = port * 10 + (*p - '0')) > 65535)
            return bad_host_port(text, err);
    }
    if (len >= host_cap)
        return bad_host_port(text, err);
    memcpy(host, from, len);
    host[len] = '\0';
    *ret_port = (int)port;
    return 0;
}

static int bind_one(const struct addrinfo *address)
{
    int on = 1, saved;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, 1024) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static int port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &len) < 0)
        return -1;
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

int ht_listen_open(const char *host_port, int *ret_fd, int *ret_port, struct bs_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char host[256], service[8];
    int port, fd = -1, rc = ht_split_host_port(host_port, host, sizeof host, &port, err);
    if (rc < 0)
        return rc;
    snprintf(service, sizeof service, "%d", port);
    rc = getaddrinfo(host[0] ? host : NULL, service, &hints, &list);
    if (rc != 0)
        return bs_error_set(err, BS_ENOTFOUND, "cannot listen on %s: host \"%s\": %s", host_port,
                            host, gai_strerror(rc));
    errno = EADDRNOTAVAIL;
    for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next)
        fd = bind_one(a);
    freeaddrinfo(list);
    if (fd < 0)
        return bs_error_sys(err, errno, "cannot listen on %s", host_port);
    *ret_port = port_of(fd);
    *ret_fd = fd;
    return 0;
}
