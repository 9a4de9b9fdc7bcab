/*
 * The record store: small records in two flash pages, such that after a loss of power at any moment
 * each record holds either its old or its new content, and a factory reset has happened entirely or
 * not at all. Our own format (mesh-protocol §7.1: it is private to a node). It knows nothing of
 * what the records mean.
 *
 * A page: header of 16 bytes {magic u32, counter u32, flags u32, crc32 u32}, then records,
 * appended. A record: {id u16, length u16 with bit 15 = immortal, version u32, crc32 u32}, data,
 * padding of FF to whole words. The last valid record of an id counts; the valid page with the
 * higher counter counts. The page header is written last, so a half-made page does not exist; every
 * word is written once per erase. What follows a damaged record is not used any more: the next save
 * moves to the other page, which is always erased first, whatever it seems to hold.
 */
#ifndef FIRMWARE_CORE_RECORDS_H
#define FIRMWARE_CORE_RECORDS_H

#include "firmware/port.h"

#define RECORDS_DATA_MAX_BYTES 128
#define RECORDS_PAGE_HEADER_BYTES 16
#define RECORDS_HEADER_BYTES 12
#define RECORDS_BUFFER_WORDS ((RECORDS_HEADER_BYTES + RECORDS_DATA_MAX_BYTES) / 4)
#define RECORDS_ERASE_TRIES 10 /* §4.8 */
#define RECORDS_ID_NODE 0
#define RECORDS_ID_INVALID 0xFFFFu

/* Called from records_on_flash() when a save or reset has ended. ERR_OK: it is in flash. ERR_IO:
 * the flash says that it is not; what was there before still counts, unless the flash was wrong and
 * a reboot finds the new. */
typedef void records_done_fn(void *ctx, enum err result);

enum records_step {
	RECORDS_IDLE = 0,
	RECORDS_APPEND,       /* the new record goes behind the last one */
	RECORDS_ERASE_TARGET, /* from here on: everything moves to the other page */
	RECORDS_COPY,
	RECORDS_WRITE_NEW,
	RECORDS_WRITE_HEADER,
	RECORDS_ERASE_OLD, /* after a reset: the old page holds what shall be forgotten */
	RECORDS_REPAIR     /* at boot: the same, finished after a loss of power */
};

struct records {
	const struct port *port;
	uint32_t counter; /* of the active page */
	uint32_t end;     /* where the next record goes, offset in the page */
	uint8_t active;   /* page 0 or 1 */
	bool formatted;   /* there is an active page */
	bool dirty;       /* its tail cannot be written to */
	bool stale;       /* the other page must be erased */
	bool locked;      /* a reset has begun: nobody else saves until the reboot */

	enum records_step step;
	uint8_t tries;
	bool reset;
	uint32_t copy_from; /* offset in the active page */
	uint32_t copy_to;   /* offset in the other page */
	uint32_t new_words; /* of new_record; 0: none */
	records_done_fn *done;
	void *done_ctx;
	uint32_t new_record[RECORDS_BUFFER_WORDS]; /* kept until written */
	uint32_t copy[RECORDS_BUFFER_WORDS];
};

/* Reads both pages and chooses. Never fails for what they hold: no valid page is an empty store.
 * ERR_IO when they cannot be read, ERR_RANGE when the port's pages are of no use. */
ENR_MUST_CHECK enum err records_init(struct records *r, const struct port *port);

/* Starts what a loss of power left undone, if anything; saves are ERR_BUSY meanwhile. */
void records_repair(struct records *r);

/* Copies the record's data to dst. ERR_NOT_FOUND; ERR_FULL when it has more than cap bytes; ERR_IO.
 * On error dst and *n are as they were. */
ENR_MUST_CHECK enum err records_read(
	const struct records *r, uint16_t id, void *dst, size_t cap, size_t *n);

/* Stores n bytes (1 to RECORDS_DATA_MAX_BYTES, copied) under id; done follows if ERR_OK is
 * returned. ERR_BUSY: another operation runs. ERR_STATE: locked down. ERR_FULL: does not fit.
 * ERR_IO. */
ENR_MUST_CHECK enum err records_save(struct records *r, uint16_t id, bool immortal,
	const void *data, size_t n, records_done_fn *done, void *ctx);

/* Factory reset with lock-down (§4.8) in one atomic step: all but immortal records are forgotten,
 * and the record id holds n bytes of data (n = 0: no record). On failure the old content stays and
 * the lock is released. Errors as records_save. */
ENR_MUST_CHECK enum err records_reset(struct records *r, uint16_t id, const void *data, size_t n,
	records_done_fn *done, void *ctx);

/* A flash operation of the port has ended. */
void records_on_flash(struct records *r, enum err result);

#endif
