/* The two characteristics of MeshAccess, and the sockets that AcquireNotify and AcquireWrite give.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fakebluez/bluez.h"

#define FAILED "org.bluez.Error.Failed"
#define NOT_PERMITTED "org.bluez.Error.NotPermitted"
#define NOT_SUPPORTED "org.bluez.Error.NotSupported"
#define READ_MAX 512 /* bluetoothd reads no more of a datagram */

static void close_socket(struct bluez_device *d, enum bluez_char c)
{
	if (d->fd_event[c])
		event_free(d->fd_event[c]);
	d->fd_event[c] = NULL;
	if (d->fd[c] >= 0)
		close(d->fd[c]);
	d->fd[c] = -1;
}

void bluez_close_sockets(struct bluez_device *d)
{
	close_socket(d, BLUEZ_RX);
	close_socket(d, BLUEZ_TX);
}

static void release(struct bluez_device *d, enum bluez_char c)
{
	close_socket(d, c);
	if (!d->acquired[c])
		return;
	d->acquired[c] = false;
	bluez_char_changed(d, c, c == BLUEZ_RX ? "WriteAcquired" : "NotifyAcquired");
}

void bluez_release(struct bluez_device *d)
{
	release(d, BLUEZ_TX);
	release(d, BLUEZ_RX);
	d->write_dead = false;
}

/* --- from the client ----------------------------------------------------------------------------
 */

static bool is_hung_up(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

/* What does not fit an attribute of 20 bytes the node drops; what does not fit the MTU vanishes in
 * bluetoothd. Nobody is told. */
static void write_out(struct bluez_device *d, const uint8_t *bytes, size_t n)
{
	if (d->state == BLUEZ_CONNECTED && n <= PORT_PDU_MAX_BYTES)
		(void)!air_radio_write(d->bluez->radio, d->link, bytes, n);
}

/* True: there was a datagram, look for more. */
static bool read_one(struct bluez_device *d)
{
	uint8_t b[READ_MAX];
	ssize_t n = recv(d->fd[BLUEZ_RX], b, sizeof(b), MSG_DONTWAIT);

	if (n > 0) {
		write_out(d, b, (size_t)n);
		return true;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n == 0 && !is_hung_up(d->fd[BLUEZ_RX])) {
		d->write_dead = true; /* bluetoothd stops reading, silently */
		event_free(d->fd_event[BLUEZ_RX]);
		d->fd_event[BLUEZ_RX] = NULL;
		return false;
	}
	release(d, BLUEZ_RX);
	return false;
}

/* What a client writes to the socket of notifications nobody reads. */
static void drain(int fd)
{
	uint8_t b[READ_MAX];

	while (recv(fd, b, sizeof(b), MSG_DONTWAIT) > 0)
		;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct bluez_device *d = arg;

	(void)what;
	drive_sync(d->bluez->drive);
	if (fd == d->fd[BLUEZ_RX])
		while (read_one(d))
			;
	else if (fd == d->fd[BLUEZ_TX] && is_hung_up(fd))
		release(d, BLUEZ_TX);
	else
		drain(fd);
	drive_arm(d->bluez->drive);
}

/* --- acquiring
 * -------------------------------------------------------------------------------------- */

static void give(struct bluez_device *d, enum bluez_char c, DBusMessage *call)
{
	struct bluez *b = d->bluez;
	dbus_uint16_t mtu = BLUEZ_MTU;
	DBusMessage *reply;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) {
		d->acquired[c] = false;
		bluez_error(b, call, FAILED, strerror(errno));
		return;
	}
	d->acquired[c] = true;
	d->fd[c] = pair[0];
	d->fd_event[c] = event_new(b->base, pair[0], EV_READ | EV_PERSIST, on_readable, d);
	if (!d->fd_event[c])
		abort();
	(void)event_add(d->fd_event[c], NULL);
	bluez_char_changed(d, c, c == BLUEZ_RX ? "WriteAcquired" : "NotifyAcquired");
	reply = dbus_message_new_method_return(call);
	dbus_message_append_args(
		reply, DBUS_TYPE_UNIX_FD, &pair[1], DBUS_TYPE_UINT16, &mtu, DBUS_TYPE_INVALID);
	bluez_send(b, reply);
	close(pair[1]);
}

