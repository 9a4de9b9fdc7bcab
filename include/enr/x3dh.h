/*
 * The enrollment key agreement of OP-0006 §1 (variant P, profile 1): the enrollee builds one
 * message of 176 bytes, the service opens it, and both hold h and the traffic keys T. Pure: keys,
 * info, Addr and randomness are arguments; what has been seen and what is pending is the caller's.
 *
 * The service's order (OP-0006 §6): x3dh_parse (steps 1, 2), then the caller's own lookups by
 * ek and id (3, 4, 5), then x3dh_open (6 to 10), then the caller's transaction (11 to 13).
 */
#ifndef ENR_X3DH_H
#define ENR_X3DH_H

#include "enr/crypto.h"
#include "enr/xeddsa.h"

#define X3DH_MESSAGE_BYTES 176
#define X3DH_PREKEYS_BYTES 160
#define X3DH_INFO_BYTES 32 /* of profile 1; the functions take up to X3DH_INFO_MAX */
#define X3DH_INFO_MAX 64
#define X3DH_ADDR_MAX 255

/* Why a message is refused. The names are the codes of vectors/x3dh-negative.json. */
enum x3dh_cause {
	X3DH_ACCEPT = 0,
	X3DH_MALFORMED,       /* not 176 bytes */
	X3DH_EK_NONCANONICAL, /* EK_B >= p, or bit 255 set */
	X3DH_EK_SEEN,         /* the caller's verdict, step 3 */
	X3DH_UNKNOWN_ID,      /* the caller's verdict, step 4 */
	X3DH_EK_REUSED,       /* EK_B == EIK_B: one key in two roles (OP-0006 §5.22) */
	X3DH_DH_ZERO,         /* EK_B or EIK_B of small order, or a DH result of zero */
	X3DH_DECRYPT,         /* the tag is wrong */
	X3DH_IKB_INVALID,     /* IK_B non-canonical, of small order, or equal to EIK_B */
	X3DH_BAD_SIGNATURE,
	X3DH_FAILED, /* the crypto library failed: no verdict, nothing may change */
	X3DH_CAUSE_COUNT
};

/* "ACCEPT", "EK_SEEN" and so on: static storage, never NULL. For the audit log. */
const char *x3dh_cause_text(enum x3dh_cause cause);

/* An X25519 key pair; the owner wipes it with x3dh_keypair_wipe. */
struct x3dh_keypair {
	struct secret32 priv;
	struct public32 pub;
};

/* From the generator of c. ERR_CRYPTO if that fails. */
ENR_MUST_CHECK enum err x3dh_keypair_make(const struct crypto *c, struct x3dh_keypair *out);
void x3dh_keypair_wipe(struct x3dh_keypair *k);

/* The service's public keys that an enrollee needs: 160 bytes on the wire, in this order. */
struct x3dh_prekeys {
	struct public32 ik;
	struct public32 spk;
	uint8_t spk_signature[XEDDSA_SIGNATURE_BYTES]; /* XEdDSA(ik, spk) */
	struct public32 opk;
};

/* All three keys usable (ERR_KEY) and the signature right (ERR_AUTH). */
ENR_MUST_CHECK enum err x3dh_prekeys_check(
	const struct crypto *c, const struct x3dh_prekeys *prekeys);

/* What is fixed for one service: both are in the key schedule or the associated data. */
struct x3dh_context {
	struct span info; /* x3dh_info() in profile 1; <= X3DH_INFO_MAX */
	struct span addr; /* as in the bundle; <= X3DH_ADDR_MAX */
};

/* The info of profile 1: "X3DH_25519_AESGCM_SHA256" and 8 zero bytes. */
struct span x3dh_info(void);

/* What both sides hold afterwards. The owner wipes it with x3dh_session_wipe. */
struct x3dh_session {
	struct public32 ik_b;    /* who the device is from now on */
	struct secret32 h;       /* state hash; associated data of all that follows */
	struct secret64 traffic; /* T_0: enrollee→service, then service→enrollee */
};

void x3dh_session_wipe(struct x3dh_session *s);

/* The service's view of a message, cut but not believed. body is borrowed from the input. */
struct x3dh_message {
	struct public32 ek;
	struct public32 id;  /* SHA-256(EIK_B): the key of the pending table */
	const uint8_t *body; /* ciphertext 96, tag 16 */
};

/* Steps 1 and 2 of §6; no crypto. ACCEPT, MALFORMED, EK_NONCANONICAL or DH_ZERO. */
ENR_MUST_CHECK enum x3dh_cause x3dh_parse(struct span in, struct x3dh_message *out);

/* What the pending row binds the message to. All borrowed for the call. */
struct x3dh_service {
	const struct secret32 *ik, *spk, *opk; /* private */
	const struct public32 *eik; /* as announced; the caller compared its hash to id */
};

/* Steps 6 to 10 of §6. Only with ACCEPT does out hold anything; else it is wiped. */
ENR_MUST_CHECK enum x3dh_cause x3dh_open(const struct crypto *c, const struct x3dh_context *ctx,
	const struct x3dh_service *service, const struct x3dh_message *message,
	struct x3dh_session *out);

struct x3dh_enrollee {
	const struct x3dh_keypair *eik, *ek, *ik;
};

/*
 * The enrollee's side. The caller has checked the prekeys (x3dh_prekeys_check). z: 64 fresh random
 * bytes. Build once per ek, store, resend the same bytes: the nonce is taken from ek (OP-0006
 * §5.3). ERR_KEY for a zero DH result or keys that equal one another, ERR_RANGE for too long info
 * or addr; on failure message and out are wiped.
 */
ENR_MUST_CHECK enum err x3dh_build(const struct crypto *c, const struct x3dh_context *ctx,
	const struct x3dh_prekeys *prekeys, const struct x3dh_enrollee *keys,
	const uint8_t z[XEDDSA_Z_BYTES], uint8_t message[X3DH_MESSAGE_BYTES],
	struct x3dh_session *out);

/* The key schedule by itself: SK (32) and h of four DH results. */
ENR_MUST_CHECK enum err x3dh_derive(const struct crypto *c, struct span info,
	const struct secret32 dh[4], struct secret32 *sk, struct secret32 *h);

/* T_0 of SK and h (§7.7). The caller wipes SK. */
ENR_MUST_CHECK enum err x3dh_traffic(const struct crypto *c, const struct secret32 *sk,
	const struct secret32 *h, struct secret64 *traffic);

/* T_(n+1) of T_n (§9, Channel). next may be current. */
ENR_MUST_CHECK enum err x3dh_rekey(const struct crypto *c, const struct secret32 *h,
	const struct secret64 *current, struct secret64 *next);

#endif
