/*
 * The frames of profile 1 (OP-0006 §9) as bytes and text, and the ids and addresses that people
 * see. Little-endian; every frame begins with a version byte. Decoders give views into the input.
 */
#ifndef ENR_ENROLLMSG_H
#define ENR_ENROLLMSG_H

#include "enr/x3dh.h"

#define ENROLLMSG_VERSION 1

/* --- bundle: what an enroller carries to an enrollee ---------------------------------------- */

#define ENROLLMSG_BUNDLE_FIXED 174
#define ENROLLMSG_BUNDLE_MAX (ENROLLMSG_BUNDLE_FIXED + X3DH_ADDR_MAX)
#define ENROLLMSG_BUNDLE_TEXT_MAX (5 + (ENROLLMSG_BUNDLE_MAX * 4 + 2) / 3 + 1) /* with NUL */
#define ENROLLMSG_BUNDLE_ID_BYTES 8

struct enrollmsg_bundle {
	uint32_t spk_id;
	uint64_t expires_at; /* unix seconds, informative: the service decides */
	struct x3dh_prekeys prekeys;
	struct span addr; /* 1 to 255 bytes, borrowed */
};

ENR_MUST_CHECK enum err enrollmsg_bundle_encode(
	const struct enrollmsg_bundle *b, uint8_t *out, size_t cap, size_t *len);

/* ERR_SHORT, ERR_TRAILING, ERR_VERSION, ERR_INVALID (addr of 0 bytes). Believes nothing. */
ENR_MUST_CHECK enum err enrollmsg_bundle_decode(struct span in, struct enrollmsg_bundle *out);

/* What an enrollee demands of a bundle: x3dh_prekeys_check, a well-formed Addr (ERR_INVALID) and
 * that Addr's fingerprint is that of IK_A (ERR_AUTH). */
ENR_MUST_CHECK enum err enrollmsg_bundle_check(
	const struct crypto *c, const struct enrollmsg_bundle *b);

/* "enr1:" and base64url of the frame: one line, no newline, NUL-terminated. */
ENR_MUST_CHECK enum err enrollmsg_bundle_print(
	const struct enrollmsg_bundle *b, char *text, size_t cap);

/* Exactly that text (white space around it is the caller's to strip). b->addr points into frame. */
ENR_MUST_CHECK enum err enrollmsg_bundle_parse(const char *text, size_t chars,
	uint8_t frame[ENROLLMSG_BUNDLE_MAX], struct enrollmsg_bundle *b);

/* The first 8 bytes of SHA-256(OPK_A); printed as 16 hex digits. */
ENR_MUST_CHECK enum err enrollmsg_bundle_id(
	const struct crypto *c, const struct public32 *opk, uint8_t id[ENROLLMSG_BUNDLE_ID_BYTES]);

/* --- ids -------------------------------------------------------------------------------------- */

#define ENROLLMSG_ID_SHOWN_DIGITS 20 /* lists print so many */
#define ENROLLMSG_ID_PREFIX_MIN 8    /* commands accept so few, if unique */

/* SHA-256 of a public key: of EIK_B while pending, of IK_B from then on. */
ENR_MUST_CHECK enum err enrollmsg_id(
	const struct crypto *c, const struct public32 *key, struct public32 *id);

/* The ids that begin with the typed digits: all from first to last, compared as bytes. For ids of
 * fewer than 32 bytes (a bundle's 8) compare only so many. */
struct enrollmsg_prefix {
	uint8_t first[32], last[32];
	size_t digits;
};

/* 8 to max_digits hex digits (64 for enrollees, 16 for bundles), in either case. ERR_SHORT,
 * ERR_TRAILING or ERR_INVALID else. */
ENR_MUST_CHECK enum err enrollmsg_prefix_parse(
	const char *text, size_t chars, size_t max_digits, struct enrollmsg_prefix *out);
/* Does an id of n bytes (n <= 32) begin so? */
bool enrollmsg_prefix_match(const struct enrollmsg_prefix *prefix, const uint8_t *id, size_t n);

/* --- announcement key: what an enrollee shows its enroller ------------------------------------ */

#define ENROLLMSG_KEY_TEXT_CHARS (5 + 44)

