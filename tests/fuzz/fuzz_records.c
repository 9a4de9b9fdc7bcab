/*
 * The record store on flash of any content, through saves, resets, failing operations, power cuts
 * and reboots. Whatever comes: a record is the old or the new one, all others are as they were, a
 * reset has happened entirely or not at all, and no word is written twice.
 *
 * The input: how many orders, two bytes each {what, argument}, then the beginning of page 0 and
 * from the middle of page 1.
 */
#include "firmware/core/records.h"
#include "firmware/port/host/sim_flash.h"
#include "fuzz/fuzz.h"

#define IDS 8
#define ORDERS_MAX 32

enum what {
	WHAT_SAVE,     /* id: bits 4-6; immortal: bit 7; size: the argument */
	WHAT_RESET,    /* with a record 1, of so many bytes; 0: none */
	WHAT_REBOOT,   /* read everything anew, mend */
	WHAT_CUT,      /* the power fails at the n-th operation from now */
	WHAT_FAIL,     /* the n-th operation from now fails: bits 4-5 say how */
	WHAT_FAIL_ALL, /* from the n-th on they all do */
	WHAT_BUSY,     /* two saves at once: the second is refused */
	WHAT_READ,     /* into a buffer of so many bytes */
	WHAT_COUNT
};

enum how {
	HOW_UNDONE,  /* reported as failed, nothing was done */
	HOW_DONE,    /* reported as failed, all was done */
	HOW_REFUSED, /* not even started */
	HOW_COUNT
};

struct data {
	size_t n; /* 0: no such record */
	uint8_t b[RECORDS_DATA_MAX_BYTES];
};

struct view {
	struct data of[IDS];
};

struct bench {
	struct sim_flash flash;
	struct port port;
	struct records store;
	uint32_t fail_in, fail_after; /* operations; 0: never */
	enum how how;
	bool reported_failed; /* what records_on_flash will be told */
	bool is_done;
	enum err result;
	bool unsure; /* something failed since the boot, and may have been done all the same */
	bool is_mortal[IDS], is_immortal[IDS]; /* neither: we have not saved it */
};

static bool fails_now(struct bench *t)
{
	bool now = t->fail_in == 1 || t->fail_after == 1;

	t->fail_in -= t->fail_in > 0;
	t->fail_after -= t->fail_after > 1;
	return now;
}

static enum err flash_read(void *ctx, uint32_t offset, void *dst, size_t n)
{
	return sim_flash_read(&((struct bench *)ctx)->flash, offset, dst, n);
}

static enum err flash_erase(void *ctx, uint32_t page)
{
	struct bench *t = ctx;

	t->reported_failed = fails_now(t);
	if (t->reported_failed && t->how != HOW_DONE)
		return t->how == HOW_REFUSED ? ERR_BUSY : ERR_OK;
	(void)!sim_flash_erase(&t->flash, page);
	return ERR_OK;
}

static enum err flash_write(void *ctx, uint32_t offset, const void *src, size_t n)
{
	struct bench *t = ctx;

	t->reported_failed = fails_now(t);
	if (t->reported_failed && t->how != HOW_DONE)
		return t->how == HOW_REFUSED ? ERR_BUSY : ERR_OK;
	MUST(t->flash.is_cut || sim_flash_write(&t->flash, offset, src, n) != ERR_RANGE);
	return ERR_OK;
}

static void on_done(void *ctx, enum err result)
{
	struct bench *t = ctx;

	MUST(!t->is_done);
	t->is_done = true;
	t->result = result;
}

static void look(const struct bench *t, struct view *v)
{
	memset(v, 0, sizeof(*v));
	for (uint16_t id = 0; id < IDS; id++) {
		struct data *d = &v->of[id];
		enum err e = records_read(&t->store, id, d->b, sizeof(d->b), &d->n);

		MUST(e == ERR_OK ? d->n > 0 : e == ERR_NOT_FOUND && d->n == 0);
	}
}

static bool same(const struct data *a, const struct data *b)
{
	return a->n == b->n && memcmp(a->b, b->b, a->n) == 0;
}

