/* Datagrams to the service manager; the socket it hands over. */
#include "daemon/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

#define FIRST_PASSED_FD 3

static void send_text(const char *text, int flags)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	size_t n = path ? strlen(path) : 0;
	int fd;

	if (n == 0 || n >= sizeof(a.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(a.sun_path, path, n);
	if (path[0] == '@')
		a.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL | flags, (struct sockaddr *)&a,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		log_warn("notify: the service manager does not %s",
			errno == EAGAIN ? "read" : "listen");
	(void)close(fd);
}

void notify_send(const char *text)
{
	send_text(text, 0);
}

void notify_try(const char *text)
{
	send_text(text, MSG_DONTWAIT);
}

static unsigned long long env_number(const char *name)
{
	const char *s = getenv(name);

	return s && *s >= '0' && *s <= '9' ? strtoull(s, NULL, 10) : 0;
}

static int meant_for_us(const char *pid_variable)
{
	const char *s = getenv(pid_variable);

	return !s || env_number(pid_variable) == (unsigned long long)getpid();
}

uint32_t notify_watchdog_ms(void)
{
	unsigned long long us = env_number("WATCHDOG_USEC");

	if (us == 0 || !meant_for_us("WATCHDOG_PID"))
		return 0;
	return us / 2000 > UINT32_MAX ? UINT32_MAX : (uint32_t)(us / 2000);
}

int notify_listen_fd(void)
{
	int type = 0;
	socklen_t n = sizeof(type);

	if (!getenv("LISTEN_PID") || !meant_for_us("LISTEN_PID") || env_number("LISTEN_FDS") != 1)
		return -1;
	if (getsockopt(FIRST_PASSED_FD, SOL_SOCKET, SO_TYPE, &type, &n) != 0 || type != SOCK_STREAM)
		return -1;
	(void)fcntl(FIRST_PASSED_FD, F_SETFD, FD_CLOEXEC);
	return FIRST_PASSED_FD;
}
