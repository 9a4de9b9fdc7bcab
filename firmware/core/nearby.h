/* Which nodes of our network are heard, by their JOIN_ME (mesh-protocol §8.1, §8.6 NEARBY_NODES).
 */
#ifndef FIRMWARE_CORE_NEARBY_H
#define FIRMWARE_CORE_NEARBY_H

#include "enr/meshmsg.h"
#include "firmware/port.h"

struct node;

struct nearby {
	uint8_t count;
	struct nearby_seen {
		uint16_t node_id;
		uint16_t reports;
		int32_t rssi_sum;
	} seen[MESHMSG_NEARBY_MAX];
};

void nearby_on_report(struct node *n, const struct port_report *report);
/* Who was heard since the last call, with the average of how loud. */
void nearby_take(struct node *n, struct meshmsg_nearby *out);

#endif
