/*
 * The mesh between simulated nodes: a tree of links between neighbours of the same network id and
 * key. Who is alone, or in a small mesh, looks every two seconds for somebody of another one; at
 * least one side needs a free outgoing, the other a free incoming connection. Who is idle neither
 * looks nor is joined: §8.2 leaves open whether a newcomer may get in by itself, and here it never
 * does. What a node hears of the others' JOIN_ME it hears when it decides. Routing is the core's.
 */
#include <stdlib.h>

#include "enr/joinme.h"
#include "enr/meshadv.h"
#include "air_room.h"

#define FIRST_LOOK_MIN_MS 1500
#define FIRST_LOOK_MAX_MS 4000
#define LOOK_MS 2000 /* §8.2: decides about every 2 s */
#define LOOK_JITTER_MS 300
#define CHANCE_TO_LINK 70 /* percent, of each decision */
#define HOP_MIN_MS 8
#define HOP_MAX_MS 30
#define TELL_MS 60 /* cluster changes travel */
#define NO_SINK (-1)

/* --- the shape of the meshes
 * ------------------------------------------------------------------------ */

static struct sim_node *other_end(const struct air_mesh_link *l, const struct sim_node *n)
{
	return l->out == n ? l->in : l->in == n ? l->out : NULL;
}

/* Scratch of one count: room for every node. */
struct shape {
	struct sim_node **order; /* breadth first, its own queue */
	uint16_t *size;          /* by index of the node */
	int16_t *hops;
};

/* Marks all that n reaches with the number, and tells all of them how many they are. */
static void walk(struct air *air, struct sim_node *n, uint32_t cluster, struct shape *s)
{
	size_t count = 0;

	n->cluster = cluster;
	s->order[count++] = n;
	for (size_t i = 0; i < count; i++)
		for (struct air_mesh_link *l = air->mesh_links; l; l = l->next) {
			struct sim_node *next = other_end(l, s->order[i]);

			if (!next || next->cluster == cluster)
				continue;
			next->cluster = cluster;
			s->order[count++] = next;
		}
	for (size_t i = 0; i < count; i++)
		s->size[s->order[i]->index] = (uint16_t)count;
}

/* Hops to the nearest sink, from all sinks at once. */
static void measure_sinks(struct air *air, struct shape *s)
{
	size_t count = 0;

	for (size_t i = 0; i < air->node_count; i++) {
		bool sink = air->nodes[i]->spec.device_type == MESHADV_DEVICE_SINK;

		s->hops[i] = sink ? 0 : NO_SINK;
		if (sink)
			s->order[count++] = air->nodes[i];
	}
	for (size_t i = 0; i < count; i++)
		for (struct air_mesh_link *l = air->mesh_links; l; l = l->next) {
			struct sim_node *next = other_end(l, s->order[i]);

			if (!next || s->hops[next->index] != NO_SINK)
				continue;
			s->hops[next->index] = (int16_t)(s->hops[s->order[i]->index] + 1);
			s->order[count++] = next;
		}
}

static void count_links(struct air *air, struct sim_node *n, struct port_mesh_state *s)
{
	for (struct air_mesh_link *l = air->mesh_links; l; l = l->next) {
		struct sim_node *other = other_end(l, n);
		struct port_mesh_partner *p = l->in == n ? &s->in : &s->out[s->links_out];

		if (!other)
			continue;
		if (l->in == n)
			s->links_in++;
		else
			s->links_out++;
		p->node_id = other->mesh.node_id;
		p->rssi_dbm = (int8_t)air_rssi_nodes(air, n, other);
	}
	s->loss_count = n->loss_count;
}

static void on_tell(struct air *air, struct air_event *ev)
{
	node_on_mesh(&ev->node->core, air->now_ms, &ev->node->mesh_state);
	sim_node_rearm(ev->node);
}

