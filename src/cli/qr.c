/* Draws QR codes with libqrencode and libpng. */
#include "cli/qr.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <png.h>
#include <qrencode.h>

#define QUIET 4 /* light modules around it, as the standard demands */
#define SCALE 6 /* pixels of a module */

static enum err encode(const char *text, QRcode **out)
{
	*out = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
	if (*out)
		return ERR_OK;
	return errno == ERANGE ? ERR_RANGE : ERR_NOMEM;
}

/* Is it dark? What is outside is light. */
static bool is_dark(const QRcode *q, int x, int y)
{
	if (x < 0 || y < 0 || x >= q->width || y >= q->width)
		return false;
	return q->data[y * q->width + x] & 1;
}

/* Light modules are drawn, dark ones left out: that is right for light text on dark ground. */
static const char *half_block(bool upper_dark, bool lower_dark)
{
	if (upper_dark)
		return lower_dark ? " " : "\xe2\x96\x84";
	return lower_dark ? "\xe2\x96\x80" : "\xe2\x96\x88";
}

enum err qr_print(FILE *out, const char *text, int colours)
{
	QRcode *q;
	enum err e = encode(text, &q);

	if (e != ERR_OK)
		return e;
	for (int y = -QUIET; y < q->width + QUIET; y += 2) {
		(void)fputs(colours ? "\033[0;97;40m" : "", out);
		for (int x = -QUIET; x < q->width + QUIET; x++)
			(void)fputs(half_block(is_dark(q, x, y), is_dark(q, x, y + 1)), out);
		(void)fputs(colours ? "\033[0m\n" : "\n", out);
	}
	QRcode_free(q);
	return ERR_OK;
}

/* --- image ------------------------------------------------------------------------------- */

static void draw_row(const QRcode *q, int y, unsigned char *pixels)
{
	for (int x = 0; x < (q->width + 2 * QUIET) * SCALE; x++)
		pixels[x] = is_dark(q, x / SCALE - QUIET, y / SCALE - QUIET) ? 0 : 255;
}

static unsigned char *draw(const QRcode *q)
{
	size_t side = (size_t)(q->width + 2 * QUIET) * SCALE;
	unsigned char *pixels = malloc(side * side);

	for (size_t y = 0; pixels && y < side; y++)
		draw_row(q, (int)y, pixels + y * side);
	return pixels;
}

static enum err write_image(FILE *f, const QRcode *q)
{
	png_image image = {.version = PNG_IMAGE_VERSION, .format = PNG_FORMAT_GRAY};
	unsigned char *pixels = draw(q);
	int done;

	if (!pixels)
		return ERR_NOMEM;
	image.width = image.height = (png_uint_32)(q->width + 2 * QUIET) * SCALE;
	done = png_image_write_to_stdio(&image, f, 0, pixels, 0, NULL);
	free(pixels);
	png_image_free(&image);
	return done ? ERR_OK : ERR_IO;
}

enum err qr_write_png(const char *path, const char *text)
{
	QRcode *q;
	enum err e = encode(text, &q);
	int fd;
	FILE *f;

	if (e != ERR_OK)
		return e;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	f = fd >= 0 ? fdopen(fd, "wb") : NULL;
	if (!f) {
		e = errno == EEXIST ? ERR_CONFLICT : ERR_IO;
		QRcode_free(q);
		return e;
	}
	e = write_image(f, q);
	if (fclose(f) != 0 && e == ERR_OK)
		e = ERR_IO;
	if (e != ERR_OK)
		(void)unlink(path);
	QRcode_free(q);
	return e;
}
