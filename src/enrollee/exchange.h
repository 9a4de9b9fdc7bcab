/*
 * One question to the service by CoAP, asked until it is answered: the same bytes in a new exchange
 * after 2, 4, 8 ... 60 s (OP-0006 §9). Blocks; knows nothing of what the bytes mean.
 */
#ifndef ENROLLEE_EXCHANGE_H
#define ENROLLEE_EXCHANGE_H

#include "enr/bytes.h"

struct exchange {
	const char *host; /* name or address */
	uint16_t port;
	const char *path; /* without its slash */
	struct span bytes;
	uint64_t timeout_ms;
	bool ack_is_enough; /* no answer is due: done when the other side has acknowledged */

	/* A payload of a 2.xx response, borrowed; true: this is the answer. Anybody may have sent
	 * it. */
	bool (*on_payload)(void *arg, const uint8_t *p, size_t n);
	void *arg;
};

/* ERR_TIMEOUT: somebody acknowledged, nobody answered. ERR_CLOSED: nobody is there. ERR_NOT_FOUND:
 * the name is unknown. ERR_NOMEM. */
ENR_MUST_CHECK enum err exchange_run(const struct exchange *x);

#endif
