/* A gateway for tests: one radio in the virtual air and one MeshAccess session by core/meshsec, on
 * purely virtual time. */
#ifndef SUPPORT_SIM_GATEWAY_H
#define SUPPORT_SIM_GATEWAY_H

#include "enr/meshmsg.h"
#include "enr/meshsec.h"
#include "firmware/port/host/air.h"
#include "firmware/port/host/sim_node.h"

#define GATEWAY_ID 32000
#define GATEWAY_INBOX_MAX 64

struct gateway_message {
	size_t n;
	uint8_t b[MESHMSG_BYTES_MAX];
};

struct gateway {
	struct air *air;
	struct air_radio *radio;
	struct meshsec sec;
	uint64_t random;
	uint16_t link;
	bool connected, subscribed, open, down;
	bool got_anonce, dead;
	uint8_t reason;
	uint32_t key_id;
	enum meshsec_tunnel tunnel;
	struct secret16 ltk;
	size_t inbox_count; /* messages since the last gateway_clear */
	struct gateway_message inbox[GATEWAY_INBOX_MAX];
	uint8_t heard[PORT_ADDRESS_BYTES]; /* the last advertisement */
	uint8_t heard_adv[PORT_ADV_MAX_BYTES];
	uint32_t heard_count;
};

void gateway_init(struct gateway *g, struct air *air);
void gateway_done(struct gateway *g);
/* Connects, subscribes, shakes hands; true: open. Runs virtual time, at most 60 s. */
bool gateway_open(struct gateway *g, const struct sim_node *n, uint32_t key_id,
	enum meshsec_tunnel tunnel, const struct secret16 *ltk);
/* Connects and subscribes only. */
bool gateway_connect(struct gateway *g, const struct sim_node *n);
void gateway_close(struct gateway *g);
void gateway_send(struct gateway *g, const void *message, size_t n);
void gateway_write(struct gateway *g, const void *pdu, size_t n); /* raw */
void gateway_run(struct gateway *g, uint64_t ms);
/* The next message of that kind among those not yet taken, within ms; false: none came. The message
 * and its views are valid until the next call. */
bool gateway_wait(struct gateway *g, enum meshmsg_kind kind, uint64_t ms, struct meshmsg *out);

#endif
