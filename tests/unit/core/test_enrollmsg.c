#include "enr/enrollmsg.h"

#include "enr/hex.h"

#include "base/crypto_openssl.h"
#include "support/seeded.h"
#include "unit/suite.h"

#define SEED 6

static const char addr_text[] = "coap://gw.example:5700/enroll#00112233445566778899aabbccddeeff";

/* A bundle of countable bytes: not valid as keys, well formed as a frame. */
static struct enrollmsg_bundle countable(void)
{
	struct enrollmsg_bundle b = {.spk_id = 0x04030201, .expires_at = 0x0c0b0a0908070605};

	memset(b.prekeys.ik.b, 0x11, 32);
	memset(b.prekeys.spk.b, 0x22, 32);
	memset(b.prekeys.spk_signature, 0x33, 64);
	memset(b.prekeys.opk.b, 0x44, 32);
	b.addr = (struct span){(const uint8_t *)addr_text, sizeof(addr_text) - 1};
	return b;
}

static struct x3dh_session random_session(const struct crypto *c)
{
	struct x3dh_session s;

	ck_assert_int_eq(c->random(c->ctx, &s, sizeof(s)), ERR_OK);
	return s;
}

/* --- bundle --- */

START_TEST(bundle_has_the_layout_of_the_profile)
{
	struct enrollmsg_bundle b = countable();
	uint8_t out[ENROLLMSG_BUNDLE_MAX];
	size_t n;

	ck_assert_int_eq(enrollmsg_bundle_encode(&b, out, sizeof(out), &n), ERR_OK);
	ck_assert_uint_eq(n, 174 + sizeof(addr_text) - 1);
	ck_assert_mem_eq(out, "\x01\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c", 13);
	ck_assert(bytes_are_ct(out + 13, 32, 0x11));
	ck_assert(bytes_are_ct(out + 45, 32, 0x22));
	ck_assert(bytes_are_ct(out + 77, 64, 0x33));
	ck_assert(bytes_are_ct(out + 141, 32, 0x44));
	ck_assert_uint_eq(out[173], sizeof(addr_text) - 1);
	ck_assert_mem_eq(out + 174, addr_text, sizeof(addr_text) - 1);
}
END_TEST

START_TEST(bundle_round_trips_with_every_addr_length)
{
	struct enrollmsg_bundle b = countable(), d;
	uint8_t addr[255], out[ENROLLMSG_BUNDLE_MAX], again[ENROLLMSG_BUNDLE_MAX];
	size_t n, m;

	memset(addr, 'a', sizeof(addr));
	for (size_t len = 1; len <= sizeof(addr); len++) {
		b.addr = (struct span){addr, len};
		ck_assert_int_eq(enrollmsg_bundle_encode(&b, out, sizeof(out), &n), ERR_OK);
		ck_assert_int_eq(enrollmsg_bundle_decode((struct span){out, n}, &d), ERR_OK);
		ck_assert_uint_eq(d.addr.n, len);
		ck_assert_int_eq(enrollmsg_bundle_encode(&d, again, sizeof(again), &m), ERR_OK);
		ck_assert_uint_eq(m, n);
		ck_assert_mem_eq(out, again, n);
	}
}
END_TEST

START_TEST(bundle_of_any_other_length_is_refused)
{
	struct enrollmsg_bundle b = countable(), d;
	uint8_t out[ENROLLMSG_BUNDLE_MAX] = {0};
	size_t n;

	ck_assert_int_eq(enrollmsg_bundle_encode(&b, out, sizeof(out), &n), ERR_OK);
	for (size_t cut = 0; cut < n; cut++)
		ck_assert_int_eq(enrollmsg_bundle_decode((struct span){out, cut}, &d), ERR_SHORT);
	for (size_t more = n + 1; more < sizeof(out); more++)
		ck_assert_int_eq(
			enrollmsg_bundle_decode((struct span){out, more}, &d), ERR_TRAILING);
}
END_TEST

START_TEST(bundle_without_addr_or_of_another_version_is_refused)
{
	struct enrollmsg_bundle b = countable(), d;
	uint8_t out[ENROLLMSG_BUNDLE_MAX];
	size_t n;

	ck_assert_int_eq(enrollmsg_bundle_encode(&b, out, sizeof(out), &n), ERR_OK);
	out[173] = 0;
	ck_assert_int_eq(enrollmsg_bundle_decode((struct span){out, 174}, &d), ERR_INVALID);
	out[0] = 2;
	ck_assert_int_eq(enrollmsg_bundle_decode((struct span){out, n}, &d), ERR_VERSION);
	b.addr.n = 0;
	ck_assert_int_eq(enrollmsg_bundle_encode(&b, out, sizeof(out), &n), ERR_INVALID);
	b.addr.n = 256;
	ck_assert_int_eq(enrollmsg_bundle_encode(&b, out, sizeof(out), &n), ERR_INVALID);
	b = countable();
	ck_assert_int_eq(enrollmsg_bundle_encode(&b, out, 200, &n), ERR_FULL);
}
END_TEST

