/* What store.c and stmt.c share. Nobody else includes it. */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include <sqlite3.h>

#include "store/store.h"

#define STORE_STATEMENTS_MAX 256 /* a power of two; texts that one program uses: about half */

struct store {
	sqlite3 *db;
	int lock_fd; /* the database file, flock()ed: one process at a time */
	const struct crypto *crypto;
	const struct seal *seal;
	unsigned version;
	bool full;
	int logged; /* the last result code that was; 0 after a commit */
	struct store_hooks hooks;
	struct store_statement {
		const char *sql; /* by its address */
		sqlite3_stmt *p;
	} statement[STORE_STATEMENTS_MAX];
	size_t statement_count;
};

/* SQLite's result code as ours; notes a full disk, logs what nobody expects. */
enum err store_error(struct store *s, int rc);

#endif
