/*
 * When links are ended. Linux 6.1 loses an LE connection that it is making when a Disconnect comes
 * between: it waits 4 s for an event that it has had already, takes the connection for failed, and
 * can never end it: bluetoothd's next Disconnect of it is not answered, and nothing that is asked
 * of the kernel after it (seen, 1 in some 200; the only way out is a new bluetoothd). So neither is
 * called while the other is under way. And a node that was enrolled resets itself after 5 s (mesh-
 * protocol §4.5): most links end without being asked, if they are given that time.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "mesh/link_bluez_room.h"

#define CALL_MS 50000
#define LINGER_MS 6000
/* Then no further Connect is begun, and the last answer to the others ends the wait. */
#define TURN_MS 3000
/* Behind Connects to peers that do not answer. */
#define PATIENCE_MS 10000
/* bluetoothd waits for 2 s before it ends a link. */
#define UNDER_WAY_MS 4000

static struct bz_bye *find(struct bz *bz, const char *path)
{
	for (size_t i = 0; i < BZ_BYES_MAX; i++)
		if (strcmp(bz->byes[i].path, path) == 0)
			return &bz->byes[i];
	return NULL;
}

static void drop(struct bz_bye *b)
{
	dbus_loop_cancel(b->call);
	b->call = NULL;
	b->path[0] = '\0';
}

static void on_answered(void *arg, DBusMessage *reply)
{
	struct bz_bye *b = arg;
	struct bz *bz = b->bz;

	(void)reply;
	b->call = NULL;
	drop(b);
	bz_byes_review(bz);
	bz_conns_poll(bz);
}

static bool send_disconnect(
	struct bz *bz, const char *path, dbus_reply_fn *fn, void *arg, struct dbus_call **call)
{
	enum err e = bz_call(bz, path, "org.bluez.Device1", "Disconnect", DBUS_TYPE_INVALID, NULL,
		CALL_MS, fn, arg, call);

	if (e != ERR_OK)
		log_debug("bluez: Disconnect not sent error=%s", err_text(e));
	return e == ERR_OK;
}

void bz_hang_up_now(struct bz *bz, const char *path)
{
	(void)send_disconnect(bz, path, bz_ignore, bz, NULL);
}

static void call(struct bz_bye *b, uint64_t now_ms)
{
	b->called_ms = now_ms;
	if (!send_disconnect(b->bz, b->path, on_answered, b, &b->call))
		drop(b);
}

/* When it is to be looked at again; UINT64_MAX: when it is answered. */
static uint64_t review(struct bz_bye *b, uint64_t now_ms)
{
	bool is_due = now_ms >= b->due_ms;

	if (b->path[0] == '\0' || b->call)
		return UINT64_MAX;
	if (is_due && (bz_conns_in_flight(b->bz) == 0 || now_ms >= b->due_ms + PATIENCE_MS)) {
		call(b, now_ms);
		return UINT64_MAX;
	}
	return is_due ? b->due_ms + PATIENCE_MS : b->due_ms;
}

void bz_byes_review(struct bz *bz)
{
	uint64_t now_ms = timers_now(bz->timers), next_ms = UINT64_MAX;

	for (size_t i = 0; i < BZ_BYES_MAX; i++) {
		uint64_t at_ms = review(&bz->byes[i], now_ms);

		next_ms = at_ms < next_ms ? at_ms : next_ms;
	}
	if (next_ms == UINT64_MAX)
		timer_cancel(bz->timers, &bz->byes_timer);
	else
		timer_arm(bz->timers, &bz->byes_timer, next_ms - now_ms);
}

static void on_timer(void *arg)
{
	bz_byes_review(arg);
}

static void ask(struct bz *bz, const char *path, uint64_t delay_ms)
{
	uint64_t due_ms = timers_now(bz->timers) + delay_ms;
	struct bz_bye *b = find(bz, path);
	bool is_new = !b;

	b = b ? b : find(bz, "");
	if (!b) {
		bz_hang_up_now(bz, path);
		return;
	}
	if (is_new)
		(void)snprintf(b->path, sizeof(b->path), "%s", path);
	if (is_new || due_ms < b->due_ms)
		b->due_ms = due_ms;
	bz_byes_review(bz);
}

void bz_hang_up(struct bz *bz, const char *path)
{
	ask(bz, path, 0);
}

void bz_linger(struct bz *bz, const char *path)
{
	ask(bz, path, LINGER_MS);
}

void bz_byes_gone(struct bz *bz, const char *path)
{
	struct bz_bye *b = find(bz, path);

	if (b)
		drop(b);
}

static bool goes_first(const struct bz_bye *b, uint64_t now_ms)
{
	if (b->call)
		return now_ms < b->called_ms + UNDER_WAY_MS;
	return b->path[0] != '\0' && now_ms >= b->due_ms + TURN_MS;
}

bool bz_byes_go_first(const struct bz *bz)
{
	uint64_t now_ms = timers_now(bz->timers);

	for (size_t i = 0; i < BZ_BYES_MAX; i++)
		if (goes_first(&bz->byes[i], now_ms))
			return true;
	return false;
}

bool bz_byes_have(struct bz *bz, const char *path)
{
	return find(bz, path) != NULL;
}

unsigned bz_byes_count(const struct bz *bz)
{
	unsigned n = 0;

	for (size_t i = 0; i < BZ_BYES_MAX; i++)
		n += bz->byes[i].path[0] != '\0';
	return n;
}

void bz_byes_init(struct bz *bz)
{
	timer_init(&bz->byes_timer, on_timer, bz);
	for (size_t i = 0; i < BZ_BYES_MAX; i++)
		bz->byes[i].bz = bz;
}

void bz_byes_reset(struct bz *bz)
{
	timer_cancel(bz->timers, &bz->byes_timer);
	for (size_t i = 0; i < BZ_BYES_MAX; i++)
		drop(&bz->byes[i]);
}

void bz_byes_free(struct bz *bz)
{
	for (size_t i = 0; i < BZ_BYES_MAX; i++)
		if (bz->byes[i].path[0] != '\0' && !bz->byes[i].call)
			bz_hang_up_now(bz, bz->byes[i].path);
	bz_byes_reset(bz);
}
