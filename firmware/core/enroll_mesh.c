/* Enrolling a neighbour for somebody else (mesh-protocol §4.6), and telling whom we see (§4.10,
 * §4.11). Never an answer of failure: the requester's time runs out. */
#include "enr/meshadv.h"
#include "node.h"

#define FOREIGN_KEY_AT 64 /* nodeKey inside the whole message (§4.2) */

/* --- proposals ---------------------------------------------------------------------------------
 */

static void send_proposal(struct node *n, uint16_t requester)
{
	const struct meshmsg_route route = {n->config.node_id, requester, 0};
	struct meshmsg_serials serials = {.count = 0};
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));
	enum err e;

	for (size_t i = 0; i < ENROLL_SEEN_MAX; i++)
		if (n->enroll.seen[i] != 0)
			serials.index[serials.count++] = n->enroll.seen[i];
	e = meshmsg_encode_proposal(&w, route, &serials);
	node_send_written(n, &w, e);
}

static void remember_seen(struct enroll *e, uint32_t serial_index)
{
	for (size_t i = 0; i < ENROLL_SEEN_MAX; i++)
		if (serial_index == 0 || e->seen[i] == serial_index)
			return;
	e->seen[e->seen_next] = serial_index;
	e->seen_next = (uint8_t)((e->seen_next + 1) % ENROLL_SEEN_MAX);
}

static void answer_asked(struct node *n, uint32_t serial_index)
{
	struct enroll *e = &n->enroll;
	const struct meshmsg_route route = {n->config.node_id, e->asked_by, e->asked_handle};
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));
	enum err err;

	for (uint8_t i = 0; i < e->asked.count; i++) {
		if (e->asked.index[i] != serial_index)
			continue;
		e->asked.index[i] = e->asked.index[--e->asked.count];
		err = meshmsg_encode_proposals_response(&w, route, serial_index);
		node_send_written(n, &w, err);
		return;
	}
}

void enroll_mesh_proposals(struct node *n, const struct meshmsg *m)
{
	struct meshmsg_serials asked;

	if (meshmsg_decode_request_proposals(m, &asked) != ERR_OK)
		return;
	n->enroll.asked = asked;
	n->enroll.asked_by = m->sender;
	n->enroll.asked_handle = m->request_handle;
	n->enroll.asked_until_ms = n->now_ms + ENROLL_SCAN_MS;
	n->enroll.scan_until_ms = n->now_ms + ENROLL_SCAN_MS;
}

bool enroll_is_scanning(const struct node *n)
{
	return n->enroll.scan_until_ms != 0;
}

/* --- the operation
 * -------------------------------------------------------------------------------- */

static void end(struct node *n)
{
	struct enroll *e = &n->enroll;
	uint8_t slot = e->slot;

	if (e->state == ENROLL_CONNECTING && slot == ACCESS_NO_SLOT)
		access_cancel(n);
	e->state = ENROLL_IDLE;
	e->deadline_ms = 0;
	e->slot = ACCESS_NO_SLOT;
	bytes_wipe(e->request, sizeof(e->request));
	e->request_bytes = 0;
	if (slot != ACCESS_NO_SLOT)
		access_disconnect(n, slot);
}

void enroll_mesh_abort(struct node *n)
{
	if (n->enroll.state >= ENROLL_SCANNING)
		end(n);
}

/* Room for the connection to come: all peers but the requester have to go (step 5). */
static void make_room(struct node *n, uint16_t requester)
{
	uint8_t keep = access_find_virtual(n, requester);

	for (uint8_t i = 0; i < ACCESS_LINKS_MAX; i++)
		if (i != keep)
			access_disconnect(n, i);
}

static void begin(struct node *n, const struct meshmsg *m, struct span bytes,
	const struct meshmsg_set_enrollment *req)
{
	struct enroll *e = &n->enroll;
	uint8_t timeout_s = req->timeout_s != 0 ? req->timeout_s : ENROLL_TIMEOUT_DEFAULT_S;

	make_room(n, m->sender);
	e->request_bytes = bytes.n < sizeof(e->request) ? bytes.n : sizeof(e->request);
	memcpy(e->request, bytes.p, e->request_bytes);
	e->target = req->serial_index;
	e->handle = m->request_handle;
	e->tries = 0;
	e->slot = ACCESS_NO_SLOT;
	e->state = ENROLL_SCANNING;
	e->deadline_ms = n->now_ms + timeout_s * 1000u;
	e->scan_until_ms = n->now_ms + ENROLL_SCAN_MS;
}

