#include "dial.h"

#include "enr/meshadv.h"
#include "node.h"

#define SECOND_MS 1000u
#define KEY_BYTES 16

/* --- answers --------------------------------------------------------------------------------- */

void dial_tell(
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
	const struct dial *d = &n->dial;
	const struct meshmsg_route route = {n->config.node_id, d->requester, d->handle};
	const struct meshmsg_serial_connected m = {(uint8_t)code, virtual_id};
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));
	enum err e = meshmsg_encode_serial_connected(&w, route, &m);

	node_send_written(n, &w, e);
}

void dial_init(struct node *n)
{
	bytes_wipe(&n->dial, sizeof(n->dial));
	n->dial.slot = ACCESS_NO_SLOT;
}

/* The order came to nothing. */
static void fail(struct node *n, enum meshmsg_serial_code code)
{
	struct dial *d = &n->dial;
	uint16_t requester = d->requester;
	bool is_by_serial = d->is_by_serial, is_connecting = d->state == DIAL_CONNECTING;
	uint8_t slot = d->slot;

	if (is_by_serial)
		answer_serial(n, code, 0);
	dial_init(n);
	if (!is_by_serial)
		dial_tell(n, requester, 0, MESHMSG_MA_DISCONNECTED);
	if (slot != ACCESS_NO_SLOT)
		access_disconnect(n, slot);
	else if (is_connecting)
		access_cancel(n);
}

static void succeed(struct node *n, uint8_t slot)
{
	struct dial *d = &n->dial;
	struct access_link *l = &n->access.links[slot];

	if (d->is_by_serial) {
		if (d->keep_alive_s != 0)
			l->deadline_ms = n->now_ms + (uint64_t)d->keep_alive_s * SECOND_MS;
		answer_serial(n, MESHMSG_SERIAL_OK, l->virtual_id);
	} else {
		l->ordered_by = d->requester;
		dial_tell(n, d->requester, l->virtual_id, MESHMSG_MA_HANDSHAKE_DONE);
	}
	dial_init(n);
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
	struct dial *d = &n->dial;

	d->state = DIAL_WAITING;
	d->retry_at_ms = n->now_ms + DIAL_RETRY_MS;
	if (access_connect(n, d->address, d->connect_ms, &d->want) == ERR_OK)
		d->state = DIAL_CONNECTING;
}

static void begin(struct node *n, const struct meshmsg *m, uint32_t key_id, const uint8_t *key)
{
	struct dial *d = &n->dial;

	if (d->state != DIAL_IDLE)
		fail(n, MESHMSG_SERIAL_OVERWRITTEN);
	d->requester = m->sender;
	d->handle = m->request_handle;
	d->want.owner = ACCESS_FOR_DIAL;
	d->want.key_id = key_id;
	d->connect_ms = DIAL_CONNECT_MS;
	d->state = DIAL_WAITING;
	if (take_key(n, key, &d->want) != ERR_OK)
		d->connect_ms = 0;
}

static void on_ma_connect(struct node *n, const struct meshmsg *m)
{
	struct dial *d = &n->dial;
	struct meshmsg_ma_connect order;

	if (meshmsg_decode_ma_connect(m, &order) != ERR_OK ||
		order.tunnel > MESHSEC_TUNNEL_LOCAL_MESH)
		return;
	begin(n, m, order.key_id, order.key);
	d->want.tunnel = order.key_id == MESHSEC_KEY_NODE ? MESHSEC_TUNNEL_PEER
							  : (enum meshsec_tunnel)order.tunnel;
	d->deadline_ms = n->now_ms + DIAL_CONNECT_MS + MESHSEC_HANDSHAKE_MS;
	memcpy(d->address, order.address, sizeof(d->address));
	if (d->connect_ms == 0 || access_find_address(n, d->address) != ACCESS_NO_SLOT)
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
	struct dial *d = &n->dial;
	struct meshmsg_serial_connect order;

	if (meshmsg_decode_serial_connect(m, &order) != ERR_OK)
		return;
	begin(n, m, order.key_id, order.key);
	d->is_by_serial = true;
	d->want.tunnel = MESHSEC_TUNNEL_LOCAL_MESH;
	d->serial_index = order.serial_index;
	if (order.node_id >= MESHMSG_ASSET_FIRST && order.node_id <= MESHMSG_ASSET_LAST)
		d->node_id = order.node_id;
	d->keep_alive_s = order.keep_alive_s;
	d->deadline_ms = n->now_ms + DIAL_SERIAL_LIMIT_MS;
	memcpy(d->address, order.address, sizeof(d->address));
	if (d->connect_ms == 0) {
		fail(n, MESHMSG_SERIAL_TIMEOUT);
		return;
	}
	if (order.is_forced)
		d->connect_ms = DIAL_FORCE_MS;
	if (bytes_are_ct(d->address + 1, sizeof(d->address) - 1, 0))
		d->state = DIAL_SCANNING;
	else
		connect(n);
}

void dial_on_message(struct node *n, const struct meshmsg *m)
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

bool dial_is_scanning(const struct node *n)
{
	return n->dial.state == DIAL_SCANNING;
}

/* §2.5: of the emergency type it takes no notice. */
void dial_on_report(struct node *n, const struct port_report *report)
{
	struct dial *d = &n->dial;
	struct meshadv adv;

	if (d->state != DIAL_SCANNING || !report->connectable ||
		meshadv_decode(report->data.p, report->data.n, &adv) != ERR_OK ||
		adv.is_emergency || adv.serial_index != d->serial_index)
		return;
	memcpy(d->address, report->address, sizeof(d->address));
	connect(n);
}

void dial_on_access_connected(struct node *n, uint8_t slot)
{
	struct dial *d = &n->dial;
	struct access_link *l = &n->access.links[slot];

	if (d->state != DIAL_CONNECTING) {
		access_disconnect(n, slot);
		return;
	}
	d->slot = slot;
	if (d->node_id == 0)
		return;
	l->virtual_id = d->node_id;
	l->is_id_given = true;
}

void dial_on_access_open(struct node *n, uint8_t slot)
{
	if (n->dial.state == DIAL_CONNECTING && n->dial.slot == slot)
		succeed(n, slot);
	else
		access_disconnect(n, slot);
}

/* By serial there may be time for another attempt; by address there is one. */
void dial_on_access_closed(struct node *n, uint8_t slot)
{
	struct dial *d = &n->dial;

	if (d->state != DIAL_CONNECTING || slot != d->slot)
		return;
	d->slot = ACCESS_NO_SLOT;
	d->state = DIAL_WAITING;
	d->retry_at_ms = n->now_ms + DIAL_RETRY_MS;
	if (!d->is_by_serial)
		fail(n, MESHMSG_SERIAL_TIMEOUT);
}

uint64_t dial_deadline_ms(const struct node *n)
{
	const struct dial *d = &n->dial;

	if (d->state == DIAL_IDLE)
		return NODE_NEVER;
	return d->state == DIAL_WAITING && d->retry_at_ms < d->deadline_ms ? d->retry_at_ms
									   : d->deadline_ms;
}

void dial_on_timer(struct node *n)
{
	struct dial *d = &n->dial;

	if (d->state == DIAL_IDLE)
		return;
	if (n->now_ms >= d->deadline_ms)
		fail(n, MESHMSG_SERIAL_TIMEOUT);
	else if (d->state == DIAL_WAITING && n->now_ms >= d->retry_at_ms)
		connect(n);
}
