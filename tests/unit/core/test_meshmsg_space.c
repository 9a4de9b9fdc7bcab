/* Every type, module, action and length there can be, against a table of our own, written from
 * mesh-protocol §1.4, §4 and §8: what is not in it does not decode. */
#include "enr/meshmsg.h"

#include "unit/suite.h"

#define ANY 256 /* module: all; action: no such field */
#define OPEN_END MESHMSG_BYTES_MAX
#define NO_DECODER 0 /* the kind says it all */

/* A kind, and the lengths of whole messages that its decoder takes: min, min + step, …, max. */
static const struct row {
	unsigned type, module, action;
	enum meshmsg_kind kind;
	size_t min, max, step;
} rows[] = {
	{51, 5, 0, MESHMSG_SET_ENROLLMENT, 16, OPEN_END, 1},
	{51, 5, 1, MESHMSG_REMOVE_ENROLLMENT, 12, 12, 1},
	{51, 5, 3, MESHMSG_SET_NETWORK, 10, 10, 1},
	{51, 5, 4, MESHMSG_REQUEST_PROPOSALS, 12, OPEN_END, 4},
	{52, 5, 0, MESHMSG_ENROLLMENT_RESPONSE, 13, 13, 1},
	{52, 5, 1, MESHMSG_REMOVE_ENROLLMENT_RESPONSE, 13, 13, 1},
	{52, 5, 2, MESHMSG_ENROLLMENT_PROPOSAL, 20, 20, 1},
	{52, 5, 3, MESHMSG_SET_NETWORK_RESPONSE, 9, 9, 1},
	{52, 5, 4, MESHMSG_PROPOSALS_RESPONSE, 12, 12, 1},
	{51, 0, 1, MESHMSG_RESET_NODE, 9, 9, 1},
	{51, 0, 3, MESHMSG_PING, 8, OPEN_END, NO_DECODER},
	{52, 0, 3, MESHMSG_PING_RESPONSE, 8, OPEN_END, NO_DECODER},
	{51, 0, 7, MESHMSG_SET_ENROLLED_NODES, 10, 10, 1},
	{52, 0, 6, MESHMSG_ENROLLED_NODES, 10, 10, 1},
	{51, 0, 0, MESHMSG_SET_DISCOVERY, 9, 9, 1},
	{52, 0, 0, MESHMSG_DISCOVERY_SET, 8, OPEN_END, NO_DECODER},
	{51, 0, 8, MESHMSG_GET_TIME, 8, OPEN_END, NO_DECODER},
	{52, 0, 8, MESHMSG_TIME, 16, 16, 1},
	{51, 3, 3, MESHMSG_GET_CONNECTIONS, 8, OPEN_END, NO_DECODER},
	{52, 3, 3, MESHMSG_CONNECTIONS, 20, 20, 1},
	{51, 3, 4, MESHMSG_GET_NEARBY, 8, OPEN_END, NO_DECODER},
	{52, 3, 4, MESHMSG_NEARBY, 8, 68, 3},
	{51, 3, 5, MESHMSG_SET_INITIALIZED, 8, OPEN_END, NO_DECODER},
	{52, 3, 5, MESHMSG_INITIALIZED_SET, 8, OPEN_END, NO_DECODER},
	{51, 3, 8, MESHMSG_GET_REBOOT_REASON, 8, OPEN_END, NO_DECODER},
	{51, 3, 9, MESHMSG_SET_KEEP_ALIVE, 8, 9, 1},
	{51, 3, 11, MESHMSG_SET_LIVE_REPORTS, 9, 9, 1},
	{53, 3, 1, MESHMSG_LIVE_REPORT, 17, 17, 1},
	{51, 3, 12, MESHMSG_GET_CONNECTIONS_VERBOSE, 12, 12, 1},
	{51, 10, 0, MESHMSG_MA_CONNECT, 36, 36, 1},
	{51, 10, 1, MESHMSG_MA_DISCONNECT, 15, 15, 1},
	{53, 10, 0, MESHMSG_MA_STATE, 11, 11, 1},
	{51, 10, 2, MESHMSG_SERIAL_CONNECT, 46, 46, 1},
	{52, 10, 2, MESHMSG_SERIAL_CONNECTED, 11, 11, 1},
	{51, 3, 1, MESHMSG_GET_STATUS, 8, OPEN_END, NO_DECODER},
	{52, 3, 1, MESHMSG_STATUS, 17, 17, 1},
	{51, 3, 10, MESHMSG_GET_DEVICE_INFO, 8, OPEN_END, NO_DECODER},
	{52, 3, 10, MESHMSG_DEVICE_INFO, 45, 45, 1},
	{50, ANY, 6, MESHMSG_GET_MODULE_LIST, 8, OPEN_END, NO_DECODER},
	{50, ANY, 8, MESHMSG_MODULE_LIST, 8, OPEN_END, 6},
	{23, ANY, ANY, MESHMSG_CLUSTER_INFO, 14, 14, 1},
	{30, ANY, ANY, MESHMSG_UPDATE_TIMESTAMP, 13, 13, 1},
	{61, ANY, ANY, MESHMSG_DEAD_DATA, 13, 13, 1},
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

/* §1.2 */
static bool is_module_type(unsigned type)
{
	return type >= 50 && type <= 55;
}

static const struct row *row_find(unsigned type, unsigned module, unsigned action)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		const struct row *r = &rows[i];

		if (r->type == type && (r->module == ANY || r->module == module) &&
			(r->action == ANY || r->action == action))
			return r;
	}
	return NULL;
}

