/* Where calls that go upward arrive: each wire hands on what one room says to the room that wants
 * to know. */
#ifndef DAEMON_WIRES_H
#define DAEMON_WIRES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enroll/runner.h"

#define DAEMON_SIGNALS 2
#define DAEMON_WELCOME_ROOM 256 /* more than a welcome may have, to notice one that is too long */

struct clock_now;
struct control_daemon_status;
struct event;
struct keypool;
struct nodes_event;
struct service_event;

/* The rooms in the order in which they are built; NULL where the configuration leaves one out. */
struct daemon {
	const struct conf *conf;
	const struct crypto *crypto;
	struct seal *seal;
	struct store *store;
	struct keypool *keys;
	struct service *service;
	struct event_base *base;
	struct batch *batch;
	struct nodes *nodes;
	struct timer_event *timers;
	struct mesh *mesh;
	struct runner *runner;
	struct meshops *meshops;
	struct listener *listener;
	struct coap_edge *coap;
	struct control *control;
	struct event *signals[DAEMON_SIGNALS], *tick, *watchdog;
	uint64_t started_at;         /* unix seconds */
	struct runner_status status; /* as last told, for wire_status */
	uint8_t welcome[DAEMON_WELCOME_ROOM];
	size_t welcome_bytes;
};

/* The first argument of all is the struct daemon. */
void wire_service_event(void *arg, const struct service_event *e);
void wire_node_event(void *arg, const struct nodes_event *e);
void wire_adapter(void *arg, bool ready);
void wire_time(void *arg, uint64_t now_ms);
enum err wire_ping(void *arg, const struct clock_now *now, const char *device_id,
	const uint8_t body[8], struct reason *why);
void wire_status(void *arg, struct control_daemon_status *out);

/* One portion of what time brings; true: more is due. */
bool wire_tick(struct daemon *d);

#endif
