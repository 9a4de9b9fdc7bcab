/*
 * What the node's core needs of a board, as one const struct of functions (the manner of littlefs),
 * and nothing else: the core calls no libc but <string.h>.
 *
 * Rules for a port
 * - One thread (or one priority): no port function calls back into the core before it returns.
 *   What happens later arrives as an event, a node_on_*() call of core/node.h, which carries the
 *   time: milliseconds, monotonic since any moment, never stepping back, across no reboot.
 * - After every event the port asks node_deadline_ms() and calls node_on_timer() no later than
 *   some 10 ms after that moment. The core reads no clock.
 * - Pointers given to a port function are borrowed until it returns, if not said otherwise;
 *   pointers in an event likewise.
 */
#ifndef FIRMWARE_PORT_H
#define FIRMWARE_PORT_H

#include "enr/crypto.h"

#define PORT_ADDRESS_BYTES 7    /* type u8 (1 random static), then 6 bytes, lowest first */
#define PORT_ADV_MAX_BYTES 31   /* one legacy advertisement, or one scan response */
#define PORT_PDU_MAX_BYTES 20   /* one MeshAccess write or notification, never more (§2.2) */
#define PORT_MESH_MAX_BYTES 200 /* one mesh message, header included (§1.6) */
#define PORT_UICR_WORDS 17      /* §7.5 */
#define PORT_LINE_MAX_BYTES 704 /* one line of the terminal, without its end: NEARBY_NODES */
#define PORT_NOINIT_BYTES 96    /* RAM that outlives a reboot, not a loss of power */
#define PORT_MESH_OUT_MAX 3     /* mesh links that a node makes (§2.3) */
#define PORT_NO_LINK 0xFFFFu

/* Why the node restarts; the values are the mesh's own (§8.10). */
enum port_reboot {
	PORT_REBOOT_UNKNOWN = 0,
	PORT_REBOOT_PIN_RESET = 4,
	PORT_REBOOT_WATCHDOG = 5,
	PORT_REBOOT_LOCAL_RESET = 7,
	PORT_REBOOT_REMOTE_RESET = 8,
	PORT_REBOOT_ENROLLMENT = 9,
	PORT_REBOOT_ENROLLMENT_REMOVE = 16,
	PORT_REBOOT_FACTORY_RESET_FAILED = 17,
	PORT_REBOOT_FACTORY_RESET = 30
};

enum port_scan {
	PORT_SCAN_OFF = 0,
	PORT_SCAN_LOW, /* as the port likes: enough to notice neighbours */
	PORT_SCAN_HIGH /* window 7.5 ms every 75 ms, or more */
};

enum port_role {
	PORT_PERIPHERAL = 0, /* the other side connected to us */
	PORT_CENTRAL         /* we connected */
};

enum { PORT_LED_RED = 1, PORT_LED_GREEN = 2, PORT_LED_BLUE = 4 };

/* What is burnt into this piece of silicon; does not change while the node runs. */
struct port_chip {
	uint8_t address[PORT_ADDRESS_BYTES];
	uint8_t device_id[8]; /* in the order of DEVICE_INFO_V2: two words, big-endian each */
	int8_t rx_dbm;        /* sensitivity, for DEVICE_INFO_V2 */
	int8_t tx_dbm;
	int8_t calibrated_tx_dbm;
	uint8_t battery_dv;           /* decivolt, 0 unknown */
	enum port_reboot last_reboot; /* why we are starting now */
};

/* Whom the port's mesh links belong to. */
struct port_mesh {
	uint16_t network_id;
	uint16_t node_id;
	struct secret16 network_key;
};

/* The other end of a mesh link. */
struct port_mesh_partner {
	uint16_t node_id; /* 0: no link */
	int8_t rssi_dbm;
};

/* The mesh links as they are now. */
struct port_mesh_state {
	uint16_t
		cluster_size; /* nodes that are in one mesh with us, ourselves included; 1: alone */
	int16_t hops_to_sink; /* -1: there is no sink */
	uint8_t links_in;     /* mesh links that others made to us */
	uint8_t links_out;    /* mesh links that we made */
	struct port_mesh_partner in; /* the first incoming link */
	struct port_mesh_partner out[PORT_MESH_OUT_MAX];
	uint8_t loss_count; /* links lost since boot */
};

/* One advertisement or scan response that was heard. */
struct port_report {
	uint8_t address[PORT_ADDRESS_BYTES];
	int8_t rssi_dbm;
	bool connectable;
	struct span data; /* at most PORT_ADV_MAX_BYTES */
};

struct port {
	void *ctx; /* given to every function */

