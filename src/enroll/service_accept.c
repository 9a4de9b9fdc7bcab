/* The enrollee's message, in the order of OP-0006 §6: cheap refusals first, all refusals before any
 * change, and one conditional UPDATE that lets exactly one message through. */
#include "enroll/service_internal.h"
#include "store/channels.h"
#include "store/devices.h"

struct attempt {
	struct service *s;
	const struct clock_now *now;
	uint64_t now_s;
	struct span body; /* the 176 bytes */
	uint8_t hash[32]; /* of them */
	struct x3dh_message message;
	struct bundle_pending pending; /* wiped at the end */
	struct x3dh_session session;   /* wiped at the end */
	struct public32 device_id;
};

/* --- refusals --- */

/* May one more refusal go to the audit log? A few at once, then one a second: whoever saw an id on
 * the way could fill the disk otherwise. */
static bool grant_refusal(struct service *s)
{
	uint64_t ms = s->time.service_ms;
	uint64_t earned = (ms - s->refusals_ms) / SERVICE_REFUSAL_EVERY_MS;

	if (earned > 0) {
		uint64_t left = s->refusals_left + earned;

		s->refusals_left =
			left > SERVICE_REFUSALS_MAX ? SERVICE_REFUSALS_MAX : (unsigned)left;
		s->refusals_ms = ms;
	}
	if (s->refusals_left == 0) {
		s->refusals_unrecorded++;
		return false;
	}
	s->refusals_left--;
	return true;
}

/* known: an enrollee is pending under the id; else a device is known by EK_B, the id is a claim. */
static enum err log_refusal(struct attempt *a, const char *cause, bool known)
{
	struct service *s = a->s;
	struct audit line;

	if (!grant_refusal(s))
		return ERR_OK;
	audit_start(&line, service_event_text(SERVICE_ENROLLEE_REJECTED), NULL);
	audit_text(&line, "cause", cause);
	if (known) {
		audit_hex(&line, "enrollee", a->message.id.b, sizeof(a->message.id.b));
		audit_hex(&line, "bundle", a->pending.id, sizeof(a->pending.id));
	} else {
		audit_hex(&line, "device", a->device_id.b, sizeof(a->device_id.b));
	}
	if (s->refusals_unrecorded > 0)
		audit_u64(&line, "unrecorded", s->refusals_unrecorded);
	s->refusals_unrecorded = 0;
	return audit_write(&line, s->store, a->now->wall_s);
}

static void event_of_attempt(const struct attempt *a, struct service_event *event)
{
	event->at = a->now->wall_s;
	event->enroller = a->pending.enroller;
	event->has_bundle = event->has_enrollee = true;
	memcpy(event->bundle_id, a->pending.id, sizeof(event->bundle_id));
	event->enrollee_id = a->message.id;
	memcpy(event->pet_name, a->pending.pet_name, sizeof(event->pet_name));
}

/* A known id whose message is wrong: the 2-byte frame, the cause in the log. */
static enum err reject(struct attempt *a, const char *cause, struct service_reply *out)
{
	struct service_event event = {.kind = SERVICE_ENROLLEE_REJECTED, .cause = cause};
	enum err e = log_refusal(a, cause, true);

	if (e != ERR_OK)
		return e;
	event_of_attempt(a, &event);
	out->outcome = SERVICE_REJECT;
	out->bytes_count = ENROLLMSG_REJECTION_BYTES;
	enrollmsg_rejection_encode(out->bytes);
	return service_push(a->s, &event);
}

/* --- step 3: seen before? --- */

static enum err answer_seen(struct attempt *a, const struct device_seen *seen,
	service_permit_fn *permit, void *arg, struct service_reply *out)
{
	if (!bytes_equal_ct(seen->message_hash, a->hash, sizeof(a->hash)) ||
		seen->answer_bytes == 0) {
		a->device_id = seen->id;
		if (permit && !permit(arg, seen->id.b, sizeof(seen->id.b)))
			return ERR_OK;
		return log_refusal(a, x3dh_cause_text(X3DH_EK_SEEN), false);
	}
	out->outcome = SERVICE_ANSWER;
	out->repeat = true;
	out->bytes_count = seen->answer_bytes;
	memcpy(out->bytes, seen->answer, seen->answer_bytes);
	return ERR_OK;
}

/* --- steps 6 to 10: open it --- */

static enum err open_message(struct attempt *a, enum x3dh_cause *cause)
{
	struct service *s = a->s;
	const struct signed_prekey *spk;
	char addr[SERVICE_ADDR_MAX];
	enum err e = service_spk_find(s, a->pending.spk_id, &spk);

	if (e == ERR_OK)
		e = service_addr_find(s, a->pending.addr_row, addr);
	if (e != ERR_OK)
		return e == ERR_NOT_FOUND ? ERR_IO : e;
	*cause = x3dh_open(s->crypto,
		&(struct x3dh_context){x3dh_info(), {(const uint8_t *)addr, strlen(addr)}},
		&(struct x3dh_service){.ik = &s->identity.priv,
			.spk = &spk->key.priv,
			.opk = &a->pending.opk_private,
			.eik = &a->pending.eik},
		&a->message, &a->session);
	return *cause == X3DH_FAILED ? ERR_CRYPTO : ERR_OK;
}

/* --- step 11: one transaction --- */

static enum err store_channel(struct attempt *a, int64_t device_row)
{
	struct channel_row channel = {.row = device_row};
	enum err e = enr_channel_init(a->s->crypto, ENR_SERVICE, &a->session, &channel.ch);

	if (e == ERR_OK)
		e = channels_insert(a->s->store, &channel);
	enr_channel_wipe(&channel.ch);
	return e;
}

