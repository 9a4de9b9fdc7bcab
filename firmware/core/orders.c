#include "orders.h"

#include "enr/meshadv.h"
#include "node.h"

#define SECOND_MS 1000u
#define KEY_BYTES 16

/* --- answers --------------------------------------------------------------------------------- */

void orders_tell(
	struct node *n, uint16_t requester, uint16_t virtual_id, enum meshmsg_ma_state_value state)
{
	const struct meshmsg_route route = {n->config.node_id, requester, 0}; /* never a handle */
	const struct meshmsg_ma_state m = {virtual_id, (uint8_t)state};
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));
	enum err e = meshmsg_encode_ma_state(&w, route, &m);

	node_send_written(n, &w, e);
}

static void answer_serial(struct node *n, enum meshmsg_serial_code code, uint16_t virtual_id)
{
	const struct orders *o = &n->orders;
	const struct meshmsg_route route = {n->config.node_id, o->requester, o->handle};
	const struct meshmsg_serial_connected m = {(uint8_t)code, virtual_id};
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));
	enum err e = meshmsg_encode_serial_connected(&w, route, &m);

	node_send_written(n, &w, e);
}

void orders_init(struct node *n)
{
	bytes_wipe(&n->orders, sizeof(n->orders));
	n->orders.slot = ACCESS_NO_SLOT;
}

/* The order came to nothing. */
static void fail(struct node *n, enum meshmsg_serial_code code)
{
	struct orders *o = &n->orders;
	uint16_t requester = o->requester;
	bool is_by_serial = o->is_by_serial, is_connecting = o->state == ORDERS_CONNECTING;
	uint8_t slot = o->slot;

	if (is_by_serial)
		answer_serial(n, code, 0);
	orders_init(n);
	if (!is_by_serial)
		orders_tell(n, requester, 0, MESHMSG_MA_DISCONNECTED);
	if (slot != ACCESS_NO_SLOT)
		access_disconnect(n, slot);
	else if (is_connecting)
		access_cancel(n);
}

static void succeed(struct node *n, uint8_t slot)
{
	struct orders *o = &n->orders;
	struct access_link *l = &n->access.links[slot];

	if (o->is_by_serial) {
		if (o->keep_alive_s != 0)
			l->deadline_ms = n->now_ms + (uint64_t)o->keep_alive_s * SECOND_MS;
		answer_serial(n, MESHMSG_SERIAL_OK, l->virtual_id);
	} else {
		l->ordered_by = o->requester;
		orders_tell(n, o->requester, l->virtual_id, MESHMSG_MA_HANDSHAKE_DONE);
	}
	orders_init(n);
}

/* --- orders ---------------------------------------------------------------------------------- */

/* 16×FF is the node's own key of that kind. */
static enum err take_key(const struct node *n, const uint8_t *key, struct access_want *want)
{
	if (bytes_are_ct(key, KEY_BYTES, 0xFF))
		return access_own_key(n, PORT_CENTRAL, want->key_id, &want->ltk);
	memcpy(want->ltk.b, key, KEY_BYTES);
	return ERR_OK;
}

static void connect(struct node *n)
{
	struct orders *o = &n->orders;

	o->state = ORDERS_WAITING;
	o->retry_at_ms = n->now_ms + ORDERS_RETRY_MS;
	if (access_connect(n, o->address, o->connect_ms, &o->want) == ERR_OK)
		o->state = ORDERS_CONNECTING;
}

static void begin(struct node *n, const struct meshmsg *m, uint32_t key_id, const uint8_t *key)
{
	struct orders *o = &n->orders;

	if (o->state != ORDERS_IDLE)
		fail(n, MESHMSG_SERIAL_OVERWRITTEN);
	o->requester = m->sender;
	o->handle = m->request_handle;
	o->want.owner = ACCESS_FOR_ORDER;
	o->want.key_id = key_id;
	o->connect_ms = ORDERS_CONNECT_MS;
	o->state = ORDERS_WAITING;
	if (take_key(n, key, &o->want) != ERR_OK)
		o->connect_ms = 0;
}

static void on_ma_connect(struct node *n, const struct meshmsg *m)
{
	struct orders *o = &n->orders;
	struct meshmsg_ma_connect order;

	if (meshmsg_decode_ma_connect(m, &order) != ERR_OK ||
		order.tunnel > MESHSEC_TUNNEL_LOCAL_MESH)
		return;
	begin(n, m, order.key_id, order.key);
	o->want.tunnel = order.key_id == MESHSEC_KEY_NODE ? MESHSEC_TUNNEL_PEER
							  : (enum meshsec_tunnel)order.tunnel;
	o->deadline_ms = n->now_ms + ORDERS_CONNECT_MS + MESHSEC_HANDSHAKE_MS;
	memcpy(o->address, order.address, sizeof(o->address));
	if (o->connect_ms == 0 || access_find_address(n, o->address) != ACCESS_NO_SLOT)
		fail(n, MESHMSG_SERIAL_TIMEOUT);
	else
		connect(n);
}

