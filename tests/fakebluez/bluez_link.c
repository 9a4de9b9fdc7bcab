/* Links to devices: asked for, made, resolved, lost, each with the signals that tell of it. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "fakebluez/bluez.h"

#define RESOLVE_FIRST_MS 150
#define RESOLVE_AGAIN_MS 30
#define LATE_MS 600 /* seen: 0.2 to 1.1 s with eight devices at once */
#define GONE_MS 40  /* HUP, then Connected=false */
#define DISCONNECT_MS 2000
#define CONNECT_MS 40000 /* the kernel's limit, from the call */

#define FAILED "org.bluez.Error.Failed"
#define DOES_NOT_EXIST "org.bluez.Error.DoesNotExist"

/* --- connecting
 * ------------------------------------------------------------------------------------ */

void bluez_arm(struct bluez_device *d, uint64_t virtual_ms)
{
	struct timeval tv = drive_delay(d->bluez->drive, virtual_ms);

	(void)event_add(d->timer, &tv);
}

/* While it discovers, the kernel begins a link when a report of the peer arrives, so Connect waits
 * for the next scan if the peer was heard in this one, or for the end of the discovery. */
static bool is_held(const struct bluez_device *d)
{
	return d->state == BLUEZ_CONNECTING && d->link == 0;
}

static void connect_failed(struct bluez_device *d, enum err why)
{
	struct bluez *b = d->bluez;

	(void)event_del(d->timer);
	d->state = BLUEZ_IDLE;
	bluez_fail_call(b, &d->connect,
		why == ERR_CLOSED ? "br-connection-canceled" : "le-connection-abort-by-local");
	if (why != ERR_CLOSED)
		bluez_forget(d, true); /* a temporary device goes with the attempt */
}

/* The machine's timers may be early by the air's clock. */
static void hold_connect(struct bluez_device *d)
{
	uint64_t now = air_now_ms(d->bluez->drive->air);

	if (now < d->connect_end_ms)
		bluez_arm(d, d->connect_end_ms - now);
	else
		connect_failed(d, ERR_TIMEOUT);
}

void bluez_begin_link(struct bluez_device *d)
{
	struct bluez *b = d->bluez;
	uint64_t now = air_now_ms(b->drive->air);

	if (!is_held(d) || now >= d->connect_end_ms)
		return; /* too late: the timer says so */
	if (bluez_is_bad(d, BAD_PEER_SILENT)) {
		log_info("fakebluez: silent peer device=%s", d->text);
		hold_connect(d);
		return;
	}
	(void)event_del(d->timer);
	if (air_radio_connect(
		    b->radio, d->address, (uint32_t)(d->connect_end_ms - now), &d->link) != ERR_OK)
		abort();
}

/* Also while the link is going: until Connected is false it is there. */
static void on_connect(struct bluez_device *d, DBusMessage *call)
{
	struct bluez *b = d->bluez;

	if (d->state == BLUEZ_CONNECTED || d->state == BLUEZ_DISCONNECTING) {
		log_info("fakebluez: Connect to what is connected device=%s", d->text);
		bluez_reply(b, call);
	} else if (d->state != BLUEZ_IDLE || d->connect) {
		bluez_error(b, call, FAILED, "Operation already in progress");
	} else {
		d->state = BLUEZ_CONNECTING;
		d->is_disturbed = false;
		d->link = 0;
		d->connect = dbus_message_ref(call);
		d->connect_end_ms = air_now_ms(b->drive->air) + CONNECT_MS;
		if (b->discovering)
			hold_connect(d);
		else
			bluez_begin_link(d);
	}
}

static void cancel_connect(struct bluez_device *d)
{
	if (is_held(d))
		connect_failed(d, ERR_CLOSED);
	else
		air_radio_disconnect(d->bluez->radio, d->link);
}

/* Does another Connect wait? */
static bool is_busy(const struct bluez_device *d)
{
	for (const struct bluez_device *other = d->bluez->devices; other; other = other->next)
		if (other != d && other->connect)
			return true;
	return d->bluez->busy;
}

