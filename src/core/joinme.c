/* The JOIN_ME advertisement, both ways (mesh-protocol §8.1). */
#include "enr/joinme.h"

#define FREE_IN_BITS 3
#define FREE_IN_MAX 7
#define FREE_OUT_MAX 31

/* Flags; 27 bytes of a manufacturer's data; company 0x024D; the mesh. */
static const uint8_t head[] = {2, 0x01, 0x06, 27, 0xFF, 0x4D, 0x02, 0xF0};
#define TYPE_JOIN_ME 1

enum err joinme_decode(const void *payload, size_t n, struct joinme *out)
{
	struct rd r = rd_init(payload, n);
	const uint8_t *p = rd_view(&r, sizeof(head));
	uint8_t bits;

	*out = (struct joinme){0};
	if (!p)
		return ERR_SHORT;
	if (memcmp(p, head, sizeof(head)) != 0)
		return ERR_NOT_FOUND;
	out->network_id = rd_u16(&r);
	if (rd_u8(&r) != TYPE_JOIN_ME && !r.bad)
		return ERR_NOT_FOUND;
	out->node_id = rd_u16(&r);
	out->cluster_id = rd_u32(&r);
	out->cluster_size = (int16_t)rd_u16(&r);
	bits = rd_u8(&r);
	out->free_in = bits & FREE_IN_MAX;
	out->free_out = bits >> FREE_IN_BITS;
	out->battery_runtime = rd_u8(&r);
	out->tx_power_dbm = (int8_t)rd_u8(&r);
	out->device_type = rd_u8(&r);
	out->hops_to_sink = rd_u16(&r);
	out->mesh_write_handle = rd_u16(&r);
	out->ack = rd_u32(&r);
	return rd_end(&r);
}

enum err joinme_encode(const struct joinme *m, uint8_t out[JOINME_BYTES])
{
	struct wr w = wr_init(out, JOINME_BYTES);

	if (m->free_in > FREE_IN_MAX || m->free_out > FREE_OUT_MAX)
		return ERR_RANGE;
	wr_bytes(&w, head, sizeof(head));
	wr_u16(&w, m->network_id);
	wr_u8(&w, TYPE_JOIN_ME);
	wr_u16(&w, m->node_id);
	wr_u32(&w, m->cluster_id);
	wr_u16(&w, (uint16_t)m->cluster_size);
	wr_u8(&w, (uint8_t)(m->free_in | m->free_out << FREE_IN_BITS));
	wr_u8(&w, m->battery_runtime);
	wr_u8(&w, (uint8_t)m->tx_power_dbm);
	wr_u8(&w, m->device_type);
	wr_u16(&w, m->hops_to_sink);
	wr_u16(&w, m->mesh_write_handle);
	wr_u32(&w, m->ack);
	return wr_end(&w);
}
