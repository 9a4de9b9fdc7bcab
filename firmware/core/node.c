#include "node.h"

#include "enr/meshadv.h"

/* --- boot ------------------------------------------------------------------------------------- */

static void load_config(struct node *n)
{
	uint8_t record[RECORDS_DATA_MAX_BYTES];
	struct config stored = {0};
	size_t bytes;
	enum err e;

	config_default(&n->id, &n->config);
	if (n->features->no_storage) {
		e = config_decode_noinit(n->port->noinit, &stored);
		if (e != ERR_OK) /* what may still be in it is nobody's business */
			bytes_wipe(n->port->noinit, CONFIG_NOINIT_BYTES);
	} else {
		e = records_read(&n->records, RECORDS_ID_NODE, record, sizeof(record), &bytes);
		if (e == ERR_OK)
			e = config_decode(record, bytes, &n->id, &stored);
	}
	if (e == ERR_OK)
		n->config = stored;
	bytes_wipe(record, sizeof(record));
	bytes_wipe(&stored, sizeof(stored));
}

static void join_mesh(struct node *n)
{
	struct port_mesh mesh = {n->config.network_id, n->config.node_id, n->config.network_key};

	if (n->config.enrolled && mesh.network_id != 0 && !node_is_asset(n))
		(void)n->port->mesh_start(n->port->ctx, &mesh);
	secret16_wipe(&mesh.network_key);
}

/* §8.2: an idle node scans for nobody, but for whoever an order or an enrollment names. */
static void refresh_scan(struct node *n)
{
	enum port_scan duty = n->discovery.is_idle ? PORT_SCAN_OFF : PORT_SCAN_LOW;

	if (enroll_is_scanning(n) || dial_is_scanning(n))
		duty = PORT_SCAN_HIGH;
	if (duty != n->scan && n->port->scan(n->port->ctx, duty) == ERR_OK)
		n->scan = duty;
}

void node_init(struct node *n, const struct port *port, const struct node_features *features,
	uint64_t now_ms)
{
	uint32_t uicr[PORT_UICR_WORDS];

	memset(n, 0, sizeof(*n));
	n->port = port;
	n->features = features;
	n->now_ms = now_ms;
	n->reboot_at_ms = NODE_NEVER;
	n->adv_flags = 0xFF;
	n->mesh.cluster_size = 1;
	n->mesh.hops_to_sink = -1;
	port->uicr_read(port->ctx, uicr);
	port->chip_read(port->ctx, &n->chip);
	config_identity(uicr, &n->chip, &n->id);
	bytes_wipe(uicr, sizeof(uicr));
	if (records_init(&n->records, port) == ERR_OK)
		records_repair(&n->records);
	load_config(n);
	access_init(n);
	enroll_init(n);
	dial_init(n);
	discovery_init(n);
	button_init(n);
	terminal_print_boot(n);
	join_mesh(n);
	advert_refresh(n);
	refresh_scan(n);
}

/* --- small questions
 * ------------------------------------------------------------------------------ */

bool node_is_asset(const struct node *n)
{
	return n->features->device_type == MESHADV_DEVICE_ASSET;
}

bool node_has_free_in(const struct node *n)
{
	return n->mesh.links_in + access_count(n, PORT_PERIPHERAL) < ACCESS_IN_MAX;
}

uint8_t node_roll_percent(struct node *n)
{
	uint8_t b[4] = {0};
	struct rd r = rd_init(b, sizeof(b));

	if (n->port->random(n->port->ctx, b, sizeof(b)) != ERR_OK)
		return 99;
	return (uint8_t)(rd_u32(&r) % 100);
}

void node_plan_reboot(struct node *n, uint64_t delay_ms, enum port_reboot why)
{
	if (n->reboot_at_ms != NODE_NEVER && n->reboot_at_ms <= n->now_ms + delay_ms)
		return;
	n->reboot_at_ms = n->now_ms + delay_ms;
	n->reboot_why = why;
}

/* --- routing
 * ---------------------------------------------------------------------------------------- */

/* Types that end where they arrive (§1.7): handshakes, cluster and time messages. */
static bool is_routable(const struct meshmsg *m)
{
	return m->type != MESHMSG_TYPE_CLUSTER_INFO_UPDATE &&
	       m->type != MESHMSG_TYPE_UPDATE_TIMESTAMP && m->type != MESHMSG_TYPE_DEAD_DATA &&
	       (m->type < MESHMSG_TYPE_ENCRYPT_START || m->type > MESHMSG_TYPE_ENCRYPT_DONE);
}

static bool is_in_group(const struct node *n, uint16_t receiver)
{
	return receiver >= MESHMSG_GROUP_FIRST && receiver <= MESHMSG_GROUP_LAST &&
	       (receiver == n->features->chip_group || receiver == n->features->featureset_group);
}

/* §1.5: what is for the shortest sink is for a sink. */
static bool is_sink_for(const struct node *n, uint16_t receiver)
{
	return receiver == MESHMSG_SHORTEST_SINK && n->features->device_type == MESHADV_DEVICE_SINK;
}

