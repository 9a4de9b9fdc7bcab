/*
 * One connection from the wish to its use (bluez.md, "Connect", "GATT objects"):
 *
 *	WAIT -> CONNECT -> RESOLVE -> NOTIFY -> WRITE -> READY
 *	  ^________|__________|_________|________|   what fails is tried again, a few times
 *	  ^______________________ CURE               RemoveDevice, once
 *
 * The node hangs up 5 s after connecting unless it was subscribed by then (mesh-protocol §2.3), so
 * a slow first GATT discovery is met by another try: bluetoothd remembers what it has found.
 */
#include <string.h>

#include "base/log.h"
#include "mesh/link_bluez_room.h"

#define CONNECT_MS 45000 /* bluetoothd itself gives up after 40 s */
#define RESOLVE_MS 8000
#define LATE_MS 1500
#define SETUP_MS 5000
#define CURE_MS 20000 /* behind the Connects of others, and the end of the link */
#define CALL_MS 50000
#define HEAR_OUT_MS 2000
#define POLL_MS 1000
#define HANG_UP_AGAIN_MS 3000
#define RETRY_FIRST_MS 250
#define TRIES_MAX 4
/* Connects at once: the kernel makes one after the other, and each one's 40 s run from its call. */
#define IN_FLIGHT_MAX 3

static void enter(struct bz_conn *c, enum bz_conn_state state, uint64_t timer_ms)
{
	bool was_connecting = c->state == BZ_CONN_CONNECT;

	c->state = state;
	timer_arm(c->bz->timers, &c->timer, timer_ms);
	if (was_connecting)
		bz_byes_review(c->bz);
}

static void cancel_call(struct bz_conn *c)
{
	dbus_loop_cancel(c->call);
	c->call = NULL;
}

static struct bz_object *device_of(const struct bz_conn *c)
{
	return bz_objects_find(&c->bz->objects, c->path);
}

static struct bz_object *char_of(const struct bz_conn *c, enum bz_kind kind)
{
	return bz_objects_char(&c->bz->objects, c->path, kind);
}

/* --- the end of a connection -------------------------------------------------------------------
 */

/* What bluetoothd keeps for this connection. It would subscribe by itself in each later one of that
 * device. */
static void let_go(struct bz_conn *c)
{
	const struct bz_object *tx = char_of(c, BZ_TX);

	bz_io_close(c);
	if (c->is_subscribed && tx &&
		bz_call(c->bz, tx->path, "org.bluez.GattCharacteristic1", "StopNotify",
			DBUS_TYPE_INVALID, NULL, CALL_MS, bz_ignore, c->bz, NULL) != ERR_OK)
		log_debug("bluez: StopNotify not sent");
	c->is_subscribed = false;
}

/* Told in the next turn of the loop, whoever has found it out. */
static void end(struct bz_conn *c, enum link_down why)
{
	bool is_tried = c->state != BZ_CONN_WAIT || c->try_count > 0;

	if (c->state == BZ_CONN_FREE || c->state == BZ_CONN_ENDED)
		return;
	cancel_call(c);
	let_go(c);
	c->why = why;
	if (is_tried && (why == LINK_DOWN_CONNECT || why == LINK_DOWN_SETUP))
		bz_backoff_failed(c->bz, &c->addr);
	enter(c, BZ_CONN_ENDED, 0);
}

static void tell_down(struct bz_conn *c)
{
	struct bz *bz = c->bz;
	uint16_t id = c->id;

	timer_cancel(bz->timers, &c->timer);
	c->state = BZ_CONN_FREE;
	bz->events->down(bz->arg, id, c->why);
	bz_scan_review(bz);
}

static void wait_again(struct bz_conn *c, uint64_t delay_ms)
{
	c->not_before_ms = timers_now(c->bz->timers) + delay_ms;
	c->hung_up_ms = 0;
	enter(c, BZ_CONN_WAIT, delay_ms);
	bz_scan_review(c->bz);
}

