#include "support/link_air.h"

#include <stdlib.h>

#define EVENTS_MAX 4096

struct happening {
	enum { ADVERT, READY, NOTIFY, DOWN } type;
	uint16_t conn;
	enum link_down why;
	struct link_addr addr;
	int8_t rssi_dbm;
	bool connectable;
	size_t n;
	uint8_t b[32];
};

struct conn {
	uint16_t link; /* of the air; 0xFFFF: free */
	uint16_t id;   /* of ours */
	struct link_addr addr;
	bool ready;
	bool ours;         /* we hung up */
	uint64_t until_ms; /* then it is done */
};

#define FREE 0xFFFF

struct link_air {
	struct air *air;
	struct air_radio *radio;
	const struct link_events *events;
	void *arg;
	bool dead;
	bool told_ready;
	bool scanning;
	uint32_t patience_ms;
	uint64_t hang_up_ms;
	uint16_t last_id;
	struct conn conns[LINK_CONNECTIONS_MAX];
	size_t first, count; /* a ring */
	struct happening ring[EVENTS_MAX];
};

static struct happening *push(struct link_air *la)
{
	struct happening *h;

	if (la->count == EVENTS_MAX)
		abort();
	h = &la->ring[(la->first + la->count++) % EVENTS_MAX];
	memset(h, 0, sizeof(*h));
	return h;
}

static struct conn *by_link(struct link_air *la, uint16_t link)
{
	for (size_t i = 0; i < LINK_CONNECTIONS_MAX; i++)
		if (la->conns[i].link == link)
			return &la->conns[i];
	return NULL;
}

static struct conn *by_id(struct link_air *la, uint16_t id)
{
	for (size_t i = 0; i < LINK_CONNECTIONS_MAX; i++)
		if (la->conns[i].link != FREE && la->conns[i].id == id)
			return &la->conns[i];
	return NULL;
}

/* --- the air tells ------------------------------------------------------------------------- */

/* The value under UUID 0xFE12 of a whole advertising payload. */
static bool service_data(struct span adv, struct happening *h)
{
	for (size_t i = 0; i + 4 <= adv.n && i + adv.p[i] < adv.n; i += 1u + adv.p[i]) {
		const uint8_t *p = adv.p + i;

		if (p[0] < 3 || p[1] != 0x16 || p[2] != 0x12 || p[3] != 0xFE)
			continue;
		h->n = p[0] - 3u;
		memcpy(h->b, p + 4, h->n);
		return true;
	}
	return false;
}

static void on_report(void *ctx, const struct port_report *report, struct span rsp)
{
	struct link_air *la = ctx;
	struct happening h = {
		.type = ADVERT, .rssi_dbm = report->rssi_dbm, .connectable = report->connectable};

	(void)rsp;
	h.addr.type = report->address[0];
	memcpy(h.addr.b, report->address + 1, sizeof(h.addr.b));
	if (!la->dead && service_data(report->data, &h))
		*push(la) = h;
}

static void gone(struct link_air *la, struct conn *c, enum link_down why)
{
	struct happening *h = push(la);

	h->type = DOWN;
	h->conn = c->id;
	h->why = c->ours ? LINK_DOWN_LOCAL : why;
	c->link = FREE;
}

static void on_connected(void *ctx, uint16_t link, enum err result)
{
	struct link_air *la = ctx;
	struct conn *c = by_link(la, link);

	if (la->dead || !c)
		return;
	if (result != ERR_OK || air_radio_subscribe(la->radio, link) != ERR_OK)
		gone(la, c, LINK_DOWN_CONNECT);
}

static void on_subscribed(void *ctx, uint16_t link)
{
	struct link_air *la = ctx;
	struct conn *c = by_link(la, link);
	struct happening *h;

	if (la->dead || !c)
		return;
	c->ready = true;
	h = push(la);
	h->type = READY;
	h->conn = c->id;
}

static void on_notified(void *ctx, uint16_t link, struct span pdu)
{
	struct link_air *la = ctx;
	struct conn *c = by_link(la, link);
	struct happening *h;

	if (la->dead || !c)
		return;
	h = push(la);
	h->type = NOTIFY;
	h->conn = c->id;
	h->n = pdu.n;
	memcpy(h->b, pdu.p, pdu.n);
}

static void on_disconnected(void *ctx, uint16_t link, uint8_t hci_reason)
{
	struct link_air *la = ctx;
	struct conn *c = by_link(la, link);

	(void)hci_reason;
	if (!la->dead && c)
		gone(la, c, LINK_DOWN_LOST);
}

static const struct air_radio_ops radio_ops = {
	.report = on_report,
	.connected = on_connected,
	.subscribed = on_subscribed,
	.notified = on_notified,
	.disconnected = on_disconnected,
};

/* --- the mesh asks --------------------------------------------------------------------------- */