/* "enk1:" and base64url of {version, EIK_B}; text has room for ENROLLMSG_KEY_TEXT_CHARS + 1. */
ENR_MUST_CHECK enum err enrollmsg_key_print(const struct public32 *eik, char *text, size_t cap);
/* ERR_KEY if it may not be used (xeddsa_public_check): refused here already (OP-0006 §5.1). */
ENR_MUST_CHECK enum err enrollmsg_key_parse(const char *text, size_t chars, struct public32 *eik);

/* --- request and answer ------------------------------------------------------------------------
 */

#define ENROLLMSG_REQUEST_BYTES (1 + X3DH_MESSAGE_BYTES)

void enrollmsg_request_encode(
	const uint8_t message[X3DH_MESSAGE_BYTES], uint8_t out[ENROLLMSG_REQUEST_BYTES]);
/* The 176 bytes as a view, for x3dh_parse. ERR_SHORT, ERR_TRAILING, ERR_VERSION. */
ENR_MUST_CHECK enum err enrollmsg_request_decode(struct span in, struct span *message);

#define ENROLLMSG_WELCOME_MAX 144
#define ENROLLMSG_ANSWER_MIN 26
#define ENROLLMSG_ANSWER_MAX (ENROLLMSG_ANSWER_MIN + ENROLLMSG_WELCOME_MAX)
#define ENROLLMSG_REJECTION_BYTES 2

enum enrollmsg_status { ENROLLMSG_ACCEPTED = 0, ENROLLMSG_REJECTED = 1 };

struct enrollmsg_answer {
	uint64_t enrolled_at; /* unix seconds, the service's wall clock */
	size_t welcome_bytes; /* 0 to 144 */
	uint8_t welcome[ENROLLMSG_WELCOME_MAX];
};

/* Sealed once and stored: the nonce is fixed, so one session seals one answer (§9). */
ENR_MUST_CHECK enum err enrollmsg_answer_seal(const struct crypto *c,
	const struct x3dh_session *session, const struct enrollmsg_answer *answer,
	uint8_t out[ENROLLMSG_ANSWER_MAX], size_t *len);

/* ERR_OK: accepted. ERR_DENIED: the 2-byte rejection, which anybody can send: a hint, no more.
 * ERR_AUTH: not from the service. ERR_SHORT, ERR_TRAILING, ERR_VERSION, ERR_UNKNOWN (status). */
ENR_MUST_CHECK enum err enrollmsg_answer_open(const struct crypto *c,
	const struct x3dh_session *session, struct span in, struct enrollmsg_answer *out);

void enrollmsg_rejection_encode(uint8_t out[ENROLLMSG_REJECTION_BYTES]);

/* --- Addr: where the service is, and who -------------------------------------------------------
 */

#define ENROLLMSG_FINGERPRINT_BYTES 16
#define ENROLLMSG_HOST_MAX 192

enum enrollmsg_addr_kind { ENROLLMSG_ADDR_COAP, ENROLLMSG_ADDR_MESH };

/* coap://host[:port]/enroll#<32 hex digits>   or   mesh:<network id>/<node id>#<32 hex digits> */
struct enrollmsg_addr {
	enum enrollmsg_addr_kind kind;
	char host[ENROLLMSG_HOST_MAX + 1]; /* coap: name, IPv4, or IPv6 without its brackets */
	bool host_is_ipv6;
	uint16_t port;                                    /* coap: 5683 if the text has none */
	uint16_t network_id, node_id;                     /* mesh */
	uint8_t fingerprint[ENROLLMSG_FINGERPRINT_BYTES]; /* SHA-256(IK_A)[0:16] */
};

#define ENROLLMSG_COAP_PORT 5683

/* Writes the URI and a NUL; leaves out the default port. ERR_INVALID host, ERR_FULL. */
ENR_MUST_CHECK enum err enrollmsg_addr_print(
	const struct enrollmsg_addr *a, char *text, size_t cap);
/* Strict: exactly what enrollmsg_addr_print writes, or ":5683" written out. */
ENR_MUST_CHECK enum err enrollmsg_addr_parse(struct span text, struct enrollmsg_addr *out);

#endif
