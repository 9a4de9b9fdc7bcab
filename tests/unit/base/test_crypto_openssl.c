#include "base/crypto_openssl.h"

#include <pthread.h>

#include "unit/suite.h"

static void unhex(const char *text, uint8_t *out)
{
	for (; text[0] && text[1]; text += 2) {
		unsigned v = 0;

		for (int i = 0; i < 2; i++)
			v = v << 4 |
			    (unsigned)(text[i] <= '9' ? text[i] - '0' : text[i] - 'a' + 10);
		*out++ = (uint8_t)v;
	}
}

static void check_hex(const uint8_t *got, const char *want)
{
	uint8_t bytes[256];

	unhex(want, bytes);
	ck_assert_mem_eq(got, bytes, strlen(want) / 2);
}

START_TEST(hashes_parts_as_one_message)
{
	const struct crypto *c = crypto_default();
	const struct span parts[] = {
		{(const uint8_t *)"a", 1}, {NULL, 0}, {(const uint8_t *)"bc", 2}};
	uint8_t out[64];

	ck_assert_int_eq(c->sha256(c->ctx, parts, 3, out), ERR_OK);
	check_hex(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	ck_assert_int_eq(c->sha512(c->ctx, parts, 3, out), ERR_OK);
	check_hex(out, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
		       "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
	ck_assert_int_eq(c->sha256(c->ctx, NULL, 0, out), ERR_OK);
	check_hex(out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}
END_TEST

/* RFC 5869, A.1 to A.3. */
START_TEST(hkdf_gives_the_rfc_examples)
{
	const struct crypto *c = crypto_default();
	uint8_t ikm[80], salt[80], info[80], out[82];

	memset(ikm, 0x0b, 22);
	unhex("000102030405060708090a0b0c", salt);
	unhex("f0f1f2f3f4f5f6f7f8f9", info);
	ck_assert_int_eq(c->hkdf_sha256(c->ctx, (struct span){salt, 13}, (struct span){ikm, 22},
				 (struct span){info, 10}, out, 42),
		ERR_OK);
	check_hex(out, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
		       "34007208d5b887185865");
	for (uint8_t i = 0; i < 80; i++) {
		ikm[i] = i;
		salt[i] = (uint8_t)(0x60 + i);
		info[i] = (uint8_t)(0xb0 + i);
	}
	ck_assert_int_eq(c->hkdf_sha256(c->ctx, (struct span){salt, 80}, (struct span){ikm, 80},
				 (struct span){info, 80}, out, 82),
		ERR_OK);
	check_hex(out, "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
		       "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
		       "cc30c58179ec3e87c14c01d5c1f3434f1d87");
	memset(ikm, 0x0b, 22);
	ck_assert_int_eq(c->hkdf_sha256(c->ctx, (struct span){NULL, 0}, (struct span){ikm, 22},
				 (struct span){NULL, 0}, out, 42),
		ERR_OK);
	check_hex(out, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
		       "9d201395faa4b61a96c8");
}
END_TEST

START_TEST(hkdf_has_an_end)
{
	const struct crypto *c = crypto_default();
	static uint8_t out[255 * 32 + 1];
	const struct span none = {NULL, 0};

	ck_assert_int_eq(c->hkdf_sha256(c->ctx, none, none, none, out, sizeof(out) - 1), ERR_OK);
	ck_assert_int_eq(c->hkdf_sha256(c->ctx, none, none, none, out, sizeof(out)), ERR_RANGE);
}
END_TEST

/* RFC 7748 §5.2: the first vector, the first iteration. */
START_TEST(x25519_gives_the_rfc_examples)
{
	const struct crypto *c = crypto_default();
	struct secret32 k, out;
	struct public32 u;

	unhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4", k.b);
	unhex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c", u.b);
	ck_assert_int_eq(c->x25519(c->ctx, &k, &u, &out), ERR_OK);
	check_hex(out.b, "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
	memset(&k, 0, sizeof(k));
	memset(&u, 0, sizeof(u));
	k.b[0] = u.b[0] = 9;
	ck_assert_int_eq(c->x25519(c->ctx, &k, &u, &out), ERR_OK);
	check_hex(out.b, "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
}
END_TEST

/* The GCM specification's test cases 13, 14 and 16. */
START_TEST(gcm_gives_the_specifications_examples)
{
	const struct crypto *c = crypto_default();
	struct secret32 key = {{0}};
	uint8_t nonce[12] = {0}, in[64] = {0}, aad[20], out[64], tag[16];
	const struct span none = {NULL, 0};

	ck_assert_int_eq(c->gcm_seal(c->ctx, &key, nonce, none, none, out, tag), ERR_OK);
	check_hex(tag, "530f8afbc74536b9a963b4f1c4cb738b");
	ck_assert_int_eq(
		c->gcm_seal(c->ctx, &key, nonce, none, (struct span){in, 16}, out, tag), ERR_OK);
	check_hex(out, "cea7403d4d606b6e074ec5d3baf39d18");
	check_hex(tag, "d0d1c8a799996bf0265b98b5d48ab919");
	unhex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", key.b);
	unhex("cafebabefacedbaddecaf888", nonce);
	unhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	      "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
		in);
	unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2", aad);
	ck_assert_int_eq(c->gcm_seal(c->ctx, &key, nonce, (struct span){aad, 20},
				 (struct span){in, 60}, out, tag),
		ERR_OK);
	check_hex(out, "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
		       "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662");
	check_hex(tag, "76fc6ece0f4e1768cddf8853bb2d551b");
}
END_TEST

START_TEST(gcm_opens_in_place_and_leaves_nothing_of_what_is_forged)
{
	const struct crypto *c = crypto_default();
	struct secret32 key = {{7}};
	const uint8_t nonce[12] = {1};
	uint8_t text[40], tag[16];
	const struct span aad = {nonce, 12}, in = {text, 40};

	memset(text, 0x61, sizeof(text));
	ck_assert_int_eq(c->gcm_seal(c->ctx, &key, nonce, aad, in, text, tag), ERR_OK);
	ck_assert(!bytes_are_ct(text, 40, 0x61));
	ck_assert_int_eq(c->gcm_open(c->ctx, &key, nonce, aad, in, tag, text), ERR_OK);
	ck_assert(bytes_are_ct(text, 40, 0x61));
	ck_assert_int_eq(c->gcm_seal(c->ctx, &key, nonce, aad, in, text, tag), ERR_OK);
	tag[15] ^= 1;
	ck_assert_int_eq(c->gcm_open(c->ctx, &key, nonce, aad, in, tag, text), ERR_AUTH);
	ck_assert(bytes_are_ct(text, 40, 0));
}
END_TEST

/* FIPS 197, C.1. */
START_TEST(aes128_gives_the_standards_example)
{
	const struct aes128 *a = aes128_default();
	struct secret16 key;
	uint8_t in[16], out[16];

	unhex("000102030405060708090a0b0c0d0e0f", key.b);
	unhex("00112233445566778899aabbccddeeff", in);
	ck_assert_int_eq(a->encrypt(a->ctx, &key, in, out), ERR_OK);
	check_hex(out, "69c4e0d86a7b0430d8cdb78070b4c55a");
	ck_assert_int_eq(a->encrypt(a->ctx, &key, in, in), ERR_OK);
	ck_assert_mem_eq(in, out, 16);
}
END_TEST

/* RFC 8032 §7.1, test 2; and s + q. */
START_TEST(ed25519_verification_is_strict)
{
	const struct crypto *c = crypto_default();
	uint8_t pub[32], sig[64], text = 0x72, zero[32] = {0};

	unhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", pub);
	unhex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
	      "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
		sig);
	ck_assert_int_eq(c->ed_verify(c->ctx, pub, (struct span){&text, 1}, sig), ERR_OK);
	ck_assert_int_eq(c->ed_verify(c->ctx, pub, (struct span){NULL, 0}, sig), ERR_AUTH);
	ck_assert_int_eq(c->ed_verify(c->ctx, zero, (struct span){&text, 1}, sig), ERR_AUTH);
	sig[63] |= 0x10; /* s + 2^252 > q */
	ck_assert_int_eq(c->ed_verify(c->ctx, pub, (struct span){&text, 1}, sig), ERR_AUTH);
}
END_TEST

START_TEST(scalars_keep_their_laws)
{
	const struct crypto *c = crypto_default();

	for (int i = 0; i < 100; i++) {
		struct secret32 a, minus, one = {{1}}, zero;
		uint8_t wide[64];

		ck_assert_int_eq(c->random(c->ctx, wide, sizeof(wide)), ERR_OK);
		c->scalar_reduce(c->ctx, wide, &a);
		c->scalar_negate(c->ctx, &a, &minus);
		c->scalar_muladd(c->ctx, &a, &one, &minus, &zero);
		ck_assert(bytes_are_ct(zero.b, 32, 0));
		ck_assert_int_eq(c->ed_base(c->ctx, &zero, wide), ERR_CRYPTO);
	}
}
END_TEST

START_TEST(random_bytes_differ)
{
	const struct crypto *c = crypto_default();
	uint8_t a[1000] = {0}, b[1000] = {0};

	ck_assert_int_eq(c->random(c->ctx, a, sizeof(a)), ERR_OK);
	ck_assert_int_eq(c->random(c->ctx, b, sizeof(b)), ERR_OK);
	ck_assert(memcmp(a, b, sizeof(a)) != 0);
	ck_assert(!bytes_are_ct(a + 900, 100, 0));
	ck_assert_int_eq(c->random(c->ctx, a, 0), ERR_OK);
}
END_TEST

static void *seal_many(void *arg)
{
	const struct crypto *c = crypto_default();
	struct secret32 key = {{3}};
	const uint8_t nonce[12] = {0};
	uint8_t in[100] = {0}, out[100], tag[16];
	intptr_t bad = 0;

	for (int i = 0; i < 500; i++) {
		const struct span s = {in, sizeof(in)};

		bad += c->gcm_seal(c->ctx, &key, nonce, s, s, out, tag) != ERR_OK;
		bad += c->gcm_open(c->ctx, &key, nonce, s, (struct span){out, 100}, tag, out) !=
		       ERR_OK;
	}
	(void)arg;
	return (void *)bad;
}

START_TEST(threads_share_the_table)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, seal_many, NULL), 0);
	for (int i = 0; i < 4; i++) {
		void *bad;

		ck_assert_int_eq(pthread_join(t[i], &bad), 0);
		ck_assert_ptr_null(bad);
	}
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, threads_share_the_table); /* first: it races for the initialisation */
	tcase_add_test(tc, hashes_parts_as_one_message);
	tcase_add_test(tc, hkdf_gives_the_rfc_examples);
	tcase_add_test(tc, hkdf_has_an_end);
	tcase_add_test(tc, x25519_gives_the_rfc_examples);
	tcase_add_test(tc, gcm_gives_the_specifications_examples);
	tcase_add_test(tc, gcm_opens_in_place_and_leaves_nothing_of_what_is_forged);
	tcase_add_test(tc, aes128_gives_the_standards_example);
	tcase_add_test(tc, ed25519_verification_is_strict);
	tcase_add_test(tc, scalars_keep_their_laws);
	tcase_add_test(tc, random_bytes_differ);
}

int main(void)
{
	return suite_main("crypto", fill);
}
