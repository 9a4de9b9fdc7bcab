/*
 * What keeps us from the radio, in words for whoever can do something about it: each once, until it
 * is something else or over.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "mesh/link_bluez_room.h"

static void tell(struct bz *bz, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void tell(struct bz *bz, const char *format, ...)
{
	char text[BZ_TOLD_MAX];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (strcmp(text, bz->told) == 0)
		return;
	memcpy(bz->told, text, sizeof(text));
	log_warn("bluez: %s", text);
}

void bz_tell_over(struct bz *bz)
{
	bz->told[0] = '\0';
}

/* An answer has a sender, and so has an error that the bus has sent; the call's own limit has none.
 */
void bz_note_silence(struct bz *bz, DBusMessage *reply)
{
	const char *sender = dbus_message_get_sender(reply);
	bool is_silent = !sender && dbus_message_is_error(reply, DBUS_ERROR_NO_REPLY);
	bool is_answer = sender && bz->owner && strcmp(sender, bz->owner) == 0;

	if (is_silent && !bz->is_silent)
		log_warn("bluez: bluetoothd does not answer any more; if that goes on: systemctl "
			 "restart bluetooth");
	else if (is_answer && bz->is_silent)
		log_info("bluez: bluetoothd answers again");
	bz->is_silent = is_silent || (bz->is_silent && !is_answer);
}

/* It is silent, or gone, or the bus is: that is told elsewhere. */
static bool is_no_answer(const char *error)
{
	static const char *const names[] = {DBUS_ERROR_NO_REPLY, DBUS_ERROR_DISCONNECTED,
		DBUS_ERROR_NAME_HAS_NO_OWNER, DBUS_ERROR_SERVICE_UNKNOWN};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(error, names[i]) == 0)
			return true;
	}
	return false;
}

/* An error of the call itself says nothing of bluetoothd. */
void bz_tell_unstarted(struct bz *bz, DBusMessage *reply)
{
	const char *error = dbus_reply_error(reply);

	if (dbus_message_get_sender(reply))
		tell(bz,
			"bluetoothd does not start error=%s; is it installed and enabled? see: "
			"systemctl status bluetooth",
			error);
	else
		log_debug("bluez: not activated error=%s", error);
}

void bz_tell_unlisted(struct bz *bz, DBusMessage *reply)
{
	const char *error = dbus_reply_error(reply);

	if (is_no_answer(error))
		log_debug("bluez: GetManagedObjects failed error=%s", error);
	else if (strcmp(error, DBUS_ERROR_ACCESS_DENIED) == 0)
		tell(bz,
			"bluetoothd may not be called error=%s; the user must be enrolld, and the "
			"policy dbus-1/system.d/enrolld.conf in /etc or /usr/share; then: "
			"systemctl reload dbus",
			error);
	else
		tell(bz,
			"bluetoothd does not list its devices error=%s; see: journalctl -u "
			"bluetooth",
			error[0] != '\0' ? error : "\"answer of a wrong type\"");
}

static const char *name_of(const struct bz_object *adapter)
{
	return strrchr(adapter->path, '/') + 1;
}

/* " hci0 hci1", as many as there is room for. */
static void name_adapters(const struct bz_objects *t, char *out, size_t n)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < BZ_BUCKETS; i++) {
		for (const struct bz_object *o = t->buckets[i]; o; o = o->next) {
			size_t more = o->kind == BZ_ADAPTER ? strlen(name_of(o)) + 1 : 0;

			if (more > 0 && more < n - used)
				(void)snprintf(out + used, n - used, " %s", name_of(o));
			used = strlen(out);
		}
	}
}

void bz_tell_unusable(struct bz *bz)
{
	const struct bz_object *wanted =
		bz->wanted ? bz_objects_adapter(&bz->objects, bz->wanted) : NULL;
	char names[64];

	name_adapters(&bz->objects, names, sizeof(names));
	if (bz->wanted && !wanted)
		tell(bz, "adapter %s not found (there is%s%s); see adapter in enrolld.conf(5)",
			bz->wanted, names[0] != '\0' ? ":" : " none", names);
	else if (names[0] == '\0')
		tell(bz, "no adapter; is one plugged in? see: journalctl -k -g bluetooth");
	else
		tell(bz, "adapter%s%s is off: rfkill unblock bluetooth; bluetoothctl power on",
			wanted ? " " : names, wanted ? bz->wanted : "");
}
