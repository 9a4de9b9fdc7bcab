/*
 * The rules of the Enrollment Service (OP-0006 §4-§9): bundles, enrollees, acceptance, devices and
 * their channel, the audit log. Decides and stores; sends nothing, knows no socket and no loop.
 *
 * Functions that write run inside the caller's transaction (batch_enter ... batch_leave) and fail
 * with ERR_STATE outside; their results may leave only after its commit. Functions that read run
 * anywhere. On any error the caller undoes the request (batch_leave does).
 *
 * Roles per method are control's table; what the rules here add: below ROLE_ADMIN, a caller changes
 * only what its own uid made (ERR_DENIED).
 *
 * Ids are typed as text: 8 or more hex digits that begin exactly one id. Errors of all functions
 * that take one: ERR_INVALID (not such digits), ERR_NOT_FOUND, ERR_CONFLICT (several begin so);
 * of all that write: those of store/store.h. why may be NULL; it is set whenever a function that
 * takes it fails.
 *
 * All *_at are unix seconds of the wall clock, for display; what expires is decided on service
 * time (base/svctime.h).
 */
#ifndef ENROLL_SERVICE_H
#define ENROLL_SERVICE_H

#include "base/clock.h"
#include "base/reason.h"
#include "enr/enrollmsg.h"
#include "enroll/caller.h"

struct keypool;
struct service;
struct store;

#define SERVICE_PET_NAME_MAX 64 /* bytes of UTF-8 without control characters */
#define SERVICE_LIFETIME_MAX_S (30u * 86400u)
#define SERVICE_ISSUE_MAX 1000 /* bundles in one call */

struct service_config {
	const char *addr_host;       /* name or address in Addr, coap://host[:port]/enroll#... */
	uint16_t addr_port;          /* 0: 5683 */
	uint32_t bundle_lifetime_s;  /* 0: 86400 */
	uint32_t pending_lifetime_s; /* 0: 86400 */
	uint32_t spk_lifetime_s;     /* 0: 604800; the overlap follows from what is bound to it */
	uint32_t quota;      /* open bundles of one enroller, and as many pending ones; 0: 1000 */
	struct span welcome; /* 0 to ENROLLMSG_WELCOME_MAX bytes; copied */
};

/* --- life --- */

/*
 * Makes what a fresh database lacks (identity key, signed prekey), in a transaction of its own;
 * none may be open. store and crypto are borrowed. why is set on failure. ERR_INVALID: the
 * configuration; ERR_KEY, ERR_AUTH: the sealing key is not the one of this database.
 */
ENR_MUST_CHECK enum err service_new(struct store *store, const struct crypto *crypto,
	const struct service_config *config, const struct clock_now *now, struct service **out,
	struct reason *why);
void service_free(struct service *s); /* NULL is accepted */

/*
 * What time alone brings, in small portions: expires bundles and enrollees, rotates and destroys
 * signed prekeys, forgets closed bundles, notes service time. Inside a transaction. *again: more
 * is due, call soon; else once a minute is enough.
 */
ENR_MUST_CHECK enum err service_tick(struct service *s, const struct clock_now *now, bool *again);

/* One-time prekeys come from there; borrowed. NULL, as at first: each is made when it is needed. */
void service_use_keypool(struct service *s, struct keypool *keys);

/* The hook for batch_on_end: arg is the service. With ERR_OK delivers the events of the
 * transaction, else forgets them. */
void service_committed(void *arg, enum err committed);

/* Service time at now, in seconds: for all expiry, also that of nodes. */
uint64_t service_time_s(struct service *s, const struct clock_now *now);

/* SHA-256(IK_A)[0:16] is in Addr; the whole key for status and pinning. */
const struct public32 *service_identity(const struct service *s);
const char *service_addr(const struct service *s);

/* --- events, after the commit only --- */

