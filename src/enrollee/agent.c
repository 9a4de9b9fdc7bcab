/* The enrollee's rules, on core's functions. */
#include "enrollee/agent.h"

#include "enr/hex.h"

enum err agent_make(const struct crypto *c, struct state *out)
{
	struct x3dh_keypair eik = {0}, ik = {0};
	enum err err = x3dh_keypair_make(c, &eik);

	memset(out, 0, sizeof(*out));
	if (!err)
		err = x3dh_keypair_make(c, &ik);
	if (!err) {
		out->stage = STATE_FRESH;
		out->eik = eik.priv;
		out->ik = ik.priv;
	}
	x3dh_keypair_wipe(&eik);
	x3dh_keypair_wipe(&ik);
	return err;
}

static enum err keypair(
	const struct crypto *c, const struct secret32 *priv, struct x3dh_keypair *out)
{
	out->priv = *priv;
	return xeddsa_public(c, priv, &out->pub);
}

enum err agent_key_text(const struct crypto *c, const struct state *s,
	char text[ENROLLMSG_KEY_TEXT_CHARS + 1], struct public32 *id)
{
	struct public32 eik;
	enum err err;

	if (s->stage == STATE_ENROLLED)
		return ERR_STATE;
	err = xeddsa_public(c, &s->eik, &eik);
	if (!err)
		err = enrollmsg_id(c, &eik, id);
	return err ? err : enrollmsg_key_print(&eik, text, ENROLLMSG_KEY_TEXT_CHARS + 1);
}

enum err agent_device_id(const struct crypto *c, const struct state *s, struct public32 *id)
{
	struct public32 ik;
	enum err err = xeddsa_public(c, &s->ik, &ik);

	return err ? err : enrollmsg_id(c, &ik, id);
}

enum err agent_service(const struct state *s, struct enrollmsg_addr *addr)
{
	struct enrollmsg_bundle b;
	enum err err;

	if (s->stage == STATE_FRESH)
		return ERR_STATE;
	err = enrollmsg_bundle_decode((struct span){s->bundle, s->bundle_bytes}, &b);
	return err ? err : enrollmsg_addr_parse(b.addr, addr);
}

/* --- the bundle ---------------------------------------------------------------------------- */

static void strip(const char **text, size_t *n)
{
	while (*n > 0 && strchr(" \t\r\n", **text)) {
		(*text)++;
		(*n)--;
	}
	while (*n > 0 && strchr(" \t\r\n", (*text)[*n - 1]))
		(*n)--;
}

static enum err check_pin(const struct crypto *c, const struct enrollmsg_bundle *b, const char *pin,
	struct reason *why)
{
	size_t digits = strlen(pin);
	uint8_t want[32];
	struct public32 got = b->prekeys.ik;
	enum err err = hex_parse(pin, digits, want, digits == 32 ? 16 : 32);

	if (!err && digits == 32)
		err = enrollmsg_id(c, &b->prekeys.ik, &got);
	if (err) {
		reason_set(why, "pin-service",
			"give 64 hex digits of the service's key, or 32 of its fingerprint");
		return ERR_INVALID;
	}
	if (bytes_equal_ct(want, got.b, digits / 2))
		return ERR_OK;
	reason_set(why, "pin-service", "the bundle comes from another service");
	return ERR_AUTH;
}

static enum err check_addr(const struct enrollmsg_bundle *b, struct reason *why)
{
	struct enrollmsg_addr addr;
	enum err err = enrollmsg_addr_parse(b->addr, &addr);

	if (!err && addr.kind != ENROLLMSG_ADDR_COAP) {
		reason_set(why, "bundle", "the bundle leads to a mesh, not to an IP address");
		return ERR_UNKNOWN;
	}
	return err;
}

static enum err read_bundle(const struct crypto *c, const struct agent_bundle *in,
	uint8_t frame[ENROLLMSG_BUNDLE_MAX], struct enrollmsg_bundle *b, struct reason *why)
{
	const char *text = in->text;
	size_t n = in->chars;
	enum err err;

	strip(&text, &n);
	err = enrollmsg_bundle_parse(text, n, frame, b);
	if (err) {
		reason_set(why, "bundle", "this is not the whole line of a bundle (enr1:...): %s",
			err_text(err));
		return err;
	}
	err = enrollmsg_bundle_check(c, b);
	if (err) {
		reason_set(why, "bundle", "the bundle is forged or damaged: %s", err_text(err));
		return err;
	}
	err = in->pin ? check_pin(c, b, in->pin, why) : ERR_OK;
	return err ? err : check_addr(b, why);
}

