/*
 * Discovery: SetDiscoveryFilter, StartDiscovery, and again until it works. bluetoothd answers
 * NotReady, InProgress or anything else for reasons of its own (a dead client's scan that the
 * kernel still runs, an adapter that is just waking up), so every error is met by another try.
 *
 * The kernel has the controller report each address once a scan, whatever DuplicateData says, and
 * scans anew after 10 s only (seen with 6.1; the drivers of some controllers make up for it). And
 * while it scans, it begins a link only upon a report of that peer. So a scan here is a short one,
 * unless adverts are seen to come again within it, and there is none while a link is being made.
 */
#include "base/log.h"
#include "mesh/link_bluez_room.h"

#define CALL_MS 10000
#define RETRY_MS 1500
/* Discovering follows StartDiscovery by up to 10 s under a flood of new devices. */
#define LOOK_MS 15000
#define SCAN_MS 3000 /* nodes advertise every 0.1 to 1 s */
/* Two adverts of one node, not two signals about one advert. */
#define REPEATED_MS 50
/* Whoever connects has the air to himself for so long, then the others are heard. */
#define HUSH_MS 4000
#define LISTEN_MS 1000

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

/* Frees the adapter of a discovery that bluetoothd thinks we have, whatever it answers. */
static void stop_unasked(struct bz *bz)
{
	enum err e = bz_call(bz, bz->adapter, "org.bluez.Adapter1", "StopDiscovery",
		DBUS_TYPE_INVALID, NULL, CALL_MS, bz_ignore, bz, NULL);

	if (e != ERR_OK)
		log_debug("bluez: StopDiscovery not sent error=%s", err_text(e));
}

static void begin_scan(struct bz *bz)
{
	bz->scan.number++;
	bz->scan.since_ms = timers_now(bz->timers);
	bz->scan.is_repeating = false;
	enter(bz, BZ_SCAN_ON, SCAN_MS);
}

static void on_started(void *arg, DBusMessage *reply)
{
	struct bz *bz = arg;

	bz->scan.call = NULL;
	bz_note_silence(bz, reply);
	if (dbus_reply_check(reply, "") == ERR_OK) {
		bz->scan.started_ms = timers_now(bz->timers);
		begin_scan(bz);
		bz_scan_review(bz);
		return;
	}
	if (dbus_message_is_error(reply, "org.bluez.Error.InProgress")) {
		bz_hang_refused(bz);
		stop_unasked(bz);
	}
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
	bz_note_silence(bz, reply);
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
		bz_hang_refused(bz);
		enter(bz, BZ_SCAN_ON, RETRY_MS);
		return;
	}
	if (dbus_reply_check(reply, "") == ERR_OK)
		bz_hang_over(bz);
	if (bz_conns_in_flight(bz) > 0)
		enter(bz, BZ_SCAN_HUSH, HUSH_MS);
	else
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

static bool is_discovering(const struct bz *bz)
{
	const struct bz_object *adapter = bz_objects_find(&bz->objects, bz->adapter);

	return adapter && adapter->is_discovering;
}

/* Somebody connects: the others have been listened to long enough, or will have been soon. */
static void hush_in_time(struct bz *bz)
{
	uint64_t now_ms = timers_now(bz->timers), from_ms = bz->scan.since_ms + LISTEN_MS;

	if (now_ms < from_ms)
		timer_arm(bz->timers, &bz->scan.timer, from_ms - now_ms);
	else if (is_discovering(bz))
		stop(bz);
}

void bz_scan_review(struct bz *bz)
{
	bool on = wants(bz), is_connecting = bz_conns_in_flight(bz) > 0;

	if (bz->scan.state == BZ_SCAN_HUSH && !is_connecting)
		enter(bz, BZ_SCAN_OFF, 0);
	if (bz->scan.state == BZ_SCAN_OFF && on && !bz->scan.timer.armed)
		set_filter(bz);
	else if (bz->scan.state == BZ_SCAN_ON && !on)
		stop(bz);
	else if (bz->scan.state == BZ_SCAN_ON && is_connecting)
		hush_in_time(bz);
}

/* Somebody else's power switch, or bluetoothd itself, may have ended the discovery unnoticed. */
static void look(struct bz *bz)
{
	if (timers_now(bz->timers) < bz->scan.started_ms + LOOK_MS) {
		enter(bz, BZ_SCAN_ON, RETRY_MS);
		return;
	}
	if (!bz->scan.is_stop_told)
		log_info("bluez: discovery has stopped by itself, starting it again");
	bz->scan.is_stop_told = true;
	stop_unasked(bz);
	enter(bz, BZ_SCAN_OFF, RETRY_MS);
}

static void end_scan(struct bz *bz)
{
	bool is_on = is_discovering(bz);

	if (is_on)
		bz->scan.is_stop_told = false;
	if (!is_on)
		look(bz);
	else if (bz->scan.is_repeating && bz_conns_in_flight(bz) == 0)
		begin_scan(bz);
	else
		stop(bz);
}

static void on_timer(void *arg)
{
	struct bz *bz = arg;

	if (bz->scan.state == BZ_SCAN_HUSH)
		enter(bz, BZ_SCAN_OFF, 0);
	if (bz->scan.state == BZ_SCAN_ON && wants(bz))
		end_scan(bz);
	else
		bz_scan_review(bz);
}

void bz_scan_heard(struct bz *bz, struct bz_object *device)
{
	uint64_t now_ms = timers_now(bz->timers);

	if (device->scan != bz->scan.number) {
		device->scan = bz->scan.number;
		device->scan_heard_ms = now_ms;
	} else if (now_ms >= device->scan_heard_ms + REPEATED_MS) {
		bz->scan.is_repeating = true;
	}
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
