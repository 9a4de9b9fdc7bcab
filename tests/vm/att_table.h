/* The attributes of a node (mesh-protocol §2.1): handle k is row k - 1. */
#ifndef VM_ATT_TABLE_H
#define VM_ATT_TABLE_H

#include "enr/bytes.h"

enum { ATT_UUID_PRIMARY = 0x2800, ATT_UUID_CHARACTERISTIC = 0x2803, ATT_UUID_CCCD = 0x2902 };

enum att_access {
	ATT_MAY_READ = 1,
	ATT_MAY_WRITE = 2,
	ATT_NEEDS_ENCRYPTION = 4 /* which no link has here */
};

enum att_role { ATT_ROLE_NONE, ATT_ROLE_RX, ATT_ROLE_TX, ATT_ROLE_TX_CCCD };

struct att_row {
	uint16_t uuid;           /* short one, or 0 */
	const uint8_t *uuid_128; /* long one, lowest byte first, or NULL */
	struct span value;
	uint8_t access; /* enum att_access */
	enum att_role role;
};

uint16_t att_table_last(void); /* the highest handle */
/* NULL: there is no such handle. */
const struct att_row *att_table_row(uint16_t handle);
/* The type of a row as it stands in answers: 2 or 16 bytes, lowest first. */
struct span att_table_uuid(const struct att_row *row, uint8_t short_bytes[2]);
bool att_table_is(const struct att_row *row, struct span uuid);
/* The last handle of the service that begins at this one. */
uint16_t att_table_group_end(uint16_t handle);

#endif
