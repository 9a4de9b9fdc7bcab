/* Enrolled devices: what they sent, what they were answered, who they are. */
#ifndef STORE_DEVICES_H
#define STORE_DEVICES_H

#include "enr/enrollmsg.h"
#include "store/store.h"

struct device_new {
	struct public32 id; /* SHA-256(IK_B) */
	struct public32 ik, ek;
	int64_t bundle_row;
	uint8_t message_hash[32];
	struct span answer;
	uint64_t enrolled_at;
};

/* Sets *row. ERR_CONFLICT: EK_B was seen, IK_B belongs to a device that is not revoked, or the
 * bundle made a device already. */
ENR_MUST_CHECK enum err devices_insert(
	struct store *s, const struct device_new *device, int64_t *row);

/* What became of this EK_B. ERR_NOT_FOUND: it was never accepted. */
struct device_seen {
	int64_t row;
	struct public32 id;
	uint8_t message_hash[32];
	size_t answer_bytes; /* 0: revoked */
	uint8_t answer[ENROLLMSG_ANSWER_MAX];
};
ENR_MUST_CHECK enum err devices_seen(
	struct store *s, const struct public32 *ek, struct device_seen *out);

/* Is there a device, not revoked, whose id begins with these 8 bytes? ERR_NOT_FOUND if not. */
ENR_MUST_CHECK enum err devices_live(struct store *s, const uint8_t prefix[8], int64_t *row);

struct device_row {
	int64_t row;
	struct public32 id, ik, enrollee_id;
	uint32_t enroller;
	char pet_name[65];
	uint64_t enrolled_at;
	uint64_t revoked_at; /* 0: not revoked */
	uint64_t seen_at;    /* of its channel; 0: never */
	uint16_t epoch;
};

/* By id, from first to last; of several rows of one device the one that counts, else the newest.
 * ERR_NOT_FOUND; ERR_CONFLICT: several devices. */
ENR_MUST_CHECK enum err devices_find(struct store *s, const struct public32 *first,
	const struct public32 *last, struct device_row *out);
/* Device and channel keys: gone. ERR_NOT_FOUND: not there or revoked already. */
ENR_MUST_CHECK enum err devices_revoke(struct store *s, int64_t row, uint64_t at);

struct devices_filter {
	bool enrolled, revoked; /* which to tell */
	int64_t enroller;       /* -1: all */
	int64_t after;          /* row */
};
/* Return false to stop. */
typedef bool devices_fn(void *arg, const struct device_row *row);
ENR_MUST_CHECK enum err devices_list(
	struct store *s, const struct devices_filter *filter, devices_fn *each, void *arg);

#endif
