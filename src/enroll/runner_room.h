/*
 * What the files of the runner share; nobody else includes it. The table of entries is a cache of
 * the store; an entry's job may be ahead of the last commit, but nothing leaves before it.
 */
#ifndef ENROLL_RUNNER_ROOM_H
#define ENROLL_RUNNER_ROOM_H

#include "base/svctime.h"
#include "core/schedule.h"
#include "enroll/nodes_keep.h"
#include "enroll/runner.h"
#include "mesh/mesh.h"
#include "mesh/timer.h"
#include "store/networks.h"

struct meshadv;
struct meshmsg;

#define RUNNER_CANDIDATES_MAX 8
#define RUNNER_CANDIDATE_MS 15000      /* how long an advert counts */
#define RUNNER_GATHER_MS 1500          /* adverts are gathered so long before one is chosen */
#define RUNNER_PREFERRED_MS 20000      /* patience for the configured gateway node */
#define RUNNER_PREFERRED_TRIES 3       /* that fail in a row: it is one like the others */
#define RUNNER_FAILURE_MS 1800000      /* remembered: all candidates are tried in less */
#define RUNNER_ATTACH_BACKOFF_MS 60000 /* at most */
#define RUNNER_GIVEN_WAY_MS 1000       /* then another node is looked for, or the same one again */
#define RUNNER_HELD_MS 30000           /* so long a session without work is not ended for another */
#define RUNNER_ASKED_MS 60000          /* so long a network that was asked about has work */
#define RUNNER_FULL_MS 1000            /* then a link that has no connection left is asked again */
#define RUNNER_CLUSTER_MS 10000        /* a gateway node tells its cluster at once (§3.8) */
#define RUNNER_STORAGE_MS 2000         /* pause after a write that failed */
/* Connections being made, whoever wants them: the kernel makes one after the other, but one that
 * waits for a silent peer holds up nobody else (bluez.md, "Connect"). */
#define RUNNER_ATTEMPTS_MAX 3
#define RUNNER_DIRECTS_MAX 3 /* fewer with many networks, see radio_free */

/* One node with a job that is not over. */
struct entry {
	struct job job; /* first: schedule hands out pointers to it */
	struct runner *runner;
	struct net *net;
	uint8_t device_type;
	bool only_if_unenrolled;
	bool nearby;
	uint16_t from_network;
	struct link_addr addr;   /* of its last advert, valid while job.ear_ms is not 0 */
	bool advert_joined;      /* that advert said: enrolled, where the job wants it */
	bool advert_ours;        /* and that it may have our network's key */
	uint16_t advert_network; /* and what it is enrolled in; 0: not */
	struct net *via;         /* whose session with a gateway node has its request, or NULL */
	struct mesh_session *session; /* direct */
	bool session_open;
};

/* Of a gateway node, in a row. */
struct failures {
	uint8_t count;
	uint64_t last_ms;
};

/* A member of the network that our radio hears. */
struct candidate {
	struct link_addr addr;
	uint32_t serial;
	int8_t rssi_dbm;
	struct failures fails;
	uint64_t heard_ms; /* 0: not since it failed, or free */
};

/* One network and the session with its gateway node. */
struct net {
	struct net *next;
	struct runner *runner;
	int64_t row; /* of the store: an id may come again, with other keys */
	uint16_t id;
	uint32_t gateway_serial; /* preferred, UINT32_MAX: the strongest */
	bool listed;             /* while networks are read */
	bool gone;               /* no longer in the store; freed when its session has closed */
	struct schedule schedule;
	struct job **jobs;
	size_t job_count;

	struct candidate candidates[RUNNER_CANDIDATES_MAX];
	struct mesh_session *session;
	struct link_addr addr;
	uint32_t serial;     /* of the gateway node */
	uint16_t gateway_id; /* its node id */
	uint64_t opened_ms;
	uint16_t cluster_size; /* as it tells it; 0: it has said nothing yet */
	unsigned joined;       /* for overmesh_count */
	bool gives_way;        /* the session is closed for the sake of a job or another network */
	bool count_due;        /* the mesh is to be told how many nodes it has */
	uint16_t count_told;   /* what it was told last; 0: not by us, or an operator did */
	uint8_t fails;
	struct failures preferred_fails; /* of gateway_serial, at whatever address */
	uint64_t since_ms;               /* since when a gateway node is looked for */
	uint64_t retry_ms;
	bool has_jobs;     /* that it may be needed for, see attach_note_jobs */
	uint64_t asked_ms; /* until then somebody wants to ask its mesh */
};

