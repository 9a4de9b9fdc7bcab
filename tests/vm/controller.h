/*
 * An LE controller as a Linux host sees it: takes the host's commands, answers them, and keeps
 * what they change (scanning, the one attempt to connect, the accept list). It knows no air and no
 * file descriptor: what a command asks of the radio goes down through controller_ops, what the
 * radio hears comes in by the functions below. Central role, legacy advertising, no encryption.
 */
#ifndef VM_CONTROLLER_H
#define VM_CONTROLLER_H

#include "vm/hci.h"

#define CONTROLLER_ACCEPT_MAX 32
#define CONTROLLER_LINKS_MAX 16
#define CONTROLLER_HEARD_MAX 64

struct controller_ops {
	/* One packet for the host. */
	void (*send)(void *ctx, const struct hci_out *out);
	/* Starts connecting; it ends in controller_connected, or after cancel. */
	enum err (*connect)(void *ctx, const uint8_t address[PORT_ADDRESS_BYTES]);
	void (*cancel)(void *ctx);
	/* ERR_NOT_FOUND: there is no such connection. */
	enum err (*disconnect)(void *ctx, uint16_t handle);
	void (*acl)(void *ctx, uint16_t handle, bool is_first, struct span part);
	/* All links and attempts end without a word. */
	void (*reset)(void *ctx);
};

/* What becomes of a command to stop scanning. */
enum controller_stop { CONTROLLER_STOPS, CONTROLLER_SAYS_NOTHING, CONTROLLER_REFUSES };

struct controller {
	const struct controller_ops *ops;
	void *ctx;
	uint8_t address[6];
	bool is_scanning, is_active, is_connecting;
	bool accepts_listed_only, filters_duplicates;
	bool was_disturbed; /* a Disconnect has come while the last connection was made */
	enum controller_stop next_stop;
	uint16_t interval; /* of the connection being made, 1.25 ms */
	size_t accept_count;
	uint8_t accept[CONTROLLER_ACCEPT_MAX][PORT_ADDRESS_BYTES];
	size_t heard_count; /* since the scan began; the list begins anew where it ends */
	uint8_t heard[CONTROLLER_HEARD_MAX][PORT_ADDRESS_BYTES];
	struct hci_out out;
};

/* address: the controller's own, lowest byte first. ops and ctx are borrowed. */
void controller_init(struct controller *c, const uint8_t address[6],
	const struct controller_ops *ops, void *ctx);

/* A packet from the host. What cannot be read is ignored: the kernel does not send such. */
void controller_take(struct controller *c, const void *packet, size_t n);

/* --- what the radio hears ----------------------------------------------------------------------
 */

void controller_report(struct controller *c, const struct port_report *report, struct span rsp);
/* The attempt has succeeded. */
void controller_connected(
	struct controller *c, uint16_t handle, const uint8_t address[PORT_ADDRESS_BYTES]);
/* The attempt has ended otherwise: 0x02 after cancel. */
void controller_connect_failed(struct controller *c, uint8_t status);
void controller_disconnected(struct controller *c, uint16_t handle, uint8_t reason);
/* One L2CAP frame from the peer. */
void controller_acl(struct controller *c, uint16_t handle, const void *frame, size_t n);

#endif
