/* Connections in the virtual air: a radio or a node as central, a node as peripheral. */
#include <stdlib.h>

#include "air_room.h"

#define RADIO_TIMEOUT_MS 40000 /* bluez.md: a silent peer */
#define RADIO_INTERVAL_MS 40   /* connection interval that Linux chooses */
#define NODE_INTERVAL_MS 10    /* that a node chooses (§4.6) */
#define CONNECT_MS 5
#define DISCOVERY_MIN_MS 700 /* service discovery by a node (fleet-baseline) */
#define DISCOVERY_MAX_MS 1200
#define SUPERVISION_MS 420
#define CHANCE_TO_CONNECT 60 /* percent, per advertisement */

struct air_conn *air_conn_find(struct air *air, uint16_t id)
{
	for (struct air_conn *c = air->conns; c; c = c->next)
		if (c->id == id)
			return c;
	return NULL;
}

static struct air_conn *conn_new(struct air *air)
{
	struct air_conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->id = air_new_id(air);
	c->next = air->conns;
	air->conns = c;
	return c;
}

static void conn_free(struct air *air, struct air_conn *conn)
{
	for (struct air_conn **p = &air->conns; *p; p = &(*p)->next) {
		if (*p != conn)
			continue;
		*p = conn->next;
		free(conn);
		return;
	}
}

static uint64_t interval_ms(const struct air_conn *c)
{
	return c->radio ? RADIO_INTERVAL_MS : NODE_INTERVAL_MS;
}

/* Plans fn for this connection, behind what was planned in this direction before. */
static struct air_event *plan_in_order(
	struct air *air, struct air_conn *c, enum air_dir dir, uint64_t delay_ms, air_event_fn *fn)
{
	uint64_t at = air->now_ms + delay_ms;
	struct air_event *ev;

	if (at < c->last_ms[dir])
		at = c->last_ms[dir];
	c->last_ms[dir] = at;
	ev = air_plan(air, at - air->now_ms, fn, NULL);
	ev->link = c->id;
	return ev;
}

static uint64_t hop_ms(struct air *air, const struct air_conn *c)
{
	return air_between(air, 1, interval_ms(c));
}

/* --- the end
 * -------------------------------------------------------------------------------------- */

/* Both sides learn that it is over; the connection is gone before they do. */
static void on_end(struct air *air, struct air_event *ev)
{
	struct air_conn *c = air_conn_find(air, ev->link);
	struct air_conn gone;
	uint8_t reason = ev->data[0];

	if (!c)
		return;
	gone = *c;
	conn_free(air, c);
	if (gone.peripheral && gone.peripheral->running) {
		node_on_disconnected(&gone.peripheral->core, air->now_ms, gone.id);
		sim_node_rearm(gone.peripheral);
	}
	if (gone.central && gone.central->running) {
		node_on_disconnected(&gone.central->core, air->now_ms, gone.id);
		sim_node_rearm(gone.central);
	}
	if (gone.radio)
		gone.radio->ops->disconnected(gone.radio->ctx, gone.id, reason);
}

static void end(struct air *air, struct air_conn *c, uint8_t reason, uint64_t delay_ms)
{
	struct air_event *ev;
	uint64_t last = c->last_ms[0] > c->last_ms[1] ? c->last_ms[0] : c->last_ms[1];

	if (c->closing)
		return;
	c->closing = true;
	if (air->now_ms + delay_ms < last && reason != AIR_HCI_TIMEOUT)
		delay_ms = last - air->now_ms;
	ev = air_plan(air, delay_ms, on_end, NULL);
	ev->link = c->id;
	ev->data[0] = reason;
}

void air_drop_node(struct sim_node *n, uint8_t hci_reason)
{
	uint64_t delay_ms = hci_reason == AIR_HCI_TIMEOUT ? SUPERVISION_MS : CONNECT_MS;

	for (struct air_conn *c = n->air->conns; c; c = c->next) {
		if (c->peripheral != n && c->central != n)
			continue;
		if (c->peripheral == n)
			c->peripheral = NULL;
		if (c->central == n)
			c->central = NULL;
		end(n->air, c, hci_reason, delay_ms);
	}
}

/* --- the beginning
 * ----------------------------------------------------------------------------------- */

