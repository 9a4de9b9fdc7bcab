/*
 * The node: all its state in one caller-owned struct, events of the port in, calls of the port out.
 * Boots, loads its configuration, keeps the moments at which something is due, and routes messages
 * between its own modules, the mesh and the MeshAccess links (mesh-protocol §1.5, §1.7, §3.9).
 */
#ifndef FIRMWARE_CORE_NODE_H
#define FIRMWARE_CORE_NODE_H

#include "access.h"
#include "button.h"
#include "config.h"
#include "dial.h"
#include "discovery.h"
#include "enroll.h"
#include "firmware/port.h"
#include "meshtime.h"
#include "nearby.h"
#include "records.h"
#include "terminal.h"

#define NODE_VERSION 10020250u   /* what we are compatible with, for DEVICE_INFO_V2 */
#define NODE_ADV_INTERVAL_MS 100 /* §2.4 */
#define NODE_ENROLL_REBOOT_MS (MESHMSG_ENROLL_REBOOT_S * 1000u)
#define NODE_REMOVE_REBOOT_MS (MESHMSG_UNENROLL_REBOOT_S * 1000u)
#define NODE_NEVER UINT64_MAX

/* What the product decides, as the vendor's featuresets do; const, borrowed for the node's life. */
struct node_features {
	uint8_t device_type;                  /* enum meshadv_device */
	bool allow_unsecure;                  /* allowUnenrolledUnsecureConnections */
	bool no_storage;                      /* enrollment in RAM only, §4.9 */
	uint8_t button_remove_ds;             /* 0: off */
	bool button_power_off;                /* a short press powers off */
	uint16_t adv_interval_ms;             /* 0: NODE_ADV_INTERVAL_MS */
	uint8_t module_ids[3];                /* for the advertisement */
	uint16_t chip_group;                  /* 20000 … 20999, or 0 */
	uint16_t featureset_group;            /* likewise */
	const struct enroll_pre_handler *pre; /* in this order; NULL: none */
	uint8_t pre_count;
};

struct node {
	const struct port *port;
	const struct node_features *features;
	uint64_t now_ms; /* of the event that is being handled */
	struct port_chip chip;
	struct identity id;
	struct config config;
	struct records records;
	struct access access;
	struct enroll enroll;
	struct dial dial;
	struct discovery discovery;
	struct nearby nearby;
	struct meshtime time;
	struct terminal terminal;
	struct port_mesh_state mesh;
	uint64_t reboot_at_ms; /* NODE_NEVER: not planned */
	enum port_reboot reboot_why;
	struct button button;
	bool is_mute;        /* after an enrollment was saved: no advertising until the reboot */
	bool is_initialized; /* a gateway has said so, §8.6 */
	uint8_t adv_flags;   /* what is being advertised; 0xFF: nothing */
	uint16_t adv_network_id;
	enum port_scan scan;
};

/* Boots: n need not be initialised. port and features are borrowed. */
void node_init(struct node *n, const struct port *port, const struct node_features *features,
	uint64_t now_ms);

/* When node_on_timer() is wanted; NODE_NEVER: not at all. May be in the past. */
uint64_t node_deadline_ms(const struct node *n);
void node_on_timer(struct node *n, uint64_t now_ms);

/* --- events of the port (port.h) ------------------------------------------------------------- */

void node_on_flash(struct node *n, uint64_t now_ms, enum err result);
void node_on_report(struct node *n, uint64_t now_ms, const struct port_report *report);
/* Peripheral: a central has connected. Central: port->connect has succeeded. */
void node_on_connected(struct node *n, uint64_t now_ms, uint16_t link, enum port_role role,
	const uint8_t address[PORT_ADDRESS_BYTES]);
void node_on_connect_failed(struct node *n, uint64_t now_ms);
/* Peripheral: the peer has written our CCCD. Central: ours was accepted. */
void node_on_subscribed(struct node *n, uint64_t now_ms, uint16_t link);
/* Peripheral: a write to RX. Central: a notification of TX. Of any length. */
void node_on_pdu(struct node *n, uint64_t now_ms, uint16_t link, const void *pdu, size_t bytes);
void node_on_tx_ready(struct node *n, uint64_t now_ms, uint16_t link);
void node_on_disconnected(struct node *n, uint64_t now_ms, uint16_t link);
void node_on_mesh(struct node *n, uint64_t now_ms, const struct port_mesh_state *state);
/* One whole message from the mesh link with this number. */
void node_on_mesh_message(
	struct node *n, uint64_t now_ms, uint16_t mesh_link, const void *message, size_t bytes);
/* One line of the terminal as it was typed, without its end. */
void node_on_line(struct node *n, uint64_t now_ms, const char *line, size_t bytes);
void node_on_button(struct node *n, uint64_t now_ms, bool pressed);

/* The late answer of the handler that said ENROLL_PRE_WAITING; from anybody else, or too late, it
 * is ignored. ENROLL_PRE_WAITING changes nothing. Not from within a handler's begin(). */
void node_pre_enrollment_done(struct node *n, uint64_t now_ms, const struct enroll_pre_handler *who,
	enum enroll_pre result);

/* --- for the modules of the core ---------------------------------------------------------------
 */

/* Sends a message of our own: to the mesh and to the access peers that may have it. */
void node_send(struct node *n, const void *message, size_t bytes);
/* The same, and to this node itself if it is addressed, as if it had come from elsewhere. */
void node_send_loopback(struct node *n, const uint8_t *message, size_t bytes);
/* Finishes an encoder's work: sends what it wrote, or nothing if it did not fit. */
void node_send_written(struct node *n, const struct wr *w, enum err encoded);
/* A message from an access peer, already translated and authorized. */
void node_on_access_message(
	struct node *n, uint8_t slot, enum access_verdict verdict, uint8_t *message, size_t bytes);

void node_plan_reboot(struct node *n, uint64_t delay_ms, enum port_reboot why);
/* 0 … 99; 99 when there is no randomness. */
uint8_t node_roll_percent(struct node *n);
bool node_has_free_in(const struct node *n);
bool node_is_asset(const struct node *n);

/* NODE, STATUS_REPORTER and MODULE_CONFIG, status.c. */
void status_on_message(struct node *n, const struct meshmsg *m);
/* Advertises what is true now, if that has changed; advert.c. */
void advert_refresh(struct node *n);

#endif
