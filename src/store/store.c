/* Opens the database and keeps its transactions. */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "store/internal.h"
#include "store/sql.h"
#include "store/stmt.h"

#define BUSY_TIMEOUT_MS 250 /* another program's backup; the loop stands still meanwhile */

enum err store_error(struct store *s, int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
		return ERR_OK;
	case SQLITE_FULL:
		s->full = true;
		return ERR_FULL;
	case SQLITE_CONSTRAINT:
		return ERR_CONFLICT;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ERR_BUSY;
	case SQLITE_NOMEM:
		return ERR_NOMEM;
	case SQLITE_NOTADB:
		return ERR_INVALID;
	default:
		if (rc != s->logged) /* once, until a commit succeeds */
			log_err("database error code=%d text=\"%s\"", rc, sqlite3_errmsg(s->db));
		s->logged = rc;
		return ERR_IO;
	}
}

/* --- opening --- */

static enum err refuse(struct reason *why, enum err e, const char *path, const char *text)
{
	reason_set(why, NULL, "database %s: %s", path, text);
	return e;
}

/* SQLite makes its WAL beside the database: can we? *why says why not. */
static enum err check_folder(const struct store_config *c, struct reason *why)
{
	char *copy = strdup(c->path);
	const char *dir = copy ? dirname(copy) : NULL;
	enum err e = copy ? ERR_OK : ERR_NOMEM;

	if (dir && faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) != 0) {
		reason_set(why, NULL, "database %s: its folder cannot be written: %s", c->path,
			strerror(errno));
		e = ERR_IO;
	}
	free(copy);
	return e;
}

/* Makes or opens the file itself, so that it is ours, private and locked before SQLite reads it.
 * SQLite gives its WAL the same mode. */
static enum err open_file(const struct store_config *c, int *fd, struct reason *why)
{
	int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (c->create ? O_CREAT : 0);
	struct stat st;

	*fd = open(c->path, flags, 0600);
	if (*fd < 0 && errno == ELOOP)
		return refuse(why, ERR_DENIED, c->path, "is a symbolic link");
	if (*fd < 0 && errno == ENOENT)
		return refuse(why, ERR_NOT_FOUND, c->path, "does not exist");
	if (*fd < 0 || fstat(*fd, &st) != 0)
		return refuse(why, ERR_IO, c->path, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return refuse(why, ERR_DENIED, c->path, "is not a file of our own");
	if ((st.st_mode & 0777) != 0600 && fchmod(*fd, 0600) != 0)
		return refuse(why, ERR_IO, c->path, strerror(errno));
	if (flock(*fd, LOCK_EX | LOCK_NB) != 0)
		return refuse(why, ERR_BUSY, c->path, "is in use by another process");
	return check_folder(c, why);
}

static enum err open_database(struct store *s, const char *path)
{
	int rc = sqlite3_open_v2(path, &s->db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
			SQLITE_OPEN_EXRESCODE,
		NULL);

	if (!s->db)
		return ERR_NOMEM;
	if (rc != SQLITE_OK)
		return store_error(s, rc);
	(void)sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MS);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	(void)sqlite3_limit(s->db, SQLITE_LIMIT_ATTACHED, 0);
	return ERR_OK;
}

/* Keys and ids are random, so each row dirties pages of its own: small pages halve what a commit
 * has to sync (and what an SD card wears by), at no measurable cost. 16 MB between checkpoints:
 * under load most pages go to the database once instead of many times. Nothing is kept in memory
 * but a small cache. */
static const char SETTINGS[] = "PRAGMA page_size = 2048;"
			       "PRAGMA trusted_schema = OFF;"
			       "PRAGMA foreign_keys = ON;"
			       "PRAGMA secure_delete = ON;"
			       "PRAGMA cell_size_check = ON;"
			       "PRAGMA temp_store = MEMORY;"
			       "PRAGMA cache_size = -6144;"
			       "PRAGMA journal_mode = WAL;"
			       "PRAGMA synchronous = FULL;"
			       "PRAGMA wal_autocheckpoint = 8000;";

static enum err read_number(struct store *s, const char *sql, int64_t *out)
{
	struct stmt q = stmt_start(s, sql);

	if (stmt_step(&q))
		*out = stmt_i64(&q);
	return stmt_end_found(&q);
}

static enum err read_text_is(struct store *s, const char *sql, const char *expected)
{
	char text[16] = "";
	struct stmt q = stmt_start(s, sql);
	enum err e;

	if (stmt_step(&q))
		stmt_text(&q, text, sizeof(text));
	e = stmt_end_found(&q);
	return e == ERR_OK && strcmp(text, expected) != 0 ? ERR_IO : e;
}

struct identity {
	int64_t application, version, objects;
};

static enum err read_identity(struct store *s, struct identity *id)
{
	enum err e = read_number(s, "PRAGMA application_id", &id->application);

	if (e == ERR_OK)
		e = read_number(s, "PRAGMA user_version", &id->version);
	if (e == ERR_OK)
		e = read_number(s, "SELECT count(*) FROM sqlite_schema", &id->objects);
	return e;
}

/* Is it ours, and do we understand it? An empty file is a database to come. */
static enum err check_identity(
	const struct store_config *c, const struct identity *id, struct reason *why)
{
	bool empty = id->application == 0 && id->version == 0 && id->objects == 0;

	if (empty && !c->create)
		return refuse(why, ERR_NOT_FOUND, c->path, "is empty: it was never initialized");
	if (!empty && id->application != STORE_APPLICATION_ID)
		return refuse(why, ERR_INVALID, c->path, "is not a database of enrolld");
	if (id->version < 0 || id->version > (int64_t)sql_migration_count) {
		reason_set(why, NULL,
			"database %s: has schema version %" PRId64
			", made by a newer enrolld; this one knows up to %u",
			c->path, id->version, sql_migration_count);
		return ERR_VERSION;
	}
	return ERR_OK;
}

