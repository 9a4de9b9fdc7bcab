/* Makes or takes the listening socket, accepts, sweeps, tells watchers. */
#include "control/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/control_conn.h"
#include "control/peer.h"

#define ACCEPTS_A_TURN 64
#define RESERVED_FDS 64 /* for the database, the radio, CoAP */

/* --- the listening socket ---------------------------------------------------------------- */

/* A socket file that nobody answers at is a dead daemon's: it is removed. */
static enum err clear_path(const struct sockaddr_un *a)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int failed;

	if (fd < 0)
		return ERR_IO;
	failed = connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0 ? 0 : errno;
	(void)close(fd);
	if (failed == 0 || failed == EAGAIN) {
		log_err("control: another daemon answers path=%s", a->sun_path);
		return ERR_CONFLICT;
	}
	if (failed == ECONNREFUSED)
		(void)unlink(a->sun_path);
	return ERR_OK;
}

static enum err bind_path(int fd, const struct sockaddr_un *a)
{
	mode_t old = umask(0177);
	int failed = bind(fd, (const struct sockaddr *)a, sizeof(*a));

	(void)umask(old);
	if (failed == 0 && listen(fd, 256) == 0 && chmod(a->sun_path, 0666) == 0)
		return ERR_OK;
	log_err("control: cannot listen path=%s error=\"%s\"", a->sun_path, strerror(errno));
	return ERR_IO;
}

static enum err listen_at(const char *path, int *out)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	enum err e;

	if (strlen(path) >= sizeof(a.sun_path)) {
		log_err("control: path too long path=%s", path);
		return ERR_IO;
	}
	memcpy(a.sun_path, path, strlen(path));
	e = clear_path(&a);
	if (e != ERR_OK)
		return e;
	*out = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return *out < 0 ? ERR_IO : bind_path(*out, &a);
}

/* What systemd hands us must be what we expect. */
static enum err take_fd(int fd)
{
	int listening = 0, domain = 0, flags = fcntl(fd, F_GETFL);
	socklen_t n = sizeof(listening), m = sizeof(domain);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &n) != 0 || !listening ||
		getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &m) != 0 || domain != AF_UNIX ||
		flags < 0) {
		log_err("control: descriptor is not a listening unix socket fd=%d", fd);
		return ERR_IO;
	}
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		return ERR_IO;
	return ERR_OK;
}

/* --- accepting --------------------------------------------------------------------------- */

/* Without a free descriptor the queue would wake us for ever: one client is let in and out. */
static void turn_away_one(struct control *c)
{
	int fd;

	if (!c->told_no_fds)
		log_warn("control: out of file descriptors");
	c->told_no_fds = true;
	if (c->spare_fd < 0)
		return;
	(void)close(c->spare_fd);
	fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		(void)close(fd);
	c->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void greet(struct control *c, int fd)
{
	struct caller who;

	if (peer_read(fd, &c->groups, &who) != ERR_OK) {
		(void)close(fd);
		return;
	}
	if (conn_new(c, fd, &who) != ERR_OK)
		log_debug("control: client turned away uid=%u connections=%u", who.uid, c->count);
}

static void on_acceptable(evutil_socket_t listen_fd, short what, void *arg)
{
	struct control *c = arg;

	(void)what;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			c->told_no_fds = false;
			greet(c, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE)
			turn_away_one(c);
		if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;

	(void)fd;
	(void)what;
	if (c->spare_fd < 0)
		c->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	conn_sweep(c, clock_boot_ms());
}

/* --- life -------------------------------------------------------------------------------- */

static uint32_t or_default(uint32_t v, uint32_t otherwise)
{
	return v > 0 ? v : otherwise;
}

static void fill_defaults(struct control_config *g)
{
	struct rlimit files;

	g->connections_max = or_default(g->connections_max, CONN_CONNECTIONS_MAX);
	g->connections_per_uid_max = or_default(g->connections_per_uid_max, CONN_PER_UID_MAX);
	g->idle_s = or_default(g->idle_s, CONN_IDLE_S);
	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY)
		return;
	if (files.rlim_cur < g->connections_max + RESERVED_FDS)
		g->connections_max = files.rlim_cur > 2 * RESERVED_FDS
					     ? (uint32_t)files.rlim_cur - RESERVED_FDS
					     : RESERVED_FDS / 2;
}

static enum err start(struct control *c)
{
	static const struct timeval second = {1, 0};
	enum err e;

	if (c->config.listen_fd >= 0) {
		c->listen_fd = c->config.listen_fd;
		e = take_fd(c->listen_fd);
	} else {
		e = listen_at(c->config.path, &c->listen_fd);
		c->own_path = e == ERR_OK;
	}
	if (e != ERR_OK)
		return e;
	c->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	c->accept_event =
		event_new(c->config.base, c->listen_fd, EV_READ | EV_PERSIST, on_acceptable, c);
	c->tick_event = event_new(c->config.base, -1, EV_PERSIST, on_tick, c);
	if (!c->accept_event || !c->tick_event)
		return ERR_NOMEM;
	if (event_add(c->accept_event, NULL) != 0 || event_add(c->tick_event, &second) != 0)
		return ERR_NOMEM;
	return ERR_OK;
}

enum err control_new(const struct control_config *config, struct control **out)
{
	struct control *c = calloc(1, sizeof(*c));
	enum err e;

	*out = NULL;
	if (!c)
		return ERR_NOMEM;
	varlink_init();
	c->config = *config;
	c->listen_fd = -1;
	c->spare_fd = -1;
	fill_defaults(&c->config);
	peer_groups_resolve(&c->groups);
	e = start(c);
	if (e != ERR_OK) {
		control_free(c);
		return e;
	}
	*out = c;
	return ERR_OK;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	conn_free_all(c);
	if (c->accept_event)
		event_free(c->accept_event);
	if (c->tick_event)
		event_free(c->tick_event);
	if (c->listen_fd >= 0)
		(void)close(c->listen_fd);
	if (c->spare_fd >= 0)
		(void)close(c->spare_fd);
	if (c->own_path)
		(void)unlink(c->config.path);
	free(c);
}

void control_push(struct control *c, const struct control_event *e)
{
	conn_push(c, e);
}
