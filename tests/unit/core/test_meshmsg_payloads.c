/*
 * The payload of every kind but SET_ENROLLMENT: the bytes of the specification, all truncated
 * prefixes, all trailing bytes, and back to the same bytes. One row a kind.
 */
#include "enr/meshmsg.h"

#include "support/vectors.h"
#include "unit/suite.h"

/* Reads a message of its kind and writes it again. */
typedef enum err (*again_fn)(const struct meshmsg *m, struct meshmsg_route route, struct wr *w);

#define AGAIN_VALUE(name, type)                                                    \
	static enum err again_##name(                                              \
		const struct meshmsg *m, struct meshmsg_route route, struct wr *w) \
	{                                                                          \
		type v;                                                            \
		enum err e = meshmsg_decode_##name(m, &v);                         \
                                                                                   \
		return e ? e : meshmsg_encode_##name(w, route, v);                 \
	}

#define AGAIN_STRUCT(name, type)                                                   \
	static enum err again_##name(                                              \
		const struct meshmsg *m, struct meshmsg_route route, struct wr *w) \
	{                                                                          \
		struct type v;                                                     \
		enum err e = meshmsg_decode_##name(m, &v);                         \
                                                                                   \
		return e ? e : meshmsg_encode_##name(w, route, &v);                \
	}

AGAIN_VALUE(remove_enrollment, uint32_t)
AGAIN_VALUE(proposals_response, uint32_t)
AGAIN_VALUE(set_network, uint16_t)
AGAIN_VALUE(set_network_response, uint8_t)
AGAIN_VALUE(reset_node, uint8_t)
AGAIN_VALUE(set_discovery, bool)
AGAIN_VALUE(keep_alive, bool)
AGAIN_VALUE(live_reports, uint8_t)
AGAIN_VALUE(connections_verbose, uint32_t)
AGAIN_VALUE(ma_disconnect, const uint8_t *)
AGAIN_STRUCT(time, meshmsg_time)
AGAIN_STRUCT(connections, meshmsg_connections)
AGAIN_STRUCT(nearby, meshmsg_nearby)
AGAIN_STRUCT(live_report, meshmsg_live_report)
AGAIN_STRUCT(ma_connect, meshmsg_ma_connect)
AGAIN_STRUCT(ma_state, meshmsg_ma_state)
AGAIN_STRUCT(serial_connect, meshmsg_serial_connect)
AGAIN_STRUCT(serial_connected, meshmsg_serial_connected)
AGAIN_STRUCT(enroll_response, meshmsg_enroll_response)
AGAIN_STRUCT(proposal, meshmsg_serials)
AGAIN_STRUCT(request_proposals, meshmsg_serials)
AGAIN_STRUCT(status, meshmsg_status)
AGAIN_STRUCT(device_info, meshmsg_device_info)

static enum err again_enrolled_nodes(
	const struct meshmsg *m, struct meshmsg_route route, struct wr *w)
{
	uint16_t count;
	enum err e = meshmsg_decode_enrolled_nodes(m, &count);

	return e ? e : meshmsg_encode_enrolled_nodes(w, route, m->kind, count);
}

static enum err again_cluster_info(
	const struct meshmsg *m, struct meshmsg_route route, struct wr *w)
{
	struct meshmsg_cluster_info v;
	enum err e = meshmsg_decode_cluster_info(m, &v);

	return e ? e : meshmsg_encode_cluster_info(w, route.sender, &v);
}

static enum err again_timestamp(const struct meshmsg *m, struct meshmsg_route route, struct wr *w)
{
	struct meshmsg_timestamp v;
	enum err e = meshmsg_decode_timestamp(m, &v);

	return e ? e : meshmsg_encode_timestamp(w, route.sender, route.receiver, &v);
}

static enum err again_dead_data(const struct meshmsg *m, struct meshmsg_route route, struct wr *w)
{
	enum err e = meshmsg_decode_dead_data(m);

