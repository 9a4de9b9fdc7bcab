/*
 * x3dh-negative.json: sequences of messages against a small service in the order of OP-0006 §6,
 * that knows what is pending and what was seen. replay-same stays EK_SEEN: the stored answer is the
 * real service's business.
 */
#include "enr/x3dh.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/crypto_openssl.h"
#include "support/vectors.h"

#define ROWS 16

struct pending {
	bool used;
	struct public32 id, eik;
	struct secret32 opk;
};

struct service {
	const struct crypto *c;
	uint8_t info[X3DH_INFO_MAX], addr[X3DH_ADDR_MAX];
	struct x3dh_context ctx;
	struct secret32 ik, spk;
	struct pending rows[ROWS];
	struct public32 seen[ROWS];
	size_t seen_count;
};

static int failures;

/* The file's words: a bad EK_B may be refused before it is looked for. */
static bool is_early(const char *got, const char *want)
{
	return (strcmp(got, "EK_NONCANONICAL") == 0 || strcmp(got, "DH_ZERO") == 0) &&
	       (strcmp(want, "UNKNOWN_ID") == 0 || strcmp(want, "EK_SEEN") == 0);
}

/* Of registrations the file names what it refuses for; any refusal is one. */
static void check_offer(const json_t *kase, const char *got, const char *want)
{
	if ((strcmp(got, "OK") == 0) == (strcmp(want, "OK") == 0))
		return;
	printf("FAILED %s: registration %s, expected %s\n", vectors_text(kase, "id"), got, want);
	failures++;
}

static void check_text(const json_t *kase, const char *got, const char *want)
{
	if (strcmp(got, want) == 0 || is_early(got, want))
		return;
	printf("FAILED %s: %s, expected %s\n", vectors_text(kase, "id"), got, want);
	failures++;
}

static struct pending *find(struct service *s, const struct public32 *id)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (s->rows[i].used && memcmp(s->rows[i].id.b, id->b, 32) == 0)
			return &s->rows[i];
	}
	return NULL;
}

static bool is_seen(const struct service *s, const struct public32 *ek)
{
	for (size_t i = 0; i < s->seen_count; i++) {
		if (memcmp(s->seen[i].b, ek->b, 32) == 0)
			return true;
	}
	return false;
}

/* Another bundle for a key that is expected, or another key for a bundle that is taken. */
static bool is_conflict(const struct service *s, const struct pending *row)
{
	for (size_t i = 0; i < ROWS; i++) {
		bool same_id = memcmp(s->rows[i].id.b, row->id.b, 32) == 0;
		bool same_opk = memcmp(s->rows[i].opk.b, row->opk.b, 32) == 0;

		if (s->rows[i].used && same_id != same_opk)
			return true;
	}
	return false;
}

/* Registers; says what the service says. forced: the row gets in all the same. */
static const char *offer(struct service *s, const json_t *entry, size_t i, bool forced)
{
	struct pending row = {.used = true};
	const struct span part = {row.eik.b, 32};
	const char *verdict = "OK";

	vectors_hex_exact(entry, "eik_b", row.eik.b, 32);
	vectors_hex_exact(entry, "opk_a_priv", row.opk.b, 32);
	if (i >= ROWS || s->c->sha256(s->c->ctx, &part, 1, row.id.b) != ERR_OK)
		exit(EXIT_FAILURE);
	if (xeddsa_public_fault(&row.eik) == XEDDSA_FAULT_NONCANONICAL)
		verdict = "EIK_NONCANONICAL";
	else if (xeddsa_public_fault(&row.eik) == XEDDSA_FAULT_SMALL_ORDER)
		verdict = "EIK_LOW_ORDER";
	else if (is_conflict(s, &row))
		verdict = "CONFLICT";
	if (forced || strcmp(verdict, "OK") == 0)
		s->rows[i] = row;
	return verdict;
}

static enum x3dh_cause deliver(struct service *s, struct span in)
{
	struct x3dh_service keys = {.ik = &s->ik, .spk = &s->spk};
	struct x3dh_session session;
	struct x3dh_message m;
	struct pending *row;
	enum x3dh_cause cause = x3dh_parse(in, &m);

	if (cause != X3DH_ACCEPT)
		return cause;
	if (is_seen(s, &m.ek))
		return X3DH_EK_SEEN;
	row = find(s, &m.id);
	if (!row)
		return X3DH_UNKNOWN_ID;
	keys.eik = &row->eik;
	keys.opk = &row->opk;
	cause = x3dh_open(s->c, &s->ctx, &keys, &m, &session);
	if (cause == X3DH_ACCEPT && s->seen_count < ROWS) {
		s->seen[s->seen_count++] = m.ek;
		memset(row, 0, sizeof(*row));
	}
	x3dh_session_wipe(&session);
	return cause;
}

static void read_own_key(const struct crypto *c, const json_t *kase, const char *priv,
	const char *pub, struct secret32 *out)
{
	struct public32 made, want;

	vectors_hex_exact(kase, priv, out->b, 32);
	vectors_hex_exact(kase, pub, want.b, 32);
	if (xeddsa_public(c, out, &made) != ERR_OK || memcmp(made.b, want.b, 32) != 0)
		check_text(kase, "another", pub);
}

static void start(struct service *s, const struct crypto *c, const json_t *kase)
{
	memset(s, 0, sizeof(*s));
	s->c = c;
	s->ctx.info = (struct span){s->info, vectors_hex(kase, "info", s->info, X3DH_INFO_MAX)};
	s->ctx.addr = (struct span){s->addr, vectors_hex(kase, "addr", s->addr, X3DH_ADDR_MAX)};
	read_own_key(c, kase, "ik_a_priv", "ik_a", &s->ik);
	read_own_key(c, kase, "spk_a_priv", "spk_a", &s->spk);
}

static size_t run(struct service *s, const json_t *kase)
{
	bool forced =
		vectors_has(kase, "pending_is_forced") && vectors_bool(kase, "pending_is_forced");
	json_t *entry;
	size_t i;

	json_array_foreach(vectors_array(kase, "register"), i, entry)
		check_offer(kase, offer(s, entry, i, forced), vectors_text(entry, "expect"));
	json_array_foreach(vectors_array(kase, "messages"), i, entry)
	{
		uint8_t message[1024];
		struct span in = {message, vectors_hex(entry, "message", message, sizeof(message))};

		check_text(kase, x3dh_cause_text(deliver(s, in)), vectors_text(entry, "expect"));
	}
	return i;
}

int main(void)
{
	const struct crypto *c = crypto_default();
	json_t *root = vectors_load("x3dh-negative.json"), *kase;
	size_t i, messages = 0;

	if (!c)
		return EXIT_FAILURE;
	json_array_foreach(vectors_array(root, "cases"), i, kase)
	{
		struct service s;

		start(&s, c, kase);
		messages += run(&s, kase);
	}
	vectors_ran("x3dh-negative messages", messages);
	vectors_ran("x3dh-negative", i);
	json_decref(root);
	return vectors_end(i, failures);
}
