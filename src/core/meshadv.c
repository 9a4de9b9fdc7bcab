/* The MeshAccess advertisement, both ways (mesh-protocol §2.4). */
#include "enr/meshadv.h"

#include "enr/serial.h"

#define AD_FLAGS 0x01
#define AD_UUIDS 0x03
#define AD_SHORT_NAME 0x08
#define AD_SERVICE_DATA 0x16
#define TYPE_MESH_ACCESS 3
#define TYPE_EMERGENCY 8

#define FLAG_ENROLLED 0x01
#define FLAG_SINK 0x02
#define FLAG_ZERO_KEY 0x04
#define FLAG_FREE_IN 0x08
#define FLAG_INTERESTED 0x10

static void flags_open(uint8_t flags, struct meshadv *out)
{
	out->is_enrolled = flags & FLAG_ENROLLED;
	out->is_sink = flags & FLAG_SINK;
	out->is_zero_key_connectable = flags & FLAG_ZERO_KEY;
	out->has_free_in_connection = flags & FLAG_FREE_IN;
	out->is_interested_in_connection = flags & FLAG_INTERESTED;
}

static uint8_t flags_close(const struct meshadv *adv)
{
	return (uint8_t)((adv->is_enrolled ? FLAG_ENROLLED : 0) | (adv->is_sink ? FLAG_SINK : 0) |
			 (adv->is_zero_key_connectable ? FLAG_ZERO_KEY : 0) |
			 (adv->has_free_in_connection ? FLAG_FREE_IN : 0) |
			 (adv->is_interested_in_connection ? FLAG_INTERESTED : 0));
}

enum err meshadv_decode_value(const void *value, size_t n, struct meshadv *out)
{
	struct rd r = rd_init(value, n);
	uint16_t type = rd_u16(&r);

	*out = (struct meshadv){0};
	if (!r.bad && type != TYPE_MESH_ACCESS && type != TYPE_EMERGENCY)
		return ERR_UNKNOWN;
	out->is_emergency = type == TYPE_EMERGENCY;
	out->network_id = rd_u16(&r);
	flags_open(rd_u8(&r), out);
	out->serial_index = rd_u32(&r);
	rd_copy(&r, out->module_ids, sizeof(out->module_ids));
	if (n >= MESHADV_SERVICE_DATA_BYTES) {
		out->device_type = rd_u8(&r);
		(void)rd_view(&r, 7);
	} else {
		(void)rd_rest(&r);
	}
	if (!r.bad && out->serial_index == SERIAL_INDEX_INVALID)
		return ERR_INVALID;
	return rd_end(&r);
}

/* The next AD structure; false at the end, by a length of 0, and when one runs over the end. */
static bool ad_next(struct rd *r, uint8_t *type, struct span *data)
{
	uint8_t len;

	if (r->bad || r->left_bytes == 0)
		return false;
	len = rd_u8(r);
	if (len == 0)
		return false;
	*type = rd_u8(r);
	*data = (struct span){rd_view(r, (size_t)len - 1), (size_t)len - 1};
	return !r->bad;
}

enum err meshadv_decode(const void *payload, size_t n, struct meshadv *out)
{
	struct rd r = rd_init(payload, n);
	struct span data, found = {NULL, 0};
	uint8_t type;

	*out = (struct meshadv){0};
	if (n > MESHADV_BYTES)
		return ERR_TRAILING;
	while (ad_next(&r, &type, &data)) {
		if (type == AD_SERVICE_DATA && data.n >= 2 && !found.p &&
			(data.p[0] | data.p[1] << 8) == MESHADV_UUID)
			found = (struct span){data.p + 2, data.n - 2};
	}
	if (r.bad)
		return ERR_SHORT;
	if (!found.p)
		return ERR_NOT_FOUND;
	return meshadv_decode_value(found.p, found.n, out);
}

void meshadv_encode_value(const struct meshadv *adv, uint8_t out[MESHADV_SERVICE_DATA_BYTES])
{
	struct wr w = wr_init(out, MESHADV_SERVICE_DATA_BYTES);

	wr_u16(&w, adv->is_emergency ? TYPE_EMERGENCY : TYPE_MESH_ACCESS);
	wr_u16(&w, adv->network_id);
	wr_u8(&w, flags_close(adv));
	wr_u32(&w, adv->serial_index);
	wr_bytes(&w, adv->module_ids, sizeof(adv->module_ids));
	wr_u8(&w, adv->device_type);
	wr_zero(&w, 7);
}

void meshadv_encode(const struct meshadv *adv, uint8_t out[MESHADV_BYTES])
{
	const uint8_t head[] = {2, AD_FLAGS, 0x06, 3, AD_UUIDS, 0x12, 0xFE,
		3 + MESHADV_SERVICE_DATA_BYTES, AD_SERVICE_DATA, 0x12, 0xFE};

	memcpy(out, head, sizeof(head));
	meshadv_encode_value(adv, out + sizeof(head));
}

size_t meshadv_encode_scan_response(uint32_t serial_index, uint8_t out[MESHADV_SCAN_RESPONSE_MAX])
{
	char text[SERIAL_TEXT_SIZE];
	size_t n;

	serial_print(serial_index, text);
	n = strlen(text);
	out[0] = (uint8_t)(1 + n);
	out[1] = AD_SHORT_NAME;
	memcpy(out + 2, text, n);
	return 2 + n;
}

enum err meshadv_decode_scan_response(const void *payload, size_t n, uint32_t *serial_index)
{
	struct rd r = rd_init(payload, n);
	struct span data;
	uint8_t type;

	while (ad_next(&r, &type, &data)) {
		if (type == AD_SHORT_NAME && data.n > 0 && data.n < SERIAL_TEXT_SIZE &&
			serial_parse((const char *)data.p, data.n, serial_index) == ERR_OK)
			return ERR_OK;
	}
	return ERR_NOT_FOUND;
}
