/* Files and nothing else: what the text means is in state. */
#include "enrollee/statefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "state"
#define NAME_NEW "state.new"

static enum err fail(struct reason *why, const char *what)
{
	int e = errno;

	reason_set(why, NULL, "%s: %s", what, strerror(e));
	switch (e) {
	case ENOENT:
	case ENOTDIR:
		return ERR_NOT_FOUND;
	case EACCES:
	case EPERM:
	case EROFS:
		return ERR_DENIED;
	case ENOSPC:
	case EDQUOT:
		return ERR_FULL;
	default:
		return ERR_IO;
	}
}

enum err statefile_open(
	const char *path, enum statefile_mode mode, struct statefile *out, struct reason *why)
{
	out->dir = -1;
	if (mode == STATEFILE_CREATE && mkdir(path, 0700) != 0 && errno != EEXIST)
		return fail(why, path);
	out->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (out->dir < 0)
		return fail(why, path);
	if (mode == STATEFILE_READ || flock(out->dir, LOCK_EX | LOCK_NB) == 0)
		return ERR_OK;
	if (errno == EWOULDBLOCK) {
		reason_set(why, NULL, "%s: another enrollee is at work on this state", path);
		statefile_close(out);
		return ERR_BUSY;
	}
	statefile_close(out);
	return fail(why, path);
}

void statefile_close(struct statefile *f)
{
	if (f->dir >= 0)
		(void)close(f->dir);
	f->dir = -1;
}

static enum err check_mode(int fd, struct reason *why)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return fail(why, NAME);
	if (!S_ISREG(st.st_mode) || (st.st_mode & 077) != 0) {
		reason_set(why, NULL,
			"the state file has mode %03o: it holds keys, so nobody else may read it "
			"(chmod 600)",
			(unsigned)(st.st_mode & 0777));
		return ERR_DENIED;
	}
	return ERR_OK;
}

/* Up to cap bytes; a file that has more is cut, and refused by the parser. */
static enum err read_all(int fd, char *text, size_t cap, size_t *len, struct reason *why)
{
	ssize_t n = 1;

	*len = 0;
	while (n > 0 && *len < cap) {
		n = read(fd, text + *len, cap - *len);
		if (n < 0 && errno == EINTR) {
			n = 1;
			continue;
		}
		if (n < 0)
			return fail(why, NAME);
		*len += (size_t)n;
	}
	return ERR_OK;
}

enum err statefile_load(const struct statefile *f, struct state *out, struct reason *why)
{
	char text[STATE_TEXT_MAX];
	size_t len = 0;
	int fd = openat(f->dir, NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	enum err err;

	if (fd < 0)
		return fail(why, NAME);
	err = check_mode(fd, why);
	if (!err)
		err = read_all(fd, text, sizeof(text), &len, why);
	(void)close(fd);
	if (!err) {
		err = state_parse(text, len, out);
		if (err)
			reason_set(why, NULL, "the state file is damaged: %s", err_text(err));
	}
	bytes_wipe(text, sizeof(text));
	return err;
}

static enum err write_all(int fd, const char *text, size_t n, struct reason *why)
{
	while (n > 0) {
		ssize_t k = write(fd, text, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return fail(why, NAME_NEW);
		text += k;
		n -= (size_t)k;
	}
	return fsync(fd) == 0 ? ERR_OK : fail(why, NAME_NEW);
}

static enum err replace(int dir, const char *text, size_t n, struct reason *why)
{
	int fd;
	enum err err;

	(void)unlinkat(dir, NAME_NEW, 0);
	fd = openat(dir, NAME_NEW, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fail(why, NAME_NEW);
	err = write_all(fd, text, n, why);
	if (close(fd) != 0 && !err)
		err = fail(why, NAME_NEW);
	if (!err && renameat(dir, NAME_NEW, dir, NAME) != 0)
		err = fail(why, NAME);
	if (!err && fsync(dir) != 0)
		err = fail(why, NAME);
	if (err)
		(void)unlinkat(dir, NAME_NEW, 0);
	return err;
}

enum err statefile_save(const struct statefile *f, const struct state *s, struct reason *why)
{
	char text[STATE_TEXT_MAX];
	size_t len = 0;
	enum err err = state_print(s, text, sizeof(text), &len);

	if (err)
		reason_set(why, NULL, "the state cannot be written: %s", err_text(err));
	else
		err = replace(f->dir, text, len, why);
	bytes_wipe(text, sizeof(text));
	return err;
}
