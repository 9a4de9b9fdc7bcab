#include "vm/peers.h"

#include <stdlib.h>

#define HANDLE_FIRST 0x40
#define ATT_ERROR_UNLIKELY 0x0E
#define NOTIFIED_WHEN_OPEN 3 /* ANONCE, DONE, its cluster info */
#define LINKS_EXPECTED 8     /* controllers have room for 5 to 20; LINK_CONNECTIONS_MAX is ours */
#define CONNECT_FOR_EVER_MS (24u * 3600 * 1000) /* the host gives up, not the controller */

/* --- plans -------------------------------------------------------------------------------------
 */

enum err peer_moment_parse(const char *text, enum peer_moment *out)
{
	static const char *const words[PEER_MOMENT_COUNT] = {"connected", "mtu", "discovery",
		"subscribe", "start", "anonce", "open", "request", "answer"};

	for (size_t i = 0; i < PEER_MOMENT_COUNT; i++) {
		if (strcmp(words[i], text) != 0)
			continue;
		*out = (enum peer_moment)i;
		return ERR_OK;
	}
	return ERR_UNKNOWN;
}

static struct peer_plan *find_plan(struct peers *ps, const uint8_t *address)
{
	for (size_t i = 0; i < ps->plan_count; i++)
		if (memcmp(ps->plans[i].address, address, PORT_ADDRESS_BYTES) == 0)
			return &ps->plans[i];
	return NULL;
}

struct peer_plan *peers_plan(struct peers *ps, const uint8_t address[PORT_ADDRESS_BYTES])
{
	struct peer_plan *plan = find_plan(ps, address);

	if (plan || ps->plan_count == PEER_PLANS_MAX)
		return plan;
	plan = &ps->plans[ps->plan_count++];
	memset(plan, 0, sizeof(*plan));
	memcpy(plan->address, address, PORT_ADDRESS_BYTES);
	return plan;
}

static bool is_bad(const struct peer *p, enum bad_peer fault)
{
	return bad_peers_has(&p->peers->bad, p->address, fault);
}

/* --- links -------------------------------------------------------------------------------------
 */

static void tell(struct peer *p, const char *what)
{
	if (p->peers->tell)
		p->peers->tell(p->peers->arg, p, what);
}

static void complain(struct peer *p, const char *what)
{
	struct peers *ps = p->peers;

	if (!what)
		return;
	tell(p, what);
	if (ps->violation_count < PEER_VIOLATIONS_MAX) {
		struct peer_violation *v = &ps->violations[ps->violation_count];

		memcpy(v->address, p->address, sizeof(v->address));
		v->what = what;
	}
	ps->violation_count++;
}

static struct peer *by_handle(struct peers *ps, uint16_t handle)
{
	size_t i = (size_t)handle - HANDLE_FIRST;

	return i < CONTROLLER_LINKS_MAX && ps->all[i].handle == handle ? &ps->all[i] : NULL;
}

static struct peer *by_link(struct peers *ps, uint16_t link)
{
	for (size_t i = 0; i < CONTROLLER_LINKS_MAX; i++)
		if (ps->all[i].handle != 0 && ps->all[i].link == link)
			return &ps->all[i];
	return NULL;
}

static struct peer *attempt(struct peers *ps)
{
	for (size_t i = 0; i < CONTROLLER_LINKS_MAX; i++)
		if (ps->all[i].handle != 0 && !ps->all[i].is_up)
			return &ps->all[i];
	return NULL;
}

static struct peer *take_free(struct peers *ps)
{
	for (size_t i = 0; i < CONTROLLER_LINKS_MAX; i++) {
		struct peer *p = &ps->all[i];

		if (p->handle != 0)
			continue;
		p->handle = (uint16_t)(HANDLE_FIRST + i);
		p->is_up = p->is_lost = p->is_asked = false;
		p->notified_count = 0;
		p->pending.answer_bytes = 0;
		l2cap_reset(&p->in);
		att_reset(&p->att);
		watch_reset(&p->watch);
		return p;
	}
	return NULL;
}