enum service_event_kind {
	SERVICE_BUNDLE_ISSUED,
	SERVICE_BUNDLE_REVOKED,
	SERVICE_BUNDLE_EXPIRED,
	SERVICE_ENROLLEE_ANNOUNCED,
	SERVICE_ENROLLEE_ACCEPTED, /* enrollee_id and device_id */
	SERVICE_ENROLLEE_REJECTED, /* cause */
	SERVICE_ENROLLEE_CANCELLED,
	SERVICE_ENROLLEE_EXPIRED,
	SERVICE_DEVICE_REVOKED,
	SERVICE_DEVICE_PING, /* it pinged us, we answered */
	SERVICE_DEVICE_PONG, /* it answered our ping */
	SERVICE_EVENT_COUNT
};

/* "bundle_issued" and so on: as the audit log writes it. Static storage. */
const char *service_event_text(enum service_event_kind kind);

struct service_event {
	enum service_event_kind kind;
	uint64_t at;
	uint32_t enroller;                         /* uid */
	bool has_bundle, has_enrollee, has_device; /* which of the ids are set */
	uint8_t bundle_id[ENROLLMSG_BUNDLE_ID_BYTES];
	struct public32 enrollee_id, device_id;
	char pet_name[SERVICE_PET_NAME_MAX + 1];
	const char *cause; /* SERVICE_ENROLLEE_REJECTED: "DECRYPT" and so on, else NULL; static */
	uint8_t body[8];   /* of a ping or pong */
};

typedef void service_event_fn(void *arg, const struct service_event *event);

/* One listener; NULL: none. */
void service_on_event(struct service *s, service_event_fn *fn, void *arg);

/* --- bundles and the enrollees bound to them: one row, one life --- */

enum service_state {
	SERVICE_OPEN,    /* issued, not announced for */
	SERVICE_PENDING, /* an enrollee is announced and expected */
	SERVICE_USED,    /* the enrollee is a device now, the one-time prekey is gone */
	SERVICE_EXPIRED,
	SERVICE_REVOKED, /* bundle revoked, or enrollee cancelled */
	SERVICE_STATE_COUNT
};

/* "open", "pending", "used", "expired", "revoked". */
const char *service_state_text(enum service_state state);

struct service_issued {
	uint8_t id[ENROLLMSG_BUNDLE_ID_BYTES];
	uint64_t expires_at;
	size_t frame_bytes;
	uint8_t frame[ENROLLMSG_BUNDLE_MAX]; /* enrollmsg_bundle_encode's */
};

typedef void service_issued_fn(void *arg, const struct service_issued *issued);

/*
 * Issues count (1 to SERVICE_ISSUE_MAX) bundles, all or none; each gets lifetimes_s[i] (0, or
 * lifetimes_s NULL: the default; at most SERVICE_LIFETIME_MAX_S, ERR_RANGE else). ERR_QUOTA: too
 * many open ones of this uid.
 */
ENR_MUST_CHECK enum err service_bundle_issue(struct service *s, const struct clock_now *now,
	const struct caller *caller, const uint32_t *lifetimes_s, size_t count,
	service_issued_fn *each, void *arg, struct reason *why);

/* One row, as bundle and as enrollee. */
struct service_bundle {
	int64_t row; /* for paging */
	uint8_t id[ENROLLMSG_BUNDLE_ID_BYTES];
	enum service_state state;
	uint32_t enroller; /* uid that issued it */
	uint64_t issued_at;
	uint64_t expires_at; /* of the bundle while open, of the enrollee once announced */
	uint64_t closed_at;  /* used, expired or revoked; else 0 */
	bool has_enrollee;   /* the rest is set */
	struct public32 enrollee_id;
	uint64_t announced_at;
	char pet_name[SERVICE_PET_NAME_MAX + 1]; /* "" if none */
	bool has_device;
	struct public32 device_id;
};

typedef void service_bundle_fn(void *arg, const struct service_bundle *bundle);

#define SERVICE_ANY_UID UINT32_MAX

