/*
 * A link for tests: the test is radio, node and event loop. What the mesh writes is kept in order;
 * what the node does, the test tells. Events come only when the test says so, as from a loop.
 */
#ifndef SUPPORT_LINK_SCRIPT_H
#define SUPPORT_LINK_SCRIPT_H

#include "mesh/link.h"

#define LINK_SCRIPT_CONNS 8
#define LINK_SCRIPT_PDUS 512

struct link_script_pdu {
	uint16_t conn;
	size_t n;
	uint8_t b[LINK_PDU_MAX];
};

struct link_script_conn {
	uint16_t id; /* 0: free */
	struct link_addr addr;
	bool is_ready;
	bool is_hung_up; /* disconnect() was called, down is due */
};

struct link_script {
	const struct link_events *events;
	void *arg;
	bool is_scanning;
	bool is_busy; /* writes answer ERR_BUSY */
	size_t room;  /* after so many more writes is_busy turns true; SIZE_MAX: never */
	enum err connect_error;
	uint16_t last_id;
	struct link_script_conn conns[LINK_SCRIPT_CONNS];
	struct link_script_pdu pdus[LINK_SCRIPT_PDUS];
	size_t pdu_count, pdu_taken;
	bool is_freed;
};

/* The script stays the caller's; freeing the link only marks it. */
struct link link_script_init(struct link_script *ls, const struct link_events *events, void *arg);

/* The address of the last connection that was asked for, still not ready; 0: none. */
uint16_t link_script_asked(const struct link_script *ls);
void link_script_ready(struct link_script *ls, uint16_t conn);
void link_script_notify(struct link_script *ls, uint16_t conn, const void *p, size_t n);
void link_script_down(struct link_script *ls, uint16_t conn, enum link_down why);
/* Ends all connections that the mesh hung up; how many those were. */
size_t link_script_turn(struct link_script *ls);
/* The next PDU that the mesh wrote, or NULL. */
const struct link_script_pdu *link_script_take(struct link_script *ls);

#endif
