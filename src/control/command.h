/*
 * What the handlers of commands_*.c share: the call they are given, and how they fill its reply.
 * Internal to this room. Handlers translate: parameters to a rule's arguments, its result to JSON.
 */
#ifndef CONTROL_COMMAND_H
#define CONTROL_COMMAND_H

#include <jansson.h>

#include "base/clock.h"
#include "base/reason.h"
#include "control/control.h"
#include "control/params.h"
#include "control/stream.h"
#include "enroll/caller.h"

#define COMMAND_PAGE_MAX 1000 /* rows of a listing in one reply */
#define COMMAND_PAGE_DEFAULT 500

struct command_call {
	const struct control_config *config;
	const struct caller *who;
	struct clock_now now;
	struct params params;
	json_t *out;           /* the reply's parameters: an object to be filled */
	struct reason why;     /* on failure: which argument, and why */
	bool no_memory;        /* some of the reply could not be made */
	struct stream *stream; /* of methods that answer later: the handler sets cancel and task */
};

/* ERR_OK: out is the reply. Else the error is answered with why, and writes are undone. */
typedef enum err command_fn(struct command_call *c);

/* --- filling in; a NULL text, and 0 for *_at, becomes null -------------------------------------
 */

void put_json(struct command_call *c, json_t *o, const char *key, json_t *value); /* steals */
void put_text(struct command_call *c, json_t *o, const char *key, const char *text);
void put_hex(struct command_call *c, json_t *o, const char *key, const void *p, size_t n);
void put_uint(struct command_call *c, json_t *o, const char *key, uint64_t v);
void put_at(struct command_call *c, json_t *o, const char *key, uint64_t at);
void put_bool(struct command_call *c, json_t *o, const char *key, bool v);
json_t *put_object(struct command_call *c, json_t *o, const char *key); /* borrowed; maybe NULL */
json_t *put_array(struct command_call *c, json_t *o, const char *key);  /* borrowed; maybe NULL */
json_t *add_object(struct command_call *c, json_t *array);              /* borrowed; maybe NULL */

/* --- reading the parameters --------------------------------------------------------------------
 */

/* The value, or a default when it was not given. */
uint64_t param_uint(const struct command_call *c, unsigned i, uint64_t otherwise);
/* The text, or NULL when it was not given. */
const char *param_text(const struct command_call *c, unsigned i);

/* Common rows. */
#define PARAM_ROW_ID                          \
	{                                     \
		"id", PARAM_TEXT, true, 1, 64 \
	}
#define PARAM_ROW_AFTER                           \
	{                                         \
		"after", PARAM_TEXT, false, 1, 32 \
	}
#define PARAM_ROW_LIMIT                                         \
	{                                                       \
		"limit", PARAM_UINT, false, 1, COMMAND_PAGE_MAX \
	}
#define PARAM_ROW_NAME                           \
	{                                        \
		"name", PARAM_TEXT, false, 1, 64 \
	}
#define PARAM_ROW_END                         \
	{                                     \
		NULL, PARAM_BOOL, false, 0, 0 \
	}

/* ERR_INVALID with field and reason set: a parameter that the table cannot judge. */
ENR_MUST_CHECK enum err refuse(struct command_call *c, const char *field, const char *reason);

/* A page's cursor is text, to be handed back as it was: one letter for the table, then the row. */
ENR_MUST_CHECK enum err cursor_read(
	struct command_call *c, unsigned i, const char *tables, char *table, int64_t *row);
void cursor_put(struct command_call *c, char table, int64_t row);

/* --- the handlers; each has its parameters beside it --------------------------------------------
 */

extern const struct param params_none[];
extern const struct param bundle_issue_params[], bundle_list_params[], bundle_show_params[];
extern const struct param enrollee_announce_params[], enrollee_list_params[];
extern const struct param enrollee_id_params[], enrollee_ping_params[];
extern const struct param network_app_key_params[];
extern const struct param network_add_params[], network_id_params[], network_show_params[];
extern const struct param node_add_params[], node_list_params[], node_serial_params[];
extern const struct param mesh_proposals_params[], mesh_nodes_params[];
extern const struct param mesh_set_enrolled_nodes_params[];
extern const struct param node_set_network_params[];
extern const struct param audit_list_params[], audit_verify_params[], watch_params[];

command_fn command_status;
command_fn command_bundle_issue, command_bundle_list, command_bundle_show, command_bundle_revoke;
command_fn command_enrollee_announce, command_enrollee_list, command_enrollee_show;
command_fn command_enrollee_cancel, command_enrollee_revoke, command_enrollee_ping;
command_fn command_network_add, command_network_list, command_network_show, command_network_remove;
command_fn command_node_add, command_node_list, command_node_show, command_node_cancel;
command_fn command_mesh_proposals, command_mesh_nodes, command_mesh_set_enrolled_nodes;
command_fn command_node_remove, command_node_label, command_network_app_key;
command_fn command_node_set_network;
command_fn command_audit_list, command_audit_verify;

#endif
