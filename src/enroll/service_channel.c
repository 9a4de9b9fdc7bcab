/* The channel of an enrolled device (OP-0006 §9): ping and pong in both directions. The state is
 * stored in the transaction that the answer waits for. */
#include "enroll/service_internal.h"
#include "store/channels.h"
#include "store/devices.h"

struct exchange {
	struct service *s;
	const struct clock_now *now;
	struct channel_row row; /* wiped at the end */
	uint16_t epoch_before;
	struct enr_channel_frame frame;
	uint8_t hash[32]; /* of the frame */
};

static enum err push(struct exchange *x, enum service_event_kind kind, struct span body)
{
	struct service_event event = {
		.kind = kind,
		.at = x->now->wall_s,
		.has_device = true,
		.device_id = x->row.device_id,
	};

	memcpy(event.body, body.p, sizeof(event.body));
	return service_push(x->s, &event);
}

static enum err seal_pong(struct exchange *x, struct span body, struct service_reply *out)
{
	uint8_t plain[ENR_CHANNEL_PING_BYTES];
	enum err e;

	enr_channel_ping_encode(ENR_CHANNEL_PONG, body.p, plain);
	e = enr_channel_seal(x->s->crypto, &x->row.ch, (struct span){plain, sizeof(plain)},
		out->bytes, sizeof(out->bytes), &out->bytes_count);
	if (e == ERR_OK)
		out->outcome = SERVICE_ANSWER;
	return e;
}

/* What a message that is authentic and new asks for. What we do not know is not answered. */
static enum err handle_plain(struct exchange *x, struct span plain, struct service_reply *out)
{
	struct enr_channel_plain p;
	enum err e;

	if (enr_channel_plain_decode(plain, &p) != ERR_OK)
		return ERR_OK;
	switch (p.kind) {
	case ENR_CHANNEL_PING:
		e = seal_pong(x, p.body, out);
		return e == ERR_OK ? push(x, SERVICE_DEVICE_PING, p.body) : e;
	case ENR_CHANNEL_PONG:
		out->pong = true;
		return push(x, SERVICE_DEVICE_PONG, p.body);
	case ENR_CHANNEL_APPLICATION:
		break;
	}
	return ERR_OK;
}

/* The newest frame's answer can be asked for again; those of older ones cannot. */
static void remember(struct exchange *x, const struct service_reply *out)
{
	struct channel_row *row = &x->row;

	row->seen_at = x->now->wall_s;
	if (x->frame.counter != row->ch.newest)
		return;
	row->has_frame = true;
	memcpy(row->frame_hash, x->hash, sizeof(row->frame_hash));
	row->answer_bytes = 0;
	if (out->outcome == SERVICE_ANSWER && out->bytes_count <= sizeof(row->answer)) {
		row->answer_bytes = out->bytes_count;
		memcpy(row->answer, out->bytes, out->bytes_count);
	}
}

static void repeat(const struct exchange *x, struct service_reply *out)
{
	const struct channel_row *row = &x->row;

	if (x->frame.epoch != row->ch.epoch || x->frame.counter != row->ch.newest ||
		!row->has_frame || !bytes_equal_ct(row->frame_hash, x->hash, sizeof(x->hash)))
		return;
	out->authentic = true;
	if (row->answer_bytes == 0)
		return;
	out->outcome = SERVICE_ANSWER;
	out->repeat = true;
	out->bytes_count = row->answer_bytes;
	memcpy(out->bytes, row->answer, row->answer_bytes);
}

static enum err open_frame(struct exchange *x, struct service_reply *out)
{
	uint8_t plain[ENR_CHANNEL_PLAIN_MAX];
	struct service *s = x->s;
	enum err e = enr_channel_open(s->crypto, &x->row.ch, &x->frame, plain);

	if (e == ERR_CONFLICT)
		repeat(x, out);
	if (e == ERR_CRYPTO || e == ERR_NOMEM)
		return e;
	if (e != ERR_OK)
		return ERR_OK;
	out->authentic = true;
	e = handle_plain(x, (struct span){plain, x->frame.ciphertext.n}, out);
	bytes_wipe(plain, sizeof(plain));
	if (e != ERR_OK)
		return e;
	remember(x, out);
	return channels_save(s->store, &x->row, x->row.ch.epoch != x->epoch_before);
}

static enum err find_channel(struct exchange *x, struct span request)
{
	enum err e = x->s->crypto->sha256(x->s->crypto->ctx, &request, 1, x->hash);

	if (e == ERR_OK)
		e = channels_find(x->s->store, x->frame.device, &x->row);
	x->epoch_before = x->row.ch.epoch;
	return e;
}

enum err service_channel(struct service *s, const struct clock_now *now, struct span request,
	service_permit_fn *permit, void *arg, struct service_reply *out)
{
	struct exchange x = {.s = s, .now = now};
	enum err e;

	*out = (struct service_reply){.outcome = SERVICE_SILENCE};
	if (!store_in_transaction(s->store))
		return ERR_STATE;
	(void)service_now(s, now);
	if (enr_channel_decode(request, &x.frame) != ERR_OK)
		return ERR_OK;
	e = find_channel(&x, request);
	if (e != ERR_OK)
		return e == ERR_NOT_FOUND ? ERR_OK : e;
	if (!permit || permit(arg, x.row.device_id.b, sizeof(x.row.device_id.b)))
		e = open_frame(&x, out);
	enr_channel_wipe(&x.row.ch);
	if (e != ERR_OK)
		bytes_wipe(out, sizeof(*out));
	return e;
}

static enum err seal_ping(struct service *s, const struct public32 *device_id,
	const uint8_t body[8], struct service_reply *out)
{
	uint8_t plain[ENR_CHANNEL_PING_BYTES];
	struct channel_row row;
	enum err e = channels_find(s->store, device_id->b, &row);

	if (e != ERR_OK)
		return e;
	enr_channel_ping_encode(ENR_CHANNEL_PING, body, plain);
	e = enr_channel_seal(s->crypto, &row.ch, (struct span){plain, sizeof(plain)}, out->bytes,
		sizeof(out->bytes), &out->bytes_count);
	if (e == ERR_OK)
		e = channels_save(s->store, &row, false);
	enr_channel_wipe(&row.ch);
	return e;
}

enum err service_channel_ping(struct service *s, const struct clock_now *now, const char *device_id,
	const uint8_t body[8], struct service_reply *out, struct reason *why)
{
	struct service_device device;
	enum err e = service_device_show(s, device_id, &device, why);

	*out = (struct service_reply){.outcome = SERVICE_SILENCE};
	if (e != ERR_OK)
		return e;
	if (device.revoked_at > 0) {
		reason_set(why, "device", "it is revoked");
		return ERR_STATE;
	}
	if (!store_in_transaction(s->store))
		return ERR_STATE;
	(void)service_now(s, now);
	e = seal_ping(s, &device.id, body, out);
	if (e == ERR_OK)
		out->outcome = SERVICE_ANSWER;
	return service_storage(e, why);
}