/* A request for a foreign serial: steps 1 to 4. */
void enroll_mesh_request(struct node *n, const struct meshmsg *m, struct span bytes,
	const struct meshmsg_set_enrollment *req, uint8_t from_slot)
{
	uint8_t roll;

	(void)from_slot;
	if (!req->node_key)
		return;
	roll = node_roll_percent(n);
	if (roll < ENROLL_PROPOSAL_PERCENT)
		send_proposal(n, m->sender);
	if (n->enroll.state != ENROLL_IDLE || n->reboot_at_ms != NODE_NEVER)
		return;
	if (m->receiver == MESHMSG_BROADCAST && n->mesh.cluster_size > 1 &&
		roll < ENROLL_SKIP_PERCENT)
		return;
	begin(n, m, bytes, req);
}

/* Step 8. The node key of the stored request opens the target; all zero: by the ZERO key. */
static void connect_target(struct node *n, const struct port_report *report)
{
	struct enroll *e = &n->enroll;
	uint64_t left_ms = e->deadline_ms - n->now_ms;
	struct access_want want = {.owner = ACCESS_FOR_ENROLL, .tunnel = MESHSEC_TUNNEL_PEER};

	memcpy(want.ltk.b, e->request + FOREIGN_KEY_AT, sizeof(want.ltk.b));
	want.key_id = bytes_are_ct(want.ltk.b, sizeof(want.ltk.b), 0) ? MESHSEC_KEY_ZERO
								      : MESHSEC_KEY_NODE;
	left_ms -= left_ms % 1000;
	if (left_ms > 10000)
		left_ms = 10000;
	/* An attempt that is refused at once is tried again with the next advertisement; the
	 * reference would sit in CONNECTING until the deadline. */
	if (access_connect(n, report->address, (uint32_t)left_ms, &want) == ERR_OK)
		e->state = ENROLL_CONNECTING;
	secret16_wipe(&want.ltk);
}

void enroll_on_report(struct node *n, const struct port_report *report)
{
	struct enroll *e = &n->enroll;
	struct meshadv adv;

	if (!report->connectable || meshadv_decode(report->data.p, report->data.n, &adv) != ERR_OK)
		return;
	if (report->rssi_dbm > ENROLL_RSSI_MIN_DBM) {
		remember_seen(e, adv.serial_index);
		answer_asked(n, adv.serial_index);
	}
	if (e->state == ENROLL_SCANNING && adv.serial_index == e->target &&
		n->now_ms + ENROLL_CONNECT_LEFT_MS <= e->deadline_ms)
		connect_target(n, report);
}

/* Step 9: the stored request as it came, but for the receiver. */
void enroll_on_access_open(struct node *n, uint8_t slot)
{
	struct enroll *e = &n->enroll;
	struct access_link *l = &n->access.links[slot];

	if (e->state != ENROLL_CONNECTING || e->slot != slot) {
		access_disconnect(n, slot);
		return;
	}
	e->state = ENROLL_CONNECTED;
	if (e->deadline_ms < n->now_ms + ENROLL_ANSWER_MS)
		e->deadline_ms = n->now_ms + ENROLL_ANSWER_MS;
	meshmsg_set_receiver(e->request, l->virtual_id);
	access_offer(n, slot, ACCESS_FROM_SELF, e->request, e->request_bytes);
	e->state = ENROLL_MESSAGE_SENT;
}

void enroll_on_access_connected(struct node *n, uint8_t slot)
{
	if (n->enroll.state == ENROLL_CONNECTING)
		n->enroll.slot = slot;
	else
		access_disconnect(n, slot);
}

/* The link is gone, or never came: what is left of the time is for another attempt, but a wrong key
 * is not tried for ever. After the request was sent the requester's time runs out. */
void enroll_on_access_closed(struct node *n, uint8_t slot)
{
	struct enroll *e = &n->enroll;

	if (e->state < ENROLL_CONNECTING || slot != e->slot)
		return;
	e->slot = ACCESS_NO_SLOT;
	if (e->state > ENROLL_CONNECTING)
		end(n);
	else if (slot == ACCESS_NO_SLOT || ++e->tries < ENROLL_TRIES_MAX)
		e->state = ENROLL_SCANNING;
}

static void relay(struct node *n, const struct meshmsg_enroll_response *response, uint8_t handle)
{
	const struct meshmsg_route route = {n->config.node_id, MESHMSG_BROADCAST, handle};
	uint8_t b[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(b, sizeof(b));
	enum err e = meshmsg_encode_enroll_response(&w, route, response);

	node_send_written(n, &w, e);
}

/* Step 10: the target's answer is said again in our own name. */
void enroll_mesh_response(struct node *n, const struct meshmsg *m, uint8_t from_slot)
{
	struct enroll *e = &n->enroll;
	struct meshmsg_enroll_response response;

	if (e->state < ENROLL_CONNECTED || from_slot == ACCESS_NO_SLOT || from_slot != e->slot)
		return;
	if (meshmsg_decode_enroll_response(m, &response) != ERR_OK ||
		response.serial_index != e->target)
		return;
	end(n);
	relay(n, &response, m->request_handle);
}

void enroll_mesh_on_timer(struct node *n)
{
	end(n);
}
