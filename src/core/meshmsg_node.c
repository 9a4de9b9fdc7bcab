/*
 * Payloads of the NODE and STATUS_REPORTER modules, the module list, and the messages without a
 * module (mesh-protocol §3.7-§3.9, §8.4, §8.6, §8.8).
 */
#include "core/meshmsg_room.h"

#define MODULE_ENTRY_BYTES 6
#define MODULE_LIST_MAX ((MESHMSG_BYTES_MAX - MESHMSG_MODULE_HEADER_BYTES) / MODULE_ENTRY_BYTES)

static const uint8_t dead_magic[] = {0xDE, 0xAD, 0xDA, 0xDA, 0x00, 0xFF, 0x77, 0x33};

static bool is_plain(enum meshmsg_kind kind)
{
	static const enum meshmsg_kind plain[] = {MESHMSG_PING, MESHMSG_PING_RESPONSE,
		MESHMSG_DISCOVERY_SET, MESHMSG_GET_TIME, MESHMSG_GET_STATUS,
		MESHMSG_GET_CONNECTIONS, MESHMSG_GET_NEARBY, MESHMSG_SET_INITIALIZED,
		MESHMSG_INITIALIZED_SET, MESHMSG_GET_REBOOT_REASON, MESHMSG_GET_DEVICE_INFO,
		MESHMSG_GET_MODULE_LIST};

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (plain[i] == kind)
			return true;
	return false;
}

enum err meshmsg_encode_plain(struct wr *w, struct meshmsg_route route, enum meshmsg_kind kind)
{
	if (!is_plain(kind))
		return ERR_UNKNOWN;
	meshmsg_begin_kind(w, route, kind);
	return wr_end(w);
}

enum err meshmsg_encode_reset_node(struct wr *w, struct meshmsg_route route, uint8_t seconds)
{
	meshmsg_begin_kind(w, route, MESHMSG_RESET_NODE);
	wr_u8(w, seconds);
	return wr_end(w);
}

enum err meshmsg_decode_reset_node(const struct meshmsg *msg, uint8_t *seconds)
{
	struct rd r;
	enum err e = meshmsg_open(msg, MESHMSG_RESET_NODE, &r);

	if (e)
		return e;
	*seconds = rd_u8(&r);
	return rd_end(&r);
}

static bool is_enrolled_nodes(enum meshmsg_kind kind)
{
	return kind == MESHMSG_SET_ENROLLED_NODES || kind == MESHMSG_ENROLLED_NODES;
}

enum err meshmsg_encode_enrolled_nodes(
	struct wr *w, struct meshmsg_route route, enum meshmsg_kind kind, uint16_t count)
{
	if (!is_enrolled_nodes(kind))
		return ERR_UNKNOWN;
	meshmsg_begin_kind(w, route, kind);
	wr_u16(w, count);
	return wr_end(w);
}

enum err meshmsg_decode_enrolled_nodes(const struct meshmsg *msg, uint16_t *count)
{
	struct rd r = rd_init(msg->payload.p, msg->payload.n);

	if (!is_enrolled_nodes(msg->kind))
		return ERR_UNKNOWN;
	*count = rd_u16(&r);
	return rd_end(&r);
}

enum err meshmsg_encode_status(
	struct wr *w, struct meshmsg_route route, const struct meshmsg_status *m)
{
	if (m->free_in > 3 || m->free_out > 63)
		return ERR_RANGE;
	meshmsg_begin_kind(w, route, MESHMSG_STATUS);
	wr_u16(w, (uint16_t)m->cluster_size);
	wr_u16(w, m->in_connection_partner);
	wr_u8(w, (uint8_t)m->in_connection_rssi_dbm);
	wr_u8(w, (uint8_t)(m->free_in | m->free_out << 2));
	wr_u8(w, m->battery_dv);
	wr_u8(w, m->connection_loss_count);
	wr_u8(w, m->is_initialized);
	return wr_end(w);
}

