/* Notify: systemd's readiness protocol: one datagram to the socket named by $NOTIFY_SOCKET. Without
 * that variable nothing happens. */
#ifndef WEIR_CLI_NOTIFY_H
#define WEIR_CLI_NOTIFY_H

void cl_notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