static void tell_changes(struct air *air, const struct shape *shape)
{
	for (size_t i = 0; i < air->node_count; i++) {
		struct sim_node *n = air->nodes[i];
		struct port_mesh_state state;

		memset(&state, 0, sizeof(state)); /* padding is compared, too */
		state.cluster_size = shape->size[i];
		state.hops_to_sink = shape->hops[i];
		count_links(air, n, &state);
		if (!n->running || memcmp(&state, &n->mesh_state, sizeof(state)) == 0)
			continue;
		n->mesh_state = state;
		air_plan(air, TELL_MS, on_tell, n);
	}
}

/* Counts anew after links came or went, and tells whom it concerns. */
static void reshape(struct air *air)
{
	struct shape s = {
		.order = calloc(air->node_count + 1, sizeof(struct sim_node *)),
		.size = calloc(air->node_count + 1, sizeof(uint16_t)),
		.hops = calloc(air->node_count + 1, sizeof(int16_t)),
	};

	if (!s.order || !s.size || !s.hops)
		abort();
	for (size_t i = 0; i < air->node_count; i++)
		air->nodes[i]->cluster = 0;
	for (size_t i = 0; i < air->node_count; i++)
		if (air->nodes[i]->cluster == 0)
			walk(air, air->nodes[i], (uint32_t)i + 1, &s);
	measure_sinks(air, &s);
	tell_changes(air, &s);
	free(s.order);
	free(s.size);
	free(s.hops);
}

static void cut(struct air_mesh_link **p)
{
	struct air_mesh_link *l = *p;

	if (l->in->loss_count < UINT8_MAX)
		l->in->loss_count++;
	if (l->out->loss_count < UINT8_MAX)
		l->out->loss_count++;
	*p = l->next;
	free(l);
}

void air_mesh_drop_node(struct sim_node *n)
{
	struct air_mesh_link **p = &n->air->mesh_links;
	bool changed = false;

	while (*p) {
		if (!other_end(*p, n)) {
			p = &(*p)->next;
			continue;
		}
		cut(p);
		changed = true;
	}
	if (changed)
		reshape(n->air);
}

/* --- joining
 * -------------------------------------------------------------------------------------------- */

static bool is_same_network(const struct sim_node *a, const struct sim_node *b)
{
	return a->mesh.network_id == b->mesh.network_id &&
	       bytes_equal_ct(&a->mesh.network_key, &b->mesh.network_key, 16);
}

static int connections(const struct sim_node *n)
{
	return n->mesh_state.links_in + n->mesh_state.links_out +
	       access_count(&n->core, PORT_PERIPHERAL) + access_count(&n->core, PORT_CENTRAL);
}

static bool has_room_out(const struct sim_node *n)
{
	return connections(n) < ACCESS_LINKS_MAX &&
	       n->mesh_state.links_out + access_count(&n->core, PORT_CENTRAL) < ACCESS_OUT_MAX;
}

static bool has_room_in(const struct sim_node *n)
{
	return connections(n) < ACCESS_LINKS_MAX && n->mesh_state.links_in < AIR_MESH_IN_MAX &&
	       n->mesh_state.links_in + access_count(&n->core, PORT_PERIPHERAL) < ACCESS_IN_MAX;
}

static bool may_join(const struct sim_node *n)
{
	return n->running && n->mesh_on && !n->is_idle && (n->spec.faults & SIM_FAULT_NO_JOIN) == 0;
}

/* The loudest one of another mesh that has room for us. */
static struct sim_node *choose_partner(struct air *air, struct sim_node *n)
{
	struct sim_node *best = NULL;
	int best_rssi = AIR_MESH_RSSI_MIN - 1;

	for (size_t i = 0; i < air->node_count; i++) {
		struct sim_node *to = air->nodes[i];
		int rssi;

		if (to == n || !may_join(to) || to->cluster == n->cluster ||
			!is_same_network(n, to) || !has_room_in(to))
			continue;
		rssi = air_rssi_nodes(air, n, to);
		if (rssi <= best_rssi)
			continue;
		best = to;
		best_rssi = rssi;
	}
	return best;
}

