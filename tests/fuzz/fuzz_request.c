/* What any stranger can send: a request, through to the refusal or acceptance of its message. */
#include <stdlib.h>

#include "base/crypto_openssl.h"
#include "enr/enrollmsg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct secret32 ik = {{1}}, spk = {{2}}, opk = {{3}};
	static const struct public32 eik = {{9}};
	const struct x3dh_service keys = {&ik, &spk, &opk, &eik};
	const struct x3dh_context ctx = {x3dh_info(), {(const uint8_t *)"addr", 4}};
	struct x3dh_message m;
	struct x3dh_session s;
	struct span in;

	if (enrollmsg_request_decode((struct span){data, size}, &in) != ERR_OK)
		return 0;
	if (size != ENROLLMSG_REQUEST_BYTES || in.p != data + 1)
		abort();
	if (x3dh_parse(in, &m) != X3DH_ACCEPT)
		return 0;
	if (x3dh_open(crypto_default(), &ctx, &keys, &m, &s) == X3DH_ACCEPT &&
		xeddsa_public_check(&s.ik_b) != ERR_OK)
		abort();
	return 0;
}