/* Rows in the order of issue. Rows that are over but not swept yet are told as expired. */
struct service_filter {
	unsigned states; /* 1 << SERVICE_OPEN | ...; 0: all */
	uint32_t uid;    /* SERVICE_ANY_UID: all enrollers */
	int64_t after;   /* row to continue after; 0: from the start */
	size_t limit;    /* rows at most; 0: all */
	bool enrollees;  /* only rows with an enrollee */
};

/* Calls each for every row; *more (may be NULL): the limit cut the list. each must not call the
 * service. */
ENR_MUST_CHECK enum err service_bundle_list(struct service *s, const struct clock_now *now,
	const struct service_filter *filter, service_bundle_fn *each, void *arg, bool *more);

/* issued (may be NULL) gets the bundle's bytes again, unless the row is closed (frame_bytes 0). */
ENR_MUST_CHECK enum err service_bundle_show(struct service *s, const struct clock_now *now,
	const char *id, struct service_bundle *out, struct service_issued *issued,
	struct reason *why);

/* Open bundles only: ERR_STATE for an announced or used one, ERR_EXPIRED. */
ENR_MUST_CHECK enum err service_bundle_revoke(struct service *s, const struct clock_now *now,
	const struct caller *caller, const char *id, struct service_bundle *out,
	struct reason *why);

struct service_announcement {
	struct public32 eik;  /* enrollmsg_key_parse's; checked again */
	const char *bundle;   /* id digits, or as many as begin one */
	const char *pet_name; /* NULL: none */
	uint32_t lifetime_s;  /* 0: the default */
};

/*
 * Binds an enrollee to a bundle; from now on its message is expected. The identical repeat by the
 * same caller changes nothing and succeeds (OP-0006 §5.22). ERR_KEY: eik; ERR_INVALID: pet name;
 * ERR_RANGE: lifetime; ERR_EXPIRED: the bundle; ERR_CONFLICT: the bundle has another enrollee, or
 * the enrollee another bundle or is enrolled already; ERR_STATE: the bundle is revoked; ERR_QUOTA:
 * too many of the bundle's enroller are expected already (OP-0006 §5.18).
 */
ENR_MUST_CHECK enum err service_enrollee_announce(struct service *s, const struct clock_now *now,
	const struct caller *caller, const struct service_announcement *announcement,
	struct service_bundle *out, struct reason *why);

/* By enrollee id. (Listing: service_bundle_list with enrollees set.) */
ENR_MUST_CHECK enum err service_enrollee_show(struct service *s, const struct clock_now *now,
	const char *id, struct service_bundle *out, struct reason *why);

/* Pending ones only: ERR_STATE when it is a device already (revoke that), ERR_EXPIRED. The one-time
 * prekey is destroyed: the bundle cannot be used again. */
ENR_MUST_CHECK enum err service_enrollee_cancel(struct service *s, const struct clock_now *now,
	const struct caller *caller, const char *id, struct service_bundle *out,
	struct reason *why);

/* --- the enrollee's message --- */

enum service_outcome {
	SERVICE_SILENCE, /* nothing may be sent */
	SERVICE_ANSWER,
	SERVICE_REJECT /* the 2-byte frame is in bytes: send it */
};

#define SERVICE_REPLY_MAX 256

struct service_reply {
	enum service_outcome outcome;
	bool repeat;    /* a stored answer, sent again */
	bool authentic; /* channel: the device itself sent it, now or as its newest message before
			 */
	bool pong;      /* the device answered a ping of ours */
	size_t bytes_count;
	uint8_t bytes[SERVICE_REPLY_MAX];
};

/* Step 5 of §6, the token bucket: asked once for a known id, before any crypto. false: silence. */
typedef bool service_permit_fn(void *arg, const uint8_t *id, size_t n);

/*
 * The 177 bytes of a request, in the order of OP-0006 §6. ERR_OK with an outcome, whatever the
 * bytes are; another error: our own fault, send nothing. permit may be NULL: always.
 */
