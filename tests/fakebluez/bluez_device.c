/* Devices: heard, and forgotten. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fakebluez/bluez.h"

#define SERVICE_DATA_AT 11 /* behind flags, UUID list and the UUID of the service data (§2.4) */
#define TEMPORARY_MS 30000

#define FAILED "org.bluez.Error.Failed"

/* --- the list --------------------------------------------------------------------------------- */

static struct bluez_device *find_address(struct bluez *b, const uint8_t *address)
{
	for (struct bluez_device *d = b->devices; d; d = d->next)
		if (memcmp(d->address, address, PORT_ADDRESS_BYTES) == 0)
			return d;
	return NULL;
}

struct bluez_device *bluez_find_path(struct bluez *b, const char *path)
{
	for (struct bluez_device *d = b->devices; d; d = d->next) {
		size_t n = strlen(d->path);

		if (strncmp(d->path, path, n) == 0 && (path[n] == '\0' || path[n] == '/'))
			return d;
	}
	return NULL;
}

struct bluez_device *bluez_find_link(struct bluez *b, uint16_t link)
{
	for (struct bluez_device *d = b->devices; d; d = d->next)
		if (d->state != BLUEZ_IDLE && d->link == link)
			return d;
	return NULL;
}

static void on_device_timer(evutil_socket_t fd, short what, void *arg);

static struct bluez_device *device_new(struct bluez *b, const uint8_t address[PORT_ADDRESS_BYTES])
{
	struct bluez_device *d = calloc(1, sizeof(*d));
	const uint8_t *a = address + 1;

	if (!d)
		abort();
	d->bluez = b;
	memcpy(d->address, address, PORT_ADDRESS_BYTES);
	snprintf(d->text, sizeof(d->text), "%02X:%02X:%02X:%02X:%02X:%02X", a[5], a[4], a[3], a[2],
		a[1], a[0]);
	snprintf(d->path, sizeof(d->path), "%s/dev_%02X_%02X_%02X_%02X_%02X_%02X",
		BLUEZ_ADAPTER_PATH, a[5], a[4], a[3], a[2], a[1], a[0]);
	d->fd = -1;
	d->timer = event_new(b->base, -1, 0, on_device_timer, d);
	if (!d->timer)
		abort();
	d->next = b->devices;
	b->devices = d;
	return d;
}

void bluez_drop_call(DBusMessage **call)
{
	if (*call)
		dbus_message_unref(*call);
	*call = NULL;
}

void bluez_fail_call(struct bluez *b, DBusMessage **call, const char *text)
{
	if (*call)
		bluez_error(b, *call, FAILED, text);
	bluez_drop_call(call);
}

void bluez_answer_call(struct bluez *b, DBusMessage **call)
{
	if (*call)
		bluez_reply(b, *call);
	bluez_drop_call(call);
}

static void device_free(struct bluez_device *d)
{
	for (struct bluez_device **p = &d->bluez->devices; *p; p = &(*p)->next) {
		if (*p != d)
			continue;
		*p = d->next;
		break;
	}
	bluez_close_socket(d);
	bluez_drop_call(&d->connect);
	bluez_drop_call(&d->disconnect);
	bluez_drop_call(&d->remove);
	bluez_drop_call(&d->notify);
	event_free(d->timer);
	free(d);
}

bool bluez_is_bad(const struct bluez_device *d, enum bad_peer fault)
{
	return bad_peers_has(&d->bluez->peers, d->address, fault);
}

void bluez_forget(struct bluez_device *d, bool tell)
{
	if (tell && d->gatt_known)
		bluez_gatt_removed(d);
	if (tell)
		bluez_device_removed(d);
	device_free(d);
}

void bluez_expire(struct bluez *b)
{
	uint64_t now = air_now_ms(b->drive->air);
	struct bluez_device *next;

	for (struct bluez_device *d = b->devices; d; d = next) {
		next = d->next;
		if (d->state == BLUEZ_IDLE && now > d->seen_ms + TEMPORARY_MS)
			bluez_forget(d, true);
	}
}

/* --- heard -------------------------------------------------------------------------------------
 */

/* With DuplicateData every report is told, without it what has changed. */
static bool is_told(const struct bluez *b, bool is_changed)
{
	for (int i = 0; i < BLUEZ_CLIENTS_MAX; i++)
		if (b->session[i] && b->clients[i].duplicates)
			return true;
	return is_changed;
}

static void take_name(struct bluez_device *d, struct span rsp)
{
	struct rd r = rd_init(rsp.p, rsp.n);
	uint8_t n = rd_u8(&r), type = rd_u8(&r);
	const uint8_t *name = n > 1 ? rd_view(&r, n - 1u) : NULL;

	if (!name || (type != 0x08 && type != 0x09))
		return;
	memcpy(d->name, name, n - 1u);
	d->name[n - 1u] = '\0';
}

void bluez_on_report(void *ctx, const struct port_report *report, struct span rsp)
{
	struct bluez *b = ctx;
	struct bluez_device *d = find_address(b, report->address);
	bool is_new = !d, is_changed;
	const uint8_t *data = report->data.p + SERVICE_DATA_AT;
	size_t n = report->data.n - SERVICE_DATA_AT;

	if (!b->discovering || report->data.n <= SERVICE_DATA_AT ||
		!bluez_scan_hears(b, report->address))
		return;
	if (is_new)
		d = device_new(b, report->address);
	is_changed =
		!d->has_rssi || n != d->service_data_bytes || memcmp(data, d->service_data, n) != 0;
	memcpy(d->service_data, data, n);
	d->service_data_bytes = n;
	take_name(d, rsp);
	d->rssi_dbm = report->rssi_dbm;
	d->has_rssi = true;
	d->seen_ms = air_now_ms(b->drive->air);
	if (is_new)
		bluez_device_added(d);
	else if (is_told(b, is_changed))
		bluez_device_changed_both(d, "RSSI", "ServiceData");
	if (report->connectable)
		bluez_begin_link(d);
}

/* --- timers and all at once
 * ------------------------------------------------------------------------
 */

static bool is_there(const struct bluez *b, const struct bluez_device *wanted)
{
	for (const struct bluez_device *d = b->devices; d; d = d->next)
		if (d == wanted)
			return true;
	return false;
}

/* It may go in what the air catches up with. */
static void on_device_timer(evutil_socket_t fd, short what, void *arg)
{
	struct bluez *b = ((struct bluez_device *)arg)->bluez;

	(void)fd;
	(void)what;
	drive_sync(b->drive);
	if (is_there(b, arg))
		bluez_on_due(arg);
	drive_arm(b->drive);
}

void bluez_drop_devices(struct bluez *b, bool tell)
{
	while (b->devices)
		bluez_forget(b->devices, tell);
}
