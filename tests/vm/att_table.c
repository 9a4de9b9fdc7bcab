#include "vm/att_table.h"

/* Properties in a characteristic's declaration. */
#define READ 0x02
#define WRITE_COMMAND 0x04
#define WRITE 0x08
#define NOTIFY 0x10

#define ACCESS(k) 0x58, 0x18, 0x05, 0xA0, 0x07, 0x0C, 0xFD, 0x93, 0x3C, 0x42, 0xCE, 0xAC, k, 0, 0, 0
#define MESH(k) 0x23, 0xD1, 0xBC, 0xEA, 0x5F, 0x78, 0x23, 0x15, 0xDE, 0xEF, 0x12, 0x12, k
#define UUID16(v) (v) & 0xFF, (v) >> 8
#define BYTES(...)                                                                     \
	{                                                                              \
		(const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}) \
	}
#define SERVICE(...)                                                                    \
	{                                                                               \
		ATT_UUID_PRIMARY, NULL, BYTES(__VA_ARGS__), ATT_MAY_READ, ATT_ROLE_NONE \
	}
/* The value's handle follows the declaration's. */
#define DECLARES(handle, properties, ...)                                                      \
	{                                                                                      \
		ATT_UUID_CHARACTERISTIC, NULL, BYTES(properties, UUID16(handle), __VA_ARGS__), \
			ATT_MAY_READ, ATT_ROLE_NONE                                            \
	}
#define CCCD(role)                                                                   \
	{                                                                            \
		ATT_UUID_CCCD, NULL, BYTES(0, 0), ATT_MAY_READ | ATT_MAY_WRITE, role \
	}

static const uint8_t rx_uuid[] = {ACCESS(2)}, tx_uuid[] = {ACCESS(3)};
static const uint8_t mesh_uuid[] = {MESH(0x24), 0x15, 0, 0};

static const struct att_row rows[] = {
	SERVICE(UUID16(0x1800)), /* 1 */
	DECLARES(3, READ, UUID16(0x2A00)),
	{0x2A00, NULL, BYTES('F', 'R', 'U', 'I', 'T', 'Y'), ATT_MAY_READ, ATT_ROLE_NONE},
	DECLARES(5, READ, UUID16(0x2A01)),
	{0x2A01, NULL, BYTES(0, 0), ATT_MAY_READ, ATT_ROLE_NONE},
	SERVICE(UUID16(0x1801)),   /* 6 */
	SERVICE(MESH(0), 0, 0, 0), /* 7 */
	DECLARES(9, READ | WRITE_COMMAND | WRITE | NOTIFY, MESH(0x24), 0x15, 0, 0),
	{0, mesh_uuid, {NULL, 0}, ATT_MAY_READ | ATT_MAY_WRITE | ATT_NEEDS_ENCRYPTION,
		ATT_ROLE_NONE},
	CCCD(ATT_ROLE_NONE),
	SERVICE(ACCESS(1)), /* 11 */
	DECLARES(13, WRITE_COMMAND | WRITE, ACCESS(2)),
	{0, rx_uuid, {NULL, 0}, ATT_MAY_WRITE, ATT_ROLE_RX},
	DECLARES(15, READ | NOTIFY, ACCESS(3)),
	{0, tx_uuid, {NULL, 0}, ATT_MAY_READ, ATT_ROLE_TX},
	CCCD(ATT_ROLE_TX_CCCD),
};

uint16_t att_table_last(void)
{
	return sizeof(rows) / sizeof(rows[0]);
}

const struct att_row *att_table_row(uint16_t handle)
{
	return handle >= 1 && handle <= att_table_last() ? &rows[handle - 1] : NULL;
}

struct span att_table_uuid(const struct att_row *row, uint8_t short_bytes[2])
{
	struct wr w = wr_init(short_bytes, 2);

	if (row->uuid_128)
		return (struct span){row->uuid_128, 16};
	wr_u16(&w, row->uuid);
	return (struct span){short_bytes, 2};
}

bool att_table_is(const struct att_row *row, struct span uuid)
{
	uint8_t b[2];
	struct span own = att_table_uuid(row, b);

	return own.n == uuid.n && memcmp(own.p, uuid.p, own.n) == 0;
}

uint16_t att_table_group_end(uint16_t handle)
{
	while (handle < att_table_last() && rows[handle].uuid != ATT_UUID_PRIMARY)
		handle++;
	return handle;
}
