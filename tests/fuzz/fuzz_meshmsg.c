/*
 * Mesh messages: every decoder sees every message and takes only its own kind; what one takes can
 * be written, and what was written is read and written the same once more.
 */
#include "enr/meshmsg.h"

#include "fuzz/fuzz.h"

static void words(const struct meshmsg *m)
{
	MUST(meshmsg_kind_text(m->kind)[0] != '\0');
	MUST(!meshmsg_is_for(m, 1) || m->receiver != 2);
}

/* A message under other names is the same message. */
static void readdress(const uint8_t *data, size_t size)
{
	uint8_t copy[MESHMSG_BYTES_MAX];
	struct meshmsg before, after;

	if (meshmsg_decode(data, size, &before) != ERR_OK)
		return;
	memcpy(copy, data, size);
	meshmsg_set_sender(copy, 0x1234);
	meshmsg_set_receiver(copy, 0x4321);
	MUST(meshmsg_decode(copy, size, &after) == ERR_OK);
	MUST(after.sender == 0x1234 && after.receiver == 0x4321);
	MUST(after.kind == before.kind && after.payload.n == before.payload.n);
}

/* What has the header of a module is written again, byte for byte, whatever its kind. */
static void rewrite(const uint8_t *data, size_t size)
{
	uint8_t copy[MESHMSG_BYTES_MAX];
	struct wr w = wr_init(copy, sizeof(copy));
	struct meshmsg m, back;
	struct meshmsg_route route;
	enum err e;

	if (meshmsg_decode(data, size, &m) != ERR_OK)
		return;
	route = (struct meshmsg_route){m.sender, m.receiver, m.request_handle};
	e = meshmsg_encode_module(&w, m.type, route, m.module, m.action, m.payload);
	MUST(e != ERR_UNKNOWN || m.module == MESHMSG_MODULE_NONE);
	if (e != ERR_UNKNOWN)
		MUST(e == ERR_OK && w.len_bytes == size && memcmp(copy, data, size) == 0);
	w = wr_init(copy, sizeof(copy));
	if (meshmsg_encode_plain(&w, route, m.kind) == ERR_OK)
		MUST(meshmsg_decode(copy, w.len_bytes, &back) == ERR_OK && back.kind == m.kind);
}

static enum err write_enrollment(const struct meshmsg *m, struct meshmsg_route route, struct wr *w)
{
	struct meshmsg_set_enrollment request;
	struct meshmsg_enroll_response response;
	struct meshmsg_serials serials;
	uint32_t serial;
	uint16_t id;
	uint8_t code;

	if (meshmsg_decode_set_enrollment(m, &request) == ERR_OK)
		return meshmsg_encode_set_enrollment(w, route, &request);
	if (meshmsg_decode_remove_enrollment(m, &serial) == ERR_OK)
		return meshmsg_encode_remove_enrollment(w, route, serial);
	if (meshmsg_decode_enroll_response(m, &response) == ERR_OK)
		return meshmsg_encode_enroll_response(w, route, &response);
	if (meshmsg_decode_proposal(m, &serials) == ERR_OK)
		return meshmsg_encode_proposal(w, route, &serials);
	if (meshmsg_decode_request_proposals(m, &serials) == ERR_OK)
		return meshmsg_encode_request_proposals(w, route, &serials);
	if (meshmsg_decode_proposals_response(m, &serial) == ERR_OK)
		return meshmsg_encode_proposals_response(w, route, serial);
	if (meshmsg_decode_set_network(m, &id) == ERR_OK)
		return meshmsg_encode_set_network(w, route, id);
	if (meshmsg_decode_set_network_response(m, &code) == ERR_OK)
		return meshmsg_encode_set_network_response(w, route, code);
	return ERR_UNKNOWN;
}

static enum err write_node(const struct meshmsg *m, struct meshmsg_route route, struct wr *w)
{
	struct meshmsg_status status;
	struct meshmsg_device_info info;
	uint16_t count;
	uint8_t seconds;

	if (meshmsg_decode_reset_node(m, &seconds) == ERR_OK)
		return meshmsg_encode_reset_node(w, route, seconds);
	if (meshmsg_decode_enrolled_nodes(m, &count) == ERR_OK)
		return meshmsg_encode_enrolled_nodes(w, route, m->kind, count);
	if (meshmsg_decode_status(m, &status) == ERR_OK)
		return meshmsg_encode_status(w, route, &status);
	if (meshmsg_decode_device_info(m, &info) == ERR_OK)
		return meshmsg_encode_device_info(w, route, &info);
	return ERR_UNKNOWN;
}

static enum err write_doing(const struct meshmsg *m, struct meshmsg_route route, struct wr *w)
{
	struct meshmsg_time time;
	struct meshmsg_connections connections;
	struct meshmsg_nearby nearby;
	struct meshmsg_live_report report;
	uint32_t index;
	uint8_t level;
	bool flag;