/* A Connect that was refused has made no link. To ask for its end would hold up all others. */
static void hang_up(struct bz_conn *c)
{
	const struct bz_object *device = device_of(c);

	if (c->state != BZ_CONN_CONNECT || (device && device->is_connected))
		bz_hang_up(c->bz, c->path);
}

/* Another try, as long as there are any left; why: what to say when there are none. */
static void failed(struct bz_conn *c, enum link_down why)
{
	uint64_t delay_ms = (uint64_t)RETRY_FIRST_MS << c->try_count;

	cancel_call(c);
	let_go(c);
	c->try_count++;
	if (c->try_count < TRIES_MAX && timers_now(c->bz->timers) + delay_ms < c->give_up_ms) {
		wait_again(c, delay_ms);
		return;
	}
	hang_up(c);
	end(c, why);
}

static void lost(struct bz_conn *c)
{
	if (c->state == BZ_CONN_READY)
		end(c, LINK_DOWN_LOST);
	else
		failed(c, LINK_DOWN_SETUP);
}

/* Does the answer to Get of Connected say that there is no link? */
static bool says_unconnected(DBusMessage *reply)
{
	DBusMessageIter it, value;
	bool yes;

	if (dbus_reply_check(reply, "v") != ERR_OK)
		return false;
	dbus_message_iter_init(reply, &it);
	dbus_message_iter_recurse(&it, &value);
	return dbus_value_bool(&value, &yes) == ERR_OK && !yes;
}

/* A socket may end alone: its characteristic was freed because the node's services have changed. */
static void on_heard_out(void *arg, DBusMessage *reply)
{
	struct bz_conn *c = arg;

	c->call = NULL;
	if (!says_unconnected(reply))
		bz_hang_up(c->bz, c->path);
	lost(c);
}

/* The socket's end overtakes the signals of what the peer said last. Any answer comes after them.
 */
void bz_conn_hung_up(struct bz_conn *c)
{
	cancel_call(c);
	if (bz_call_get(c->bz, c->path, "org.bluez.Device1", "Connected", HEAR_OUT_MS, on_heard_out,
		    c, &c->call) != ERR_OK)
		lost(c);
}

/* --- the cure ----------------------------------------------------------------------------------
 */

static void on_removed(void *arg, DBusMessage *reply)
{
	struct bz_conn *c = arg;

	c->call = NULL;
	if (dbus_reply_check(reply, "") != ERR_OK)
		log_debug("bluez: RemoveDevice refused error=%s", dbus_reply_error(reply));
	failed(c, LINK_DOWN_SETUP);
}

static void remove_device(struct bz_conn *c)
{
	const char *path = c->path;

	c->is_cured = true;
	if (bz_call(c->bz, c->bz->adapter, "org.bluez.Adapter1", "RemoveDevice",
		    DBUS_TYPE_OBJECT_PATH, &path, CALL_MS, on_removed, c, &c->call) != ERR_OK)
		failed(c, LINK_DOWN_SETUP);
}

/* A GATT table that is not the node's: bluetoothd forgets it with the device, which is back with
 * its next advertisement. */
static void cure(struct bz_conn *c)
{
	const struct bz_object *device = device_of(c);

	cancel_call(c);
	let_go(c);
	if (c->is_cured) {
		bz_hang_up(c->bz, c->path);
		end(c, LINK_DOWN_SETUP);
		return;
	}
	log_info("bluez: removing device to cure it cause=\"no MeshAccess service\"");
	enter(c, BZ_CONN_CURE, CURE_MS);
	if (device && device->is_connected)
		bz_hang_up(c->bz, c->path);
	else
		remove_device(c);
}

/* --- the two characteristics -------------------------------------------------------------------
 */

/* bluetoothd answers NotPermitted for a moment after the last link, and as long as another program
 * has the characteristic. */
static void refused(struct bz_conn *c, const char *what, DBusMessage *reply, enum err e)
{
	const char *error = dbus_reply_error(reply);

	log_debug("bluez: %s failed error=\"%s\"", what, error[0] != '\0' ? error : err_text(e));
	if (strcmp(error, "org.bluez.Error.NotSupported") == 0) {
		bz_hang_up(c->bz, c->path);
		end(c, LINK_DOWN_SETUP);
	} else {
		failed(c, LINK_DOWN_SETUP);
	}
}

