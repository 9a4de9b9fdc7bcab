#include "records.h"

#include "crc32.h"

#define PAGE_MAGIC 0x31524E45u /* "ENR1" */
#define FLAG_RESET 1u          /* made by a factory reset: the other page must not survive */
#define IMMORTAL_BIT 0x8000u
#define WORD_BLANK 0xFFFFFFFFu
#define PAGE_MIN_BYTES 1024u
#define PAGE_MAX_BYTES 65536u

struct page_header {
	uint32_t counter;
	uint32_t flags;
};

struct record_head {
	uint16_t id;
	uint16_t data_bytes;
	bool immortal;
	uint32_t version;
	uint32_t crc;
};

/* --- bytes ------------------------------------------------------------------------------- */

static uint32_t page_base(const struct records *r, uint8_t page)
{
	return page * r->port->flash_page_bytes;
}

static uint32_t whole_words_bytes(uint32_t n)
{
	return (n + 3) & ~3u;
}

static uint32_t record_bytes(uint32_t data_bytes)
{
	return RECORDS_HEADER_BYTES + whole_words_bytes(data_bytes);
}

static enum err read_at(
	const struct records *r, uint8_t page, uint32_t offset, void *dst, uint32_t n)
{
	return r->port->flash_read(r->port->ctx, page_base(r, page) + offset, dst, n);
}

static void encode_page_header(const struct page_header *h, uint8_t out[RECORDS_PAGE_HEADER_BYTES])
{
	struct wr w = wr_init(out, RECORDS_PAGE_HEADER_BYTES);

	wr_u32(&w, PAGE_MAGIC);
	wr_u32(&w, h->counter);
	wr_u32(&w, h->flags);
	wr_u32(&w, crc32_add(0, out, 12));
}

/* ERR_INVALID when there is none. */
static enum err read_page_header(const struct records *r, uint8_t page, struct page_header *out)
{
	uint8_t b[RECORDS_PAGE_HEADER_BYTES] = {0};
	struct rd rd = rd_init(b, sizeof(b));
	enum err e = read_at(r, page, 0, b, sizeof(b));

	if (e != ERR_OK)
		return e;
	if (rd_u32(&rd) != PAGE_MAGIC)
		return ERR_INVALID;
	out->counter = rd_u32(&rd);
	out->flags = rd_u32(&rd);
	return rd_u32(&rd) == crc32_add(0, b, 12) ? ERR_OK : ERR_INVALID;
}

static void decode_record_head(const uint8_t b[RECORDS_HEADER_BYTES], struct record_head *out)
{
	struct rd rd = rd_init(b, RECORDS_HEADER_BYTES);
	uint16_t length;

	out->id = rd_u16(&rd);
	length = rd_u16(&rd);
	out->immortal = (length & IMMORTAL_BIT) != 0;
	out->data_bytes = (uint16_t)(length & ~IMMORTAL_BIT);
	out->version = rd_u32(&rd);
	out->crc = rd_u32(&rd);
}

/* A whole record, whose data lie at b + RECORDS_HEADER_BYTES already; returns its bytes. */
static uint32_t seal_record(uint8_t *b, const struct record_head *h)
{
	uint32_t bytes = record_bytes(h->data_bytes);
	struct wr w = wr_init(b, RECORDS_HEADER_BYTES);
	uint32_t crc;

	memset(b + RECORDS_HEADER_BYTES + h->data_bytes, 0xFF,
		bytes - RECORDS_HEADER_BYTES - h->data_bytes);
	wr_u16(&w, h->id);
	wr_u16(&w, (uint16_t)(h->data_bytes | (h->immortal ? IMMORTAL_BIT : 0)));
	wr_u32(&w, h->version);
	crc = crc32_add(0, b, 8);
	wr_u32(&w, crc32_add(crc, b + RECORDS_HEADER_BYTES, h->data_bytes));
	return bytes;
}

/* Reads and checks the record at offset of the active page into b (a whole record buffer).
 * ERR_NOT_FOUND: blank from here. ERR_INVALID: damaged. */
