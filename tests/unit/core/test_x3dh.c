#include "enr/x3dh.h"

#include "base/crypto_openssl.h"
#include "support/seeded.h"
#include "unit/suite.h"

#define SEED 6

static const uint8_t addr_bytes[] = "coap://gateway/enroll#00112233445566778899aabbccddeeff";

/* Both sides of one enrollment. */
struct world {
	const struct crypto *c;
	struct x3dh_keypair ik_a, spk_a, opk_a, eik, ek, ik_b;
	struct x3dh_prekeys prekeys;
	struct x3dh_context ctx;
	struct x3dh_enrollee enrollee;
	struct x3dh_service service;
	uint8_t z[64], message[X3DH_MESSAGE_BYTES];
	struct x3dh_session built, opened;
};

static void make_keys(struct world *w)
{
	struct x3dh_keypair *all[] = {&w->ik_a, &w->spk_a, &w->opk_a, &w->eik, &w->ek, &w->ik_b};

	for (size_t i = 0; i < 6; i++)
		ck_assert_int_eq(x3dh_keypair_make(w->c, all[i]), ERR_OK);
	ck_assert_int_eq(w->c->random(w->c->ctx, w->z, sizeof(w->z)), ERR_OK);
}

static void setup(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->c = seeded_crypto(SEED);
	make_keys(w);
	w->prekeys.ik = w->ik_a.pub;
	w->prekeys.spk = w->spk_a.pub;
	w->prekeys.opk = w->opk_a.pub;
	ck_assert_int_eq(xeddsa_sign(w->c, &w->ik_a.priv, (struct span){w->spk_a.pub.b, 32}, w->z,
				 w->prekeys.spk_signature),
		ERR_OK);
	w->ctx.info = x3dh_info();
	w->ctx.addr = (struct span){addr_bytes, sizeof(addr_bytes) - 1};
	w->enrollee = (struct x3dh_enrollee){&w->eik, &w->ek, &w->ik_b};
	w->service =
		(struct x3dh_service){&w->ik_a.priv, &w->spk_a.priv, &w->opk_a.priv, &w->eik.pub};
}

static enum err build(struct world *w)
{
	return x3dh_build(w->c, &w->ctx, &w->prekeys, &w->enrollee, w->z, w->message, &w->built);
}

static enum x3dh_cause deliver(struct world *w)
{
	struct x3dh_message m;
	enum x3dh_cause cause = x3dh_parse((struct span){w->message, sizeof(w->message)}, &m);

	return cause == X3DH_ACCEPT ? x3dh_open(w->c, &w->ctx, &w->service, &m, &w->opened) : cause;
}

START_TEST(both_sides_hold_the_same_session)
{
	struct world w;

	setup(&w);
	ck_assert_int_eq(x3dh_prekeys_check(w.c, &w.prekeys), ERR_OK);
	ck_assert_int_eq(build(&w), ERR_OK);
	ck_assert_int_eq(deliver(&w), X3DH_ACCEPT);
	ck_assert_mem_eq(w.opened.ik_b.b, w.ik_b.pub.b, 32);
	ck_assert_mem_eq(w.opened.h.b, w.built.h.b, 32);
	ck_assert_mem_eq(w.opened.traffic.b, w.built.traffic.b, 64);
	ck_assert(memcmp(w.built.traffic.b, w.built.traffic.b + 32, 32) != 0);
}
END_TEST

START_TEST(same_inputs_build_the_same_bytes)
{
	struct world w;
	uint8_t first[X3DH_MESSAGE_BYTES];

	setup(&w);
	ck_assert_int_eq(build(&w), ERR_OK);
	memcpy(first, w.message, sizeof(first));
	ck_assert_int_eq(build(&w), ERR_OK);
	ck_assert_mem_eq(first, w.message, sizeof(first));
}
END_TEST

/* Whatever byte is changed: refused, and nothing of a session is left. */
START_TEST(every_changed_byte_is_refused)
{
	struct world w;

	setup(&w);
	ck_assert_int_eq(build(&w), ERR_OK);
	for (size_t i = 0; i < sizeof(w.message); i++) {
		w.message[i] ^= 0x10;
		memset(&w.opened, 0, sizeof(w.opened));
		ck_assert_int_ne(deliver(&w), X3DH_ACCEPT);
		ck_assert(bytes_are_ct(&w.opened, sizeof(w.opened), 0));
		w.message[i] ^= 0x10;
	}
	ck_assert_int_eq(deliver(&w), X3DH_ACCEPT);
}
END_TEST

START_TEST(parse_takes_176_bytes_and_no_other_number)
{
	struct world w;
	struct x3dh_message m;
	uint8_t longer[X3DH_MESSAGE_BYTES + 1] = {0};

	setup(&w);
	ck_assert_int_eq(build(&w), ERR_OK);
	memcpy(longer, w.message, sizeof(w.message));
	for (size_t n = 0; n <= sizeof(longer); n++) {
		enum x3dh_cause cause = x3dh_parse((struct span){longer, n}, &m);

		ck_assert_int_eq(cause, n == X3DH_MESSAGE_BYTES ? X3DH_ACCEPT : X3DH_MALFORMED);
	}
}
END_TEST

