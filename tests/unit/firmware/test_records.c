/* The record store: what it keeps, and that it keeps it when the power fails at any flash
 * operation. */
#include <stdio.h>

#include "firmware/core/records.h"
#include "firmware/port/host/sim_flash.h"
#include "unit/suite.h"

#define IDS 6
#define IMMORTAL 5 /* this id is saved as immortal */
#define STEPS 40
#define FILL_BYTES 120

struct value {
	size_t n; /* 0: none */
	uint8_t b[RECORDS_DATA_MAX_BYTES];
};

/* What the store must hold. */
struct model {
	struct value id[IDS];
};

struct bench {
	struct sim_flash flash;
	struct port port;
	struct records store;
	enum err done;
	bool is_done;
	uint64_t random;
};

static uint32_t roll(struct bench *t, uint32_t limit)
{
	t->random = t->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(t->random >> 33) % limit;
}

static void on_done(void *ctx, enum err result)
{
	struct bench *t = ctx;

	t->done = result;
	t->is_done = true;
}

static void set_up(struct bench *t, uint64_t seed)
{
	bool is_new;

	memset(t, 0, sizeof(*t));
	t->random = seed;
	ck_assert_int_eq(sim_flash_open(&t->flash, NULL, &is_new), ERR_OK);
	t->flash.random = seed;
	sim_flash_port(&t->flash, &t->port);
	ck_assert_int_eq(records_init(&t->store, &t->port), ERR_OK);
}

static void pump(struct bench *t)
{
	while (t->store.step != RECORDS_IDLE && !t->flash.is_cut)
		records_on_flash(&t->store, ERR_OK);
}

static void save(struct bench *t, uint16_t id, const void *data, size_t n)
{
	t->is_done = false;
	ck_assert_int_eq(records_save(&t->store, id, id == IMMORTAL, data, n, on_done, t), ERR_OK);
	pump(t);
	ck_assert(t->is_done);
	ck_assert_int_eq(t->done, ERR_OK);
}

static void reboot(struct bench *t)
{
	t->flash.is_cut = false;
	t->flash.cut_at = 0;
	ck_assert_int_eq(records_init(&t->store, &t->port), ERR_OK);
}

static bool holds(const struct bench *t, uint16_t id, const struct value *v)
{
	uint8_t b[RECORDS_DATA_MAX_BYTES];
	size_t n = 0;
	enum err e = records_read(&t->store, id, b, sizeof(b), &n);

	if (v->n == 0)
		return e == ERR_NOT_FOUND;
	return e == ERR_OK && n == v->n && memcmp(b, v->b, n) == 0;
}

static bool holds_all(const struct bench *t, const struct model *m)
{
	for (uint16_t id = 0; id < IDS; id++)
		if (!holds(t, id, &m->id[id]))
			return false;
	return true;
}

START_TEST(reads_what_was_saved_last)
{
	struct bench t;
	uint8_t b[RECORDS_DATA_MAX_BYTES];
	size_t n;

	set_up(&t, 1);
	ck_assert_int_eq(records_read(&t.store, 0, b, sizeof(b), &n), ERR_NOT_FOUND);
	save(&t, 0, "one", 3);
	save(&t, 1, "other", 5);
	save(&t, 0, "two!", 4);
	reboot(&t);
	ck_assert_int_eq(records_read(&t.store, 0, b, sizeof(b), &n), ERR_OK);
	ck_assert_uint_eq(n, 4);
	ck_assert_mem_eq(b, "two!", 4);
	ck_assert_int_eq(records_read(&t.store, 1, b, 4, &n), ERR_FULL);
}
END_TEST

START_TEST(nothing_is_read_when_only_an_older_version_fits)
{
	struct bench t;
	uint8_t b[4] = "...";
	size_t n = 99;

	set_up(&t, 1);
	save(&t, 0, "one", 3);
	save(&t, 0, "longer", 6);
	ck_assert_int_eq(records_read(&t.store, 0, b, sizeof(b), &n), ERR_FULL);
	ck_assert_uint_eq(n, 99);
	ck_assert_mem_eq(b, "...", 4);
}
END_TEST

START_TEST(moves_to_the_other_page_when_full)
{
	struct bench t;
	struct value v = {.n = FILL_BYTES};

	set_up(&t, 2);
	save(&t, 1, "stays", 5);
	for (uint8_t i = 0; i < 200; i++) {
		memset(v.b, i, sizeof(v.b));
		save(&t, 0, v.b, v.n);
		ck_assert(holds(&t, 0, &v));
	}
	ck_assert_uint_gt(t.store.counter, 3);
	v.n = 5;
	memcpy(v.b, "stays", 5);
	reboot(&t);
	ck_assert(holds(&t, 1, &v));
	ck_assert_uint_eq(t.flash.breach_count, 0);
}
END_TEST

