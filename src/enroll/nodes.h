/*
 * The rules for networks and mesh nodes that control asks for: who may, what is valid, which id.
 * All calls run inside the caller's batch transaction and write their audit row there. Nothing here
 * touches the radio: that is the runner, which learns of changes by nodes_set_hook.
 */
#ifndef ENROLL_NODES_H
#define ENROLL_NODES_H

#include "base/clock.h"
#include "base/reason.h"
#include "core/job.h"
#include "enr/keys.h"
#include "enr/qrlabel.h"
#include "enroll/caller.h"

struct crypto;
struct node_row;
struct nodes;
struct store;

#define NODES_LIFETIME_S_DEFAULT (24u * 3600u)
#define NODES_LIFETIME_S_MAX (366u * 24u * 3600u)
#define NODES_NAME_SIZE 65 /* 64 bytes of UTF-8 and a NUL */

/* Views: what may be shown. No key is among them. */
struct network_view {
	uint16_t id;
	char name[NODES_NAME_SIZE];
	uint32_t gateway_serial; /* preferred gateway node, UINT32_MAX: the strongest */
	uint64_t created_at;     /* unix seconds */
	uint32_t nodes;          /* rows in it, whatever their state */
	uint32_t joined;
};

struct node_view {
	int64_t row; /* order of listing, for paging */
	uint32_t serial;
	uint16_t network_id;
	uint16_t node_id;
	uint8_t device_type; /* mesh-protocol §2.4 */
	char name[NODES_NAME_SIZE];
	enum job_state state;   /* job_state_name */
	enum job_reason reason; /* job_reason_name, job_explain */
	enum job_method method; /* of the last attempt; job_method_name */
	uint8_t code;           /* last result code, meaningful when attempts > 0 */
	uint16_t helper;        /* member that did the last directed attempt, 0 none */
	uint16_t attempts;      /* requests that have left */
	uint8_t timeout_s;
	bool only_if_unenrolled;
	bool nearby;
	uint16_t from_network;      /* 0: none; NODES_FROM_ANY */
	enum job_task task;         /* job_task_name */
	uint16_t preferred_network; /* last asked for by nodes_set_network, 0 never */
	uint64_t created_at;        /* unix seconds, as are the next three */
	uint64_t changed_at;
	uint64_t expires_at;  /* by the present relation of service time to wall time; 0: over */
	uint64_t next_try_at; /* 0: none planned */
	char created_by[33];
};

/* A change that watchers are told about, after its transaction has committed. */
struct nodes_event {
	uint32_t serial;
	uint16_t network_id;
	uint16_t node_id;
	enum job_state state;
	enum job_method method;
	enum job_reason reason;
	uint8_t code;
	uint16_t helper;
	uint16_t attempts;
	uint64_t at; /* unix seconds */
};

#define NODES_FROM_ANY 0xFFFF /* whichever network of ours it is in */

struct nodes *nodes_new(struct store *s, const struct crypto *crypto);
/* Of jobs whose request names no lifetime; until set, NODES_LIFETIME_S_DEFAULT. */
void nodes_set_lifetime(struct nodes *n, uint32_t lifetime_s);
void nodes_free(struct nodes *n);

/* Called inside the transaction for each row that was added, cancelled or told to be removed; row
 * is NULL when networks have changed. The runner sets it. */
void nodes_set_hook(
	struct nodes *n, void (*changed)(void *ctx, const struct node_row *row), void *ctx);

struct network_request {
	uint16_t id;      /* 1..65534 */
	const char *name; /* may be NULL; UTF-8, at most 64 bytes */
	/* NULL: generated. 16×00 and 16×FF are refused. */
	const struct secret16 *network_key, *user_base_key, *organization_key;
	uint16_t first_node_id;  /* 0: 1, or 1000 when the network key is imported: ids below
				    belong to nodes that are there already */
	uint32_t gateway_serial; /* UINT32_MAX: the strongest member is the gateway */
};

/* Admin. ERR_DENIED, ERR_INVALID (why says which field), ERR_CONFLICT. */
ENR_MUST_CHECK enum err nodes_network_add(struct nodes *n, const struct clock_now *now,
	const struct caller *who, const struct network_request *req, struct network_view *out,
	struct reason *why);

/* Observer. */
ENR_MUST_CHECK enum err nodes_network_list(struct nodes *n, const struct caller *who,
	bool (*each)(void *ctx, const struct network_view *v), void *ctx, struct reason *why);

/* The id of the network of a request that names none, if there is just one; ERR_INVALID. Whoever
 * may ask at all may know. */
ENR_MUST_CHECK enum err nodes_network_only(struct nodes *n, uint16_t *out, struct reason *why);

/* Observer. ERR_NOT_FOUND. */
ENR_MUST_CHECK enum err nodes_network_show(struct nodes *n, const struct caller *who, uint16_t id,
	struct network_view *out, struct reason *why);

struct network_secrets {
	struct secret16 network_key, user_base_key, organization_key;
};

/* Admin, and written to the audit log. The caller wipes *out. ERR_DENIED, ERR_NOT_FOUND. */
ENR_MUST_CHECK enum err nodes_network_keys(struct nodes *n, const struct clock_now *now,
	const struct caller *who, uint16_t id, struct network_secrets *out, struct reason *why);