static void on_write_acquired(void *arg, DBusMessage *reply)
{
	struct bz_conn *c = arg;
	struct bz *bz = c->bz;
	enum err e;
	int fd;

	c->call = NULL;
	e = bz_reply_fd(reply, &fd);
	if (e != ERR_OK) {
		refused(c, "AcquireWrite", reply, e);
		return;
	}
	if (bz_io_set_write(c, fd) != ERR_OK) {
		failed(c, LINK_DOWN_SETUP);
		return;
	}
	timer_cancel(bz->timers, &c->timer);
	c->state = BZ_CONN_READY;
	bz_backoff_worked(bz, &c->addr);
	bz->events->ready(bz->arg, c->id);
}

static void on_subscribed(void *arg, DBusMessage *reply)
{
	struct bz_conn *c = arg;
	const struct bz_object *rx = char_of(c, BZ_RX);
	enum err e = dbus_reply_check(reply, "");

	c->call = NULL;
	if (e != ERR_OK) {
		refused(c, "StartNotify", reply, e);
		return;
	}
	enter(c, BZ_CONN_WRITE, SETUP_MS);
	if (!rx || bz_call_options(c->bz, rx->path, "org.bluez.GattCharacteristic1", "AcquireWrite",
			   CALL_MS, on_write_acquired, c, &c->call) != ERR_OK)
		failed(c, LINK_DOWN_SETUP);
}

/* Not by AcquireNotify: when the node refuses, or is lost meanwhile, bluetoothd 5.66 to 5.83 never
 * answers that, refuses all later ones, and uses what it has freed once the device is removed: then
 * it dies, or turns in a circle for ever (seen). Subscribed first, written afterwards. */
static void subscribe(struct bz_conn *c)
{
	const struct bz_object *tx = char_of(c, BZ_TX);

	enter(c, BZ_CONN_NOTIFY, SETUP_MS);
	c->is_subscribed = true;
	if (!tx || bz_call(c->bz, tx->path, "org.bluez.GattCharacteristic1", "StartNotify",
			   DBUS_TYPE_INVALID, NULL, CALL_MS, on_subscribed, c, &c->call) != ERR_OK)
		failed(c, LINK_DOWN_SETUP);
}

/* --- connecting --------------------------------------------------------------------------------
 */

/* ServicesResolved may overtake the InterfacesAdded of the characteristics (seen with 5.66, several
 * devices at once): a resolved device without them gets a moment more. */
static void resolve(struct bz_conn *c)
{
	const struct bz_object *device = device_of(c);

	if (!device || !device->is_resolved)
		return;
	if (char_of(c, BZ_RX) && char_of(c, BZ_TX)) {
		subscribe(c);
	} else if (!c->is_late) {
		c->is_late = true;
		enter(c, BZ_CONN_RESOLVE, LATE_MS);
	}
}

/* bluetoothd does not signal Connected=true each time (seen with 5.66, several Connects in flight):
 * its answer is proof enough, and without it the next connection would be made on this link while
 * it is dying. */
static void on_connected(void *arg, DBusMessage *reply)
{
	struct bz_conn *c = arg;
	struct bz_object *device = device_of(c);

	c->call = NULL;
	if (dbus_reply_check(reply, "") != ERR_OK) {
		log_debug("bluez: Connect failed error=%s", dbus_reply_error(reply));
		failed(c, LINK_DOWN_CONNECT);
		return;
	}
	if (device)
		device->is_connected = true;
	c->is_late = false;
	enter(c, BZ_CONN_RESOLVE, RESOLVE_MS);
	bz_scan_review(c->bz);
	resolve(c);
}

