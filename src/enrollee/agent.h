/*
 * What an enrollee does, on its state in memory: make keys, build the message, open the answer,
 * speak on the channel. Touches neither disk nor network: the caller stores a changed state before
 * it sends what came of it (OP-0006 §5.3, §9).
 */
#ifndef ENROLLEE_AGENT_H
#define ENROLLEE_AGENT_H

#include "base/reason.h"
#include "enrollee/state.h"

/* New keys, stage FRESH. ERR_CRYPTO. */
ENR_MUST_CHECK enum err agent_make(const struct crypto *c, struct state *out);

/* "enk1:..." and SHA-256(EIK_B). ERR_STATE when enrolled: EIK_B is gone. */
ENR_MUST_CHECK enum err agent_key_text(const struct crypto *c, const struct state *s,
	char text[ENROLLMSG_KEY_TEXT_CHARS + 1], struct public32 *id);

/* SHA-256(IK_B): who the device is once enrolled. */
ENR_MUST_CHECK enum err agent_device_id(
	const struct crypto *c, const struct state *s, struct public32 *id);

/* Where the bundle sends us, and who is there. TRYING and ENROLLED. */
ENR_MUST_CHECK enum err agent_service(const struct state *s, struct enrollmsg_addr *addr);

struct agent_bundle {
	const char *text; /* "enr1:..."; white space around it does not matter */
	size_t chars;
	const char *pin; /* NULL, 64 hex digits of IK_A or 32 of its fingerprint */
	bool replace;    /* another bundle than that of the attempt under way is taken */
};

/*
 * Checks the bundle and moves FRESH to TRYING; with the bundle that is in the state already
 * nothing changes, for the message is built once. ERR_INVALID and the like: not a bundle; ERR_AUTH,
 * ERR_KEY: a bundle that must not be trusted, or not the pinned service; ERR_UNKNOWN: it leads to a
 * mesh; ERR_CONFLICT: another attempt is under way; ERR_STATE: enrolled already. why is set.
 */
ENR_MUST_CHECK enum err agent_try(const struct crypto *c, const struct agent_bundle *bundle,
	struct state *s, struct reason *why);

/*
 * A payload that claims to be the service's answer. ERR_OK: accepted, the state moved to ENROLLED
 * and eik is wiped. ERR_DENIED: a rejection, which anybody can send: keep trying. Others: not from
 * the service. now_s: wall clock.
 */
ENR_MUST_CHECK enum err agent_answer(
	const struct crypto *c, struct span payload, uint64_t now_s, struct state *s);

/* --- the channel; ENROLLED only (ERR_STATE) --------------------------------------------------- */

/* The next frame with a ping of this body; raises the epoch first when it is due. */
ENR_MUST_CHECK enum err agent_ping(const struct crypto *c, const uint8_t body[8], uint64_t now_s,
	struct state *s, struct state_frame *out);

/* The next frame with an empty application message: "is there anything for me?" */
ENR_MUST_CHECK enum err agent_poll(
	const struct crypto *c, uint64_t now_s, struct state *s, struct state_frame *out);

enum agent_heard {
	AGENT_PONG, /* body is the ping's */
	AGENT_PING, /* reply is the pong to send, after the state is stored */
	AGENT_OTHER /* an application message */
};

struct agent_message {
	enum agent_heard kind;
	uint8_t body[8];
	struct state_frame reply;
};

/* A payload that claims to be a frame of the service; the identical repeat of its newest ping gets
 * the identical pong. Errors of enr_channel_decode and enr_channel_open: ignore it. */
ENR_MUST_CHECK enum err agent_hear(
	const struct crypto *c, struct span payload, struct state *s, struct agent_message *out);

#endif
