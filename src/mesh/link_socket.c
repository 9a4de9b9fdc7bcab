#include "mesh/link_socket.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "mesh/link_dgram.h"
#include "mesh/timer.h"

#define RETRY_FIRST_MS 250
#define RETRY_LAST_MS 4000
/* Datagrams a turn, so that a flood of adverts leaves air for everybody else. */
#define RECEIVE_MAX 64

enum sock_state { SOCK_FREE, SOCK_CONNECTING, SOCK_READY, SOCK_CLOSING };

struct sock_conn {
	enum sock_state state;
	uint16_t id;
	struct link_addr addr;
	bool owes_hang_up; /* DISCONNECTED did not fit the socket yet */
};

struct sock {
	struct event_base *base;
	struct timers *timers;
	const struct link_events *events;
	void *arg;
	struct sockaddr_un path; /* sun_path empty: a pair's end, there is no second one */
	int fd;
	bool is_told; /* the owner knows that the radio is there */
	bool is_scanning;
	struct event *read_ev, *write_ev;
	struct timer timer; /* the next try to connect, or adapter(true) of a pair */
	unsigned retry_ms;
	uint16_t last_id;
	struct sock_conn conns[LINK_CONNECTIONS_MAX];
};

static struct sock_conn *conn_of(struct sock *s, uint16_t id)
{
	for (size_t i = 0; i < LINK_CONNECTIONS_MAX; i++) {
		if (s->conns[i].state != SOCK_FREE && s->conns[i].id == id)
			return &s->conns[i];
	}
	return NULL;
}

/* --- out ---------------------------------------------------------------------------------------
 */

static enum err send_dgram(struct sock *s, const struct link_dgram *d)
{
	uint8_t b[LINK_DGRAM_MAX];
	size_t n;
	ssize_t sent;
	enum err e = link_dgram_encode(d, b, &n);