static bool same_view(const struct view *a, const struct view *b)
{
	for (size_t i = 0; i < IDS; i++)
		if (!same(&a->of[i], &b->of[i]))
			return false;
	return true;
}

/* Until the store rests or the power is gone. */
static void pump(struct bench *t)
{
	for (int i = 0; t->store.step != RECORDS_IDLE && !t->flash.is_cut; i++) {
		MUST(i < SIM_FLASH_BYTES);
		records_on_flash(&t->store, t->reported_failed ? ERR_IO : ERR_OK);
	}
}

static void boot(struct bench *t)
{
	MUST(records_init(&t->store, &t->port) == ERR_OK);
	records_repair(&t->store);
	pump(t);
}

/* The power is back; what fails has been replaced. */
static void reboot(struct bench *t)
{
	t->flash.is_cut = false;
	t->flash.cut_at = t->fail_in = t->fail_after = 0;
	t->unsure = false;
	boot(t);
}

static struct data make(uint8_t seed, size_t n)
{
	struct data d = {.n = n};

	memset(d.b, seed, n);
	return d;
}

static void check_saved(const struct view *before, const struct view *now, size_t id,
	const struct data *d, bool sure)
{
	for (size_t i = 0; i < IDS; i++)
		if (i != id)
			MUST(same(&before->of[i], &now->of[i]));
	MUST(same(&now->of[id], d) || (!sure && same(&now->of[id], &before->of[id])));
}

static void save(struct bench *t, uint8_t what, uint8_t argument)
{
	size_t id = what >> 4 & (IDS - 1);
	bool immortal = what >> 7;
	struct data d = make((uint8_t)(what ^ argument), 1u + argument % RECORDS_DATA_MAX_BYTES);
	bool was_unsure = t->unsure, sure;
	struct view before, now;
	enum err e;

	look(t, &before);
	t->is_done = false;
	e = records_save(&t->store, (uint16_t)id, immortal, d.b, d.n, on_done, t);
	pump(t);
	sure = e == ERR_OK && t->is_done && t->result == ERR_OK;
	t->unsure = t->unsure || !sure;
	if (!t->flash.is_cut)
		was_unsure = false;
	else
		reboot(t);
	look(t, &now);
	if (!was_unsure)
		check_saved(&before, &now, id, &d, sure);
	t->is_immortal[id] = t->is_mortal[id] = false;
	if (same(&now.of[id], &d) && !same(&before.of[id], &d)) {
		t->is_immortal[id] = immortal;
		t->is_mortal[id] = !immortal;
	}
}

static bool is_reset(const struct bench *t, const struct view *before, const struct view *now,
	const struct data *d)
{
	for (size_t i = 0; i < IDS; i++) {
		bool kept = same(&before->of[i], &now->of[i]);
		bool gone = now->of[i].n == 0;

		if (i == 1 && d->n > 0) {
			if (!same(&now->of[i], d))
				return false;
		} else if ((t->is_immortal[i] && !kept) || (t->is_mortal[i] && !gone) ||
			   (!kept && !gone)) {
			return false;
		}
	}
	return true;
}

static void reset(struct bench *t, uint8_t argument)
{
	struct data d = make(argument, argument % RECORDS_DATA_MAX_BYTES);
	bool was_unsure = t->unsure, sure;
	struct view before, now;
	enum err e;

	look(t, &before);
	t->is_done = false;
	e = records_reset(&t->store, 1, d.b, d.n, on_done, t);
	pump(t);
	sure = e == ERR_OK && t->is_done && t->result == ERR_OK;
	reboot(t); /* the node does; it ends the lock-down, too */
	look(t, &now);
	MUST(is_reset(t, &before, &now, &d) || (!sure && same_view(&before, &now)) ||
		(!sure && was_unsure));
	memset(t->is_mortal, 0, sizeof(t->is_mortal));
	memset(t->is_immortal, 0, sizeof(t->is_immortal));
}

