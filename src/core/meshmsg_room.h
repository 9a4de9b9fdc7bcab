/* What the files of meshmsg share: opening of headers when writing. */
#ifndef CORE_MESHMSG_ROOM_H
#define CORE_MESHMSG_ROOM_H

#include "enr/meshmsg.h"

void meshmsg_begin(struct wr *w, uint8_t type, uint16_t sender, uint16_t receiver);
void meshmsg_begin_module(
	struct wr *w, uint8_t type, struct meshmsg_route route, uint32_t module, uint8_t action);

/* The header of a module message that we know; w turns bad for another kind. */
void meshmsg_begin_kind(struct wr *w, struct meshmsg_route route, enum meshmsg_kind kind);

/* A cursor over the payload of a message of that kind; ERR_UNKNOWN if it is another one. */
static inline ENR_MUST_CHECK enum err meshmsg_open(
	const struct meshmsg *msg, enum meshmsg_kind kind, struct rd *r)
{
	*r = rd_init(msg->payload.p, msg->payload.n);
	return msg->kind == kind ? ERR_OK : ERR_UNKNOWN;
}

#endif
