/*
 * Bundles, and the enrollees bound to them: one row, one life (sql/0001_base.sql). Every change of
 * state is one UPDATE that tests state and expiry itself: ERR_NOT_FOUND means that it did not hold.
 */
#ifndef STORE_BUNDLES_H
#define STORE_BUNDLES_H

#include "enr/keys.h"
#include "store/store.h"

#define BUNDLE_ID_BYTES 8
#define BUNDLE_PET_NAME_MAX 64

enum bundle_state { BUNDLE_OPEN, BUNDLE_PENDING, BUNDLE_USED, BUNDLE_EXPIRED, BUNDLE_REVOKED };

struct bundle_row {
	int64_t row;
	uint8_t id[BUNDLE_ID_BYTES];
	enum bundle_state state;
	uint32_t enroller;
	uint32_t spk_id;
	int64_t addr_row;
	struct public32 opk;
	uint64_t issued_at;
	uint64_t expires_s;
	uint64_t closed_at; /* 0: not closed */
	bool has_enrollee;  /* the next four */
	struct public32 enrollee_id, eik;
	uint64_t announced_at;
	char pet_name[BUNDLE_PET_NAME_MAX + 1];
	bool has_device;
	struct public32 device_id;
};

/* Takes id, enroller, spk_id, addr_row, opk, issued_at, expires_s; state open; sets row. ERR_QUOTA:
 * the enroller has quota open ones. */
ENR_MUST_CHECK enum err bundles_insert(struct store *s, struct bundle_row *row,
	const struct secret32 *opk_private, uint32_t quota);

/* By id, from first to last inclusive. ERR_NOT_FOUND; ERR_CONFLICT: several. */
ENR_MUST_CHECK enum err bundles_find(struct store *s, const uint8_t first[BUNDLE_ID_BYTES],
	const uint8_t last[BUNDLE_ID_BYTES], struct bundle_row *out);
/* By enrollee id; of several rows of one enrollee the one that counts, else the newest. */
ENR_MUST_CHECK enum err bundles_find_enrollee(struct store *s, const struct public32 *first,
	const struct public32 *last, struct bundle_row *out);
ENR_MUST_CHECK enum err bundles_get(struct store *s, int64_t row, struct bundle_row *out);

/* What opens the message of a pending enrollee, if it is expected at now_s. Wipe opk_private. */
struct bundle_pending {
	int64_t row;
	uint8_t id[BUNDLE_ID_BYTES];
	uint32_t enroller;
	uint32_t spk_id;
	int64_t addr_row;
	struct public32 eik;
	struct secret32 opk_private;
	char pet_name[BUNDLE_PET_NAME_MAX + 1];
};
ENR_MUST_CHECK enum err bundles_pending(struct store *s, const struct public32 *enrollee_id,
	uint64_t now_s, struct bundle_pending *out);

/* open -> pending. Takes row, enrollee_id, eik, announced_at, pet_name and the new expires_s.
 * ERR_CONFLICT: the enrollee is pending or used elsewhere; ERR_QUOTA: the bundle's enroller has
 * that many pending already. */
ENR_MUST_CHECK enum err bundles_announce(
	struct store *s, const struct bundle_row *row, uint64_t now_s, uint32_t quota);
/* pending -> used; the one-time prekey goes. */
ENR_MUST_CHECK enum err bundles_use(struct store *s, int64_t row, uint64_t now_s, uint64_t at);
/* from (open or pending) -> revoked; forgotten at forget_s. */
ENR_MUST_CHECK enum err bundles_revoke(struct store *s, int64_t row, enum bundle_state from,
	uint64_t now_s, uint64_t forget_s, uint64_t at);

/* Rows whose time has come at now_s, the oldest first, at most cap. */
struct bundle_due {
	int64_t row;
	bool live; /* to be expired; else to be forgotten */
};
ENR_MUST_CHECK enum err bundles_due(
	struct store *s, uint64_t now_s, struct bundle_due *out, size_t cap, size_t *count);
/* open or pending -> expired, if it is at now_s. */
ENR_MUST_CHECK enum err bundles_expire(
	struct store *s, int64_t row, uint64_t now_s, uint64_t forget_s, uint64_t at);
/* Deletes an expired or revoked row whose forget_s has come. */
ENR_MUST_CHECK enum err bundles_forget(struct store *s, int64_t row, uint64_t now_s);

struct bundles_filter {
	unsigned states;  /* 1 << state | ... */
	int64_t enroller; /* -1: all */
	bool enrollees;   /* only rows with an enrollee */
	int64_t after;    /* row */
};
/* Return false to stop. Rows that are over at now_s come as expired. */
typedef bool bundles_fn(void *arg, const struct bundle_row *row);
ENR_MUST_CHECK enum err bundles_list(struct store *s, const struct bundles_filter *filter,
	uint64_t now_s, bundles_fn *each, void *arg);

/* Rows by kind: enum bundle_state, then these. */
#define TALLY_DEVICES 16
#define TALLY_DEVICES_REVOKED 17
#define TALLY_COUNT 18
ENR_MUST_CHECK enum err bundles_tallies(struct store *s, uint64_t out[TALLY_COUNT]);

#endif
