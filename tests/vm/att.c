#include "vm/att.h"

#include "vm/att_table.h"

enum {
	OP_ERROR = 0x01,
	OP_MTU = 0x02,
	OP_FIND_INFORMATION = 0x04,
	OP_FIND_BY_VALUE = 0x06,
	OP_READ_BY_TYPE = 0x08,
	OP_READ = 0x0A,
	OP_READ_BLOB = 0x0C,
	OP_READ_BY_GROUP = 0x10,
	OP_WRITE = 0x12,
	OP_NOTIFICATION = 0x1B,
	OP_COMMAND_BIT = 0x40,
	OP_CONFIRMATION = 0x1E,
	OP_WRITE_COMMAND = 0x52
};

/* A request while it is answered. */
struct job {
	struct att_server *s;
	struct span pdu;
	struct rd r; /* behind the opcode */
	struct att_result *out;
	struct wr w; /* the answer, not longer than the MTU */
};

void att_reset(struct att_server *s)
{
	*s = (struct att_server){.mtu = ATT_MTU_DEFAULT};
}

void att_refuse(const void *request, size_t n, uint8_t code, struct att_result *out)
{
	struct rd r = rd_init(request, n);
	struct wr w = wr_init(out->answer, sizeof(out->answer));

	wr_u8(&w, OP_ERROR);
	wr_u8(&w, rd_u8(&r));
	wr_u16(&w, rd_u16(&r)); /* the handle in question, which comes first where there is one */
	wr_u8(&w, code);
	out->answer_bytes = w.len_bytes;
	out->what = ATT_NOTHING;
}

static void refuse(struct job *j, uint8_t code)
{
	att_refuse(j->pdu.p, j->pdu.n, code, j->out);
}

static void answer(struct job *j)
{
	j->out->answer_bytes = j->w.len_bytes;
}

/* --- lists --------------------------------------------------------------------------------- */

struct range {
	uint16_t first, last;
};

/* False: the range is none, and that is answered. */
static bool read_range(struct job *j, struct range *out)
{
	out->first = rd_u16(&j->r);
	out->last = rd_u16(&j->r);
	if (j->r.bad)
		refuse(j, ATT_INVALID_PDU);
	else if (out->first == 0 || out->first > out->last)
		refuse(j, ATT_INVALID_HANDLE);
	else
		return true;
	return false;
}

static uint16_t end_of(const struct range *range)
{
	return range->last < att_table_last() ? range->last : att_table_last();
}

static bool is_full(const struct job *j, size_t more)
{
	return j->w.cap_bytes - j->w.len_bytes < more;
}