static enum err read_record(
	const struct records *r, uint32_t offset, uint8_t *b, struct record_head *out)
{
	uint32_t page = r->port->flash_page_bytes;
	uint32_t crc;

	if (page - offset < RECORDS_HEADER_BYTES)
		return ERR_NOT_FOUND;
	if (read_at(r, r->active, offset, b, RECORDS_HEADER_BYTES) != ERR_OK)
		return ERR_INVALID;
	if (bytes_are_ct(b, 4, 0xFF))
		return ERR_NOT_FOUND;
	decode_record_head(b, out);
	if (out->data_bytes == 0 || out->data_bytes > RECORDS_DATA_MAX_BYTES ||
		page - offset < record_bytes(out->data_bytes))
		return ERR_INVALID;
	if (read_at(r, r->active, offset + RECORDS_HEADER_BYTES, b + RECORDS_HEADER_BYTES,
		    whole_words_bytes(out->data_bytes)) != ERR_OK)
		return ERR_INVALID;
	crc = crc32_add(0, b, 8);
	crc = crc32_add(crc, b + RECORDS_HEADER_BYTES, out->data_bytes);
	return crc == out->crc ? ERR_OK : ERR_INVALID;
}

static bool is_blank(const struct records *r, uint8_t page, uint32_t offset)
{
	uint32_t word;

	for (; offset < r->port->flash_page_bytes; offset += 4)
		if (read_at(r, page, offset, &word, 4) != ERR_OK || word != WORD_BLANK)
			return false;
	return true;
}

/* --- boot -------------------------------------------------------------------------------- */

static void choose_page(struct records *r, uint32_t *flags)
{
	struct page_header h[2];
	bool valid[2];

	for (uint8_t i = 0; i < 2; i++)
		valid[i] = read_page_header(r, i, &h[i]) == ERR_OK;
	r->formatted = valid[0] || valid[1];
	if (valid[0] && valid[1])
		r->active = (int32_t)(h[1].counter - h[0].counter) > 0 ? 1 : 0;
	else
		r->active = valid[1] ? 1 : 0;
	if (r->formatted) {
		r->counter = h[r->active].counter;
		*flags = h[r->active].flags;
	}
}

static void find_end(struct records *r)
{
	uint8_t b[RECORDS_BUFFER_WORDS * 4];
	struct record_head h;
	enum err e;

	r->end = RECORDS_PAGE_HEADER_BYTES;
	while ((e = read_record(r, r->end, b, &h)) == ERR_OK)
		r->end += record_bytes(h.data_bytes);
	r->dirty = e == ERR_INVALID || !is_blank(r, r->active, r->end);
	bytes_wipe(b, sizeof(b));
}

enum err records_init(struct records *r, const struct port *port)
{
	uint32_t probe, flags = 0;

	memset(r, 0, sizeof(*r));
	r->port = port;
	if (port->flash_page_count < 2 || port->flash_page_bytes < PAGE_MIN_BYTES ||
		port->flash_page_bytes > PAGE_MAX_BYTES || port->flash_page_bytes % 4 != 0)
		return ERR_RANGE;
	if (read_at(r, 0, 0, &probe, 4) != ERR_OK || read_at(r, 1, 0, &probe, 4) != ERR_OK)
		return ERR_IO;
	choose_page(r, &flags);
	if (!r->formatted)
		return ERR_OK;
	find_end(r);
	r->stale = (flags & FLAG_RESET) != 0 && !is_blank(r, 1 - r->active, 0);
	return ERR_OK;
}

/* The record that counts: the last of this id. ERR_NOT_FOUND. */
static enum err find_last(const struct records *r, uint16_t id, uint32_t *offset)
{
	uint8_t b[RECORDS_BUFFER_WORDS * 4];
	uint32_t at = RECORDS_PAGE_HEADER_BYTES;
	struct record_head h;
	enum err e = ERR_NOT_FOUND;

	while (r->formatted && read_record(r, at, b, &h) == ERR_OK) {
		if (h.id == id) {
			*offset = at;
			e = ERR_OK;
		}
		at += record_bytes(h.data_bytes);
	}
	bytes_wipe(b, sizeof(b));
	return e;
}

enum err records_read(const struct records *r, uint16_t id, void *dst, size_t cap, size_t *n)
{
	uint8_t b[RECORDS_BUFFER_WORDS * 4];
	struct record_head h;
	uint32_t at;
	enum err e = find_last(r, id, &at);

	if (e == ERR_OK && read_record(r, at, b, &h) != ERR_OK)
		e = ERR_IO;
	if (e == ERR_OK && h.data_bytes > cap)
		e = ERR_FULL;
	if (e == ERR_OK) {
		memcpy(dst, b + RECORDS_HEADER_BYTES, h.data_bytes);
		*n = h.data_bytes;
	}
	bytes_wipe(b, sizeof(b));
	return e;
}

/* --- the steps ---------------------------------------------------------------------------- */

