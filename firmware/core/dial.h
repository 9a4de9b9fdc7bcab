/*
 * The MeshAccess module (module 10, mesh-protocol §2.6): somebody who may orders this node to
 * connect to another device, by address (MA_CONNECT) or by serial (SERIAL_CONNECT), and hears how
 * it went. One order at a time.
 */
#ifndef FIRMWARE_CORE_DIAL_H
#define FIRMWARE_CORE_DIAL_H

#include "access.h"
#include "enr/meshmsg.h"
#include "firmware/port.h"

#define DIAL_CONNECT_MS 5000       /* §2.3: one attempt of a node */
#define DIAL_FORCE_MS 15000        /* §2.6: one attempt, connectMode 1 */
#define DIAL_SERIAL_LIMIT_MS 15000 /* §2.6: the whole of SERIAL_CONNECT */
#define DIAL_RETRY_MS 200          /* while the radio connects to somebody else */

struct node;

enum dial_state {
	DIAL_IDLE = 0,
	DIAL_SCANNING, /* for the serial */
	DIAL_WAITING,  /* knows the address, tries again at retry_at_ms */
	DIAL_CONNECTING
};

struct dial {
	enum dial_state state;
	bool is_by_serial;
	struct access_want want;
	uint32_t connect_ms; /* of one attempt */
	uint32_t serial_index;
	uint16_t node_id; /* for the peer; 0: its virtual id */
	uint32_t keep_alive_s;
	uint8_t address[PORT_ADDRESS_BYTES];
	uint16_t requester;
	uint8_t handle;
	uint8_t slot;
	uint64_t deadline_ms;
	uint64_t retry_at_ms;
};

void dial_init(struct node *n);
bool dial_is_scanning(const struct node *n); /* HIGH duty is wanted */
uint64_t dial_deadline_ms(const struct node *n);
void dial_on_timer(struct node *n);
/* A message of module 10 for this node; who may send it was decided before. */
void dial_on_message(struct node *n, const struct meshmsg *m);
void dial_on_report(struct node *n, const struct port_report *report);
/* MA_CONNECTION_STATE. */
void dial_tell(
	struct node *n, uint16_t requester, uint16_t virtual_id, enum meshmsg_ma_state_value state);

/* --- events of a link that was ordered ------------------------------------------------------ */

void dial_on_access_connected(struct node *n, uint8_t slot);
void dial_on_access_open(struct node *n, uint8_t slot);
void dial_on_access_closed(struct node *n, uint8_t slot); /* ACCESS_NO_SLOT: never connected */

#endif