static void on_ma_disconnect(struct node *n, const struct meshmsg *m)
{
	const uint8_t *address;

	if (meshmsg_decode_ma_disconnect(m, &address) == ERR_OK)
		access_disconnect(n, access_find_address(n, address));
}

static void on_serial_connect(struct node *n, const struct meshmsg *m)
{
	struct orders *o = &n->orders;
	struct meshmsg_serial_connect order;

	if (meshmsg_decode_serial_connect(m, &order) != ERR_OK)
		return;
	begin(n, m, order.key_id, order.key);
	o->is_by_serial = true;
	o->want.tunnel = MESHSEC_TUNNEL_LOCAL_MESH;
	o->serial_index = order.serial_index;
	if (order.node_id >= MESHMSG_ASSET_FIRST && order.node_id <= MESHMSG_ASSET_LAST)
		o->node_id = order.node_id;
	o->keep_alive_s = order.keep_alive_s;
	o->deadline_ms = n->now_ms + ORDERS_SERIAL_LIMIT_MS;
	memcpy(o->address, order.address, sizeof(o->address));
	if (o->connect_ms == 0) {
		fail(n, MESHMSG_SERIAL_TIMEOUT);
		return;
	}
	if (order.is_forced)
		o->connect_ms = ORDERS_FORCE_MS;
	if (bytes_are_ct(o->address + 1, sizeof(o->address) - 1, 0))
		o->state = ORDERS_SCANNING;
	else
		connect(n);
}

void orders_on_message(struct node *n, const struct meshmsg *m)
{
	switch ((int)m->kind) {
	case MESHMSG_MA_CONNECT:
		on_ma_connect(n, m);
		return;
	case MESHMSG_MA_DISCONNECT:
		on_ma_disconnect(n, m);
		return;
	case MESHMSG_SERIAL_CONNECT:
		on_serial_connect(n, m);
		return;
	default:
		return;
	}
}

/* --- events ---------------------------------------------------------------------------------- */

bool orders_is_scanning(const struct node *n)
{
	return n->orders.state == ORDERS_SCANNING;
}

/* §2.5: of the emergency type it takes no notice. */
void orders_on_report(struct node *n, const struct port_report *report)
{
	struct orders *o = &n->orders;
	struct meshadv adv;

	if (o->state != ORDERS_SCANNING || !report->connectable ||
		meshadv_decode(report->data.p, report->data.n, &adv) != ERR_OK ||
		adv.is_emergency || adv.serial_index != o->serial_index)
		return;
	memcpy(o->address, report->address, sizeof(o->address));
	connect(n);
}

void orders_on_access_connected(struct node *n, uint8_t slot)
{
	struct orders *o = &n->orders;
	struct access_link *l = &n->access.links[slot];

	if (o->state != ORDERS_CONNECTING) {
		access_disconnect(n, slot);
		return;
	}
	o->slot = slot;
	if (o->node_id == 0)
		return;
	l->virtual_id = o->node_id;
	l->is_id_given = true;
}

void orders_on_access_open(struct node *n, uint8_t slot)
{
	if (n->orders.state == ORDERS_CONNECTING && n->orders.slot == slot)
		succeed(n, slot);
	else
		access_disconnect(n, slot);
}

/* By serial there may be time for another attempt; by address there is one. */
void orders_on_access_closed(struct node *n, uint8_t slot)
{
	struct orders *o = &n->orders;

	if (o->state != ORDERS_CONNECTING || slot != o->slot)
		return;
	o->slot = ACCESS_NO_SLOT;
	o->state = ORDERS_WAITING;
	o->retry_at_ms = n->now_ms + ORDERS_RETRY_MS;
	if (!o->is_by_serial)
		fail(n, MESHMSG_SERIAL_TIMEOUT);
}

uint64_t orders_deadline_ms(const struct node *n)
{
	const struct orders *o = &n->orders;

	if (o->state == ORDERS_IDLE)
		return NODE_NEVER;
	return o->state == ORDERS_WAITING && o->retry_at_ms < o->deadline_ms ? o->retry_at_ms
									     : o->deadline_ms;
}

void orders_on_timer(struct node *n)
{
	struct orders *o = &n->orders;

	if (o->state == ORDERS_IDLE)
		return;
	if (n->now_ms >= o->deadline_ms)
		fail(n, MESHMSG_SERIAL_TIMEOUT);
	else if (o->state == ORDERS_WAITING && n->now_ms >= o->retry_at_ms)
		connect(n);
}