	return e ? e : meshmsg_encode_dead_data(w, route.sender, route.receiver);
}

static enum err again_module_list(const struct meshmsg *m, struct meshmsg_route route, struct wr *w)
{
	struct meshmsg_module_entry list[8];
	size_t n = 0;
	enum err e = meshmsg_decode_module_list(m, &n);

	for (size_t i = 0; !e && i < n; i++)
		e = meshmsg_module_list_entry(m, i, &list[i]);
	return e ? e : meshmsg_encode_module_list(w, route, list, n);
}

static enum err again_plain(const struct meshmsg *m, struct meshmsg_route route, struct wr *w)
{
	return m->payload.n > 0 ? ERR_TRAILING : meshmsg_encode_plain(w, route, m->kind);
}

static const struct row {
	enum meshmsg_kind kind;
	const char *hex;
	again_fn again;
	size_t step; /* lists: any multiple of it is a message */
} rows[] = {
	{MESHMSG_REMOVE_ENROLLMENT, "330200000005210169C92800", again_remove_enrollment, 0},
	{MESHMSG_SET_NETWORK, "33020003000500034D00", again_set_network, 0},
	{MESHMSG_REQUEST_PROPOSALS, "33020000000500040000000068C92800", again_request_proposals, 4},
	{MESHMSG_ENROLLMENT_RESPONSE, "344D0000000537000200000013", again_enroll_response, 0},
	{MESHMSG_REMOVE_ENROLLMENT_RESPONSE, "34030000000522010200000000", again_enroll_response,
		0},
	{MESHMSG_ENROLLMENT_PROPOSAL, "34030002000500026DC928000100000000000000", again_proposal,
		0},
	{MESHMSG_SET_NETWORK_RESPONSE, "340300020005000301", again_set_network_response, 0},
	{MESHMSG_PROPOSALS_RESPONSE, "340200020005000400000000", again_proposals_response, 0},
	{MESHMSG_RESET_NODE, "33007D05000000010A", again_reset_node, 0},
	{MESHMSG_PING, "33007D0500004203", again_plain, 0},
	{MESHMSG_PING_RESPONSE, "340500007D004203", again_plain, 0},
	{MESHMSG_SET_ENROLLED_NODES, "33007D0000000007D007", again_enrolled_nodes, 0},
	{MESHMSG_ENROLLED_NODES, "340500007D000006D007", again_enrolled_nodes, 0},
	{MESHMSG_SET_DISCOVERY, "33007D050000420001", again_set_discovery, 0},
	{MESHMSG_DISCOVERY_SET, "340500007D000000", again_plain, 0},
	{MESHMSG_GET_TIME, "33007D0500004208", again_plain, 0},
	{MESHMSG_TIME, "340500007D00000800F15365C4FF0101", again_time, 0},
	{MESHMSG_GET_CONNECTIONS, "33007D0500034203", again_plain, 0},
	{MESHMSG_CONNECTIONS, "34050000000342030700C00800B00A0081D007C8", again_connections, 0},
	{MESHMSG_GET_NEARBY, "33007D0500034204", again_plain, 0},
	{MESHMSG_NEARBY, "340500007D0342040700B0CF07A1", again_nearby, 3},
	{MESHMSG_SET_INITIALIZED, "33007D0500034205", again_plain, 0},
	{MESHMSG_INITIALIZED_SET, "340500007D034205", again_plain, 0},
	{MESHMSG_GET_REBOOT_REASON, "33007D0500034208", again_plain, 0},
	{MESHMSG_SET_KEEP_ALIVE, "33007D050003420901", again_keep_alive, 1},
	{MESHMSG_SET_LIVE_REPORTS, "33007D050003420B96", again_live_reports, 0},
	{MESHMSG_LIVE_REPORT,
		"3505000000030001"
		"6A0700000001000000",
		again_live_report, 0},
	{MESHMSG_GET_CONNECTIONS_VERBOSE, "33007D050003420CFFFFFFFF", again_connections_verbose, 0},
	{MESHMSG_MA_CONNECT,
		"33007D05000A4200"
		"01665544332211"
		"01000000"
		"000102030405060708090A0B0C0D0E0F"
		"02",
		again_ma_connect, 0},
	{MESHMSG_MA_DISCONNECT, "33007D05000A420101665544332211", again_ma_disconnect, 0},
	{MESHMSG_MA_STATE, "350500007D0A0000D70704", again_ma_state, 0},
	{MESHMSG_SERIAL_CONNECT,
		"33007D05000A4202"
		"02000000"
		"02000000"
		"000102030405060708090A0B0C0D0E0F"
		"E980"
		"3C000000"
		"01665544332211"
		"01",
		again_serial_connect, 0},
	{MESHMSG_SERIAL_CONNECTED, "340500007D0A420200E980", again_serial_connected, 0},
	{MESHMSG_GET_STATUS, "33007D0500034201", again_plain, 0},
	{MESHMSG_STATUS,
		"340500007D034201"
		"FEFF0700B0FD1D0301",
		again_status, 0},
	{MESHMSG_GET_DEVICE_INFO, "33007D050003420A", again_plain, 0},
	{MESHMSG_DEVICE_INFO,
		"340200010003000A"
		"4D0201000000"
		"42DBAE4C2180D05A"
		"01000002000000"
		"7B00"
		"9AE59800"
		"A604"
		"01C5"
		"214E"
		"3F4E"
		"7B00",
		again_device_info, 0},
	{MESHMSG_GET_MODULE_LIST, "32007D0500000006", again_plain, 0},
	{MESHMSG_MODULE_LIST,
		"320500007D000008"
		"05FFFFFF0101"
		"F002CDAB0300",
		again_module_list, 6},
	{MESHMSG_CLUSTER_INFO, "1701000000000000000100FFFF01", again_cluster_info, 0},
	{MESHMSG_UPDATE_TIMESTAMP,
		"1E007D0000"
		"00F1536500003C00",
		again_timestamp, 0},
	{MESHMSG_DEAD_DATA, "3D0100007DDEADDADA00FF7733", again_dead_data, 0},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static size_t row_bytes(const struct row *row, uint8_t raw[MESHMSG_BYTES_MAX + 1])
{
	return vectors_unhex(row->hex, raw, MESHMSG_BYTES_MAX);
}

static enum err again(const uint8_t *raw, size_t n, const struct row *row, struct wr *w)
{
	struct meshmsg m;
	enum err e = meshmsg_decode(raw, n, &m);

	if (e)
		return e;
	ck_assert_int_eq(m.kind, row->kind);
	return row->again(&m, (struct meshmsg_route){m.sender, m.receiver, m.request_handle}, w);
}

START_TEST(every_kind_comes_back_byte_for_byte)
{
	for (size_t i = 0; i < ROWS; i++) {
		uint8_t raw[MESHMSG_BYTES_MAX + 1], out[MESHMSG_BYTES_MAX];
		size_t n = row_bytes(&rows[i], raw);
		struct wr w = wr_init(out, sizeof(out));

		ck_assert_msg(again(raw, n, &rows[i], &w) == ERR_OK, "%s",
			meshmsg_kind_text(rows[i].kind));
		ck_assert_uint_eq(w.len_bytes, n);
		ck_assert_mem_eq(out, raw, n);
	}
}
END_TEST

START_TEST(every_kind_is_in_this_table)
{
	for (int kind = MESHMSG_UNKNOWN + 1; kind < MESHMSG_KIND_COUNT; kind++) {
		bool found = kind == MESHMSG_SET_ENROLLMENT; /* test_meshmsg_enroll.c */

		for (size_t i = 0; i < ROWS; i++)
			found = found || (int)rows[i].kind == kind;
		ck_assert_msg(found, "%s", meshmsg_kind_text((enum meshmsg_kind)kind));
	}
}
END_TEST

START_TEST(every_truncated_prefix_is_refused)
{
	for (size_t i = 0; i < ROWS; i++) {
		uint8_t raw[MESHMSG_BYTES_MAX + 1], out[MESHMSG_BYTES_MAX];
		size_t n = row_bytes(&rows[i], raw);

		for (size_t k = 0; k < n; k++) {
			struct wr w = wr_init(out, sizeof(out));
			bool is_list = rows[i].step && k >= 8 && (k - 8) % rows[i].step == 0;
			enum err e = again(raw, k, &rows[i], &w);

			if (rows[i].kind == MESHMSG_REQUEST_PROPOSALS && k == 8)
				is_list = false; /* not even one serial */
			ck_assert_msg((e == ERR_OK) == is_list, "%s, %zu bytes",
				meshmsg_kind_text(rows[i].kind), k);
		}
	}
}
END_TEST

START_TEST(every_trailing_byte_is_refused)
{
	for (size_t i = 0; i < ROWS; i++) {
		uint8_t raw[MESHMSG_BYTES_MAX + 1] = {0}, out[MESHMSG_BYTES_MAX];
		size_t n = row_bytes(&rows[i], raw);
		struct wr w = wr_init(out, sizeof(out));

		ck_assert_msg(again(raw, n + 1, &rows[i], &w) != ERR_OK, "%s",
			meshmsg_kind_text(rows[i].kind));
	}
}
END_TEST

START_TEST(every_encoder_reports_a_full_buffer)
{
	for (size_t i = 0; i < ROWS; i++) {
		uint8_t raw[MESHMSG_BYTES_MAX + 1], out[MESHMSG_BYTES_MAX];
		size_t n = row_bytes(&rows[i], raw);

		for (size_t k = 0; k < n; k++) {
			struct wr w = wr_init(out, k);

			ck_assert_int_eq(again(raw, n, &rows[i], &w), ERR_FULL);
		}
	}
}
END_TEST

START_TEST(every_decoder_refuses_every_other_kind)
{
	for (size_t i = 0; i < ROWS; i++) {
		uint8_t raw[MESHMSG_BYTES_MAX + 1], out[MESHMSG_BYTES_MAX];
		struct meshmsg m;

		ck_assert_int_eq(meshmsg_decode(raw, row_bytes(&rows[i], raw), &m), ERR_OK);
		for (size_t k = 0; k < ROWS; k++) {
			struct wr w = wr_init(out, sizeof(out));

			if (rows[k].again == rows[i].again || rows[k].again == again_plain)
				continue;
			ck_assert_int_eq(rows[k].again(&m, (struct meshmsg_route){1, 2, 3}, &w),
				ERR_UNKNOWN);
		}
	}
}
END_TEST

/* --- what the fields mean ------------------------------------------------------------------ */

static struct meshmsg open_row(enum meshmsg_kind kind)
{
	static uint8_t raw[MESHMSG_BYTES_MAX + 1];
	struct meshmsg m = {.kind = MESHMSG_UNKNOWN};

	for (size_t i = 0; i < ROWS; i++) {
		if (rows[i].kind == kind)
			ck_assert_int_eq(meshmsg_decode(raw, row_bytes(&rows[i], raw), &m), ERR_OK);
	}
	ck_assert_int_eq(m.kind, kind);
	return m;
}

START_TEST(device_info_has_the_fields_of_a_captured_one)
{
	struct meshmsg m = open_row(MESHMSG_DEVICE_INFO);
	struct meshmsg_device_info d;

	ck_assert_int_eq(meshmsg_decode_device_info(&m, &d), ERR_OK);
	ck_assert_uint_eq(d.manufacturer, 0x024D);
	ck_assert_uint_eq(d.serial_index, 1);
	ck_assert_uint_eq(d.chip_id[0], 0x42);
	ck_assert_uint_eq(d.address_type, 1);
	ck_assert_uint_eq(d.address[2], 2);
	ck_assert_uint_eq(d.network_id, 123);
	ck_assert_uint_eq(d.node_version, 10020250);
	ck_assert_int_eq(d.dbm_rx, -90);
	ck_assert_int_eq(d.dbm_tx, 4);
	ck_assert_uint_eq(d.device_type, 1);
	ck_assert_int_eq(d.calibrated_tx, -59);
	ck_assert_uint_eq(d.chip_group, 20001);
	ck_assert_uint_eq(d.featureset_group, 20031);
	ck_assert_uint_eq(d.bootloader_version, 123);
}
END_TEST

START_TEST(status_has_signs_and_bit_fields)
{
	struct meshmsg m = open_row(MESHMSG_STATUS);
	struct meshmsg_status s;
	struct wr w;
	uint8_t out[32];

	ck_assert_int_eq(meshmsg_decode_status(&m, &s), ERR_OK);
	ck_assert_int_eq(s.cluster_size, -2);
	ck_assert_uint_eq(s.in_connection_partner, 7);
	ck_assert_int_eq(s.in_connection_rssi_dbm, -80);
	ck_assert_uint_eq(s.free_in, 1);
	ck_assert_uint_eq(s.free_out, 63);
	ck_assert_uint_eq(s.battery_dv, 29);
	ck_assert_uint_eq(s.connection_loss_count, 3);
	ck_assert(s.is_initialized);
	s.free_in = 4;
	w = wr_init(out, sizeof(out));
	ck_assert_int_eq(meshmsg_encode_status(&w, (struct meshmsg_route){1, 2, 3}, &s), ERR_RANGE);
}
END_TEST

START_TEST(status_masks_uninitialised_bits)
{
	uint8_t raw[] = {52, 5, 0, 0, 125, 3, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0xFE};
	struct meshmsg m;
	struct meshmsg_status s;

	ck_assert_int_eq(meshmsg_decode(raw, sizeof(raw), &m), ERR_OK);
	ck_assert_int_eq(meshmsg_decode_status(&m, &s), ERR_OK);
	ck_assert(!s.is_initialized);
}
END_TEST

START_TEST(cluster_info_has_signs_and_bits)
{
	struct meshmsg m = open_row(MESHMSG_CLUSTER_INFO);
	struct meshmsg_cluster_info c;

	ck_assert_int_eq(meshmsg_decode_cluster_info(&m, &c), ERR_OK);
	ck_assert_int_eq(c.cluster_size, 1);
	ck_assert_int_eq(c.hops_to_sink, -1);
	ck_assert(c.has_all_master_bits);
	ck_assert(!c.counter_bit);
}
END_TEST

START_TEST(module_list_is_read_entry_by_entry)
{
	struct meshmsg m = open_row(MESHMSG_MODULE_LIST);
	struct meshmsg_module_entry e;
	size_t n = 0;

	ck_assert_int_eq(meshmsg_decode_module_list(&m, &n), ERR_OK);
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(meshmsg_module_list_entry(&m, 0, &e), ERR_OK);
	ck_assert_uint_eq(e.module, MESHMSG_MODULE_ENROLLMENT);
	ck_assert(e.is_active);
	ck_assert_int_eq(meshmsg_module_list_entry(&m, 1, &e), ERR_OK);
	ck_assert_uint_eq(e.module, 0xABCD02F0);
	ck_assert(!e.is_active);
	ck_assert_int_eq(meshmsg_module_list_entry(&m, 2, &e), ERR_RANGE);
	m = open_row(MESHMSG_PING);
	ck_assert_int_eq(meshmsg_module_list_entry(&m, 0, &e), ERR_UNKNOWN);
}
END_TEST

START_TEST(module_list_reads_unwrapped_ids)
{
	uint8_t raw[] = {50, 5, 0, 0, 125, 0, 0, 8, 5, 0, 0, 0, 1, 1};
	struct meshmsg m;
	struct meshmsg_module_entry e;

	ck_assert_int_eq(meshmsg_decode(raw, sizeof(raw), &m), ERR_OK);
	ck_assert_int_eq(meshmsg_module_list_entry(&m, 0, &e), ERR_OK);
	ck_assert_uint_eq(e.module, MESHMSG_MODULE_ENROLLMENT);
}
END_TEST

START_TEST(lists_that_do_not_fit_are_not_written)
{
	static const struct meshmsg_module_entry entries[33] = {{0, 0, false}};
	uint8_t out[MESHMSG_BYTES_MAX + 50];
	struct wr w = wr_init(out, sizeof(out));

	ck_assert_int_eq(
		meshmsg_encode_module_list(&w, (struct meshmsg_route){1, 2, 3}, entries, 33),
		ERR_RANGE);
	ck_assert_int_eq(
		meshmsg_encode_module_list(&w, (struct meshmsg_route){1, 2, 3}, entries, 32),
		ERR_OK);
	ck_assert_uint_eq(w.len_bytes, MESHMSG_BYTES_MAX);
}
END_TEST

START_TEST(plain_messages_are_few)
{
	uint8_t out[16];
	unsigned count = 0;

	for (int kind = 0; kind < MESHMSG_KIND_COUNT; kind++) {
		struct wr w = wr_init(out, sizeof(out));
		bool is_plain = false;

		for (size_t i = 0; i < ROWS; i++)
			is_plain = is_plain || (rows[i].kind == (enum meshmsg_kind)kind &&
						       rows[i].again == again_plain);

		ck_assert_int_eq(meshmsg_encode_plain(&w, (struct meshmsg_route){1, 2, 3},
					 (enum meshmsg_kind)kind),
			is_plain ? ERR_OK : ERR_UNKNOWN);
		w = wr_init(out, sizeof(out));
		ck_assert_int_eq(meshmsg_encode_enrolled_nodes(&w, (struct meshmsg_route){1, 2, 3},
					 (enum meshmsg_kind)kind, 9),
			kind == MESHMSG_SET_ENROLLED_NODES || kind == MESHMSG_ENROLLED_NODES
				? ERR_OK
				: ERR_UNKNOWN);
		count += is_plain;
	}
	ck_assert_uint_eq(count, 12);
}
END_TEST

START_TEST(time_has_signs_and_bits)
{
	struct meshmsg m = open_row(MESHMSG_TIME);
	struct meshmsg_time t;

	ck_assert_int_eq(meshmsg_decode_time(&m, &t), ERR_OK);
	ck_assert_uint_eq(t.unix_s, 1700000000);
	ck_assert_int_eq(t.offset_min, -60);
	ck_assert_uint_eq(t.sync, MESHMSG_SYNCED);
	ck_assert(t.is_master);
}
END_TEST

START_TEST(neighbours_are_at_most_twenty)
{
	uint8_t raw[MESHMSG_BYTES_MAX] = {52, 5, 0, 0, 125, 3, 0, 4}, out[MESHMSG_BYTES_MAX];
	struct meshmsg_nearby nearby;
	struct wr w = wr_init(out, sizeof(out));
	struct meshmsg m = open_row(MESHMSG_NEARBY);

	ck_assert_int_eq(meshmsg_decode_nearby(&m, &nearby), ERR_OK);
	ck_assert_uint_eq(nearby.count, 2);
	ck_assert_uint_eq(nearby.node[1].node_id, 1999);
	ck_assert_int_eq(nearby.node[1].rssi_dbm, -95);
	ck_assert_int_eq(meshmsg_decode(raw, 8 + 60, &m), ERR_OK);
	ck_assert_int_eq(meshmsg_decode_nearby(&m, &nearby), ERR_OK);
	ck_assert_uint_eq(nearby.count, MESHMSG_NEARBY_MAX);
	ck_assert_int_eq(meshmsg_decode(raw, 8 + 63, &m), ERR_OK);
	ck_assert_int_eq(meshmsg_decode_nearby(&m, &nearby), ERR_RANGE);
	nearby.count = MESHMSG_NEARBY_MAX + 1;
	ck_assert_int_eq(
		meshmsg_encode_nearby(&w, (struct meshmsg_route){1, 2, 3}, &nearby), ERR_RANGE);
}
END_TEST

START_TEST(connect_orders_name_keys_and_addresses)
{
	static const uint8_t address[] = {1, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11};
	struct meshmsg m = open_row(MESHMSG_MA_CONNECT);
	struct meshmsg_serial_connect serial;
	struct meshmsg_ma_connect connect;
	uint8_t out[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(out, sizeof(out));

	ck_assert_int_eq(meshmsg_decode_ma_connect(&m, &connect), ERR_OK);
	ck_assert_mem_eq(connect.address, address, sizeof(address));
	ck_assert_uint_eq(connect.key_id, 1);
	ck_assert_uint_eq(connect.key[15], 15);
	ck_assert_uint_eq(connect.tunnel, 2);
	connect.tunnel = 4;
	ck_assert_int_eq(meshmsg_encode_ma_connect(&w, (struct meshmsg_route){1, 2, 3}, &connect),
		ERR_RANGE);
	m = open_row(MESHMSG_SERIAL_CONNECT);
	ck_assert_int_eq(meshmsg_decode_serial_connect(&m, &serial), ERR_OK);
	ck_assert_uint_eq(serial.serial_index, 2);
	ck_assert_uint_eq(serial.node_id, 33001);
	ck_assert_uint_eq(serial.keep_alive_s, 60);
	ck_assert_mem_eq(serial.address, address, sizeof(address));
	ck_assert(serial.is_forced);
}
END_TEST

/* §8.6: an empty one counts as the sink's. */
START_TEST(keep_alive_without_payload_is_the_sinks)
{
	const uint8_t empty[] = {51, 0, 125, 5, 0, 3, 0, 9},
		      other[] = {51, 0, 125, 5, 0, 3, 0, 9, 0};
	struct meshmsg m;
	bool is_sink = false;

	ck_assert_int_eq(meshmsg_decode(empty, sizeof(empty), &m), ERR_OK);
	ck_assert_int_eq(meshmsg_decode_keep_alive(&m, &is_sink), ERR_OK);
	ck_assert(is_sink);
	ck_assert_int_eq(meshmsg_decode(other, sizeof(other), &m), ERR_OK);
	ck_assert_int_eq(meshmsg_decode_keep_alive(&m, &is_sink), ERR_OK);
	ck_assert(!is_sink);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, every_kind_comes_back_byte_for_byte);
	tcase_add_test(tc, every_kind_is_in_this_table);
	tcase_add_test(tc, every_truncated_prefix_is_refused);
	tcase_add_test(tc, every_trailing_byte_is_refused);
	tcase_add_test(tc, every_encoder_reports_a_full_buffer);
	tcase_add_test(tc, every_decoder_refuses_every_other_kind);
	tcase_add_test(tc, device_info_has_the_fields_of_a_captured_one);
	tcase_add_test(tc, status_has_signs_and_bit_fields);
	tcase_add_test(tc, status_masks_uninitialised_bits);
	tcase_add_test(tc, cluster_info_has_signs_and_bits);
	tcase_add_test(tc, module_list_is_read_entry_by_entry);
	tcase_add_test(tc, module_list_reads_unwrapped_ids);
	tcase_add_test(tc, lists_that_do_not_fit_are_not_written);
	tcase_add_test(tc, plain_messages_are_few);
	tcase_add_test(tc, time_has_signs_and_bits);
	tcase_add_test(tc, neighbours_are_at_most_twenty);
	tcase_add_test(tc, connect_orders_name_keys_and_addresses);
	tcase_add_test(tc, keep_alive_without_payload_is_the_sinks);
}

int main(void)
{
	return suite_main("meshmsg_payloads", fill);
}
