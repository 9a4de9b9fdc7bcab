/* A service, its clock and its enrollees, for unit tests and the bench. */
#include "support/world.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/crypto_openssl.h"
#include "enr/hex.h"
#include "store/internal.h"

const struct caller WORLD_ADMIN = {.uid = 0, .role = ROLE_ADMIN, .name = "root"};
const struct caller WORLD_ALICE = {.uid = 1001, .role = ROLE_ENROLLER, .name = "alice"};
const struct caller WORLD_BOB = {.uid = 1002, .role = ROLE_ENROLLER, .name = "bob"};

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "test set-up failed: %s\n", what);
	abort();
}

#define NEED(expression) need((expression) == ERR_OK, #expression)

enum err world_start(struct world *w)
{
	const struct store_config config = {
		.path = w->path, .create = true, .crypto = w->crypto, .seal = w->seal};
	enum err e = store_open(&config, &w->store, NULL);

	if (e != ERR_OK)
		return e;
	e = service_new(w->store, w->crypto, &w->config, &w->now, &w->service, NULL);
	if (e != ERR_OK)
		world_stop(w);
	return e;
}

void world_open(struct world *w)
{
	/* In memory, where a sync costs nothing; the bench says where else. */
	const char *folder = getenv("WORLD_DIR");
	struct secret32 key;

	memset(w, 0, sizeof(*w));
	(void)snprintf(w->dir, sizeof(w->dir), "%s/enrolld-test-XXXXXX",
		folder                          ? folder
		: access("/dev/shm", W_OK) == 0 ? "/dev/shm"
						: "/tmp");
	need(mkdtemp(w->dir) != NULL, "mkdtemp");
	(void)snprintf(w->path, sizeof(w->path), "%s/enrolld.db", w->dir);
	w->crypto = crypto_default();
	need(w->crypto != NULL, "crypto");
	NEED(w->crypto->random(w->crypto->ctx, key.b, sizeof(key.b)));
	NEED(seal_new(w->crypto, &key, &w->seal));
	w->config.addr_host = "gateway.local";
	w->now = (struct clock_now){.boot_ms = 5000, .wall_s = 1700000000, .boot_id = {1}};
	NEED(world_start(w));
}

void world_stop(struct world *w)
{
	service_free(w->service);
	store_close(w->store);
	w->service = NULL;
	w->store = NULL;
}

void world_wipe(struct world *w)
{
	static const char *const endings[] = {"", "-wal", "-shm"};
	char path[128];

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", w->path, endings[i]);
		(void)unlink(path);
	}
}

void world_close(struct world *w)
{
	world_stop(w);
	seal_free(w->seal);
	world_wipe(w);
	(void)rmdir(w->dir);
}

void world_pass(struct world *w, uint64_t seconds)
{
	w->now.boot_ms += seconds * 1000;
	w->now.wall_s += seconds;
}

void world_reboot(struct world *w, uint64_t wall_s)
{
	w->now.boot_id[0]++;
	w->now.boot_ms = 1000;
	w->now.wall_s = wall_s;
}

static sqlite3 *other_connection(struct world *w)
{
	sqlite3 *db;

	need(sqlite3_open_v2(w->path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK, w->path);
	(void)sqlite3_busy_timeout(db, 1000);
	return db;
}

int64_t world_number(struct world *w, const char *sql)
{
	sqlite3 *db = other_connection(w);
	sqlite3_stmt *q;
	int64_t v;

	need(sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK, sql);
	need(sqlite3_step(q) == SQLITE_ROW, sql);
	v = sqlite3_column_int64(q, 0);
	(void)sqlite3_finalize(q);
	(void)sqlite3_close(db);
	return v;
}

void world_sql(struct world *w, const char *sql)
{
	sqlite3 *db = other_connection(w);

	need(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, sql);
	(void)sqlite3_close(db);
}

static bool plan_has(sqlite3 *db, const char *sql, const char *step)
{
	char *explain = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sql);
	sqlite3_stmt *q;
	bool found = false;

	need(explain && sqlite3_prepare_v2(db, explain, -1, &q, NULL) == SQLITE_OK, sql);
	while (!found && sqlite3_step(q) == SQLITE_ROW) {
		const char *detail = (const char *)sqlite3_column_text(q, 3);
		const char *at = strstr(detail, step);

		found = at && (at[strlen(step)] == ' ' || at[strlen(step)] == '\0');
	}
	(void)sqlite3_finalize(q);
	sqlite3_free(explain);
	return found;
}

bool world_scans(struct world *w, const char *table)
{
	sqlite3 *db = other_connection(w);
	sqlite3_stmt *q = NULL;
	bool found = false;
	char step[64];

	(void)snprintf(step, sizeof(step), "SCAN %s", table);
	while (!found && (q = sqlite3_next_stmt(w->store->db, q)) != NULL)
		found = plan_has(db, sqlite3_sql(q), step);
	if (found)
		(void)fprintf(stderr, "%s: %s\n", step, sqlite3_sql(q));
	(void)sqlite3_close(db);
	return found;
}

