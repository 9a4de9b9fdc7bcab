/* The clock of the virtual air, its randomness, who hears whom, and advertising. */
#include "air.h"

#include <stdlib.h>

#include "air_room.h"

#define REPORT_NOISE_DB 3
#define HEARD_BY_RADIO 50     /* percent of the advertisements: a radio listens on one channel */
#define HEARD_BY_HIGH_SCAN 10 /* window 7.5 ms of 75 ms (§4.6) */
#define HEARD_BY_LOW_SCAN 3
#define SENT_BESIDE_JOIN_ME 50 /* MESH_ACCESS and JOIN_ME share the air time (§2.4) */
#define ADV_JITTER_MS 10
#define ADV_FLAGS_AT 15
#define ADV_HAS_FREE 0x08

/* --- randomness ---------------------------------------------------------------------------------
 */

uint64_t air_random(struct air *air)
{
	uint64_t z = air->random += 0x9E3779B97F4A7C15u;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
	z = (z ^ z >> 27) * 0x94D049BB133111EBu;
	return z ^ z >> 31;
}

uint64_t air_between(struct air *air, uint64_t low, uint64_t high)
{
	return low + air_random(air) % (high - low + 1);
}

bool air_chance(struct air *air, unsigned percent)
{
	return air_random(air) % 100 < percent;
}

/* --- the queue: a binary heap
 * --------------------------------------------------------------------- */

static bool is_before(const struct air_event *a, const struct air_event *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->seq < b->seq;
}

static void heap_push(struct air *air, struct air_event *ev)
{
	size_t i;

	if (air->heap_count == air->heap_cap) {
		air->heap_cap = air->heap_cap ? air->heap_cap * 2 : 256;
		air->heap = realloc(air->heap, air->heap_cap * sizeof(*air->heap));
		if (!air->heap)
			abort();
	}
	for (i = air->heap_count++; i > 0 && is_before(ev, air->heap[(i - 1) / 2]); i = (i - 1) / 2)
		air->heap[i] = air->heap[(i - 1) / 2];
	air->heap[i] = ev;
}

static struct air_event *heap_pop(struct air *air)
{
	struct air_event *first = air->heap[0], *last = air->heap[--air->heap_count];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < air->heap_count) {
		if (child + 1 < air->heap_count &&
			is_before(air->heap[child + 1], air->heap[child]))
			child++;
		if (!is_before(air->heap[child], last))
			break;
		air->heap[i] = air->heap[child];
		i = child;
	}
	air->heap[i] = last;
	return first;
}

struct air_event *air_plan(
	struct air *air, uint64_t delay_ms, air_event_fn *fn, struct sim_node *node)
{
	struct air_event *ev = calloc(1, sizeof(*ev));

	if (!ev)
		abort();
	ev->at_ms = air->now_ms + delay_ms;
	ev->seq = air->seq++;
	ev->fn = fn;
	ev->node = node;
	ev->epoch = node ? node->epoch : 0;
	heap_push(air, ev);
	return ev;
}

uint64_t air_now_ms(const struct air *air)
{
	return air->now_ms;
}

uint64_t air_next_ms(const struct air *air)
{
	return air->heap_count > 0 ? air->heap[0]->at_ms : AIR_NEVER;
}

void air_run_until(struct air *air, uint64_t until_ms)
{
	while (air_next_ms(air) <= until_ms) {
		struct air_event *ev = heap_pop(air);

		if (ev->at_ms > air->now_ms)
			air->now_ms = ev->at_ms;
		if (!ev->node || ev->epoch == ev->node->epoch)
			ev->fn(air, ev);
		free(ev);
	}
	if (until_ms > air->now_ms && until_ms != AIR_NEVER)
		air->now_ms = until_ms;
}

/* --- life
 * ------------------------------------------------------------------------------------------ */

struct air *air_new(uint64_t seed, const struct aes128 *aes)
{
	struct air *air = calloc(1, sizeof(*air));

	if (!air)
		return NULL;
	air->random = seed;
	air->aes = aes;
	air->heard_by_high_scan = HEARD_BY_HIGH_SCAN;
	return air;
}