static void op_scan(void *impl, bool on)
{
	struct link_air *la = impl;

	la->scanning = on;
	if (!la->dead)
		air_radio_scan(la->radio, on);
}

static enum err op_connect(void *impl, const struct link_addr *addr, uint16_t *conn)
{
	struct link_air *la = impl;
	struct conn *c = by_link(la, FREE);
	uint8_t address[PORT_ADDRESS_BYTES];
	enum err e;

	if (!c || la->dead)
		return c ? ERR_STATE : ERR_FULL;
	for (size_t i = 0; i < LINK_CONNECTIONS_MAX; i++)
		if (la->conns[i].link != FREE && link_addr_equal(&la->conns[i].addr, addr))
			return ERR_CONFLICT;
	address[0] = addr->type;
	memcpy(address + 1, addr->b, sizeof(addr->b));
	*c = (struct conn){.link = FREE, .id = ++la->last_id, .addr = *addr};
	e = air_radio_connect(la->radio, address, la->patience_ms, &c->link);
	if (e != ERR_OK)
		c->link = FREE;
	*conn = c->id;
	return e;
}

static enum err op_write(void *impl, uint16_t conn, struct span pdu)
{
	struct link_air *la = impl;
	struct conn *c = by_id(la, conn);

	if (!c || !c->ready || c->ours)
		return ERR_STATE;
	return la->dead ? ERR_OK : air_radio_write(la->radio, c->link, pdu.p, pdu.n);
}

static void op_disconnect(void *impl, uint16_t conn)
{
	struct link_air *la = impl;
	struct conn *c = by_id(la, conn);

	if (!c || la->dead || c->ours)
		return;
	c->ours = true;
	c->until_ms = air_now_ms(la->air) + la->hang_up_ms;
	if (la->hang_up_ms == 0)
		air_radio_disconnect(la->radio, c->link);
}

static void op_free(void *impl)
{
	struct link_air *la = impl;

	if (!la->dead)
		air_radio_free(la->radio);
	free(la);
}

static const struct link_ops ops = {
	.scan = op_scan,
	.connect = op_connect,
	.write = op_write,
	.disconnect = op_disconnect,
	.free = op_free,
};

struct link_air *link_air_new(struct air *air, const struct link_events *events, void *arg)
{
	struct link_air *la = calloc(1, sizeof(*la));

	if (!la)
		abort();
	la->air = air;
	la->events = events;
	la->arg = arg;
	la->patience_ms = 15000;
	for (size_t i = 0; i < LINK_CONNECTIONS_MAX; i++)
		la->conns[i].link = FREE;
	la->radio = air_radio_new(air, &radio_ops, la);
	if (!la->radio)
		abort();
	return la;
}

struct link link_air_link(struct link_air *la)
{
	return (struct link){.ops = &ops, .impl = la};
}

static void tell(struct link_air *la, const struct happening *h)
{
	struct link_advert advert = {.addr = h->addr,
		.rssi_dbm = h->rssi_dbm,
		.connectable = h->connectable,
		.service_data = {h->b, h->n}};

	switch (h->type) {
	case ADVERT:
		la->events->advert(la->arg, &advert);
		break;
	case READY:
		la->events->ready(la->arg, h->conn);
		break;
	case NOTIFY:
		la->events->notify(la->arg, h->conn, (struct span){h->b, h->n});
		break;
	case DOWN:
		la->events->down(la->arg, h->conn, h->why);
		break;
	}
}

/* With the next thing that happens, an advert at the latest. */
static void hang_up_late(struct link_air *la)
{
	for (size_t i = 0; i < LINK_CONNECTIONS_MAX && la->hang_up_ms > 0; i++) {
		const struct conn *c = &la->conns[i];

		if (c->link != FREE && c->ours && air_now_ms(la->air) >= c->until_ms)
			air_radio_disconnect(la->radio, c->link);
	}
}

bool link_air_deliver(struct link_air *la)
{
	bool any;

	hang_up_late(la);
	any = la->count > 0 || !la->told_ready;

	if (!la->told_ready) {
		la->told_ready = true;
		la->events->adapter(la->arg, true);
	}
	while (la->count > 0 && !la->dead) {
		struct happening h = la->ring[la->first];

		la->first = (la->first + 1) % EVENTS_MAX;
		la->count--;
		tell(la, &h);
	}
	return any;
}

unsigned link_air_connections(const struct link_air *la)
{
	unsigned n = 0;

	for (size_t i = 0; i < LINK_CONNECTIONS_MAX; i++)
		n += la->conns[i].link != FREE;
	return n;
}

void link_air_set_patience(struct link_air *la, uint32_t ms)
{
	la->patience_ms = ms;
}

void link_air_set_hang_up(struct link_air *la, uint64_t ms)
{
	la->hang_up_ms = ms;
}

void link_air_kill(struct link_air *la)
{
	if (!la->dead)
		air_radio_free(la->radio);
	la->dead = true;
	la->count = 0;
}