static uint8_t other_page(const struct records *r)
{
	return r->formatted ? (uint8_t)(1 - r->active) : 0;
}

static enum err start_erase(struct records *r, enum records_step step, uint8_t page)
{
	r->step = step;
	return r->port->flash_erase(r->port->ctx, page);
}

static enum err start_write(struct records *r, enum records_step step, uint8_t page,
	uint32_t offset, const uint32_t *words, uint32_t bytes)
{
	r->step = step;
	return r->port->flash_write(r->port->ctx, page_base(r, page) + offset, words, bytes);
}

/* Is the record of h, which ends at next, the one that counts, and does it outlive this move? */
static bool is_kept(const struct records *r, const struct record_head *h, uint32_t next)
{
	uint8_t b[RECORDS_BUFFER_WORDS * 4];
	struct record_head later, fresh;
	bool kept = !r->reset || h->immortal;

	if (r->new_words > 0) {
		decode_record_head((const uint8_t *)r->new_record, &fresh);
		kept = kept && fresh.id != h->id;
	}
	for (; kept && read_record(r, next, b, &later) == ERR_OK;
		next += record_bytes(later.data_bytes))
		kept = later.id != h->id;
	bytes_wipe(b, sizeof(b));
	return kept;
}

static enum err start_header(struct records *r)
{
	const struct page_header h = {r->counter + 1, r->reset ? FLAG_RESET : 0};

	encode_page_header(&h, (uint8_t *)r->copy);
	return start_write(
		r, RECORDS_WRITE_HEADER, other_page(r), 0, r->copy, RECORDS_PAGE_HEADER_BYTES);
}

static enum err start_new(struct records *r)
{
	if (r->new_words == 0)
		return start_header(r);
	if (r->port->flash_page_bytes - r->copy_to < r->new_words * 4)
		return ERR_FULL;
	return start_write(
		r, RECORDS_WRITE_NEW, other_page(r), r->copy_to, r->new_record, r->new_words * 4);
}

/* The next record that moves, then the new one. */
static enum err start_copy(struct records *r)
{
	struct record_head h;
	uint32_t bytes;

	while (r->formatted && read_record(r, r->copy_from, (uint8_t *)r->copy, &h) == ERR_OK) {
		bytes = record_bytes(h.data_bytes);
		r->copy_from += bytes;
		if (is_kept(r, &h, r->copy_from))
			return start_write(
				r, RECORDS_COPY, other_page(r), r->copy_to, r->copy, bytes);
	}
	return start_new(r);
}

static enum err start_move(struct records *r)
{
	r->tries = 0;
	r->copy_from = RECORDS_PAGE_HEADER_BYTES;
	r->copy_to = RECORDS_PAGE_HEADER_BYTES;
	return start_erase(r, RECORDS_ERASE_TARGET, other_page(r));
}

static void finish(struct records *r, enum err result)
{
	records_done_fn *done = r->done;

	r->step = RECORDS_IDLE;
	if (result != ERR_OK && r->reset)
		r->locked = false;
	r->reset = false;
	r->done = NULL;
	bytes_wipe(r->new_record, sizeof(r->new_record));
	bytes_wipe(r->copy, sizeof(r->copy));
	if (done)
		done(r->done_ctx, result);
}

/* The new page is valid from now on. */
static enum err commit_move(struct records *r)
{
	r->active = other_page(r);
	r->formatted = true;
	r->counter++;
	r->dirty = false;
	r->end = r->copy_to + r->new_words * 4;
	r->tries = 0;
	return r->reset ? start_erase(r, RECORDS_ERASE_OLD, (uint8_t)(1 - r->active)) : ERR_OK;
}

/* A step has succeeded: the next one. ERR_OK with RECORDS_IDLE: all is done. */
static enum err advance(struct records *r)
{
	enum records_step step = r->step;
	enum err e;

	r->step = RECORDS_IDLE;
	switch (step) {
	case RECORDS_APPEND:
		r->end += r->new_words * 4;
		return ERR_OK;
	case RECORDS_ERASE_TARGET:
		return start_copy(r);
	case RECORDS_COPY: {
		struct record_head h;

		decode_record_head((const uint8_t *)r->copy, &h);
		r->copy_to += record_bytes(h.data_bytes);
		return start_copy(r);
	}
	case RECORDS_WRITE_NEW:
		return start_header(r);
	case RECORDS_WRITE_HEADER:
		e = commit_move(r);
		if (e != ERR_OK) { /* the boot will erase what could not be erased now */
			r->stale = true;
			r->step = RECORDS_IDLE;
		}
		return ERR_OK;
	case RECORDS_ERASE_OLD:
	case RECORDS_REPAIR:
		r->stale = false;
		return ERR_OK;
	case RECORDS_IDLE:
		return ERR_OK;
	}
	return ERR_STATE;
}

