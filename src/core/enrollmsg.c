#include "enr/enrollmsg.h"

#include "enr/base64.h"
#include "enr/hex.h"

static const char bundle_tag[] = "enr1:";
static const char key_tag[] = "enk1:";
#define TAG_CHARS 5

/* --- bundle --------------------------------------------------------------------------------- */

enum err enrollmsg_bundle_encode(
	const struct enrollmsg_bundle *b, uint8_t *out, size_t cap, size_t *len)
{
	struct wr w = wr_init(out, cap);

	*len = 0;
	if (b->addr.n == 0 || b->addr.n > X3DH_ADDR_MAX)
		return ERR_INVALID;
	wr_u8(&w, ENROLLMSG_VERSION);
	wr_u32(&w, b->spk_id);
	wr_u64(&w, b->expires_at);
	wr_bytes(&w, b->prekeys.ik.b, 32);
	wr_bytes(&w, b->prekeys.spk.b, 32);
	wr_bytes(&w, b->prekeys.spk_signature, XEDDSA_SIGNATURE_BYTES);
	wr_bytes(&w, b->prekeys.opk.b, 32);
	wr_u8(&w, (uint8_t)b->addr.n);
	wr_bytes(&w, b->addr.p, b->addr.n);
	*len = w.bad ? 0 : w.len_bytes;
	return wr_end(&w);
}

enum err enrollmsg_bundle_decode(struct span in, struct enrollmsg_bundle *out)
{
	struct rd r = rd_init(in.p, in.n);
	uint8_t version = rd_u8(&r);

	if (!r.bad && version != ENROLLMSG_VERSION)
		return ERR_VERSION;
	out->spk_id = rd_u32(&r);
	out->expires_at = rd_u64(&r);
	rd_copy(&r, out->prekeys.ik.b, 32);
	rd_copy(&r, out->prekeys.spk.b, 32);
	rd_copy(&r, out->prekeys.spk_signature, XEDDSA_SIGNATURE_BYTES);
	rd_copy(&r, out->prekeys.opk.b, 32);
	out->addr.n = rd_u8(&r);
	out->addr.p = rd_view(&r, out->addr.n);
	if (!r.bad && out->addr.n == 0)
		return ERR_INVALID;
	return rd_end(&r);
}

enum err enrollmsg_bundle_check(const struct crypto *c, const struct enrollmsg_bundle *b)
{
	struct enrollmsg_addr addr;
	struct public32 id;
	enum err e = x3dh_prekeys_check(c, &b->prekeys);

	if (e == ERR_OK)
		e = enrollmsg_addr_parse(b->addr, &addr);
	if (e == ERR_OK)
		e = enrollmsg_id(c, &b->prekeys.ik, &id);
	if (e == ERR_OK && !bytes_equal_ct(id.b, addr.fingerprint, ENROLLMSG_FINGERPRINT_BYTES))
		e = ERR_AUTH;
	return e;
}

/* tag and base64url of the frame. */
static enum err print_tagged(const char *tag, struct span frame, char *text, size_t cap)
{
	if (cap < TAG_CHARS + 1)
		return ERR_FULL;
	memcpy(text, tag, TAG_CHARS);
	return base64_print(frame, text + TAG_CHARS, cap - TAG_CHARS);
}

static enum err parse_tagged(
	const char *tag, const char *text, size_t chars, uint8_t *out, size_t cap, size_t *len)
{
	enum err e;

	*len = 0;
	if (chars < TAG_CHARS || memcmp(text, tag, TAG_CHARS) != 0)
		return ERR_INVALID;
	e = base64_parse(text + TAG_CHARS, chars - TAG_CHARS, out, cap, len);
	return e == ERR_FULL ? ERR_TRAILING : e;
}

enum err enrollmsg_bundle_print(const struct enrollmsg_bundle *b, char *text, size_t cap)
{
	uint8_t frame[ENROLLMSG_BUNDLE_MAX];
	size_t n;
	enum err e = enrollmsg_bundle_encode(b, frame, sizeof(frame), &n);

	return e == ERR_OK ? print_tagged(bundle_tag, (struct span){frame, n}, text, cap) : e;
}

