#include "nearby.h"

#include "enr/joinme.h"
#include "node.h"

/* The row of this node, a new one, or NULL when there is no room. */
static struct nearby_seen *row_of(struct nearby *b, uint16_t node_id)
{
	for (size_t i = 0; i < b->count; i++)
		if (b->seen[i].node_id == node_id)
			return &b->seen[i];
	if (b->count == MESHMSG_NEARBY_MAX)
		return NULL;
	b->seen[b->count] = (struct nearby_seen){.node_id = node_id};
	return &b->seen[b->count++];
}

void nearby_on_report(struct node *n, const struct port_report *report)
{
	struct nearby_seen *row;
	struct joinme join;

	if (joinme_decode(report->data.p, report->data.n, &join) != ERR_OK ||
		join.network_id != n->config.network_id || join.node_id == 0)
		return;
	row = row_of(&n->nearby, join.node_id);
	if (!row || row->reports == UINT16_MAX)
		return;
	row->reports++;
	row->rssi_sum += report->rssi_dbm;
}

void nearby_take(struct node *n, struct meshmsg_nearby *out)
{
	struct nearby *b = &n->nearby;

	out->count = b->count;
	for (size_t i = 0; i < b->count; i++) {
		out->node[i].node_id = b->seen[i].node_id;
		out->node[i].rssi_dbm = (int8_t)(b->seen[i].rssi_sum / b->seen[i].reports);
	}
	b->count = 0;
}
