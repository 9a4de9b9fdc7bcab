/*
 * Runs every case of enrollment-messages.json: each message of the reference is read, compared
 * field by field, and written again from the parsed fields to the very same bytes.
 */
#include "enr/meshmsg.h"

#include "support/vectors.h"
#include "unit/suite.h"

struct sample {
	const json_t *parsed;
	struct meshmsg msg;
	struct meshmsg_route route;
};

static uint32_t num(const struct sample *s, const char *key)
{
	return (uint32_t)vectors_uint(s->parsed, key);
}

/* A key as the encoder wants it: NULL for the filler that it writes for NULL. */
static const uint8_t *key(const struct sample *s, const char *name, uint8_t filler, uint8_t buf[16])
{
	vectors_hex_exact(s->parsed, name, buf, 16);
	return bytes_are_ct(buf, 16, filler) ? NULL : buf;
}

static void same_key(const uint8_t *got, const uint8_t *want)
{
	ck_assert((got != NULL) == (want != NULL));
	if (got)
		ck_assert_mem_eq(got, want, 16);
}

static void set_enrollment(const struct sample *s, struct wr *w)
{
	uint8_t keys[4][16];
	struct meshmsg_set_enrollment got,
		want = {
			.serial_index = num(s, "serialNumberIndex"),
			.node_id = (uint16_t)num(s, "newNodeId"),
			.network_id = (uint16_t)num(s, "newNetworkId"),
			.network_key = key(s, "newNetworkKey", 0x00, keys[0]),
			.user_base_key = key(s, "newUserBaseKey", 0x00, keys[1]),
			.organization_key = key(s, "newOrganizationKey", 0x00, keys[2]),
			.node_key = key(s, "nodeKey", 0xFF, keys[3]),
			.timeout_s = (uint8_t)num(s, "timeoutSec"),
			.only_if_unenrolled = num(s, "enrollOnlyIfUnenrolled") != 0,
		};

	ck_assert_int_eq(meshmsg_decode_set_enrollment(&s->msg, &got), ERR_OK);
	ck_assert_uint_eq(got.serial_index, want.serial_index);
	ck_assert_uint_eq(got.node_id, want.node_id);
	ck_assert_uint_eq(got.network_id, want.network_id);
	same_key(got.network_key, want.network_key);
	same_key(got.user_base_key, want.user_base_key);
	same_key(got.organization_key, want.organization_key);
	same_key(got.node_key, want.node_key);
	ck_assert_uint_eq(got.timeout_s, want.timeout_s);
	ck_assert(got.only_if_unenrolled == want.only_if_unenrolled);
	ck_assert_int_eq(meshmsg_encode_set_enrollment(w, s->route, &want), ERR_OK);
}

static void remove_enrollment(const struct sample *s, struct wr *w)
{
	uint32_t serial = 0;

	ck_assert_int_eq(meshmsg_decode_remove_enrollment(&s->msg, &serial), ERR_OK);
	ck_assert_uint_eq(serial, num(s, "serialNumberIndex"));
	ck_assert_int_eq(meshmsg_encode_remove_enrollment(w, s->route, serial), ERR_OK);
}

static void set_network(const struct sample *s, struct wr *w)
{
	uint16_t id = 0;

	ck_assert_int_eq(meshmsg_decode_set_network(&s->msg, &id), ERR_OK);
	ck_assert_uint_eq(id, num(s, "newNetworkId"));
	ck_assert_int_eq(meshmsg_encode_set_network(w, s->route, id), ERR_OK);
}

static void set_network_response(const struct sample *s, struct wr *w)
{
	uint8_t code = 0;

	ck_assert_int_eq(meshmsg_decode_set_network_response(&s->msg, &code), ERR_OK);
	ck_assert_uint_eq(code, num(s, "response"));
	ck_assert_int_eq(meshmsg_encode_set_network_response(w, s->route, code), ERR_OK);
}

static struct meshmsg_serials serials(const struct sample *s, const char *name, bool zero_is_unused)
{
	json_t *list = vectors_array(s->parsed, name), *item;
	struct meshmsg_serials out = {0};
	size_t i;

