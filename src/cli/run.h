/* What the verbs do: each takes the parsed arguments and returns the exit status. */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include "cli/args.h"
#include "cli/client.h"

/* run.c: most verbs are one of these. */
int run_show(struct args *a); /* one call, one object */
int run_list(struct args *a); /* pages to the end, one table */
int run_done(struct args *a); /* one call that changes something; says so */

int run_bundle_issue(struct args *a);
int run_bundle_show(struct args *a);
int run_enrollee_announce(struct args *a);
int run_network_add(struct args *a);
int run_node_add(struct args *a);
int run_node_remove(struct args *a);
int run_node_label(struct args *a);
int run_node_set_network(struct args *a);
int run_mesh_proposals(struct args *a);
int run_mesh_nodes(struct args *a);
int run_mesh_set_enrolled_nodes(struct args *a);
int run_audit_list(struct args *a);
int run_audit_verify(struct args *a);
int run_watch(struct args *a);
int run_terminal(struct args *a);
int run_enroll(struct args *a);

/* --- shared -------------------------------------------------------------------------------- */

/* Connects, or tells why not. */
int run_open(const struct args *a, struct client *c);

#define RUN_AWAY_S 60    /* a daemon that is restarted is waited for so long */
#define RUN_RETRY_MS 200 /* between two tries to reach it */

/* Connects anew to a daemon that was there: tries for RUN_AWAY_S. ERR_NOT_FOUND: it has not come
 * back; ERR_DENIED. Nothing is told but progress. */
ENR_MUST_CHECK enum err run_open_again(const struct args *a, struct client *c);

/* Since the machine was started, also while it sleeps. */
uint64_t run_now_ms(void);

/* The verb's one call, on a connection of its own. EX_OK: r is to be cleared; else why not has been
 * told. */
int run_call(struct args *a, struct client_reply *r);

/* The method's parameters, handed over to the call. */
json_t *run_take_parameters(struct args *a);

/* One line of JSON to standard output: the reply's parameters as they came. What a terminal could
 * take for a command is escaped, which JSON readers undo. EX_OK or EX_IOERR. */
int run_print_json(const json_t *parameters);

/* The object or array below verb->reply_key, for people. */
void run_print_reply(const struct args *a, const json_t *parameters);

/* Draws text as a QR code where --qr and --png ask for it. EX_OK, or a failure that has been told.
 */
int run_draw(const struct args *a, const char *text);

/* Progress on standard error, only for people: NULL or "" wipes the line. */
void run_progress(const struct args *a, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
