/* Notify: see sd_notify(3). Any failure is silent by the protocol's rules: a service runs the same
 * without a manager. */
#include "cli/notify.h"

#include "lib/base/buf.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void cl_notify(const char *fmt, ...)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    struct bs_buf text = BS_BUF_INIT;
    socklen_t len;
    va_list ap;
    int fd;
    if (path == NULL || (*path != '/' && *path != '@') || strlen(path) >= sizeof to.sun_path)
        return;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    memcpy(to.sun_path, path, strlen(path));
    if (*path == '@')
        to.sun_path[0] = '\0'; /* Linux' abstract name space */
    len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    va_start(ap, fmt);
    bs_buf_vprintf(&text, fmt, ap);
    va_end(ap);
    (void)sendto(fd, text.data, text.len, MSG_NOSIGNAL, (struct sockaddr *)&to, len);
    bs_buf_deinit(&text);
    close(fd);
}
