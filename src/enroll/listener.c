/*
 * Limits, then the service inside the batch, then the answer after the commit. What a request is
 * worth is the service's to say; here is only counted and carried.
 */
#include "enroll/listener.h"

#include <stdlib.h>

#include "base/log.h"
#include "enr/channel.h"
#include "enroll/batch.h"
#include "enroll/service.h"
#include "net/bucket.h"

#define BUCKET_SLOTS 4096

/* A frame of ours that waits for its device's poll. n == 0: free. */
struct waiting {
	uint8_t device[ENR_CHANNEL_DEVICE_BYTES];
	uint64_t until_ms;
	bool handed_over;
	size_t n;
	uint8_t frame[SERVICE_REPLY_MAX];
};

struct listener {
	struct service *service;
	struct batch *batch;
	struct bucket_table *sources, *ids;
	struct listener_counters counters;
	bool failing; /* since the last request that went well */
	struct waiting pings[LISTENER_PINGS_MAX];
};

/* --- limits -------------------------------------------------------------------------------- */

static enum err make_buckets(
	struct listener *l, const struct listener_config *config, const uint8_t seed[16])
{
	struct listener_config c = config ? *config : (struct listener_config){0};
	struct bucket_config sources = {
		.rate_per_s = c.source_rate_per_s ? c.source_rate_per_s : 100,
		.burst = c.source_burst ? c.source_burst : 200,
		.slots = BUCKET_SLOTS};
	struct bucket_config ids = {.rate_per_s = c.id_rate_per_s ? c.id_rate_per_s : 2,
		.burst = c.id_burst ? c.id_burst : 5,
		.slots = BUCKET_SLOTS};
	enum err err = bucket_table_new(&sources, seed, &l->sources);

	return err ? err : bucket_table_new(&ids, seed, &l->ids);
}

/* What the service asks for an id that it knows, before any crypto (OP-0006 §6, step 5). */
struct permit {
	struct listener *l;
	uint64_t now_ms;
	bool limited;
};

static bool permit_id(void *arg, const uint8_t *id, size_t n)
{
	struct permit *p = arg;

	p->limited = !bucket_take(p->l->ids, (struct span){id, n}, p->now_ms);
	return !p->limited;
}

/* Refuses what cannot be a frame before a transaction is opened for it. */
static bool is_frame(enum listener_kind kind, struct span bytes)
{
	struct enr_channel_frame frame;
	struct span message;

	switch (kind) {
	case LISTENER_ENROLL:
		return enrollmsg_request_decode(bytes, &message) == ERR_OK;
	case LISTENER_CHANNEL:
		return enr_channel_decode(bytes, &frame) == ERR_OK;
	}
	return false;
}

/* --- pings of ours ------------------------------------------------------------------------- */

static struct waiting *ping_of(struct listener *l, const uint8_t device[ENR_CHANNEL_DEVICE_BYTES])
{
	for (size_t i = 0; i < LISTENER_PINGS_MAX; i++)
		if (l->pings[i].n > 0 &&
			memcmp(l->pings[i].device, device, sizeof(l->pings[i].device)) == 0)
			return &l->pings[i];
	return NULL;
}

static struct waiting *ping_room(struct listener *l, const uint8_t *device, uint64_t now_ms)
{
	struct waiting *w = ping_of(l, device);

	for (size_t i = 0; i < LISTENER_PINGS_MAX && !w; i++)
		if (l->pings[i].n == 0 || l->pings[i].until_ms < now_ms)
			w = &l->pings[i];
	return w;
}

struct new_ping {
	struct listener *l;
	struct waiting w;
};

/* Only now is its counter safe on disk. */
static void ping_committed(void *arg, enum err committed)
{
	struct new_ping *p = arg;
	uint64_t made_ms = p->w.until_ms - LISTENER_PING_WAIT_S * UINT64_C(1000);
	struct waiting *room = committed ? NULL : ping_room(p->l, p->w.device, made_ms);

	if (room)
		*room = p->w;
	else
		log_warn("channel: ping lost reason=\"%s\"",
			err_text(committed ? committed : ERR_BUSY));
	free(p);
}

