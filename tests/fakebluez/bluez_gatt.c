/* The two characteristics of MeshAccess: StartNotify, and the socket that AcquireWrite gives. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "fakebluez/bluez.h"

#define FAILED "org.bluez.Error.Failed"
#define NOT_PERMITTED "org.bluez.Error.NotPermitted"
#define NOT_SUPPORTED "org.bluez.Error.NotSupported"
#define REFUSED_MS 60 /* a request and its answer */
#define READ_MAX 512  /* bluetoothd reads no more of a datagram */

void bluez_close_socket(struct bluez_device *d)
{
	if (d->fd_event)
		event_free(d->fd_event);
	d->fd_event = NULL;
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}

void bluez_release(struct bluez_device *d)
{
	bluez_close_socket(d);
	d->write_dead = false;
	if (!d->acquired)
		return;
	d->acquired = false;
	bluez_char_changed(d, BLUEZ_RX, "WriteAcquired");
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
	ssize_t n = recv(d->fd, b, sizeof(b), MSG_DONTWAIT);

	if (n > 0) {
		write_out(d, b, (size_t)n);
		return true;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n == 0 && !is_hung_up(d->fd)) {
		d->write_dead = true; /* bluetoothd stops reading, silently */
		event_free(d->fd_event);
		d->fd_event = NULL;
		return false;
	}
	bluez_release(d);
	return false;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct bluez_device *d = arg;

	(void)fd;
	(void)what;
	drive_sync(d->bluez->drive);
	while (read_one(d))
		;
	drive_arm(d->bluez->drive);
}

/* --- AcquireWrite
 * -------------------------------------------------------------------------------------- */

static void give(struct bluez_device *d, DBusMessage *call)
{
	struct bluez *b = d->bluez;
	dbus_uint16_t mtu = BLUEZ_MTU;
	DBusMessage *reply;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) {
		bluez_error(b, call, FAILED, strerror(errno));
		return;
	}
	d->acquired = true;
	d->fd = pair[0];
	d->fd_event = event_new(b->base, pair[0], EV_READ | EV_PERSIST, on_readable, d);
	if (!d->fd_event)
		abort();
	(void)event_add(d->fd_event, NULL);
	bluez_char_changed(d, BLUEZ_RX, "WriteAcquired");
	reply = dbus_message_new_method_return(call);
	dbus_message_append_args(
		reply, DBUS_TYPE_UNIX_FD, &pair[1], DBUS_TYPE_UINT16, &mtu, DBUS_TYPE_INVALID);
	bluez_send(b, reply);
	close(pair[1]);
}

static void acquire_write(struct bluez_device *d, DBusMessage *call)
{
	if (d->state != BLUEZ_CONNECTED)
		bluez_error(d->bluez, call, FAILED, "Not connected");
	else if (d->acquired)
		bluez_error(d->bluez, call, NOT_PERMITTED, "Write acquired");
	else
		give(d, call);
}

/* --- StartNotify
 * -------------------------------------------------------------------------------------- */

void bluez_subscribe(struct bluez_device *d)
{
	if (d->notified[0] != '\0' && !d->notify && !bluez_is_bad(d, BAD_PEER_REFUSES))
		(void)!air_radio_subscribe(d->bluez->radio, d->link);
}

/* False: nobody is asked. */
static bool ask_node(struct bluez_device *d)
{
	if (!bluez_is_bad(d, BAD_PEER_REFUSES))
		return air_radio_subscribe(d->bluez->radio, d->link) == ERR_OK;
	log_info("fakebluez: refuses peer device=%s", d->text);
	bluez_arm(d, REFUSED_MS);
	return true;
}

