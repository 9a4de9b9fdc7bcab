/* Frames at the service's end of a channel, one after the other: each begins with its length, u16.
 * The session is 64 and 32 bytes of 0x07. No counter may pass twice. */
#include <stdlib.h>

#include "base/crypto_openssl.h"
#include "enr/channel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void receive(const struct crypto *c, struct enr_channel *ch, struct span in)
{
	uint8_t plain[ENR_CHANNEL_PLAIN_MAX];
	struct enr_channel before = *ch;
	struct enr_channel_frame f;
	struct enr_channel_plain p;
	enum err e;

	if (enr_channel_decode(in, &f) != ERR_OK)
		return;
	e = enr_channel_open(c, ch, &f, plain);
	if (e != ERR_OK && memcmp(&before, ch, sizeof(before)) != 0)
		abort();
	if (e != ERR_OK)
		return;
	if (enr_channel_open(c, ch, &f, plain) != ERR_CONFLICT)
		abort();
	(void)!enr_channel_plain_decode((struct span){plain, f.ciphertext.n}, &p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct crypto *c = crypto_default();
	struct rd r = rd_init(data, size);
	struct x3dh_session s;
	struct enr_channel ch;

	memset(&s, 7, sizeof(s));
	if (enr_channel_init(c, ENR_SERVICE, &s, &ch) != ERR_OK)
		abort();
	while (!r.bad && r.left_bytes > 0) {
		size_t n = rd_u16(&r);
		const uint8_t *p = rd_view(&r, n);

		if (p)
			receive(c, &ch, (struct span){p, n});
	}
	return 0;
}
