/*
 * A service with its database in a temporary folder, a clock that only the test moves, and
 * enrollees that speak the real protocol. Failures of the set-up abort the test program.
 */
#ifndef SUPPORT_WORLD_H
#define SUPPORT_WORLD_H

#include "base/seal.h"
#include "enroll/service.h"
#include "enr/channel.h"
#include "store/store.h"

struct world {
	char dir[64], path[96];
	const struct crypto *crypto;
	struct seal *seal;
	struct store *store;
	struct service *service;
	struct service_config config;
	struct clock_now now;
};

extern const struct caller WORLD_ADMIN, WORLD_ALICE, WORLD_BOB; /* the last two: enrollers */

/* A fresh database and service. */
void world_open(struct world *w);
/* Closes both and removes the folder. */
void world_close(struct world *w);
/* Closes both as a power cut would: without a checkpoint, what is open is lost. */
void world_stop(struct world *w);
/* Removes the files of a stopped world. */
void world_wipe(struct world *w);
/* Opens both again. */
ENR_MUST_CHECK enum err world_start(struct world *w);
/* Time passes, on all clocks. */
void world_pass(struct world *w, uint64_t seconds);
/* A reboot; the wall clock then says wall_s. */
void world_reboot(struct world *w, uint64_t wall_s);

/* One number of the database, by a second connection. */
int64_t world_number(struct world *w, const char *sql);
/* Runs SQL by a second connection, which may do what the service never would. */
void world_sql(struct world *w, const char *sql);

/* Does a statement that the store has made so far read the whole table, or a whole index of it? */
bool world_scans(struct world *w, const char *table);

/* A second connection that reads, and goes on seeing what there is now, until world_read_end. */
void *world_read(struct world *w);
void world_read_end(void *reader);

/* begin, then commit and service_committed; the service's functions between them. */
void world_begin(struct world *w);
ENR_MUST_CHECK enum err world_end(struct world *w);

/* Issues one bundle in a transaction of its own. */
ENR_MUST_CHECK enum err world_issue(
	struct world *w, const struct caller *who, uint32_t lifetime_s, struct service_issued *out);

struct enrollee {
	struct x3dh_keypair eik, ek, ik;
	struct x3dh_session session;
	uint8_t request[ENROLLMSG_REQUEST_BYTES];
	char bundle[17]; /* id digits */
	char id[65];     /* of the enrollee */
	char device[65]; /* id as device */
	struct enr_channel channel;
};

void enrollee_make(struct world *w, struct enrollee *e);
/* Announces it by who, in a transaction of its own. */
ENR_MUST_CHECK enum err enrollee_announce(struct world *w, struct enrollee *e,
	const struct caller *who, const struct service_issued *bundle, uint32_t lifetime_s);
/* Builds its request for the bundle, with fresh EK_B. */
void enrollee_build(struct world *w, struct enrollee *e, const struct service_issued *bundle);
/* Issued, announced by Alice and built: ready to send. */
void enrollee_ready(struct world *w, struct enrollee *e);
/* Sends its request in a transaction of its own. */
ENR_MUST_CHECK enum err enrollee_send(
	struct world *w, const struct enrollee *e, struct service_reply *out);
/* Ready, sent and accepted; its channel is open. */
void enrollee_enroll(struct world *w, struct enrollee *e);
/* Does the answer open? */
bool enrollee_opens(struct world *w, const struct enrollee *e, const struct service_reply *reply);

#endif
