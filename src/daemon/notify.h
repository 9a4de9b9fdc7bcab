/*
 * The service manager's side protocols (sd_notify(3), sd_listen_fds(3)), which are stable and need
 * no library: readiness and watchdog are datagrams to $NOTIFY_SOCKET, a passed socket is file
 * descriptor 3.
 */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <stdint.h>

/* Sends "READY=1", "STATUS=…", which must arrive: waits for a manager that is slow to read. Nothing
 * when no manager listens. */
void notify_send(const char *text);

/* "WATCHDOG=1", "STOPPING=1": dropped when the manager's queue is full, nobody else shall wait. */
void notify_try(const char *text);

/* Half of the watchdog's limit in milliseconds, or 0 when there is none for this process. */
uint32_t notify_watchdog_ms(void);

/* The one listening Unix stream socket that the manager passed, close-on-exec, or -1. */
int notify_listen_fd(void);

#endif
