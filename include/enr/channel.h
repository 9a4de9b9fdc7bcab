/*
 * The channel after acceptance (OP-0006 §9): data messages under T, both roles. A pure state
 * machine: the caller loads a struct enr_channel, calls one function, stores it (or throws it away
 * if the store fails), and only then sends. A counter that was stored but not sent is lost, never
 * used twice.
 */
#ifndef ENR_CHANNEL_H
#define ENR_CHANNEL_H

#include "enr/x3dh.h"

#define ENR_CHANNEL_HEADER_BYTES 19
#define ENR_CHANNEL_OVERHEAD_BYTES 35
#define ENR_CHANNEL_PLAIN_MAX 1024 /* bytes of plaintext, its kind byte included */
#define ENR_CHANNEL_FRAME_MAX (ENR_CHANNEL_OVERHEAD_BYTES + ENR_CHANNEL_PLAIN_MAX)
#define ENR_CHANNEL_DEVICE_BYTES 8
#define ENR_CHANNEL_REKEY_MESSAGES ((uint64_t)1 << 32)
#define ENR_CHANNEL_REKEY_S 86400

enum enr_role { ENR_ENROLLEE, ENR_SERVICE };

/* All fields are the caller's to store; none is needed elsewhere. */
struct enr_channel {
	enum enr_role role;
	uint8_t device[ENR_CHANNEL_DEVICE_BYTES]; /* SHA-256(IK_B)[0:8] */
	uint16_t epoch;
	bool confirmed;          /* the other side has used this epoch's keys */
	uint64_t sent;           /* our newest counter of this epoch; 0 = none */
	uint64_t newest;         /* the newest counter received in this epoch; 0 = none */
	uint64_t window;         /* bit i: counter newest - i has been received */
	struct secret32 h;       /* of the session */
	struct secret64 traffic; /* T_epoch */
};

/* Epoch 0, no message yet. Wiped with enr_channel_wipe. */
ENR_MUST_CHECK enum err enr_channel_init(const struct crypto *c, enum enr_role role,
	const struct x3dh_session *session, struct enr_channel *out);
void enr_channel_wipe(struct enr_channel *ch);

/* A frame's outer part, not believed: to find the channel, and the newest counter's repeat. */
struct enr_channel_frame {
	uint16_t epoch;
	uint8_t device[ENR_CHANNEL_DEVICE_BYTES];
	uint64_t counter;
	struct span header; /* the 19 bytes before the ciphertext */
	struct span ciphertext;
	const uint8_t *tag; /* 16 */
};

/* ERR_SHORT (no room for one byte of plaintext), ERR_TRAILING (above the limit), ERR_VERSION,
 * ERR_RANGE (counter 0). Views into the input. */
ENR_MUST_CHECK enum err enr_channel_decode(struct span in, struct enr_channel_frame *out);

/*
 * Verifies and decrypts; changes the channel only with ERR_OK. plain has room for
 * frame->ciphertext.n bytes and must not overlap the frame.
 * ERR_UNKNOWN: another device. ERR_STATE: an epoch that is over, or not the next. ERR_CONFLICT: the
 * counter was received before, or is too old to know; if it is ch->newest of ch->epoch, the caller
 * compares the frame with the stored one and may repeat the stored answer. ERR_AUTH.
 * The service goes on to the next epoch with the first valid message of it, and forgets T_n.
 */
ENR_MUST_CHECK enum err enr_channel_open(const struct crypto *c, struct enr_channel *ch,
	const struct enr_channel_frame *frame, uint8_t *plain);

/* Uses the next counter. out has room for plain.n + 35. ERR_RANGE: no plaintext, too much, or the
 * counters are used up. */
ENR_MUST_CHECK enum err enr_channel_seal(const struct crypto *c, struct enr_channel *ch,
	struct span plain, uint8_t *out, size_t cap, size_t *len);

/* Should the enrollee raise the epoch? age_s: since the epoch began. Always false for the service.
 */
bool enr_channel_wants_rekey(const struct enr_channel *ch, uint64_t age_s);
/* The enrollee alone: T_(n+1), counters from the start. ERR_STATE for the service, and while the
 * service has not yet answered in this epoch (it follows one step only). ERR_RANGE after 65535. */
ENR_MUST_CHECK enum err enr_channel_rekey(const struct crypto *c, struct enr_channel *ch);

/* --- plaintexts --------------------------------------------------------------------------------
 */

enum enr_channel_kind { ENR_CHANNEL_PING = 0, ENR_CHANNEL_PONG = 1, ENR_CHANNEL_APPLICATION = 2 };

#define ENR_CHANNEL_PING_BYTES 9

struct enr_channel_plain {
	enum enr_channel_kind kind;
	struct span body; /* ping and pong: 8 bytes; a view */
};

/* ERR_SHORT, ERR_TRAILING (ping and pong have 8 bytes), ERR_UNKNOWN (another kind). */
ENR_MUST_CHECK enum err enr_channel_plain_decode(struct span in, struct enr_channel_plain *out);
/* kind, then the 8 bytes of a ping or its pong. */
void enr_channel_ping_encode(
	enum enr_channel_kind kind, const uint8_t body[8], uint8_t out[ENR_CHANNEL_PING_BYTES]);

#endif