/* How many decoders take m. */
static unsigned takers(const struct meshmsg *m)
{
	struct meshmsg_set_enrollment request;
	struct meshmsg_enroll_response response;
	struct meshmsg_serials serials;
	struct meshmsg_status status;
	struct meshmsg_device_info device;
	struct meshmsg_cluster_info cluster;
	struct meshmsg_timestamp stamp;
	struct meshmsg_time time;
	struct meshmsg_connections connections;
	struct meshmsg_nearby nearby;
	struct meshmsg_live_report live;
	struct meshmsg_ma_connect connect;
	struct meshmsg_ma_state state;
	struct meshmsg_serial_connect by_serial;
	struct meshmsg_serial_connected connected;
	const uint8_t *address;
	bool flag;
	size_t count;
	uint32_t serial;
	uint16_t id;
	uint8_t code;
	const enum err e[] = {
		meshmsg_decode_set_enrollment(m, &request),
		meshmsg_decode_remove_enrollment(m, &serial),
		meshmsg_decode_enroll_response(m, &response),
		meshmsg_decode_proposal(m, &serials),
		meshmsg_decode_request_proposals(m, &serials),
		meshmsg_decode_proposals_response(m, &serial),
		meshmsg_decode_set_network(m, &id),
		meshmsg_decode_set_network_response(m, &code),
		meshmsg_decode_reset_node(m, &code),
		meshmsg_decode_enrolled_nodes(m, &id),
		meshmsg_decode_status(m, &status),
		meshmsg_decode_device_info(m, &device),
		meshmsg_decode_module_list(m, &count),
		meshmsg_decode_cluster_info(m, &cluster),
		meshmsg_decode_timestamp(m, &stamp),
		meshmsg_decode_set_discovery(m, &flag),
		meshmsg_decode_time(m, &time),
		meshmsg_decode_connections(m, &connections),
		meshmsg_decode_nearby(m, &nearby),
		meshmsg_decode_keep_alive(m, &flag),
		meshmsg_decode_live_reports(m, &code),
		meshmsg_decode_live_report(m, &live),
		meshmsg_decode_connections_verbose(m, &serial),
		meshmsg_decode_ma_connect(m, &connect),
		meshmsg_decode_ma_disconnect(m, &address),
		meshmsg_decode_ma_state(m, &state),
		meshmsg_decode_serial_connect(m, &by_serial),
		meshmsg_decode_serial_connected(m, &connected),
		meshmsg_decode_dead_data(m),
	};
	unsigned taken = 0;

	for (size_t i = 0; i < sizeof(e) / sizeof(e[0]); i++)
		taken += e[i] == ERR_OK;
	return taken;
}