static bool is_for_us(const struct node *n, const struct meshmsg *m)
{
	return meshmsg_is_for(m, n->config.node_id) || is_in_group(n, m->receiver) ||
	       is_sink_for(n, m->receiver);
}

static bool is_hops(uint16_t receiver)
{
	return receiver >= MESHMSG_LOOPBACK && receiver <= MESHMSG_HOPS_LAST;
}

/* May a message that came to us go on, and to whom? 0xFFFF: no. */
static uint16_t next_receiver(const struct node *n, const struct meshmsg *m)
{
	if (!is_routable(m) || m->receiver == n->config.node_id || is_sink_for(n, m->receiver))
		return MESHMSG_NODE_INVALID;
	if (is_hops(m->receiver)) /* 30000: here only; 30001: not further than us */
		return m->receiver <= MESHMSG_LOOPBACK + 1 ? MESHMSG_NODE_INVALID
							   : (uint16_t)(m->receiver - 1);
	return m->receiver == MESHMSG_ANYCAST ? MESHMSG_BROADCAST : m->receiver;
}

static void dispatch(struct node *n, const uint8_t *message, size_t bytes, uint8_t from_slot)
{
	struct meshmsg m;

	if (meshmsg_decode(message, bytes, &m) != ERR_OK || !is_for_us(n, &m))
		return;
	if (m.type == MESHMSG_TYPE_MODULE_CONFIG) /* asked of whatever module, one answers */
		status_on_message(n, &m);
	else if (m.module == MESHMSG_MODULE_ENROLLMENT)
		enroll_on_message(n, &m, (struct span){message, bytes}, from_slot);
	else if (m.module == MESHMSG_MODULE_MESH_ACCESS)
		dial_on_message(n, &m);
	else
		status_on_message(n, &m);
	terminal_print_message(n, &m);
}

/* What came from the mesh goes on to the other neighbours and access peers, or to the one peer
 * whose virtual id it names. */
static void forward_from_mesh(struct node *n, uint16_t mesh_link, uint8_t *message, size_t bytes)
{
	uint8_t slot;
	uint16_t receiver;
	struct meshmsg m;

	if (meshmsg_decode(message, bytes, &m) != ERR_OK)
		return;
	slot = access_find_virtual(n, m.receiver);
	if (slot != ACCESS_NO_SLOT) {
		access_offer(n, slot, ACCESS_FROM_MESH, message, bytes);
		return;
	}
	receiver = next_receiver(n, &m);
	if (receiver == MESHMSG_NODE_INVALID)
		return;
	meshmsg_set_receiver(message, receiver);
	n->port->mesh_send(n->port->ctx, mesh_link, message, bytes);
	access_offer_all(n, ACCESS_NO_SLOT, ACCESS_FROM_MESH, message, bytes);
}

static void forward_from_access(struct node *n, uint8_t slot, uint8_t *message, size_t bytes)
{
	uint8_t to;
	uint16_t receiver;
	struct meshmsg m;

	if (meshmsg_decode(message, bytes, &m) != ERR_OK)
		return;
	to = access_find_virtual(n, m.receiver);
	if (to != ACCESS_NO_SLOT) { /* one peer to another: nobody else's business */
		access_offer(n, to, ACCESS_FROM_MESH, message, bytes);
		return;
	}
	receiver = next_receiver(n, &m);
	if (receiver == MESHMSG_NODE_INVALID)
		return;
	meshmsg_set_receiver(message, receiver);
	n->port->mesh_send(n->port->ctx, PORT_NO_LINK, message, bytes);
	access_offer_all(n, slot, ACCESS_FROM_MESH, message, bytes);
}

/* Only a peer that has asked for our mesh reaches it (§3.3). */
static bool is_tunnel_to_mesh(const struct node *n, uint8_t slot)
{
	const struct access_link *l = &n->access.links[slot];

	return l->role == PORT_PERIPHERAL && l->sec.tunnel == MESHSEC_TUNNEL_REMOTE_MESH;
}

void node_on_access_message(
	struct node *n, uint8_t slot, enum access_verdict verdict, uint8_t *message, size_t bytes)
{
	dispatch(n, message, bytes, slot);
	if (verdict == ACCESS_WHITELIST && is_tunnel_to_mesh(n, slot))
		forward_from_access(n, slot, message, bytes);
}

void node_send(struct node *n, const void *message, size_t bytes)
{
	uint8_t slot;
	struct meshmsg m;

	if (meshmsg_decode(message, bytes, &m) != ERR_OK)
		return;
	if ((m.type == MESHMSG_TYPE_RESPONSE || m.type == MESHMSG_TYPE_GENERAL) && is_for_us(n, &m))
		terminal_print_message(n, &m); /* our own answers are shown, too (§6.4) */
	slot = access_find_virtual(n, m.receiver);
	if (slot != ACCESS_NO_SLOT) {
		access_offer(n, slot, ACCESS_FROM_SELF, message, bytes);
		return;
	}
	if (m.receiver == n->config.node_id)
		return;
	if (m.receiver != MESHMSG_LOOPBACK)
		n->port->mesh_send(n->port->ctx, PORT_NO_LINK, message, bytes);
	access_offer_all(n, ACCESS_NO_SLOT, ACCESS_FROM_SELF, message, bytes);
}