static void connect_now(struct bz_conn *c)
{
	uint64_t now_ms = timers_now(c->bz->timers);

	cancel_call(c);
	if (c->try_count == 0)
		c->give_up_ms = now_ms + CONNECT_MS;
	enter(c, BZ_CONN_CONNECT, c->give_up_ms - now_ms);
	if (bz_call(c->bz, c->path, "org.bluez.Device1", "Connect", DBUS_TYPE_INVALID, NULL,
		    CALL_MS, on_connected, c, &c->call) != ERR_OK)
		failed(c, LINK_DOWN_CONNECT);
	bz_scan_review(c->bz);
}

unsigned bz_conns_in_flight(const struct bz *bz)
{
	unsigned n = 0;

	for (size_t i = 0; i < LINK_CONNECTIONS_MAX; i++)
		n += bz->conns[i].state == BZ_CONN_CONNECT;
	return n;
}

/* Is there, or may there be, a link at this moment? While it waits, one whose setup has failed. */
static bool has_link(const struct bz_conn *c)
{
	const struct bz_object *device = c->state == BZ_CONN_WAIT ? device_of(c) : NULL;

	return (device && device->is_connected) || c->state == BZ_CONN_CONNECT ||
	       c->state == BZ_CONN_RESOLVE || c->state == BZ_CONN_NOTIFY ||
	       c->state == BZ_CONN_WRITE || c->state == BZ_CONN_READY;
}

/* A controller has room for few: those that linger are links as well. */
static bool is_full(struct bz *bz)
{
	unsigned n = bz_byes_count(bz);

	for (size_t i = 0; i < LINK_CONNECTIONS_MAX; i++)
		n += has_link(&bz->conns[i]) && !bz_byes_have(bz, bz->conns[i].path);
	return n >= LINK_CONNECTIONS_MAX;
}

enum wait_step { STEP_GIVE_UP, STEP_HOLD, STEP_HANG_UP, STEP_CONNECT };

static enum wait_step wait_decide(const struct bz_conn *c, uint64_t now_ms)
{
	const struct bz_object *device = device_of(c);

	if (now_ms >= c->give_up_ms)
		return STEP_GIVE_UP;
	if (now_ms < c->not_before_ms || !device)
		return STEP_HOLD;
	if (device->is_connected) {
		bool is_due = c->hung_up_ms == 0 || now_ms - c->hung_up_ms >= HANG_UP_AGAIN_MS;

		return is_due ? STEP_HANG_UP : STEP_HOLD;
	}
	if (bz_byes_go_first(c->bz) || is_full(c->bz))
		return STEP_HOLD;
	return bz_conns_in_flight(c->bz) < IN_FLIGHT_MAX ? STEP_CONNECT : STEP_HOLD;
}

static void hold(struct bz_conn *c, uint64_t now_ms)
{
	uint64_t ms = c->not_before_ms > now_ms ? c->not_before_ms - now_ms : POLL_MS;

	enter(c, BZ_CONN_WAIT, ms < POLL_MS ? ms : POLL_MS);
}

static void on_is_connected(void *arg, DBusMessage *reply)
{
	struct bz_conn *c = arg;
	struct bz_object *device = device_of(c);

	c->call = NULL;
	if (!device || !says_unconnected(reply))
		return;
	device->is_connected = false;
	device->is_resolved = false;
	bz_conns_poll(c->bz);
}

/* Signals do get lost: after a Disconnect that seems to have had no effect, ask. */
static void hang_up_again(struct bz_conn *c, uint64_t now_ms)
{
	if (c->hung_up_ms != 0 && !c->call &&
		bz_call_get(c->bz, c->path, "org.bluez.Device1", "Connected", CALL_MS,
			on_is_connected, c, &c->call) != ERR_OK)
		log_debug("bluez: Connected not asked for");
	c->hung_up_ms = now_ms;
	bz_hang_up(c->bz, c->path);
}

/* A link that is there already is none of ours: the last one that is still dying, or one that
 * somebody has left. The node has to see a new one. */
static void poll_wait(struct bz_conn *c)
{
	uint64_t now_ms = timers_now(c->bz->timers);

	switch (wait_decide(c, now_ms)) {
	case STEP_GIVE_UP:
		end(c, LINK_DOWN_CONNECT);
		break;
	case STEP_HOLD:
		hold(c, now_ms);
		break;
	case STEP_HANG_UP:
		hang_up_again(c, now_ms);
		hold(c, now_ms);
		break;
	case STEP_CONNECT:
		connect_now(c);
		break;
	}
}

