/*
 * The hand that hears enrollees: takes the bytes of a request from any transport, stops floods,
 * lets the service decide inside the running batch, and answers after the batch has committed.
 * Knows nothing of CoAP but the shape of its wire.
 */
#ifndef ENROLL_LISTENER_H
#define ENROLL_LISTENER_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/reason.h"
#include "enr/bytes.h"
#include "enr/keys.h"
#include "net/coap.h"

struct batch;
struct listener;
struct service;

enum listener_kind { LISTENER_ENROLL, LISTENER_CHANNEL };

/* Where a request came from, as far as limits care: an IP address without its host part (IPv6: the
 * /64), a mesh node id. n <= 16. */
struct listener_source {
	uint8_t id[16];
	size_t n;
};

/* The way back; called exactly once a request, after the commit that the answer depends on, or
 * during listener_on_request when nothing was written. n == 0: silence. */
struct listener_reply {
	void (*fn)(void *arg, const uint8_t *p, size_t n);
	void *arg;
};

struct listener_config {
	uint32_t source_rate_per_s, source_burst; /* defaults 100, 200 */
	uint32_t id_rate_per_s, id_burst;         /* defaults 2, 5 */
};

struct listener_counters {
	uint64_t requests;
	uint64_t accepted; /* enrollments; a repeat that fetched its old answer counts too */
	uint64_t rejected; /* answered with the rejection frame */
	uint64_t channel;  /* channel messages answered */
	uint64_t pings;    /* of ours, handed over */
	uint64_t silent;   /* unknown or malformed: no answer */
	uint64_t limited;  /* an empty bucket: no answer */
	uint64_t failed;   /* our own fault (storage, memory): no answer */
};

/* config may be NULL or hold zeros: defaults. seed: 16 random bytes for the tables. service and
 * batch must outlive the listener; at the end the batch is flushed before the transport
 * (coap_edge_free) and the listener go, for it holds answers on their way. */
ENR_MUST_CHECK enum err listener_new(struct service *service, struct batch *batch,
	const struct listener_config *config, const uint8_t seed[16], struct listener **out);
void listener_free(struct listener *l);

/* The neutral door. bytes are borrowed until return. */
void listener_on_request(struct listener *l, const struct clock_now *now, enum listener_kind kind,
	struct span bytes, const struct listener_source *source, struct listener_reply reply);

/* The wire from net/coap: coap_handler.on_request with arg = the listener. */
void listener_on_coap(void *arg, struct coap_request *r, enum coap_resource which, const uint8_t *p,
	size_t n, const struct coap_source *src);

#define LISTENER_PINGS_MAX 64   /* that wait for their device */
#define LISTENER_PING_WAIT_S 60 /* so long */

/*
 * Pings a device, 8 bytes of the caller's choice; inside the caller's request of the batch. A
 * device may sit behind a NAT and listens on nothing: the ping waits, after the commit, for the
 * device's next application message (its poll) and leaves as the answer to it; the pong comes back
 * as the service's event. A newer ping to a device replaces its older one. Errors of
 * service_channel_ping; ERR_BUSY: too many wait.
 */
ENR_MUST_CHECK enum err listener_ping(struct listener *l, const struct clock_now *now,
	const char *device_id, const uint8_t body[8], struct reason *why);

const struct listener_counters *listener_counters(const struct listener *l);

#endif
