#include "vm/l2cap.h"

void l2cap_reset(struct l2cap_in *in)
{
	in->n = 0;
}

static enum err collect(struct l2cap_in *in, bool is_first, struct span part)
{
	if (is_first)
		in->n = 0;
	else if (in->n == 0)
		return ERR_STATE;
	if (part.n > sizeof(in->b) - in->n)
		return ERR_FULL;
	if (part.n > 0)
		memcpy(in->b + in->n, part.p, part.n);
	in->n += part.n;
	return ERR_OK;
}

static enum err cut(const struct l2cap_in *in, struct l2cap_frame *out)
{
	struct rd r = rd_init(in->b, in->n);
	size_t n = rd_u16(&r);

	out->channel = rd_u16(&r);
	out->data = (struct span){rd_view(&r, n), n};
	if (n > L2CAP_MAX)
		return ERR_FULL;
	return rd_end(&r);
}

enum err l2cap_feed(struct l2cap_in *in, bool is_first, struct span part, struct l2cap_frame *out)
{
	enum err e = collect(in, is_first, part);

	if (e == ERR_OK)
		e = cut(in, out);
	if (e != ERR_SHORT)
		in->n = 0;
	return e;
}

enum err l2cap_encode(
	uint16_t channel, const void *payload, size_t n, void *out, size_t cap, size_t *out_bytes)
{
	struct wr w = wr_init(out, cap);

	wr_u16(&w, (uint16_t)n);
	wr_u16(&w, channel);
	wr_bytes(&w, payload, n);
	*out_bytes = w.len_bytes;
	return wr_end(&w);
}
