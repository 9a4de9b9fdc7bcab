/*
 * A node's attribute server (Bluetooth Core 5.3, Vol 3 Part F) over the attributes that a node has
 * (mesh-protocol §2.1): one request in, its answer and what it asks of the node out. Knows no link
 * and no clock; who calls it does what the result says.
 */
#ifndef VM_ATT_H
#define VM_ATT_H

#include "enr/bytes.h"

#define ATT_MTU_DEFAULT 23
#define ATT_MTU_NODE 63 /* what a node answers (§2.2) */

/* Error codes. */
enum {
	ATT_INVALID_HANDLE = 0x01,
	ATT_READ_NOT_PERMITTED = 0x02,
	ATT_WRITE_NOT_PERMITTED = 0x03,
	ATT_INVALID_PDU = 0x04,
	ATT_NOT_AUTHENTICATED = 0x05,
	ATT_NOT_SUPPORTED = 0x06,
	ATT_INVALID_OFFSET = 0x07,
	ATT_NOT_FOUND = 0x0A,
	ATT_INVALID_LENGTH = 0x0D,
	ATT_UNSUPPORTED_GROUP = 0x10
};

struct att_server {
	uint16_t mtu;
	bool subscribed; /* the CCCD of TX is 1 */
};

enum att_what {
	ATT_NOTHING,     /* but to send the answer, if there is one */
	ATT_MTU,         /* the MTU was exchanged */
	ATT_DISCOVER,    /* it asks which services there are */
	ATT_LOOK_INTO,   /* it asks which characteristics they have */
	ATT_SUBSCRIBE,   /* CCCD = 1: send the answer once the node is subscribed */
	ATT_UNSUBSCRIBE, /* CCCD = 0 */
	ATT_WRITE        /* RX was written */
};

struct att_result {
	enum att_what what;
	struct span written; /* of the input; any length */
	size_t answer_bytes; /* 0: none */
	uint8_t answer[ATT_MTU_NODE];
};

void att_reset(struct att_server *s);
/* One PDU from the client. What is wrong is answered by an error, or, in a command, ignored. */
void att_take(struct att_server *s, const void *pdu, size_t n, struct att_result *out);
/* The answer becomes this error, for the request that out answers now. */
void att_refuse(const void *request, size_t n, uint8_t code, struct att_result *out);
/* A notification of TX, cut to what fits the MTU; out: ATT_MTU_NODE bytes. Returns its length. */
size_t att_notification(const struct att_server *s, const void *p, size_t n, uint8_t *out);

#endif
