/*
 * What a node demands of its central (mesh-protocol §2.2, §2.3): the MTU exchange, then the
 * subscription, then START, and never a write of more than 20 bytes. Looks at one link; each
 * function returns what is wrong, in words, or NULL.
 */
#ifndef VM_WATCH_H
#define VM_WATCH_H

#include "enr/bytes.h"

enum watch_stage { WATCH_CONNECTED, WATCH_MTU, WATCH_SUBSCRIBING, WATCH_SUBSCRIBED, WATCH_STARTED };

struct watch {
	enum watch_stage stage;
};

void watch_reset(struct watch *w);
const char *watch_mtu(struct watch *w);
const char *watch_subscribe(struct watch *w);
/* The answer to the subscription has left. */
void watch_subscribed(struct watch *w);
const char *watch_write(struct watch *w, struct span written);

#endif
