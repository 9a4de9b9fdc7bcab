/*
 * The one database of durable truth: opening, migrating, transactions. All SQL lives in this room
 * (one file a table family, over store/stmt.h); no rule does. Not thread-safe: one thread owns it.
 *
 * WAL, synchronous=FULL, foreign keys, secure_delete, trusted_schema off, file mode 0600. One
 * process at a time: a second opener gets ERR_BUSY.
 *
 * Errors of all functions of this room: ERR_FULL (disk, quota or page limit), ERR_CONFLICT (a
 * constraint), ERR_BUSY (another program writes), ERR_NOMEM, ERR_IO (all else of the disk),
 * ERR_VERSION, ERR_AUTH or ERR_KEY (a sealed column does not open).
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/reason.h"
#include "enr/crypto.h"

struct seal;
struct store;

#define STORE_APPLICATION_ID 0x454E524C /* "ENRL" */

struct store_config {
	const char *path;
	bool create;                 /* make it if it is not there; else ERR_NOT_FOUND */
	const struct crypto *crypto; /* borrowed; for the audit chain and ids */
	const struct seal *seal;     /* borrowed; for the sealed columns */
};

/* Opens and migrates. why (may be NULL) is set on every failure. ERR_VERSION: made by a newer
 * program; ERR_INVALID: not our database; ERR_DENIED: symlink or foreign owner. */
ENR_MUST_CHECK enum err store_open(
	const struct store_config *config, struct store **out, struct reason *why);

/* Rolls back what is open. NULL is accepted. */
void store_close(struct store *s);

const struct crypto *store_crypto(const struct store *s);
const struct seal *store_seal(const struct store *s);

/* user_version of the open database. */
unsigned store_version(const struct store *s);

/* --- transactions: at most one, and in it at most one savepoint (the request) --- */

ENR_MUST_CHECK enum err store_begin(struct store *s);  /* takes the write lock; ERR_STATE if open */
ENR_MUST_CHECK enum err store_commit(struct store *s); /* on failure all is rolled back */
/* What one rule keeper wants to know of transactions; any function may be NULL. */
struct store_hooks {
	void *arg;
	/* First thing in store_commit, still inside: what every commit must hold (service time).
	 * Its error fails the commit. */
	enum err (*before_commit)(void *arg);
	void (*request_begun)(void *arg);
	void (*request_undone)(void *arg); /* also when the undoing itself failed */
};
/* Copied. NULL: none. */
void store_hook(struct store *s, const struct store_hooks *hooks);
void store_rollback(struct store *s); /* nothing open: nothing happens */
/* False also after SQLite itself rolled back (full disk, I/O error). */
bool store_in_transaction(const struct store *s);

/* A request inside the transaction: its writes are kept or undone as one. */
ENR_MUST_CHECK enum err store_request_begin(struct store *s);
/* ERR_STATE when the whole transaction is gone (SQLite rolled it back). */
ENR_MUST_CHECK enum err store_request_keep(struct store *s);
ENR_MUST_CHECK enum err store_request_undo(struct store *s);

/* Moves the WAL into the database and empties it, so that deleted bytes go (OP-0006 §5.6). Outside
 * transactions. ERR_BUSY when a reader is in the way: try later. */
ENR_MUST_CHECK enum err store_checkpoint(struct store *s);

/* Has the disk or the page limit run full since the last successful commit? For status. */
bool store_is_full(const struct store *s);

#endif
