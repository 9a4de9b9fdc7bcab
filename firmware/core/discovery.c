#include "discovery.h"

#include "node.h"

static void go(struct node *n, bool is_idle)
{
	struct discovery *d = &n->discovery;

	d->idle_at_ms = NODE_NEVER;
	if (d->is_idle == is_idle)
		return;
	d->is_idle = is_idle;
	n->port->mesh_discovery(n->port->ctx, !is_idle);
}

/* Is everybody here? */
static bool is_complete(const struct node *n)
{
	return n->config.enrolled_nodes >= DISCOVERY_COUNT_MIN &&
	       n->config.enrolled_nodes == n->mesh.cluster_size;
}

void discovery_init(struct node *n)
{
	n->discovery = (struct discovery){.idle_at_ms = NODE_NEVER};
}

uint64_t discovery_deadline_ms(const struct node *n)
{
	return n->discovery.idle_at_ms;
}

void discovery_on_timer(struct node *n)
{
	if (n->now_ms >= n->discovery.idle_at_ms)
		go(n, true);
}

void discovery_on_cluster(struct node *n)
{
	go(n, false);
	if (is_complete(n))
		n->discovery.idle_at_ms = n->now_ms + DISCOVERY_IDLE_MS;
}

void discovery_on_count(struct node *n)
{
	go(n, is_complete(n));
}

void discovery_set(struct node *n, bool is_high)
{
	go(n, !is_high);
}

void discovery_keep(struct node *n)
{
	if (n->discovery.idle_at_ms != NODE_NEVER)
		n->discovery.idle_at_ms = n->now_ms + DISCOVERY_IDLE_MS;
}
