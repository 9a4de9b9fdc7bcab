/*
 * Discovery: SetDiscoveryFilter, StartDiscovery, and again until it works. bluetoothd answers
 * NotReady, InProgress or anything else for reasons of its own (a dead client's scan that the
 * kernel still runs, an adapter that is just waking up), so every error is met by another try.
 */
#include "base/log.h"
#include "mesh/link_bluez_room.h"

#define CALL_MS 10000
#define RETRY_MS 1500
/* Discovering follows StartDiscovery by up to 10 s under a flood of new devices. */
#define LOOK_MS 15000

static bool wants(const struct bz *bz)
{
	return bz->adapter[0] != '\0' && (bz->scan.is_wished || bz_conns_need_scan(bz));
}

static void enter(struct bz *bz, enum bz_scan_state state, uint64_t timer_ms)
{
	bz->scan.state = state;
	if (timer_ms > 0)
		timer_arm(bz->timers, &bz->scan.timer, timer_ms);
	else
		timer_cancel(bz->timers, &bz->scan.timer);
}

static void retry_later(struct bz *bz, const char *what, DBusMessage *reply)
{
	log_debug("bluez: %s refused error=%s", what, reply ? dbus_reply_error(reply) : "none");
	enter(bz, BZ_SCAN_OFF, RETRY_MS);
}

static void on_ignored(void *arg, DBusMessage *reply)
{
	(void)arg;
	(void)reply;
}

/* Frees the adapter of a discovery that bluetoothd thinks we have, whatever it answers. */
static void stop_unasked(struct bz *bz)
{
	enum err e = bz_call(bz, bz->adapter, "org.bluez.Adapter1", "StopDiscovery",
		DBUS_TYPE_INVALID, NULL, CALL_MS, on_ignored, bz, NULL);

	if (e != ERR_OK)
		log_debug("bluez: StopDiscovery not sent error=%s", err_text(e));
}

static void on_started(void *arg, DBusMessage *reply)
{
	struct bz *bz = arg;

	bz->scan.call = NULL;
	if (dbus_reply_check(reply, "") == ERR_OK) {
		log_debug("bluez: discovery started");
		enter(bz, BZ_SCAN_ON, LOOK_MS);
		bz_scan_review(bz);
		return;
	}
	if (dbus_message_is_error(reply, "org.bluez.Error.InProgress"))
		stop_unasked(bz);
	retry_later(bz, "StartDiscovery", reply);
}

static void start(struct bz *bz)
{
	enter(bz, BZ_SCAN_START, 0);
	if (bz_call(bz, bz->adapter, "org.bluez.Adapter1", "StartDiscovery", DBUS_TYPE_INVALID,
		    NULL, CALL_MS, on_started, bz, &bz->scan.call) != ERR_OK)
		retry_later(bz, "StartDiscovery", NULL);
}

static void on_filter(void *arg, DBusMessage *reply)
{
	struct bz *bz = arg;

	bz->scan.call = NULL;
	if (dbus_reply_check(reply, "") == ERR_OK)
		start(bz);
	else
		retry_later(bz, "SetDiscoveryFilter", reply);
}

static void set_filter(struct bz *bz)
{
	enter(bz, BZ_SCAN_FILTER, 0);
	if (bz_call_set_filter(bz, CALL_MS, on_filter, bz, &bz->scan.call) != ERR_OK)
		retry_later(bz, "SetDiscoveryFilter", NULL);
}

/* A refusal (InProgress before Discovering was true) is met by the next review. */
static void on_stopped(void *arg, DBusMessage *reply)
{
	struct bz *bz = arg;

	bz->scan.call = NULL;
	if (dbus_message_is_error(reply, "org.bluez.Error.InProgress")) {
		enter(bz, BZ_SCAN_ON, RETRY_MS);
		return;
	}
	enter(bz, BZ_SCAN_OFF, 0);
	bz_scan_review(bz);
}

static void stop(struct bz *bz)
{
	enter(bz, BZ_SCAN_STOP, 0);
	if (bz_call(bz, bz->adapter, "org.bluez.Adapter1", "StopDiscovery", DBUS_TYPE_INVALID, NULL,
		    CALL_MS, on_stopped, bz, &bz->scan.call) != ERR_OK)
		enter(bz, BZ_SCAN_OFF, 0);
}

void bz_scan_review(struct bz *bz)
{
	bool on = wants(bz);

	if (bz->scan.state == BZ_SCAN_OFF && on && !bz->scan.timer.armed)
		set_filter(bz);
	else if (bz->scan.state == BZ_SCAN_ON && !on)
		stop(bz);
}

/* Somebody else's power switch, or bluetoothd itself, may have ended the discovery unnoticed. */
static void look(struct bz *bz)
{
	const struct bz_object *adapter = bz_objects_find(&bz->objects, bz->adapter);

	if (adapter && !adapter->is_discovering) {
		log_info("bluez: discovery has stopped by itself, starting it again");
		stop_unasked(bz);
		enter(bz, BZ_SCAN_OFF, RETRY_MS);
	} else {
		enter(bz, BZ_SCAN_ON, LOOK_MS);
	}
}

static void on_timer(void *arg)
{
	struct bz *bz = arg;

	if (bz->scan.state == BZ_SCAN_ON && wants(bz))
		look(bz);
	else
		bz_scan_review(bz);
}

void bz_scan_init(struct bz *bz)
{
	timer_init(&bz->scan.timer, on_timer, bz);
}

void bz_scan_reset(struct bz *bz)
{
	dbus_loop_cancel(bz->scan.call);
	bz->scan.call = NULL;
	enter(bz, BZ_SCAN_OFF, 0);
}
