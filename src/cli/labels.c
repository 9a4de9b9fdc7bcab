/* Reads labels line by line, or off a picture. */
#include "cli/labels.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/fail.h"
#include "cli/qrread.h"
#include "cli/secret_file.h"

#define LINE_BYTES_MAX 8192 /* of a line; a label has 1024 at most, the daemon says so in words */
#define READ_BYTES 65536
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

struct reading {
	const char *name;
	const struct labels_sink *sink;
	int fd;
	char *p; /* what has come and is not taken yet */
	size_t used, cap;
	bool begun; /* the first line has been taken */
	int status;
};

/* --- bytes ------------------------------------------------------------------------------- */

/* Bytes read, 0 at the end; -1 after having said why. */
static ssize_t read_some(struct reading *r)
{
	ssize_t n;

	if (r->sink->wait)
		r->status = r->sink->wait(r->sink->ctx, r->fd);
	if (r->status != EX_OK)
		return -1;
	do
		n = read(r->fd, r->p + r->used, r->cap - r->used);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		r->status = fail(EX_NOINPUT, "%s: %s", r->name, strerror(errno));
	else
		r->used += (size_t)n;
	return n;
}

static void release(char *p, size_t n)
{
	if (p)
		explicit_bzero(p, n);
	free(p);
}

static bool grow(struct reading *r, size_t cap)
{
	char *p = malloc(cap);

	if (!p) {
		r->status = fail(EX_OSERR, "out of memory");
		return false;
	}
	memcpy(p, r->p, r->used);
	release(r->p, r->cap);
	r->p = p;
	r->cap = cap;
	return true;
}

/* --- pictures ---------------------------------------------------------------------------- */

static bool take_code(void *ctx, const char *text, size_t n)
{
	struct reading *r = ctx;
	char *label = memchr(text, 0, n) ? NULL : strndup(text, n);

	if (!label)
		r->status = fail(EX_DATAERR, "%s: a QR code in it is not text", r->name);
	else
		r->status = r->sink->take(r->sink->ctx, label);
	release(label, label ? n : 0);
	return r->status == EX_OK;
}

static void tell_image(struct reading *r, enum err e, size_t count)
{
	if (e == ERR_UNKNOWN)
		r->status = fail(EX_UNAVAILABLE,
			"%s: is a picture, and this enrollctl was built without zbar\n"
			"  scan the labels into a text file, one a line",
			r->name);
	else if (e != ERR_OK)
		r->status = fail(EX_DATAERR, "%s: cannot read this picture (%s)", r->name,
			e == ERR_RANGE ? "too large" : "broken");
	else if (count == 0)
		r->status = fail(EX_DATAERR, "%s: no QR code found in this picture", r->name);
}

static int read_image(struct reading *r)
{
	size_t count = 0;
	ssize_t n = 1;
	enum err e;

	while (n > 0 && r->used <= QRREAD_FILE_MAX) {
		if (r->used == r->cap && !grow(r, 2 * r->cap))
			return r->status;
		n = read_some(r);
	}
	if (n < 0)
		return r->status;
	if (r->used > QRREAD_FILE_MAX)
		return fail(EX_DATAERR, "%s: this picture is too large", r->name);
	e = qrread_image((const uint8_t *)r->p, r->used, take_code, r, &count);
	if (r->status == EX_OK)
		tell_image(r, e, count);
	return r->status;
}

/* --- lines ------------------------------------------------------------------------------- */

/* Windows begins its texts with a byte order mark. */
static int take_line(struct reading *r, char *line)
{
	bool marked = !r->begun && strncmp(line, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0;
	char *at = marked ? line + strlen(BYTE_ORDER_MARK) : line;
	char *label = secret_file_line(&at);

	r->begun = true;
	return label ? r->sink->take(r->sink->ctx, label) : EX_OK;
}

/* Takes the lines that are complete; scanners end them by either character. */
static int take_lines(struct reading *r)
{
	size_t done = 0, end;

	for (end = 0; end < r->used && r->status == EX_OK; end++) {
		if (r->p[end] != '\n' && r->p[end] != '\r')
			continue;
		r->p[end] = '\0';
		r->status = take_line(r, r->p + done);
		done = end + 1;
	}
	memmove(r->p, r->p + done, r->used - done);
	r->used -= done;
	explicit_bzero(r->p + r->used, done);
	if (r->status == EX_OK && r->used > LINE_BYTES_MAX)
		return fail(EX_DATAERR, "%s: a line is longer than a label can be", r->name);
	return r->status;
}

static int read_lines(struct reading *r)
{
	ssize_t n = 1;

	while (n > 0 && r->status == EX_OK) {
		if (memchr(r->p, 0, r->used))
			return fail(EX_DATAERR, "%s: not a text file and not a picture", r->name);
		r->status = take_lines(r);
		if (r->status == EX_OK && r->sink->idle)
			r->status = r->sink->idle(r->sink->ctx);
		if (r->status == EX_OK)
			n = read_some(r);
	}
	if (r->status != EX_OK || r->used == 0)
		return r->status;
	r->p[r->used] = '\0'; /* there is room: a line is shorter than the buffer */
	return take_line(r, r->p);
}

int labels_read(const char *path, const struct labels_sink *sink)
{
	struct reading r = {.name = secret_file_name(path), .sink = sink, .cap = READ_BYTES};
	bool is_stdin = strcmp(path, "-") == 0;

	r.fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (r.fd < 0)
		return fail(EX_NOINPUT, "%s: %s", r.name, strerror(errno));
	r.p = malloc(r.cap);
	if (!r.p)
		r.status = fail(EX_OSERR, "out of memory");
	else if (read_some(&r) >= 0)
		r.status = qrread_is_image((const uint8_t *)r.p, r.used) ? read_image(&r)
									 : read_lines(&r);
	release(r.p, r.p ? r.cap : 0);
	if (!is_stdin)
		(void)close(r.fd);
	return r.status;
}
