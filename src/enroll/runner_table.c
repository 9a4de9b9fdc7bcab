/* The runner's cache of the store: networks and the nodes whose jobs are not over. */
#include <stdlib.h>
#include <string.h>

#include "enroll/runner_room.h"
#include "store/nodes.h"

/* Where serial is or would be. */
static size_t place(const struct runner *r, uint32_t serial)
{
	size_t low = 0, high = r->entry_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (r->entries[mid]->job.serial < serial)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct entry *runner_find(struct runner *r, uint32_t serial)
{
	size_t i = place(r, serial);

	return i < r->entry_count && r->entries[i]->job.serial == serial ? r->entries[i] : NULL;
}

struct net *runner_net(struct runner *r, uint16_t id)
{
	struct net *net = r->nets;

	while (net && (net->id != id || net->gone))
		net = net->next;
	return net;
}

/* --- the schedule's view: jobs of a network -------------------------------------------------- */

static void net_drop_job(struct net *net, const struct job *job)
{
	for (size_t i = 0; i < net->job_count; i++)
		if (net->jobs[i] == job) {
			memmove(&net->jobs[i], &net->jobs[i + 1],
				(net->job_count - i - 1) * sizeof(struct job *));
			net->job_count--;
			return;
		}
}

static enum err net_add_job(struct net *net, struct job *job)
{
	struct job **p = net->jobs;

	/* Doubles at each power of two. */
	if ((net->job_count & (net->job_count - 1)) == 0)
		p = realloc(net->jobs,
			(net->job_count ? 2 * net->job_count : 1) * sizeof(struct job *));
	if (!p)
		return ERR_NOMEM;
	net->jobs = p;
	net->jobs[net->job_count++] = job;
	return ERR_OK;
}

/* --- entries --------------------------------------------------------------------------------- */

static enum err entries_insert(struct runner *r, struct entry *en)
{
	size_t i = place(r, en->job.serial);
	struct entry **p = r->entries;

	if ((r->entry_count & (r->entry_count - 1)) == 0)
		p = realloc(r->entries,
			(r->entry_count ? 2 * r->entry_count : 1) * sizeof(struct entry *));
	if (!p)
		return ERR_NOMEM;
	r->entries = p;
	memmove(&p[i + 1], &p[i], (r->entry_count - i) * sizeof(struct entry *));
	p[i] = en;
	r->entry_count++;
	return ERR_OK;
}

static void fill(struct entry *en, struct net *net, const struct node_row *row, uint64_t now_ms)
{
	en->net = net;
	en->device_type = row->device_type;
	en->only_if_unenrolled = row->only_if_unenrolled;
	en->nearby = row->nearby;
	en->from_network = row->from_network;
	en->job = row->job;
	job_restore(&en->job, now_ms);
}

static enum err add_entry(struct runner *r, const struct node_row *row)
{
	struct net *net = runner_net(r, row->network_id);
	struct entry *en = calloc(1, sizeof(*en));
	enum err e;

	if (!net || !en) {
		free(en);
		return net ? ERR_NOMEM : ERR_STATE;
	}
	en->runner = r;
	fill(en, net, row, runner_now(r));
	if ((e = net_add_job(net, &en->job)) == ERR_OK) {
		e = entries_insert(r, en);
		if (e != ERR_OK)
			net_drop_job(net, &en->job);
	}
	if (e != ERR_OK)
		free(en);
	return e;
}

/* What an order that was taken back and given anew within one transaction may say otherwise. */
static bool same_order(const struct job *now, const struct job *stored)
{
	return now->task == stored->task && now->preferred_network == stored->preferred_network &&
	       now->expires_ms == stored->expires_ms;
}

static bool same_attempt(const struct job *now, const struct job *stored)
{
	return now->state == stored->state && now->attempts == stored->attempts &&
	       now->node_id == stored->node_id && now->handle == stored->handle &&
	       same_order(now, stored);
}

static enum err change_entry(struct entry *en, const struct node_row *row)
{
	struct runner *r = en->runner;
	struct net *net = runner_net(r, row->network_id);
	struct job before = en->job;

	if (same_attempt(&en->job, &row->job) && en->net == net)
		return ERR_OK;
	if (!net)
		return ERR_STATE;
	direct_close(en);
	if (net != en->net) {
		enum err e = net_add_job(net, &en->job);

		if (e != ERR_OK)
			return e;
		net_drop_job(en->net, &en->job);
		en->via = NULL;
	}
	fill(en, net, row, runner_now(r));
	en->job.ear_ms = before.ear_ms; /* who hears it has not changed */
	en->job.ear_rssi = before.ear_rssi;
	memcpy(en->job.helpers, before.helpers, sizeof(before.helpers));
	return ERR_OK;
}

enum err runner_refresh(struct runner *r, uint32_t serial, struct node_row *out)
{
	struct entry *en = runner_find(r, serial);
	enum err e = store_nodes_get(r->config.store, serial, out);

	if (e == ERR_NOT_FOUND && en) {
		direct_close(en);
		en->job.in_flight = false;
		en->job.state = JOB_REMOVED;
	}
	if (e != ERR_OK)
		return e;
	if (en)
		return change_entry(en, out);
	return job_is_over(out->job.state) ? ERR_OK : add_entry(r, out);
}

/* --- loading --------------------------------------------------------------------------------- */

struct loading {
	struct runner *r;
	enum err e;
};

static struct net *add_net(struct runner *r, const struct network_row *row)
{
	struct net *net = calloc(1, sizeof(*net));

	if (!net)
		return NULL;
	net->runner = r;
	net->next = r->nets;
	net->row = row->row;
	net->id = row->id;
	r->nets = net;
	return net;
}

static bool load_net(void *ctx, const struct network_row *row)
{
	struct loading *l = ctx;
	struct net *net = runner_net(l->r, row->id);

	if (net && net->row != row->row) { /* another one that was given its number */
		net->gone = true;
		net = NULL;
	}
	if (!net)
		net = add_net(l->r, row);
	if (!net) {
		l->e = ERR_NOMEM;
		return false;
	}
	net->gateway_serial = row->gateway_serial;
	net->listed = true;
	return true;
}

enum err runner_load_nets(struct runner *r)
{
	struct loading l = {r, ERR_OK};
	enum err e;

	for (struct net *net = r->nets; net; net = net->next)
		net->listed = false;
	e = store_networks_list(r->config.store, 0, load_net, &l);
	if (e == ERR_OK)
		e = l.e;
	for (struct net *net = r->nets; e == ERR_OK && net; net = net->next) {
		net->gone = !net->listed;
		if (net->gone && net->session)
			mesh_close(net->session);
	}
	return e;
}

static bool load_node(void *ctx, const struct node_row *row)
{
	struct loading *l = ctx;

	l->e = add_entry(l->r, row);
	if (l->e == ERR_OK && row->job.state == JOB_SAVED) /* who knows if the mesh was told */
		runner_net(l->r, row->network_id)->count_due = true;
	return l->e == ERR_OK;
}

enum err runner_load(struct runner *r)
{
	static const struct nodes_filter active = {.state = -1, .active = true};
	struct loading l = {r, ERR_OK};
	enum err e = runner_load_nets(r);

	if (e == ERR_OK)
		e = store_nodes_list(r->config.store, &active, 0, load_node, &l);
	return e != ERR_OK ? e : l.e;
}

/* --- letting go ------------------------------------------------------------------------------ */

static void reap_entries(struct runner *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->entry_count; i++) {
		struct entry *en = r->entries[i];

		if (!job_is_over(en->job.state) || en->session) {
			r->entries[kept++] = en;
			continue;
		}
		net_drop_job(en->net, &en->job);
		free(en);
	}
	r->entry_count = kept;
}

void runner_reap(struct runner *r)
{
	struct net **at = &r->nets;

	reap_entries(r);
	while (*at) {
		struct net *net = *at;

		if (!net->gone || net->session || net->job_count > 0) {
			at = &net->next;
			continue;
		}
		*at = net->next;
		free(net->jobs);
		free(net);
	}
}

void runner_table_free(struct runner *r)
{
	for (size_t i = 0; i < r->entry_count; i++)
		free(r->entries[i]);
	free(r->entries);
	while (r->nets) {
		struct net *net = r->nets;

		r->nets = net->next;
		free(net->jobs);
		free(net);
	}
}
