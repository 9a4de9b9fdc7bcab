/*
 * Waiting for things to come to their end: a watch that is open before the thing is asked for, so
 * that no event can slip between.
 */
#ifndef CLI_FOLLOW_H
#define CLI_FOLLOW_H

#include <stdint.h>

#include "cli/client.h"

struct args;

enum follow_verdict { FOLLOW_ON, FOLLOW_DONE, FOLLOW_FAILED };

/* What an event means for the thing that is waited for. */
typedef enum follow_verdict follow_judge(const json_t *event);

/* Begins to watch one kind of object; returns when the daemon has confirmed it. EX_OK or a failure
 * that has been told. */
int follow_open(const struct args *a, struct client *watch, const char *object);

/*
 * Until every id of the object ids (name -> anything) has come to its end, telling each event; ids
 * that are done are taken out of it. EX_OK: all done; EXIT_JOB_FAILED: some failed; EX_TEMPFAIL:
 * timeout_s (0: none) is over.
 */
int follow_until(const struct args *a, struct client *watch, json_t *ids, follow_judge *judge,
	uint32_t timeout_s);

follow_judge follow_judge_node, follow_judge_removal, follow_judge_move, follow_judge_enrollee;

/* "node FMBBC: joined" to standard error, with the reason if there is one. */
void follow_tell(const json_t *event);

#endif