/* --- the message --------------------------------------------------------------------------- */

static enum err build(const struct crypto *c, const struct enrollmsg_bundle *b, struct state *s,
	struct x3dh_session *session)
{
	const struct x3dh_context ctx = {.info = x3dh_info(), .addr = b->addr};
	struct x3dh_keypair eik = {0}, ek = {0}, ik = {0};
	struct x3dh_enrollee keys = {&eik, &ek, &ik};
	uint8_t z[XEDDSA_Z_BYTES];
	enum err err = keypair(c, &s->eik, &eik);

	if (!err)
		err = keypair(c, &s->ik, &ik);
	if (!err)
		err = x3dh_keypair_make(c, &ek);
	if (!err)
		err = c->random(c->ctx, z, sizeof(z));
	if (!err)
		err = x3dh_build(c, &ctx, &b->prekeys, &keys, z, s->message, session);
	x3dh_keypair_wipe(&eik);
	x3dh_keypair_wipe(&ek);
	x3dh_keypair_wipe(&ik);
	bytes_wipe(z, sizeof(z));
	return err;
}

enum err agent_try(const struct crypto *c, const struct agent_bundle *bundle, struct state *s,
	struct reason *why)
{
	uint8_t frame[ENROLLMSG_BUNDLE_MAX];
	struct enrollmsg_bundle b;
	struct x3dh_session session = {0};
	size_t n;
	enum err err = read_bundle(c, bundle, frame, &b, why);

	if (err)
		return err;
	n = ENROLLMSG_BUNDLE_FIXED + b.addr.n;
	if (s->stage != STATE_FRESH && s->bundle_bytes == n && memcmp(s->bundle, frame, n) == 0)
		return ERR_OK;
	if (s->stage == STATE_ENROLLED) {
		reason_set(why, NULL, "this device is enrolled already");
		return ERR_STATE;
	}
	if (s->stage == STATE_TRYING && !bundle->replace) {
		reason_set(why, "bundle",
			"an enrollment with another bundle is under way; --replace gives it up");
		return ERR_CONFLICT;
	}
	err = build(c, &b, s, &session);
	if (err) {
		reason_set(why, NULL, "the message cannot be built: %s", err_text(err));
	} else {
		s->stage = STATE_TRYING;
		s->bundle_bytes = n;
		memcpy(s->bundle, frame, n);
		s->h = session.h;
		s->traffic = session.traffic;
	}
	x3dh_session_wipe(&session);
	return err;
}

/* --- the answer ---------------------------------------------------------------------------- */

static void become_enrolled(struct state *s, const struct enrollmsg_answer *answer,
	const struct enr_channel *ch, uint64_t now_s)
{
	memcpy(s->enrollee_id.b, s->message + 32, 32);
	s->stage = STATE_ENROLLED;
	s->enrolled_at = answer->enrolled_at;
	s->welcome_bytes = answer->welcome_bytes;
	memcpy(s->welcome, answer->welcome, answer->welcome_bytes);
	s->epoch_at = now_s;
	state_from_channel(s, ch);
	secret32_wipe(&s->eik);
	bytes_wipe(s->message, sizeof(s->message));
}

enum err agent_answer(const struct crypto *c, struct span payload, uint64_t now_s, struct state *s)
{
	struct x3dh_session session = {0};
	struct enrollmsg_answer answer = {0};
	struct enr_channel ch = {0};
	enum err err;

	if (s->stage != STATE_TRYING)
		return ERR_STATE;
	session.h = s->h;
	session.traffic = s->traffic;
	err = xeddsa_public(c, &s->ik, &session.ik_b);
	if (!err)
		err = enrollmsg_answer_open(c, &session, payload, &answer);
	if (!err)
		err = enr_channel_init(c, ENR_ENROLLEE, &session, &ch);
	if (!err)
		become_enrolled(s, &answer, &ch, now_s);
	x3dh_session_wipe(&session);
	enr_channel_wipe(&ch);
	bytes_wipe(&answer, sizeof(answer));
	return err;
}

/* --- the channel --------------------------------------------------------------------------- */

static enum err open_channel(const struct crypto *c, const struct state *s, struct enr_channel *ch)
{
	struct public32 device;
	enum err err = s->stage == STATE_ENROLLED ? agent_device_id(c, s, &device) : ERR_STATE;

	if (!err)
		state_to_channel(s, &device, ch);
	return err;
}

