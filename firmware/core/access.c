#include "access.h"

#include "node.h"

#define HOPS_FIRST MESHMSG_LOOPBACK
#define MODULE_ASSET MESHMSG_MODULE(153)

static struct access_link *find(struct node *n, uint16_t link)
{
	for (size_t i = 0; i < ACCESS_LINKS_MAX; i++) {
		struct access_link *l = &n->access.links[i];

		if (l->state != ACCESS_FREE && l->link == link)
			return l;
	}
	return NULL;
}

static uint8_t slot_of(const struct node *n, const struct access_link *l)
{
	return (uint8_t)(l - n->access.links);
}

static uint8_t free_slot(const struct node *n)
{
	for (uint8_t i = 0; i < ACCESS_LINKS_MAX; i++)
		if (n->access.links[i].state == ACCESS_FREE)
			return i;
	return ACCESS_NO_SLOT;
}

uint8_t access_count(const struct node *n, enum port_role role)
{
	uint8_t count = 0;

	for (size_t i = 0; i < ACCESS_LINKS_MAX; i++)
		if (n->access.links[i].state != ACCESS_FREE && n->access.links[i].role == role)
			count++;
	return count;
}

/* May there be one more link of this role (§2.3)? */
static bool has_room(const struct node *n, enum port_role role)
{
	int in = n->mesh.links_in + access_count(n, PORT_PERIPHERAL);
	int out = n->mesh.links_out + access_count(n, PORT_CENTRAL);

	if (in + out >= ACCESS_LINKS_MAX || free_slot(n) == ACCESS_NO_SLOT)
		return false;
	return role == PORT_PERIPHERAL ? in < ACCESS_IN_MAX : out < ACCESS_OUT_MAX;
}

void access_init(struct node *n)
{
	memset(&n->access, 0, sizeof(n->access));
}

static void close_link(struct node *n, struct access_link *l)
{
	if (l->state == ACCESS_CLOSING)
		return;
	l->state = ACCESS_CLOSING;
	l->deadline_ms = 0;
	n->port->link_disconnect(n->port->ctx, l->link);
}

void access_disconnect(struct node *n, uint8_t slot)
{
	if (slot < ACCESS_LINKS_MAX && n->access.links[slot].state != ACCESS_FREE)
		close_link(n, &n->access.links[slot]);
}

/* --- sending ------------------------------------------------------------------------------- */

static size_t next_queued(struct access_link *l, uint8_t out[PORT_MESH_MAX_BYTES])
{
	size_t n;

	if (l->queue_bytes == 0)
		return 0;
	n = l->queue[0];
	memcpy(out, l->queue + 1, n);
	l->queue_bytes -= n + 1;
	memmove(l->queue, l->queue + n + 1, l->queue_bytes);
	bytes_wipe(l->queue + l->queue_bytes, n + 1); /* it may have held keys */
	return n;
}

/* The next packet into l->waiting. False: there is none. */
static bool make_packet(struct node *n, struct access_link *l)
{
	uint8_t message[PORT_MESH_MAX_BYTES];
	enum err e = ERR_NOT_FOUND;
	size_t bytes;

	if (!meshsec_is_sending(&l->sec)) {
		bytes = next_queued(l, message);
		if (bytes > 0)
			e = meshsec_send_begin(&l->sec, message, bytes);
		bytes_wipe(message, sizeof(message));
		if (e != ERR_OK)
			return false;
	}
	e = meshsec_send_next(&l->sec, &l->waiting);
	if (e == ERR_CRYPTO)
		close_link(n, l);
	return e == ERR_OK;
}

static void flush(struct node *n, struct access_link *l)
{
	enum err e;

	while (l->state != ACCESS_CLOSING) {
		if (l->waiting.len == 0 && (l->state != ACCESS_OPEN || !make_packet(n, l)))
			return;
		e = n->port->link_send(n->port->ctx, l->link, l->waiting.b, l->waiting.len);
		if (e == ERR_BUSY)
			return;
		l->waiting.len = 0;
		if (e != ERR_OK)
			close_link(n, l); /* its counter has moved on: the session is lost */
	}
}

/* A packet of the handshake, which never has to wait behind another one. */
static void send_packet(struct node *n, struct access_link *l, const struct meshsec_pdu *pdu)
{
	if (pdu->len == 0)
		return;
	flush(n, l);
	if (l->waiting.len > 0) {
		close_link(n, l);
		return;
	}
	l->waiting = *pdu;
	flush(n, l);
}