static void acquire(struct bluez_device *d, enum bluez_char c, DBusMessage *call)
{
	struct bluez *b = d->bluez;

	if (d->state != BLUEZ_CONNECTED) {
		bluez_error(b, call, FAILED, "Not connected");
	} else if (d->acquired[c] || (c == BLUEZ_TX && (d->notify || d->stuck))) {
		bluez_error(b, call, NOT_PERMITTED,
			c == BLUEZ_RX ? "Write acquired" : "Notify acquired");
	} else if (c == BLUEZ_RX) {
		give(d, c, call);
	} else if (air_radio_subscribe(b->radio, d->link) != ERR_OK) {
		bluez_error(b, call, FAILED, "Not connected");
	} else {
		d->notify = dbus_message_ref(call); /* until the CCCD write is answered */
	}
}

void bluez_on_subscribed(void *ctx, uint16_t link)
{
	struct bluez_device *d = bluez_find_link(ctx, link);
	DBusMessage *call = d ? d->notify : NULL;

	if (!call)
		return;
	d->notify = NULL;
	give(d, BLUEZ_TX, call);
	dbus_message_unref(call);
}

/* 5.66 forgets the call, but not that the characteristic is acquired: NotPermitted from then on,
 * and when the device is removed it uses what it has freed already. */
void bluez_lose_notify(struct bluez_device *d)
{
	if (!d->notify)
		return;
	dbus_message_unref(d->notify);
	d->notify = NULL;
	d->stuck = true;
}

void bluez_on_notified(void *ctx, uint16_t link, struct span pdu)
{
	struct bluez_device *d = bluez_find_link(ctx, link);

	/* A reader that is too slow loses some: "Resource temporarily unavailable". */
	if (d && d->fd[BLUEZ_TX] >= 0)
		(void)!send(d->fd[BLUEZ_TX], pdu.p, pdu.n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void write_value(struct bluez_device *d, DBusMessage *call)
{
	struct bluez *b = d->bluez;
	DBusMessageIter it;
	struct span bytes;

	dbus_message_iter_init(call, &it);
	if (dbus_value_bytes(&it, &bytes) != ERR_OK) {
		bluez_error(b, call, "org.bluez.Error.InvalidArguments",
			"Invalid arguments in method call");
	} else if (d->acquired[BLUEZ_RX]) {
		bluez_error(b, call, NOT_PERMITTED, "Write acquired");
	} else if (d->state != BLUEZ_CONNECTED) {
		bluez_error(b, call, FAILED, "Not connected");
	} else {
		if (bytes.n > 0)
			write_out(d, bytes.p, bytes.n);
		bluez_reply(b, call);
	}
}

bool bluez_on_char_call(struct bluez_device *d, enum bluez_char c, DBusMessage *call)
{
	const char *member = dbus_message_get_member(call);
	struct bluez *b = d->bluez;

	if (strcmp(member, "AcquireWrite") == 0 && c == BLUEZ_RX)
		acquire(d, c, call);
	else if (strcmp(member, "AcquireNotify") == 0 && c == BLUEZ_TX)
		acquire(d, c, call);
	else if (strcmp(member, "WriteValue") == 0 && c == BLUEZ_RX)
		write_value(d, call);
	else if (strcmp(member, "AcquireWrite") == 0 || strcmp(member, "AcquireNotify") == 0 ||
		 strcmp(member, "WriteValue") == 0 || strcmp(member, "ReadValue") == 0 ||
		 strcmp(member, "StartNotify") == 0)
		bluez_error(b, call, NOT_SUPPORTED, "Operation is not supported");
	else
		return false;
	return true;
}