static void made(struct bluez_device *d)
{
	d->state = BLUEZ_CONNECTED;
	if (d->is_disturbed)
		log_warn("fakebluez: link cannot be ended device=%s", d->text);
	if (!is_busy(d))
		bluez_device_changed(d, "Connected");
	if (bluez_is_bad(d, BAD_PEER_BRIEF)) {
		log_info("fakebluez: brief peer device=%s", d->text);
		bluez_fail_call(d->bluez, &d->connect, "le-connection-abort-by-local");
		air_radio_disconnect(d->bluez->radio, d->link);
		return;
	}
	bluez_answer_call(d->bluez, &d->connect);
	if (bluez_is_bad(d, BAD_PEER_DEAF))
		log_info("fakebluez: deaf peer device=%s", d->text);
	else
		bluez_arm(d, d->gatt_known ? RESOLVE_AGAIN_MS : RESOLVE_FIRST_MS);
}

void bluez_on_connected(void *ctx, uint16_t link, enum err result)
{
	struct bluez *b = ctx;
	struct bluez_device *d = bluez_find_link(b, link);

	if (!d) {
		air_radio_disconnect(b->radio, link);
		return;
	}
	if (result == ERR_OK)
		made(d);
	else
		connect_failed(d, result);
}

static void add_gatt(struct bluez_device *d)
{
	d->gatt_known = true;
	d->gatt_late = false;
	bluez_gatt_added(d);
}

static void resolve(struct bluez_device *d)
{
	d->resolved = true;
	if (d->gatt_known) {
		bluez_device_changed(d, "ServicesResolved");
		bluez_subscribe(d);
		return;
	}
	d->gatt_late = is_busy(d);
	if (d->gatt_late) {
		log_info("fakebluez: characteristics come late device=%s", d->text);
		bluez_arm(d, LATE_MS);
	} else {
		add_gatt(d);
	}
	bluez_device_changed_both(d, "UUIDs", "ServicesResolved");
}

/* --- losing
 * ------------------------------------------------------------------------------------------ */

static void set_unresolved(struct bluez_device *d)
{
	if (!d->resolved)
		return;
	d->resolved = false;
	bluez_device_changed(d, "ServicesResolved");
}

/* An answer flushes the signals before it: without one both properties come in one. */
static void tell_gone(struct bluez_device *d)
{
	bool is_asked = d->disconnect || d->remove, was_resolved = d->resolved;

	if (is_asked)
		set_unresolved(d);
	bluez_lose_notify(d);
	bluez_answer_call(d->bluez, &d->disconnect);
	d->state = BLUEZ_IDLE;
	d->resolved = false;
	if (is_asked || !was_resolved)
		bluez_device_changed(d, "Connected");
	else
		bluez_device_changed_both(d, "ServicesResolved", "Connected");
}

/* The link is gone, whoever ended it. */
static void gone(struct bluez_device *d)
{
	struct bluez *b = d->bluez;

	(void)event_del(d->timer);
	d->gatt_late = false;
	d->seen_ms = air_now_ms(b->drive->air);
	tell_gone(d);
	bluez_close_socket(d);
	bluez_release(d);
	if (!d->remove)
		return;
	bluez_answer_call(b, &d->remove);
	bluez_forget(d, true);
}

void bluez_on_disconnected(void *ctx, uint16_t link, uint8_t hci_reason)
{
	struct bluez *b = ctx;
	struct bluez_device *d = bluez_find_link(b, link);

	(void)hci_reason;
	if (!d)
		return;
	if (d->is_disturbed)
		b->is_stuck = false;
	if (d->state == BLUEZ_DISCONNECTING) {
		gone(d);
		return;
	}
	bluez_close_socket(d); /* HUP first, the properties a little later */
	d->state = BLUEZ_DISCONNECTING;
	d->link = 0;
	bluez_arm(d, GONE_MS);
}

/* Linux 6.1 loses the connection that it is making meanwhile: it is up, and cannot be ended by us.
 * Who tries waits for ever, and all that comes after. */
static void end_link(struct bluez_device *d)
{
	struct bluez *b = d->bluez;

	if (d->is_disturbed)
		b->is_stuck = true;
	if (b->is_stuck)
		return;
	for (struct bluez_device *other = b->devices; other; other = other->next)
		if (other->state == BLUEZ_CONNECTING && other->link != 0)
			other->is_disturbed = true;
	air_radio_disconnect(b->radio, d->link);
}

