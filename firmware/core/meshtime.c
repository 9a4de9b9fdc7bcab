#include "meshtime.h"

#include "node.h"

#define SECOND_MS 1000u

void meshtime_set(struct node *n, const struct meshmsg_timestamp *stamp)
{
	n->time = (struct meshtime){
		.is_set = true,
		.unix_s = stamp->unix_s,
		.offset_min = stamp->offset_min,
		.set_at_ms = n->now_ms,
	};
}

/* The node that UPDATE_TIMESTAMP told the time is its master: nobody else tells ours. Unset: 0. */
void meshtime_get(const struct node *n, struct meshmsg_time *out)
{
	const struct meshtime *t = &n->time;

	*out = (struct meshmsg_time){.sync = MESHMSG_UNSYNCED};
	if (!t->is_set)
		return;
	out->unix_s = t->unix_s + (uint32_t)((n->now_ms - t->set_at_ms) / SECOND_MS);
	out->offset_min = t->offset_min;
	out->sync = MESHMSG_SYNCED;
	out->is_master = true;
}
