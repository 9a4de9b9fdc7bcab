/*
 * The CoAP edge: enrollees that reach us by IP (OP-0006 §9). libcoap's epoll descriptor lives on
 * the daemon's libevent loop. Hands the bytes of a POST up by one wire and carries an answer back;
 * knows nothing of enrollment. Every confirmable request gets the empty ACK at once, whatever it
 * asks, so that silence tells nothing; real answers are separate, non-confirmable responses: the
 * enrollee resends until it has one.
 */
#ifndef NET_COAP_H
#define NET_COAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enr/err.h"

struct event_base;
struct coap_edge;
struct coap_request;

#define COAP_DEFAULT_PORT 5683
#define COAP_LISTEN_MAX 8           /* addresses that one edge listens on */
#define COAP_REQUEST_MAX_BYTES 1024 /* a longer POST is not handed up */
#define COAP_ANSWER_MAX_BYTES 1024

enum coap_resource { COAP_RESOURCE_ENROLL, COAP_RESOURCE_CHANNEL };

/* Who sent it. IPv4 addresses come mapped (::ffff:a.b.c.d). */
struct coap_source {
	uint8_t addr[16];
	uint16_t port;
};

/* The wire upwards. p is borrowed until return; r lives until coap_answer or coap_drop, exactly one
 * of which must be called, once, at any time, also from within on_request. */
struct coap_handler {
	void *arg;
	void (*on_request)(void *arg, struct coap_request *r, enum coap_resource which,
		const uint8_t *p, size_t n, const struct coap_source *src);
};

/* Addresses: "ADDR:PORT", "[ADDR6]:PORT", without ":PORT" 5683; port 0 lets the kernel choose.
 * count 0 listens on [::], which takes IPv4 too, or on 0.0.0.0 where there is no IPv6. Limits of 0
 * take the defaults. */
struct coap_config {
	const char *const *listen;
	size_t listen_count;
	unsigned requests_max; /* unanswered requests; more are dropped in silence (1024) */
	unsigned sessions_max; /* idle peers that libcoap remembers (256) */
};

struct coap_counters {
	uint64_t requests;   /* handed up */
	uint64_t answered;   /* responses sent */
	uint64_t lost;       /* responses that could not be sent */
	uint64_t dropped;    /* ended without a response by the handler */
	uint64_t overloaded; /* not handed up: requests_max reached */
	uint64_t malformed;  /* not handed up: no, too long or fragmented payload, wrong format */
	unsigned waiting;    /* requests that wait for coap_answer or coap_drop now */
};

/* ERR_INVALID: an address that cannot be read; ERR_IO: it cannot be bound. base and handler's arg
 * must outlive the edge. */
ENR_MUST_CHECK enum err coap_edge_new(struct event_base *base, const struct coap_config *config,
	const struct coap_handler *handler, struct coap_edge **out);

/* Requests that still wait are forgotten: their owner must not touch them any more. */
void coap_edge_free(struct coap_edge *e);

/* The port that the index-th address is bound to (useful when it was configured as 0), else 0. */
uint16_t coap_edge_port(const struct coap_edge *e, size_t index);

const struct coap_counters *coap_edge_counters(const struct coap_edge *e);

/* Sends 2.04 Changed, Content-Format 42, with these n <= COAP_ANSWER_MAX_BYTES bytes (borrowed),
 * and releases r. An answer that cannot be sent is counted: the enrollee asks again. */
void coap_answer(struct coap_request *r, const uint8_t *p, size_t n);

/* Releases r without any response. */
void coap_drop(struct coap_request *r);

#endif