START_TEST(bundle_text_round_trips_and_fits)
{
	struct enrollmsg_bundle b = countable(), d;
	uint8_t addr[255], frame[ENROLLMSG_BUNDLE_MAX];
	char text[ENROLLMSG_BUNDLE_TEXT_MAX];

	memset(addr, 'a', sizeof(addr));
	b.addr = (struct span){addr, sizeof(addr)};
	ck_assert_int_eq(enrollmsg_bundle_print(&b, text, sizeof(text) - 1), ERR_FULL);
	ck_assert_int_eq(enrollmsg_bundle_print(&b, text, sizeof(text)), ERR_OK);
	ck_assert_uint_eq(strlen(text), sizeof(text) - 1);
	ck_assert_int_eq(strncmp(text, "enr1:AQEC", 9), 0);
	ck_assert_int_eq(enrollmsg_bundle_parse(text, strlen(text), frame, &d), ERR_OK);
	ck_assert_mem_eq(&d.prekeys, &b.prekeys, sizeof(d.prekeys));
	ck_assert_uint_eq(d.expires_at, b.expires_at);
}
END_TEST

START_TEST(bundle_text_that_is_cut_or_goes_on_is_refused)
{
	struct enrollmsg_bundle b = countable(), d;
	uint8_t frame[ENROLLMSG_BUNDLE_MAX];
	char text[2 * ENROLLMSG_BUNDLE_TEXT_MAX];
	size_t n;

	ck_assert_int_eq(enrollmsg_bundle_print(&b, text, sizeof(text)), ERR_OK);
	n = strlen(text);
	for (size_t cut = 0; cut < n; cut++)
		ck_assert_int_ne(enrollmsg_bundle_parse(text, cut, frame, &d), ERR_OK);
	memset(text + n, 'A', sizeof(text) - n);
	for (size_t more = n + 1; more <= sizeof(text); more++)
		ck_assert_int_ne(enrollmsg_bundle_parse(text, more, frame, &d), ERR_OK);
	text[3] = '2';
	ck_assert_int_eq(enrollmsg_bundle_parse(text, n, frame, &d), ERR_INVALID);
}
END_TEST

/* One that an enrollee takes. */
static void make_valid(
	const struct crypto *c, struct enrollmsg_bundle *b, struct x3dh_keypair *ik, char *addr)
{
	struct x3dh_keypair spk, opk;
	struct enrollmsg_addr a = {.kind = ENROLLMSG_ADDR_COAP, .port = 5683, .host = "gw"};
	const uint8_t z[64] = {1};
	struct public32 id;

	*b = countable();
	ck_assert_int_eq(x3dh_keypair_make(c, ik), ERR_OK);
	ck_assert_int_eq(x3dh_keypair_make(c, &spk), ERR_OK);
	ck_assert_int_eq(x3dh_keypair_make(c, &opk), ERR_OK);
	b->prekeys.ik = ik->pub;
	b->prekeys.spk = spk.pub;
	b->prekeys.opk = opk.pub;
	ck_assert_int_eq(xeddsa_sign(c, &ik->priv, (struct span){spk.pub.b, 32}, z,
				 b->prekeys.spk_signature),
		ERR_OK);
	ck_assert_int_eq(enrollmsg_id(c, &ik->pub, &id), ERR_OK);
	memcpy(a.fingerprint, id.b, sizeof(a.fingerprint));
	ck_assert_int_eq(enrollmsg_addr_print(&a, addr, 256), ERR_OK);
	b->addr = (struct span){(const uint8_t *)addr, strlen(addr)};
}

