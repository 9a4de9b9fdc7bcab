/* L2CAP frames on an LE link's fixed channels (Bluetooth Core 5.3, Vol 3 Part A): put together from
 * ACL packets, and made. */
#ifndef VM_L2CAP_H
#define VM_L2CAP_H

#include "enr/bytes.h"

#define L2CAP_MAX 600 /* payload; ATT of a Linux host needs 517 */
#define L2CAP_HEADER_BYTES 4

enum { L2CAP_ATT = 4, L2CAP_SMP = 6 };

struct l2cap_in {
	size_t n;
	uint8_t b[L2CAP_HEADER_BYTES + L2CAP_MAX];
};

struct l2cap_frame {
	uint16_t channel;
	struct span data; /* in the l2cap_in, until it is fed again */
};

void l2cap_reset(struct l2cap_in *in);
/* One ACL payload; is_first: it begins a frame, what was there is dropped. ERR_OK: a whole frame is
 * there; ERR_SHORT: more must come; ERR_TRAILING, ERR_FULL, ERR_STATE (no beginning): dropped. */
ENR_MUST_CHECK enum err l2cap_feed(
	struct l2cap_in *in, bool is_first, struct span part, struct l2cap_frame *out);
/* The frame of n bytes of payload into out. ERR_FULL. */
ENR_MUST_CHECK enum err l2cap_encode(
	uint16_t channel, const void *payload, size_t n, void *out, size_t cap, size_t *out_bytes);

#endif