static void set_free(struct peer *p)
{
	(void)event_del(p->timer);
	p->handle = 0;
	p->is_up = false;
}

/* The link is over; the host hears why. */
static void drop(struct peer *p, uint8_t reason)
{
	uint16_t handle = p->handle;

	tell(p, "disconnected");
	set_free(p);
	controller_disconnected(p->peers->controller, handle, reason);
}

/* Nothing passes any more; both sides notice when the supervision timeout is over. */
static void lose(struct peer *p)
{
	tell(p, "breaks");
	p->is_lost = true;
	air_radio_lose(p->peers->radio, p->link);
}

/* Does the link break at this moment, as ordered? Once for each order. */
static bool breaks(struct peer *p, enum peer_moment now)
{
	struct peer_plan *plan = find_plan(p->peers, p->address);

	if (!plan || (plan->break_at & 1u << now) == 0)
		return false;
	plan->break_at &= ~(1u << now);
	lose(p);
	return true;
}

/* --- answers -----------------------------------------------------------------------------------
 */

static void send_frame(struct peer *p, uint16_t channel, const void *payload, size_t n)
{
	uint8_t frame[L2CAP_HEADER_BYTES + ATT_MTU_NODE];
	size_t bytes;

	if (!p->is_lost &&
		l2cap_encode(channel, payload, n, frame, sizeof(frame), &bytes) == ERR_OK)
		controller_acl(p->peers->controller, p->handle, frame, bytes);
}

static void send_pending(struct peer *p)
{
	size_t n = p->pending.answer_bytes;

	p->pending.answer_bytes = 0;
	if (p->is_up && n > 0)
		send_frame(p, L2CAP_ATT, p->pending.answer, n);
}

static void on_answer_due(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	send_pending(arg);
}

/* One and a half intervals of 1.25 ms. */
static void answer_later(struct peer *p)
{
	struct timeval tv = drive_delay(p->peers->drive, p->peers->controller->interval * 15u / 8u);

	(void)event_add(p->timer, &tv);
}

static void notify(struct peer *p, struct span pdu)
{
	uint8_t b[ATT_MTU_NODE];

	send_frame(p, L2CAP_ATT, b, att_notification(&p->att, pdu.p, pdu.n, b));
}

/* --- requests ----------------------------------------------------------------------------------
 */

/* The CCCD write: its answer waits for the node. */
static void subscribe(struct peer *p, struct span request)
{
	static const uint8_t early[PORT_PDU_MAX_BYTES] = {1, 2, 3};

	complain(p, watch_subscribe(&p->watch));
	tell(p, "subscribes");
	if (breaks(p, PEER_AT_SUBSCRIBE))
		return;
	if (is_bad(p, BAD_PEER_REFUSES)) {
		p->att.subscribed = false;
		att_refuse(request.p, request.n, ATT_ERROR_UNLIKELY, &p->pending);
		answer_later(p);
		return;
	}
	if (is_bad(p, BAD_PEER_EARLY)) {
		tell(p, "notifies early");
		notify(p, (struct span){early, sizeof(early)});
	}
	if (air_radio_subscribe(p->peers->radio, p->link) != ERR_OK)
		tell(p, "the air refuses the subscription");
}

static bool is_open(const struct peer *p)
{
	return p->notified_count >= NOTIFIED_WHEN_OPEN;
}

static void write_rx(struct peer *p, struct span written)
{
	bool is_first = p->watch.stage < WATCH_STARTED;
	bool is_request = is_open(p) && !p->is_asked;

	complain(p, watch_write(&p->watch, written));
	if ((is_first && breaks(p, PEER_AT_START)) || (is_request && breaks(p, PEER_AT_REQUEST)))
		return;
	p->is_asked = is_open(p);
	if (written.n > 0 && written.n <= PORT_PDU_MAX_BYTES)
		(void)!air_radio_write(p->peers->radio, p->link, written.p, written.n);
}

static bool is_broken_at(struct peer *p, enum att_what what)
{
	return (what == ATT_MTU && breaks(p, PEER_AT_MTU)) ||
	       (what == ATT_DISCOVER && breaks(p, PEER_AT_DISCOVERY));
}

