/*
 * Does this node look for others of its network (mesh-protocol §8.2)? It does, until its mesh has
 * as many nodes as the gateway said there are (SET_ENROLLED_NODES), or it is told not to
 * (SET_DISCOVERY). An idle node scans for nobody unless an enrollment asks it to.
 */
#ifndef FIRMWARE_CORE_DISCOVERY_H
#define FIRMWARE_CORE_DISCOVERY_H

#include "firmware/port.h"

#define DISCOVERY_IDLE_MS 10000 /* after the last change of the cluster */
#define DISCOVERY_COUNT_MIN 2   /* a smaller count means nothing */

struct node;

struct discovery {
	bool is_idle;
	uint64_t idle_at_ms; /* NODE_NEVER: not planned */
};

void discovery_init(struct node *n);
uint64_t discovery_deadline_ms(const struct node *n);
void discovery_on_timer(struct node *n);

/* The cluster has another size: somebody may be looking for us. */
void discovery_on_cluster(struct node *n);
/* The number of enrolled nodes was told, perhaps the same as before. */
void discovery_on_count(struct node *n);
void discovery_set(struct node *n, bool is_high);
/* An enrollment is under way: not idle before its time, once more (§4.4 step 1). */
void discovery_keep(struct node *n);

#endif