/* A step has failed: an erase is tried again; the rest gives up, with the old content in place. */
static enum err retry(struct records *r)
{
	enum records_step step = r->step;
	bool target = step == RECORDS_ERASE_TARGET;

	r->step = RECORDS_IDLE;
	/* The words may be there after all: nothing more is appended before a move has erased the
	 * other page. */
	if (step == RECORDS_APPEND || step == RECORDS_WRITE_HEADER)
		r->dirty = true;
	if (step != RECORDS_ERASE_TARGET && step != RECORDS_ERASE_OLD && step != RECORDS_REPAIR)
		return ERR_IO;
	if (++r->tries < RECORDS_ERASE_TRIES)
		return start_erase(r, step, target ? other_page(r) : (uint8_t)(1 - r->active));
	return target ? ERR_IO : ERR_OK; /* the old page stays stale: the next boot repairs */
}

void records_on_flash(struct records *r, enum err result)
{
	enum err e;

	if (r->step == RECORDS_IDLE)
		return;
	e = result == ERR_OK ? advance(r) : retry(r);
	if (e != ERR_OK || r->step == RECORDS_IDLE)
		finish(r, e);
}

/* --- requests ------------------------------------------------------------------------------ */

static uint32_t next_version(const struct records *r, uint16_t id)
{
	uint8_t b[RECORDS_BUFFER_WORDS * 4];
	struct record_head h;
	uint32_t at, version = 1;

	if (find_last(r, id, &at) == ERR_OK && read_record(r, at, b, &h) == ERR_OK)
		version = h.version + 1;
	bytes_wipe(b, sizeof(b));
	return version;
}

static enum err set_new(struct records *r, uint16_t id, bool immortal, const void *data, size_t n)
{
	struct record_head h = {.id = id, .immortal = immortal};
	uint8_t *b = (uint8_t *)r->new_record;

	r->new_words = 0;
	if (n == 0)
		return ERR_OK;
	if (n > RECORDS_DATA_MAX_BYTES || id == RECORDS_ID_INVALID)
		return ERR_RANGE;
	h.data_bytes = (uint16_t)n;
	h.version = next_version(r, id);
	memcpy(b + RECORDS_HEADER_BYTES, data, n);
	r->new_words = seal_record(b, &h) / 4;
	return ERR_OK;
}

static enum err begin(struct records *r, enum err started, records_done_fn *done, void *ctx)
{
	if (started != ERR_OK) {
		finish(r, started);
		return started;
	}
	r->done = done;
	r->done_ctx = ctx;
	return ERR_OK;
}

enum err records_save(struct records *r, uint16_t id, bool immortal, const void *data, size_t n,
	records_done_fn *done, void *ctx)
{
	bool fits;
	enum err e;

	if (r->locked)
		return ERR_STATE;
	if (r->step != RECORDS_IDLE)
		return ERR_BUSY;
	if (n == 0)
		return ERR_RANGE;
	e = set_new(r, id, immortal, data, n);
	if (e != ERR_OK)
		return e;
	fits = r->formatted && !r->dirty && r->port->flash_page_bytes - r->end >= r->new_words * 4;
	if (fits)
		e = start_write(
			r, RECORDS_APPEND, r->active, r->end, r->new_record, r->new_words * 4);
	else
		e = start_move(r);
	return begin(r, e, done, ctx);
}

enum err records_reset(struct records *r, uint16_t id, const void *data, size_t n,
	records_done_fn *done, void *ctx)
{
	enum err e;

	if (r->locked)
		return ERR_STATE;
	if (r->step != RECORDS_IDLE)
		return ERR_BUSY;
	e = set_new(r, id, false, data, n);
	if (e != ERR_OK)
		return e;
	r->reset = true;
	r->locked = true;
	return begin(r, start_move(r), done, ctx);
}

void records_repair(struct records *r)
{
	if (!r->stale || r->step != RECORDS_IDLE)
		return;
	r->tries = 0;
	if (start_erase(r, RECORDS_REPAIR, (uint8_t)(1 - r->active)) != ERR_OK)
		r->step = RECORDS_IDLE;
}
