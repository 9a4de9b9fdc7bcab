/* The inside of the virtual air, shared by its own files only: air.c (clock, advertisements),
 * air_link.c (connections), air_mesh.c (mesh links), sim_node.c (the port of one node). */
#ifndef HOST_AIR_ROOM_H
#define HOST_AIR_ROOM_H

#include "air.h"
#include "firmware/core/node.h"
#include "sim_flash.h"
#include "sim_node.h"

#define AIR_EVENT_BYTES PORT_MESH_MAX_BYTES
#define AIR_TX_QUEUE 6 /* notifications that the stack of a node takes before ERR_BUSY */
#define AIR_MESH_RSSI_MIN (-85)
#define AIR_MESH_IN_MAX 2

/* --- events --------------------------------------------------------------------------------- */

struct air_event;
typedef void air_event_fn(struct air *air, struct air_event *ev);

/* Something that will happen. If it concerns a node, it does not happen when the node was restarted
 * meanwhile. */
struct air_event {
	uint64_t at_ms;
	uint64_t seq; /* among equals: first planned, first done */
	air_event_fn *fn;
	struct sim_node *node; /* may be NULL */
	uint32_t epoch;
	uint16_t link;
	bool flag;
	enum err result;
	size_t n;
	uint8_t data[AIR_EVENT_BYTES];
};

/* --- connections ---------------------------------------------------------------------------- */

enum air_dir { AIR_TO_PERIPHERAL = 0, AIR_TO_CENTRAL = 1 };

struct air_conn {
	struct air_conn *next;
	uint16_t id;
	struct air_radio *radio;     /* the central, or */
	struct sim_node *central;    /* this one */
	struct sim_node *peripheral; /* NULL while connecting */
	uint8_t target[PORT_ADDRESS_BYTES];
	uint64_t timeout_at_ms; /* while connecting */
	bool up;
	bool subscribed;
	bool closing;
	uint64_t last_ms[2]; /* order within a direction */
	uint8_t in_flight[2];
	bool was_full[2];
	bool corrupted; /* SIM_FAULT_CORRUPT has done its work */
};

struct air_radio {
	struct air_radio *next;
	struct air *air;
	const struct air_radio_ops *ops;
	void *ctx;
	bool scanning;
};

/* --- mesh ------------------------------------------------------------------------------------ */

struct air_mesh_link {
	struct air_mesh_link *next;
	uint16_t id;
	struct sim_node *out; /* who made it */
	struct sim_node *in;
	uint64_t last_ms[2]; /* [0]: towards in */
};

/* --- nodes ------------------------------------------------------------------------------------ */

struct sim_tap {
	uint8_t *heard; /* SIM_TAP_BYTES once somebody listens: u8 length, then the message */
	size_t bytes;
	bool lies; /* its results are replaced: */
	uint8_t code;
	int handle; /* and this handle, unless negative */
};

struct sim_node {
	struct air *air;
	struct sim_spec spec;
	struct node core;
	struct port port;
	struct node_features features;
	struct enroll_pre_handler pre;
	struct sim_flash flash;
	uint8_t address[PORT_ADDRESS_BYTES];
	_Alignas(4) uint8_t noinit[PORT_NOINIT_BYTES];
	size_t index;
	uint64_t random;
	uint32_t epoch;
	uint32_t reboots;
	bool running;
	bool has_power;
	bool is_asleep; /* powered itself off: a press wakes it */
	enum port_reboot last_reboot;
	uint8_t leds;
	char *terminal; /* SIM_TERMINAL_BYTES once somebody has typed; its lines, each with CR LF */
	size_t terminal_bytes;

	uint8_t adv[PORT_ADV_MAX_BYTES], rsp[PORT_ADV_MAX_BYTES];
	size_t adv_bytes, rsp_bytes;
	uint16_t adv_interval_ms;
	uint32_t adv_run; /* counts changes: an old tick ends */
	enum port_scan scan;
	uint64_t timer_at_ms;

	bool mesh_on;
	bool is_idle; /* looks for nobody, takes nobody in (§8.2) */
	struct port_mesh mesh;
	struct port_mesh_state mesh_state;
	uint32_t cluster; /* equal: in one mesh; set by air_mesh */
	uint8_t loss_count;
	struct sim_tap tap;
};

struct air_rssi {
	struct air_rssi *next;
	const struct sim_node *a, *b;
	int rssi_dbm;
};

struct air {
	uint64_t now_ms;
	uint64_t seq;
	uint64_t random;
	const struct aes128 *aes;
	struct air_event **heap;
	size_t heap_count, heap_cap;
	struct sim_node **nodes;
	size_t node_count;
	struct air_radio *radios;
	struct air_conn *conns;
	struct air_mesh_link *mesh_links;
	struct air_rssi *rssi;
	unsigned heard_by_high_scan; /* percent */
	uint16_t last_id;
};

/* air.c */
uint64_t air_random(struct air *air);
uint64_t air_between(struct air *air, uint64_t low, uint64_t high); /* both included */
bool air_chance(struct air *air, unsigned percent);
/* Plans fn in delay_ms; the event (zeroed but for the given) is the queue's. */
struct air_event *air_plan(
	struct air *air, uint64_t delay_ms, air_event_fn *fn, struct sim_node *node);
uint16_t air_new_id(struct air *air);
int air_rssi_nodes(struct air *air, const struct sim_node *a, const struct sim_node *b);
int air_rssi_radio(struct air *air, const struct sim_node *n);
bool air_is_connectable(const struct sim_node *n);
void air_start_advertising(struct sim_node *n);

/* air_link.c */
struct air_conn *air_conn_find(struct air *air, uint16_t id);
enum err air_connect_node(
	struct sim_node *central, const uint8_t address[PORT_ADDRESS_BYTES], uint32_t timeout_ms);
void air_connect_cancel(struct sim_node *central);
enum err air_subscribe_node(struct sim_node *central, uint16_t link);
enum err air_send_node(struct sim_node *n, uint16_t link, const void *pdu, size_t bytes);
void air_disconnect_node(struct sim_node *n, uint16_t link);
/* An advertisement of n is in the air: connections that wait for it are made. */
void air_connect_waiting(struct sim_node *n);
/* All connections of n end, as the peers see it for this reason. n hears nothing. */
void air_drop_node(struct sim_node *n, uint8_t hci_reason);

/* air_mesh.c */
void air_mesh_start(struct sim_node *n, const struct port_mesh *mesh);
void air_mesh_stop(struct sim_node *n);
void air_mesh_send(struct sim_node *n, uint16_t except, const void *message, size_t bytes);
void air_mesh_drop_node(struct sim_node *n);

/* sim_node.c */
enum err sim_node_new(struct air *air, const struct sim_spec *spec, const char *flash_path,
	struct sim_node **out);
void sim_node_free(struct sim_node *n);
/* After each event of the core: plans its next timer. */
void sim_node_rearm(struct sim_node *n);

/* sim_tap.c: before the node gets a packet or a message of the mesh, before a packet or a message
 * of its own leaves it. */
void sim_tap_in(struct sim_node *n, uint16_t link, const void *pdu, size_t bytes);
void sim_tap_mesh(struct sim_node *n, struct span message);
void sim_tap_packet(const struct sim_node *n, uint16_t link, uint8_t *pdu, size_t bytes);
void sim_tap_message(const struct sim_node *n, uint8_t *message, size_t bytes);
void sim_tap_free(struct sim_tap *tap);

#endif
