/*
 * Waiting for things to come to their end: a watch that is open before the thing is asked for, so
 * that no event can slip between. A watch that breaks is opened anew, and what was missed meanwhile
 * is asked for.
 */
#ifndef CLI_FOLLOW_H
#define CLI_FOLLOW_H

#include <stdint.h>

#include "cli/client.h"

struct args;

enum follow_verdict { FOLLOW_ON, FOLLOW_DONE, FOLLOW_FAILED, FOLLOW_VERDICTS };

/* What a state and its reason ("": none) mean for the thing that is waited for. */
typedef enum follow_verdict follow_judge(const char *state, const char *reason);

struct follow_kind {
	const char *object; /* "node": whose events are watched, and where replies have it */
	const char *method; /* that shows one of them */
	const char *key;    /* its id: the method's parameter, and a member of the object */
	const char *later;  /* what becomes of those that are not done when time is over */
	follow_judge *judge;
};

extern const struct follow_kind follow_node, follow_removal, follow_move, follow_enrollee;

struct follow {
	const struct args *a;
	const struct follow_kind *kind;
	struct client watch; /* fd is -1 while it is broken; for poll() */
	json_t *rows;        /* id -> {"state", "reason", "verdict"}, in the order of follow_add */
	size_t count[FOLLOW_VERDICTS]; /* rows by verdict */
	uint64_t away_ms;              /* since when the watch is not confirmed; 0: it is */
	uint64_t tried_ms;             /* when it was opened last */
	int status;                    /* not EX_OK: it was refused, which has been told */
};

/* Begins to watch; returns when the daemon has confirmed it. EX_OK, or a failure that has been told
 * and nothing to close. a is borrowed until follow_close. */
int follow_open(struct follow *f, const struct args *a, const struct follow_kind *kind);
void follow_close(struct follow *f);

/* From now on what the reply holds is waited for, unless it is over already. Its events since
 * follow_open count, if no follow_drain was between. */
void follow_add(struct follow *f, const json_t *reply);

/* Takes and tells what has arrived, and opens a broken watch anew; waits for nobody. */
void follow_drain(struct follow *f);

/*
 * Until everything has come to its end, telling each event. EX_OK: all done; EXIT_JOB_FAILED: some
 * failed; EX_TEMPFAIL: timeout_s (0: none) is over; EX_UNAVAILABLE: enrolld was away for
 * RUN_AWAY_S. What is not well is told, by name.
 */
int follow_until(struct follow *f, uint32_t timeout_s);

/* --- the parts ------------------------------------------------------------------------------ */

/* A watch of one kind of objects alone, confirmed. EX_OK, or a failure that has been told. */
int follow_watch(const struct args *a, struct client *watch, const char *object);

/* What an event, or the object as it is shown, means. */
enum follow_verdict follow_verdict_of(const struct follow_kind *kind, const json_t *said);

/* "node FMBBC: failed: no answer" to standard error, of an event or of the object as it is shown.
 */
void follow_tell(const char *object, const char *id, const json_t *said);

#endif