START_TEST(bundle_check_wants_keys_signature_and_fingerprint)
{
	const struct crypto *c = crypto_default();
	struct enrollmsg_bundle b;
	struct x3dh_keypair ik;
	char addr[256];

	make_valid(c, &b, &ik, addr);
	ck_assert_int_eq(enrollmsg_bundle_check(c, &b), ERR_OK);
	addr[b.addr.n - 1] = addr[b.addr.n - 1] == '0' ? '1' : '0';
	ck_assert_int_eq(enrollmsg_bundle_check(c, &b), ERR_AUTH);
	addr[0] = 'x';
	ck_assert_int_eq(enrollmsg_bundle_check(c, &b), ERR_INVALID);
	make_valid(c, &b, &ik, addr);
	b.prekeys.spk_signature[9] ^= 1;
	ck_assert_int_eq(enrollmsg_bundle_check(c, &b), ERR_AUTH);
	b = countable();
	memset(&b.prekeys.opk, 0, 32);
	ck_assert_int_eq(enrollmsg_bundle_check(c, &b), ERR_KEY);
}
END_TEST

/* --- ids and announcement keys --- */

START_TEST(ids_are_sha256)
{
	static const char want[] =
		"66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925";
	const struct crypto *c = crypto_default();
	struct public32 zero = {{0}}, id;
	uint8_t bundle_id[8];
	char text[65];

	ck_assert_int_eq(enrollmsg_id(c, &zero, &id), ERR_OK);
	hex_print(id.b, 32, text);
	ck_assert_str_eq(text, want);
	ck_assert_int_eq(enrollmsg_bundle_id(c, &zero, bundle_id), ERR_OK);
	ck_assert_mem_eq(bundle_id, id.b, 8);
}
END_TEST

START_TEST(prefix_spans_the_ids_that_begin_so)
{
	struct enrollmsg_prefix p;
	uint8_t id[32] = {0xab, 0xcd, 0xef, 0x01, 0x29};

	ck_assert_int_eq(enrollmsg_prefix_parse("abCDef012", 9, 64, &p), ERR_OK);
	ck_assert(enrollmsg_prefix_match(&p, id, 32));
	id[4] = 0x2f;
	ck_assert(enrollmsg_prefix_match(&p, id, 32));
	id[4] = 0x30;
	ck_assert(!enrollmsg_prefix_match(&p, id, 32));
	id[4] = 0x1f;
	ck_assert(!enrollmsg_prefix_match(&p, id, 32));
	id[4] = 0x20;
	ck_assert(enrollmsg_prefix_match(&p, id, 8));
	ck_assert(!enrollmsg_prefix_match(&p, id, 4)); /* shorter than what was typed */
}
END_TEST

START_TEST(prefix_has_8_to_max_hex_digits)
{
	static const char digits[] =
		"00000000000000000000000000000000000000000000000000000000000000000";
	struct enrollmsg_prefix p;

	for (size_t n = 0; n <= 65; n++)
		ck_assert_int_eq(enrollmsg_prefix_parse(digits, n, 64, &p), n < 8    ? ERR_SHORT
									    : n > 64 ? ERR_TRAILING
										     : ERR_OK);
	ck_assert_int_eq(enrollmsg_prefix_parse(digits, 17, 16, &p), ERR_TRAILING);
	ck_assert_int_eq(enrollmsg_prefix_parse("0000000g", 8, 64, &p), ERR_INVALID);
	ck_assert_int_eq(enrollmsg_prefix_parse("0000000 ", 8, 64, &p), ERR_INVALID);
}
END_TEST

START_TEST(key_text_round_trips)
{
	const struct crypto *c = crypto_default();
	struct x3dh_keypair eik;
	struct public32 back;
	char text[ENROLLMSG_KEY_TEXT_CHARS + 1];

	ck_assert_int_eq(x3dh_keypair_make(c, &eik), ERR_OK);
	ck_assert_int_eq(enrollmsg_key_print(&eik.pub, text, sizeof(text) - 1), ERR_FULL);
	ck_assert_int_eq(enrollmsg_key_print(&eik.pub, text, sizeof(text)), ERR_OK);
	ck_assert_uint_eq(strlen(text), ENROLLMSG_KEY_TEXT_CHARS);
	ck_assert_int_eq(strncmp(text, "enk1:AQ", 6), 0);
	ck_assert_int_eq(enrollmsg_key_parse(text, strlen(text), &back), ERR_OK);
	ck_assert_mem_eq(back.b, eik.pub.b, 32);
}
END_TEST