ENR_MUST_CHECK enum err service_accept(struct service *s, const struct clock_now *now,
	struct span request, service_permit_fn *permit, void *arg, struct service_reply *out);

/* --- devices --- */

struct service_device {
	int64_t row;
	struct public32 id; /* SHA-256(IK_B) */
	struct public32 ik;
	struct public32 enrollee_id; /* what it was before */
	uint32_t enroller;
	char pet_name[SERVICE_PET_NAME_MAX + 1];
	uint64_t enrolled_at;
	uint64_t seen_at;    /* newest channel message; 0: none yet */
	uint64_t revoked_at; /* 0: not revoked */
	uint16_t epoch;      /* of its channel */
};

typedef void service_device_fn(void *arg, const struct service_device *device);

/* states: 1: enrolled, 2: revoked, 0: both. */
ENR_MUST_CHECK enum err service_device_list(struct service *s, const struct service_filter *filter,
	service_device_fn *each, void *arg, bool *more);
ENR_MUST_CHECK enum err service_device_show(
	struct service *s, const char *id, struct service_device *out, struct reason *why);
/* Deletes its channel keys and stored answer. ERR_STATE: revoked already. */
ENR_MUST_CHECK enum err service_device_revoke(struct service *s, const struct clock_now *now,
	const struct caller *caller, const char *id, struct service_device *out,
	struct reason *why);

/* --- the channel (OP-0006 §9) --- */

/*
 * A data message of a device: a ping is answered by its pong, the newest one's identical repeat by
 * the stored answer; a pong is an event and gets no answer; all else is silence. The replay window
 * is stored in the same transaction as the answer.
 */
ENR_MUST_CHECK enum err service_channel(struct service *s, const struct clock_now *now,
	struct span request, service_permit_fn *permit, void *arg, struct service_reply *out);

/* A ping of ours to a device, 8 bytes of the caller's choice: the frame to send in out. The pong
 * comes back as an event. ERR_STATE: revoked. */
ENR_MUST_CHECK enum err service_channel_ping(struct service *s, const struct clock_now *now,
	const char *device_id, const uint8_t body[8], struct service_reply *out,
	struct reason *why);

/* --- audit and status --- */

struct service_audit_row {
	uint64_t seq;
	uint64_t at;
	uint8_t hash[32];
	const char *json; /* canonical; borrowed until return */
};

typedef void service_audit_fn(void *arg, const struct service_audit_row *row);

/* Rows with seq > after, ascending; limit 0: all. after UINT64_MAX: the last limit rows. */
ENR_MUST_CHECK enum err service_audit_list(struct service *s, uint64_t after, size_t limit,
	service_audit_fn *each, void *arg, bool *more);

/* A place in the chain, as "SEQ:HASH" names it; all zeros: before the first row. */
struct service_audit_mark {
	uint64_t seq;
	uint8_t hash[32];
};

/*
 * Checks up to 4096 rows from *mark on and moves it; *done at the end. First call: the mark the
 * caller believes (zeros: the whole chain). ERR_AUTH: the row of the mark is not there or another
 * (a cut or rewritten log), a row does not hash, one is missing, or the tail was cut; why says
 * which, mark stays at the last good row.
 */
ENR_MUST_CHECK enum err service_audit_verify(
	struct service *s, struct service_audit_mark *mark, bool *done, struct reason *why);

struct service_counts {
	uint64_t bundles[SERVICE_STATE_COUNT]; /* rows by state */
	uint64_t devices, devices_revoked;
	uint64_t audit_seq; /* newest */
	uint64_t service_s; /* service time */
	uint32_t spk_id;    /* of new bundles */
	uint64_t spk_made_at;
};

ENR_MUST_CHECK enum err service_counts(
	struct service *s, const struct clock_now *now, struct service_counts *out);

#endif
