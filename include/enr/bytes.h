/*
 * Cursors over bytes, little-endian, and the three things that secrets need: compare in constant
 * time, wipe, test for a constant. A cursor that runs over its end turns bad and stays so: read all
 * fields, then ask rd_end once. Nothing is copied but what rd_copy copies.
 */
#ifndef ENR_BYTES_H
#define ENR_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "enr/err.h"

/* A borrowed view of n bytes; p may be NULL when n is 0. */
struct span {
	const uint8_t *p;
	size_t n;
};

struct rd {
	const uint8_t *p;
	size_t left_bytes;
	bool bad;
};

static inline struct rd rd_init(const void *p, size_t n)
{
	return (struct rd){.p = p, .left_bytes = n, .bad = false};
}

/* A view of the next n bytes, or NULL (and the cursor is bad) if there are fewer. */
static inline const uint8_t *rd_view(struct rd *r, size_t n)
{
	const uint8_t *p = r->p;

	if (r->bad || r->left_bytes < n) {
		r->bad = true;
		return NULL;
	}
	if (n > 0)
		r->p += n;
	r->left_bytes -= n;
	return p;
}

/* Copies n bytes to dst; fills dst with zeros when the cursor is or turns bad. */
static inline void rd_copy(struct rd *r, void *dst, size_t n)
{
	const uint8_t *p = rd_view(r, n);

	if (n == 0)
		return;
	if (p && !r->bad)
		memcpy(dst, p, n);
	else
		memset(dst, 0, n);
}

static inline uint64_t rd_le(struct rd *r, size_t n)
{
	const uint8_t *p = rd_view(r, n);
	uint64_t v = 0;

	if (r->bad || !p)
		return 0;
	for (size_t i = n; i > 0; i--)
		v = v << 8 | p[i - 1];
	return v;
}

static inline uint8_t rd_u8(struct rd *r)
{
	return (uint8_t)rd_le(r, 1);
}

static inline uint16_t rd_u16(struct rd *r)
{
	return (uint16_t)rd_le(r, 2);
}

static inline uint32_t rd_u32(struct rd *r)
{
	return (uint32_t)rd_le(r, 4);
}

static inline uint64_t rd_u64(struct rd *r)
{
	return rd_le(r, 8);
}

/* What is left, as a view; the cursor is then at its end. */
static inline struct span rd_rest(struct rd *r)
{
	struct span s = {r->p, r->bad ? 0 : r->left_bytes};

	(void)rd_view(r, s.n);
	return s;
}

/* Every decoder ends here: ERR_SHORT if it ran over the end, ERR_TRAILING if bytes are left. */
static inline ENR_MUST_CHECK enum err rd_end(const struct rd *r)
{
	if (r->bad)
		return ERR_SHORT;
	return r->left_bytes > 0 ? ERR_TRAILING : ERR_OK;
}

struct wr {
	uint8_t *p;
	size_t cap_bytes;
	size_t len_bytes;
	bool bad;
};

static inline struct wr wr_init(void *p, size_t cap)
{
	return (struct wr){.p = p, .cap_bytes = cap, .len_bytes = 0, .bad = false};
}

/* Room for the next n bytes, or NULL (and the cursor is bad). */
static inline uint8_t *wr_room(struct wr *w, size_t n)
{
	uint8_t *p;

	if (w->bad || w->cap_bytes - w->len_bytes < n) {
		w->bad = true;
		return NULL;
	}
	p = w->p + w->len_bytes;
	w->len_bytes += n;
	return p;
}

static inline void wr_bytes(struct wr *w, const void *src, size_t n)
{
	uint8_t *p = n > 0 ? wr_room(w, n) : NULL;

	if (p)
		memcpy(p, src, n);
}

static inline void wr_zero(struct wr *w, size_t n)
{
	uint8_t *p = n > 0 ? wr_room(w, n) : NULL;

	if (p)
		memset(p, 0, n);
}

static inline void wr_le(struct wr *w, uint64_t v, size_t n)
{
	uint8_t *p = wr_room(w, n);

	for (size_t i = 0; p && i < n; i++, v >>= 8)
		p[i] = (uint8_t)v;
}

static inline void wr_u8(struct wr *w, uint8_t v)
{
	wr_le(w, v, 1);
}

static inline void wr_u16(struct wr *w, uint16_t v)
{
	wr_le(w, v, 2);
}

static inline void wr_u32(struct wr *w, uint32_t v)
{
	wr_le(w, v, 4);
}

static inline void wr_u64(struct wr *w, uint64_t v)
{
	wr_le(w, v, 8);
}

/* Every encoder ends here: ERR_FULL if the buffer was too small. */
static inline ENR_MUST_CHECK enum err wr_end(const struct wr *w)
{
	return w->bad ? ERR_FULL : ERR_OK;
}

/* Time depends on n only. */
static inline bool bytes_equal_ct(const void *a, const void *b, size_t n)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t diff = 0;

	for (size_t i = 0; i < n; i++)
		diff = (uint8_t)(diff | (x[i] ^ y[i]));
	return diff == 0;
}

/* Are all n bytes equal to value? Time depends on n only. */
static inline bool bytes_are_ct(const void *a, size_t n, uint8_t value)
{
	const volatile uint8_t *x = a;
	uint8_t diff = 0;

	for (size_t i = 0; i < n; i++)
		diff = (uint8_t)(diff | (x[i] ^ value));
	return diff == 0;
}

/* Is not optimised away: for all the compiler knows, the empty assembly reads the zeros. */
static inline void bytes_wipe(void *p, size_t n)
{
	if (n > 0)
		memset(p, 0, n);
	__asm__ __volatile__("" : : "r"(p) : "memory");
}

#endif