/* How this side sees the tunnel (§3.3). */
static enum meshsec_tunnel own_tunnel(const struct access_link *l)
{
	return l->role == PORT_CENTRAL ? l->sec.tunnel : meshsec_tunnel_mirror(l->sec.tunnel);
}

static bool passes_from_self(const struct access_link *l, uint16_t receiver)
{
	if (l->role == PORT_CENTRAL && l->sec.key_id == MESHSEC_KEY_NETWORK &&
		l->sec.tunnel == MESHSEC_TUNNEL_REMOTE_MESH)
		return true;
	return receiver == l->virtual_id || receiver == MESHMSG_BROADCAST ||
	       receiver == MESHMSG_ANYCAST ||
	       (receiver >= HOPS_FIRST && receiver <= MESHMSG_HOPS_LAST) ||
	       (receiver >= MESHMSG_APP_FIRST && receiver <= MESHMSG_ASSET_LAST) ||
	       (receiver >= MESHMSG_GROUP_FIRST && receiver <= MESHMSG_GROUP_LAST);
}

/* The traffic of the mesh is not for a peer that has shown a node key only (§11.5), and receiver 1
 * is no exception (§11.10). A device that this node was told to dial gets what names it. */
static bool passes_from_mesh(const struct access_link *l, uint16_t receiver)
{
	if (receiver == l->virtual_id && l->role == PORT_CENTRAL)
		return true;
	if (l->sec.key_id == MESHSEC_KEY_NODE || l->sec.tunnel == MESHSEC_TUNNEL_PEER)
		return false;
	if (own_tunnel(l) == MESHSEC_TUNNEL_REMOTE_MESH || receiver == l->virtual_id)
		return true;
	return receiver == MESHMSG_BROADCAST || receiver >= MESHMSG_GROUP_FIRST;
}

static bool passes(const struct node *n, const struct access_link *l, enum access_origin origin,
	const struct meshmsg *m)
{
	enum access_verdict v;

	if (l->state != ACCESS_OPEN)
		return false;
	if (origin == ACCESS_FROM_SELF ? !passes_from_self(l, m->receiver)
				       : !passes_from_mesh(l, m->receiver))
		return false;
	v = access_authorize(m, l->sec.key_id, ACCESS_OUT, n->config.enrolled);
	return v == ACCESS_WHITELIST || v == ACCESS_LOCAL_ONLY;
}

void access_offer(
	struct node *n, uint8_t slot, enum access_origin origin, const void *message, size_t bytes)
{
	struct access_link *l = &n->access.links[slot];
	struct meshmsg m;
	uint8_t *copy;

	if (meshmsg_decode(message, bytes, &m) != ERR_OK || !passes(n, l, origin, &m))
		return;
	if (sizeof(l->queue) - l->queue_bytes < bytes + 1)
		return; /* best effort, as everything here (§1.7) */
	l->queue[l->queue_bytes] = (uint8_t)bytes;
	copy = l->queue + l->queue_bytes + 1;
	memcpy(copy, message, bytes);
	if (m.receiver == l->virtual_id)
		meshmsg_set_receiver(copy, l->sec.partner_id);
	l->queue_bytes += bytes + 1;
	flush(n, l);
}

void access_offer_all(struct node *n, uint8_t except, enum access_origin origin,
	const void *message, size_t bytes)
{
	for (uint8_t i = 0; i < ACCESS_LINKS_MAX; i++)
		if (i != except)
			access_offer(n, i, origin, message, bytes);
}

uint8_t access_find_virtual(const struct node *n, uint16_t id)
{
	for (uint8_t i = 0; i < ACCESS_LINKS_MAX; i++) {
		const struct access_link *l = &n->access.links[i];

		if (l->state == ACCESS_OPEN && l->virtual_id == id)
			return i;
	}
	return ACCESS_NO_SLOT;
}

uint8_t access_find_address(const struct node *n, const uint8_t address[PORT_ADDRESS_BYTES])
{
	for (uint8_t i = 0; i < ACCESS_LINKS_MAX; i++) {
		const struct access_link *l = &n->access.links[i];

		if (l->state != ACCESS_FREE && memcmp(l->address, address, PORT_ADDRESS_BYTES) == 0)
			return i;
	}
	return ACCESS_NO_SLOT;
}

void access_send_cluster_info(struct node *n, uint8_t slot)
{
	const struct meshmsg_cluster_info info = {
		.cluster_size = (int16_t)(n->mesh.cluster_size > 0 ? n->mesh.cluster_size : 1),
		.hops_to_sink = n->mesh.hops_to_sink,
		.has_all_master_bits = true,
	};
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));

	if (meshmsg_encode_cluster_info(&w, n->config.node_id, &info) == ERR_OK)
		access_offer(n, slot, ACCESS_FROM_SELF, b, w.len_bytes);
}