static void check_busy(struct bench *t)
{
	uint8_t b[4] = {1, 2, 3, 4};

	t->is_done = false;
	if (records_save(&t->store, 0, false, b, sizeof(b), on_done, t) == ERR_OK) {
		MUST(records_save(&t->store, 2, false, b, sizeof(b), NULL, NULL) == ERR_BUSY);
		MUST(records_reset(&t->store, 2, b, sizeof(b), NULL, NULL) == ERR_BUSY);
	}
	pump(t);
	t->unsure = t->unsure || !t->is_done || t->result != ERR_OK;
	t->is_immortal[0] = t->is_mortal[0] = false;
	if (t->flash.is_cut)
		reboot(t);
	MUST(records_save(&t->store, RECORDS_ID_INVALID, false, b, 1, NULL, NULL) == ERR_RANGE);
	MUST(records_save(&t->store, 0, false, b, 0, NULL, NULL) == ERR_RANGE);
	MUST(records_reset(&t->store, RECORDS_ID_INVALID, b, 1, NULL, NULL) == ERR_RANGE);
}

static void check_small(const struct bench *t, size_t cap)
{
	uint8_t b[RECORDS_DATA_MAX_BYTES];
	struct view v;
	size_t n = 0;

	look(t, &v);
	cap %= sizeof(b);
	for (uint16_t id = 0; id < IDS; id++)
		if (v.of[id].n > cap)
			MUST(records_read(&t->store, id, b, cap, &n) == ERR_FULL && n == 0);
}

/* What a reboot finds is what was there before. */
static void check_reboot(struct bench *t)
{
	struct view before, now;

	bool was_unsure = t->unsure;

	look(t, &before);
	reboot(t);
	look(t, &now);
	MUST(was_unsure || same_view(&before, &now));
}

static void obey(struct bench *t, uint8_t what, uint8_t argument)
{
	switch ((enum what)(what % WHAT_COUNT)) {
	case WHAT_SAVE:
		save(t, what, argument);
		break;
	case WHAT_RESET:
		reset(t, argument);
		break;
	case WHAT_REBOOT:
		check_reboot(t);
		break;
	case WHAT_CUT:
		t->flash.cut_at = t->flash.op_count + 1 + argument % 16;
		break;
	case WHAT_FAIL:
	case WHAT_FAIL_ALL:
		t->how = (enum how)((what >> 4) % HOW_COUNT);
		t->fail_in = what % WHAT_COUNT == WHAT_FAIL ? 1 + argument % 16 : 0;
		t->fail_after = what % WHAT_COUNT == WHAT_FAIL ? 0 : 1 + argument % 16;
		break;
	case WHAT_BUSY:
		check_busy(t);
		break;
	case WHAT_READ:
		check_small(t, argument);
		break;
	case WHAT_COUNT:
		break;
	}
	MUST(t->flash.breach_count == 0);
}

static void load(struct bench *t, const uint8_t *data, size_t size)
{
	size_t half = size / 2 < SIM_FLASH_PAGE_BYTES ? size / 2 : SIM_FLASH_PAGE_BYTES;
	bool is_new;

	memset(t, 0, sizeof(*t));
	MUST(sim_flash_open(&t->flash, NULL, &is_new) == ERR_OK);
	memcpy(t->flash.b, data, half);
	memcpy(t->flash.b + SIM_FLASH_PAGE_BYTES, data + half, half);
	sim_flash_port(&t->flash, &t->port);
	t->port.ctx = t;
	t->port.flash_read = flash_read;
	t->port.flash_erase = flash_erase;
	t->port.flash_write = flash_write;
	boot(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct bench t;
	size_t orders;

	if (size < 1)
		return 0;
	orders = data[0] % ORDERS_MAX;
	if (orders > (size - 1) / 2)
		orders = (size - 1) / 2;
	load(&t, data + 1 + 2 * orders, size - 1 - 2 * orders);
	for (size_t i = 0; i < orders; i++)
		obey(&t, data[1 + 2 * i], data[2 + 2 * i]);
	return 0;
}