	json_array_foreach(list, i, item)
	{
		uint32_t index = (uint32_t)json_integer_value(item);

		if (out.count < MESHMSG_PROPOSALS_MAX && !(zero_is_unused && index == 0))
			out.index[out.count++] = index;
	}
	return out;
}

static void same_serials(const struct meshmsg_serials *got, const struct meshmsg_serials *want)
{
	ck_assert_uint_eq(got->count, want->count);
	ck_assert_mem_eq(got->index, want->index, want->count * sizeof(want->index[0]));
}

static void request_proposals(const struct sample *s, struct wr *w)
{
	struct meshmsg_serials got, want = serials(s, "serialNumberIndices", false);

	ck_assert_int_eq(meshmsg_decode_request_proposals(&s->msg, &got), ERR_OK);
	same_serials(&got, &want);
	ck_assert_int_eq(meshmsg_encode_request_proposals(w, s->route, &want), ERR_OK);
}

static void proposal(const struct sample *s, struct wr *w)
{
	struct meshmsg_serials got, want = serials(s, "serialNumberIndex", true);

	ck_assert_int_eq(meshmsg_decode_proposal(&s->msg, &got), ERR_OK);
	same_serials(&got, &want);
	ck_assert_int_eq(meshmsg_encode_proposal(w, s->route, &want), ERR_OK);
}

static void proposals_response(const struct sample *s, struct wr *w)
{
	uint32_t serial = 0;

	ck_assert_int_eq(meshmsg_decode_proposals_response(&s->msg, &serial), ERR_OK);
	ck_assert_uint_eq(serial, num(s, "serialNumberIndex"));
	ck_assert_int_eq(meshmsg_encode_proposals_response(w, s->route, serial), ERR_OK);
}

static void enroll_response(const struct sample *s, struct wr *w)
{
	struct meshmsg_enroll_response got;

	ck_assert_int_eq(meshmsg_decode_enroll_response(&s->msg, &got), ERR_OK);
	ck_assert(got.is_removal == (num(s, "actionType") == 1));
	ck_assert_uint_eq(got.serial_index, num(s, "serialNumberIndex"));
	ck_assert_uint_eq(got.code, num(s, "result"));
	ck_assert_int_eq(meshmsg_encode_enroll_response(w, s->route, &got), ERR_OK);
}

static const struct row {
	const char *name;
	enum meshmsg_kind kind;
	void (*check)(const struct sample *s, struct wr *w);
} rows[] = {
	{"SET_ENROLLMENT_BY_SERIAL", MESHMSG_SET_ENROLLMENT, set_enrollment},
	{"REMOVE_ENROLLMENT", MESHMSG_REMOVE_ENROLLMENT, remove_enrollment},
	{"SET_NETWORK", MESHMSG_SET_NETWORK, set_network},
	{"REQUEST_PROPOSALS", MESHMSG_REQUEST_PROPOSALS, request_proposals},
	{"ENROLLMENT_RESPONSE", MESHMSG_ENROLLMENT_RESPONSE, enroll_response},
	{"REMOVE_ENROLLMENT_RESPONSE", MESHMSG_REMOVE_ENROLLMENT_RESPONSE, enroll_response},
	{"ENROLLMENT_PROPOSAL", MESHMSG_ENROLLMENT_PROPOSAL, proposal},
	{"SET_NETWORK_RESPONSE", MESHMSG_SET_NETWORK_RESPONSE, set_network_response},
	{"REQUEST_PROPOSALS_RESPONSE", MESHMSG_PROPOSALS_RESPONSE, proposals_response},
};

static const struct row *find(const char *name)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	}
	return NULL;
}

