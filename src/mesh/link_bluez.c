/*
 * The owner of the link: bluetoothd's comings and goings, the choice of the adapter, and who gets
 * which signal. bluetoothd is spoken to by its unique name, so that an answer or a signal of the
 * one that died is never taken for one of its successor.
 */
#include "mesh/link_bluez.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "mesh/link_bluez_room.h"

#define LIST_MS 15000
#define RELIST_MS 1500
#define ACTIVATE_FIRST_MS 5000
#define ACTIVATE_LAST_MS 300000
/* bluetoothd powers adapters itself, a moment after it has listed them. */
#define UNUSABLE_MS 5000

/* --- adapter -----------------------------------------------------------------------------------
 */

static void lose_adapter(struct bz *bz)
{
	if (bz->adapter[0] == '\0')
		return;
	log_warn("bluez: adapter gone path=%s", bz->adapter);
	bz->adapter[0] = '\0';
	bz_scan_reset(bz);
	bz_hang_over(bz);
	bz_byes_reset(bz);
	bz_conns_fail(bz);
	bz->events->adapter(bz->arg, false);
}

static bool is_below(const char *path, const char *parent)
{
	size_t n = strlen(parent);

	return n > 0 && strncmp(path, parent, n) == 0 && path[n] == '/';
}

/* Links that a former life of this program has left would stay up for ever. */
static void hang_up_leftovers(struct bz *bz)
{
	for (size_t i = 0; i < BZ_BUCKETS; i++) {
		for (struct bz_object *o = bz->objects.buckets[i]; o; o = o->next) {
			if (o->kind != BZ_DEVICE || !o->is_connected || o->data_bytes == 0 ||
				!is_below(o->path, bz->adapter))
				continue;
			log_info("bluez: ending a link that was left path=%s", o->path);
			bz_hang_up(bz, o->path);
		}
	}
}

static void gain_adapter(struct bz *bz, const struct bz_object *adapter)
{
	int n = snprintf(bz->adapter, sizeof(bz->adapter), "%s", adapter->path);

	if (n < 0 || (size_t)n >= sizeof(bz->adapter)) {
		bz->adapter[0] = '\0';
		return;
	}
	log_info("bluez: adapter ready path=%s", bz->adapter);
	timer_cancel(bz->timers, &bz->relist);
	bz_tell_over(bz);
	hang_up_leftovers(bz);
	bz->events->adapter(bz->arg, true);
	bz_scan_review(bz);
}

/* The one we have stays as long as it is powered, whatever others come. */
static void choose_adapter(struct bz *bz)
{
	const struct bz_object *now =
		bz->adapter[0] != '\0' ? bz_objects_find(&bz->objects, bz->adapter) : NULL;
	const struct bz_object *best;

	if (now && now->is_powered)
		return;
	lose_adapter(bz);
	best = bz->is_listed ? bz_objects_adapter(&bz->objects, bz->wanted) : NULL;
	if (best && best->is_powered)
		gain_adapter(bz, best);
	else if (bz->is_listed && !bz->relist.armed)
		timer_arm(bz->timers, &bz->relist, UNUSABLE_MS);
}

/* --- what bluetoothd has -----------------------------------------------------------------------
 */

static void on_listed(void *arg, DBusMessage *reply)
{
	struct bz *bz = arg;
	enum err e = bz_objects_fill(&bz->objects, reply);

	bz->listing = NULL;
	bz_note_silence(bz, reply);
	if (e != ERR_OK) {
		bz_tell_unlisted(bz, reply);
		timer_arm(bz->timers, &bz->relist, RELIST_MS);
		return;
	}
	bz->is_listed = true;
	choose_adapter(bz);
}

static void list(struct bz *bz)
{
	if (!bz->owner || bz->listing)
		return;
	if (bz_call(bz, "/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects",
		    DBUS_TYPE_INVALID, NULL, LIST_MS, on_listed, bz, &bz->listing) != ERR_OK)
		timer_arm(bz->timers, &bz->relist, RELIST_MS);
}

static void on_activated(void *arg, DBusMessage *reply)
{
	struct bz *bz = arg;

	if (!bz->owner && dbus_reply_check(reply, "u") != ERR_OK)
		bz_tell_unstarted(bz, reply);
}

/* A bluetoothd that has crashed is started by whoever needs it: its unit is bus-activated and does
 * not restart by itself. */
static void activate(struct bz *bz)
{
	DBusMessage *msg = dbus_message_new_method_call(
		DBUS_SERVICE_DBUS, DBUS_PATH_DBUS, DBUS_INTERFACE_DBUS, "StartServiceByName");
	const char *name = "org.bluez";
	dbus_uint32_t flags = 0;

	if (msg && !dbus_message_append_args(msg, DBUS_TYPE_STRING, &name, DBUS_TYPE_UINT32, &flags,
			   DBUS_TYPE_INVALID)) {
		dbus_message_unref(msg);
		msg = NULL;
	}
	if (dbus_loop_call(bz->dbus, msg, LIST_MS, on_activated, bz, NULL) != ERR_OK)
		log_debug("bluez: activation not asked for");
	timer_arm(bz->timers, &bz->relist, bz->activate_ms);
	bz->activate_ms *= 2;
	if (bz->activate_ms > ACTIVATE_LAST_MS)
		bz->activate_ms = ACTIVATE_LAST_MS;
}