static size_t at_most(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void take_mtu(struct job *j)
{
	uint16_t theirs = rd_u16(&j->r);

	if (rd_end(&j->r) != ERR_OK) {
		refuse(j, ATT_INVALID_PDU);
		return;
	}
	wr_u8(&j->w, OP_MTU + 1);
	wr_u16(&j->w, ATT_MTU_NODE);
	answer(j);
	j->s->mtu = theirs < ATT_MTU_NODE ? theirs : ATT_MTU_NODE;
	if (j->s->mtu < ATT_MTU_DEFAULT)
		j->s->mtu = ATT_MTU_DEFAULT;
	j->out->what = ATT_MTU;
}

/* Handle and type of each attribute, as long as types are equally long. */
static void take_find_information(struct job *j)
{
	struct range range;
	size_t each = 0;

	if (!read_range(j, &range))
		return;
	wr_u8(&j->w, OP_FIND_INFORMATION + 1);
	for (uint16_t h = range.first; h <= end_of(&range); h++) {
		uint8_t b[2];
		struct span uuid = att_table_uuid(att_table_row(h), b);

		if (each == 0)
			wr_u8(&j->w, uuid.n == 2 ? 1 : 2);
		if ((each != 0 && each != uuid.n) || is_full(j, 2 + uuid.n))
			break;
		each = uuid.n;
		wr_u16(&j->w, h);
		wr_bytes(&j->w, uuid.p, uuid.n);
	}
	if (each == 0)
		refuse(j, ATT_NOT_FOUND);
	else
		answer(j);
}

static bool has_value(const struct att_row *row, struct span value)
{
	return row->value.n == value.n &&
	       (value.n == 0 || memcmp(row->value.p, value.p, value.n) == 0);
}

/* Services with this UUID: first and last handle of each. */
static void take_find_by_value(struct job *j)
{
	struct range range;
	struct span value;
	uint16_t type;

	if (!read_range(j, &range))
		return;
	type = rd_u16(&j->r);
	value = rd_rest(&j->r);
	wr_u8(&j->w, OP_FIND_BY_VALUE + 1);
	for (uint16_t h = range.first; h <= end_of(&range) && !is_full(j, 4); h++) {
		const struct att_row *row = att_table_row(h);

		if (row->uuid != type || type != ATT_UUID_PRIMARY || !has_value(row, value))
			continue;
		wr_u16(&j->w, h);
		wr_u16(&j->w, att_table_group_end(h));
	}
	if (j->w.len_bytes == 1)
		refuse(j, ATT_NOT_FOUND);
	else
		answer(j);
}

/* What reading this row is answered with, or 0. */
static uint8_t read_error(const struct att_row *row)
{
	if (!(row->access & ATT_MAY_READ))
		return ATT_READ_NOT_PERMITTED;
	return row->access & ATT_NEEDS_ENCRYPTION ? ATT_NOT_AUTHENTICATED : 0;
}

/* One element of Read By Type or Read By Group Type. False: it does not fit, or is not like those
 * before it. */
static bool list_value(struct job *j, size_t *each, uint16_t h, bool is_group)
{
	const struct att_row *row = att_table_row(h);
	size_t head = is_group ? 4 : 2;
	size_t n = at_most(row->value.n, j->w.cap_bytes - 2 - head);

	if (*each == 0)
		wr_u8(&j->w, (uint8_t)(head + n));
	else if (*each != head + n)
		return false;
	if (is_full(j, head + n))
		return false;
	*each = head + n;
	wr_u16(&j->w, h);
	if (is_group)
		wr_u16(&j->w, att_table_group_end(h));
	wr_bytes(&j->w, row->value.p, n);
	return true;
}

static void list_values(struct job *j, const struct range *range, struct span uuid, bool is_group)
{
	size_t each = 0;

	for (uint16_t h = range->first; h <= end_of(range); h++) {
		const struct att_row *row = att_table_row(h);
		uint8_t error = read_error(row);

		if (!att_table_is(row, uuid))
			continue;
		if (error && each == 0) {
			refuse(j, error);
			return;
		}
		if (error || !list_value(j, &each, h, is_group))
			break;
	}
	if (each == 0)
		refuse(j, ATT_NOT_FOUND);
	else
		answer(j);
}

static void take_read_by_type(struct job *j)
{
	static const uint8_t characteristic[2] = {
		ATT_UUID_CHARACTERISTIC & 0xFF, ATT_UUID_CHARACTERISTIC >> 8};
	struct range range;
	struct span uuid;

	if (!read_range(j, &range))
		return;
	uuid = rd_rest(&j->r);
	if (uuid.n != 2 && uuid.n != 16) {
		refuse(j, ATT_INVALID_PDU);
		return;
	}
	if (uuid.n == 2 && memcmp(uuid.p, characteristic, 2) == 0)
		j->out->what = ATT_LOOK_INTO;
	wr_u8(&j->w, OP_READ_BY_TYPE + 1);
	list_values(j, &range, uuid, false);
}

static void take_read_by_group(struct job *j)
{
	static const uint8_t primary[2] = {ATT_UUID_PRIMARY & 0xFF, ATT_UUID_PRIMARY >> 8};
	struct range range;
	struct span uuid;

	if (!read_range(j, &range))
		return;
	j->out->what = ATT_DISCOVER;
	uuid = rd_rest(&j->r);
	wr_u8(&j->w, OP_READ_BY_GROUP + 1);
	if (uuid.n == 2 && memcmp(uuid.p, primary, 2) == 0)
		list_values(j, &range, uuid, true);
	else
		refuse(j, ATT_UNSUPPORTED_GROUP);
}

/* --- one value ----------------------------------------------------------------------------- */

static struct span value_of(const struct job *j, const struct att_row *row, uint8_t cccd[2])
{
	cccd[0] = j->s->subscribed;
	cccd[1] = 0;
	return row->role == ATT_ROLE_TX_CCCD ? (struct span){cccd, 2} : row->value;
}

static void read_value(struct job *j, uint16_t handle, size_t offset)
{
	const struct att_row *row = att_table_row(handle);
	uint8_t error = row ? read_error(row) : ATT_INVALID_HANDLE, cccd[2];
	struct span value = {NULL, 0};

	if (!error) {
		value = value_of(j, row, cccd);
		error = offset > value.n ? ATT_INVALID_OFFSET : 0;
	}
	if (error) {
		refuse(j, error);
		return;
	}
	if (value.n > offset)
		wr_bytes(&j->w, value.p + offset, at_most(value.n - offset, j->w.cap_bytes - 1));
	answer(j);
}

static void take_read(struct job *j)
{
	uint16_t handle = rd_u16(&j->r);

	wr_u8(&j->w, OP_READ + 1);
	if (rd_end(&j->r) != ERR_OK)
		refuse(j, ATT_INVALID_PDU);
	else
		read_value(j, handle, 0);
}

static void take_read_blob(struct job *j)
{
	uint16_t handle = rd_u16(&j->r), offset = rd_u16(&j->r);

	wr_u8(&j->w, OP_READ_BLOB + 1);
	if (rd_end(&j->r) != ERR_OK)
		refuse(j, ATT_INVALID_PDU);
	else
		read_value(j, handle, offset);
}

/* What writing this row is answered with, or 0. */
static uint8_t write_error(const struct att_row *row, struct span value)
{
	if (!row)
		return ATT_INVALID_HANDLE;
	if (!(row->access & ATT_MAY_WRITE))
		return ATT_WRITE_NOT_PERMITTED;
	if (row->access & ATT_NEEDS_ENCRYPTION)
		return ATT_NOT_AUTHENTICATED;
	return row->uuid == ATT_UUID_CCCD && value.n != 2 ? ATT_INVALID_LENGTH : 0;
}

static void write_value(struct job *j, const struct att_row *row, struct span value)
{
	if (row->role == ATT_ROLE_RX) {
		j->out->what = ATT_WRITE;
		j->out->written = value;
	} else if (row->role == ATT_ROLE_TX_CCCD) {
		j->s->subscribed = (value.p[0] & 1) != 0;
		j->out->what = j->s->subscribed ? ATT_SUBSCRIBE : ATT_UNSUBSCRIBE;
	}
}

static void take_write(struct job *j)
{
	const struct att_row *row = att_table_row(rd_u16(&j->r));
	bool is_short = j->r.bad;
	struct span value = rd_rest(&j->r);
	uint8_t error = is_short ? ATT_INVALID_PDU : write_error(row, value);

	if (error) {
		refuse(j, error);
		return;
	}
	wr_u8(&j->w, OP_WRITE + 1);
	answer(j);
	write_value(j, row, value);
}

static void take_write_command(struct job *j)
{
	const struct att_row *row = att_table_row(rd_u16(&j->r));
	bool is_short = j->r.bad;
	struct span value = rd_rest(&j->r);

	if (!is_short && !write_error(row, value) && row->role == ATT_ROLE_RX)
		write_value(j, row, value);
}

/* --- all of them --------------------------------------------------------------------------- */

static const struct {
	uint8_t opcode;
	void (*take)(struct job *j);
} takers[] = {
	{OP_MTU, take_mtu},
	{OP_FIND_INFORMATION, take_find_information},
	{OP_FIND_BY_VALUE, take_find_by_value},
	{OP_READ_BY_TYPE, take_read_by_type},
	{OP_READ, take_read},
	{OP_READ_BLOB, take_read_blob},
	{OP_READ_BY_GROUP, take_read_by_group},
	{OP_WRITE, take_write},
	{OP_WRITE_COMMAND, take_write_command},
};

void att_take(struct att_server *s, const void *pdu, size_t n, struct att_result *out)
{
	struct job j = {.s = s, .pdu = {pdu, n}, .r = rd_init(pdu, n), .out = out};
	uint8_t opcode = rd_u8(&j.r);

	memset(out, 0, sizeof(*out));
	j.w = wr_init(out->answer, at_most(s->mtu, sizeof(out->answer)));
	if (n == 0)
		return;
	for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++) {
		if (takers[i].opcode != opcode)
			continue;
		takers[i].take(&j);
		return;
	}
	if (!(opcode & OP_COMMAND_BIT) && opcode != OP_CONFIRMATION)
		refuse(&j, ATT_NOT_SUPPORTED);
}

size_t att_notification(const struct att_server *s, const void *p, size_t n, uint8_t *out)
{
	struct wr w = wr_init(out, at_most(s->mtu, ATT_MTU_NODE));
	uint16_t handle = 1;

	while (att_table_row(handle)->role != ATT_ROLE_TX)
		handle++;
	wr_u8(&w, OP_NOTIFICATION);
	wr_u16(&w, handle);
	wr_bytes(&w, p, at_most(n, w.cap_bytes - w.len_bytes));
	return w.len_bytes;
}