void bz_conns_poll(struct bz *bz)
{
	for (size_t i = 0; i < LINK_CONNECTIONS_MAX; i++) {
		if (bz->conns[i].state == BZ_CONN_WAIT)
			poll_wait(&bz->conns[i]);
	}
}

/* --- timers ------------------------------------------------------------------------------------
 */

static void on_timer(void *arg)
{
	struct bz_conn *c = arg;

	switch (c->state) {
	case BZ_CONN_WAIT:
		poll_wait(c);
		break;
	case BZ_CONN_CONNECT:
		cancel_call(c);
		bz_hang_up_now(c->bz, c->path);
		end(c, LINK_DOWN_CONNECT);
		break;
	case BZ_CONN_RESOLVE:
		if (c->is_late)
			cure(c);
		else
			failed(c, LINK_DOWN_SETUP);
		break;
	case BZ_CONN_NOTIFY:
	case BZ_CONN_WRITE:
	case BZ_CONN_CURE:
		failed(c, LINK_DOWN_SETUP);
		break;
	case BZ_CONN_ENDED:
		tell_down(c);
		break;
	case BZ_CONN_FREE:
	case BZ_CONN_READY:
		break;
	}
}

/* --- news --------------------------------------------------------------------------------------
 */

static void link_gone(struct bz_conn *c)
{
	if (c->state == BZ_CONN_CURE && !c->call)
		remove_device(c);
	else if (c->state == BZ_CONN_RESOLVE || c->state == BZ_CONN_NOTIFY ||
		 c->state == BZ_CONN_WRITE || c->state == BZ_CONN_READY)
		lost(c);
}

static bool is_link_gone(const struct bz_news *news)
{
	return (news->bits & BZ_NEWS_REMOVED) ||
	       ((news->bits & BZ_NEWS_CONNECTED) && !news->object->is_connected);
}

static void conn_news(struct bz_conn *c, const struct bz_news *news)
{
	if (is_link_gone(news))
		link_gone(c);
	else if (c->state == BZ_CONN_RESOLVE)
		resolve(c);
}

void bz_conns_chars(struct bz *bz)
{
	for (size_t i = 0; i < LINK_CONNECTIONS_MAX; i++) {
		if (bz->conns[i].state == BZ_CONN_RESOLVE)
			resolve(&bz->conns[i]);
	}
}

static void deliver(struct bz_conn *c, struct span pdu)
{
	if (pdu.n == 0 || pdu.n > LINK_PDU_MAX)
		log_debug("bluez: notification of wrong length bytes=%zu", pdu.n);
	else
		c->bz->events->notify(c->bz->arg, c->id, pdu);
}

/* Before READY nothing has been asked yet, so nothing of worth can arrive. */
void bz_conns_value(struct bz *bz, const char *path, struct span value)
{
	for (size_t i = 0; i < LINK_CONNECTIONS_MAX; i++) {
		struct bz_conn *c = &bz->conns[i];
		size_t n = strlen(c->path);

		if (c->state == BZ_CONN_READY && strncmp(path, c->path, n) == 0 && path[n] == '/')
			deliver(c, value);
	}
}

void bz_conns_news(struct bz *bz, const struct bz_news *news)
{
	if (is_link_gone(news))
		bz_byes_gone(bz, news->path);
	for (size_t i = 0; i < LINK_CONNECTIONS_MAX; i++) {
		struct bz_conn *c = &bz->conns[i];

		if (c->state != BZ_CONN_FREE && c->state != BZ_CONN_ENDED &&
			strcmp(c->path, news->path) == 0)
			conn_news(c, news);
	}
	bz_conns_poll(bz);
}

/* --- what the link asks ------------------------------------------------------------------------
 */