START_TEST(key_text_of_another_length_or_version_is_refused)
{
	const struct crypto *c = crypto_default();
	struct x3dh_keypair eik;
	struct public32 back;
	char text[ENROLLMSG_KEY_TEXT_CHARS + 10];

	ck_assert_int_eq(x3dh_keypair_make(c, &eik), ERR_OK);
	ck_assert_int_eq(enrollmsg_key_print(&eik.pub, text, sizeof(text)), ERR_OK);
	for (size_t n = 0; n < ENROLLMSG_KEY_TEXT_CHARS; n++)
		ck_assert_int_ne(enrollmsg_key_parse(text, n, &back), ERR_OK);
	memset(text + ENROLLMSG_KEY_TEXT_CHARS, 'A', 9);
	for (size_t n = ENROLLMSG_KEY_TEXT_CHARS + 1; n < sizeof(text); n++)
		ck_assert_int_ne(enrollmsg_key_parse(text, n, &back), ERR_OK);
	text[5] = 'B'; /* version 5 */
	ck_assert_int_eq(enrollmsg_key_parse(text, ENROLLMSG_KEY_TEXT_CHARS, &back), ERR_VERSION);
}
END_TEST

START_TEST(key_text_of_an_unusable_key_is_refused)
{
	struct public32 bad[3] = {{{0}}, {{1}}, {{9}}}, back;
	char text[ENROLLMSG_KEY_TEXT_CHARS + 1];

	bad[2].b[31] = 0x80;
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(enrollmsg_key_print(&bad[i], text, sizeof(text)), ERR_OK);
		ck_assert_int_eq(enrollmsg_key_parse(text, strlen(text), &back), ERR_KEY);
	}
}
END_TEST

/* --- request and answer --- */

START_TEST(request_is_a_version_and_176_bytes)
{
	uint8_t message[X3DH_MESSAGE_BYTES], frame[ENROLLMSG_REQUEST_BYTES + 1] = {0};
	struct span m;

	memset(message, 0x77, sizeof(message));
	enrollmsg_request_encode(message, frame);
	ck_assert_uint_eq(frame[0], 1);
	for (size_t n = 0; n < ENROLLMSG_REQUEST_BYTES; n++)
		ck_assert_int_eq(enrollmsg_request_decode((struct span){frame, n}, &m), ERR_SHORT);
	ck_assert_int_eq(
		enrollmsg_request_decode((struct span){frame, sizeof(frame)}, &m), ERR_TRAILING);
	ck_assert_int_eq(
		enrollmsg_request_decode((struct span){frame, ENROLLMSG_REQUEST_BYTES}, &m),
		ERR_OK);
	ck_assert_uint_eq(m.n, X3DH_MESSAGE_BYTES);
	ck_assert_mem_eq(m.p, message, m.n);
	frame[0] = 0;
	ck_assert_int_eq(
		enrollmsg_request_decode((struct span){frame, ENROLLMSG_REQUEST_BYTES}, &m),
		ERR_VERSION);
}
END_TEST

START_TEST(answer_round_trips_with_every_welcome)
{
	const struct crypto *c = seeded_crypto(SEED);
	struct x3dh_session s = random_session(c);
	struct enrollmsg_answer in = {.enrolled_at = 1790000000}, back;
	uint8_t out[ENROLLMSG_ANSWER_MAX];
	size_t n;

	memset(in.welcome, 0x5a, sizeof(in.welcome));
	for (in.welcome_bytes = 0; in.welcome_bytes <= ENROLLMSG_WELCOME_MAX; in.welcome_bytes++) {
		ck_assert_int_eq(enrollmsg_answer_seal(c, &s, &in, out, &n), ERR_OK);
		ck_assert_uint_eq(n, 26 + in.welcome_bytes);
		ck_assert_mem_eq(out, "\x01\x00", 2);
		ck_assert_int_eq(
			enrollmsg_answer_open(c, &s, (struct span){out, n}, &back), ERR_OK);
		ck_assert_uint_eq(back.enrolled_at, in.enrolled_at);
		ck_assert_uint_eq(back.welcome_bytes, in.welcome_bytes);
		ck_assert_mem_eq(back.welcome, in.welcome, in.welcome_bytes);
	}
	ck_assert_int_eq(enrollmsg_answer_seal(c, &s, &in, out, &n), ERR_RANGE);
}
END_TEST

