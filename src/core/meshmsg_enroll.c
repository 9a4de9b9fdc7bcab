/* Payloads of the EnrollmentModule (mesh-protocol §4) and the words for its results. */
#include "core/meshmsg_room.h"

#define KEY_BYTES 16
#define SET_ENROLLMENT_PAYLOAD 73
#define PROPOSAL_SLOTS 3
#define TIMEOUT_MASK 0x7F
#define ONLY_IF_UNENROLLED 0x80

/* NULL is written as 16 times filler. */
static void key_write(struct wr *w, const uint8_t *key, uint8_t filler)
{
	uint8_t *p = wr_room(w, KEY_BYTES);

	if (!p)
		return;
	if (key)
		memcpy(p, key, KEY_BYTES);
	else
		memset(p, filler, KEY_BYTES);
}

enum err meshmsg_encode_set_enrollment(
	struct wr *w, struct meshmsg_route route, const struct meshmsg_set_enrollment *m)
{
	if (m->timeout_s > TIMEOUT_MASK)
		return ERR_RANGE;
	meshmsg_begin_kind(w, route, MESHMSG_SET_ENROLLMENT);
	wr_u32(w, m->serial_index);
	wr_u16(w, m->node_id);
	wr_u16(w, m->network_id);
	key_write(w, m->network_key, 0x00);
	key_write(w, m->user_base_key, 0x00);
	key_write(w, m->organization_key, 0x00);
	key_write(w, m->node_key, 0xFF);
	wr_u8(w, (uint8_t)(m->timeout_s | (m->only_if_unenrolled ? ONLY_IF_UNENROLLED : 0)));
	return wr_end(w);
}

/* A key that is there in full and is not 16 times filler; a part of one is skipped. */
static const uint8_t *key_read(struct rd *r, uint8_t filler)
{
	const uint8_t *p;

	if (r->left_bytes < KEY_BYTES) {
		(void)rd_rest(r);
		return NULL;
	}
	p = rd_view(r, KEY_BYTES);
	return bytes_are_ct(p, KEY_BYTES, filler) ? NULL : p;
}

enum err meshmsg_decode_set_enrollment(
	const struct meshmsg *msg, struct meshmsg_set_enrollment *out)
{
	struct rd r;
	uint8_t last;
	enum err e = meshmsg_open(msg, MESHMSG_SET_ENROLLMENT, &r);

	*out = (struct meshmsg_set_enrollment){0};
	if (e)
		return e;
	if (r.left_bytes > SET_ENROLLMENT_PAYLOAD)
		r.left_bytes = SET_ENROLLMENT_PAYLOAD;
	out->serial_index = rd_u32(&r);
	out->node_id = rd_u16(&r);
	out->network_id = rd_u16(&r);
	out->network_key = key_read(&r, 0x00);
	out->user_base_key = key_read(&r, 0x00);
	out->organization_key = key_read(&r, 0x00);
	out->node_key = key_read(&r, 0xFF);
	last = r.left_bytes > 0 ? rd_u8(&r) : 0;
	out->timeout_s = last & TIMEOUT_MASK;
	out->only_if_unenrolled = last & ONLY_IF_UNENROLLED;
	return rd_end(&r);
}

/* The three messages that are one serial, and nothing else. */
static enum err encode_serial(
	struct wr *w, struct meshmsg_route route, enum meshmsg_kind kind, uint32_t serial_index)
{
	meshmsg_begin_kind(w, route, kind);
	wr_u32(w, serial_index);
	return wr_end(w);
}

static enum err decode_serial(
	const struct meshmsg *msg, enum meshmsg_kind kind, uint32_t *serial_index)
{
	struct rd r;
	enum err e = meshmsg_open(msg, kind, &r);

	if (e)
		return e;
	*serial_index = rd_u32(&r);
	return rd_end(&r);
}

enum err meshmsg_encode_remove_enrollment(
	struct wr *w, struct meshmsg_route route, uint32_t serial_index)
{
	return encode_serial(w, route, MESHMSG_REMOVE_ENROLLMENT, serial_index);
}

enum err meshmsg_decode_remove_enrollment(const struct meshmsg *msg, uint32_t *serial_index)
{
	return decode_serial(msg, MESHMSG_REMOVE_ENROLLMENT, serial_index);
}

enum err meshmsg_encode_proposals_response(
	struct wr *w, struct meshmsg_route route, uint32_t serial_index)
{
	return encode_serial(w, route, MESHMSG_PROPOSALS_RESPONSE, serial_index);
}

enum err meshmsg_decode_proposals_response(const struct meshmsg *msg, uint32_t *serial_index)
{
	return decode_serial(msg, MESHMSG_PROPOSALS_RESPONSE, serial_index);
}

enum err meshmsg_encode_enroll_response(
	struct wr *w, struct meshmsg_route route, const struct meshmsg_enroll_response *m)
{
	meshmsg_begin_kind(w, route,
		m->is_removal ? MESHMSG_REMOVE_ENROLLMENT_RESPONSE : MESHMSG_ENROLLMENT_RESPONSE);
	wr_u32(w, m->serial_index);
	wr_u8(w, m->code);
	return wr_end(w);
}

enum err meshmsg_decode_enroll_response(
	const struct meshmsg *msg, struct meshmsg_enroll_response *out)
{
	struct rd r = rd_init(msg->payload.p, msg->payload.n);

	*out = (struct meshmsg_enroll_response){0};
	if (msg->kind != MESHMSG_ENROLLMENT_RESPONSE &&
		msg->kind != MESHMSG_REMOVE_ENROLLMENT_RESPONSE)
		return ERR_UNKNOWN;
	out->is_removal = msg->kind == MESHMSG_REMOVE_ENROLLMENT_RESPONSE;
	out->serial_index = rd_u32(&r);
	out->code = rd_u8(&r);
	return rd_end(&r);
}

