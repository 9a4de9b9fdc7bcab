/*
 * One simulated node: firmware/core behind the host's port. Its spec is one line of a node file:
 * what its UICR holds, where it stands, an enrollment that it starts with, and its faults.
 *
 *   serial=BBBBD nodekey=HEX32 [type=static|roaming|sink|asset|leaf] [pos=X,Y] [rssi=-60]
 *   [uicr-network=N uicr-id=N uicr-netkey=HEX32] [unsecure=1] [volatile=1] [button=DS]
 *   [poweroff=1]
 *   [network=N id=N netkey=HEX32 userkey=HEX32 orgkey=HEX32]     enrolled from the start
 *   [fault=NAME,...]
 *
 * pos is in metres from the gateway radio; rssi (to the gateway radio) overrides it. Blank lines
 * and lines that begin with # are skipped.
 */
#ifndef HOST_SIM_NODE_H
#define HOST_SIM_NODE_H

#include <stdio.h>

#include "air.h"

#define SIM_SPEC_LINE_MAX 1024
#define SIM_TAP_BYTES 8192       /* recorded messages; what is more is lost */
#define SIM_TERMINAL_BYTES 16384 /* lines that nobody has fetched; what is more is lost */

/* Wrong behaviours, for tests; may be combined. */
enum sim_fault {
	SIM_FAULT_NONE = 0,
	SIM_FAULT_FLASH = 1 << 0,      /* flash writes fail */
	SIM_FAULT_FLASH_1 = 1 << 1,    /* the next flash write fails, later ones work */
	SIM_FAULT_MUTE = 1 << 2,       /* takes messages, sends nothing after the handshake */
	SIM_FAULT_NO_JOIN = 1 << 3,    /* never finds its mesh */
	SIM_FAULT_NO_CCCD = 1 << 4,    /* never answers the CCCD write */
	SIM_FAULT_CORRUPT = 1 << 5,    /* its first notification after the handshake is corrupted */
	SIM_FAULT_NO_CONNECT = 1 << 6, /* advertises, but cannot be connected to */
	SIM_FAULT_PRE_FAIL = 1 << 7,   /* its pre-enrollment fails */
	SIM_FAULT_PRE_WAIT = 1 << 8    /* its pre-enrollment never ends */
};

struct sim_enrollment {
	bool enrolled;
	uint16_t network_id;
	uint16_t node_id;
	struct secret16 network_key;
	struct secret16 user_base_key;
	struct secret16 organization_key;
};

struct sim_spec {
	uint32_t serial_index;
	struct secret16 node_key;
	uint8_t device_type; /* mesh-protocol §2.4 */
	bool has_position;
	int32_t x_m, y_m;
	int gateway_rssi_dbm;  /* AIR_RSSI_AUTO: by position */
	bool unsecure;         /* allowUnenrolledUnsecureConnections */
	bool no_storage;       /* temporary enrollment, §4.9 */
	uint8_t button_ds;     /* buttonRemoveEnrollmentDs */
	bool button_power_off; /* a short press powers off */
	uint16_t uicr_network_id;
	uint16_t uicr_node_id; /* 0: from the serial */
	bool has_uicr_network_key;
	struct secret16 uicr_network_key;
	struct sim_enrollment preset;
	uint32_t faults; /* enum sim_fault */
};

/* A spec with its defaults. */
void sim_spec_init(struct sim_spec *spec);
/* One line, without its end. ERR_NOT_FOUND: blank or comment; ERR_INVALID, ERR_UNKNOWN (field). */
ENR_MUST_CHECK enum err sim_spec_parse(const char *line, struct sim_spec *out);

/* "flash,nojoin": names joined by commas; "" or "none": none. ERR_UNKNOWN. */
ENR_MUST_CHECK enum err sim_faults_parse(const char *text, uint32_t *out);

/* What the running node believes, straight from its RAM (sim_node_state) or read from a flash
 * file by the node's own store (sim_flash_state; ERR_NOT_FOUND: no record, it is at its UICR
 * defaults). */
void sim_node_state(const struct sim_node *n, struct sim_enrollment *out);
ENR_MUST_CHECK enum err sim_flash_state(const char *flash_path, struct sim_enrollment *out);

uint32_t sim_node_serial(const struct sim_node *n);
const struct sim_spec *sim_node_spec(const struct sim_node *n);
const uint8_t *sim_node_address(const struct sim_node *n); /* PORT_ADDRESS_BYTES */
bool sim_node_is_on(const struct sim_node *n);
uint8_t sim_node_leds(const struct sim_node *n); /* PORT_LED_* */
uint32_t sim_node_reboots(const struct sim_node *n);
uint16_t sim_node_cluster_size(const struct sim_node *n);
/* Is in a mesh that looks for nobody (§8.2). */
bool sim_node_is_idle(const struct sim_node *n);

void sim_node_set_faults(struct sim_node *n, uint32_t faults);
/* Power off and on again: noinit RAM is lost. A node that is off hears and says nothing. */
void sim_node_power(struct sim_node *n, bool on);
/* A press also wakes a node that has powered itself off. */
void sim_node_button(struct sim_node *n, bool pressed);
/* Pressed, and released after so many virtual milliseconds (not any more if it was restarted). */
void sim_node_press(struct sim_node *n, uint32_t ms);
/* Types a line (without its end) on the node's terminal; from the first one on what the terminal
 * shows is kept. ERR_STATE: it is off, or still booting. ERR_NOMEM. */
ENR_MUST_CHECK enum err sim_node_type(struct sim_node *n, const char *line, size_t bytes);
/* All that was shown since the last call, each line with CR LF; valid until the node's next event.
 */
struct span sim_node_lines(struct sim_node *n);
/* From now on what enrolls, removes or moves it is kept, in clear, as long as there is room.
 * ERR_NOMEM. */
ENR_MUST_CHECK enum err sim_node_record(struct sim_node *n);
/* All that was kept: for each message its length (u8), then the message. */
struct span sim_node_recorded(const struct sim_node *n);
/* From now on it answers with this result code (negative: its own), and with this handle (negative:
 * its own). */
void sim_node_answer(struct sim_node *n, int code, int handle);
/* Cuts the power at the k-th flash word or page operation from now (1: the next); 0: never. */
void sim_node_cut_power_at(struct sim_node *n, uint32_t k);

/* One JSON object and a newline. Keys: the first 4 bytes of their SHA-256 as hex, or, with
 * full_keys, the keys themselves (only for tests, which compare them). */
void sim_state_print(
	FILE *f, uint32_t serial_index, const struct sim_enrollment *e, bool full_keys);

/* The same fields without braces, for a larger object. */
void sim_state_fields(
	FILE *f, uint32_t serial_index, const struct sim_enrollment *e, bool full_keys);

#endif