static void on_up_central(struct air *air, struct air_event *ev)
{
	struct air_conn *c = air_conn_find(air, ev->link);

	if (!c || c->closing)
		return;
	if (c->radio) {
		c->radio->ops->connected(c->radio->ctx, c->id, ERR_OK);
	} else if (c->central) {
		node_on_connected(&c->central->core, air->now_ms, c->id, PORT_CENTRAL,
			c->peripheral->address);
		sim_node_rearm(c->central);
	}
}

static void connect_up(struct air_conn *c, struct sim_node *n)
{
	static const uint8_t radio_address[PORT_ADDRESS_BYTES] = {0, 1, 0, 0, 0, 0, 0};
	struct air *air = n->air;
	uint8_t address[PORT_ADDRESS_BYTES];

	memcpy(address, c->radio ? radio_address : c->central->address, sizeof(address));
	c->up = true;
	c->peripheral = n;
	plan_in_order(air, c, AIR_TO_CENTRAL, CONNECT_MS, on_up_central);
	node_on_connected(&n->core, air->now_ms, c->id, PORT_PERIPHERAL, address);
	sim_node_rearm(n);
}

static int rssi_of(struct air *air, const struct air_conn *c, const struct sim_node *n)
{
	return c->radio ? air_rssi_radio(air, n) : air_rssi_nodes(air, c->central, n);
}

void air_connect_waiting(struct sim_node *n)
{
	struct air *air = n->air;
	struct air_conn *next;

	if (!air_is_connectable(n))
		return;
	for (struct air_conn *c = air->conns; c; c = next) {
		next = c->next;
		if (c->up || c->closing || memcmp(c->target, n->address, PORT_ADDRESS_BYTES) != 0)
			continue;
		if (rssi_of(air, c, n) < AIR_RSSI_FLOOR || !air_chance(air, CHANCE_TO_CONNECT))
			continue;
		connect_up(c, n);
		return; /* one connection an advertisement */
	}
}

static void connect_failed(struct air *air, struct air_conn *c, enum err why)
{
	struct air_conn gone = *c;

	conn_free(air, c);
	if (gone.radio) {
		gone.radio->ops->connected(gone.radio->ctx, gone.id, why);
	} else if (gone.central && gone.central->running) {
		node_on_connect_failed(&gone.central->core, air->now_ms);
		sim_node_rearm(gone.central);
	}
}

static void on_connect_end(struct air *air, struct air_event *ev)
{
	struct air_conn *c = air_conn_find(air, ev->link);

	if (c && !c->up && c->timeout_at_ms <= air->now_ms)
		connect_failed(air, c, ev->result);
}

static void plan_connect_end(struct air *air, struct air_conn *c, uint64_t delay_ms, enum err why)
{
	struct air_event *ev = air_plan(air, delay_ms, on_connect_end, NULL);

	c->timeout_at_ms = air->now_ms + delay_ms;
	ev->link = c->id;
	ev->result = why;
}

enum err air_connect_node(
	struct sim_node *central, const uint8_t address[PORT_ADDRESS_BYTES], uint32_t timeout_ms)
{
	struct air_conn *c;

	for (c = central->air->conns; c; c = c->next)
		if (c->central == central && !c->up && !c->closing)
			return ERR_BUSY;
	c = conn_new(central->air);
	if (!c)
		return ERR_NOMEM;
	c->central = central;
	memcpy(c->target, address, PORT_ADDRESS_BYTES);
	plan_connect_end(central->air, c, timeout_ms, ERR_TIMEOUT);
	return ERR_OK;
}

void air_connect_cancel(struct sim_node *central)
{
	for (struct air_conn *c = central->air->conns; c; c = c->next)
		if (c->central == central && !c->up && !c->closing)
			plan_connect_end(central->air, c, 0, ERR_CLOSED);
}

/* --- subscribing
 * ---------------------------------------------------------------------------------------- */

static void on_subscribed_central(struct air *air, struct air_event *ev)
{
	struct air_conn *c = air_conn_find(air, ev->link);

	if (!c || c->closing)
		return;
	if (c->radio) {
		c->radio->ops->subscribed(c->radio->ctx, c->id);
	} else if (c->central) {
		node_on_subscribed(&c->central->core, air->now_ms, c->id);
		sim_node_rearm(c->central);
	}
}

