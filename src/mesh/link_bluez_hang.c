/*
 * A discovery that hangs, and its cure. A controller that refuses the command that ends a scan, or
 * loses its answer ("command 0x200c tx timeout", a UART under load), leaves Linux stopping for ever
 * (seen with 6.1): bluetoothd says InProgress to StopDiscovery or StartDiscovery each time, nobody
 * is heard any more, and nothing but the adapter's power switch ends that. Links are lost by it.
 */
#include <stdio.h>

#include "base/log.h"
#include "mesh/link_bluez_room.h"

/* What others cause is over sooner: a scan of 10 s, or that of a client that has died. */
#define HANG_MS 30000
/* If that was not it, who else uses the adapter shall have it for a while. */
#define CURE_AGAIN_MS 300000
#define CALL_MS 10000
#define SWITCH_ON_MS 2000

static void switch_on(struct bz *bz);

static void on_switched_on(void *arg, DBusMessage *reply)
{
	struct bz *bz = arg;

	bz->hang.call = NULL;
	if (dbus_reply_check(reply, "") == ERR_OK) {
		bz->hang.owes_on = false;
		return;
	}
	log_debug("bluez: switching on refused error=%s", dbus_reply_error(reply));
	timer_arm(bz->timers, &bz->hang.timer, SWITCH_ON_MS);
}

/* As often as it takes: it was us who have switched it off. */
static void switch_on(struct bz *bz)
{
	if (bz_call_set_powered(bz, bz->hang.adapter, true, CALL_MS, on_switched_on, bz,
		    &bz->hang.call) != ERR_OK)
		timer_arm(bz->timers, &bz->hang.timer, SWITCH_ON_MS);
}

static void on_switched_off(void *arg, DBusMessage *reply)
{
	struct bz *bz = arg;

	bz->hang.call = NULL;
	if (dbus_reply_check(reply, "") == ERR_OK) {
		switch_on(bz);
		return;
	}
	/* Without an answer it may still be done; refused it is not, and who does it later means
	 * it. */
	bz->hang.owes_on = dbus_message_is_error(reply, DBUS_ERROR_NO_REPLY);
	log_warn("bluez: the adapter is not switched off: systemctl restart bluetooth error=%s",
		dbus_reply_error(reply));
}

void bz_hang_review(struct bz *bz)
{
	const struct bz_hang *h = &bz->hang;
	const struct bz_object *adapter = bz_objects_find(&bz->objects, h->adapter);

	if (h->owes_on && !h->call && !h->timer.armed && adapter && !adapter->is_powered)
		switch_on(bz);
}

static void on_timer(void *arg)
{
	struct bz *bz = arg;

	if (bz_objects_find(&bz->objects, bz->hang.adapter))
		switch_on(bz);
	else
		bz_hang_reset(bz); /* unplugged: it comes back as it wants */
}

static void cure(struct bz *bz, uint64_t now_ms)
{
	struct bz_hang *h = &bz->hang;

	log_warn("bluez: discovery hangs, switching the adapter off and on path=%s", bz->adapter);
	h->since_ms = 0;
	h->not_before_ms = now_ms + CURE_AGAIN_MS;
	(void)snprintf(h->adapter, sizeof(h->adapter), "%s", bz->adapter);
	h->owes_on = bz_call_set_powered(bz, h->adapter, false, CALL_MS, on_switched_off, bz,
			     &h->call) == ERR_OK;
}

void bz_hang_refused(struct bz *bz)
{
	struct bz_hang *h = &bz->hang;
	uint64_t now_ms = timers_now(bz->timers);

	if (h->since_ms == 0 || now_ms > h->last_ms + HANG_MS)
		h->since_ms = now_ms;
	h->last_ms = now_ms;
	if (!h->call && !h->timer.armed && now_ms >= h->since_ms + HANG_MS &&
		now_ms >= h->not_before_ms)
		cure(bz, now_ms);
}

void bz_hang_over(struct bz *bz)
{
	bz->hang.since_ms = 0;
}

void bz_hang_init(struct bz *bz)
{
	timer_init(&bz->hang.timer, on_timer, bz);
}

void bz_hang_reset(struct bz *bz)
{
	dbus_loop_cancel(bz->hang.call);
	bz->hang.call = NULL;
	timer_cancel(bz->timers, &bz->hang.timer);
	bz->hang.owes_on = false;
	bz->hang.since_ms = 0;
}

void bz_hang_free(struct bz *bz)
{
	bool was_off = bz->hang.owes_on;

	bz_hang_reset(bz);
	if (was_off && bz_call_set_powered(
			       bz, bz->hang.adapter, true, CALL_MS, bz_ignore, bz, NULL) != ERR_OK)
		log_warn("bluez: the adapter may be off path=%s", bz->hang.adapter);
}