enum err enrollmsg_bundle_parse(const char *text, size_t chars, uint8_t frame[ENROLLMSG_BUNDLE_MAX],
	struct enrollmsg_bundle *b)
{
	size_t n;
	enum err e = parse_tagged(bundle_tag, text, chars, frame, ENROLLMSG_BUNDLE_MAX, &n);

	return e == ERR_OK ? enrollmsg_bundle_decode((struct span){frame, n}, b) : e;
}

enum err enrollmsg_bundle_id(
	const struct crypto *c, const struct public32 *opk, uint8_t id[ENROLLMSG_BUNDLE_ID_BYTES])
{
	struct public32 hash;
	enum err e = enrollmsg_id(c, opk, &hash);

	if (e == ERR_OK)
		memcpy(id, hash.b, ENROLLMSG_BUNDLE_ID_BYTES);
	return e;
}

/* --- ids ------------------------------------------------------------------------------------ */

enum err enrollmsg_id(const struct crypto *c, const struct public32 *key, struct public32 *id)
{
	const struct span part = {key->b, 32};

	return c->sha256(c->ctx, &part, 1, id->b);
}

enum err enrollmsg_prefix_parse(
	const char *text, size_t chars, size_t max_digits, struct enrollmsg_prefix *out)
{
	if (chars < ENROLLMSG_ID_PREFIX_MIN)
		return ERR_SHORT;
	if (chars > max_digits || chars > 64)
		return ERR_TRAILING;
	memset(out->first, 0x00, sizeof(out->first));
	memset(out->last, 0xff, sizeof(out->last));
	for (size_t i = 0; i < chars; i++) {
		int d = hex_digit(text[i]);
		int shift = i % 2 == 0 ? 4 : 0;

		if (d < 0)
			return ERR_INVALID;
		out->first[i / 2] = (uint8_t)(out->first[i / 2] | d << shift);
		out->last[i / 2] = (uint8_t)(out->last[i / 2] & ~((d ^ 15) << shift));
	}
	out->digits = chars;
	return ERR_OK;
}

bool enrollmsg_prefix_match(const struct enrollmsg_prefix *prefix, const uint8_t *id, size_t n)
{
	return n <= sizeof(prefix->first) && prefix->digits <= 2 * n &&
	       memcmp(id, prefix->first, n) >= 0 && memcmp(id, prefix->last, n) <= 0;
}

/* --- announcement key ----------------------------------------------------------------------- */

enum err enrollmsg_key_print(const struct public32 *eik, char *text, size_t cap)
{
	uint8_t frame[1 + 32] = {ENROLLMSG_VERSION};

	memcpy(frame + 1, eik->b, 32);
	return print_tagged(key_tag, (struct span){frame, sizeof(frame)}, text, cap);
}

enum err enrollmsg_key_parse(const char *text, size_t chars, struct public32 *eik)
{
	uint8_t frame[1 + 32];
	size_t n;
	enum err e = parse_tagged(key_tag, text, chars, frame, sizeof(frame), &n);

	if (e != ERR_OK)
		return e;
	if (n > 0 && frame[0] != ENROLLMSG_VERSION)
		return ERR_VERSION;
	if (n < sizeof(frame))
		return ERR_SHORT;
	memcpy(eik->b, frame + 1, 32);
	return xeddsa_public_check(eik);
}

/* --- request and answer --------------------------------------------------------------------- */

void enrollmsg_request_encode(
	const uint8_t message[X3DH_MESSAGE_BYTES], uint8_t out[ENROLLMSG_REQUEST_BYTES])
{
	out[0] = ENROLLMSG_VERSION;
	memcpy(out + 1, message, X3DH_MESSAGE_BYTES);
}

enum err enrollmsg_request_decode(struct span in, struct span *message)
{
	struct rd r = rd_init(in.p, in.n);
	uint8_t version = rd_u8(&r);

	*message = (struct span){rd_view(&r, X3DH_MESSAGE_BYTES), X3DH_MESSAGE_BYTES};
	if (in.n > 0 && version != ENROLLMSG_VERSION)
		return ERR_VERSION;
	return rd_end(&r);
}

#define ANSWER_HEAD_BYTES 2
#define ANSWER_TAG_BYTES 16

/* Version, status, h. */
static void answer_aad(const struct x3dh_session *session, uint8_t aad[ANSWER_HEAD_BYTES + 32])
{
	aad[0] = ENROLLMSG_VERSION;
	aad[1] = ENROLLMSG_ACCEPTED;
	memcpy(aad + ANSWER_HEAD_BYTES, session->h.b, 32);
}