void air_free(struct air *air)
{
	struct air_conn *c;
	struct air_mesh_link *l;
	struct air_rssi *r;

	if (!air)
		return;
	while (air->heap_count > 0)
		free(heap_pop(air));
	while ((c = air->conns) != NULL) {
		air->conns = c->next;
		free(c);
	}
	while ((l = air->mesh_links) != NULL) {
		air->mesh_links = l->next;
		free(l);
	}
	while ((r = air->rssi) != NULL) {
		air->rssi = r->next;
		free(r);
	}
	for (size_t i = 0; i < air->node_count; i++)
		sim_node_free(air->nodes[i]);
	free(air->nodes);
	free(air->heap);
	free(air);
}

enum err air_add_node(
	struct air *air, const struct sim_spec *spec, const char *flash_path, struct sim_node **out)
{
	struct sim_node **grown, *n;
	enum err e;

	if (air->node_count >= AIR_NODES_MAX)
		return ERR_FULL;
	if (air_find(air, spec->serial_index))
		return ERR_CONFLICT;
	grown = realloc(air->nodes, (air->node_count + 1) * sizeof(struct sim_node *));
	if (!grown)
		return ERR_NOMEM;
	air->nodes = grown;
	e = sim_node_new(air, spec, flash_path, &n);
	if (e != ERR_OK)
		return e;
	n->index = air->node_count;
	air->nodes[air->node_count++] = n;
	if (out)
		*out = n;
	return ERR_OK;
}

size_t air_node_count(const struct air *air)
{
	return air->node_count;
}

struct sim_node *air_node(struct air *air, size_t i)
{
	return i < air->node_count ? air->nodes[i] : NULL;
}

struct sim_node *air_find(struct air *air, uint32_t serial_index)
{
	for (size_t i = 0; i < air->node_count; i++)
		if (air->nodes[i]->spec.serial_index == serial_index)
			return air->nodes[i];
	return NULL;
}

static bool is_id_used(const struct air *air, uint16_t id)
{
	for (const struct air_conn *c = air->conns; c; c = c->next)
		if (c->id == id)
			return true;
	for (const struct air_mesh_link *l = air->mesh_links; l; l = l->next)
		if (l->id == id)
			return true;
	return id == 0 || id == PORT_NO_LINK;
}

uint16_t air_new_id(struct air *air)
{
	do
		air->last_id++;
	while (is_id_used(air, air->last_id));
	return air->last_id;
}

/* --- who hears whom
 * ------------------------------------------------------------------------------------ */

/* A sender of -45 dBm at one metre, 9 dB less for each doubling (indoors), by whole decimetres. */
static int rssi_of_distance(int64_t dx_m, int64_t dy_m)
{
	uint64_t square = (uint64_t)(dx_m * dx_m + dy_m * dy_m) * 100; /* (m * 10)^2 */
	int rssi = -45 * 2;

	for (uint64_t at = 100; at < square; at *= 2) /* a doubled square: sqrt(2) of distance */
		rssi -= 9;
	return rssi / 2;
}

void air_set_rssi(struct air *air, struct sim_node *a, struct sim_node *b, int rssi_dbm)
{
	struct air_rssi *r;

	for (r = air->rssi; r; r = r->next)
		if ((r->a == a && r->b == b) || (r->a == b && r->b == a))
			break;
	if (!r) {
		r = calloc(1, sizeof(*r));
		if (!r)
			abort();
		r->a = a;
		r->b = b;
		r->next = air->rssi;
		air->rssi = r;
	}
	r->rssi_dbm = rssi_dbm;
}

int air_rssi_nodes(struct air *air, const struct sim_node *a, const struct sim_node *b)
{
	for (const struct air_rssi *r = air->rssi; r; r = r->next)
		if (((r->a == a && r->b == b) || (r->a == b && r->b == a)) &&
			r->rssi_dbm != AIR_RSSI_AUTO)
			return r->rssi_dbm;
	if (!a->spec.has_position || !b->spec.has_position)
		return AIR_RSSI_DEFAULT;
	return rssi_of_distance(
		(int64_t)a->spec.x_m - b->spec.x_m, (int64_t)a->spec.y_m - b->spec.y_m);
}