void bluez_on_due(struct bluez_device *d)
{
	if (is_held(d))
		hold_connect(d);
	else if (d->state == BLUEZ_CONNECTED && d->notify)
		bluez_lose_notify(d); /* refused */
	else if (d->state == BLUEZ_CONNECTED && d->gatt_late)
		add_gatt(d);
	else if (d->state == BLUEZ_CONNECTED && !d->resolved)
		resolve(d);
	else if (d->state == BLUEZ_DISCONNECTING && d->link == 0)
		gone(d);
	else if (d->state == BLUEZ_DISCONNECTING)
		end_link(d);
}

static void begin_disconnect(struct bluez_device *d)
{
	if (d->state == BLUEZ_CONNECTED) {
		d->state = BLUEZ_DISCONNECTING;
		bluez_arm(d, DISCONNECT_MS);
	}
}

static void on_disconnect(struct bluez_device *d, DBusMessage *call)
{
	struct bluez *b = d->bluez;

	if (d->state == BLUEZ_IDLE || d->state == BLUEZ_CONNECTING) {
		if (d->state == BLUEZ_CONNECTING)
			cancel_connect(d);
		bluez_reply(b, call);
		return;
	}
	bluez_answer_call(b, &d->disconnect);
	d->disconnect = dbus_message_ref(call);
	begin_disconnect(d);
}

bool bluez_on_device_call(struct bluez_device *d, DBusMessage *call)
{
	const char *member = dbus_message_get_member(call);

	if (strcmp(member, "Connect") == 0)
		on_connect(d, call);
	else if (strcmp(member, "Disconnect") == 0)
		on_disconnect(d, call);
	else
		return false;
	return true;
}

void bluez_remove_device(struct bluez *b, DBusMessage *call)
{
	struct bluez_device *d;
	const char *path;

	if (!dbus_message_get_args(call, NULL, DBUS_TYPE_OBJECT_PATH, &path, DBUS_TYPE_INVALID)) {
		bluez_error(b, call, "org.bluez.Error.InvalidArguments",
			"Invalid arguments in method call");
		return;
	}
	d = bluez_find_path(b, path);
	if (!d || strcmp(d->path, path) != 0) {
		bluez_error(b, call, DOES_NOT_EXIST, "Does Not Exist");
	} else if (d->state == BLUEZ_IDLE) {
		bluez_reply(b, call);
		bluez_forget(d, true);
	} else if (d->state == BLUEZ_CONNECTING) {
		air_radio_disconnect(b->radio, d->link); /* held: there is none yet */
		bluez_fail_call(b, &d->connect, "br-connection-canceled");
		bluez_reply(b, call);
		bluez_forget(d, true);
	} else {
		bluez_answer_call(b, &d->remove);
		d->remove = dbus_message_ref(call);
		begin_disconnect(d);
	}
}

/* --- all at once
 * ---------------------------------------------------------------------------------------- */

static void fail_pending(struct bluez_device *d)
{
	bluez_fail_call(d->bluez, &d->connect, "Input/output error");
	bluez_lose_notify(d);
	bluez_answer_call(d->bluez, &d->disconnect);
	bluez_answer_call(d->bluez, &d->remove);
}

void bluez_power_off_devices(struct bluez *b)
{
	struct bluez_device *next;

	for (struct bluez_device *d = b->devices; d; d = next) {
		bool was_connected = d->state == BLUEZ_CONNECTED || d->state == BLUEZ_DISCONNECTING;

		next = d->next;
		(void)event_del(d->timer);
		bluez_close_socket(d);
		set_unresolved(d);
		d->state = BLUEZ_IDLE;
		d->gatt_late = false;
		fail_pending(d);
		if (!was_connected) {
			bluez_forget(d, true);
			continue;
		}
		bluez_device_changed(d, "Connected");
		bluez_release(d);
		d->seen_ms = air_now_ms(b->drive->air);
		d->has_rssi = false;
	}
}