/* A message of nothing but its names; DEAD_DATA has its magic. */
static void name(
	uint8_t raw[MESHMSG_BYTES_MAX + 1], unsigned type, unsigned module, unsigned action)
{
	static const uint8_t magic[] = {0xDE, 0xAD, 0xDA, 0xDA, 0x00, 0xFF, 0x77, 0x33};

	raw[0] = (uint8_t)type;
	memset(raw + 5, 0, sizeof(magic));
	raw[5] = (uint8_t)module;
	raw[module == MESHMSG_VENDOR_PREFIX ? 10 : 7] = (uint8_t)action;
	if (type == MESHMSG_TYPE_DEAD_DATA)
		memcpy(raw + 5, magic, sizeof(magic));
}

static unsigned check_actions(unsigned type, unsigned module)
{
	uint8_t raw[MESHMSG_BYTES_MAX + 1] = {0};
	unsigned known = 0;

	for (unsigned action = 0; action < 256; action++) {
		const struct row *row = row_find(type, module, action);
		struct meshmsg m;

		name(raw, type, module, action);
		if (meshmsg_decode(raw, 20, &m) != ERR_OK)
			m.kind = MESHMSG_UNKNOWN;
		if (m.kind != (row ? row->kind : MESHMSG_UNKNOWN))
			ck_abort_msg("type %u module %u action %u is kind %d", type, module, action,
				(int)m.kind);
		known += m.kind != MESHMSG_UNKNOWN;
	}
	return known;
}

START_TEST(every_type_module_and_action_outside_the_table_is_unknown)
{
	unsigned known = 0;

	/* Of the types that have no module some would do; where there is one it is every one. */
	for (unsigned type = 0; type < 256; type++)
		for (unsigned module = 0; module < 256; module += is_module_type(type) ? 1 : 51)
			known += check_actions(type, module);
	/* 38 rows of one module, 2 of any module, 3 of any bytes. */
	ck_assert_uint_eq(known, 38 + 2 * 256 + 3 * 6 * 256);
}
END_TEST

/* The header of a vendor's module is 3 bytes longer. */
static unsigned wanted(const struct row *row, unsigned module, size_t n)
{
	size_t shift = module == MESHMSG_VENDOR_PREFIX && row && is_module_type(row->type) ? 3 : 0;

	if (!row || row->step == NO_DECODER || n < row->min + shift || n > row->max)
		return 0;
	return (n - row->min - shift) % row->step == 0;
}

static void check_lengths(unsigned type, unsigned module, unsigned action)
{
	uint8_t raw[MESHMSG_BYTES_MAX + 1] = {0};
	const struct row *row = row_find(type, module, action);

	name(raw, type, module, action);
	for (size_t n = 0; n <= sizeof(raw); n++) {
		struct meshmsg m;
		enum err e = meshmsg_decode(raw, n, &m);
		unsigned taken = takers(&m);

		if (e != ERR_OK)
			ck_assert_int_eq(m.kind, MESHMSG_UNKNOWN);
		if (taken != wanted(row, module, n) || (n > MESHMSG_BYTES_MAX && e == ERR_OK))
			ck_abort_msg("type %u module %u action %u of %zu bytes: %u decoders", type,
				module, action, n, taken);
	}
}

START_TEST(every_length_outside_the_table_is_refused)
{
	static const unsigned modules[] = {0, 3, 5, 10, MESHMSG_VENDOR_PREFIX, 255};

	for (unsigned type = 0; type < 256; type++)
		check_lengths(type, 5, 0);
	for (unsigned type = 50; is_module_type(type); type++)
		for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++)
			for (unsigned action = 0; action < 15; action++)
				check_lengths(type, modules[i], action);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, every_type_module_and_action_outside_the_table_is_unknown);
	tcase_add_test(tc, every_length_outside_the_table_is_refused);
}

int main(void)
{
	return suite_main("meshmsg_space", fill);
}