void bz_conns_init(struct bz *bz)
{
	for (size_t i = 0; i < LINK_CONNECTIONS_MAX; i++) {
		struct bz_conn *c = &bz->conns[i];

		*c = (struct bz_conn){.bz = bz, .write_fd = -1};
		timer_init(&c->timer, on_timer, c);
	}
}

static struct bz_conn *conn_of(struct bz *bz, uint16_t id)
{
	for (size_t i = 0; i < LINK_CONNECTIONS_MAX; i++) {
		struct bz_conn *c = &bz->conns[i];

		if (c->state != BZ_CONN_FREE && c->id == id)
			return c;
	}
	return NULL;
}

static enum err find_slot(struct bz *bz, const char *path, struct bz_conn **out)
{
	*out = NULL;
	for (size_t i = 0; i < LINK_CONNECTIONS_MAX; i++) {
		struct bz_conn *c = &bz->conns[i];

		if (c->state == BZ_CONN_FREE)
			*out = c;
		else if (c->state != BZ_CONN_ENDED && strcmp(c->path, path) == 0)
			return ERR_CONFLICT;
	}
	return *out ? ERR_OK : ERR_FULL;
}

static uint16_t next_id(struct bz *bz)
{
	do {
		bz->last_id++;
	} while (bz->last_id == 0 || conn_of(bz, bz->last_id));
	return bz->last_id;
}

enum err bz_conn_open(struct bz *bz, const struct link_addr *addr, uint16_t *id)
{
	uint64_t now_ms = timers_now(bz->timers);
	char path[BZ_PATH_MAX];
	struct bz_conn *c;
	enum err e = bz_device_path(bz->adapter, addr, path);

	if (e == ERR_OK)
		e = find_slot(bz, path, &c);
	if (e != ERR_OK)
		return e;
	memcpy(c->path, path, sizeof(path));
	c->id = next_id(bz);
	c->addr = *addr;
	c->give_up_ms = now_ms + CONNECT_MS;
	c->not_before_ms = bz_backoff_until(bz, addr);
	c->hung_up_ms = 0;
	c->try_count = 0;
	c->is_cured = false;
	enter(c, BZ_CONN_WAIT, 0);
	*id = c->id;
	bz_scan_review(bz);
	return ERR_OK;
}

enum err bz_conn_write(struct bz *bz, uint16_t id, struct span pdu)
{
	struct bz_conn *c = conn_of(bz, id);

	return c && c->state == BZ_CONN_READY ? bz_io_write(c, pdu) : ERR_STATE;
}

void bz_conn_close(struct bz *bz, uint16_t id)
{
	struct bz_conn *c = conn_of(bz, id);

	if (!c || c->state == BZ_CONN_ENDED)
		return;
	if (c->state == BZ_CONN_READY)
		bz_linger(bz, c->path);
	else if (c->state == BZ_CONN_CONNECT)
		bz_hang_up_now(bz, c->path);
	else if (has_link(c))
		bz_hang_up(bz, c->path);
	end(c, LINK_DOWN_LOCAL);
}

void bz_conns_fail(struct bz *bz)
{
	for (size_t i = 0; i < LINK_CONNECTIONS_MAX; i++) {
		struct bz_conn *c = &bz->conns[i];

		if (c->state == BZ_CONN_FREE)
			continue;
		end(c, LINK_DOWN_ADAPTER);
		tell_down(c);
	}
}

void bz_conns_free(struct bz *bz)
{
	for (size_t i = 0; i < LINK_CONNECTIONS_MAX; i++) {
		struct bz_conn *c = &bz->conns[i];

		if (has_link(c))
			bz_hang_up_now(bz, c->path);
		cancel_call(c);
		let_go(c);
		timer_cancel(bz->timers, &c->timer);
		c->state = BZ_CONN_FREE;
	}
}

bool bz_conns_need_scan(const struct bz *bz)
{
	for (size_t i = 0; i < LINK_CONNECTIONS_MAX; i++) {
		const struct bz_conn *c = &bz->conns[i];

		if (c->state == BZ_CONN_WAIT && !device_of(c))
			return true;
	}
	return false;
}
