/* What any stranger can send back to an enrollee. The session is 64 and 32 bytes of 0x07. */
#include <stdlib.h>

#include "base/crypto_openssl.h"
#include "enr/enrollmsg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct crypto *c = crypto_default();
	struct enrollmsg_answer answer;
	struct x3dh_session s;
	uint8_t out[ENROLLMSG_ANSWER_MAX];
	size_t n;

	memset(&s, 7, sizeof(s));
	if (enrollmsg_answer_open(c, &s, (struct span){data, size}, &answer) != ERR_OK)
		return 0;
	if (enrollmsg_answer_seal(c, &s, &answer, out, &n) != ERR_OK || n != size ||
		memcmp(out, data, n) != 0)
		abort();
	return 0;
}