void node_send_loopback(struct node *n, const uint8_t *message, size_t bytes)
{
	node_send(n, message, bytes);
	dispatch(n, message, bytes, ACCESS_NO_SLOT);
}

void node_send_written(struct node *n, const struct wr *w, enum err encoded)
{
	if (encoded == ERR_OK)
		node_send(n, w->p, w->len_bytes);
}

/* --- time
 * ------------------------------------------------------------------------------------------- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t node_deadline_ms(const struct node *n)
{
	uint64_t next = earlier(access_deadline_ms(n), enroll_deadline_ms(n));

	next = earlier(next, button_deadline_ms(n));
	next = earlier(next, dial_deadline_ms(n));
	next = earlier(next, discovery_deadline_ms(n));
	return earlier(next, n->reboot_at_ms);
}

static void begin(struct node *n, uint64_t now_ms)
{
	if (now_ms > n->now_ms)
		n->now_ms = now_ms;
}

void node_on_timer(struct node *n, uint64_t now_ms)
{
	begin(n, now_ms);
	if (n->now_ms >= n->reboot_at_ms) {
		n->port->reboot(n->port->ctx, n->reboot_why);
		n->reboot_at_ms = NODE_NEVER;
		return;
	}
	access_on_timer(n);
	enroll_on_timer(n);
	dial_on_timer(n);
	discovery_on_timer(n);
	button_on_timer(n);
	refresh_scan(n);
}

/* --- events
 * ------------------------------------------------------------------------------------------- */

void node_on_flash(struct node *n, uint64_t now_ms, enum err result)
{
	begin(n, now_ms);
	records_on_flash(&n->records, result);
}

void node_on_report(struct node *n, uint64_t now_ms, const struct port_report *report)
{
	begin(n, now_ms);
	enroll_on_report(n, report);
	dial_on_report(n, report);
	nearby_on_report(n, report);
}

void node_on_connected(struct node *n, uint64_t now_ms, uint16_t link, enum port_role role,
	const uint8_t address[PORT_ADDRESS_BYTES])
{
	begin(n, now_ms);
	access_on_connected(n, link, role, address);
}

void node_on_connect_failed(struct node *n, uint64_t now_ms)
{
	begin(n, now_ms);
	access_on_connect_failed(n);
}

void node_on_subscribed(struct node *n, uint64_t now_ms, uint16_t link)
{
	begin(n, now_ms);
	access_on_subscribed(n, link);
}

void node_on_pdu(struct node *n, uint64_t now_ms, uint16_t link, const void *pdu, size_t bytes)
{
	begin(n, now_ms);
	access_on_pdu(n, link, pdu, bytes);
	refresh_scan(n);
}

void node_on_tx_ready(struct node *n, uint64_t now_ms, uint16_t link)
{
	begin(n, now_ms);
	access_on_tx_ready(n, link);
}

void node_on_disconnected(struct node *n, uint64_t now_ms, uint16_t link)
{
	begin(n, now_ms);
	access_on_disconnected(n, link);
}

/* A changed cluster is told to every peer that may know (§3.8). */
void node_on_mesh(struct node *n, uint64_t now_ms, const struct port_mesh_state *state)
{
	bool is_resized = state->cluster_size != n->mesh.cluster_size;
	bool changed = is_resized || state->hops_to_sink != n->mesh.hops_to_sink;

	begin(n, now_ms);
	n->mesh = *state;
	if (is_resized)
		discovery_on_cluster(n);
	refresh_scan(n);
	advert_refresh(n);
	for (uint8_t i = 0; changed && i < ACCESS_LINKS_MAX; i++)
		if (n->access.links[i].state == ACCESS_OPEN)
			access_send_cluster_info(n, i);
}

void node_on_mesh_message(
	struct node *n, uint64_t now_ms, uint16_t mesh_link, const void *message, size_t bytes)
{
	uint8_t copy[PORT_MESH_MAX_BYTES];

	begin(n, now_ms);
	if (bytes < MESHMSG_HEADER_BYTES || bytes > sizeof(copy))
		return;
	memcpy(copy, message, bytes);
	dispatch(n, copy, bytes, ACCESS_NO_SLOT);
	forward_from_mesh(n, mesh_link, copy, bytes);
	bytes_wipe(copy, sizeof(copy));
	refresh_scan(n);
}

void node_on_line(struct node *n, uint64_t now_ms, const char *line, size_t bytes)
{
	begin(n, now_ms);
	terminal_on_line(n, line, bytes);
	refresh_scan(n);
}

void node_on_button(struct node *n, uint64_t now_ms, bool pressed)
{
	begin(n, now_ms);
	button_on_change(n, pressed);
}

void node_pre_enrollment_done(struct node *n, uint64_t now_ms, const struct enroll_pre_handler *who,
	enum enroll_pre result)
{
	begin(n, now_ms);
	enroll_on_pre_done(n, who, result);
}