/* The CCCD write arrives at the peripheral, its answer goes back. */
static void on_cccd(struct air *air, struct air_event *ev)
{
	struct air_conn *c = air_conn_find(air, ev->link);

	if (!c || c->closing || !c->peripheral)
		return;
	if ((c->peripheral->spec.faults & SIM_FAULT_NO_CCCD) != 0)
		return;
	c->subscribed = true;
	plan_in_order(air, c, AIR_TO_CENTRAL, hop_ms(air, c), on_subscribed_central);
	node_on_subscribed(&c->peripheral->core, air->now_ms, c->id);
	sim_node_rearm(c->peripheral);
}

enum err air_subscribe_node(struct sim_node *central, uint16_t link)
{
	struct air_conn *c = air_conn_find(central->air, link);

	if (!c || c->central != central || c->closing || !c->up)
		return ERR_CLOSED;
	plan_in_order(central->air, c, AIR_TO_PERIPHERAL,
		air_between(central->air, DISCOVERY_MIN_MS, DISCOVERY_MAX_MS), on_cccd);
	return ERR_OK;
}

/* --- packets
 * ------------------------------------------------------------------------------------------------
 */

static void tell_room(struct air *air, struct air_conn *c, enum air_dir dir)
{
	struct sim_node *from = dir == AIR_TO_CENTRAL ? c->peripheral : c->central;

	if (!c->was_full[dir] || !from || c->in_flight[dir] > AIR_TX_QUEUE / 2)
		return;
	c->was_full[dir] = false;
	node_on_tx_ready(&from->core, air->now_ms, c->id);
	sim_node_rearm(from);
}

static void on_pdu(struct air *air, struct air_event *ev)
{
	struct air_conn *c = air_conn_find(air, ev->link);
	enum air_dir dir = ev->flag ? AIR_TO_CENTRAL : AIR_TO_PERIPHERAL;
	struct sim_node *to;

	if (!c)
		return;
	c->in_flight[dir]--;
	to = dir == AIR_TO_CENTRAL ? c->central : c->peripheral;
	if (dir == AIR_TO_CENTRAL && c->radio && c->subscribed) {
		c->radio->ops->notified(c->radio->ctx, c->id, (struct span){ev->data, ev->n});
	} else if (to && to->running && !(dir == AIR_TO_CENTRAL && !c->subscribed)) {
		sim_tap_in(to, c->id, ev->data, ev->n);
		node_on_pdu(&to->core, air->now_ms, c->id, ev->data, ev->n);
		sim_node_rearm(to);
	}
	c = air_conn_find(air, ev->link);
	if (c && !c->closing)
		tell_room(air, c, dir);
}

static void send_pdu(
	struct air *air, struct air_conn *c, enum air_dir dir, const void *pdu, size_t bytes)
{
	struct air_event *ev = plan_in_order(air, c, dir, hop_ms(air, c), on_pdu);

	c->in_flight[dir]++;
	ev->flag = dir == AIR_TO_CENTRAL;
	ev->n = bytes;
	memcpy(ev->data, pdu, bytes);
}

/* SIM_FAULT_CORRUPT and SIM_FAULT_MUTE concern what a node says after the handshake. */
static bool is_open(const struct sim_node *n, uint16_t link)
{
	for (size_t i = 0; i < ACCESS_LINKS_MAX; i++)
		if (n->core.access.links[i].link == link &&
			n->core.access.links[i].state == ACCESS_OPEN)
			return true;
	return false;
}

enum err air_send_node(struct sim_node *n, uint16_t link, const void *pdu, size_t bytes)
{
	struct air_conn *c = air_conn_find(n->air, link);
	uint8_t b[PORT_PDU_MAX_BYTES];
	enum air_dir dir;