int air_rssi_radio(struct air *air, const struct sim_node *n)
{
	(void)air;
	if (n->spec.gateway_rssi_dbm != AIR_RSSI_AUTO)
		return n->spec.gateway_rssi_dbm;
	return n->spec.has_position ? rssi_of_distance(n->spec.x_m, n->spec.y_m) : AIR_RSSI_DEFAULT;
}

/* --- advertising
 * -------------------------------------------------------------------------------------- */

bool air_is_connectable(const struct sim_node *n)
{
	return n->running && n->adv_bytes > ADV_FLAGS_AT &&
	       (n->adv[ADV_FLAGS_AT] & ADV_HAS_FREE) != 0 &&
	       (n->spec.faults & SIM_FAULT_NO_CONNECT) == 0;
}

static int8_t noisy(struct air *air, int rssi_dbm)
{
	int r = rssi_dbm - REPORT_NOISE_DB + (int)air_between(air, 0, 2 * REPORT_NOISE_DB);

	return (int8_t)(r < -127 ? -127 : r > 20 ? 20 : r);
}

void air_set_ears(struct air *air, unsigned percent)
{
	air->heard_by_high_scan = percent;
}

static void fill_report(
	struct air *air, const struct sim_node *n, int rssi_dbm, struct port_report *out)
{
	memcpy(out->address, n->address, PORT_ADDRESS_BYTES);
	out->rssi_dbm = noisy(air, rssi_dbm);
	out->connectable = air_is_connectable(n);
	out->data = (struct span){n->adv, n->adv_bytes};
}

static void tell_radios(struct air *air, struct sim_node *n)
{
	int rssi = air_rssi_radio(air, n);
	struct port_report report;

	for (struct air_radio *r = air->radios; r; r = r->next) {
		if (!r->scanning || rssi < AIR_RSSI_FLOOR || !air_chance(air, HEARD_BY_RADIO))
			continue;
		fill_report(air, n, rssi, &report);
		r->ops->report(r->ctx, &report, (struct span){n->rsp, n->rsp_bytes});
	}
}

static void tell_nodes(struct air *air, struct sim_node *n)
{
	struct port_report report;

	for (size_t i = 0; i < air->node_count; i++) {
		struct sim_node *to = air->nodes[i];
		unsigned percent =
			to->scan == PORT_SCAN_HIGH ? air->heard_by_high_scan : HEARD_BY_LOW_SCAN;
		int rssi;

		if (to == n || !to->running || to->scan == PORT_SCAN_OFF ||
			!air_chance(air, percent))
			continue;
		rssi = air_rssi_nodes(air, n, to);
		if (rssi < AIR_RSSI_FLOOR)
			continue;
		fill_report(air, n, rssi, &report);
		node_on_report(&to->core, air->now_ms, &report);
		sim_node_rearm(to);
	}
}

static void on_advert(struct air *air, struct air_event *ev)
{
	struct sim_node *n = ev->node;
	uint32_t run;

	memcpy(&run, ev->data, sizeof(run));
	if (run != n->adv_run || n->adv_bytes == 0)
		return;
	struct air_event *next = air_plan(
		air, n->adv_interval_ms + air_between(air, 0, ADV_JITTER_MS), on_advert, n);
	memcpy(next->data, &run, sizeof(run));
	if (n->mesh_on && !air_chance(air, SENT_BESIDE_JOIN_ME))
		return;
	tell_radios(air, n);
	tell_nodes(air, n);
	if (n->adv_run == run)
		air_connect_waiting(n);
}

void air_start_advertising(struct sim_node *n)
{
	struct air_event *ev;

	n->adv_run++;
	if (n->adv_bytes == 0)
		return;
	ev = air_plan(n->air, air_between(n->air, 1, n->adv_interval_ms), on_advert, n);
	memcpy(ev->data, &n->adv_run, sizeof(n->adv_run));
}
