/* Reads QR codes with zbar; the pixels are wiped, a label's key can be read from them. */
#include "cli/qrread.h"

#include <stdlib.h>
#include <string.h>

#include "config.h"

static const uint8_t png_magic[] = {0x89, 'P', 'N', 'G'};
static const uint8_t jpeg_magic[] = {0xFF, 0xD8, 0xFF};

static bool begins(const uint8_t *data, size_t n, const uint8_t *magic, size_t magic_n)
{
	return n >= magic_n && memcmp(data, magic, magic_n) == 0;
}

static bool is_png(const uint8_t *data, size_t n)
{
	return begins(data, n, png_magic, sizeof(png_magic));
}

bool qrread_is_image(const uint8_t *data, size_t n)
{
	return is_png(data, n) || begins(data, n, jpeg_magic, sizeof(jpeg_magic));
}

#ifdef HAVE_ZBAR

#include <png.h>
#include <zbar.h>

#define FOURCC(a, b, c, d)                                                         \
	((unsigned long)(a) | (unsigned long)(b) << 8 | (unsigned long)(c) << 16 | \
		(unsigned long)(d) << 24)
#define GREY FOURCC('Y', '8', '0', '0')
#define JPEG FOURCC('J', 'P', 'E', 'G')

/* Eight bits of grey a pixel, row by row. */
struct picture {
	uint8_t *pixels; /* owned */
	size_t n;
	unsigned width, height;
};

static void picture_clear(struct picture *p)
{
	if (p->pixels)
		explicit_bzero(p->pixels, p->n);
	free(p->pixels);
	*p = (struct picture){0};
}

static enum err take_pixels(png_image *image, struct picture *out)
{
	const png_color white = {255, 255, 255}; /* below what is transparent */

	image->format = PNG_FORMAT_GRAY;
	out->width = image->width;
	out->height = image->height;
	out->n = (size_t)image->width * image->height;
	out->pixels = malloc(out->n);
	if (!out->pixels)
		return ERR_NOMEM;
	return png_image_finish_read(image, &white, out->pixels, 0, NULL) ? ERR_OK : ERR_INVALID;
}

static enum err read_png(const uint8_t *data, size_t n, struct picture *out)
{
	png_image image = {.version = PNG_IMAGE_VERSION};
	enum err e = ERR_INVALID;

	if (png_image_begin_read_from_memory(&image, data, n))
		e = image.width > QRREAD_SIDE_MAX || image.height > QRREAD_SIDE_MAX
			    ? ERR_RANGE
			    : take_pixels(&image, out);
	png_image_free(&image);
	return e;
}

static zbar_image_t *image_of(unsigned long format, const void *data, size_t n)
{
	zbar_image_t *image = zbar_image_create();

	if (image) {
		zbar_image_set_format(image, format);
		zbar_image_set_data(image, data, n, NULL);
	}
	return image;
}

static zbar_image_scanner_t *scanner_new(void)
{
	zbar_image_scanner_t *scanner = zbar_image_scanner_create();
	int failed;

	if (!scanner)
		return NULL;
	failed = zbar_image_scanner_set_config(scanner, ZBAR_NONE, ZBAR_CFG_ENABLE, 0);
	failed |= zbar_image_scanner_set_config(scanner, ZBAR_QRCODE, ZBAR_CFG_ENABLE, 1);
	if (!failed)
		return scanner;
	zbar_image_scanner_destroy(scanner);
	return NULL;
}

static void tell_each(const zbar_image_t *image, qrread_each *each, void *ctx, size_t *count)
{
	const zbar_symbol_t *s = zbar_image_first_symbol(image);

	for (bool on = true; s && on; s = zbar_symbol_next(s)) {
		if (zbar_symbol_get_type(s) != ZBAR_QRCODE)
			continue;
		(*count)++;
		on = each(ctx, zbar_symbol_get_data(s), zbar_symbol_get_data_length(s));
	}
}

static enum err scan(zbar_image_t *image, qrread_each *each, void *ctx, size_t *count)
{
	zbar_image_scanner_t *scanner = scanner_new();
	enum err e = ERR_OK;

	if (!scanner)
		return ERR_NOMEM;
	if (zbar_scan_image(scanner, image) < 0)
		e = ERR_INVALID;
	else
		tell_each(image, each, ctx, count);
	zbar_image_scanner_destroy(scanner);
	return e;
}

static enum err scan_png(const uint8_t *data, size_t n, qrread_each *each, void *ctx, size_t *count)
{
	struct picture p = {0};
	zbar_image_t *image = NULL;
	enum err e = read_png(data, n, &p);

	if (e == ERR_OK)
		image = image_of(GREY, p.pixels, p.n);
	if (e == ERR_OK && !image)
		e = ERR_NOMEM;
	if (e == ERR_OK) {
		zbar_image_set_size(image, p.width, p.height);
		e = scan(image, each, ctx, count);
	}
	if (image)
		zbar_image_destroy(image);
	picture_clear(&p);
	return e;
}

static unsigned be16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* Is it a marker of a frame's start (ITU-T T.81, table B.1)? */
static bool is_frame(uint8_t marker)
{
	return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 &&
	       marker != 0xCC;
}

/* Of what may come before the frame, these have no length: not ours to guess what follows. */
static bool has_length(uint8_t marker)
{
	return marker >= 0xC0 && (marker < 0xD0 || marker > 0xDA);
}

/* The size, which zbar wants to know before it decodes: segments up to the frame's, each after any
 * number of fill bytes. */
static enum err jpeg_size(const uint8_t *data, size_t n, unsigned *width, unsigned *height)
{
	size_t at = 2;

	while (n - at >= 9 && data[at] == 0xFF) {
		size_t length = be16(data + at + 2);

		if (data[at + 1] == 0xFF) {
			at++;
			continue;
		}
		if (!has_length(data[at + 1]))
			break;
		if (is_frame(data[at + 1])) {
			*height = be16(data + at + 5);
			*width = be16(data + at + 7);
			return *width > QRREAD_SIDE_MAX || *height > QRREAD_SIDE_MAX ? ERR_RANGE
										     : ERR_OK;
		}
		if (length < 2 || length > n - at - 2)
			break;
		at += 2 + length;
	}
	return ERR_INVALID;
}

static enum err scan_jpeg(
	const uint8_t *data, size_t n, qrread_each *each, void *ctx, size_t *count)
{
	unsigned width = 0, height = 0;
	zbar_image_t *image, *grey;
	enum err e = jpeg_size(data, n, &width, &height);

	if (e != ERR_OK)
		return e;
	image = image_of(JPEG, data, n);
	if (!image)
		return ERR_NOMEM;
	zbar_image_set_size(image, width, height);
	e = ERR_INVALID;
	grey = zbar_image_convert(image, GREY);
	if (grey) {
		e = scan(grey, each, ctx, count);
		zbar_image_destroy(grey);
	}
	zbar_image_destroy(image);
	return e;
}

enum err qrread_image(const uint8_t *data, size_t n, qrread_each *each, void *ctx, size_t *count)
{
	*count = 0;
	if (!qrread_is_image(data, n))
		return ERR_INVALID;
	return is_png(data, n) ? scan_png(data, n, each, ctx, count)
			       : scan_jpeg(data, n, each, ctx, count);
}

#else

enum err qrread_image(const uint8_t *data, size_t n, qrread_each *each, void *ctx, size_t *count)
{
	(void)data;
	(void)n;
	(void)each;
	(void)ctx;
	*count = 0;
	return ERR_UNKNOWN;
}

#endif
