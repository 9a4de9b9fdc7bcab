#include "vm/watch.h"

#include "firmware/port.h"

#define START_TYPE 25
#define START_BYTES 11

void watch_reset(struct watch *w)
{
	w->stage = WATCH_CONNECTED;
}

const char *watch_mtu(struct watch *w)
{
	if (w->stage == WATCH_MTU)
		return "MTU exchanged twice";
	if (w->stage != WATCH_CONNECTED)
		return "MTU exchanged after the subscription";
	w->stage = WATCH_MTU;
	return NULL;
}

/* Again after an end of the subscription is as good as the first time. */
const char *watch_subscribe(struct watch *w)
{
	enum watch_stage before = w->stage;

	w->stage = WATCH_SUBSCRIBING;
	return before == WATCH_CONNECTED ? "subscription before the MTU exchange" : NULL;
}

void watch_subscribed(struct watch *w)
{
	if (w->stage == WATCH_SUBSCRIBING)
		w->stage = WATCH_SUBSCRIBED;
}

static bool is_start(struct span written)
{
	return written.n == START_BYTES && written.p[0] == START_TYPE;
}

const char *watch_write(struct watch *w, struct span written)
{
	enum watch_stage before = w->stage;

	w->stage = WATCH_STARTED;
	if (written.n > PORT_PDU_MAX_BYTES)
		return "write of more than 20 bytes";
	if (written.n == 0)
		return "write of no bytes";
	if (before < WATCH_SUBSCRIBED)
		return "write before the subscription was answered";
	if (before == WATCH_SUBSCRIBED && !is_start(written))
		return "first write is not START";
	return NULL;
}