enum err listener_ping(struct listener *l, const struct clock_now *now, const char *device_id,
	const uint8_t body[8], struct reason *why)
{
	struct service_reply reply = {0};
	struct enr_channel_frame frame;
	struct new_ping *p;
	enum err err = service_channel_ping(l->service, now, device_id, body, &reply, why);

	if (err)
		return err;
	err = enr_channel_decode((struct span){reply.bytes, reply.bytes_count}, &frame);
	if (err)
		return err;
	if (!ping_room(l, frame.device, now->boot_ms)) {
		reason_set(why, NULL, "%d pings are waiting for their devices", LISTENER_PINGS_MAX);
		return ERR_BUSY;
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return ERR_NOMEM;
	p->l = l;
	p->w.until_ms = now->boot_ms + LISTENER_PING_WAIT_S * UINT64_C(1000);
	p->w.n = reply.bytes_count;
	memcpy(p->w.device, frame.device, sizeof(p->w.device));
	memcpy(p->w.frame, reply.bytes, reply.bytes_count);
	err = batch_after(l->batch, ping_committed, p);
	if (err)
		free(p);
	return err;
}

/* The device has answered the ping that it was given. */
static void forget_ping(struct listener *l, struct span bytes)
{
	struct enr_channel_frame frame;
	struct waiting *w = NULL;

	if (enr_channel_decode(bytes, &frame) == ERR_OK)
		w = ping_of(l, frame.device);
	if (w && w->handed_over)
		w->n = 0;
}

/* --- answers ------------------------------------------------------------------------------- */

struct answer {
	struct listener *l;
	struct listener_reply way;
	size_t n;
	uint8_t bytes[SERVICE_REPLY_MAX];
};

static void answer_committed(void *arg, enum err committed)
{
	struct answer *a = arg;

	if (committed)
		a->l->counters.failed++;
	a->way.fn(a->way.arg, a->bytes, committed ? 0 : a->n);
	free(a);
}

/* The first of a row is logged: anybody can send requests, and a full disk fails them all. */
static void fail(struct listener *l, struct listener_reply way, enum err err)
{
	if (!l->failing)
		log_err("listener: request lost reason=\"%s\"", err_text(err));
	l->failing = true;
	l->counters.failed++;
	way.fn(way.arg, NULL, 0);
}

/* Persist, then answer. */
static void answer_later(
	struct listener *l, const struct service_reply *reply, struct listener_reply way)
{
	struct answer *a = malloc(sizeof(*a));
	enum err err = ERR_NOMEM;

	if (a) {
		a->l = l;
		a->way = way;
		a->n = reply->bytes_count;
		memcpy(a->bytes, reply->bytes, reply->bytes_count);
		err = batch_after(l->batch, answer_committed, a);
	}
	if (err) {
		free(a);
		fail(l, way, err);
	}
}

/* The device itself spoke, the service has nothing to say, but a ping waits for it. */
struct poll {
	struct listener *l;
	struct listener_reply way;
	uint8_t device[ENR_CHANNEL_DEVICE_BYTES];
	uint64_t now_ms;
};

/* The frame is the same each time, so whoever provokes it twice learns and changes nothing. */
static void poll_committed(void *arg, enum err committed)
{
	struct poll *p = arg;
	struct waiting *w = committed ? NULL : ping_of(p->l, p->device);

	if (w && w->until_ms < p->now_ms) {
		w->n = 0;
		w = NULL;
	}
	if (w) {
		w->handed_over = true;
		p->l->counters.pings++;
	} else {
		p->l->counters.silent++;
	}
	p->way.fn(p->way.arg, w ? w->frame : NULL, w ? w->n : 0);
	free(p);
}

/* False: there is no ping for it, nothing was done. */
static bool answer_poll(
	struct listener *l, struct span bytes, uint64_t now_ms, struct listener_reply way)
{
	struct enr_channel_frame frame;
	struct poll *p;

	if (enr_channel_decode(bytes, &frame) != ERR_OK || !ping_of(l, frame.device))
		return false;
	p = malloc(sizeof(*p));
	if (!p)
		return false;
	*p = (struct poll){.l = l, .way = way, .now_ms = now_ms};
	memcpy(p->device, frame.device, sizeof(p->device));
	if (batch_after(l->batch, poll_committed, p) == ERR_OK)
		return true;
	free(p);
	return false;
}

static void count(struct listener *l, enum listener_kind kind, enum service_outcome outcome)
{
	switch (outcome) {
	case SERVICE_SILENCE:
		l->counters.silent++;
		break;
	case SERVICE_REJECT:
		l->counters.rejected++;
		break;
	case SERVICE_ANSWER:
		if (kind == LISTENER_ENROLL)
			l->counters.accepted++;
		else
			l->counters.channel++;
		break;
	}
}

/* --- requests ------------------------------------------------------------------------------ */

static enum err decide(struct listener *l, const struct clock_now *now, enum listener_kind kind,
	struct span bytes, struct permit *permit, struct service_reply *reply)
{
	enum err err = batch_enter(l->batch);

	if (err)
		return err;
	if (kind == LISTENER_ENROLL)
		err = service_accept(l->service, now, bytes, permit_id, permit, reply);
	else
		err = service_channel(l->service, now, bytes, permit_id, permit, reply);
	return batch_leave(l->batch, err);
}

void listener_on_request(struct listener *l, const struct clock_now *now, enum listener_kind kind,
	struct span bytes, const struct listener_source *source, struct listener_reply way)
{
	struct permit permit = {.l = l, .now_ms = now->boot_ms};
	struct service_reply reply = {.outcome = SERVICE_SILENCE};
	enum err err;

	l->counters.requests++;
	if (!bucket_take(l->sources, (struct span){source->id, source->n}, now->boot_ms)) {
		l->counters.limited++;
		way.fn(way.arg, NULL, 0);
		return;
	}
	err = is_frame(kind, bytes) ? decide(l, now, kind, bytes, &permit, &reply) : ERR_OK;
	if (err) {
		fail(l, way, err);
		return;
	}
	l->failing = false;
	if (reply.pong)
		forget_ping(l, bytes);
	else if (kind == LISTENER_CHANNEL && reply.outcome == SERVICE_SILENCE && reply.authentic &&
		 answer_poll(l, bytes, now->boot_ms, way))
		return;
	if (permit.limited)
		l->counters.limited++;
	else
		count(l, kind, reply.outcome);
	if (reply.outcome == SERVICE_SILENCE)
		way.fn(way.arg, NULL, 0);
	else
		answer_later(l, &reply, way);
}

/* --- the wire from net/coap ---------------------------------------------------------------- */

static void coap_reply(void *arg, const uint8_t *p, size_t n)
{
	struct coap_request *r = arg;

	if (n > 0)
		coap_answer(r, p, n);
	else
		coap_drop(r);
}

/* One subscriber has an IPv4 address or an IPv6 /64; on one link, each address is its own. */
static struct listener_source source_of(const struct coap_source *src)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
	bool link_local = src->addr[0] == 0xFE && (src->addr[1] & 0xC0) == 0x80;
	bool whole = link_local || memcmp(src->addr, mapped, sizeof(mapped)) == 0;
	struct listener_source out = {.n = whole ? 16 : 8};

	memcpy(out.id, src->addr, out.n);
	return out;
}