START_TEST(every_key_of_the_service_matters)
{
	struct world w;
	struct x3dh_keypair other;
	const struct secret32 **keys[3] = {&w.service.ik, &w.service.spk, &w.service.opk};

	setup(&w);
	ck_assert_int_eq(build(&w), ERR_OK);
	ck_assert_int_eq(x3dh_keypair_make(w.c, &other), ERR_OK);
	for (int i = 0; i < 3; i++) {
		const struct secret32 *right = *keys[i];

		*keys[i] = &other.priv;
		ck_assert_int_eq(deliver(&w), X3DH_DECRYPT);
		*keys[i] = right;
	}
	w.service.eik = &other.pub;
	ck_assert_int_eq(deliver(&w), X3DH_DECRYPT);
}
END_TEST

START_TEST(addr_and_info_are_bound)
{
	struct world w;

	setup(&w);
	ck_assert_int_eq(build(&w), ERR_OK);
	w.ctx.addr.n--;
	ck_assert_int_eq(deliver(&w), X3DH_DECRYPT);
	w.ctx.addr.n++;
	w.ctx.info.n = 24;
	ck_assert_int_eq(deliver(&w), X3DH_DECRYPT);
}
END_TEST

START_TEST(too_long_info_or_addr_is_out_of_range)
{
	struct world w;
	static const uint8_t bytes[300];

	setup(&w);
	w.ctx.addr = (struct span){bytes, 256};
	ck_assert_int_eq(build(&w), ERR_RANGE);
	ck_assert(bytes_are_ct(w.message, sizeof(w.message), 0));
	w.ctx.addr.n = 255;
	ck_assert_int_eq(build(&w), ERR_OK);
	w.ctx.info = (struct span){bytes, X3DH_INFO_MAX + 1};
	ck_assert_int_eq(build(&w), ERR_RANGE);
}
END_TEST

START_TEST(one_key_in_two_roles_is_refused_by_both_sides)
{
	struct world w;
	struct x3dh_message m;

	setup(&w);
	w.enrollee.ek = &w.eik;
	ck_assert_int_eq(build(&w), ERR_KEY);
	w.enrollee.ek = &w.ek;
	w.enrollee.ik = &w.eik;
	ck_assert_int_eq(build(&w), ERR_KEY);
	w.enrollee.ik = &w.ek;
	ck_assert_int_eq(build(&w), ERR_KEY);
	w.enrollee.ik = &w.ik_b;
	ck_assert_int_eq(build(&w), ERR_OK);
	memcpy(w.message, w.eik.pub.b, 32);
	ck_assert_int_eq(x3dh_parse((struct span){w.message, sizeof(w.message)}, &m), X3DH_ACCEPT);
	ck_assert_int_eq(x3dh_open(w.c, &w.ctx, &w.service, &m, &w.opened), X3DH_EK_REUSED);
}
END_TEST

/* A message of an enrollee that does not keep the rules: well sealed, with the given identity and
 * its signature by signer. */
static void forge(
	struct world *w, const struct public32 *identity, const struct x3dh_keypair *signer)
{
	const struct x3dh_keypair *b[4] = {&w->eik, &w->ek, &w->ek, &w->ek};
	const struct public32 *a[4] = {&w->spk_a.pub, &w->ik_a.pub, &w->spk_a.pub, &w->opk_a.pub};
	uint8_t plain[96], aad[512];
	struct wr o = wr_init(aad, sizeof(aad));
	struct secret32 dh[4], sk, h;

	ck_assert_int_eq(build(w), ERR_OK); /* for the header */
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(w->c->x25519(w->c->ctx, &b[i]->priv, a[i], &dh[i]), ERR_OK);
	ck_assert_int_eq(x3dh_derive(w->c, w->ctx.info, dh, &sk, &h), ERR_OK);
	wr_bytes(&o, w->message, 64);
	wr_bytes(&o, w->ctx.info.p, w->ctx.info.n);
	wr_bytes(&o, w->ctx.addr.p, w->ctx.addr.n);
	wr_bytes(&o, h.b, 32);
	memcpy(plain, identity->b, 32);
	ck_assert_int_eq(
		xeddsa_sign(w->c, &signer->priv, (struct span){w->eik.pub.b, 32}, w->z, plain + 32),
		ERR_OK);
	ck_assert_int_eq(w->c->gcm_seal(w->c->ctx, &sk, w->message, (struct span){aad, o.len_bytes},
				 (struct span){plain, 96}, w->message + 64, w->message + 160),
		ERR_OK);
}

