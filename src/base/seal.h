/*
 * Secrets at rest: the sealed column (design.md §4) and the key file that opens it. The key never
 * leaves this file; what is sealed in one row of one column opens in no other.
 *
 * Sealed: version u8 = 1, key id u32, nonce 12, ciphertext, tag 16 (AES-256-GCM). Associated data:
 * "table.column", 0, row id LE64.
 */
#ifndef BASE_SEAL_H
#define BASE_SEAL_H

#include "enr/crypto.h"

#define SEAL_OVERHEAD_BYTES 33
#define SEAL_KEY_BYTES 32
#define SEAL_COLUMN_MAX 64 /* characters of "table.column" */
#define SEAL_REASON_MAX 512

struct seal;

/* In locked memory; freed with seal_free. ERR_NOMEM, ERR_CRYPTO, ERR_KEY (all 00 or all FF). */
ENR_MUST_CHECK enum err seal_new(
	const struct crypto *c, const struct secret32 *key, struct seal **out);
/* Accepts NULL; wipes. */
void seal_free(struct seal *s);

/* Names the key without telling it: stored with what it seals. */
uint32_t seal_key_id(const struct seal *s);

/* Writes plain.n + SEAL_OVERHEAD_BYTES bytes. ERR_FULL, ERR_RANGE (column name), ERR_CRYPTO. */
ENR_MUST_CHECK enum err seal_put(const struct seal *s, const char *column, int64_t rowid,
	struct span plain, uint8_t *out, size_t cap, size_t *len);
/* Writes sealed.n - SEAL_OVERHEAD_BYTES bytes; of what is refused, none. ERR_SHORT, ERR_VERSION,
 * ERR_KEY (another key id), ERR_AUTH (changed, or of another row), ERR_FULL. */
ENR_MUST_CHECK enum err seal_get(const struct seal *s, const char *column, int64_t rowid,
	struct span sealed, uint8_t *out, size_t cap, size_t *len);

/* What went wrong with a key file, for people: one line, no secret. */
struct seal_reason {
	char text[SEAL_REASON_MAX];
};

#define SEAL_PATH_MAX 4096

struct seal_source {
	char path[SEAL_PATH_MAX];
	/* Below $CREDENTIALS_DIRECTORY systemd lets a user in by an access list, which shows as
	 * group permission: reading by the group is no fault there. */
	bool is_credential;
};

/*
 * Where the key is: $CREDENTIALS_DIRECTORY/enrolld.key if the variable is set and that file exists,
 * else key_file. credentials may be NULL. ERR_FULL if the path is too long.
 */
ENR_MUST_CHECK enum err seal_source_find(
	const char *credentials, const char *key_file, struct seal_source *out);

/*
 * Reads and checks a key file: a regular file (no symlink), owned by us or root, no access for
 * group or others, exactly 32 bytes. ERR_NOT_FOUND, ERR_DENIED (owner, mode, symlink, type),
 * ERR_INVALID (size), ERR_KEY (all 00 or all FF), ERR_IO.
 */
ENR_MUST_CHECK enum err seal_load(const struct crypto *c, const struct seal_source *source,
	struct seal **out, struct seal_reason *reason);

/* Makes a new random key file, 0600, synced with its directory. ERR_CONFLICT if it exists. */
ENR_MUST_CHECK enum err seal_key_create(
	const struct crypto *c, const char *path, struct seal_reason *reason);

#endif