enum err meshmsg_encode_proposal(
	struct wr *w, struct meshmsg_route route, const struct meshmsg_serials *m)
{
	if (m->count > PROPOSAL_SLOTS)
		return ERR_RANGE;
	meshmsg_begin_kind(w, route, MESHMSG_ENROLLMENT_PROPOSAL);
	for (size_t i = 0; i < PROPOSAL_SLOTS; i++)
		wr_u32(w, i < m->count ? m->index[i] : 0);
	return wr_end(w);
}

enum err meshmsg_decode_proposal(const struct meshmsg *msg, struct meshmsg_serials *out)
{
	struct rd r;
	enum err e = meshmsg_open(msg, MESHMSG_ENROLLMENT_PROPOSAL, &r);

	*out = (struct meshmsg_serials){0};
	if (e)
		return e;
	for (size_t i = 0; i < PROPOSAL_SLOTS; i++) {
		uint32_t index = rd_u32(&r);

		if (index != 0)
			out->index[out->count++] = index;
	}
	return rd_end(&r);
}

enum err meshmsg_encode_request_proposals(
	struct wr *w, struct meshmsg_route route, const struct meshmsg_serials *m)
{
	if (m->count < 1 || m->count > MESHMSG_PROPOSALS_MAX)
		return ERR_RANGE;
	meshmsg_begin_kind(w, route, MESHMSG_REQUEST_PROPOSALS);
	for (size_t i = 0; i < m->count; i++)
		wr_u32(w, m->index[i]);
	return wr_end(w);
}

enum err meshmsg_decode_request_proposals(const struct meshmsg *msg, struct meshmsg_serials *out)
{
	struct rd r;
	enum err e = meshmsg_open(msg, MESHMSG_REQUEST_PROPOSALS, &r);

	*out = (struct meshmsg_serials){0};
	if (e)
		return e;
	if (r.left_bytes == 0)
		return ERR_SHORT;
	if (r.left_bytes % 4 != 0)
		return ERR_INVALID;
	while (r.left_bytes > 0 && out->count < MESHMSG_PROPOSALS_MAX)
		out->index[out->count++] = rd_u32(&r);
	(void)rd_rest(&r);
	return rd_end(&r);
}

enum err meshmsg_encode_set_network(struct wr *w, struct meshmsg_route route, uint16_t network_id)
{
	meshmsg_begin_kind(w, route, MESHMSG_SET_NETWORK);
	wr_u16(w, network_id);
	return wr_end(w);
}

enum err meshmsg_decode_set_network(const struct meshmsg *msg, uint16_t *network_id)
{
	struct rd r;
	enum err e = meshmsg_open(msg, MESHMSG_SET_NETWORK, &r);

	if (e)
		return e;
	*network_id = rd_u16(&r);
	return rd_end(&r);
}

enum err meshmsg_encode_set_network_response(struct wr *w, struct meshmsg_route route, uint8_t code)
{
	meshmsg_begin_kind(w, route, MESHMSG_SET_NETWORK_RESPONSE);
	wr_u8(w, code);
	return wr_end(w);
}

enum err meshmsg_decode_set_network_response(const struct meshmsg *msg, uint8_t *code)
{
	struct rd r;
	enum err e = meshmsg_open(msg, MESHMSG_SET_NETWORK_RESPONSE, &r);

	if (e)
		return e;
	*code = rd_u8(&r);
	return rd_end(&r);
}

static const struct result_row {
	enum meshmsg_result code;
	const char *text;
	const char *advice;
} results[] = {
	{MESHMSG_RESULT_OK, "saved", "nothing; the node restarts within 5 seconds if it was new"},
	{MESHMSG_RESULT_BUSY, "the node's flash was busy",
		"restart the node, then try again; without a restart it can't succeed"},
	{MESHMSG_RESULT_WRONG_ALIGNMENT, "the node's storage refused the record",
		"restart the node and try again; if it repeats, replace the node"},
	{MESHMSG_RESULT_NO_SPACE, "the node's storage is full",
		"reset the node to factory settings, then try again"},
	{MESHMSG_RESULT_LOCK_DOWN, "the node's storage is locked",
		"wait for its restart or restart it, then try again"},
	{MESHMSG_RESULT_INTERNAL_ERROR, "internal error of the node",
		"restart the node, then try again"},
	{MESHMSG_RESULT_PERSISTENCE_DISABLED, "the node can't store settings",
		"nothing; it forgets the enrollment when it loses power"},
	{MESHMSG_RESULT_ALREADY_ENROLLED, "already enrolled with other data",
		"remove its enrollment first, or allow this node to be taken over"},
	{MESHMSG_RESULT_PREENROLLMENT_FAILED,
		"a part of the device did not get ready in 15 seconds",
		"try again; if it repeats, restart the node"},
	{MESHMSG_RESULT_SIG_INVALID, "its Bluetooth SIG mesh settings are invalid",
		"correct the node's SIG mesh configuration"},
	{MESHMSG_RESULT_INCORRECT_NODE_ID, "node id not allowed for this device type",
		"use 1 to 1999, and 33000 to 57999 for assets"},
};

static const struct result_row *result_find(uint8_t code)
{
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		if ((uint8_t)results[i].code == code)
			return &results[i];
	}
	return NULL;
}

const char *meshmsg_result_text(uint8_t code)
{
	const struct result_row *row = result_find(code);

	return row ? row->text : "unknown result";
}

const char *meshmsg_result_advice(uint8_t code)
{
	const struct result_row *row = result_find(code);

	return row ? row->advice : "look the code up in the node's firmware notes";
}
