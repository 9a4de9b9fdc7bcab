/* A bundle, as bytes and as text. What decodes has one encoding: the input. */
#include <stdlib.h>

#include "base/crypto_openssl.h"
#include "enr/enrollmsg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const struct enrollmsg_bundle *b)
{
	char text[ENROLLMSG_BUNDLE_TEXT_MAX];
	uint8_t frame[ENROLLMSG_BUNDLE_MAX];
	struct enrollmsg_bundle back;

	if (enrollmsg_bundle_print(b, text, sizeof(text)) != ERR_OK ||
		enrollmsg_bundle_parse(text, strlen(text), frame, &back) != ERR_OK ||
		back.addr.n != b->addr.n || memcmp(back.addr.p, b->addr.p, b->addr.n) != 0)
		abort();
}

static void check_bytes(struct span in)
{
	struct enrollmsg_bundle b;
	uint8_t out[ENROLLMSG_BUNDLE_MAX];
	size_t n;

	if (enrollmsg_bundle_decode(in, &b) != ERR_OK)
		return;
	if (enrollmsg_bundle_encode(&b, out, sizeof(out), &n) != ERR_OK || n != in.n ||
		memcmp(out, in.p, n) != 0)
		abort();
	check_text(&b);
	(void)!enrollmsg_bundle_check(crypto_default(), &b);
}

static void check_as_text(const char *text, size_t chars)
{
	uint8_t frame[ENROLLMSG_BUNDLE_MAX];
	struct enrollmsg_bundle b;
	char out[ENROLLMSG_BUNDLE_TEXT_MAX];

	if (enrollmsg_bundle_parse(text, chars, frame, &b) != ERR_OK)
		return;
	if (enrollmsg_bundle_print(&b, out, sizeof(out)) != ERR_OK || strlen(out) != chars ||
		memcmp(out, text, chars) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_bytes((struct span){data, size});
	check_as_text((const char *)data, size);
	return 0;
}
