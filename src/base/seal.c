#include "base/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#define VERSION_BYTE 1
#define HEAD_BYTES 17 /* version, key id, nonce */
#define NONCE_AT 5
#define TAG_BYTES 16

struct seal {
	const struct crypto *crypto;
	uint32_t key_id;
	struct secret32 key;
};

/* --- columns ------------------------------------------------------------------------------- */

enum err seal_new(const struct crypto *c, const struct secret32 *key, struct seal **out)
{
	static const char label[] = "enrolld sealing key id";
	const struct span info = {(const uint8_t *)label, sizeof(label) - 1};
	uint8_t id[4];
	struct rd r = rd_init(id, sizeof(id));
	struct seal *s;
	enum err e;

	*out = NULL;
	if ((int)bytes_are_ct(key->b, 32, 0x00) | (int)bytes_are_ct(key->b, 32, 0xff))
		return ERR_KEY;
	e = c->hkdf_sha256(
		c->ctx, (struct span){NULL, 0}, (struct span){key->b, 32}, info, id, sizeof(id));
	if (e != ERR_OK)
		return e;
	if (sodium_init() < 0)
		return ERR_CRYPTO;
	s = sodium_malloc(sizeof(*s));
	if (!s)
		return ERR_NOMEM;
	s->crypto = c;
	s->key_id = rd_u32(&r);
	s->key = *key;
	*out = s;
	return ERR_OK;
}

void seal_free(struct seal *s)
{
	sodium_free(s); /* wipes */
}

uint32_t seal_key_id(const struct seal *s)
{
	return s->key_id;
}

/* "table.column", 0, rowid. Returns its length; 0 if the name is too long or empty. */
static size_t aad_of(const char *column, int64_t rowid, uint8_t aad[SEAL_COLUMN_MAX + 9])
{
	size_t n = strnlen(column, SEAL_COLUMN_MAX + 1);
	struct wr w = wr_init(aad, SEAL_COLUMN_MAX + 9);

	if (n == 0 || n > SEAL_COLUMN_MAX)
		return 0;
	wr_bytes(&w, column, n);
	wr_u8(&w, 0);
	wr_u64(&w, (uint64_t)rowid);
	return w.len_bytes;
}

enum err seal_put(const struct seal *s, const char *column, int64_t rowid, struct span plain,
	uint8_t *out, size_t cap, size_t *len)
{
	const struct crypto *c = s->crypto;
	struct wr w = wr_init(out, cap);
	uint8_t aad[SEAL_COLUMN_MAX + 9];
	size_t aad_bytes = aad_of(column, rowid, aad);
	enum err e;

	*len = 0;
	if (aad_bytes == 0)
		return ERR_RANGE;
	if (cap < SEAL_OVERHEAD_BYTES || cap - SEAL_OVERHEAD_BYTES < plain.n)
		return ERR_FULL;
	wr_u8(&w, VERSION_BYTE);
	wr_u32(&w, s->key_id);
	e = c->random(c->ctx, out + NONCE_AT, 12);
	if (e == ERR_OK)
		e = c->gcm_seal(c->ctx, &s->key, out + NONCE_AT, (struct span){aad, aad_bytes},
			plain, out + HEAD_BYTES, out + HEAD_BYTES + plain.n);
	if (e == ERR_OK)
		*len = plain.n + SEAL_OVERHEAD_BYTES;
	return e;
}

enum err seal_get(const struct seal *s, const char *column, int64_t rowid, struct span sealed,
	uint8_t *out, size_t cap, size_t *len)
{
	struct rd r = rd_init(sealed.p, sealed.n);
	uint8_t aad[SEAL_COLUMN_MAX + 9], version = rd_u8(&r);
	uint32_t key_id = rd_u32(&r);
	const uint8_t *nonce = rd_view(&r, 12);
	size_t aad_bytes = aad_of(column, rowid, aad);
	struct span in;
	enum err e;

	*len = 0;
	if (aad_bytes == 0)
		return ERR_RANGE;
	if (sealed.n > 0 && version != VERSION_BYTE)
		return ERR_VERSION;
	if (sealed.n < SEAL_OVERHEAD_BYTES)
		return ERR_SHORT;
	if (key_id != s->key_id)
		return ERR_KEY;
	in.n = sealed.n - SEAL_OVERHEAD_BYTES;
	in.p = rd_view(&r, in.n);
	if (cap < in.n)
		return ERR_FULL;
	e = s->crypto->gcm_open(s->crypto->ctx, &s->key, nonce, (struct span){aad, aad_bytes}, in,
		rd_view(&r, TAG_BYTES), out);
	if (e == ERR_OK)
		*len = in.n;
	return e;
}

/* --- key file ------------------------------------------------------------------------------ */

static enum err because(struct seal_reason *reason, const char *path, const char *why, enum err e)
{
	(void)snprintf(reason->text, sizeof(reason->text), "key file %.300s: %s", path, why);
	return e;
}

static enum err because_errno(
	struct seal_reason *reason, const char *path, const char *doing, int error)
{
	char why[128], buffer[80];

