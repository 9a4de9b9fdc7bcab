/*
 * The virtual air: N simulated nodes (each the real firmware/core behind a host port) and gateway
 * radios, in one process, on one virtual clock. Nothing here reads a real clock: air_run_until()
 * is the only thing that lets time pass, so a test runs a week in milliseconds, and air_drive.h
 * lets it pass at a chosen speed. Everything random comes from one printed seed.
 *
 * A gateway radio is how something outside (fakebluez, the link_socket server, a test) takes part:
 * it hears advertisements, connects, subscribes, writes, gets notifications. Its callbacks come
 * from within air_run_until() and may call any air_radio_* function.
 */
#ifndef HOST_AIR_H
#define HOST_AIR_H

#include "firmware/port.h"

#define AIR_NEVER UINT64_MAX
#define AIR_NAME_BYTES 8 /* serial text and its NUL */
#define AIR_NODES_MAX 2048
#define AIR_RSSI_NONE (-127) /* out of reach */
#define AIR_RSSI_AUTO 127    /* by positions, else AIR_RSSI_DEFAULT */
#define AIR_RSSI_DEFAULT (-60)
#define AIR_RSSI_FLOOR (-96) /* weaker than this is not heard */

/* HCI reasons of a lost link, as a peer sees them. */
enum { AIR_HCI_TIMEOUT = 0x08, AIR_HCI_REMOTE = 0x13, AIR_HCI_LOCAL = 0x16 };

struct air;
struct air_radio;
struct sim_node;
struct sim_spec; /* sim_node.h: one line of a node file */

/* aes: borrowed for the life of the air. NULL when out of memory. */
struct air *air_new(uint64_t seed, const struct aes128 *aes);
void air_free(struct air *air);

/* Virtual milliseconds since air_new(). */
uint64_t air_now_ms(const struct air *air);
/* When the next thing happens, or AIR_NEVER. */
uint64_t air_next_ms(const struct air *air);
/* Does all that is due up to and including this moment, in order; time never goes back. */
void air_run_until(struct air *air, uint64_t until_ms);

/* A node that boots at once. flash_path: its own flash file (created when missing), or NULL for
 * memory only. ERR_CONFLICT: the serial is there already; ERR_FULL; ERR_IO. */
ENR_MUST_CHECK enum err air_add_node(struct air *air, const struct sim_spec *spec,
	const char *flash_path, struct sim_node **out);
size_t air_node_count(const struct air *air);
struct sim_node *air_node(struct air *air, size_t i);
/* By serial number index; NULL if there is none. */
struct sim_node *air_find(struct air *air, uint32_t serial_index);

/* How loud a and b hear each other from now on: dBm, AIR_RSSI_NONE or AIR_RSSI_AUTO. */
void air_set_rssi(struct air *air, struct sim_node *a, struct sim_node *b, int rssi_dbm);
/* How many percent of the advertisements nodes hear from now on while they scan for them. */
void air_set_ears(struct air *air, unsigned percent);

/* --- gateway radios ---------------------------------------------------------------------- */

struct air_radio_ops {
	/* Each advertisement that is heard while scanning. rsp: the scan response, or n = 0. */
	void (*report)(void *ctx, const struct port_report *report, struct span rsp);
	/* The end of air_radio_connect: ERR_OK, or ERR_TIMEOUT after AIR_CONNECT_TIMEOUT_MS. */
	void (*connected)(void *ctx, uint16_t link, enum err result);
	/* The CCCD write was answered. */
	void (*subscribed)(void *ctx, uint16_t link);
	void (*notified)(void *ctx, uint16_t link, struct span pdu);
	/* Also after air_radio_disconnect (then AIR_HCI_LOCAL). The link id is free again. */
	void (*disconnected)(void *ctx, uint16_t link, uint8_t hci_reason);
};

/* ops and ctx are borrowed for the life of the radio; its position is 0,0. */
struct air_radio *air_radio_new(struct air *air, const struct air_radio_ops *ops, void *ctx);
/* Drops its links (the nodes see a supervision timeout), calls nothing. */
void air_radio_free(struct air_radio *radio);
void air_radio_scan(struct air_radio *radio, bool on);
/* Starts connecting; waits for the node's next advertisement. timeout_ms 0: 40 s, as Linux does. */
ENR_MUST_CHECK enum err air_radio_connect(struct air_radio *radio,
	const uint8_t address[PORT_ADDRESS_BYTES], uint32_t timeout_ms, uint16_t *link);
ENR_MUST_CHECK enum err air_radio_subscribe(struct air_radio *radio, uint16_t link);
/* One write (without response) to RX, 1 to PORT_PDU_MAX_BYTES, in order. */
ENR_MUST_CHECK enum err air_radio_write(
	struct air_radio *radio, uint16_t link, const void *pdu, size_t n);
/* Cancels a pending connect, too; ends in disconnected() (connected: ERR_CLOSED) at once. */
void air_radio_disconnect(struct air_radio *radio, uint16_t link);
/* The link breaks without a word (out of range): both sides see AIR_HCI_TIMEOUT. */
void air_radio_lose(struct air_radio *radio, uint16_t link);

#endif
