#include "enr/channel.h"

#define VERSION_BYTE 1
#define TAG_BYTES 16
#define WINDOW 64

enum err enr_channel_init(const struct crypto *c, enum enr_role role,
	const struct x3dh_session *session, struct enr_channel *out)
{
	const struct span key = {session->ik_b.b, 32};
	struct public32 id;
	enum err e = c->sha256(c->ctx, &key, 1, id.b);

	memset(out, 0, sizeof(*out));
	if (e != ERR_OK)
		return e;
	out->role = role;
	out->confirmed = true; /* the answer proved it */
	memcpy(out->device, id.b, ENR_CHANNEL_DEVICE_BYTES);
	out->h = session->h;
	out->traffic = session->traffic;
	return ERR_OK;
}

void enr_channel_wipe(struct enr_channel *ch)
{
	bytes_wipe(ch, sizeof(*ch));
}

enum err enr_channel_decode(struct span in, struct enr_channel_frame *out)
{
	struct rd r = rd_init(in.p, in.n);
	uint8_t version = rd_u8(&r);

	if (in.n > 0 && version != VERSION_BYTE)
		return ERR_VERSION;
	if (in.n < ENR_CHANNEL_OVERHEAD_BYTES + 1)
		return ERR_SHORT;
	if (in.n > ENR_CHANNEL_FRAME_MAX)
		return ERR_TRAILING;
	out->header = (struct span){in.p, ENR_CHANNEL_HEADER_BYTES};
	out->epoch = rd_u16(&r);
	rd_copy(&r, out->device, ENR_CHANNEL_DEVICE_BYTES);
	out->counter = rd_u64(&r);
	out->ciphertext.n = in.n - ENR_CHANNEL_OVERHEAD_BYTES;
	out->ciphertext.p = rd_view(&r, out->ciphertext.n);
	out->tag = rd_view(&r, TAG_BYTES);
	if (out->counter == 0)
		return ERR_RANGE;
	return rd_end(&r);
}

/* The half of T for messages from the given role. */
static struct secret32 key_from(enum enr_role sender, const struct secret64 *traffic)
{
	struct secret32 key;

	memcpy(key.b, traffic->b + (sender == ENR_ENROLLEE ? 0 : 32), 32);
	return key;
}

#define AAD_BYTES (ENR_CHANNEL_HEADER_BYTES + 32) /* the header, h */

static void nonce_of(uint64_t counter, uint8_t nonce[12])
{
	struct wr w = wr_init(nonce, 12);

	wr_u64(&w, counter);
	wr_zero(&w, 4);
}

/* Has the counter been received in this epoch, or is it too old to know? */
static bool is_replay(const struct enr_channel *ch, uint64_t counter)
{
	uint64_t age;

	if (counter > ch->newest)
		return false;
	age = ch->newest - counter;
	return age >= WINDOW || (ch->window >> age & 1) != 0;
}

static void mark_received(struct enr_channel *ch, uint64_t counter)
{
	if (counter > ch->newest) {
		uint64_t step = counter - ch->newest;

		ch->window = step < WINDOW ? ch->window << step | 1 : 1;
		ch->newest = counter;
	} else {
		ch->window |= (uint64_t)1 << (ch->newest - counter);
	}
}

/* What the channel becomes in the next epoch. */
static enum err next_epoch(
	const struct crypto *c, const struct enr_channel *ch, struct enr_channel *next)
{
	*next = *ch;
	next->epoch = (uint16_t)(ch->epoch + 1);
	next->confirmed = false;
	next->sent = next->newest = next->window = 0;
	return x3dh_rekey(c, &ch->h, &ch->traffic, &next->traffic);
}

static enum err open_in(const struct crypto *c, struct enr_channel *ch,
	const struct enr_channel_frame *f, uint8_t *plain)
{
	enum enr_role sender = ch->role == ENR_SERVICE ? ENR_ENROLLEE : ENR_SERVICE;
	struct secret32 key = key_from(sender, &ch->traffic);
	uint8_t aad[AAD_BYTES], nonce[12];
	enum err e;

	memcpy(aad, f->header.p, ENR_CHANNEL_HEADER_BYTES);
	memcpy(aad + ENR_CHANNEL_HEADER_BYTES, ch->h.b, 32);
	nonce_of(f->counter, nonce);
	e = c->gcm_open(
		c->ctx, &key, nonce, (struct span){aad, sizeof(aad)}, f->ciphertext, f->tag, plain);
	secret32_wipe(&key);
	bytes_wipe(aad, sizeof(aad));
	if (e == ERR_OK) {
		mark_received(ch, f->counter);
		ch->confirmed = true;
	}
	return e;
}

