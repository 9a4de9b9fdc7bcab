/*
 * What a device remembers, as text: one "key value" a line, values in hex or decimal, in a fixed
 * order, from "enrollee 1" to "end". Pure: the disk is in statefile. Everything here is secret as a
 * whole.
 */
#ifndef ENROLLEE_STATE_H
#define ENROLLEE_STATE_H

#include "enr/channel.h"
#include "enr/enrollmsg.h"

#define STATE_TEXT_MAX 16384 /* with the NUL; the longest state has less */
#define STATE_FRAME_MAX 64   /* a channel frame with a ping or pong is 44 */

enum state_stage {
	STATE_FRESH,    /* keys made; nothing has been sent */
	STATE_TRYING,   /* a message is built, bound to a bundle; its answer has not come */
	STATE_ENROLLED, /* the service's answer was opened; eik is gone */
};

struct state_frame {
	size_t n;
	uint8_t b[STATE_FRAME_MAX];
};

struct state {
	enum state_stage stage;
	struct secret32 eik; /* FRESH and TRYING: the one-time identity key, private */
	struct secret32 ik;  /* the device's identity key, private */

	/* TRYING and ENROLLED: the bundle's frame, for Addr and IK_A. */
	size_t bundle_bytes;
	uint8_t bundle[ENROLLMSG_BUNDLE_MAX];

	/* TRYING: built once, sent as it is as often as needed (OP-0006 §5.3). */
	uint8_t message[X3DH_MESSAGE_BYTES];

	/* TRYING and ENROLLED: the session's h, and T_epoch. */
	struct secret32 h;
	struct secret64 traffic;

	/* ENROLLED */
	struct public32 enrollee_id; /* SHA-256(EIK_B): under which we were announced */
	uint64_t enrolled_at;        /* unix seconds by the service's clock */
	size_t welcome_bytes;
	uint8_t welcome[ENROLLMSG_WELCOME_MAX];
	uint16_t epoch;
	uint64_t epoch_at; /* unix seconds by our clock: since when */
	bool confirmed;
	uint64_t sent, newest, window; /* as in struct enr_channel */
	struct state_frame heard,
		replied; /* the service's newest ping and our pong; both or none */
};

void state_wipe(struct state *s);

/* Writes text and a NUL. ERR_FULL (cap), ERR_STATE (fields that do not fit the stage). */
ENR_MUST_CHECK enum err state_print(const struct state *s, char *text, size_t cap, size_t *len);

/* Exactly what state_print writes: ERR_SHORT, ERR_TRAILING, ERR_VERSION, ERR_INVALID, ERR_UNKNOWN
 * (a key of no table), ERR_RANGE. On failure out is wiped. */
ENR_MUST_CHECK enum err state_parse(const char *text, size_t n, struct state *out);

/* The channel as enr/channel.h works on it, and back. ENROLLED only. device: SHA-256(IK_B). */
void state_to_channel(
	const struct state *s, const struct public32 *device, struct enr_channel *out);
void state_from_channel(struct state *s, const struct enr_channel *ch);

#endif