struct runner {
	struct runner_config config;
	struct timer timer;
	uint64_t base_service_ms; /* service time when the timers stood at base_timer_ms */
	uint64_t base_timer_ms;
	bool adapter;
	bool started;
	bool kicked;               /* while the loop runs: run it again at once */
	uint64_t storage_until_ms; /* the store failed: wait */
	bool storage_fails;        /* and it has been told */

	struct net *nets;
	struct entry **entries; /* by serial */
	size_t entry_count;
	struct entry *directs[RUNNER_DIRECTS_MAX]; /* have direct sessions; NULL: free */

	runner_hear_fn *hear; /* meshops; may be NULL */
	void *hear_arg;
	uint64_t ignored;

	uint32_t *dirty; /* serials that control has changed in the open transaction */
	size_t dirty_count, dirty_cap;
	bool nets_dirty;
};

/* --- runner.c --- */
uint64_t runner_now(struct runner *r);
/* Looks for work from the event loop, soon. */
void runner_kick(struct runner *r);
/* May one more connection be begun? */
bool runner_may_connect(const struct runner *r);
/* One event for one job: step, store, and after the commit do what the step said. */
void runner_apply(struct entry *en, const struct job_event *event);

/* Tells the listener, if there is one. */
void runner_tell(const struct net *net, enum runner_heard_what what, const struct span *message);

/* --- runner_table.c --- */
struct entry *runner_find(struct runner *r, uint32_t serial);
struct net *runner_net(struct runner *r, uint16_t id);
ENR_MUST_CHECK enum err runner_load(struct runner *r);
ENR_MUST_CHECK enum err runner_load_nets(struct runner *r);
/* Takes the row over from the store: new, changed or gone. Returns the row's state by *out;
 * ERR_NOT_FOUND if there is none. */
ENR_MUST_CHECK enum err runner_refresh(struct runner *r, uint32_t serial, struct node_row *out);
/* Drops entries that are over and have no session, networks that are gone. */
void runner_reap(struct runner *r);
void runner_table_free(struct runner *r);

/* --- runner_attach.c --- */
void attach_on_advert(struct net *net, const struct link_advert *advert, const struct meshadv *adv);
/* Which networks have jobs; before the attach_steps of one turn. */
void attach_note_jobs(struct runner *r);
/* Opens a session with a gateway node if it is time, or ends another network's that does nothing;
 * returns when to look again. */
uint64_t attach_step(struct net *net, uint64_t now_ms);
/* The gateway node has told its cluster: it is a good one. */
void attach_on_voice(struct net *net);
bool attach_is_opening(const struct net *net);
bool attach_is_open(const struct net *net);
/* Ends a session with this node as a gateway node, if there is one: it is wanted for an enrollment
 * or a removal of its own. True: not yet gone, the runner is kicked when it is. */
bool attach_give_way(struct runner *r, uint32_t serial);

/* --- runner_direct.c --- */
void direct_connect(struct entry *en);
void direct_close(struct entry *en);
/* The request of the job on the direct session. */
void direct_send(struct entry *en);
/* Sessions with nodes themselves, and those of them that are not open yet. */
unsigned direct_count(const struct runner *r);
unsigned direct_attempts(const struct runner *r);

/* --- runner_mesh.c --- */
/* 81 or 12 bytes, the same ones whenever asked; holds keys: wipe. */
ENR_MUST_CHECK enum err request_build(
	struct entry *en, uint16_t receiver, uint8_t out[MESH_MESSAGE_MAX], size_t *n);
void overmesh_send(struct entry *en);
/* The network of ours that the node may be in, though its key is not known; NULL: none. */
struct net *overmesh_source(const struct entry *en);
/* The same if there is an open session with its gateway node. */
struct net *overmesh_other(const struct entry *en);
void overmesh_survey(struct net *net, const struct schedule_pick *pick);
/* We have changed how many nodes the mesh has: it is told, at once or when a session opens. */
void overmesh_count_changed(struct net *net);
/* Tells the mesh how many nodes it has, if that is due and can be done. */
void overmesh_count(struct net *net);
/* Any message that the session with the gateway node of net has brought. */
void runner_on_message(struct net *net, struct span bytes);
/* The same of a session with the node itself, which speaks for itself alone: to know its node key,
 * or none, is not to be a member. */
void runner_on_direct(struct entry *en, struct span bytes);

/* --- runner_verify.c --- */
void verify_send(struct entry *en);
void verify_on_info(struct net *net, const struct meshmsg *msg);

#endif
