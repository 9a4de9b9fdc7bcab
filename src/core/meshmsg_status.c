/*
 * Payloads about how a node is doing: its discovery, time, neighbours and reports (mesh-protocol
 * §8.4, §8.6, §8.7).
 */
#include "core/meshmsg_room.h"

#define PARTNER_BYTES 3

/* --- messages that are one number ------------------------------------------------------------ */

static enum err put_le(
	struct wr *w, struct meshmsg_route route, enum meshmsg_kind kind, uint32_t v, size_t bytes)
{
	meshmsg_begin_kind(w, route, kind);
	wr_le(w, v, bytes);
	return wr_end(w);
}

enum err meshmsg_encode_set_discovery(struct wr *w, struct meshmsg_route route, bool is_high)
{
	return put_le(w, route, MESHMSG_SET_DISCOVERY, is_high, 1);
}

enum err meshmsg_decode_set_discovery(const struct meshmsg *msg, bool *is_high)
{
	struct rd r;
	enum err e = meshmsg_open(msg, MESHMSG_SET_DISCOVERY, &r);

	if (e)
		return e;
	*is_high = rd_u8(&r) != 0;
	return rd_end(&r);
}

enum err meshmsg_encode_keep_alive(struct wr *w, struct meshmsg_route route, bool is_sink)
{
	return put_le(w, route, MESHMSG_SET_KEEP_ALIVE, is_sink, 1);
}

enum err meshmsg_decode_keep_alive(const struct meshmsg *msg, bool *is_sink)
{
	struct rd r;
	enum err e = meshmsg_open(msg, MESHMSG_SET_KEEP_ALIVE, &r);

	if (e)
		return e;
	*is_sink = r.left_bytes == 0 || (rd_u8(&r) & 1) != 0;
	return rd_end(&r);
}

enum err meshmsg_encode_live_reports(struct wr *w, struct meshmsg_route route, uint8_t level)
{
	return put_le(w, route, MESHMSG_SET_LIVE_REPORTS, level, 1);
}

enum err meshmsg_decode_live_reports(const struct meshmsg *msg, uint8_t *level)
{
	struct rd r;
	enum err e = meshmsg_open(msg, MESHMSG_SET_LIVE_REPORTS, &r);

	if (e)
		return e;
	*level = rd_u8(&r);
	return rd_end(&r);
}

enum err meshmsg_encode_connections_verbose(
	struct wr *w, struct meshmsg_route route, uint32_t index)
{
	return put_le(w, route, MESHMSG_GET_CONNECTIONS_VERBOSE, index, 4);
}

enum err meshmsg_decode_connections_verbose(const struct meshmsg *msg, uint32_t *index)
{
	struct rd r;
	enum err e = meshmsg_open(msg, MESHMSG_GET_CONNECTIONS_VERBOSE, &r);

	if (e)
		return e;
	*index = rd_u32(&r);
	return rd_end(&r);
}

/* --- time ------------------------------------------------------------------------------------ */

enum err meshmsg_encode_time(struct wr *w, struct meshmsg_route route, const struct meshmsg_time *m)
{
	meshmsg_begin_kind(w, route, MESHMSG_TIME);
	wr_u32(w, m->unix_s);
	wr_u16(w, (uint16_t)m->offset_min);
	wr_u8(w, m->sync);
	wr_u8(w, m->is_master);
	return wr_end(w);
}

enum err meshmsg_decode_time(const struct meshmsg *msg, struct meshmsg_time *out)
{
	struct rd r;
	enum err e = meshmsg_open(msg, MESHMSG_TIME, &r);

	*out = (struct meshmsg_time){0};
	if (e)
		return e;
	out->unix_s = rd_u32(&r);
	out->offset_min = (int16_t)rd_u16(&r);
	out->sync = rd_u8(&r);
	out->is_master = (rd_u8(&r) & 1) != 0;
	return rd_end(&r);
}

/* --- neighbours ------------------------------------------------------------------------------ */

static void put_partner(struct wr *w, const struct meshmsg_partner *p)
{
	wr_u16(w, p->node_id);
	wr_u8(w, (uint8_t)p->rssi_dbm);
}

static void take_partner(struct rd *r, struct meshmsg_partner *p)
{
	p->node_id = rd_u16(r);
	p->rssi_dbm = (int8_t)rd_u8(r);
}

enum err meshmsg_encode_connections(
	struct wr *w, struct meshmsg_route route, const struct meshmsg_connections *m)
{
	meshmsg_begin_kind(w, route, MESHMSG_CONNECTIONS);
	for (size_t i = 0; i < MESHMSG_CONNECTIONS_MAX; i++)
		put_partner(w, &m->partner[i]);
	return wr_end(w);
}

enum err meshmsg_decode_connections(const struct meshmsg *msg, struct meshmsg_connections *out)
{
	struct rd r;
	enum err e = meshmsg_open(msg, MESHMSG_CONNECTIONS, &r);

	*out = (struct meshmsg_connections){0};
	if (e)
		return e;
	for (size_t i = 0; i < MESHMSG_CONNECTIONS_MAX; i++)
		take_partner(&r, &out->partner[i]);
	return rd_end(&r);
}

enum err meshmsg_encode_nearby(
	struct wr *w, struct meshmsg_route route, const struct meshmsg_nearby *m)
{
	if (m->count > MESHMSG_NEARBY_MAX)
		return ERR_RANGE;
	meshmsg_begin_kind(w, route, MESHMSG_NEARBY);
	for (size_t i = 0; i < m->count; i++)
		put_partner(w, &m->node[i]);
	return wr_end(w);
}

enum err meshmsg_decode_nearby(const struct meshmsg *msg, struct meshmsg_nearby *out)
{
	struct rd r;
	enum err e = meshmsg_open(msg, MESHMSG_NEARBY, &r);

	*out = (struct meshmsg_nearby){0};
	if (e)
		return e;
	if (msg->payload.n % PARTNER_BYTES != 0)
		return ERR_INVALID;
	if (msg->payload.n / PARTNER_BYTES > MESHMSG_NEARBY_MAX)
		return ERR_RANGE;
	while (r.left_bytes > 0)
		take_partner(&r, &out->node[out->count++]);
	return rd_end(&r);
}

/* --- live reports ---------------------------------------------------------------------------- */

enum err meshmsg_encode_live_report(
	struct wr *w, struct meshmsg_route route, const struct meshmsg_live_report *m)
{
	meshmsg_begin_kind(w, route, MESHMSG_LIVE_REPORT);
	wr_u8(w, m->type);
	wr_u32(w, m->extra);
	wr_u32(w, m->extra2);
	return wr_end(w);
}

enum err meshmsg_decode_live_report(const struct meshmsg *msg, struct meshmsg_live_report *out)
{
	struct rd r;
	enum err e = meshmsg_open(msg, MESHMSG_LIVE_REPORT, &r);

	*out = (struct meshmsg_live_report){0};
	if (e)
		return e;
	out->type = rd_u8(&r);
	out->extra = rd_u32(&r);
	out->extra2 = rd_u32(&r);
	return rd_end(&r);
}
