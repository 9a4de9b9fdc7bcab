/*
 * The control socket: a Varlink server for local clients. Accepts, asks the kernel who calls,
 * drains each connection, runs one table row per call (commands.h), and lets no reply out before
 * the transaction it depends on has committed. Knows nothing of what the methods mean.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include <stdint.h>

#include "enr/err.h"

struct batch;
struct clock_now;
struct control;
struct event_base;
struct meshops;
struct nodes;
struct reason;
struct service;

/* What only the daemon knows, for the method Status. Strings are borrowed until return. */
struct control_daemon_status {
	uint64_t started_at;      /* unix seconds */
	const char *link_state;   /* "off", "searching", "connecting", "connected", ... */
	const char *link_address; /* of the gateway node, or NULL */
	uint16_t link_node_id;    /* 0: not known */
	uint16_t link_network_id;
	uint64_t ignored;         /* messages of the mesh that nobody had asked for */
	const char *coap_address; /* where enrollees reach us, or NULL */
};

/* All pointers are borrowed and outlive the control. Zero for a limit means its default. */
struct control_config {
	struct event_base *base;
	const char *path; /* made here with mode 0666, removed by control_free; unless listen_fd */
	int listen_fd;    /* a listening socket from systemd, closed by control_free; -1: none */
	const char *version;
	uint32_t connections_max;         /* default 256; also bounded by RLIMIT_NOFILE */
	uint32_t connections_per_uid_max; /* default 96; uid 0 too */
	uint32_t idle_s;                  /* no byte of a begun message, or no reader: default 30 */

	struct batch *batch;
	struct service *service;
	struct nodes *nodes;
	struct meshops *meshops; /* NULL: there is no radio */
	/* EnrolleePing: what listener_ping does, inside the batch's request. NULL: enrollees cannot
	 * be reached. */
	enum err (*ping)(void *arg, const struct clock_now *now, const char *device_id,
		const uint8_t body[8], struct reason *why);
	void *ping_arg;
	void (*status)(void *arg, struct control_daemon_status *out);
	void *status_arg;
};

/* Something happened and is committed. Strings are borrowed until return; NULL ones are left out.
 */
struct control_event {
	const char *event;     /* object_verb: "bundle_issued", "enrollee_enrolled", "node_state" */
	const char *id;        /* of the object: hex, serial number or number as text */
	const char *state;     /* the object's state after it */
	const char *reason;    /* why, for a person: one word or a short sentence */
	const char *name;      /* pet name */
	const char *device_id; /* enrollee_accepted: what it is called from now on */
	uint64_t at;           /* unix seconds */
};

/* Listens. ERR_IO: the socket could not be made (logged, with the reason); ERR_CONFLICT: another
 * daemon answers at that path. */
ENR_MUST_CHECK enum err control_new(const struct control_config *config, struct control **out);
void control_free(struct control *c);

/* To everyone who watches; one who does not read is cut off. Call it after the commit. */
void control_push(struct control *c, const struct control_event *e);

#endif
