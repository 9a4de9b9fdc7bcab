#include "config.h"

#include "crc32.h"
#include "enr/serial.h"

#define UICR_MAGIC 0x00F07700u
#define UICR_BLANK 0xFFFFFFFFu
#define MANUFACTURER_NONE 0xFFFFu
#define TESTING_COUNT 26999u /* §7.5: modulus of the fallback serial */
#define DEFAULT_ID_MODULUS 1999u
#define RECORD_MODULE_ID 0
#define RECORD_VERSION 2
#define RECORD_MIN_BYTES 66
#define RECORD_GROUPS 20

/* Words of UICR, §7.5. */
enum {
	UICR_WORD_MAGIC = 0,
	UICR_WORD_NODE_KEY = 4,
	UICR_WORD_MANUFACTURER = 8,
	UICR_WORD_NETWORK_ID = 9,
	UICR_WORD_NODE_ID = 10,
	UICR_WORD_SERIAL = 12,
	UICR_WORD_NETWORK_KEY = 13
};

static void key_of_words(const uint32_t *words, struct secret16 *out)
{
	struct wr w = wr_init(out->b, sizeof(out->b));

	for (int i = 0; i < 4; i++)
		wr_u32(&w, words[i]);
}

static void key_unset(struct secret16 *out)
{
	memset(out->b, 0xFF, sizeof(out->b));
}

static uint32_t fallback_serial(const struct port_chip *chip)
{
	struct rd r = rd_init(chip->device_id, sizeof(chip->device_id));

	return SERIAL_TESTING_FIRST + rd_u32(&r) % TESTING_COUNT;
}

static uint16_t default_node_id(uint32_t serial_index)
{
	uint16_t id = (uint16_t)(serial_index % DEFAULT_ID_MODULUS);

	return id == 0 ? DEFAULT_ID_MODULUS : id; /* 0 would be everybody */
}

static uint16_t word_or(const uint32_t *words, int i, uint16_t otherwise)
{
	return words[i] == UICR_BLANK ? otherwise : (uint16_t)words[i];
}

void config_identity(
	const uint32_t words[PORT_UICR_WORDS], const struct port_chip *chip, struct identity *out)
{
	memset(out, 0, sizeof(*out));
	key_unset(&out->node_key);
	key_unset(&out->default_network_key);
	out->serial_index = fallback_serial(chip);
	out->manufacturer = MANUFACTURER_NONE;
	out->default_node_id = default_node_id(out->serial_index);
	if (words[UICR_WORD_MAGIC] != UICR_MAGIC)
		return;
	if (words[UICR_WORD_SERIAL] != UICR_BLANK)
		out->serial_index = words[UICR_WORD_SERIAL];
	key_of_words(words + UICR_WORD_NODE_KEY, &out->node_key);
	out->manufacturer = word_or(words, UICR_WORD_MANUFACTURER, MANUFACTURER_NONE);
	out->default_network_id = word_or(words, UICR_WORD_NETWORK_ID, 0);
	out->default_node_id =
		word_or(words, UICR_WORD_NODE_ID, default_node_id(out->serial_index));
	key_of_words(words + UICR_WORD_NETWORK_KEY, &out->default_network_key);
	if (secret16_is_unset(&out->default_network_key))
		out->default_network_key = out->node_key;
}

void config_default(const struct identity *id, struct config *out)
{
	memset(out, 0, sizeof(*out));
	out->enrolled = id->default_network_id != 0;
	out->node_id = id->default_node_id;
	out->network_id = id->default_network_id;
	out->network_key = id->default_network_key;
	key_unset(&out->user_base_key);
	key_unset(&out->organization_key);
}

bool config_equal(const struct config *a, const struct config *b)
{
	return a->enrolled == b->enrolled && a->node_id == b->node_id &&
	       a->network_id == b->network_id &&
	       (int)bytes_equal_ct(&a->network_key, &b->network_key, 16) &
		       (int)bytes_equal_ct(&a->user_base_key, &b->user_base_key, 16) &
		       (int)bytes_equal_ct(&a->organization_key, &b->organization_key, 16);
}

