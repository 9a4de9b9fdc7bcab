/* A board for tests of firmware/core: flash that works when told to, everything that the node does
 * recorded, time and randomness by hand. */
#ifndef SUPPORT_FAKE_PORT_H
#define SUPPORT_FAKE_PORT_H

#include "enr/meshmsg.h"
#include "firmware/core/node.h"
#include "firmware/port/host/sim_flash.h"

#define FAKE_SENT_MAX 32
#define FAKE_OUT_MAX 64
#define FAKE_LINES_MAX 32
#define FAKE_SERIAL 2u /* BBBBD */
#define FAKE_REQUESTER 2001
#define FAKE_DEFAULT_ID 2 /* serial index mod 1999 */

struct fake_message {
	size_t n;
	uint8_t b[MESHMSG_BYTES_MAX];
};

/* One packet to an access peer. */
struct fake_pdu {
	uint16_t link;
	uint8_t n;
	uint8_t b[PORT_PDU_MAX_BYTES];
};

struct fake_port {
	struct port port;
	struct node_features features;
	struct node node;
	struct sim_flash flash;
	uint32_t uicr[PORT_UICR_WORDS];
	_Alignas(4) uint8_t noinit[PORT_NOINIT_BYTES];
	uint64_t now_ms;
	bool flash_pending;
	enum err flash_result;
	uint32_t fail_flash; /* this many operations fail from now on */
	uint8_t random;      /* the next value of node_roll_percent, and of every random byte */
	size_t sent_count;   /* into the mesh */
	struct fake_message sent[FAKE_SENT_MAX];
	size_t out_count; /* packets to access peers; more than fit are counted only */
	struct fake_pdu out[FAKE_OUT_MAX];
	uint32_t hang_ups; /* link_disconnect */
	uint32_t deeds;    /* calls of the port that change something in the world */
	size_t adv_bytes;
	uint8_t adv[PORT_ADV_MAX_BYTES];
	enum port_scan scan;
	bool mesh_on;
	bool is_idle; /* mesh_discovery said so */
	struct port_mesh mesh;
	bool connecting;
	uint8_t connect_address[PORT_ADDRESS_BYTES];
	uint32_t connect_timeout_ms;
	uint32_t reboots;
	enum port_reboot reboot_why;
	uint8_t leds;
	uint32_t leds_changes;
	uint32_t power_offs;
	size_t line_count; /* of the terminal, since fake_clear or boot */
	char line[FAKE_LINES_MAX][PORT_LINE_MAX_BYTES + 1];
};

/* Serial FAKE_SERIAL, node key A0×16, no default network; boots. */
void fake_init(struct fake_port *f);
/* Boots again with what flash and noinit hold. */
void fake_boot(struct fake_port *f);
/* Ends all flash operations that are running or follow. */
void fake_flash(struct fake_port *f);
/* Time passes; flash operations and timers run. */
void fake_run(struct fake_port *f, uint64_t ms);
/* A whole message arrives from the mesh. */
void fake_receive(struct fake_port *f, const void *message, size_t n);
/* A line is typed on the terminal. */
void fake_type(struct fake_port *f, const char *line);
/* Links of the access peer with this number; the caller is the air. */
void fake_connect(struct fake_port *f, uint16_t link);
/* The first message of that kind that was sent since fake_clear; false: none. */
bool fake_find(const struct fake_port *f, enum meshmsg_kind kind, struct meshmsg *out);
void fake_clear(struct fake_port *f);

#endif