/* The JOIN_ME of one node, as another one hears it. */
static void hear_join_me(struct air *air, struct sim_node *n, const struct sim_node *from, int rssi)
{
	const struct joinme join = {
		.network_id = from->mesh.network_id,
		.node_id = from->mesh.node_id,
		.cluster_id = from->cluster,
		.cluster_size = (int16_t)from->mesh_state.cluster_size,
		.device_type = from->spec.device_type,
		.hops_to_sink = (uint16_t)from->mesh_state.hops_to_sink,
	};
	uint8_t payload[JOINME_BYTES];
	struct port_report report = {.rssi_dbm = (int8_t)rssi, .data = {payload, sizeof(payload)}};

	if (joinme_encode(&join, payload) != ERR_OK)
		abort();
	memcpy(report.address, from->address, sizeof(report.address));
	node_on_report(&n->core, air->now_ms, &report);
}

static void hear_neighbours(struct air *air, struct sim_node *n)
{
	if (!n->running || n->scan == PORT_SCAN_OFF)
		return;
	for (size_t i = 0; i < air->node_count; i++) {
		const struct sim_node *from = air->nodes[i];
		int rssi = from == n || !from->running || !from->mesh_on
				   ? AIR_RSSI_NONE
				   : air_rssi_nodes(air, n, from);

		if (rssi >= AIR_RSSI_FLOOR)
			hear_join_me(air, n, from, rssi);
	}
}

static void link_up(struct air *air, struct sim_node *out, struct sim_node *in)
{
	struct air_mesh_link *l = calloc(1, sizeof(*l));

	if (!l)
		abort();
	l->id = air_new_id(air);
	l->out = out;
	l->in = in;
	l->next = air->mesh_links;
	air->mesh_links = l;
	reshape(air);
}

static void on_look(struct air *air, struct air_event *ev)
{
	struct sim_node *n = ev->node, *to;

	if (!n->mesh_on)
		return;
	air_plan(air, LOOK_MS + air_between(air, 0, LOOK_JITTER_MS), on_look, n);
	hear_neighbours(air, n);
	if (!may_join(n) || !has_room_out(n) || !air_chance(air, CHANCE_TO_LINK))
		return;
	to = choose_partner(air, n);
	if (to)
		link_up(air, n, to);
}

void air_mesh_start(struct sim_node *n, const struct port_mesh *mesh)
{
	bool was_on = n->mesh_on;

	air_mesh_drop_node(n);
	n->mesh = *mesh;
	n->mesh_on = true;
	n->is_idle = false;
	reshape(n->air);
	if (!was_on)
		air_plan(n->air, air_between(n->air, FIRST_LOOK_MIN_MS, FIRST_LOOK_MAX_MS), on_look,
			n);
}

void air_mesh_stop(struct sim_node *n)
{
	n->mesh_on = false;
	air_mesh_drop_node(n);
}

/* --- messages
 * -----------------------------------------------------------------------------------------------
 */

static void on_message(struct air *air, struct air_event *ev)
{
	sim_tap_mesh(ev->node, (struct span){ev->data, ev->n});
	node_on_mesh_message(&ev->node->core, air->now_ms, ev->link, ev->data, ev->n);
	sim_node_rearm(ev->node);
}

static void send_over(
	struct air_mesh_link *l, struct sim_node *from, const void *message, size_t bytes)
{
	struct air *air = from->air;
	int dir = l->out == from ? 0 : 1;
	uint64_t at = air->now_ms + air_between(air, HOP_MIN_MS, HOP_MAX_MS);
	struct air_event *ev;

	if (at < l->last_ms[dir])
		at = l->last_ms[dir];
	l->last_ms[dir] = at;
	ev = air_plan(air, at - air->now_ms, on_message, other_end(l, from));
	ev->link = l->id;
	ev->n = bytes;
	memcpy(ev->data, message, bytes);
}

void air_mesh_send(struct sim_node *n, uint16_t except, const void *message, size_t bytes)
{
	if (bytes < 5 || bytes > PORT_MESH_MAX_BYTES)
		return;
	for (struct air_mesh_link *l = n->air->mesh_links; l; l = l->next)
		if (l->id != except && other_end(l, n))
			send_over(l, n, message, bytes);
}