/* --- handshake ------------------------------------------------------------------------------ */

/* What is unset, all 00 or all FF, meshsec refuses (§11.1, §11.2). */
enum err access_own_key(
	const struct node *n, enum port_role role, uint32_t key_id, struct secret16 *out)
{
	memset(out, 0, sizeof(*out));
	switch (key_id) {
	case MESHSEC_KEY_ZERO:
		if (role == PORT_PERIPHERAL && n->config.enrolled)
			return ERR_KEY;
		return n->features->allow_unsecure ? ERR_OK : ERR_KEY;
	case MESHSEC_KEY_NODE:
		*out = n->id.node_key;
		return ERR_OK;
	case MESHSEC_KEY_NETWORK:
		*out = n->config.network_key;
		return ERR_OK;
	case MESHSEC_KEY_ORGANIZATION:
		*out = n->config.organization_key;
		return ERR_OK;
	case MESHSEC_KEY_RESTRAINED:
		return meshsec_restrained_key(&n->port->aes, &n->id.node_key, out);
	default:
		if (key_id < MESHSEC_KEY_USER_FIRST || key_id > MESHSEC_KEY_USER_LAST)
			return ERR_KEY;
		return meshsec_user_key(&n->port->aes, &n->config.user_base_key, key_id, out);
	}
}

static void on_start(struct node *n, struct access_link *l, const struct meshsec_event *ev)
{
	uint8_t anonce[MESHSEC_NONCE_BYTES];
	struct meshsec_pdu pdu;
	struct secret16 ltk;
	enum err e = access_own_key(n, PORT_PERIPHERAL, ev->key_id, &ltk);

	if (e == ERR_OK)
		e = n->port->random(n->port->ctx, anonce, sizeof(anonce));
	if (e == ERR_OK)
		e = meshsec_accept(&l->sec, &ltk, anonce, &pdu);
	secret16_wipe(&ltk);
	if (e == ERR_OK)
		send_packet(n, l, &pdu);
	else
		close_link(n, l); /* INVALID_KEY: no ANONCE (§3.7) */
}

static void on_ready(struct node *n, struct access_link *l, const struct meshsec_event *ev)
{
	send_packet(n, l, &ev->pdu);
	if (l->state == ACCESS_CLOSING)
		return;
	l->state = ACCESS_OPEN;
	l->deadline_ms = 0;
	l->corrupt_count = 0;
	access_send_cluster_info(n, slot_of(n, l));
	advert_refresh(n);
	if (l->role != PORT_CENTRAL)
		return;
	if (l->owner == ACCESS_FOR_DIAL)
		dial_on_access_open(n, slot_of(n, l));
	else
		enroll_on_access_open(n, slot_of(n, l));
}

/* One side has lost the other: clear again, and 15 s for a new START (§3.7). A node as central
 * does not start again by itself. */
static void on_lost(struct node *n, struct access_link *l, const struct meshsec_event *ev)
{
	bytes_wipe(l->queue, sizeof(l->queue));
	l->queue_bytes = 0;
	l->waiting.len = 0;
	l->state = ACCESS_AGAIN;
	l->deadline_ms = n->now_ms + MESHSEC_REESTABLISH_MS;
	send_packet(n, l, &ev->pdu);
	if (l->role == PORT_CENTRAL || ++l->corrupt_count >= ACCESS_CORRUPT_MAX)
		close_link(n, l);
}

/* §3.9: assets are known by their own ids, and what they measure is theirs. */
static bool keeps_its_sender(const struct access_link *l, const struct meshmsg *m)
{
	if (m->type == MESHMSG_TYPE_COMPONENT_SENSE && m->module == MODULE_ASSET)
		return true;
	return !l->is_id_given && l->sec.partner_id >= MESHMSG_ASSET_FIRST &&
	       l->sec.partner_id <= MESHMSG_ASSET_LAST;
}

/* Once the time is known only the network's key changes it. */
static enum access_verdict authorize_in(
	const struct node *n, const struct access_link *l, const struct meshmsg *m)
{
	if ((m->type == MESHMSG_TYPE_UPDATE_TIMESTAMP || m->type == MESHMSG_TYPE_TIME_SYNC) &&
		n->time.is_set && l->sec.key_id != MESHSEC_KEY_NETWORK)
		return ACCESS_BLACKLIST;
	return access_authorize(m, l->sec.key_id, ACCESS_IN, n->config.enrolled);
}

