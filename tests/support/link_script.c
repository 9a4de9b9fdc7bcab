#include "support/link_script.h"

#include <stdlib.h>
#include <string.h>

static struct link_script_conn *conn_of(struct link_script *ls, uint16_t id)
{
	for (size_t i = 0; i < LINK_SCRIPT_CONNS; i++) {
		if (ls->conns[i].id == id && id != 0)
			return &ls->conns[i];
	}
	return NULL;
}

static void op_scan(void *impl, bool on)
{
	struct link_script *ls = impl;

	ls->is_scanning = on;
}

static struct link_script_conn *free_conn(struct link_script *ls)
{
	for (size_t i = 0; i < LINK_SCRIPT_CONNS; i++) {
		if (ls->conns[i].id == 0)
			return &ls->conns[i];
	}
	return NULL;
}

static enum err op_connect(void *impl, const struct link_addr *addr, uint16_t *conn)
{
	struct link_script *ls = impl;
	struct link_script_conn *c = free_conn(ls);

	if (ls->connect_error != ERR_OK)
		return ls->connect_error;
	if (!c)
		return ERR_FULL;
	*c = (struct link_script_conn){.id = ++ls->last_id, .addr = *addr};
	*conn = c->id;
	return ERR_OK;
}

static enum err op_write(void *impl, uint16_t conn, struct span pdu)
{
	struct link_script *ls = impl;
	struct link_script_conn *c = conn_of(ls, conn);
	struct link_script_pdu *p;

	if (!c || !c->is_ready || c->is_hung_up)
		return ERR_STATE;
	if (pdu.n == 0 || pdu.n > LINK_PDU_MAX)
		return ERR_RANGE;
	if (ls->is_busy || ls->room == 0)
		return ERR_BUSY;
	if (ls->pdu_count == LINK_SCRIPT_PDUS)
		abort();
	if (ls->room != SIZE_MAX)
		ls->room--;
	p = &ls->pdus[ls->pdu_count++];
	p->conn = conn;
	p->n = pdu.n;
	memcpy(p->b, pdu.p, pdu.n);
	return ERR_OK;
}

static void op_disconnect(void *impl, uint16_t conn)
{
	struct link_script_conn *c = conn_of(impl, conn);

	if (c)
		c->is_hung_up = true;
}

static void op_free(void *impl)
{
	struct link_script *ls = impl;

	ls->is_freed = true;
}

static const struct link_ops ops = {.scan = op_scan,
	.connect = op_connect,
	.write = op_write,
	.disconnect = op_disconnect,
	.free = op_free};

struct link link_script_init(struct link_script *ls, const struct link_events *events, void *arg)
{
	memset(ls, 0, sizeof(*ls));
	ls->events = events;
	ls->arg = arg;
	ls->room = SIZE_MAX;
	return (struct link){&ops, ls};
}

uint16_t link_script_asked(const struct link_script *ls)
{
	for (size_t i = 0; i < LINK_SCRIPT_CONNS; i++) {
		if (ls->conns[i].id == ls->last_id && !ls->conns[i].is_ready)
			return ls->last_id;
	}
	return 0;
}

void link_script_ready(struct link_script *ls, uint16_t conn)
{
	struct link_script_conn *c = conn_of(ls, conn);

	if (!c)
		abort();
	c->is_ready = true;
	ls->events->ready(ls->arg, conn);
}

void link_script_notify(struct link_script *ls, uint16_t conn, const void *p, size_t n)
{
	ls->events->notify(ls->arg, conn, (struct span){p, n});
}

void link_script_down(struct link_script *ls, uint16_t conn, enum link_down why)
{
	struct link_script_conn *c = conn_of(ls, conn);

	if (!c)
		abort();
	c->id = 0;
	ls->events->down(ls->arg, conn, why);
}

size_t link_script_turn(struct link_script *ls)
{
	size_t n = 0;

	for (size_t i = 0; i < LINK_SCRIPT_CONNS; i++) {
		struct link_script_conn *c = &ls->conns[i];

		if (c->id == 0 || !c->is_hung_up)
			continue;
		link_script_down(ls, c->id, LINK_DOWN_LOCAL);
		n++;
	}
	return n;
}

const struct link_script_pdu *link_script_take(struct link_script *ls)
{
	return ls->pdu_taken < ls->pdu_count ? &ls->pdus[ls->pdu_taken++] : NULL;
}