	/* --- flash: asynchronous, as under a SoftDevice -------------------------------------
	 * The store owns pages 0 and 1 of what the port shows here; offsets count from page 0.
	 * NOR rules: an erase sets a page's bits, a write only clears bits and takes whole
	 * 32-bit words; a word is written once per erase. One operation at a time: while one runs
	 * the next is refused with ERR_BUSY. Its end is node_on_flash(): ERR_OK, or ERR_IO when the
	 * content of the page (erase) or of these words (write) is then unknown. Power may fail at
	 * any moment, with the same effect. */
	uint32_t flash_page_bytes; /* multiple of 4, 1024 to 65536 */
	uint32_t flash_page_count; /* at least 2 */
	/* Immediate. n bytes into dst; ERR_RANGE outside the pages, ERR_IO. */
	enum err (*flash_read)(void *ctx, uint32_t offset_bytes, void *dst, size_t n);
	/* ERR_OK: started. */
	enum err (*flash_erase)(void *ctx, uint32_t page);
	/* offset and n are multiples of 4. src stays valid and unchanged until node_on_flash(). */
	enum err (*flash_write)(void *ctx, uint32_t offset_bytes, const void *src, size_t n);

	/* --- radio --------------------------------------------------------------------------
	 * Advertise adv (and rsp to active scanners), connectable, every interval_ms, from now on;
	 * replaces what was advertised. adv.n = 0: stop. Both are copied. */
	enum err (*advertise)(void *ctx, struct span adv, struct span rsp, uint16_t interval_ms);
	/* Reports arrive as node_on_report(), from PORT_SCAN_LOW upwards, JOIN_ME among them. */
	enum err (*scan)(void *ctx, enum port_scan duty);

	/* Connects as central with a 10 ms interval. One attempt at a time (ERR_BUSY). It ends in
	 * node_on_connected() or, after timeout_ms, on failure or after connect_cancel(), in
	 * node_on_connect_failed(). ERR_FULL: no free connection. */
	enum err (*connect)(
		void *ctx, const uint8_t address[PORT_ADDRESS_BYTES], uint32_t timeout_ms);
	void (*connect_cancel)(void *ctx);
	/* Central: finds the MeshAccess service, its characteristics, and writes 1 to the CCCD of
	 * TX; ends in node_on_subscribed(), or the port drops the link. */
	enum err (*link_subscribe)(void *ctx, uint16_t link);
	/* One PDU of 1 to PORT_PDU_MAX_BYTES, copied, sent in order: as peripheral a notification
	 * of TX, as central a write without response to RX. ERR_BUSY: the queue is full, nothing
	 * was taken; node_on_tx_ready() follows. ERR_CLOSED: no such link. */
	enum err (*link_send)(void *ctx, uint16_t link, const void *pdu, size_t n);
	/* Ends in node_on_disconnected(); what is queued may be lost. */
	void (*link_disconnect)(void *ctx, uint16_t link);

	/* --- mesh ---------------------------------------------------------------------------
	 * The links between nodes (JOIN_ME, clusters, link encryption under the network key) belong
	 * to the port; the core routes what goes over them. mesh_start replaces what was before;
	 * the state of the links is told by node_on_mesh(), messages come by
	 * node_on_mesh_message().
	 */
	enum err (*mesh_start)(void *ctx, const struct port_mesh *mesh);
	void (*mesh_stop)(void *ctx);
	/* High discovery: the port looks for nodes of our network that are not in our mesh. Idle:
	 * it need not, and the core scans only when it has to (§8.2). High after mesh_start. */
	void (*mesh_discovery)(void *ctx, bool is_high);
	/* One message of 5 to PORT_MESH_MAX_BYTES, copied, to every mesh neighbour but except_link
	 * (PORT_NO_LINK: to all). */
	void (*mesh_send)(void *ctx, uint16_t except_link, const void *message, size_t n);

	/* --- the rest ------------------------------------------------------------------------
	 * n random bytes fit for keys; ERR_CRYPTO when there are none (yet). */
	enum err (*random)(void *ctx, void *out, size_t n);
	struct aes128 aes;
	/* Immediate. Fills all; a board without the block gives FFFFFFFF. */
	void (*uicr_read)(void *ctx, uint32_t words[PORT_UICR_WORDS]);
	void (*chip_read)(void *ctx, struct port_chip *out);
	/* PORT_NOINIT_BYTES, word aligned; undefined after a loss of power (the core checks). */
	uint8_t *noinit;
	/* Restarts the node. Links are dropped properly first; no event follows. */
	void (*reboot)(void *ctx, enum port_reboot why);
	/* Sleeps without radio until the button is pressed, then restarts. */
	void (*power_off)(void *ctx);
	void (*leds)(void *ctx, uint8_t on); /* all of PORT_LED_*: set ones on, others off */
	/* One line to the terminal, at most PORT_LINE_MAX_BYTES; the port adds CR LF. */
	void (*uart_line)(void *ctx, const char *line, size_t n);
};

#endif