void *world_read(struct world *w)
{
	sqlite3 *db = other_connection(w);

	need(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM audit", NULL, NULL, NULL) == SQLITE_OK,
		"reader");
	return db;
}

void world_read_end(void *reader)
{
	need(sqlite3_close(reader) == SQLITE_OK, "reader");
}

void world_begin(struct world *w)
{
	NEED(store_begin(w->store));
}

enum err world_end(struct world *w)
{
	enum err e = store_commit(w->store);

	service_committed(w->service, e);
	return e;
}

/* A request's end: keep or undo, then commit. */
static enum err end_request(struct world *w, enum err e)
{
	enum err end = e == ERR_OK ? world_end(w) : ERR_OK;

	if (e == ERR_OK)
		return end;
	store_rollback(w->store);
	service_committed(w->service, e);
	return e;
}

static void keep_issued(void *arg, const struct service_issued *issued)
{
	*(struct service_issued *)arg = *issued;
}

enum err world_issue(
	struct world *w, const struct caller *who, uint32_t lifetime_s, struct service_issued *out)
{
	enum err e = store_begin(w->store);

	if (e == ERR_OK)
		e = end_request(w, service_bundle_issue(w->service, &w->now, who, &lifetime_s, 1,
					   keep_issued, out, NULL));
	return e;
}

void enrollee_make(struct world *w, struct enrollee *e)
{
	struct public32 id;

	memset(e, 0, sizeof(*e));
	NEED(x3dh_keypair_make(w->crypto, &e->eik));
	NEED(x3dh_keypair_make(w->crypto, &e->ik));
	NEED(enrollmsg_id(w->crypto, &e->eik.pub, &id));
	hex_print(id.b, sizeof(id.b), e->id);
	NEED(enrollmsg_id(w->crypto, &e->ik.pub, &id));
	hex_print(id.b, sizeof(id.b), e->device);
}

enum err enrollee_announce(struct world *w, struct enrollee *e, const struct caller *who,
	const struct service_issued *bundle, uint32_t lifetime_s)
{
	struct service_announcement a = {.eik = e->eik.pub,
		.bundle = e->bundle,
		.pet_name = "Robot Axiom",
		.lifetime_s = lifetime_s};
	struct service_bundle view;
	enum err result = store_begin(w->store);

	hex_print(bundle->id, sizeof(bundle->id), e->bundle);
	if (result == ERR_OK)
		result = end_request(
			w, service_enrollee_announce(w->service, &w->now, who, &a, &view, NULL));
	return result;
}

void enrollee_build(struct world *w, struct enrollee *e, const struct service_issued *issued)
{
	const struct x3dh_enrollee keys = {&e->eik, &e->ek, &e->ik};
	struct enrollmsg_bundle bundle;
	uint8_t z[XEDDSA_Z_BYTES], message[X3DH_MESSAGE_BYTES];

	NEED(enrollmsg_bundle_decode((struct span){issued->frame, issued->frame_bytes}, &bundle));
	NEED(enrollmsg_bundle_check(w->crypto, &bundle));
	NEED(x3dh_keypair_make(w->crypto, &e->ek));
	NEED(w->crypto->random(w->crypto->ctx, z, sizeof(z)));
	NEED(x3dh_build(w->crypto, &(struct x3dh_context){x3dh_info(), bundle.addr},
		&bundle.prekeys, &keys, z, message, &e->session));
	enrollmsg_request_encode(message, e->request);
	NEED(enr_channel_init(w->crypto, ENR_ENROLLEE, &e->session, &e->channel));
}

void enrollee_ready(struct world *w, struct enrollee *e)
{
	struct service_issued issued;

	enrollee_make(w, e);
	NEED(world_issue(w, &WORLD_ALICE, 0, &issued));
	NEED(enrollee_announce(w, e, &WORLD_ALICE, &issued, 0));
	enrollee_build(w, e, &issued);
}

enum err enrollee_send(struct world *w, const struct enrollee *e, struct service_reply *out)
{
	enum err result = store_begin(w->store);

	if (result == ERR_OK)
		result = end_request(
			w, service_accept(w->service, &w->now,
				   (struct span){e->request, sizeof(e->request)}, NULL, NULL, out));
	return result;
}

void enrollee_enroll(struct world *w, struct enrollee *e)
{
	struct service_reply reply;

	enrollee_ready(w, e);
	NEED(enrollee_send(w, e, &reply));
	need(reply.outcome == SERVICE_ANSWER && enrollee_opens(w, e, &reply), "acceptance");
}

bool enrollee_opens(struct world *w, const struct enrollee *e, const struct service_reply *reply)
{
	struct enrollmsg_answer answer;

	return enrollmsg_answer_open(w->crypto, &e->session,
		       (struct span){reply->bytes, reply->bytes_count}, &answer) == ERR_OK;
}