/* Not possible yet (ERR_STATE: the service has not followed) is no reason not to speak. */
static enum err rekey_if_due(
	const struct crypto *c, uint64_t now_s, struct state *s, struct enr_channel *ch)
{
	uint64_t age_s = now_s > s->epoch_at ? now_s - s->epoch_at : 0;
	enum err err;

	if (!enr_channel_wants_rekey(ch, age_s))
		return ERR_OK;
	err = enr_channel_rekey(c, ch);
	if (!err)
		s->epoch_at = now_s;
	return err == ERR_STATE ? ERR_OK : err;
}

static enum err say(const struct crypto *c, struct span plain, uint64_t now_s, struct state *s,
	struct state_frame *out)
{
	struct enr_channel ch = {0};
	enum err err = open_channel(c, s, &ch);

	if (!err)
		err = rekey_if_due(c, now_s, s, &ch);
	if (!err)
		err = enr_channel_seal(c, &ch, plain, out->b, sizeof(out->b), &out->n);
	if (!err)
		state_from_channel(s, &ch);
	enr_channel_wipe(&ch);
	return err;
}

enum err agent_ping(const struct crypto *c, const uint8_t body[8], uint64_t now_s, struct state *s,
	struct state_frame *out)
{
	uint8_t plain[ENR_CHANNEL_PING_BYTES];

	enr_channel_ping_encode(ENR_CHANNEL_PING, body, plain);
	return say(c, (struct span){plain, sizeof(plain)}, now_s, s, out);
}

enum err agent_poll(
	const struct crypto *c, uint64_t now_s, struct state *s, struct state_frame *out)
{
	const uint8_t plain[1] = {ENR_CHANNEL_APPLICATION};

	return say(c, (struct span){plain, sizeof(plain)}, now_s, s, out);
}

static bool is_repeat(const struct state *s, struct span payload)
{
	return s->heard.n > 0 && s->heard.n == payload.n &&
	       memcmp(s->heard.b, payload.p, payload.n) == 0;
}

/* The service's ping is remembered with our pong, for its repeat. */
static enum err reply_to_ping(const struct crypto *c, struct span payload, struct state *s,
	struct enr_channel *ch, struct agent_message *out)
{
	uint8_t plain[ENR_CHANNEL_PING_BYTES];
	struct state_frame pong = {0};
	enum err err;

	if (payload.n > STATE_FRAME_MAX)
		return ERR_RANGE;
	enr_channel_ping_encode(ENR_CHANNEL_PONG, out->body, plain);
	err = enr_channel_seal(
		c, ch, (struct span){plain, sizeof(plain)}, pong.b, sizeof(pong.b), &pong.n);
	if (err)
		return err;
	s->heard = (struct state_frame){.n = payload.n};
	memcpy(s->heard.b, payload.p, payload.n);
	s->replied = pong;
	out->reply = pong;
	return ERR_OK;
}

static enum err understand(const struct crypto *c, struct span payload, struct span text,
	struct state *s, struct enr_channel *ch, struct agent_message *out)
{
	struct enr_channel_plain plain;
	enum err err = enr_channel_plain_decode(text, &plain);

	if (err)
		return err;
	if (plain.kind == ENR_CHANNEL_APPLICATION) {
		out->kind = AGENT_OTHER;
		return ERR_OK;
	}
	memcpy(out->body, plain.body.p, sizeof(out->body));
	out->kind = plain.kind == ENR_CHANNEL_PING ? AGENT_PING : AGENT_PONG;
	return out->kind == AGENT_PING ? reply_to_ping(c, payload, s, ch, out) : ERR_OK;
}

enum err agent_hear(
	const struct crypto *c, struct span payload, struct state *s, struct agent_message *out)
{
	struct enr_channel ch = {0};
	struct enr_channel_frame frame;
	uint8_t text[ENR_CHANNEL_PLAIN_MAX];
	enum err err;

	memset(out, 0, sizeof(*out));
	if (s->stage == STATE_ENROLLED && is_repeat(s, payload)) {
		out->kind = AGENT_PING;
		out->reply = s->replied;
		return ERR_OK;
	}
	err = open_channel(c, s, &ch);
	if (!err)
		err = enr_channel_decode(payload, &frame);
	if (!err)
		err = enr_channel_open(c, &ch, &frame, text);
	if (!err)
		err = understand(c, payload, (struct span){text, frame.ciphertext.n}, s, &ch, out);
	if (!err)
		state_from_channel(s, &ch);
	enr_channel_wipe(&ch);
	bytes_wipe(text, sizeof(text));
	return err;
}