/* One request at a time waits for its answer: a client sends no second one before it (Vol 3 Part F,
 * 3.3.2), and commands have none. */
static void keep_answer(struct peer *p, const struct att_result *result)
{
	if (result->answer_bytes > 0)
		p->pending = *result;
}

static void take_att(struct peer *p, struct span request)
{
	struct att_result result;

	att_take(&p->att, request.p, request.n, &result);
	if (result.answer_bytes > 0 && is_bad(p, BAD_PEER_DEAF))
		return;
	if (is_broken_at(p, result.what))
		return;
	keep_answer(p, &result);
	switch (result.what) {
	case ATT_MTU:
		complain(p, watch_mtu(&p->watch));
		break;
	case ATT_SUBSCRIBE:
		subscribe(p, request);
		return;
	case ATT_WRITE:
		write_rx(p, result.written);
		break;
	case ATT_UNSUBSCRIBE:
		tell(p, "unsubscribes");
		break;
	case ATT_LOOK_INTO:
		tell(p, "shows its characteristics");
		break;
	case ATT_DISCOVER:
	case ATT_NOTHING:
		break;
	}
	if (result.answer_bytes > 0)
		answer_later(p);
}

/* Pairing is refused (§2.1). */
static void take_smp(struct peer *p, struct span request)
{
	static const uint8_t failed[2] = {0x05, 0x05}; /* Pairing Failed: Pairing Not Supported */

	if (request.n > 0 && request.p[0] == 0x01)
		send_frame(p, L2CAP_SMP, failed, sizeof(failed));
}

void peers_acl(void *ctx, uint16_t handle, bool is_first, struct span part)
{
	struct peer *p = by_handle(ctx, handle);
	struct l2cap_frame frame;

	if (!p || !p->is_up || p->is_lost || l2cap_feed(&p->in, is_first, part, &frame) != ERR_OK)
		return;
	if (frame.channel == L2CAP_ATT)
		take_att(p, frame.data);
	else if (frame.channel == L2CAP_SMP)
		take_smp(p, frame.data);
}

/* --- what the host asks of the radio -----------------------------------------------------------
 */

enum err peers_connect(void *ctx, const uint8_t address[PORT_ADDRESS_BYTES])
{
	struct peers *ps = ctx;
	struct peer *p = take_free(ps);
	enum err e;

	if (!p)
		return ERR_FULL;
	memcpy(p->address, address, PORT_ADDRESS_BYTES);
	p->link = PORT_NO_LINK;
	if (is_bad(p, BAD_PEER_SILENT)) {
		tell(p, "stays silent");
		return ERR_OK;
	}
	e = air_radio_connect(ps->radio, address, CONNECT_FOR_EVER_MS, &p->link);
	if (e != ERR_OK)
		set_free(p);
	return e;
}

void peers_cancel(void *ctx)
{
	struct peers *ps = ctx;
	struct peer *p = attempt(ps);

	if (p && p->link == PORT_NO_LINK) {
		set_free(p);
		controller_connect_failed(ps->controller, HCI_UNKNOWN_CONNECTION);
	} else if (p) {
		air_radio_disconnect(ps->radio, p->link); /* ends in on_connected */
	}
}

enum err peers_disconnect(void *ctx, uint16_t handle)
{
	struct peers *ps = ctx;
	struct peer *p = by_handle(ps, handle);

	if (!p || !p->is_up)
		return ERR_NOT_FOUND;
	air_radio_disconnect(ps->radio, p->link);
	return ERR_OK;
}

void peers_reset(void *ctx)
{
	struct peers *ps = ctx;

	for (size_t i = 0; i < CONTROLLER_LINKS_MAX; i++) {
		struct peer *p = &ps->all[i];

		if (p->handle == 0)
			continue;
		air_radio_disconnect(ps->radio, p->link);
		set_free(p);
	}
}