	if (meshmsg_decode_set_discovery(m, &flag) == ERR_OK)
		return meshmsg_encode_set_discovery(w, route, flag);
	if (meshmsg_decode_keep_alive(m, &flag) == ERR_OK)
		return meshmsg_encode_keep_alive(w, route, flag);
	if (meshmsg_decode_live_reports(m, &level) == ERR_OK)
		return meshmsg_encode_live_reports(w, route, level);
	if (meshmsg_decode_connections_verbose(m, &index) == ERR_OK)
		return meshmsg_encode_connections_verbose(w, route, index);
	if (meshmsg_decode_time(m, &time) == ERR_OK)
		return meshmsg_encode_time(w, route, &time);
	if (meshmsg_decode_connections(m, &connections) == ERR_OK)
		return meshmsg_encode_connections(w, route, &connections);
	if (meshmsg_decode_nearby(m, &nearby) == ERR_OK)
		return meshmsg_encode_nearby(w, route, &nearby);
	if (meshmsg_decode_live_report(m, &report) == ERR_OK)
		return meshmsg_encode_live_report(w, route, &report);
	return ERR_UNKNOWN;
}

static enum err write_access(const struct meshmsg *m, struct meshmsg_route route, struct wr *w)
{
	struct meshmsg_ma_connect connect;
	struct meshmsg_ma_state state;
	struct meshmsg_serial_connect by_serial;
	struct meshmsg_serial_connected connected;
	const uint8_t *address;

	if (meshmsg_decode_ma_connect(m, &connect) == ERR_OK)
		return meshmsg_encode_ma_connect(w, route, &connect);
	if (meshmsg_decode_ma_disconnect(m, &address) == ERR_OK)
		return meshmsg_encode_ma_disconnect(w, route, address);
	if (meshmsg_decode_ma_state(m, &state) == ERR_OK)
		return meshmsg_encode_ma_state(w, route, &state);
	if (meshmsg_decode_serial_connect(m, &by_serial) == ERR_OK)
		return meshmsg_encode_serial_connect(w, route, &by_serial);
	if (meshmsg_decode_serial_connected(m, &connected) == ERR_OK)
		return meshmsg_encode_serial_connected(w, route, &connected);
	return ERR_UNKNOWN;
}

static enum err write_list(const struct meshmsg *m, struct meshmsg_route route, struct wr *w)
{
	struct meshmsg_module_entry entries[33];
	size_t n;

	if (meshmsg_decode_module_list(m, &n) != ERR_OK)
		return ERR_UNKNOWN;
	MUST(n < 33);
	for (size_t i = 0; i < n; i++)
		MUST(meshmsg_module_list_entry(m, i, &entries[i]) == ERR_OK);
	MUST(meshmsg_module_list_entry(m, n, &entries[n]) == ERR_RANGE);
	return meshmsg_encode_module_list(w, route, entries, n);
}

static enum err write_other(const struct meshmsg *m, struct wr *w)
{
	struct meshmsg_cluster_info info;
	struct meshmsg_timestamp time;

	if (meshmsg_decode_cluster_info(m, &info) == ERR_OK)
		return meshmsg_encode_cluster_info(w, m->sender, &info);
	if (meshmsg_decode_timestamp(m, &time) == ERR_OK)
		return meshmsg_encode_timestamp(w, m->sender, m->receiver, &time);
	if (meshmsg_decode_dead_data(m) == ERR_OK)
		return meshmsg_encode_dead_data(w, m->sender, m->receiver);
	return ERR_UNKNOWN;
}

/* The bytes of the message in its canonical form, or 0. */
static size_t again(const uint8_t *data, size_t size, uint8_t out[MESHMSG_BYTES_MAX])
{
	struct wr w = wr_init(out, MESHMSG_BYTES_MAX);
	struct meshmsg m;
	struct meshmsg_route route;
	enum err e;

	if (meshmsg_decode(data, size, &m) != ERR_OK)
		return 0;
	words(&m);
	route = (struct meshmsg_route){m.sender, m.receiver, m.request_handle};
	e = write_enrollment(&m, route, &w);
	if (e == ERR_UNKNOWN)
		e = write_node(&m, route, &w);
	if (e == ERR_UNKNOWN)
		e = write_doing(&m, route, &w);
	if (e == ERR_UNKNOWN)
		e = write_access(&m, route, &w);
	if (e == ERR_UNKNOWN)
		e = write_list(&m, route, &w);
	if (e == ERR_UNKNOWN)
		e = write_other(&m, &w);
	MUST(e == ERR_OK || e == ERR_UNKNOWN);
	return e ? 0 : w.len_bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t first[MESHMSG_BYTES_MAX], second[MESHMSG_BYTES_MAX];
	size_t n = again(data, size, first);

	readdress(data, size);
	rewrite(data, size);
	if (n > 0) {
		MUST(again(first, n, second) == n);
		MUST(memcmp(first, second, n) == 0);
	}
	if (size > 0)
		MUST(meshmsg_result_text(data[0]) && meshmsg_result_advice(data[0]));
	return 0;
}
