/* A device that fails at once is not hammered: each failure doubles the time to its next try. */
#include "mesh/link_bluez_room.h"

#define FIRST_MS 500
#define LAST_MS 16000

static struct bz_backoff *find(struct bz *bz, const struct link_addr *addr)
{
	for (size_t i = 0; i < BZ_BACKOFF_MAX; i++) {
		if (bz->backoff[i].failures > 0 && link_addr_equal(&bz->backoff[i].addr, addr))
			return &bz->backoff[i];
	}
	return NULL;
}

static struct bz_backoff *oldest(struct bz *bz)
{
	struct bz_backoff *found = &bz->backoff[0];

	for (size_t i = 0; i < BZ_BACKOFF_MAX; i++) {
		if (bz->backoff[i].failures == 0)
			return &bz->backoff[i];
		if (bz->backoff[i].not_before_ms < found->not_before_ms)
			found = &bz->backoff[i];
	}
	return found;
}

void bz_backoff_failed(struct bz *bz, const struct link_addr *addr)
{
	struct bz_backoff *b = find(bz, addr);
	uint64_t ms = FIRST_MS;

	if (!b) {
		b = oldest(bz);
		*b = (struct bz_backoff){.addr = *addr};
	}
	for (unsigned i = 0; i < b->failures && ms < LAST_MS; i++)
		ms *= 2;
	b->failures++;
	b->not_before_ms = timers_now(bz->timers) + ms;
}

void bz_backoff_worked(struct bz *bz, const struct link_addr *addr)
{
	struct bz_backoff *b = find(bz, addr);

	if (b)
		b->failures = 0;
}

uint64_t bz_backoff_until(struct bz *bz, const struct link_addr *addr)
{
	const struct bz_backoff *b = find(bz, addr);

	return b && b->not_before_ms > timers_now(bz->timers) ? b->not_before_ms : 0;
}