bool peers_lose(struct peers *ps, const uint8_t address[PORT_ADDRESS_BYTES])
{
	for (size_t i = 0; i < CONTROLLER_LINKS_MAX; i++) {
		struct peer *p = &ps->all[i];

		if (!p->is_up || memcmp(p->address, address, PORT_ADDRESS_BYTES) != 0)
			continue;
		lose(p);
		return true;
	}
	return false;
}

/* --- the air tells -----------------------------------------------------------------------------
 */

static void on_report(void *ctx, const struct port_report *report, struct span rsp)
{
	controller_report(((struct peers *)ctx)->controller, report, rsp);
}

static unsigned count_up(const struct peers *ps)
{
	unsigned n = 0;

	for (size_t i = 0; i < CONTROLLER_LINKS_MAX; i++)
		n += ps->all[i].handle != 0 && ps->all[i].is_up;
	return n;
}

/* What no kernel forbids, and no good central does. */
static void judge_connect(struct peer *p)
{
	if (p->peers->controller->was_disturbed) /* Linux 6.1 takes the link for failed, see
						    link_bluez_bye.c */
		complain(p, "another link was ended while this one was made");
	if (count_up(p->peers) > LINKS_EXPECTED)
		complain(p, "many a controller has no room for so many links");
}

static void on_connected(void *ctx, uint16_t link, enum err result)
{
	struct peers *ps = ctx;
	struct peer *p = by_link(ps, link);

	if (!p)
		return;
	if (result != ERR_OK) {
		set_free(p);
		controller_connect_failed(ps->controller, HCI_UNKNOWN_CONNECTION);
		return;
	}
	p->is_up = true;
	p->up_ms = drive_now_ms(ps->drive);
	tell(p, "connected");
	judge_connect(p);
	controller_connected(ps->controller, p->handle, p->address);
	if (is_bad(p, BAD_PEER_BRIEF)) {
		drop(p, HCI_NOT_ESTABLISHED);
		air_radio_disconnect(ps->radio, link);
		return;
	}
	(void)breaks(p, PEER_AT_CONNECTED);
}

static void on_subscribed(void *ctx, uint16_t link)
{
	struct peer *p = by_link(ctx, link);

	if (!p)
		return;
	watch_subscribed(&p->watch);
	tell(p, "subscribed");
	send_pending(p);
}

static void on_notified(void *ctx, uint16_t link, struct span pdu)
{
	struct peer *p = by_link(ctx, link);

	if (!p || !p->is_up)
		return;
	p->notified_count++;
	if ((p->notified_count == 1 && breaks(p, PEER_AT_ANONCE)) ||
		(p->notified_count == NOTIFIED_WHEN_OPEN && breaks(p, PEER_AT_OPEN)) ||
		(p->is_asked && breaks(p, PEER_AT_ANSWER)))
		return;
	if (p->att.subscribed)
		notify(p, pdu);
}

static void on_disconnected(void *ctx, uint16_t link, uint8_t hci_reason)
{
	struct peer *p = by_link(ctx, link);

	if (p)
		drop(p, hci_reason);
}

static const struct air_radio_ops air_ops = {
	.report = on_report,
	.connected = on_connected,
	.subscribed = on_subscribed,
	.notified = on_notified,
	.disconnected = on_disconnected,
};

enum err peers_init(struct peers *ps, struct drive *drive, struct controller *controller)
{
	memset(ps, 0, sizeof(*ps));
	ps->drive = drive;
	ps->controller = controller;
	ps->radio = air_radio_new(drive->air, &air_ops, ps);
	if (!ps->radio)
		return ERR_NOMEM;
	air_radio_scan(ps->radio, true);
	for (size_t i = 0; i < CONTROLLER_LINKS_MAX; i++) {
		ps->all[i].peers = ps;
		ps->all[i].timer = event_new(drive->base, -1, 0, on_answer_due, &ps->all[i]);
		if (!ps->all[i].timer)
			return ERR_NOMEM;
	}
	return ERR_OK;
}

void peers_done(struct peers *ps)
{
	for (size_t i = 0; i < CONTROLLER_LINKS_MAX; i++)
		if (ps->all[i].timer)
			event_free(ps->all[i].timer);
	air_radio_free(ps->radio);
	ps->radio = NULL;
}
