#include "sim_flash.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static uint32_t roll(struct sim_flash *f)
{
	f->random = f->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(f->random >> 32);
}

static enum err mirror(const struct sim_flash *f, uint32_t offset, size_t n)
{
	if (f->fd < 0)
		return ERR_OK;
	return pwrite(f->fd, f->b + offset, n, (off_t)offset) == (ssize_t)n ? ERR_OK : ERR_IO;
}

enum err sim_flash_open(struct sim_flash *f, const char *path, bool *is_new)
{
	memset(f, 0, sizeof(*f));
	memset(f->b, 0xFF, sizeof(f->b));
	f->fd = -1;
	f->random = 1;
	*is_new = true;
	if (!path)
		return ERR_OK;
	f->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (f->fd < 0)
		return ERR_IO;
	if (pread(f->fd, f->b, sizeof(f->b), 0) == (ssize_t)sizeof(f->b)) {
		*is_new = false;
		return ERR_OK;
	}
	memset(f->b, 0xFF, sizeof(f->b));
	if (mirror(f, 0, sizeof(f->b)) == ERR_OK)
		return ERR_OK;
	sim_flash_close(f);
	return ERR_IO;
}

void sim_flash_close(struct sim_flash *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

enum err sim_flash_read(const struct sim_flash *f, uint32_t offset, void *dst, size_t n)
{
	if (offset > SIM_FLASH_BYTES || n > SIM_FLASH_BYTES - offset)
		return ERR_RANGE;
	memcpy(dst, f->b + offset, n);
	return ERR_OK;
}

/* Does the power fail during this operation? */
static bool is_cut_now(struct sim_flash *f)
{
	f->op_count++;
	if (f->cut_at != 0 && f->op_count >= f->cut_at)
		f->is_cut = true;
	return f->is_cut;
}

enum err sim_flash_erase(struct sim_flash *f, uint32_t page)
{
	uint8_t *p;
	bool was_cut = f->is_cut, cut;

	if (page >= SIM_FLASH_PAGES)
		return ERR_RANGE;
	if (was_cut)
		return ERR_CLOSED;
	cut = is_cut_now(f);
	p = f->b + page * SIM_FLASH_PAGE_BYTES;
	for (size_t i = 0; i < SIM_FLASH_PAGE_BYTES; i++) /* some bits are set already */
		p[i] = cut ? (uint8_t)(p[i] | (roll(f) & roll(f))) : 0xFF;
	if (mirror(f, page * SIM_FLASH_PAGE_BYTES, SIM_FLASH_PAGE_BYTES) != ERR_OK)
		return ERR_IO;
	return cut ? ERR_CLOSED : ERR_OK;
}

static void write_word(struct sim_flash *f, uint32_t offset, const uint8_t *src, bool in_part)
{
	for (uint32_t i = 0; i < 4; i++) {
		if (f->b[offset + i] != 0xFF)
			f->breach_count++;
		f->b[offset + i] &= (uint8_t)(src[i] | (in_part ? roll(f) : 0));
	}
}

enum err sim_flash_write(struct sim_flash *f, uint32_t offset, const void *src, size_t n)
{
	const uint8_t *p = src;
	size_t whole = n;
	bool cut;

	if (offset > SIM_FLASH_BYTES || n > SIM_FLASH_BYTES - offset || offset % 4 != 0 ||
		n % 4 != 0)
		return ERR_RANGE;
	if (f->is_cut)
		return ERR_CLOSED;
	cut = is_cut_now(f);
	if (cut)
		whole = roll(f) % (n / 4 + 1) * 4;
	for (size_t i = 0; i < n && i <= whole; i += 4)
		write_word(f, offset + (uint32_t)i, p + i, i == whole);
	if (mirror(f, offset, n) != ERR_OK)
		return ERR_IO;
	return cut ? ERR_CLOSED : ERR_OK;
}

/* --- a port of flash alone -------------------------------------------------------------------- */

static enum err port_read(void *ctx, uint32_t offset, void *dst, size_t n)
{
	return sim_flash_read(ctx, offset, dst, n);
}

static enum err port_erase(void *ctx, uint32_t page)
{
	return sim_flash_erase(ctx, page);
}

static enum err port_write(void *ctx, uint32_t offset, const void *src, size_t n)
{
	return sim_flash_write(ctx, offset, src, n);
}

void sim_flash_port(struct sim_flash *f, struct port *out)
{
	memset(out, 0, sizeof(*out));
	out->ctx = f;
	out->flash_page_bytes = SIM_FLASH_PAGE_BYTES;
	out->flash_page_count = SIM_FLASH_PAGES;
	out->flash_read = port_read;
	out->flash_erase = port_erase;
	out->flash_write = port_write;
}