void listener_on_coap(void *arg, struct coap_request *r, enum coap_resource which, const uint8_t *p,
	size_t n, const struct coap_source *src)
{
	struct listener *l = arg;
	struct listener_source source = source_of(src);
	enum listener_kind kind =
		which == COAP_RESOURCE_ENROLL ? LISTENER_ENROLL : LISTENER_CHANNEL;
	struct clock_now now;
	enum err err = clock_read(&now);

	if (err)
		fail(l, (struct listener_reply){coap_reply, r}, err);
	else
		listener_on_request(l, &now, kind, (struct span){p, n}, &source,
			(struct listener_reply){coap_reply, r});
}

/* --- life ---------------------------------------------------------------------------------- */

enum err listener_new(struct service *service, struct batch *batch,
	const struct listener_config *config, const uint8_t seed[16], struct listener **out)
{
	struct listener *l = calloc(1, sizeof(*l));
	enum err err;

	if (!l)
		return ERR_NOMEM;
	l->service = service;
	l->batch = batch;
	err = make_buckets(l, config, seed);
	if (err) {
		listener_free(l);
		return err;
	}
	*out = l;
	return ERR_OK;
}

void listener_free(struct listener *l)
{
	if (!l)
		return;
	bucket_table_free(l->sources);
	bucket_table_free(l->ids);
	free(l);
}

const struct listener_counters *listener_counters(const struct listener *l)
{
	return &l->counters;
}
