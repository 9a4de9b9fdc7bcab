/* Payloads of the MeshAccess module: connections that a node is told to open (mesh-protocol §2.6).
 */
#include "core/meshmsg_room.h"

#define KEY_BYTES 16
#define TUNNEL_MASK 3

enum err meshmsg_encode_ma_connect(
	struct wr *w, struct meshmsg_route route, const struct meshmsg_ma_connect *m)
{
	if (m->tunnel > TUNNEL_MASK)
		return ERR_RANGE;
	meshmsg_begin_kind(w, route, MESHMSG_MA_CONNECT);
	wr_bytes(w, m->address, MESHMSG_ADDRESS_BYTES);
	wr_u32(w, m->key_id);
	wr_bytes(w, m->key, KEY_BYTES);
	wr_u8(w, m->tunnel);
	return wr_end(w);
}

enum err meshmsg_decode_ma_connect(const struct meshmsg *msg, struct meshmsg_ma_connect *out)
{
	struct rd r;
	enum err e = meshmsg_open(msg, MESHMSG_MA_CONNECT, &r);

	*out = (struct meshmsg_ma_connect){0};
	if (e)
		return e;
	out->address = rd_view(&r, MESHMSG_ADDRESS_BYTES);
	out->key_id = rd_u32(&r);
	out->key = rd_view(&r, KEY_BYTES);
	out->tunnel = rd_u8(&r) & TUNNEL_MASK;
	return rd_end(&r);
}

enum err meshmsg_encode_ma_disconnect(
	struct wr *w, struct meshmsg_route route, const uint8_t address[MESHMSG_ADDRESS_BYTES])
{
	meshmsg_begin_kind(w, route, MESHMSG_MA_DISCONNECT);
	wr_bytes(w, address, MESHMSG_ADDRESS_BYTES);
	return wr_end(w);
}

enum err meshmsg_decode_ma_disconnect(const struct meshmsg *msg, const uint8_t **address)
{
	struct rd r;
	enum err e = meshmsg_open(msg, MESHMSG_MA_DISCONNECT, &r);

	*address = NULL;
	if (e)
		return e;
	*address = rd_view(&r, MESHMSG_ADDRESS_BYTES);
	return rd_end(&r);
}

enum err meshmsg_encode_ma_state(
	struct wr *w, struct meshmsg_route route, const struct meshmsg_ma_state *m)
{
	meshmsg_begin_kind(w, route, MESHMSG_MA_STATE);
	wr_u16(w, m->partner_id);
	wr_u8(w, m->state);
	return wr_end(w);
}

enum err meshmsg_decode_ma_state(const struct meshmsg *msg, struct meshmsg_ma_state *out)
{
	struct rd r;
	enum err e = meshmsg_open(msg, MESHMSG_MA_STATE, &r);

	*out = (struct meshmsg_ma_state){0};
	if (e)
		return e;
	out->partner_id = rd_u16(&r);
	out->state = rd_u8(&r);
	return rd_end(&r);
}

enum err meshmsg_encode_serial_connect(
	struct wr *w, struct meshmsg_route route, const struct meshmsg_serial_connect *m)
{
	meshmsg_begin_kind(w, route, MESHMSG_SERIAL_CONNECT);
	wr_u32(w, m->serial_index);
	wr_u32(w, m->key_id);
	wr_bytes(w, m->key, KEY_BYTES);
	wr_u16(w, m->node_id);
	wr_u32(w, m->keep_alive_s);
	wr_bytes(w, m->address, MESHMSG_ADDRESS_BYTES);
	wr_u8(w, m->is_forced);
	return wr_end(w);
}

enum err meshmsg_decode_serial_connect(
	const struct meshmsg *msg, struct meshmsg_serial_connect *out)
{
	struct rd r;
	enum err e = meshmsg_open(msg, MESHMSG_SERIAL_CONNECT, &r);

	*out = (struct meshmsg_serial_connect){0};
	if (e)
		return e;
	out->serial_index = rd_u32(&r);
	out->key_id = rd_u32(&r);
	out->key = rd_view(&r, KEY_BYTES);
	out->node_id = rd_u16(&r);
	out->keep_alive_s = rd_u32(&r);
	out->address = rd_view(&r, MESHMSG_ADDRESS_BYTES);
	out->is_forced = rd_u8(&r) != 0;
	return rd_end(&r);
}

enum err meshmsg_encode_serial_connected(
	struct wr *w, struct meshmsg_route route, const struct meshmsg_serial_connected *m)
{
	meshmsg_begin_kind(w, route, MESHMSG_SERIAL_CONNECTED);
	wr_u8(w, m->code);
	wr_u16(w, m->partner_id);
	return wr_end(w);
}

enum err meshmsg_decode_serial_connected(
	const struct meshmsg *msg, struct meshmsg_serial_connected *out)
{
	struct rd r;
	enum err e = meshmsg_open(msg, MESHMSG_SERIAL_CONNECTED, &r);

	*out = (struct meshmsg_serial_connected){0};
	if (e)
		return e;
	out->code = rd_u8(&r);
	out->partner_id = rd_u16(&r);
	return rd_end(&r);
}
