/* What nodes.c and nodes_network.c share; nobody else includes it. */
#ifndef ENROLL_NODES_ROOM_H
#define ENROLL_NODES_ROOM_H

#include "enroll/nodes.h"

struct network_row;

struct nodes {
	struct store *store;
	const struct crypto *crypto;
	uint32_t lifetime_s;
	void (*changed)(void *ctx, const struct node_row *row);
	void *ctx;
};

/* Says text about field (NULL: none in particular) and returns e. */
enum err nodes_refuse(struct reason *why, enum err e, const char *field, const char *text);
/* What has not said more by itself gets the words of e; returns e. */
enum err nodes_explain(struct reason *why, enum err e);
/* ERR_DENIED below that role. */
ENR_MUST_CHECK enum err nodes_need(const struct caller *who, enum role role, struct reason *why);
/* Shown on terminals: UTF-8 of at most 64 bytes without control characters. */
bool nodes_name_ok(const char *name);
/* ERR_NOT_FOUND. */
ENR_MUST_CHECK enum err nodes_get_network(
	struct nodes *n, uint16_t id, struct network_row *out, struct reason *why);

#endif