static void on_relist(void *arg)
{
	struct bz *bz = arg;

	if (bz->is_listed)
		bz_tell_unusable(bz);
	else if (bz->owner)
		list(bz);
	else if (dbus_loop_connection(bz->dbus))
		activate(bz);
}

/* owner NULL or "": bluetoothd is away. */
static void set_owner(struct bz *bz, const char *owner)
{
	if (bz->owner && owner && strcmp(bz->owner, owner) == 0)
		return;
	dbus_loop_cancel(bz->listing);
	bz->listing = NULL;
	timer_cancel(bz->timers, &bz->relist);
	if (bz->owner)
		log_warn("bluez: bluetoothd has gone");
	bz->owner = NULL;
	bz->is_listed = false;
	bz_objects_clear(&bz->objects);
	bz_hang_reset(bz);
	choose_adapter(bz);
	if (!owner || owner[0] == '\0') {
		timer_arm(bz->timers, &bz->relist, RELIST_MS);
		return;
	}
	bz->activate_ms = ACTIVATE_FIRST_MS;
	(void)snprintf(bz->owner_name, sizeof(bz->owner_name), "%s", owner);
	bz->owner = bz->owner_name;
	list(bz);
}

/* --- signals -----------------------------------------------------------------------------------
 */

/* An object out of bluetoothd's store comes without RSSI: nobody has heard it now. */
static void tell_advert(struct bz *bz, const struct bz_news *news)
{
	const struct bz_object *o = news->object;
	struct link_advert advert;

	if (!(news->bits & BZ_NEWS_ADVERT) || !bz->scan.is_wished || !o->has_addr ||
		!is_below(o->path, bz->adapter))
		return;
	if ((news->bits & BZ_NEWS_ADDED) && o->rssi_dbm == LINK_RSSI_UNKNOWN)
		return;
	advert = (struct link_advert){.addr = o->addr,
		.rssi_dbm = o->rssi_dbm,
		.connectable = true,
		.service_data = {o->data, o->data_bytes}};
	bz->events->advert(bz->arg, &advert);
}

static void review_adapters(struct bz *bz)
{
	bz_hang_review(bz);
	choose_adapter(bz);
}

static void on_news(struct bz *bz, const struct bz_news *news)
{
	if (news->bits & BZ_NEWS_VALUE)
		bz_conns_value(bz, news->path, news->value);
	else if (news->kind == BZ_ADAPTER)
		review_adapters(bz);
	else if (news->kind == BZ_RX || news->kind == BZ_TX)
		bz_conns_chars(bz);
	if (news->kind != BZ_DEVICE)
		return;
	bz_conns_news(bz, news);
	/* The table may have lost the object meanwhile: a callback may do anything. */
	if (bz_objects_find(&bz->objects, news->path) == news->object && news->object) {
		if (news->bits & BZ_NEWS_ADVERT)
			bz_scan_heard(bz, news->object);
		tell_advert(bz, news);
	}
	bz_scan_review(bz);
}

static bool decode_signal(struct bz *bz, DBusMessage *msg, struct bz_news *news)
{
	enum err e;

	if (dbus_message_is_signal(msg, "org.freedesktop.DBus.Properties", "PropertiesChanged"))
		e = bz_objects_changed(&bz->objects, msg, news);
	else if (dbus_message_is_signal(
			 msg, "org.freedesktop.DBus.ObjectManager", "InterfacesAdded"))
		e = bz_objects_added(&bz->objects, msg, news);
	else if (dbus_message_is_signal(
			 msg, "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved"))
		e = bz_objects_removed(&bz->objects, msg, news);
	else
		return false;
	if (e != ERR_OK)
		log_debug("bluez: signal of a wrong type member=%s", dbus_message_get_member(msg));
	return e == ERR_OK;
}

static void on_name_owner(struct bz *bz, DBusMessage *msg)
{
	const char *name, *before, *after;

	if (dbus_message_has_sender(msg, DBUS_SERVICE_DBUS) &&
		dbus_message_get_args(msg, NULL, DBUS_TYPE_STRING, &name, DBUS_TYPE_STRING, &before,
			DBUS_TYPE_STRING, &after, DBUS_TYPE_INVALID) &&
		strcmp(name, "org.bluez") == 0)
		set_owner(bz, after);
}

static bool on_message(void *arg, DBusMessage *msg)
{
	struct bz *bz = arg;
	struct bz_news news;

	if (dbus_message_is_signal(msg, DBUS_INTERFACE_DBUS, "NameOwnerChanged")) {
		on_name_owner(bz, msg);
		return true;
	}
	if (!bz->owner || !dbus_message_has_sender(msg, bz->owner))
		return false;
	if (decode_signal(bz, msg, &news))
		on_news(bz, &news);
	return true;
}