enum err meshmsg_decode_status(const struct meshmsg *msg, struct meshmsg_status *out)
{
	struct rd r;
	uint8_t free_slots;
	enum err e = meshmsg_open(msg, MESHMSG_STATUS, &r);

	*out = (struct meshmsg_status){0};
	if (e)
		return e;
	out->cluster_size = (int16_t)rd_u16(&r);
	out->in_connection_partner = rd_u16(&r);
	out->in_connection_rssi_dbm = (int8_t)rd_u8(&r);
	free_slots = rd_u8(&r);
	out->free_in = free_slots & 3;
	out->free_out = free_slots >> 2;
	out->battery_dv = rd_u8(&r);
	out->connection_loss_count = rd_u8(&r);
	out->is_initialized = rd_u8(&r) & 1; /* the other bits are not initialised by the node */
	return rd_end(&r);
}

enum err meshmsg_encode_device_info(
	struct wr *w, struct meshmsg_route route, const struct meshmsg_device_info *m)
{
	meshmsg_begin_kind(w, route, MESHMSG_DEVICE_INFO);
	wr_u16(w, m->manufacturer);
	wr_u32(w, m->serial_index);
	wr_bytes(w, m->chip_id, sizeof(m->chip_id));
	wr_u8(w, m->address_type);
	wr_bytes(w, m->address, sizeof(m->address));
	wr_u16(w, m->network_id);
	wr_u32(w, m->node_version);
	wr_u8(w, (uint8_t)m->dbm_rx);
	wr_u8(w, (uint8_t)m->dbm_tx);
	wr_u8(w, m->device_type);
	wr_u8(w, (uint8_t)m->calibrated_tx);
	wr_u16(w, m->chip_group);
	wr_u16(w, m->featureset_group);
	wr_u16(w, m->bootloader_version);
	return wr_end(w);
}

enum err meshmsg_decode_device_info(const struct meshmsg *msg, struct meshmsg_device_info *out)
{
	struct rd r;
	enum err e = meshmsg_open(msg, MESHMSG_DEVICE_INFO, &r);

	*out = (struct meshmsg_device_info){0};
	if (e)
		return e;
	out->manufacturer = rd_u16(&r);
	out->serial_index = rd_u32(&r);
	rd_copy(&r, out->chip_id, sizeof(out->chip_id));
	out->address_type = rd_u8(&r);
	rd_copy(&r, out->address, sizeof(out->address));
	out->network_id = rd_u16(&r);
	out->node_version = rd_u32(&r);
	out->dbm_rx = (int8_t)rd_u8(&r);
	out->dbm_tx = (int8_t)rd_u8(&r);
	out->device_type = rd_u8(&r);
	out->calibrated_tx = (int8_t)rd_u8(&r);
	out->chip_group = rd_u16(&r);
	out->featureset_group = rd_u16(&r);
	out->bootloader_version = rd_u16(&r);
	return rd_end(&r);
}

enum err meshmsg_encode_module_list(struct wr *w, struct meshmsg_route route,
	const struct meshmsg_module_entry *entries, size_t count)
{
	if (count > MODULE_LIST_MAX)
		return ERR_RANGE;
	meshmsg_begin_kind(w, route, MESHMSG_MODULE_LIST);
	for (size_t i = 0; i < count; i++) {
		wr_u32(w, entries[i].module);
		wr_u8(w, entries[i].version);
		wr_u8(w, entries[i].is_active);
	}
	return wr_end(w);
}

enum err meshmsg_decode_module_list(const struct meshmsg *msg, size_t *count)
{
	struct rd r;
	enum err e = meshmsg_open(msg, MESHMSG_MODULE_LIST, &r);

	if (e)
		return e;
	if (r.left_bytes % MODULE_ENTRY_BYTES != 0)
		return ERR_INVALID;
	*count = r.left_bytes / MODULE_ENTRY_BYTES;
	return ERR_OK;
}