START_TEST(identity_must_be_usable_signed_and_not_the_one_time_key)
{
	struct world w;
	struct public32 bad = {{1}};

	setup(&w);
	forge(&w, &w.ik_b.pub, &w.ik_b);
	ck_assert_int_eq(deliver(&w), X3DH_ACCEPT);
	forge(&w, &w.eik.pub, &w.eik);
	ck_assert_int_eq(deliver(&w), X3DH_IKB_INVALID);
	forge(&w, &bad, &w.ik_b);
	ck_assert_int_eq(deliver(&w), X3DH_IKB_INVALID);
	bad = w.ik_b.pub;
	bad.b[31] |= 0x80;
	forge(&w, &bad, &w.ik_b);
	ck_assert_int_eq(deliver(&w), X3DH_IKB_INVALID);
	forge(&w, &w.ik_b.pub, &w.ek);
	ck_assert_int_eq(deliver(&w), X3DH_BAD_SIGNATURE);
	ck_assert(bytes_are_ct(&w.opened, sizeof(w.opened), 0));
}
END_TEST

START_TEST(prekeys_with_a_bad_key_or_signature_are_refused)
{
	struct world w;
	struct public32 *keys[3];

	setup(&w);
	keys[0] = &w.prekeys.ik;
	keys[1] = &w.prekeys.spk;
	keys[2] = &w.prekeys.opk;
	for (int i = 0; i < 3; i++) {
		struct public32 right = *keys[i];

		memset(keys[i], 0, sizeof(*keys[i]));
		ck_assert_int_eq(x3dh_prekeys_check(w.c, &w.prekeys), ERR_KEY);
		*keys[i] = right;
		keys[i]->b[31] |= 0x80;
		ck_assert_int_eq(x3dh_prekeys_check(w.c, &w.prekeys), ERR_KEY);
		*keys[i] = right;
	}
	w.prekeys.spk_signature[5] ^= 4;
	ck_assert_int_eq(x3dh_prekeys_check(w.c, &w.prekeys), ERR_AUTH);
}
END_TEST

START_TEST(low_order_prekeys_leave_no_message)
{
	struct world w;

	setup(&w);
	memset(&w.prekeys.opk, 0, sizeof(w.prekeys.opk));
	ck_assert_int_eq(build(&w), ERR_KEY);
	ck_assert(bytes_are_ct(w.message, sizeof(w.message), 0));
	ck_assert(bytes_are_ct(&w.built, sizeof(w.built), 0));
}
END_TEST

static enum err fail_hkdf(
	void *ctx, struct span salt, struct span ikm, struct span info, void *out, size_t n)
{
	(void)ctx;
	(void)salt;
	(void)ikm;
	(void)info;
	memset(out, 0, n);
	return ERR_CRYPTO;
}

START_TEST(a_failing_library_is_no_verdict)
{
	struct world w;
	struct crypto broken = *crypto_default();

	setup(&w);
	ck_assert_int_eq(build(&w), ERR_OK);
	broken.hkdf_sha256 = fail_hkdf;
	w.c = &broken;
	ck_assert_int_eq(deliver(&w), X3DH_FAILED);
	ck_assert_int_eq(build(&w), ERR_CRYPTO);
	ck_assert(bytes_are_ct(w.message, sizeof(w.message), 0));
}
END_TEST

START_TEST(rekeying_in_place_equals_rekeying_aside)
{
	struct world w;
	struct secret64 next;

	setup(&w);
	ck_assert_int_eq(build(&w), ERR_OK);
	ck_assert_int_eq(x3dh_rekey(w.c, &w.built.h, &w.built.traffic, &next), ERR_OK);
	ck_assert(memcmp(next.b, w.built.traffic.b, 64) != 0);
	ck_assert_int_eq(x3dh_rekey(w.c, &w.built.h, &w.built.traffic, &w.built.traffic), ERR_OK);
	ck_assert_mem_eq(next.b, w.built.traffic.b, 64);
}
END_TEST

START_TEST(every_cause_has_its_own_name)
{
	for (int a = 0; a < X3DH_CAUSE_COUNT; a++) {
		for (int b = 0; b < a; b++)
			ck_assert_str_ne(x3dh_cause_text((enum x3dh_cause)a),
				x3dh_cause_text((enum x3dh_cause)b));
	}
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, both_sides_hold_the_same_session);
	tcase_add_test(tc, same_inputs_build_the_same_bytes);
	tcase_add_test(tc, every_changed_byte_is_refused);
	tcase_add_test(tc, parse_takes_176_bytes_and_no_other_number);
	tcase_add_test(tc, every_key_of_the_service_matters);
	tcase_add_test(tc, addr_and_info_are_bound);
	tcase_add_test(tc, too_long_info_or_addr_is_out_of_range);
	tcase_add_test(tc, one_key_in_two_roles_is_refused_by_both_sides);
	tcase_add_test(tc, identity_must_be_usable_signed_and_not_the_one_time_key);
	tcase_add_test(tc, prekeys_with_a_bad_key_or_signature_are_refused);
	tcase_add_test(tc, low_order_prekeys_leave_no_message);
	tcase_add_test(tc, a_failing_library_is_no_verdict);
	tcase_add_test(tc, rekeying_in_place_equals_rekeying_aside);
	tcase_add_test(tc, every_cause_has_its_own_name);
}

int main(void)
{
	return suite_main("x3dh", fill);
}