/* Translate, authorize, hand on (§3.9, §3.10). */
static void on_message(struct node *n, struct access_link *l, struct span message)
{
	uint8_t b[MESHMSG_BYTES_MAX];
	enum access_verdict v;
	struct meshmsg m;

	if (message.n > sizeof(b) || meshmsg_decode(message.p, message.n, &m) != ERR_OK)
		return;
	memcpy(b, message.p, message.n);
	if (m.sender == l->sec.partner_id && !keeps_its_sender(l, &m))
		meshmsg_set_sender(b, l->virtual_id);
	v = authorize_in(n, l, &m);
	if (v == ACCESS_WHITELIST || v == ACCESS_LOCAL_ONLY)
		node_on_access_message(n, slot_of(n, l), v, b, message.n);
	bytes_wipe(b, sizeof(b));
}

static void handle(struct node *n, struct access_link *l, const struct meshsec_event *ev)
{
	switch (ev->type) {
	case MESHSEC_EVENT_NONE:
		return;
	case MESHSEC_EVENT_START:
		on_start(n, l, ev);
		return;
	case MESHSEC_EVENT_SEND:
		send_packet(n, l, &ev->pdu);
		return;
	case MESHSEC_EVENT_READY:
		on_ready(n, l, ev);
		return;
	case MESHSEC_EVENT_MESSAGE:
		on_message(n, l, ev->message);
		meshsec_forget_message(&l->sec);
		return;
	case MESHSEC_EVENT_DEAD:
	case MESHSEC_EVENT_CORRUPT:
		on_lost(n, l, ev);
		return;
	case MESHSEC_EVENT_CLOSE:
		close_link(n, l);
		return;
	}
}

static void begin_handshake(struct node *n, struct access_link *l)
{
	l->state = ACCESS_HANDSHAKE;
	l->deadline_ms = n->now_ms + MESHSEC_HANDSHAKE_MS;
}

void access_on_pdu(struct node *n, uint16_t link, const void *pdu, size_t bytes)
{
	struct access_link *l = find(n, link);
	struct meshsec_event ev;

	if (!l || l->state == ACCESS_CLOSING)
		return;
	if (l->state == ACCESS_CONNECTED) {
		if (l->role == PORT_CENTRAL)
			return;
		begin_handshake(n, l); /* a first write resolves the link, too (§2.3) */
	}
	memset(&ev, 0, sizeof(ev));
	meshsec_receive(&l->sec, pdu, bytes, &ev);
	handle(n, l, &ev);
}

static void start_as_central(struct node *n, struct access_link *l)
{
	struct access_want *want = &n->access.want;
	uint8_t snonce[MESHSEC_NONCE_BYTES];
	struct meshsec_pdu pdu;
	enum err e = n->port->random(n->port->ctx, snonce, sizeof(snonce));

	if (e == ERR_OK)
		e = meshsec_start(&l->sec, want->key_id, want->tunnel, &want->ltk, snonce, &pdu);
	secret16_wipe(&want->ltk);
	if (e == ERR_OK)
		send_packet(n, l, &pdu);
	else
		close_link(n, l);
}

void access_on_subscribed(struct node *n, uint16_t link)
{
	struct access_link *l = find(n, link);

	if (!l || l->state != ACCESS_CONNECTED)
		return;
	begin_handshake(n, l);
	if (l->role == PORT_CENTRAL)
		start_as_central(n, l);
}

/* --- links come and go ------------------------------------------------------------------------ */

static void tell_closed(struct node *n, enum access_owner owner, uint8_t slot)
{
	if (owner == ACCESS_FOR_DIAL)
		dial_on_access_closed(n, slot);
	else
		enroll_on_access_closed(n, slot);
}

enum err access_connect(struct node *n, const uint8_t address[PORT_ADDRESS_BYTES],
	uint32_t timeout_ms, const struct access_want *want)
{
	enum err e;

	if (n->access.want.pending)
		return ERR_BUSY;
	if (!has_room(n, PORT_CENTRAL))
		return ERR_FULL;
	e = n->port->connect(n->port->ctx, address, timeout_ms);
	if (e != ERR_OK)
		return e;
	n->access.want = *want;
	n->access.want.pending = true;
	return ERR_OK;
}

void access_cancel(struct node *n)
{
	if (!n->access.want.pending)
		return;
	secret16_wipe(&n->access.want.ltk); /* whatever still comes of it will be let go */
	n->port->connect_cancel(n->port->ctx);
}