START_TEST(answer_of_another_session_length_or_byte_is_refused)
{
	const struct crypto *c = seeded_crypto(SEED);
	struct x3dh_session s = random_session(c), other = random_session(c);
	struct enrollmsg_answer in = {.enrolled_at = 1, .welcome_bytes = 10}, back;
	uint8_t out[ENROLLMSG_ANSWER_MAX + 1] = {0};
	size_t n;

	ck_assert_int_eq(enrollmsg_answer_seal(c, &s, &in, out, &n), ERR_OK);
	ck_assert_int_eq(enrollmsg_answer_open(c, &other, (struct span){out, n}, &back), ERR_AUTH);
	for (size_t i = 0; i < n; i++) {
		out[i] ^= 2;
		ck_assert_int_ne(
			enrollmsg_answer_open(c, &s, (struct span){out, n}, &back), ERR_OK);
		out[i] ^= 2;
	}
	for (size_t cut = 0; cut < n; cut++)
		ck_assert_int_ne(
			enrollmsg_answer_open(c, &s, (struct span){out, cut}, &back), ERR_OK);
	for (size_t more = n + 1; more <= sizeof(out); more++)
		ck_assert_int_ne(
			enrollmsg_answer_open(c, &s, (struct span){out, more}, &back), ERR_OK);
}
END_TEST

START_TEST(answer_needs_the_services_half_and_h)
{
	const struct crypto *c = seeded_crypto(SEED);
	struct x3dh_session s = random_session(c), other;
	struct enrollmsg_answer in = {.enrolled_at = 1}, back;
	uint8_t out[ENROLLMSG_ANSWER_MAX];
	size_t n;

	ck_assert_int_eq(enrollmsg_answer_seal(c, &s, &in, out, &n), ERR_OK);
	other = s;
	other.traffic.b[0] ^= 1; /* the enrollee's half plays no part */
	ck_assert_int_eq(enrollmsg_answer_open(c, &other, (struct span){out, n}, &back), ERR_OK);
	other.traffic.b[32] ^= 1;
	ck_assert_int_eq(enrollmsg_answer_open(c, &other, (struct span){out, n}, &back), ERR_AUTH);
	other = s;
	other.h.b[31] ^= 1;
	ck_assert_int_eq(enrollmsg_answer_open(c, &other, (struct span){out, n}, &back), ERR_AUTH);
}
END_TEST

START_TEST(rejection_is_two_bytes_and_other_statuses_are_unknown)
{
	const struct crypto *c = seeded_crypto(SEED);
	struct x3dh_session s = random_session(c);
	struct enrollmsg_answer back;
	uint8_t out[40] = {0};

	enrollmsg_rejection_encode(out);
	ck_assert_mem_eq(out, "\x01\x01", 2);
	ck_assert_int_eq(enrollmsg_answer_open(c, &s, (struct span){out, 0}, &back), ERR_SHORT);
	ck_assert_int_eq(enrollmsg_answer_open(c, &s, (struct span){out, 1}, &back), ERR_SHORT);
	ck_assert_int_eq(enrollmsg_answer_open(c, &s, (struct span){out, 2}, &back), ERR_DENIED);
	ck_assert_int_eq(enrollmsg_answer_open(c, &s, (struct span){out, 3}, &back), ERR_TRAILING);
	out[1] = 2;
	ck_assert_int_eq(enrollmsg_answer_open(c, &s, (struct span){out, 30}, &back), ERR_UNKNOWN);
	out[0] = 3;
	ck_assert_int_eq(enrollmsg_answer_open(c, &s, (struct span){out, 2}, &back), ERR_VERSION);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, bundle_has_the_layout_of_the_profile);
	tcase_add_test(tc, bundle_round_trips_with_every_addr_length);
	tcase_add_test(tc, bundle_of_any_other_length_is_refused);
	tcase_add_test(tc, bundle_without_addr_or_of_another_version_is_refused);
	tcase_add_test(tc, bundle_text_round_trips_and_fits);
	tcase_add_test(tc, bundle_text_that_is_cut_or_goes_on_is_refused);
	tcase_add_test(tc, bundle_check_wants_keys_signature_and_fingerprint);
	tcase_add_test(tc, ids_are_sha256);
	tcase_add_test(tc, prefix_spans_the_ids_that_begin_so);
	tcase_add_test(tc, prefix_has_8_to_max_hex_digits);
	tcase_add_test(tc, key_text_round_trips);
	tcase_add_test(tc, key_text_of_another_length_or_version_is_refused);
	tcase_add_test(tc, key_text_of_an_unusable_key_is_refused);
	tcase_add_test(tc, request_is_a_version_and_176_bytes);
	tcase_add_test(tc, answer_round_trips_with_every_welcome);
	tcase_add_test(tc, answer_of_another_session_length_or_byte_is_refused);
	tcase_add_test(tc, answer_needs_the_services_half_and_h);
	tcase_add_test(tc, rejection_is_two_bytes_and_other_statuses_are_unknown);
}

int main(void)
{
	return suite_main("enrollmsg", fill);
}
