/*
 * The socket that a connection is written to (bluez.md, "AcquireWrite, AcquireNotify"): SEQPACKET,
 * one datagram one PDU. Never writes an empty datagram (that kills the socket silently), and takes
 * end of file as a sign of the link's end.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mesh/link_bluez_room.h"

static enum err make_safe(int fd)
{
	int type = 0;
	socklen_t n = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) != 0 || type != SOCK_SEQPACKET)
		return ERR_INVALID;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		return ERR_IO;
	return ERR_OK;
}

static struct event *watch(
	struct bz_conn *c, int fd, short what, void (*fn)(evutil_socket_t, short, void *))
{
	struct event *ev = event_new(c->bz->base, fd, what, fn, c);

	if (ev && (what & EV_PERSIST))
		(void)event_add(ev, NULL);
	return ev;
}

/* Nothing ever arrives on the write socket but its end. */
static void on_hangup(evutil_socket_t fd, short what, void *arg)
{
	struct bz_conn *c = arg;
	uint8_t byte;
	ssize_t n = recv(fd, &byte, sizeof(byte), MSG_DONTWAIT);

	(void)what;
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	(void)event_del(c->hangup_ev);
	bz_conn_hung_up(c);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct bz_conn *c = arg;

	(void)fd;
	(void)what;
	if (c->state == BZ_CONN_READY)
		c->bz->events->writable(c->bz->arg, c->id);
}

enum err bz_io_set_write(struct bz_conn *c, int fd)
{
	enum err e = make_safe(fd);

	c->write_fd = fd;
	if (e != ERR_OK)
		return e;
	c->hangup_ev = watch(c, fd, EV_READ | EV_PERSIST, on_hangup);
	c->write_ev = watch(c, fd, EV_WRITE, on_writable);
	return c->hangup_ev && c->write_ev ? ERR_OK : ERR_NOMEM;
}

enum err bz_io_write(struct bz_conn *c, struct span pdu)
{
	ssize_t n;

	if (pdu.n == 0 || pdu.n > LINK_PDU_MAX)
		return ERR_RANGE;
	do {
		n = send(c->write_fd, pdu.p, pdu.n, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n == (ssize_t)pdu.n)
		return ERR_OK;
	if (n < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
		(void)event_add(c->write_ev, NULL);
		return ERR_BUSY;
	}
	return ERR_STATE;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static void free_event(struct event **ev)
{
	if (*ev)
		event_free(*ev);
	*ev = NULL;
}

void bz_io_close(struct bz_conn *c)
{
	free_event(&c->hangup_ev);
	free_event(&c->write_ev);
	close_fd(&c->write_fd);
}
