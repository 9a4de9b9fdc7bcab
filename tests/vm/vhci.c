#include "vm/vhci.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "vm/hci.h"

struct vhci {
	int fd;
	struct event *readable;
	const struct vhci_events *events;
	void *arg;
};

/* The kernel's answer to the making of the controller: type, what was asked, index. */
static void take_vendor(struct vhci *v, const uint8_t *p, size_t n)
{
	struct rd r = rd_init(p, n);
	unsigned index;

	(void)rd_u16(&r);
	index = rd_u16(&r);
	if (rd_end(&r) == ERR_OK)
		v->events->on_ready(v->arg, index);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct vhci *v = arg;
	uint8_t b[HCI_PACKET_MAX];
	ssize_t n = read(fd, b, sizeof(b));

	(void)what;
	if (n > 0 && b[0] == HCI_VENDOR)
		take_vendor(v, b, (size_t)n);
	else if (n > 0)
		v->events->on_packet(v->arg, b, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		(void)event_del(v->readable);
}

static enum err create(struct vhci *v, struct event_base *base)
{
	static const uint8_t primary[2] = {HCI_VENDOR, 0};

	v->fd = open("/dev/vhci", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (v->fd < 0 || write(v->fd, primary, sizeof(primary)) != sizeof(primary))
		return ERR_IO;
	v->readable = event_new(base, v->fd, EV_READ | EV_PERSIST, on_readable, v);
	return v->readable && event_add(v->readable, NULL) == 0 ? ERR_OK : ERR_NOMEM;
}

enum err vhci_new(
	struct event_base *base, const struct vhci_events *events, void *arg, struct vhci **out)
{
	struct vhci *v = calloc(1, sizeof(*v));
	enum err e;

	if (!v)
		return ERR_NOMEM;
	v->events = events;
	v->arg = arg;
	e = create(v, base);
	if (e != ERR_OK) {
		vhci_free(v);
		return e;
	}
	*out = v;
	return ERR_OK;
}

void vhci_free(struct vhci *v)
{
	if (!v)
		return;
	if (v->readable)
		event_free(v->readable);
	if (v->fd >= 0)
		(void)close(v->fd);
	free(v);
}

void vhci_send(struct vhci *v, const void *p, size_t n)
{
	if (write(v->fd, p, n) != (ssize_t)n)
		fprintf(stderr, "vhci: write: %s\n", strerror(errno));
}