static enum err open_next(const struct crypto *c, struct enr_channel *ch,
	const struct enr_channel_frame *f, uint8_t *plain)
{
	struct enr_channel next;
	enum err e = next_epoch(c, ch, &next);

	if (e == ERR_OK)
		e = open_in(c, &next, f, plain);
	if (e == ERR_OK)
		*ch = next;
	enr_channel_wipe(&next);
	return e;
}

enum err enr_channel_open(const struct crypto *c, struct enr_channel *ch,
	const struct enr_channel_frame *frame, uint8_t *plain)
{
	if (!bytes_equal_ct(frame->device, ch->device, ENR_CHANNEL_DEVICE_BYTES))
		return ERR_UNKNOWN;
	if (frame->epoch == ch->epoch)
		return is_replay(ch, frame->counter) ? ERR_CONFLICT : open_in(c, ch, frame, plain);
	if (ch->role == ENR_SERVICE && ch->epoch < UINT16_MAX && frame->epoch == ch->epoch + 1)
		return open_next(c, ch, frame, plain);
	return ERR_STATE;
}

/* The header in out's first 19 bytes, the ciphertext and tag behind it. */
static enum err seal_at(const struct crypto *c, const struct enr_channel *ch, uint64_t counter,
	struct span plain, uint8_t *out)
{
	struct secret32 key = key_from(ch->role, &ch->traffic);
	uint8_t aad[AAD_BYTES], nonce[12];
	struct wr w = wr_init(aad, sizeof(aad));
	enum err e;

	wr_u8(&w, VERSION_BYTE);
	wr_u16(&w, ch->epoch);
	wr_bytes(&w, ch->device, ENR_CHANNEL_DEVICE_BYTES);
	wr_u64(&w, counter);
	wr_bytes(&w, ch->h.b, 32);
	memcpy(out, aad, ENR_CHANNEL_HEADER_BYTES);
	nonce_of(counter, nonce);
	e = c->gcm_seal(c->ctx, &key, nonce, (struct span){aad, sizeof(aad)}, plain,
		out + ENR_CHANNEL_HEADER_BYTES, out + ENR_CHANNEL_HEADER_BYTES + plain.n);
	secret32_wipe(&key);
	bytes_wipe(aad, sizeof(aad));
	return e;
}

enum err enr_channel_seal(const struct crypto *c, struct enr_channel *ch, struct span plain,
	uint8_t *out, size_t cap, size_t *len)
{
	enum err e;

	*len = 0;
	if (plain.n == 0 || plain.n > ENR_CHANNEL_PLAIN_MAX || ch->sent == UINT64_MAX)
		return ERR_RANGE;
	if (cap < plain.n + ENR_CHANNEL_OVERHEAD_BYTES)
		return ERR_FULL;
	e = seal_at(c, ch, ch->sent + 1, plain, out);
	ch->sent++; /* also after a failure: no counter is tried twice */
	if (e == ERR_OK)
		*len = plain.n + ENR_CHANNEL_OVERHEAD_BYTES;
	return e;
}

bool enr_channel_wants_rekey(const struct enr_channel *ch, uint64_t age_s)
{
	return ch->role == ENR_ENROLLEE && ch->confirmed && ch->epoch < UINT16_MAX &&
	       (ch->sent >= ENR_CHANNEL_REKEY_MESSAGES ||
		       ch->newest >= ENR_CHANNEL_REKEY_MESSAGES || age_s >= ENR_CHANNEL_REKEY_S);
}

enum err enr_channel_rekey(const struct crypto *c, struct enr_channel *ch)
{
	struct enr_channel next;
	enum err e;

	if (ch->role != ENR_ENROLLEE || !ch->confirmed)
		return ERR_STATE;
	if (ch->epoch == UINT16_MAX)
		return ERR_RANGE;
	e = next_epoch(c, ch, &next);
	if (e == ERR_OK)
		*ch = next;
	enr_channel_wipe(&next);
	return e;
}

enum err enr_channel_plain_decode(struct span in, struct enr_channel_plain *out)
{
	struct rd r = rd_init(in.p, in.n);
	uint8_t kind = rd_u8(&r);

	if (r.bad)
		return ERR_SHORT;
	switch (kind) {
	case ENR_CHANNEL_PING:
	case ENR_CHANNEL_PONG:
		out->body = (struct span){rd_view(&r, 8), 8};
		break;
	case ENR_CHANNEL_APPLICATION:
		out->body = rd_rest(&r);
		break;
	default:
		return ERR_UNKNOWN;
	}
	out->kind = (enum enr_channel_kind)kind;
	return rd_end(&r);
}

void enr_channel_ping_encode(
	enum enr_channel_kind kind, const uint8_t body[8], uint8_t out[ENR_CHANNEL_PING_BYTES])
{
	out[0] = (uint8_t)kind;
	memcpy(out + 1, body, 8);
}