static enum err migrate_one(struct store *s, unsigned number)
{
	char pragmas[96];
	enum err e = store_begin(s);

	if (e != ERR_OK)
		return e;
	(void)snprintf(pragmas, sizeof(pragmas),
		"PRAGMA application_id = %d; PRAGMA user_version = %u;", STORE_APPLICATION_ID,
		number + 1);
	e = stmt_script(s, sql_migrations[number]);
	if (e == ERR_OK)
		e = stmt_script(s, pragmas);
	if (e == ERR_OK)
		e = store_commit(s);
	if (e != ERR_OK)
		store_rollback(s);
	return e;
}

static enum err migrate(struct store *s, unsigned version)
{
	enum err e = ERR_OK;

	for (s->version = version; e == ERR_OK && s->version < sql_migration_count; s->version++)
		e = migrate_one(s, s->version);
	if (e == ERR_OK && s->version > version)
		log_info("database migrated from=%u to=%u", version, s->version);
	return e;
}

static enum err prepare_database(struct store *s, const struct store_config *c, struct reason *why)
{
	struct identity id = {0};
	enum err e = read_identity(s, &id);

	if (e == ERR_INVALID)
		return refuse(why, e, c->path, "is not a database");
	if (e == ERR_OK) {
		e = check_identity(c, &id, why);
		if (e != ERR_OK)
			return e;
		e = stmt_script(s, SETTINGS);
	}
	if (e == ERR_OK)
		e = read_text_is(s, "PRAGMA journal_mode", "wal");
	if (e == ERR_OK)
		e = migrate(s, (unsigned)id.version);
	return e == ERR_OK ? e : refuse(why, e, c->path, err_text(e));
}

enum err store_open(const struct store_config *config, struct store **out, struct reason *why)
{
	struct store *s = calloc(1, sizeof(*s));
	enum err e;

	*out = NULL;
	if (!s)
		return refuse(why, ERR_NOMEM, config->path, err_text(ERR_NOMEM));
	s->lock_fd = -1;
	s->crypto = config->crypto;
	s->seal = config->seal;
	e = open_file(config, &s->lock_fd, why);
	if (e == ERR_OK) {
		e = open_database(s, config->path);
		if (e != ERR_OK)
			(void)refuse(why, e, config->path, err_text(e));
	}
	if (e == ERR_OK)
		e = prepare_database(s, config, why);
	if (e != ERR_OK) {
		store_close(s);
		return e;
	}
	*out = s;
	return ERR_OK;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < STORE_STATEMENTS_MAX; i++)
		(void)sqlite3_finalize(s->statement[i].p);
	(void)sqlite3_close(s->db); /* rolls back, checkpoints */
	if (s->lock_fd >= 0)
		(void)close(s->lock_fd);
	free(s);
}

const struct crypto *store_crypto(const struct store *s)
{
	return s->crypto;
}

const struct seal *store_seal(const struct store *s)
{
	return s->seal;
}

unsigned store_version(const struct store *s)
{
	return s->version;
}

bool store_is_full(const struct store *s)
{
	return s->full;
}

/* --- transactions --- */

static enum err run(struct store *s, const char *sql)
{
	struct stmt q = stmt_start(s, sql);

	return stmt_run(&q, NULL);
}

bool store_in_transaction(const struct store *s)
{
	return sqlite3_get_autocommit(s->db) == 0;
}

enum err store_begin(struct store *s)
{
	static const char BEGIN[] = "BEGIN IMMEDIATE";

	return store_in_transaction(s) ? ERR_STATE : run(s, BEGIN);
}

enum err store_commit(struct store *s)
{
	static const char COMMIT[] = "COMMIT";
	enum err e = store_in_transaction(s) ? ERR_OK : ERR_STATE;

	if (e == ERR_OK && s->hooks.before_commit)
		e = s->hooks.before_commit(s->hooks.arg);
	if (e == ERR_OK)
		e = run(s, COMMIT);
	if (e == ERR_OK) {
		s->full = false;
		s->logged = SQLITE_OK;
	} else {
		store_rollback(s);
	}
	return e;
}

void store_hook(struct store *s, const struct store_hooks *hooks)
{
	s->hooks = hooks ? *hooks : (struct store_hooks){.arg = NULL};
}

void store_rollback(struct store *s)
{
	static const char ROLLBACK[] = "ROLLBACK";

	if (store_in_transaction(s) && run(s, ROLLBACK) != ERR_OK)
		log_err("database rollback failed");
}

enum err store_request_begin(struct store *s)
{
	static const char SAVE[] = "SAVEPOINT request";

	enum err e = store_in_transaction(s) ? run(s, SAVE) : ERR_STATE;

	if (e == ERR_OK && s->hooks.request_begun)
		s->hooks.request_begun(s->hooks.arg);
	return e;
}

enum err store_request_keep(struct store *s)
{
	static const char KEEP[] = "RELEASE request";

	return store_in_transaction(s) ? run(s, KEEP) : ERR_STATE;
}

enum err store_request_undo(struct store *s)
{
	static const char UNDO[] = "ROLLBACK TO request";
	enum err e = store_in_transaction(s) ? run(s, UNDO) : ERR_STATE;

	if (s->hooks.request_undone)
		s->hooks.request_undone(s->hooks.arg);
	return e == ERR_OK ? store_request_keep(s) : e;
}

enum err store_checkpoint(struct store *s)
{
	int rc;

	if (store_in_transaction(s))
		return ERR_STATE;
	rc = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	return store_error(s, rc);
}