START_TEST(refuses_what_does_not_fit)
{
	struct bench t;
	uint8_t b[RECORDS_DATA_MAX_BYTES + 1] = {0};

	set_up(&t, 3);
	ck_assert_int_eq(records_save(&t.store, 0, false, b, sizeof(b), on_done, &t), ERR_RANGE);
	ck_assert_int_eq(records_save(&t.store, 0, false, b, 0, on_done, &t), ERR_RANGE);
	ck_assert_int_eq(
		records_save(&t.store, RECORDS_ID_INVALID, false, b, 1, on_done, &t), ERR_RANGE);
}
END_TEST

START_TEST(one_operation_at_a_time)
{
	struct bench t;

	set_up(&t, 4);
	ck_assert_int_eq(records_save(&t.store, 0, false, "a", 1, on_done, &t), ERR_OK);
	ck_assert_int_eq(records_save(&t.store, 1, false, "b", 1, on_done, &t), ERR_BUSY);
	ck_assert_int_eq(records_reset(&t.store, 0, NULL, 0, on_done, &t), ERR_BUSY);
	pump(&t);
	ck_assert_int_eq(records_save(&t.store, 1, false, "b", 1, on_done, &t), ERR_OK);
	pump(&t);
}
END_TEST

START_TEST(a_reset_forgets_all_but_the_immortal_and_locks)
{
	struct bench t;
	struct model m = {0};

	set_up(&t, 5);
	for (uint16_t id = 0; id < IDS; id++)
		save(&t, id, "secret", 6);
	ck_assert_int_eq(records_reset(&t.store, 0, "new", 3, on_done, &t), ERR_OK);
	pump(&t);
	ck_assert_int_eq(t.done, ERR_OK);
	m.id[0].n = 3;
	memcpy(m.id[0].b, "new", 3);
	m.id[IMMORTAL].n = 6;
	memcpy(m.id[IMMORTAL].b, "secret", 6);
	ck_assert(holds_all(&t, &m));
	ck_assert_int_eq(records_save(&t.store, 1, false, "x", 1, on_done, &t), ERR_STATE);
	/* nothing of the old page is left */
	for (uint32_t i = 0; i < SIM_FLASH_PAGE_BYTES; i++)
		ck_assert_uint_eq(
			t.flash.b[(1u - t.store.active) * SIM_FLASH_PAGE_BYTES + i], 0xFF);
	reboot(&t);
	ck_assert(holds_all(&t, &m));
	save(&t, 1, "x", 1);
}
END_TEST

START_TEST(takes_flash_of_zeros_as_unformatted)
{
	struct bench t;

	set_up(&t, 6);
	memset(t.flash.b, 0, sizeof(t.flash.b));
	reboot(&t);
	save(&t, 0, "a", 1);
	ck_assert(!t.flash.is_cut);
}
END_TEST

START_TEST(a_failed_write_keeps_the_old_content_and_a_retry_works)
{
	struct bench t;
	struct value old = {.n = 3, .b = "old"};

	set_up(&t, 7);
	save(&t, 0, old.b, old.n);
	t.is_done = false;
	ck_assert_int_eq(records_reset(&t.store, 0, "new", 3, on_done, &t), ERR_OK);
	while (!t.is_done) /* the erase succeeds, the write does not */
		records_on_flash(&t.store, t.store.step == RECORDS_WRITE_NEW ? ERR_IO : ERR_OK);
	ck_assert_int_eq(t.done, ERR_IO);
	ck_assert(holds(&t, 0, &old));
	ck_assert_int_eq(records_reset(&t.store, 0, "new", 3, on_done, &t), ERR_OK);
	pump(&t);
	ck_assert_int_eq(t.done, ERR_OK);
	old.b[0] = 'n';
	memcpy(old.b, "new", 3);
	ck_assert(holds(&t, 0, &old));
}
END_TEST

START_TEST(gives_up_after_ten_erases)
{
	struct bench t;
	int tries = 0;

	set_up(&t, 8);
	t.is_done = false;
	ck_assert_int_eq(records_save(&t.store, 0, false, "a", 1, on_done, &t), ERR_OK);
	while (!t.is_done) {
		records_on_flash(&t.store, ERR_IO);
		tries++;
	}
	ck_assert_int_eq(t.done, ERR_IO);
	ck_assert_int_eq(tries, RECORDS_ERASE_TRIES);
}
END_TEST