/* The service's half of T_0. */
static struct secret32 answer_key(const struct x3dh_session *session)
{
	struct secret32 key;

	memcpy(key.b, session->traffic.b + 32, 32);
	return key;
}

static const uint8_t answer_nonce[12];

enum err enrollmsg_answer_seal(const struct crypto *c, const struct x3dh_session *session,
	const struct enrollmsg_answer *answer, uint8_t out[ENROLLMSG_ANSWER_MAX], size_t *len)
{
	struct wr w = wr_init(out, ENROLLMSG_ANSWER_MAX);
	uint8_t aad[ANSWER_HEAD_BYTES + 32];
	struct secret32 key;
	struct span plain;
	enum err e;

	*len = 0;
	if (answer->welcome_bytes > ENROLLMSG_WELCOME_MAX)
		return ERR_RANGE;
	wr_u8(&w, ENROLLMSG_VERSION);
	wr_u8(&w, ENROLLMSG_ACCEPTED);
	wr_u64(&w, answer->enrolled_at);
	wr_bytes(&w, answer->welcome, answer->welcome_bytes);
	plain = (struct span){out + ANSWER_HEAD_BYTES, w.len_bytes - ANSWER_HEAD_BYTES};
	answer_aad(session, aad);
	key = answer_key(session);
	e = c->gcm_seal(c->ctx, &key, answer_nonce, (struct span){aad, sizeof(aad)}, plain,
		out + ANSWER_HEAD_BYTES, out + w.len_bytes);
	secret32_wipe(&key);
	bytes_wipe(aad, sizeof(aad));
	if (e == ERR_OK)
		*len = w.len_bytes + ANSWER_TAG_BYTES;
	return e;
}

/* Length and status; the sealed part and its tag as views. */
static enum err answer_decode(struct span in, struct span *sealed, const uint8_t **tag)
{
	struct rd r = rd_init(in.p, in.n);
	uint8_t version = rd_u8(&r), status = rd_u8(&r);

	if (in.n > 0 && version != ENROLLMSG_VERSION)
		return ERR_VERSION;
	if (r.bad)
		return ERR_SHORT;
	if (status == ENROLLMSG_REJECTED)
		return in.n == ENROLLMSG_REJECTION_BYTES ? ERR_DENIED : ERR_TRAILING;
	if (status != ENROLLMSG_ACCEPTED)
		return ERR_UNKNOWN;
	if (in.n < ENROLLMSG_ANSWER_MIN)
		return ERR_SHORT;
	if (in.n > ENROLLMSG_ANSWER_MAX)
		return ERR_TRAILING;
	sealed->n = in.n - ANSWER_HEAD_BYTES - ANSWER_TAG_BYTES;
	sealed->p = rd_view(&r, sealed->n);
	*tag = rd_view(&r, ANSWER_TAG_BYTES);
	return rd_end(&r);
}

enum err enrollmsg_answer_open(const struct crypto *c, const struct x3dh_session *session,
	struct span in, struct enrollmsg_answer *out)
{
	uint8_t plain[8 + ENROLLMSG_WELCOME_MAX], aad[ANSWER_HEAD_BYTES + 32];
	struct span sealed;
	const uint8_t *tag;
	struct secret32 key;
	struct rd r;
	enum err e = answer_decode(in, &sealed, &tag);

	if (e != ERR_OK)
		return e;
	answer_aad(session, aad);
	key = answer_key(session);
	e = c->gcm_open(
		c->ctx, &key, answer_nonce, (struct span){aad, sizeof(aad)}, sealed, tag, plain);
	secret32_wipe(&key);
	bytes_wipe(aad, sizeof(aad));
	if (e != ERR_OK)
		return e;
	r = rd_init(plain, sealed.n);
	out->enrolled_at = rd_u64(&r);
	out->welcome_bytes = r.left_bytes;
	rd_copy(&r, out->welcome, out->welcome_bytes);
	bytes_wipe(plain, sizeof(plain));
	return rd_end(&r);
}

void enrollmsg_rejection_encode(uint8_t out[ENROLLMSG_REJECTION_BYTES])
{
	out[0] = ENROLLMSG_VERSION;
	out[1] = ENROLLMSG_REJECTED;
}