	if (!c || c->closing || !c->up || (c->peripheral != n && c->central != n))
		return ERR_CLOSED;
	if (bytes == 0 || bytes > sizeof(b))
		return ERR_RANGE;
	dir = c->peripheral == n ? AIR_TO_CENTRAL : AIR_TO_PERIPHERAL;
	if (c->in_flight[dir] >= AIR_TX_QUEUE) {
		c->was_full[dir] = true;
		return ERR_BUSY;
	}
	if ((n->spec.faults & SIM_FAULT_MUTE) != 0 && is_open(n, link))
		return ERR_OK;
	memcpy(b, pdu, bytes);
	sim_tap_packet(n, link, b, bytes);
	if ((n->spec.faults & SIM_FAULT_CORRUPT) != 0 && !c->corrupted && is_open(n, link)) {
		b[0] ^= 1;
		c->corrupted = true;
	}
	send_pdu(n->air, c, dir, b, bytes);
	return ERR_OK;
}

void air_disconnect_node(struct sim_node *n, uint16_t link)
{
	struct air_conn *c = air_conn_find(n->air, link);

	if (c && (c->peripheral == n || c->central == n))
		end(n->air, c, AIR_HCI_REMOTE, interval_ms(c));
}

/* --- radios
 * ----------------------------------------------------------------------------------------------------
 */

struct air_radio *air_radio_new(struct air *air, const struct air_radio_ops *ops, void *ctx)
{
	struct air_radio *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->air = air;
	r->ops = ops;
	r->ctx = ctx;
	r->next = air->radios;
	air->radios = r;
	return r;
}

void air_radio_free(struct air_radio *radio)
{
	struct air *air;
	struct air_conn *next;

	if (!radio)
		return;
	air = radio->air;
	for (struct air_conn *c = air->conns; c; c = next) {
		next = c->next;
		if (c->radio != radio)
			continue;
		c->radio = NULL;
		if (c->up)
			end(air, c, AIR_HCI_TIMEOUT, SUPERVISION_MS);
		else
			conn_free(air, c);
	}
	for (struct air_radio **p = &air->radios; *p; p = &(*p)->next) {
		if (*p != radio)
			continue;
		*p = radio->next;
		break;
	}
	free(radio);
}

void air_radio_scan(struct air_radio *radio, bool on)
{
	radio->scanning = on;
}

enum err air_radio_connect(struct air_radio *radio, const uint8_t address[PORT_ADDRESS_BYTES],
	uint32_t timeout_ms, uint16_t *link)
{
	struct air_conn *c = conn_new(radio->air);

	if (!c)
		return ERR_NOMEM;
	c->radio = radio;
	memcpy(c->target, address, PORT_ADDRESS_BYTES);
	plan_connect_end(
		radio->air, c, timeout_ms != 0 ? timeout_ms : RADIO_TIMEOUT_MS, ERR_TIMEOUT);
	*link = c->id;
	return ERR_OK;
}

static struct air_conn *radio_conn(struct air_radio *radio, uint16_t link)
{
	struct air_conn *c = air_conn_find(radio->air, link);

	return c && c->radio == radio && c->up && !c->closing ? c : NULL;
}

enum err air_radio_subscribe(struct air_radio *radio, uint16_t link)
{
	struct air_conn *c = radio_conn(radio, link);

	if (!c)
		return ERR_CLOSED;
	plan_in_order(radio->air, c, AIR_TO_PERIPHERAL, hop_ms(radio->air, c), on_cccd);
	return ERR_OK;
}

enum err air_radio_write(struct air_radio *radio, uint16_t link, const void *pdu, size_t n)
{
	struct air_conn *c = radio_conn(radio, link);

	if (!c)
		return ERR_CLOSED;
	if (n == 0 || n > PORT_PDU_MAX_BYTES)
		return ERR_RANGE;
	send_pdu(radio->air, c, AIR_TO_PERIPHERAL, pdu, n);
	return ERR_OK;
}

void air_radio_disconnect(struct air_radio *radio, uint16_t link)
{
	struct air_conn *c = air_conn_find(radio->air, link);

	if (!c || c->radio != radio)
		return;
	if (c->up)
		end(radio->air, c, AIR_HCI_LOCAL, 0);
	else
		plan_connect_end(radio->air, c, 0, ERR_CLOSED);
}

void air_radio_lose(struct air_radio *radio, uint16_t link)
{
	struct air_conn *c = radio_conn(radio, link);

	if (c)
		end(radio->air, c, AIR_HCI_TIMEOUT, SUPERVISION_MS);
}