/* A page header of whatever content must never be believed without its checksum. */
START_TEST(damaged_bytes_lose_one_record_at_most_what_follows)
{
	struct bench t;
	struct value first = {.n = 5, .b = "first"};

	set_up(&t, 9);
	save(&t, 0, first.b, first.n);
	save(&t, 1, "second", 6);
	t.flash.b[RECORDS_PAGE_HEADER_BYTES + RECORDS_HEADER_BYTES + 8 + RECORDS_HEADER_BYTES] ^= 1;
	reboot(&t);
	ck_assert(t.store.dirty);
	ck_assert(holds(&t, 0, &first));
	save(&t, 1, "again", 5);
	ck_assert(!t.store.dirty);
	ck_assert(holds(&t, 0, &first));
	ck_assert_uint_eq(t.flash.breach_count, 0);
}
END_TEST

/* --- the sweep ----------------------------------------------------------------------------------
 */

struct step {
	bool reset;
	uint16_t id;
	struct value v;
};

static void random_step(struct bench *t, struct step *s)
{
	s->reset = roll(t, 8) == 0;
	s->id = (uint16_t)roll(t, IDS);
	if (s->reset && s->id == IMMORTAL)
		s->id = 0;
	s->v.n = s->reset && roll(t, 3) == 0 ? 0 : 1 + roll(t, RECORDS_DATA_MAX_BYTES);
	memset(s->v.b, (int)roll(t, 256), sizeof(s->v.b));
}

static void predict(const struct step *s, const struct model *before, struct model *after)
{
	*after = *before;
	for (uint16_t id = 0; s->reset && id < IMMORTAL; id++)
		after->id[id].n = 0;
	if (s->v.n > 0)
		after->id[s->id] = s->v;
}

static void start(struct bench *t, const struct step *s)
{
	enum err e;

	t->is_done = false;
	t->store.locked = false; /* as after a reboot */
	if (s->reset)
		e = records_reset(&t->store, s->id, s->v.b, s->v.n, on_done, t);
	else
		e = records_save(&t->store, s->id, s->id == IMMORTAL, s->v.b, s->v.n, on_done, t);
	if (e == ERR_OK)
		pump(t);
}

/* Runs the same random script with the power failing at operation k. Returns false when the script
 * has fewer operations. */
static bool run_cut(uint64_t seed, uint32_t k, bool cut_repair)
{
	struct model now = {0}, next;
	struct bench t;
	struct step s;

	set_up(&t, seed);
	t.flash.cut_at = k;
	for (int i = 0; i < STEPS; i++) {
		random_step(&t, &s);
		predict(&s, &now, &next);
		start(&t, &s);
		if (!t.flash.is_cut) {
			ck_assert(t.is_done);
			ck_assert_int_eq(t.done, ERR_OK);
			now = next;
			ck_assert(holds_all(&t, &now));
			continue;
		}
		reboot(&t);
		ck_assert_msg(holds_all(&t, &now) || holds_all(&t, &next),
			"seed %llu k %u: neither old nor new", (unsigned long long)seed, k);
		if (holds_all(&t, &next))
			now = next;
		if (cut_repair)
			t.flash.cut_at = t.flash.op_count + 1;
		records_repair(&t.store);
		pump(&t);
		reboot(&t);
		ck_assert(holds_all(&t, &now));
		cut_repair = false;
	}
	ck_assert_uint_eq(t.flash.breach_count, 0);
	return t.flash.op_count >= k;
}

START_TEST(survives_a_power_cut_at_every_operation)
{
	uint32_t cuts = 0;

	for (uint64_t seed = 1; seed <= 9; seed++)
		for (uint32_t k = 1; run_cut(seed, k, k % 2 == 0); k++)
			cuts++;
	printf("power cuts: %u\n", cuts);
	ck_assert_uint_gt(cuts, 500);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, reads_what_was_saved_last);
	tcase_add_test(tc, nothing_is_read_when_only_an_older_version_fits);
	tcase_add_test(tc, moves_to_the_other_page_when_full);
	tcase_add_test(tc, refuses_what_does_not_fit);
	tcase_add_test(tc, one_operation_at_a_time);
	tcase_add_test(tc, a_reset_forgets_all_but_the_immortal_and_locks);
	tcase_add_test(tc, takes_flash_of_zeros_as_unformatted);
	tcase_add_test(tc, a_failed_write_keeps_the_old_content_and_a_retry_works);
	tcase_add_test(tc, gives_up_after_ten_erases);
	tcase_add_test(tc, damaged_bytes_lose_one_record_at_most_what_follows);
	tcase_add_test(tc, survives_a_power_cut_at_every_operation);
}

int main(void)
{
	return suite_main("firmware/records", fill);
}
