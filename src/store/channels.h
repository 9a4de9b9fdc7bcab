/* Channels of enrolled devices (enr/channel.h): state, newest frame and its answer. */
#ifndef STORE_CHANNELS_H
#define STORE_CHANNELS_H

#include "enr/channel.h"
#include "store/store.h"

#define CHANNEL_ANSWER_MAX (ENR_CHANNEL_OVERHEAD_BYTES + ENR_CHANNEL_PING_BYTES)

struct channel_row {
	int64_t row; /* of the device */
	struct public32 device_id;
	struct enr_channel ch; /* wiped by the owner */
	bool has_frame;        /* frame_hash is SHA-256 of the newest frame */
	uint8_t frame_hash[32];
	size_t answer_bytes; /* to that frame; 0: none */
	uint8_t answer[CHANNEL_ANSWER_MAX];
	uint64_t seen_at; /* 0: never */
};

/* A fresh channel; takes row and ch. */
ENR_MUST_CHECK enum err channels_insert(struct store *s, const struct channel_row *row);
/* Of the device, not revoked, whose id begins so. ERR_NOT_FOUND. */
ENR_MUST_CHECK enum err channels_find(
	struct store *s, const uint8_t device[ENR_CHANNEL_DEVICE_BYTES], struct channel_row *out);
/* All of it; keys_changed: seals the keys anew. */
ENR_MUST_CHECK enum err channels_save(
	struct store *s, const struct channel_row *row, bool keys_changed);

#endif