/* §1.5: own id + (slot + 1) * 2000, which is made for ids of a mesh. An asset's id, which is in no
 * mesh, would lead out of 2000…19999, into other assets' ids, and round the end of 16 bits to 0,
 * everybody: it counts as 0. */
static uint16_t virtual_id(const struct node *n, uint8_t slot)
{
	uint16_t own = n->config.node_id > ACCESS_MESH_ID_MAX ? 0 : n->config.node_id;

	return (uint16_t)(own + (slot + 1) * MESHMSG_VIRTUAL_STEP);
}

static void open_slot(struct node *n, struct access_link *l, uint16_t link, enum port_role role,
	const uint8_t address[PORT_ADDRESS_BYTES])
{
	memset(l, 0, sizeof(*l));
	l->state = ACCESS_CONNECTED;
	l->role = role;
	l->owner = role == PORT_CENTRAL ? n->access.want.owner : ACCESS_FOR_ENROLL;
	l->link = link;
	l->virtual_id = virtual_id(n, slot_of(n, l));
	/* NOLINTNEXTLINE(bugprone-branch-clone): two limits, of the same length today */
	l->deadline_ms = n->now_ms + (role == PORT_CENTRAL ? ACCESS_OPEN_MS : MESHSEC_RESOLVE_MS);
	memcpy(l->address, address, PORT_ADDRESS_BYTES);
	meshsec_init(&l->sec, &n->port->aes,
		role == PORT_CENTRAL ? MESHSEC_CENTRAL : MESHSEC_PERIPHERAL, n->config.node_id);
}

/* Nothing has come of the attempt. */
static void give_up(struct node *n)
{
	n->access.want.pending = false;
	secret16_wipe(&n->access.want.ltk);
	tell_closed(n, n->access.want.owner, ACCESS_NO_SLOT);
}

void access_on_connected(struct node *n, uint16_t link, enum port_role role,
	const uint8_t address[PORT_ADDRESS_BYTES])
{
	bool wanted = role == PORT_PERIPHERAL || n->access.want.pending;
	struct access_link *l;

	if (role == PORT_CENTRAL)
		n->access.want.pending = false;
	if (!wanted || !has_room(n, role)) {
		n->port->link_disconnect(n->port->ctx, link);
		if (role == PORT_CENTRAL)
			give_up(n);
		return;
	}
	l = &n->access.links[free_slot(n)];
	open_slot(n, l, link, role, address);
	if (role == PORT_CENTRAL) {
		if (l->owner == ACCESS_FOR_DIAL)
			dial_on_access_connected(n, slot_of(n, l));
		else
			enroll_on_access_connected(n, slot_of(n, l));
		if (l->state == ACCESS_CONNECTED &&
			n->port->link_subscribe(n->port->ctx, link) != ERR_OK)
			close_link(n, l);
	}
	advert_refresh(n);
}

void access_on_connect_failed(struct node *n)
{
	if (n->access.want.pending)
		give_up(n);
}

void access_on_disconnected(struct node *n, uint16_t link)
{
	struct access_link *l = find(n, link);
	uint16_t ordered_by, virtual_id;
	enum access_owner owner;

	if (!l)
		return;
	owner = l->owner;
	ordered_by = l->ordered_by;
	virtual_id = l->virtual_id;
	if (l->role == PORT_CENTRAL && !n->access.want.pending)
		secret16_wipe(&n->access.want.ltk); /* it was never used */
	meshsec_clear(&l->sec);
	bytes_wipe(l, sizeof(*l));
	tell_closed(n, owner, slot_of(n, l));
	if (ordered_by != 0)
		dial_tell(n, ordered_by, virtual_id, MESHMSG_MA_DISCONNECTED);
	advert_refresh(n);
}

void access_on_tx_ready(struct node *n, uint16_t link)
{
	struct access_link *l = find(n, link);

	if (l)
		flush(n, l);
}

uint64_t access_deadline_ms(const struct node *n)
{
	uint64_t next = NODE_NEVER;

	for (size_t i = 0; i < ACCESS_LINKS_MAX; i++) {
		const struct access_link *l = &n->access.links[i];

		if (l->state != ACCESS_FREE && l->deadline_ms != 0 && l->deadline_ms < next)
			next = l->deadline_ms;
	}
	return next;
}

void access_on_timer(struct node *n)
{
	for (size_t i = 0; i < ACCESS_LINKS_MAX; i++) {
		struct access_link *l = &n->access.links[i];

		if (l->state != ACCESS_FREE && l->deadline_ms != 0 && n->now_ms >= l->deadline_ms)
			close_link(n, l);
	}
}
