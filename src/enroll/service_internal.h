/* What the files service*.c share. Nobody else includes it. */
#ifndef ENROLL_SERVICE_INTERNAL_H
#define ENROLL_SERVICE_INTERNAL_H

#include "base/svctime.h"
#include "enroll/audit.h"
#include "enroll/service.h"
#include "store/bundles.h"
#include "store/keys.h"

#define SERVICE_ADDR_MAX (X3DH_ADDR_MAX + 1)
#define SERVICE_SPK_SLACK_S 3600u         /* retransmission, clock skew (OP-0006 §7.10) */
#define SERVICE_FORGET_S UINT64_C(604800) /* expired and revoked rows stay visible so long */
#define SERVICE_CHECKPOINT_S 3600u        /* deleted secrets leave the WAL after so long */
#define SERVICE_CHECKPOINT_AGAIN_S 10u    /* after one that failed */
#define SERVICE_SWEEP_MAX 64              /* rows in one portion of the sweep */
#define SERVICE_REFUSALS_MAX 64           /* refused messages written to the audit log in a row */
#define SERVICE_REFUSAL_EVERY_MS 1000u    /* and then one in so long */

struct service {
	struct store *store;
	const struct crypto *crypto;
	struct service_config config; /* defaults filled in; addr_host is not kept */
	struct keypool *keys;         /* NULL: none */
	uint8_t welcome[ENROLLMSG_WELCOME_MAX];

	struct x3dh_keypair identity;
	char addr[SERVICE_ADDR_MAX];
	int64_t addr_row;

	struct svctime time; /* the newest moment that a decision was made at */
	uint64_t stored_s;   /* what the store holds of it, when the commit succeeds */
	bool stored;

	/* Loaded signed prekeys: the newest, and one that a message needed. Only rows as they are
	 * committed are kept over a transaction: a row id that is rolled back comes again. So both
	 * are forgotten when a request that may have changed them is undone. */
	struct signed_prekey spk_new, spk_old;
	bool spk_changed; /* by this transaction: keep nothing */

	struct service_event *event; /* of the open transaction */
	size_t event_count, event_room;
	size_t event_kept; /* of the requests before the present one */
	service_event_fn *on_event;
	void *on_event_arg;

	/* Refused messages cost anybody nothing, so the log takes only so many of them. */
	unsigned refusals_left;
	uint64_t refusals_ms;         /* when the last one was granted */
	uint64_t refusals_unrecorded; /* since the line that told it */
	uint64_t refusals_kept;       /* the same, before the present request */
	uint64_t refusals_committed;  /* and before the open transaction */

	uint64_t checkpoint_s;       /* when the last one was */
	uint64_t checkpoint_again_s; /* none is tried before */
	bool checkpoint_due;
};

/* Advances service time to now; seconds. */
uint64_t service_now(struct service *s, const struct clock_now *now);

/* --- service_keys.c --- */

/* The signed prekey for new bundles; made if the newest is retired. Borrowed until the next call.
 */
ENR_MUST_CHECK enum err service_spk_current(
	struct service *s, const struct clock_now *now, const struct signed_prekey **out);
ENR_MUST_CHECK enum err service_spk_find(
	struct service *s, uint32_t id, const struct signed_prekey **out);
/* It must not be destroyed before until_s. */
ENR_MUST_CHECK enum err service_spk_need(struct service *s, uint32_t id, uint64_t until_s);
/* Rotates and destroys. */
ENR_MUST_CHECK enum err service_spk_tick(struct service *s, const struct clock_now *now);
void service_spk_forget(struct service *s);
/* Loads or makes the identity key. */
ENR_MUST_CHECK enum err service_identity_load(struct service *s, const struct clock_now *now);
/* The text of an address row; cap as in struct service. */
ENR_MUST_CHECK enum err service_addr_find(
	struct service *s, int64_t row, char addr[SERVICE_ADDR_MAX]);

/* --- events --- */

/* Notes what happened to a row, in the audit log and for watchers. who NULL: the service itself. */
ENR_MUST_CHECK enum err service_note_bundle(struct service *s, const struct clock_now *now,
	enum service_event_kind kind, const struct caller *who, const struct bundle_row *row);
/* For watchers only: a copy waits for the commit. ERR_NOMEM. */
ENR_MUST_CHECK enum err service_push(struct service *s, const struct service_event *event);

/* --- rows and ids --- */

void service_bundle_view(
	const struct service *s, const struct bundle_row *row, struct service_bundle *out);
/* Text to a range; why is set. max_digits 16 or 64. */
ENR_MUST_CHECK enum err service_prefix(const char *id, size_t max_digits, const char *field,
	struct enrollmsg_prefix *out, struct reason *why);
/* Words for a failed look-up; passes e through. */
ENR_MUST_CHECK enum err service_not_one(
	enum err e, const char *field, const char *id, struct reason *why);
/* ERR_DENIED unless the caller is an admin or the row's enroller. */
/* Ends an open bundle (SERVICE_BUNDLE_REVOKED) or a pending enrollee (SERVICE_ENROLLEE_CANCELLED),
 * notes it, and shows the row as it is then. */
ENR_MUST_CHECK enum err service_take_back(struct service *s, const struct clock_now *now,
	const struct caller *caller, enum service_event_kind kind, struct bundle_row *row,
	struct service_bundle *out, struct reason *why);
ENR_MUST_CHECK enum err service_may_change(
	const struct caller *caller, uint32_t enroller, struct reason *why);
/* Finds by typed id. */
ENR_MUST_CHECK enum err service_find_bundle(
	struct service *s, const char *id, struct bundle_row *out, struct reason *why);
ENR_MUST_CHECK enum err service_find_enrollee(
	struct service *s, const char *id, struct bundle_row *out, struct reason *why);
/* Open or pending in the table, but its time is over. */
bool service_row_is_over(const struct service *s, const struct bundle_row *row);
/* Expires what is due; for those who need room. *count: rows looked at. */
ENR_MUST_CHECK enum err service_sweep(
	struct service *s, const struct clock_now *now, size_t *count);
/* Expires this row, whose time is over. */
ENR_MUST_CHECK enum err service_expire(struct service *s, const struct clock_now *now, int64_t id);
/* Words for an error of the store; passes e through. */
ENR_MUST_CHECK enum err service_storage(enum err e, struct reason *why);

#endif