static void check_message(const json_t *message, const char *hex_key)
{
	uint8_t raw[MESHMSG_BYTES_MAX], out[MESHMSG_BYTES_MAX];
	size_t n = vectors_hex(message, hex_key, raw, sizeof(raw));
	struct sample s = {.parsed = vectors_object(message, "parsed")};
	const struct row *row = find(vectors_text(s.parsed, "name"));
	struct wr w = wr_init(out, sizeof(out));

	ck_assert_int_eq(meshmsg_decode(raw, n, &s.msg), ERR_OK);
	ck_assert_uint_eq(s.msg.type, num(&s, "messageType"));
	ck_assert_uint_eq(s.msg.sender, num(&s, "sender"));
	ck_assert_uint_eq(s.msg.receiver, num(&s, "receiver"));
	ck_assert_uint_eq(s.msg.module, MESHMSG_MODULE(num(&s, "moduleId")));
	ck_assert_uint_eq(s.msg.request_handle, num(&s, "requestHandle"));
	ck_assert_uint_eq(s.msg.action, num(&s, "actionType"));
	ck_assert_msg(row != NULL, "%s is no message of ours", vectors_text(s.parsed, "name"));
	ck_assert_int_eq(s.msg.kind, row->kind);
	s.route = (struct meshmsg_route){s.msg.sender, s.msg.receiver, s.msg.request_handle};
	row->check(&s, &w);
	ck_assert_uint_eq(w.len_bytes, n);
	ck_assert_mem_eq(out, raw, n);
}

static size_t check_list(const json_t *c, const char *list)
{
	json_t *message;
	size_t i = 0;

	if (!vectors_has(c, list))
		return 0;
	json_array_foreach(vectors_array(c, list), i, message)
		check_message(message, vectors_has(message, "hex") ? "hex" : "message");
	return i;
}

START_TEST(reads_and_writes_every_message)
{
	json_t *root = vectors_load("enrollment-messages.json"), *c;
	size_t i, count = 0;

	json_array_foreach(vectors_array(root, "cases"), i, c)
	{
		count += check_list(c, "meshMessages");
		count += check_list(c, "meshAccessMessages");
	}
	vectors_ran("cases", i);
	vectors_ran("messages in them", count);
	json_decref(root);
}
END_TEST

/*
 * A key is taken when it is in the message in full, and not all zero; what the node had then is
 * what we saw.
 */
static void check_key(
	const json_t *c, const char *name, const struct meshmsg *msg, const uint8_t *got, size_t at)
{
	bool is_there = vectors_uint(c, "payloadLen") >= at + 16;
	uint8_t stored[16];

	vectors_hex_exact(c, name, stored, sizeof(stored));
	ck_assert((got != NULL) == (is_there && !bytes_are_ct(msg->payload.p + at, 16, 0)));
	if (got)
		ck_assert_mem_eq(got, stored, sizeof(stored));
}

START_TEST(reads_every_truncated_request)
{
	json_t *root = vectors_load("enrollment-messages.json"), *c;
	size_t i;

	json_array_foreach(vectors_array(root, "truncatedSetEnrollment"), i, c)
	{
		uint8_t raw[MESHMSG_BYTES_MAX];
		size_t n = vectors_hex(c, "messageHex", raw, sizeof(raw));
		struct meshmsg_set_enrollment got;
		struct meshmsg msg;
		enum err e;

		ck_assert_int_eq(meshmsg_decode(raw, n, &msg), ERR_OK);
		e = meshmsg_decode_set_enrollment(&msg, &got);
		ck_assert_int_eq(e, vectors_bool(c, "enrolled") ? ERR_OK : ERR_SHORT);
		if (e)
			continue;
		ck_assert_uint_eq(got.node_id, vectors_uint(c, "nodeId"));
		ck_assert_uint_eq(got.network_id, vectors_uint(c, "networkId"));
		check_key(c, "networkKey", &msg, got.network_key, 8);
		check_key(c, "userBaseKey", &msg, got.user_base_key, 24);
		check_key(c, "organizationKey", &msg, got.organization_key, 40);
		if (vectors_uint(c, "payloadLen") < 73) {
			ck_assert_uint_eq(got.timeout_s, 0);
			ck_assert(!got.only_if_unenrolled);
		}
	}
	vectors_ran("truncatedSetEnrollment", i);
	json_decref(root);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, reads_and_writes_every_message);
	tcase_add_test(tc, reads_every_truncated_request);
}

int main(void)
{
	return suite_main("vec_messages", fill);
}