/* Not connected it is "ok", and so it is for who has called it before. */
static void start_notify(struct bluez_device *d, DBusMessage *call)
{
	struct bluez *b = d->bluez;
	bool is_again = d->notified[0] != '\0';

	if (d->state == BLUEZ_DISCONNECTING) {
		bluez_error(b, call, "org.bluez.Error.NotConnected", "Not Connected");
		return;
	}
	snprintf(d->notified, sizeof(d->notified), "%s", dbus_message_get_sender(call));
	if (is_again || d->state != BLUEZ_CONNECTED || !ask_node(d))
		bluez_reply(b, call);
	else
		d->notify = dbus_message_ref(call); /* until the CCCD write is answered */
}

static void drop_notify(struct bluez_device *d)
{
	d->notified[0] = '\0';
	bluez_drop_call(&d->notify);
}

static void stop_notify(struct bluez_device *d, DBusMessage *call)
{
	if (strcmp(d->notified, dbus_message_get_sender(call)) != 0) {
		bluez_error(d->bluez, call, FAILED, "No notify session started");
		return;
	}
	drop_notify(d);
	bluez_char_changed(d, BLUEZ_TX, "Notifying");
	bluez_reply(d->bluez, call);
}

void bluez_forget_notified(struct bluez *b, const char *client)
{
	for (struct bluez_device *d = b->devices; d; d = d->next)
		if (strcmp(d->notified, client) == 0)
			drop_notify(d);
}

static void notified(struct bluez_device *d, struct span pdu)
{
	memcpy(d->value, pdu.p, pdu.n);
	d->value_bytes = pdu.n;
	bluez_char_changed(d, BLUEZ_TX, "Value");
}

void bluez_on_subscribed(void *ctx, uint16_t link)
{
	static const uint8_t early[PORT_PDU_MAX_BYTES] = {1, 2, 3};
	struct bluez_device *d = bluez_find_link(ctx, link);
	DBusMessage *call;

	if (!d || d->notified[0] == '\0')
		return;
	if (bluez_is_bad(d, BAD_PEER_EARLY)) {
		log_info("fakebluez: early peer device=%s", d->text);
		notified(d, (struct span){early, sizeof(early)});
	}
	call = d->notify;
	d->notify = NULL; /* it is subscribed from now on, and that is told first */
	bluez_char_changed(d, BLUEZ_TX, "Notifying");
	bluez_answer_call(ctx, &call);
}

void bluez_lose_notify(struct bluez_device *d)
{
	if (!d->notify)
		return;
	d->notified[0] = '\0';
	bluez_fail_call(d->bluez, &d->notify, "Operation failed with ATT error: 0x0e");
}

void bluez_on_notified(void *ctx, uint16_t link, struct span pdu)
{
	struct bluez_device *d = bluez_find_link(ctx, link);

	if (d && d->notified[0] != '\0' && pdu.n <= sizeof(d->value))
		notified(d, pdu);
}

/* --- calls
 * -------------------------------------------------------------------------------------- */

static void write_value(struct bluez_device *d, DBusMessage *call)
{
	struct bluez *b = d->bluez;
	DBusMessageIter it;
	struct span bytes;

	dbus_message_iter_init(call, &it);
	if (dbus_value_bytes(&it, &bytes) != ERR_OK) {
		bluez_error(b, call, "org.bluez.Error.InvalidArguments",
			"Invalid arguments in method call");
	} else if (d->acquired) {
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
	static const struct {
		const char *member;
		enum bluez_char c;
		void (*fn)(struct bluez_device *d, DBusMessage *call);
	} rows[] = {
		{"AcquireWrite", BLUEZ_RX, acquire_write},
		{"WriteValue", BLUEZ_RX, write_value},
		{"StartNotify", BLUEZ_TX, start_notify},
		{"StopNotify", BLUEZ_TX, stop_notify},
	};
	const char *member = dbus_message_get_member(call);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(member, rows[i].member) != 0)
			continue;
		if (rows[i].c == c)
			rows[i].fn(d, call);
		else
			bluez_error(d->bluez, call, NOT_SUPPORTED, "Operation is not supported");
		return true;
	}
	return false;
}
