/* Rows of channels. */
#include "store/channels.h"

#include "store/stmt.h"

static const char KEYS[] = "channels.keys";

#define KEYS_BYTES (32 + 64) /* h, T_epoch */

static void join_keys(const struct enr_channel *ch, uint8_t out[KEYS_BYTES])
{
	memcpy(out, ch->h.b, 32);
	memcpy(out + 32, ch->traffic.b, 64);
}

static void split_keys(const uint8_t in[KEYS_BYTES], struct enr_channel *ch)
{
	memcpy(ch->h.b, in, 32);
	memcpy(ch->traffic.b, in + 32, 64);
}

static void bind_keys(struct stmt *q, struct stmt_sealed *keep, const struct channel_row *row)
{
	uint8_t keys[KEYS_BYTES];

	join_keys(&row->ch, keys);
	stmt_bind_sealed(q, keep, KEYS, row->row, (struct span){keys, sizeof(keys)});
	bytes_wipe(keys, sizeof(keys));
}

enum err channels_insert(struct store *s, const struct channel_row *row)
{
	static const char INSERT[] =
		"INSERT INTO channels (id, epoch, confirmed, sent, newest, window, keys) "
		"VALUES (?, ?, ?, ?, ?, ?, ?)";
	struct stmt_sealed sealed;
	struct stmt q = stmt_start(s, INSERT);

	stmt_bind_i64(&q, row->row);
	stmt_bind_u64(&q, row->ch.epoch);
	stmt_bind_i64(&q, row->ch.confirmed);
	stmt_bind_u64(&q, row->ch.sent);
	stmt_bind_u64(&q, row->ch.newest);
	stmt_bind_u64(&q, row->ch.window);
	bind_keys(&q, &sealed, row);
	return stmt_run(&q, NULL);
}

static void read_row(struct stmt *q, struct channel_row *out)
{
	uint8_t keys[KEYS_BYTES];

	out->row = stmt_i64(q);
	stmt_bytes(q, out->device_id.b, sizeof(out->device_id.b));
	out->ch.role = ENR_SERVICE;
	memcpy(out->ch.device, out->device_id.b, sizeof(out->ch.device));
	out->ch.epoch = (uint16_t)stmt_u64(q);
	out->ch.confirmed = stmt_i64(q) != 0;
	out->ch.sent = stmt_u64(q);
	out->ch.newest = stmt_u64(q);
	out->ch.window = stmt_u64(q);
	stmt_sealed(q, KEYS, out->row, keys, sizeof(keys));
	split_keys(keys, &out->ch);
	bytes_wipe(keys, sizeof(keys));
	out->has_frame = stmt_bytes_up_to(q, out->frame_hash, sizeof(out->frame_hash)) ==
			 sizeof(out->frame_hash);
	out->answer_bytes = stmt_bytes_up_to(q, out->answer, sizeof(out->answer));
	out->seen_at = stmt_u64(q);
}

enum err channels_find(
	struct store *s, const uint8_t device[ENR_CHANNEL_DEVICE_BYTES], struct channel_row *out)
{
	static const char FIND[] = "SELECT c.id, d.device_id, c.epoch, c.confirmed, c.sent, "
				   "c.newest, c.window, c.keys, "
				   "c.frame_hash, c.answer, coalesce(c.seen_at, 0) "
				   "FROM devices d JOIN channels c ON c.id = d.id "
				   "WHERE d.device_id BETWEEN ? AND ? AND d.ended = 0 LIMIT 1";
	struct public32 last;
	struct stmt q = stmt_start(s, FIND);
	enum err e;

	memset(last.b, 0xFF, sizeof(last.b));
	memcpy(last.b, device, ENR_CHANNEL_DEVICE_BYTES);
	memset(out, 0, sizeof(*out));
	stmt_bind_bytes(&q, device, ENR_CHANNEL_DEVICE_BYTES);
	stmt_bind_bytes(&q, last.b, sizeof(last.b));
	if (stmt_step(&q))
		read_row(&q, out);
	e = stmt_end_found(&q);
	if (e != ERR_OK)
		enr_channel_wipe(&out->ch);
	return e;
}

enum err channels_save(struct store *s, const struct channel_row *row, bool keys_changed)
{
	static const char SAVE[] =
		"UPDATE channels SET epoch = ?1, confirmed = ?2, sent = ?3, newest = ?4, "
		"window = ?5, keys = coalesce(?6, keys), frame_hash = ?7, answer = ?8, "
		"seen_at = ?9 WHERE id = ?10";
	struct stmt_sealed sealed;
	struct stmt q = stmt_start(s, SAVE);

	stmt_bind_u64(&q, row->ch.epoch);
	stmt_bind_i64(&q, row->ch.confirmed);
	stmt_bind_u64(&q, row->ch.sent);
	stmt_bind_u64(&q, row->ch.newest);
	stmt_bind_u64(&q, row->ch.window);
	if (keys_changed)
		bind_keys(&q, &sealed, row);
	else
		stmt_bind_null(&q);
	if (row->has_frame)
		stmt_bind_bytes(&q, row->frame_hash, sizeof(row->frame_hash));
	else
		stmt_bind_null(&q);
	if (row->answer_bytes > 0)
		stmt_bind_bytes(&q, row->answer, row->answer_bytes);
	else
		stmt_bind_null(&q);
	stmt_bind_u64(&q, row->seen_at);
	stmt_bind_i64(&q, row->row);
	return stmt_run_one(&q);
}