	if (e != ERR_OK)
		return e;
	do {
		sent = send(s->fd, b, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	if (sent >= 0)
		return ERR_OK;
	if (errno == EAGAIN || errno == ENOBUFS) {
		(void)event_add(s->write_ev, NULL);
		return ERR_BUSY;
	}
	return ERR_STATE; /* end of file follows by the read side */
}

static void hang_up(struct sock *s, struct sock_conn *c)
{
	struct link_dgram d = {.type = LINK_DGRAM_DISCONNECTED, .link = c->id};

	c->owes_hang_up = send_dgram(s, &d) == ERR_BUSY;
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct sock *s = arg;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < LINK_CONNECTIONS_MAX; i++) {
		struct sock_conn *c = &s->conns[i];

		if (c->state == SOCK_CLOSING && c->owes_hang_up)
			hang_up(s, c);
		else if (c->state == SOCK_READY)
			s->events->writable(s->arg, c->id);
	}
}

/* --- the socket goes and comes -----------------------------------------------------------------
 */

static void close_socket(struct sock *s)
{
	if (s->read_ev)
		event_free(s->read_ev);
	if (s->write_ev)
		event_free(s->write_ev);
	s->read_ev = s->write_ev = NULL;
	if (s->fd >= 0)
		(void)close(s->fd);
	s->fd = -1;
}

static void tell_down(struct sock *s, struct sock_conn *c, enum link_down why)
{
	c->state = SOCK_FREE;
	s->events->down(s->arg, c->id, why);
}

static void retry_later(struct sock *s)
{
	if (s->path.sun_path[0] == '\0')
		return;
	timer_arm(s->timers, &s->timer, s->retry_ms);
	s->retry_ms = s->retry_ms * 2 < RETRY_LAST_MS ? s->retry_ms * 2 : RETRY_LAST_MS;
}

static void lose_socket(struct sock *s)
{
	bool was_told = s->is_told;

	close_socket(s);
	s->is_told = false;
	for (size_t i = 0; i < LINK_CONNECTIONS_MAX; i++) {
		if (s->conns[i].state != SOCK_FREE)
			tell_down(s, &s->conns[i], LINK_DOWN_ADAPTER);
	}
	if (was_told) {
		log_warn("link: radio socket lost");
		s->events->adapter(s->arg, false);
	}
	retry_later(s);
}

/* --- in ----------------------------------------------------------------------------------------
 */

static void on_advert(struct sock *s, const struct link_dgram *d)
{
	struct link_advert advert = {.addr = d->addr,
		.rssi_dbm = d->rssi_dbm,
		.connectable = d->connectable,
		.service_data = d->data};

	if (s->is_scanning)
		s->events->advert(s->arg, &advert);
}

static void on_connected(struct sock *s, struct sock_conn *c)
{
	if (c->state != SOCK_CONNECTING)
		return;
	c->state = SOCK_READY;
	s->events->ready(s->arg, c->id);
}

static void on_disconnected(struct sock *s, struct sock_conn *c, enum link_down reason)
{
	tell_down(s, c, c->state == SOCK_CLOSING ? LINK_DOWN_LOCAL : reason);
}

/* The same back when all that was due is done: the world may wait for us. An answer that does not
 * fit is no loss, time is told again. */
static void on_time(struct sock *s, const struct link_dgram *d)
{
	if (s->events->time)
		s->events->time(s->arg, d->now_ms);
	if (s->fd >= 0 && send_dgram(s, d) != ERR_OK)
		log_debug("link: time not answered");
}

static void on_dgram(struct sock *s, const struct link_dgram *d)
{
	struct sock_conn *c = conn_of(s, d->link);

	switch (d->type) {
	case LINK_DGRAM_ADVERT:
		on_advert(s, d);
		break;
	case LINK_DGRAM_CONNECTED:
		if (c)
			on_connected(s, c);
		break;
	case LINK_DGRAM_NOTIFY:
		if (c && c->state == SOCK_READY)
			s->events->notify(s->arg, c->id, d->data);
		break;
	case LINK_DGRAM_DISCONNECTED:
		if (c)
			on_disconnected(s, c, d->reason);
		break;
	case LINK_DGRAM_TIME:
		on_time(s, d);
		break;
	case LINK_DGRAM_CONNECT:
	case LINK_DGRAM_WRITE:
		log_debug("link: order from the radio type=%d", (int)d->type);
		break;
	}
}

/* One byte more than the longest, so that a longer one is seen to be too long. */
static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct sock *s = arg;
	uint8_t b[LINK_DGRAM_MAX + 1];
	struct link_dgram d;

	(void)what;
	for (int i = 0; i < RECEIVE_MAX && s->fd == fd; i++) {
		ssize_t n = recv(fd, b, sizeof(b), MSG_DONTWAIT);
		enum err e;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			lose_socket(s);
			return;
		}
		e = link_dgram_decode(b, (size_t)n, &d);
		if (e == ERR_OK)
			on_dgram(s, &d);
		else
			log_debug("link: datagram refused error=%s", err_text(e));
	}
}

static bool watch(struct sock *s)
{
	s->read_ev = event_new(s->base, s->fd, EV_READ | EV_PERSIST, on_readable, s);
	s->write_ev = event_new(s->base, s->fd, EV_WRITE, on_writable, s);
	return s->read_ev && s->write_ev && event_add(s->read_ev, NULL) == 0;
}

static bool connect_path(struct sock *s)
{
	s->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return s->fd >= 0 &&
	       connect(s->fd, (const struct sockaddr *)&s->path, sizeof(s->path)) == 0 && watch(s);
}

static void on_timer(void *arg)
{
	struct sock *s = arg;

	if (s->fd < 0 && !connect_path(s)) {
		close_socket(s);
		retry_later(s);
		return;
	}
	s->retry_ms = RETRY_FIRST_MS;
	s->is_told = true;
	log_info("link: radio socket connected");
	s->events->adapter(s->arg, true);
}

/* --- ops ---------------------------------------------------------------------------------------
 */

