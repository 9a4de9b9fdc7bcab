/* Runs every case of key-derivation.json: user, restrained and session keys, and refused key ids.
 */
#include "base/crypto_openssl.h"
#include "core/meshsec_crypt.h"

#include "support/vectors.h"
#include "unit/suite.h"

static struct secret16 key_of(const json_t *c, const char *name)
{
	struct secret16 key;

	vectors_hex_exact(c, name, key.b, sizeof(key.b));
	return key;
}

/*
 * The derivation itself is the reference's. By rule (mesh-protocol §11.2) we refuse to use it on a
 * base key of all 00 or FF, which everybody knows; the reference does not.
 */
START_TEST(derives_every_user_key)
{
	const struct aes128 *aes = aes128_default();
	json_t *root = vectors_load("key-derivation.json"), *c;
	size_t i;

	json_array_foreach(vectors_array(root, "userDerived"), i, c)
	{
		struct secret16 base = key_of(c, "userBaseKey"), out;
		struct secret16 want = key_of(c, "derivedKey_GenerateSessionKey");
		uint32_t n = (uint32_t)vectors_uint(c, "fmKeyId");

		ck_assert_int_eq(meshsec_crypt_user(aes, &base, n, &out), ERR_OK);
		ck_assert_mem_eq(out.b, want.b, 16);
		ck_assert_int_eq(meshsec_user_key(aes, &base, n, &out),
			secret16_is_unset(&base) ? ERR_KEY : ERR_OK);
		ck_assert_mem_eq(out.b, want.b, 16);
	}
	vectors_ran("userDerived", i);
	json_decref(root);
}
END_TEST

START_TEST(derives_every_restrained_key)
{
	const struct aes128 *aes = aes128_default();
	json_t *root = vectors_load("key-derivation.json"), *c;
	size_t i;

	json_array_foreach(vectors_array(root, "restrained"), i, c)
	{
		struct secret16 node = key_of(c, "nodeKey"), want = key_of(c, "restrainedKey"), out;

		ck_assert_int_eq(meshsec_crypt_restrained(aes, &node, &out), ERR_OK);
		ck_assert_mem_eq(out.b, want.b, 16);
		ck_assert_int_eq(meshsec_restrained_key(aes, &node, &out),
			secret16_is_unset(&node) ? ERR_KEY : ERR_OK);
	}
	vectors_ran("restrained", i);
	json_decref(root);
}
END_TEST

START_TEST(derives_every_session_key)
{
	const struct aes128 *aes = aes128_default();
	json_t *root = vectors_load("key-derivation.json"), *c;
	size_t i;

	json_array_foreach(vectors_array(root, "sessionKeys"), i, c)
	{
		struct secret16 ltk = key_of(c, "longTermKey"), want = key_of(c, "sessionKey");
		uint8_t nonce[MESHSEC_NONCE_BYTES], clear[16], block[16];
		struct meshsec_dir dir;

		vectors_hex_exact(c, "nonce", nonce, sizeof(nonce));
		vectors_hex_exact(c, "cleartext", clear, sizeof(clear));
		ck_assert_int_eq(meshsec_crypt_dir(aes, &ltk,
					 (uint16_t)vectors_uint(c, "centralNodeId"), nonce, &dir),
			ERR_OK);
		ck_assert_mem_eq(dir.key.b, want.b, 16);
		ck_assert_int_eq(aes->encrypt(aes->ctx, &ltk, clear, block), ERR_OK);
		ck_assert_mem_eq(block, want.b, 16);
	}
	vectors_ran("sessionKeys", i);
	json_decref(root);
}
END_TEST

/* Key id 0 is the caller's decision; all the others end the link at START. */
START_TEST(refuses_every_invalid_key_id)
{
	json_t *root = vectors_load("key-derivation.json"), *c;
	size_t i;

	json_array_foreach(vectors_array(root, "invalidKeyIds"), i, c)
	{
		uint32_t id = (uint32_t)vectors_uint(c, "fmKeyId");
		const uint8_t start[] = {25, 1, 0, 0, 0, 1, (uint8_t)id, (uint8_t)(id >> 8),
			(uint8_t)(id >> 16), (uint8_t)(id >> 24), 0};
		const struct secret16 base = {{1}};
		struct secret16 out;
		struct meshsec s;
		struct meshsec_event ev;

		ck_assert(!vectors_bool(c, "Node_GetKey_valid"));
		ck_assert_int_eq(meshsec_user_key(aes128_default(), &base, id, &out), ERR_RANGE);
		meshsec_init(&s, aes128_default(), MESHSEC_PERIPHERAL, 2);
		meshsec_receive(&s, start, sizeof(start), &ev);
		if (id == MESHSEC_KEY_ZERO) {
			ck_assert_int_eq(ev.type, MESHSEC_EVENT_START);
			continue;
		}
		ck_assert_int_eq(ev.type, MESHSEC_EVENT_CLOSE);
		ck_assert_int_eq(ev.reason, MESHSEC_REASON_INVALID_KEY);
	}
	vectors_ran("invalidKeyIds", i);
	json_decref(root);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, derives_every_user_key);
	tcase_add_test(tc, derives_every_restrained_key);
	tcase_add_test(tc, derives_every_session_key);
	tcase_add_test(tc, refuses_every_invalid_key_id);
}

int main(void)
{
	return suite_main("vec_keys", fill);
}