/* --- the bus -----------------------------------------------------------------------------------
 */

static void no_owner(struct bz *bz)
{
	log_info("bluez: bluetoothd is not there yet");
	timer_arm(bz->timers, &bz->relist, RELIST_MS);
}

static void on_owner_reply(void *arg, DBusMessage *reply)
{
	const char *owner;

	if (dbus_reply_check(reply, "s") == ERR_OK &&
		dbus_message_get_args(reply, NULL, DBUS_TYPE_STRING, &owner, DBUS_TYPE_INVALID))
		set_owner(arg, owner);
	else
		no_owner(arg);
}

static void on_up(void *arg)
{
	struct bz *bz = arg;
	const char *name = "org.bluez";
	DBusMessage *msg = dbus_message_new_method_call(
		DBUS_SERVICE_DBUS, DBUS_PATH_DBUS, DBUS_INTERFACE_DBUS, "GetNameOwner");

	dbus_loop_add_match(bz->dbus, "type='signal',sender='org.freedesktop.DBus',"
				      "member='NameOwnerChanged',arg0='org.bluez'");
	dbus_loop_add_match(bz->dbus, "type='signal',sender='org.bluez',"
				      "interface='org.freedesktop.DBus.ObjectManager'");
	dbus_loop_add_match(bz->dbus, "type='signal',sender='org.bluez',"
				      "interface='org.freedesktop.DBus.Properties',"
				      "path_namespace='/org/bluez'");
	if (msg && !dbus_message_append_args(msg, DBUS_TYPE_STRING, &name, DBUS_TYPE_INVALID)) {
		dbus_message_unref(msg);
		msg = NULL;
	}
	if (dbus_loop_call(bz->dbus, msg, LIST_MS, on_owner_reply, bz, NULL) != ERR_OK)
		log_warn("bluez: owner of org.bluez not asked for");
}

static void on_bus_down(void *arg)
{
	set_owner(arg, NULL);
}

static const struct dbus_loop_events bus_events = {on_up, on_bus_down, on_message};

/* --- ops ---------------------------------------------------------------------------------------
 */

static void op_scan(void *impl, bool on)
{
	struct bz *bz = impl;

	bz->scan.is_wished = on;
	bz_scan_review(bz);
}

static enum err op_connect(void *impl, const struct link_addr *addr, uint16_t *conn)
{
	struct bz *bz = impl;

	return bz->adapter[0] != '\0' ? bz_conn_open(bz, addr, conn) : ERR_STATE;
}

static enum err op_write(void *impl, uint16_t conn, struct span pdu)
{
	return bz_conn_write(impl, conn, pdu);
}

static void op_disconnect(void *impl, uint16_t conn)
{
	bz_conn_close(impl, conn);
}

/* The links must not outlive us: what was said is flushed, which takes a local socket's time. */
static void op_free(void *impl)
{
	struct bz *bz = impl;
	DBusConnection *conn = bz->dbus ? dbus_loop_connection(bz->dbus) : NULL;

	bz_conns_free(bz);
	bz_byes_free(bz);
	bz_scan_reset(bz);
	bz_hang_free(bz);
	dbus_loop_cancel(bz->listing);
	timer_cancel(bz->timers, &bz->relist);
	if (conn)
		dbus_connection_flush(conn);
	dbus_loop_free(bz->dbus);
	bz_objects_clear(&bz->objects);
	free(bz->wanted);
	free(bz);
}

static const struct link_ops ops = {.scan = op_scan,
	.connect = op_connect,
	.write = op_write,
	.disconnect = op_disconnect,
	.free = op_free};

static enum err set_up(struct bz *bz, const struct link_bluez_conf *conf)
{
	if (conf->adapter) {
		bz->wanted = strdup(conf->adapter);
		if (!bz->wanted)
			return ERR_NOMEM;
	}
	return dbus_loop_new(bz->base, conf->bus_address, &bus_events, bz, &bz->dbus);
}

enum err link_bluez_new(struct event_base *base, struct timers *timers,
	const struct link_bluez_conf *conf, const struct link_events *events, void *arg,
	struct link *out)
{
	struct bz *bz = calloc(1, sizeof(*bz));
	enum err e;

	if (!bz)
		return ERR_NOMEM;
	bz->base = base;
	bz->timers = timers;
	bz->events = events;
	bz->arg = arg;
	bz->activate_ms = ACTIVATE_FIRST_MS;
	timer_init(&bz->relist, on_relist, bz);
	bz_scan_init(bz);
	bz_hang_init(bz);
	bz_byes_init(bz);
	bz_conns_init(bz);
	e = set_up(bz, conf);
	if (e != ERR_OK) {
		op_free(bz);
		return e;
	}
	*out = (struct link){&ops, bz};
	return ERR_OK;
}