static void op_scan(void *impl, bool on)
{
	struct sock *s = impl;

	s->is_scanning = on;
}

static enum err find_slot(struct sock *s, const struct link_addr *addr, struct sock_conn **out)
{
	*out = NULL;
	for (size_t i = 0; i < LINK_CONNECTIONS_MAX; i++) {
		struct sock_conn *c = &s->conns[i];

		if (c->state == SOCK_FREE)
			*out = c;
		else if (link_addr_equal(&c->addr, addr))
			return ERR_CONFLICT;
	}
	return *out ? ERR_OK : ERR_FULL;
}

static enum err op_connect(void *impl, const struct link_addr *addr, uint16_t *conn)
{
	struct sock *s = impl;
	struct link_dgram d = {.type = LINK_DGRAM_CONNECT, .addr = *addr};
	struct sock_conn *c;
	enum err e = s->is_told ? find_slot(s, addr, &c) : ERR_STATE;

	if (e != ERR_OK)
		return e;
	do {
		s->last_id++;
	} while (s->last_id == 0 || conn_of(s, s->last_id));
	d.link = s->last_id;
	e = send_dgram(s, &d);
	if (e != ERR_OK)
		return e == ERR_BUSY ? ERR_FULL : e;
	*c = (struct sock_conn){.state = SOCK_CONNECTING, .id = d.link, .addr = *addr};
	*conn = c->id;
	return ERR_OK;
}

static enum err op_write(void *impl, uint16_t conn, struct span pdu)
{
	struct sock *s = impl;
	struct sock_conn *c = conn_of(s, conn);
	struct link_dgram d = {.type = LINK_DGRAM_WRITE, .link = conn, .data = pdu};

	return c && c->state == SOCK_READY ? send_dgram(s, &d) : ERR_STATE;
}

static void op_disconnect(void *impl, uint16_t conn)
{
	struct sock *s = impl;
	struct sock_conn *c = conn_of(s, conn);

	if (!c || c->state == SOCK_CLOSING)
		return;
	c->state = SOCK_CLOSING;
	hang_up(s, c);
}

static void op_free(void *impl)
{
	struct sock *s = impl;

	close_socket(s);
	timer_cancel(s->timers, &s->timer);
	free(s);
}

static const struct link_ops ops = {.scan = op_scan,
	.connect = op_connect,
	.write = op_write,
	.disconnect = op_disconnect,
	.free = op_free};

static struct sock *sock_new(
	struct event_base *base, struct timers *timers, const struct link_events *events, void *arg)
{
	struct sock *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->base = base;
	s->timers = timers;
	s->events = events;
	s->arg = arg;
	s->fd = -1;
	s->retry_ms = RETRY_FIRST_MS;
	s->path.sun_family = AF_UNIX;
	timer_init(&s->timer, on_timer, s);
	return s;
}

enum err link_socket_new(struct event_base *base, struct timers *timers, const char *path,
	const struct link_events *events, void *arg, struct link *out)
{
	struct sock *s;
	size_t n = strlen(path);

	if (n == 0 || n >= sizeof(s->path.sun_path))
		return ERR_RANGE;
	s = sock_new(base, timers, events, arg);
	if (!s)
		return ERR_NOMEM;
	memcpy(s->path.sun_path, path, n + 1);
	timer_arm(timers, &s->timer, 0);
	*out = (struct link){&ops, s};
	return ERR_OK;
}

enum err link_socket_new_fd(struct event_base *base, struct timers *timers, int fd,
	const struct link_events *events, void *arg, struct link *out)
{
	struct sock *s = sock_new(base, timers, events, arg);

	if (!s) {
		(void)close(fd);
		return ERR_NOMEM;
	}
	s->fd = fd;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 ||
		!watch(s)) {
		op_free(s);
		return ERR_IO;
	}
	timer_arm(timers, &s->timer, 0);
	*out = (struct link){&ops, s};
	return ERR_OK;
}
