#include "mesh/link_dgram.h"

#define FLAG_CONNECTABLE 0x01

static bool has_link(enum link_dgram_type type)
{
	return type != LINK_DGRAM_ADVERT && type != LINK_DGRAM_TIME;
}

static bool is_type(uint8_t type)
{
	return type >= LINK_DGRAM_ADVERT && type <= LINK_DGRAM_TIME;
}

/* Link numbers stand where they mean something, and only there; data has a type's length. */
static enum err check(const struct link_dgram *d)
{
	size_t least = 0, most = 0;

	if (has_link(d->type) != (d->link != 0))
		return ERR_RANGE;
	if (d->type == LINK_DGRAM_WRITE || d->type == LINK_DGRAM_NOTIFY) {
		least = 1;
		most = LINK_PDU_MAX;
	} else if (d->type == LINK_DGRAM_ADVERT) {
		most = LINK_DGRAM_DATA_MAX;
	}
	if (d->data.n < least || d->data.n > most)
		return ERR_RANGE;
	return d->reason < LINK_DOWN_COUNT ? ERR_OK : ERR_RANGE;
}

static void read_addr(struct rd *r, struct link_addr *addr)
{
	addr->type = rd_u8(r);
	rd_copy(r, addr->b, sizeof(addr->b));
}

static enum err read_advert(struct rd *r, struct link_dgram *d)
{
	uint8_t flags;

	read_addr(r, &d->addr);
	d->rssi_dbm = (int8_t)rd_u8(r);
	flags = rd_u8(r);
	d->connectable = (flags & FLAG_CONNECTABLE) != 0;
	d->data = rd_rest(r);
	return flags & ~FLAG_CONNECTABLE ? ERR_RANGE : ERR_OK;
}

static enum err read_body(struct rd *r, struct link_dgram *d)
{
	switch (d->type) {
	case LINK_DGRAM_ADVERT:
		return read_advert(r, d);
	case LINK_DGRAM_CONNECT:
		read_addr(r, &d->addr);
		break;
	case LINK_DGRAM_CONNECTED:
		break;
	case LINK_DGRAM_WRITE:
	case LINK_DGRAM_NOTIFY:
		d->data = rd_rest(r);
		break;
	case LINK_DGRAM_DISCONNECTED:
		d->reason = (enum link_down)rd_u8(r);
		break;
	case LINK_DGRAM_TIME:
		d->now_ms = rd_u64(r);
		break;
	}
	return ERR_OK;
}

enum err link_dgram_decode(const void *bytes, size_t n, struct link_dgram *out)
{
	struct rd r = rd_init(bytes, n);
	struct link_dgram d = {0};
	uint8_t version = rd_u8(&r), type = rd_u8(&r);
	enum err e, end;

	d.link = rd_u16(&r);
	if (r.bad)
		return ERR_SHORT;
	if (version != LINK_DGRAM_VERSION)
		return ERR_VERSION;
	if (!is_type(type))
		return ERR_UNKNOWN;
	d.type = (enum link_dgram_type)type;
	e = read_body(&r, &d);
	end = rd_end(&r);
	if (end != ERR_OK)
		return end;
	if (e == ERR_OK)
		e = check(&d);
	if (e == ERR_OK)
		*out = d;
	return e;
}

static void write_addr(struct wr *w, const struct link_addr *addr)
{
	wr_u8(w, addr->type);
	wr_bytes(w, addr->b, sizeof(addr->b));
}

static void write_body(struct wr *w, const struct link_dgram *d)
{
	switch (d->type) {
	case LINK_DGRAM_ADVERT:
		write_addr(w, &d->addr);
		wr_u8(w, (uint8_t)d->rssi_dbm);
		wr_u8(w, d->connectable ? FLAG_CONNECTABLE : 0);
		wr_bytes(w, d->data.p, d->data.n);
		break;
	case LINK_DGRAM_CONNECT:
		write_addr(w, &d->addr);
		break;
	case LINK_DGRAM_CONNECTED:
		break;
	case LINK_DGRAM_WRITE:
	case LINK_DGRAM_NOTIFY:
		wr_bytes(w, d->data.p, d->data.n);
		break;
	case LINK_DGRAM_DISCONNECTED:
		wr_u8(w, (uint8_t)d->reason);
		break;
	case LINK_DGRAM_TIME:
		wr_u64(w, d->now_ms);
		break;
	}
}

enum err link_dgram_encode(const struct link_dgram *d, uint8_t out[LINK_DGRAM_MAX], size_t *n)
{
	struct wr w = wr_init(out, LINK_DGRAM_MAX);
	enum err e = check(d);

	if (e != ERR_OK)
		return e;
	wr_u8(&w, LINK_DGRAM_VERSION);
	wr_u8(&w, (uint8_t)d->type);
	wr_u16(&w, d->link);
	write_body(&w, d);
	*n = w.len_bytes;
	return wr_end(&w);
}