void config_encode(const struct config *c, uint8_t out[CONFIG_RECORD_BYTES])
{
	struct wr w = wr_init(out, CONFIG_RECORD_BYTES);

	wr_u8(&w, RECORD_MODULE_ID);
	wr_u8(&w, RECORD_VERSION);
	wr_u8(&w, 1); /* active */
	wr_u8(&w, 0);
	wr_u8(&w, 0);             /* dBmTX, deprecated */
	wr_le(&w, UINT64_MAX, 7); /* address: the chip's */
	wr_u8(&w, c->enrolled ? 1 : 0);
	wr_u8(&w, 0); /* device type, deprecated */
	wr_u16(&w, c->node_id);
	wr_u16(&w, c->network_id);
	wr_bytes(&w, c->network_key.b, 16);
	wr_bytes(&w, c->user_base_key.b, 16);
	wr_bytes(&w, c->organization_key.b, 16);
	wr_u16(&w, c->enrolled_nodes);
	wr_zero(&w, RECORD_GROUPS * 2);
}

static void fill_gaps(const struct identity *id, struct config *c)
{
	if (c->node_id == 0)
		c->node_id = id->default_node_id;
	if (c->network_id == 0)
		c->network_id = id->default_network_id;
	if (bytes_are_ct(c->network_key.b, 16, 0))
		c->network_key = id->default_network_key;
	if (bytes_are_ct(c->user_base_key.b, 16, 0))
		key_unset(&c->user_base_key);
}

enum err config_decode(const void *bytes, size_t n, const struct identity *id, struct config *out)
{
	struct rd r = rd_init(bytes, n);
	uint8_t module, version, enrolled;

	if (n < RECORD_MIN_BYTES)
		return ERR_SHORT;
	memset(out, 0, sizeof(*out));
	module = rd_u8(&r);
	version = rd_u8(&r);
	(void)rd_view(&r, 2 + 1 + 7);
	enrolled = rd_u8(&r);
	(void)rd_u8(&r);
	out->node_id = rd_u16(&r);
	out->network_id = rd_u16(&r);
	rd_copy(&r, out->network_key.b, 16);
	rd_copy(&r, out->user_base_key.b, 16);
	rd_copy(&r, out->organization_key.b, 16);
	if (n > RECORD_MIN_BYTES)
		out->enrolled_nodes = rd_u16(&r);
	if (module != RECORD_MODULE_ID || version != RECORD_VERSION)
		return ERR_VERSION;
	if (enrolled > 1 || n > CONFIG_RECORD_BYTES || r.bad)
		return ERR_INVALID;
	out->enrolled = enrolled == 1;
	fill_gaps(id, out);
	return ERR_OK;
}

void config_encode_noinit(
	const struct config *c, const struct identity *id, uint8_t out[CONFIG_NOINIT_BYTES])
{
	struct wr w = wr_init(out, CONFIG_NOINIT_BYTES);

	wr_u8(&w, c->enrolled ? 1 : 0);
	wr_u32(&w, id->serial_index);
	wr_u16(&w, c->node_id);
	wr_u16(&w, c->network_id);
	wr_zero(&w, 16); /* node key: ours stays in UICR */
	wr_bytes(&w, c->network_key.b, 16);
	wr_bytes(&w, c->user_base_key.b, 16);
	wr_bytes(&w, c->organization_key.b, 16);
	wr_u32(&w, crc32_add(0, out, CONFIG_NOINIT_BYTES - 4));
}

enum err config_decode_noinit(const uint8_t in[CONFIG_NOINIT_BYTES], struct config *out)
{
	struct rd r = rd_init(in, CONFIG_NOINIT_BYTES);
	uint8_t enrolled = rd_u8(&r);

	memset(out, 0, sizeof(*out));
	(void)rd_u32(&r);
	out->node_id = rd_u16(&r);
	out->network_id = rd_u16(&r);
	(void)rd_view(&r, 16);
	rd_copy(&r, out->network_key.b, 16);
	rd_copy(&r, out->user_base_key.b, 16);
	rd_copy(&r, out->organization_key.b, 16);
	if (rd_u32(&r) != crc32_add(0, in, CONFIG_NOINIT_BYTES - 4) || enrolled > 1)
		return ERR_INVALID;
	out->enrolled = enrolled == 1;
	return rd_end(&r);
}
