/* The time of day as UPDATE_TIMESTAMP told it (mesh-protocol §3.9, §8.4 GET_TIME); until then it is
 * unknown. */
#ifndef FIRMWARE_CORE_MESHTIME_H
#define FIRMWARE_CORE_MESHTIME_H

#include "enr/meshmsg.h"

struct node;

struct meshtime {
	bool is_set;
	uint32_t unix_s; /* at set_at_ms */
	int16_t offset_min;
	uint64_t set_at_ms;
};

void meshtime_set(struct node *n, const struct meshmsg_timestamp *stamp);
void meshtime_get(const struct node *n, struct meshmsg_time *out);

#endif
