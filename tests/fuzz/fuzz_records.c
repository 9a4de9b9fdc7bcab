/* The record store on flash of any content: what it reads it can also move, and what it saves it
 * reads again, also after a reset; it never writes a word twice. The input: two bytes of orders,
 * then the beginning of page 0 and, from the middle, of page 1. */
#include "firmware/core/records.h"
#include "firmware/port/host/sim_flash.h"
#include "fuzz/fuzz.h"

struct bench {
	struct sim_flash flash;
	struct port port;
	struct records store;
};

static void pump(struct records *r)
{
	for (int i = 0; r->step != RECORDS_IDLE; i++) {
		MUST(i < SIM_FLASH_BYTES);
		records_on_flash(r, ERR_OK);
	}
}

static void load(struct bench *t, const uint8_t *data, size_t size)
{
	size_t half = size / 2 < SIM_FLASH_PAGE_BYTES ? size / 2 : SIM_FLASH_PAGE_BYTES;
	bool is_new;

	MUST(sim_flash_open(&t->flash, NULL, &is_new) == ERR_OK);
	memcpy(t->flash.b, data, half);
	memcpy(t->flash.b + SIM_FLASH_PAGE_BYTES, data + half, half);
	sim_flash_port(&t->flash, &t->port);
	MUST(records_init(&t->store, &t->port) == ERR_OK);
}

/* The same record must be there after the store was read anew. */
static void check_kept(struct bench *t, uint16_t id, const uint8_t *b, size_t n)
{
	uint8_t now[RECORDS_DATA_MAX_BYTES];
	size_t now_n = 0;

	MUST(records_init(&t->store, &t->port) == ERR_OK);
	MUST(records_read(&t->store, id, now, sizeof(now), &now_n) == ERR_OK);
	MUST(now_n == n && memcmp(now, b, n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct bench t;
	uint8_t b[RECORDS_DATA_MAX_BYTES], other[RECORDS_DATA_MAX_BYTES];
	size_t n = 0, other_n = 0;
	bool had;
	enum err e;

	if (size < 2)
		return 0;
	load(&t, data + 2, size - 2);
	records_repair(&t.store);
	pump(&t.store);
	had = records_read(&t.store, 0, other, sizeof(other), &other_n) == ERR_OK;
	memset(b, data[0], sizeof(b));
	n = 1u + data[1] % RECORDS_DATA_MAX_BYTES;
	e = data[0] % 2 == 0 ? records_save(&t.store, 1, false, b, n, NULL, NULL)
			     : records_reset(&t.store, 1, b, n, NULL, NULL);
	if (e == ERR_OK)
		pump(&t.store);
	MUST(t.flash.breach_count == 0);
	if (records_read(&t.store, 1, b, sizeof(b), &n) == ERR_OK && e == ERR_OK)
		check_kept(&t, 1, b, n);
	if (had && data[0] % 2 == 0)
		check_kept(&t, 0, other, other_n);
	return 0;
}