enum err meshmsg_module_list_entry(
	const struct meshmsg *msg, size_t i, struct meshmsg_module_entry *out)
{
	struct rd r;
	enum err e = meshmsg_open(msg, MESHMSG_MODULE_LIST, &r);

	*out = (struct meshmsg_module_entry){0};
	if (e)
		return e;
	if (i >= r.left_bytes / MODULE_ENTRY_BYTES)
		return ERR_RANGE;
	(void)rd_view(&r, i * MODULE_ENTRY_BYTES);
	out->module = rd_u32(&r);
	if (out->module <= 0xFF && out->module != MESHMSG_VENDOR_PREFIX)
		out->module = MESHMSG_MODULE(out->module);
	out->version = rd_u8(&r);
	out->is_active = rd_u8(&r) & 1;
	return ERR_OK;
}

enum err meshmsg_encode_cluster_info(
	struct wr *w, uint16_t sender, const struct meshmsg_cluster_info *m)
{
	meshmsg_begin(w, MESHMSG_TYPE_CLUSTER_INFO_UPDATE, sender, MESHMSG_BROADCAST);
	wr_u32(w, 0); /* once the cluster id */
	wr_u16(w, (uint16_t)m->cluster_size);
	wr_u16(w, (uint16_t)m->hops_to_sink);
	wr_u8(w, (uint8_t)((m->has_all_master_bits ? 1 : 0) | (m->counter_bit ? 2 : 0)));
	return wr_end(w);
}

enum err meshmsg_decode_cluster_info(const struct meshmsg *msg, struct meshmsg_cluster_info *out)
{
	struct rd r;
	uint8_t bits;
	enum err e = meshmsg_open(msg, MESHMSG_CLUSTER_INFO, &r);

	*out = (struct meshmsg_cluster_info){0};
	if (e)
		return e;
	(void)rd_u32(&r);
	out->cluster_size = (int16_t)rd_u16(&r);
	out->hops_to_sink = (int16_t)rd_u16(&r);
	bits = rd_u8(&r);
	out->has_all_master_bits = bits & 1;
	out->counter_bit = bits & 2;
	return rd_end(&r);
}

enum err meshmsg_encode_timestamp(
	struct wr *w, uint16_t sender, uint16_t receiver, const struct meshmsg_timestamp *m)
{
	meshmsg_begin(w, MESHMSG_TYPE_UPDATE_TIMESTAMP, sender, receiver);
	wr_u32(w, m->unix_s);
	wr_u16(w, 0); /* ticks, ignored by receivers */
	wr_u16(w, (uint16_t)m->offset_min);
	return wr_end(w);
}

enum err meshmsg_decode_timestamp(const struct meshmsg *msg, struct meshmsg_timestamp *out)
{
	struct rd r;
	enum err e = meshmsg_open(msg, MESHMSG_UPDATE_TIMESTAMP, &r);

	*out = (struct meshmsg_timestamp){0};
	if (e)
		return e;
	out->unix_s = rd_u32(&r);
	(void)rd_u16(&r);
	out->offset_min = (int16_t)rd_u16(&r);
	return rd_end(&r);
}

enum err meshmsg_encode_dead_data(struct wr *w, uint16_t sender, uint16_t receiver)
{
	meshmsg_begin(w, MESHMSG_TYPE_DEAD_DATA, sender, receiver);
	wr_bytes(w, dead_magic, sizeof(dead_magic));
	return wr_end(w);
}

enum err meshmsg_decode_dead_data(const struct meshmsg *msg)
{
	struct rd r;
	const uint8_t *magic;
	enum err e = meshmsg_open(msg, MESHMSG_DEAD_DATA, &r);

	if (e)
		return e;
	magic = rd_view(&r, sizeof(dead_magic));
	if (magic && memcmp(magic, dead_magic, sizeof(dead_magic)) != 0)
		return ERR_INVALID;
	return rd_end(&r);
}