	(void)snprintf(why, sizeof(why), "cannot %s: %s", doing,
		strerror_r(error, buffer, sizeof(buffer)));
	switch (error) {
	case ENOENT:
		return because(
			reason, path, "does not exist (enrolld --init makes it)", ERR_NOT_FOUND);
	case ELOOP:
		return because(reason, path, "is a symbolic link", ERR_DENIED);
	case EEXIST:
		return because(reason, path, "exists already", ERR_CONFLICT);
	case EACCES:
	case EPERM:
		return because(reason, path, why, ERR_DENIED);
	case ENOSPC:
	case EDQUOT:
		return because(reason, path, why, ERR_FULL);
	default:
		return because(reason, path, why, ERR_IO);
	}
}

enum err seal_source_find(const char *credentials, const char *key_file, struct seal_source *out)
{
	struct stat st;
	int n;

	if (credentials && credentials[0] != '\0') {
		n = snprintf(out->path, sizeof(out->path), "%s/enrolld.key", credentials);
		if (n < 0 || (size_t)n >= sizeof(out->path))
			return ERR_FULL;
		out->is_credential = true;
		if (lstat(out->path, &st) == 0)
			return ERR_OK;
	}
	n = snprintf(out->path, sizeof(out->path), "%s", key_file);
	out->is_credential = false;
	return n < 0 || (size_t)n >= sizeof(out->path) ? ERR_FULL : ERR_OK;
}

static enum err check_file(
	const struct stat *st, const struct seal_source *src, struct seal_reason *reason)
{
	mode_t forbidden = src->is_credential ? 0037 : 0077;

	if (!S_ISREG(st->st_mode))
		return because(reason, src->path, "is not a regular file", ERR_DENIED);
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return because(
			reason, src->path, "belongs to neither this user nor root", ERR_DENIED);
	if ((st->st_mode & forbidden) != 0)
		return because(reason, src->path,
			"is open to group or others (its mode must be 0600 or 0400)", ERR_DENIED);
	if (st->st_size != SEAL_KEY_BYTES)
		return because(reason, src->path, "has not exactly 32 bytes", ERR_INVALID);
	return ERR_OK;
}

/* One byte more than the key is asked for, so that a file that has grown meanwhile is seen. */
static enum err read_key(int fd, const char *path, struct secret32 *key, struct seal_reason *reason)
{
	uint8_t buffer[SEAL_KEY_BYTES + 1] = {0};
	size_t have = 0;
	ssize_t n = 1;

	while (have < sizeof(buffer) && n != 0) {
		n = read(fd, buffer + have, sizeof(buffer) - have);
		if (n < 0 && errno != EINTR)
			break;
		have += n > 0 ? (size_t)n : 0;
	}
	memcpy(key->b, buffer, SEAL_KEY_BYTES);
	bytes_wipe(buffer, sizeof(buffer));
	if (n < 0)
		return because_errno(reason, path, "read", errno);
	if (have != SEAL_KEY_BYTES)
		return because(reason, path, "has not exactly 32 bytes", ERR_INVALID);
	return ERR_OK;
}

static enum err load_fd(const struct crypto *c, int fd, const struct seal_source *src,
	struct seal **out, struct seal_reason *reason)
{
	struct secret32 key = {{0}};
	struct stat st;
	enum err e;

	if (fstat(fd, &st) != 0)
		return because_errno(reason, src->path, "read", errno);
	e = check_file(&st, src, reason);
	if (e != ERR_OK)
		return e;
	e = read_key(fd, src->path, &key, reason);
	if (e == ERR_OK) {
		e = seal_new(c, &key, out);
		if (e == ERR_KEY)
			(void)because(reason, src->path, "holds no key (all 00 or all FF)", e);
		else if (e != ERR_OK)
			(void)because(reason, src->path, err_text(e), e);
	}
	secret32_wipe(&key);
	return e;
}

/* O_NONBLOCK: a FIFO in the file's place must not make us wait. */
enum err seal_load(const struct crypto *c, const struct seal_source *source, struct seal **out,
	struct seal_reason *reason)
{
	int fd = open(source->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	enum err e;

	*out = NULL;
	reason->text[0] = '\0';
	if (fd < 0)
		return because_errno(reason, source->path, "open", errno);
	e = load_fd(c, fd, source, out, reason);
	(void)close(fd);
	return e;
}

static bool write_all(int fd, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		p += done;
		n -= (size_t)done;
	}
	return true;
}

static bool sync_directory_of(const char *path)
{
	char *copy = strdup(path);
	int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	bool ok = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		(void)close(fd);
	free(copy);
	return ok;
}

static bool store_key(int fd, const char *path, const struct secret32 *key)
{
	/* The umask may have taken bits from the mode: give the owner's back. */
	bool ok = fchmod(fd, 0600) == 0 && write_all(fd, key->b, sizeof(key->b)) && fsync(fd) == 0;
	int error = errno;

	ok = close(fd) == 0 && ok;
	if (ok && sync_directory_of(path))
		return true;
	error = ok ? errno : error;
	(void)unlink(path); /* ours: O_EXCL made it */
	errno = error;
	return false;
}

enum err seal_key_create(const struct crypto *c, const char *path, struct seal_reason *reason)
{
	struct secret32 key;
	enum err e = c->random(c->ctx, key.b, sizeof(key.b));
	int fd;

	reason->text[0] = '\0';
	if (e != ERR_OK)
		return because(reason, path, err_text(e), e);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		e = because_errno(reason, path, "create", errno);
	else if (!store_key(fd, path, &key))
		e = because_errno(reason, path, "write", errno);
	secret32_wipe(&key);
	return e;
}