/* Admin. ERR_NOT_FOUND; ERR_CONFLICT while nodes are in it. */
ENR_MUST_CHECK enum err nodes_network_remove(struct nodes *n, const struct clock_now *now,
	const struct caller *who, uint16_t id, struct reason *why);

struct node_request {
	const char *label;               /* QR text, or NULL with serial and key below */
	const char *serial;              /* serial text; NULL with label */
	const struct secret16 *node_key; /* NULL with label */
	const char *name;                /* NULL: the label's nm, if any */
	uint16_t network_id;
	uint32_t lifetime_s; /* 0: nodes_set_lifetime's */
	uint8_t timeout_s;   /* 0: JOB_TIMEOUT_S_DEFAULT; 3..127 */
	bool force;          /* admin: also a node that is enrolled already */
	/* Without a key, at most one of: */
	bool nearby;           /* an unenrolled one in our own range that opens without a key */
	uint16_t from_network; /* a member of that network of ours, in our own range */
	bool asset;            /* with serial: device type asset; a label says it itself */
	bool without_key; /* serial without node_key: the one stored for it, else none (16×FF) */
	uint16_t node_id; /* 0: the next free one; else exactly this one, and of the right range */
	/* NULL: not said. Else they must be the network's own: what a foreign tool believes. */
	const struct secret16 *network_key, *user_base_key, *organization_key;
};

/* Enroller. Reserves the node id. ERR_INVALID, ERR_NOT_FOUND (network), ERR_CONFLICT (the serial is
 * there, or the node id is another's), ERR_STATE (no id is left), ERR_DENIED. */
ENR_MUST_CHECK enum err nodes_add(struct nodes *n, const struct clock_now *now,
	const struct caller *who, const struct node_request *req, struct node_view *out,
	struct reason *why);

struct nodes_query {
	uint16_t network_id; /* 0: all */
	int state;           /* enum job_state, -1: all */
	int64_t after;       /* rows above this one; 0 to begin */
};

/* Observer. In order of row; each returns false to stop. */
ENR_MUST_CHECK enum err nodes_list(struct nodes *n, const struct clock_now *now,
	const struct caller *who, const struct nodes_query *query,
	bool (*each)(void *ctx, const struct node_view *v), void *ctx, struct reason *why);

/* Observer. serial is text. ERR_INVALID, ERR_NOT_FOUND. */
ENR_MUST_CHECK enum err nodes_show(struct nodes *n, const struct clock_now *now,
	const struct caller *who, const char *serial, struct node_view *out, struct reason *why);

/* Enroller. ERR_CONFLICT when it has saved or joined already (remove it) or is over. */
ENR_MUST_CHECK enum err nodes_cancel(struct nodes *n, const struct clock_now *now,
	const struct caller *who, const char *serial, struct node_view *out, struct reason *why);

/* Enroller, who added it. Tells an asset that has joined to speak to another network of ours; it
 * keeps its keys and its id, and forgets the order when it loses power. ERR_NOT_FOUND;
 * ERR_CONFLICT unless it has joined; ERR_INVALID when it is no asset. */
ENR_MUST_CHECK enum err nodes_set_network(struct nodes *n, const struct clock_now *now,
	const struct caller *who, const char *serial, uint16_t network_id, struct node_view *out,
	struct reason *why);

/* Admin. Starts the removal (state removing); a node that nothing was ever sent to is removed at
 * once. ERR_CONFLICT when a removal runs or is done. */
ENR_MUST_CHECK enum err nodes_remove(struct nodes *n, const struct clock_now *now,
	const struct caller *who, const char *serial, struct node_view *out, struct reason *why);

/* The text of the node's QR label, its node key in it; the caller wipes out. Admin, and written to
 * the audit log. What a label says beyond that (EDGEROUTER, a vendor's fields) is not kept.
 * ERR_DENIED, ERR_INVALID, ERR_NOT_FOUND; ERR_CONFLICT: its key is not known. */
ENR_MUST_CHECK enum err nodes_label(struct nodes *n, const struct clock_now *now,
	const struct caller *who, const char *serial, char out[QR_LABEL_PRINT_MAX],
	struct reason *why);

/* Keys for apps, derived on demand and stored nowhere (mesh-protocol §3.1). Admin, and written to
 * the audit log; the caller wipes *out. The key of key id 10 and above, from the network's user
 * base key. ERR_DENIED, ERR_INVALID, ERR_NOT_FOUND. */
ENR_MUST_CHECK enum err nodes_user_key(struct nodes *n, const struct clock_now *now,
	const struct caller *who, uint16_t id, uint32_t key_id, struct secret16 *out,
	struct reason *why);
/* The RESTRAINED key of a node of that network. ERR_CONFLICT: its node key is not known. */
ENR_MUST_CHECK enum err nodes_restrained_key(struct nodes *n, const struct clock_now *now,
	const struct caller *who, uint16_t id, const char *serial, struct secret16 *out,
	struct reason *why);

/* "static", "asset", ...; never NULL. */
const char *nodes_device_type_name(uint8_t device_type);

#endif