static enum err store_device(struct attempt *a, const struct service_reply *answer)
{
	const struct bundle_pending *p = &a->pending;
	struct device_new device = {
		.id = a->device_id,
		.ik = a->session.ik_b,
		.ek = a->message.ek,
		.bundle_row = p->row,
		.answer = {answer->bytes, answer->bytes_count},
		.enrolled_at = a->now->wall_s,
	};
	int64_t row;
	enum err e = bundles_use(a->s->store, p->row, a->now_s, a->now->wall_s);

	memcpy(device.message_hash, a->hash, sizeof(device.message_hash));
	if (e == ERR_OK)
		e = devices_insert(a->s->store, &device, &row);
	return e == ERR_OK ? store_channel(a, row) : e;
}

static enum err note_accepted(struct attempt *a)
{
	struct service_event event = {.kind = SERVICE_ENROLLEE_ACCEPTED, .has_device = true};
	struct audit line;
	enum err e;

	audit_start(&line, service_event_text(event.kind), NULL);
	audit_hex(&line, "bundle", a->pending.id, sizeof(a->pending.id));
	audit_hex(&line, "device", a->device_id.b, sizeof(a->device_id.b));
	audit_hex(&line, "enrollee", a->message.id.b, sizeof(a->message.id.b));
	if (a->pending.pet_name[0] != '\0')
		audit_text(&line, "name", a->pending.pet_name);
	e = audit_write(&line, a->s->store, a->now->wall_s);
	if (e != ERR_OK)
		return e;
	event_of_attempt(a, &event);
	event.device_id = a->device_id;
	return service_push(a->s, &event);
}

static enum err seal_answer(struct attempt *a, struct service_reply *out)
{
	struct enrollmsg_answer answer = {
		.enrolled_at = a->now->wall_s, .welcome_bytes = a->s->config.welcome.n};
	enum err e;

	memcpy(answer.welcome, a->s->welcome, answer.welcome_bytes);
	e = enrollmsg_answer_seal(
		a->s->crypto, &a->session, &answer, out->bytes, &out->bytes_count);
	bytes_wipe(&answer, sizeof(answer));
	return e;
}

static enum err accept_message(struct attempt *a, struct service_reply *out)
{
	enum err e = seal_answer(a, out);

	if (e == ERR_OK)
		e = store_device(a, out);
	if (e == ERR_OK)
		e = note_accepted(a);
	if (e == ERR_OK)
		out->outcome = SERVICE_ANSWER;
	return e;
}

/* One identity, one device: a live device must be revoked before its key enrolls again. */
static enum err is_enrolled(struct attempt *a, bool *enrolled)
{
	int64_t row;
	enum err e = enrollmsg_id(a->s->crypto, &a->session.ik_b, &a->device_id);

	if (e == ERR_OK)
		e = devices_live(a->s->store, a->device_id.b, &row);
	*enrolled = e == ERR_OK;
	return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err decide(struct attempt *a, enum x3dh_cause cause, struct service_reply *out)
{
	bool enrolled;
	enum err e = cause == X3DH_ACCEPT ? open_message(a, &cause) : ERR_OK;

	if (e != ERR_OK)
		return e;
	if (cause != X3DH_ACCEPT)
		return reject(a, x3dh_cause_text(cause), out);
	e = is_enrolled(a, &enrolled);
	if (e != ERR_OK)
		return e;
	if (enrolled)
		return reject(a, "IK_ENROLLED", out);
	return accept_message(a, out);
}

/* --- the order --- */

static enum err hash_body(struct attempt *a)
{
	return a->s->crypto->sha256(a->s->crypto->ctx, &a->body, 1, a->hash);
}

/* Steps 3 to 5. cause: what steps 1 and 2 said. */
static enum err look_up(struct attempt *a, enum x3dh_cause cause, service_permit_fn *permit,
	void *arg, struct service_reply *out)
{
	struct device_seen seen;
	enum err e = ERR_NOT_FOUND;

	if (cause == X3DH_ACCEPT)
		e = devices_seen(a->s->store, &a->message.ek, &seen);
	if (e == ERR_OK) {
		e = hash_body(a);
		return e == ERR_OK ? answer_seen(a, &seen, permit, arg, out) : e;
	}
	if (e == ERR_NOT_FOUND)
		e = bundles_pending(a->s->store, &a->message.id, a->now_s, &a->pending);
	if (e != ERR_OK)
		return e == ERR_NOT_FOUND ? ERR_OK : e;
	if (permit && !permit(arg, a->message.id.b, sizeof(a->message.id.b)))
		return ERR_OK;
	e = hash_body(a);
	return e == ERR_OK ? decide(a, cause, out) : e;
}

enum err service_accept(struct service *s, const struct clock_now *now, struct span request,
	service_permit_fn *permit, void *arg, struct service_reply *out)
{
	struct attempt a = {.s = s, .now = now};
	enum x3dh_cause cause;
	enum err e;

	*out = (struct service_reply){.outcome = SERVICE_SILENCE};
	if (!store_in_transaction(s->store))
		return ERR_STATE;
	a.now_s = service_now(s, now);
	if (enrollmsg_request_decode(request, &a.body) != ERR_OK)
		return ERR_OK;
	cause = x3dh_parse(a.body, &a.message);
	if (cause == X3DH_MALFORMED)
		return ERR_OK;
	memcpy(a.message.id.b, a.body.p + sizeof(a.message.ek.b), sizeof(a.message.id.b));
	e = look_up(&a, cause, permit, arg, out);
	secret32_wipe(&a.pending.opk_private);
	x3dh_session_wipe(&a.session);
	if (e != ERR_OK)
		bytes_wipe(out, sizeof(*out));
	return e;
}
