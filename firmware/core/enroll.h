/*
 * The EnrollmentModule (module 5, mesh-protocol §4): enrolls this node (enroll.c), enrolls
 * neighbours on behalf of a gateway, and tells whom it sees (enroll_mesh.c). One operation at a
 * time; silence where the reference is silent.
 */
#ifndef FIRMWARE_CORE_ENROLL_H
#define FIRMWARE_CORE_ENROLL_H

#include "config.h"
#include "enr/meshmsg.h"

#define ENROLL_SEEN_MAX 3         /* §4.10 */
#define ENROLL_RSSI_MIN_DBM (-85) /* proposals: louder than this */
#define ENROLL_SCAN_MS 60000
#define ENROLL_TIMEOUT_DEFAULT_S 10 /* for 0, as the mission's text says */
#define ENROLL_CONNECT_LEFT_MS 2000 /* no connect with less time left */
#define ENROLL_ANSWER_MS 4000       /* at least this long for the target's answer */
#define ENROLL_TRIES_MAX 3
#define ENROLL_PROPOSAL_PERCENT 10
#define ENROLL_SKIP_PERCENT 50

struct node;

/* §4.15. */
enum enroll_state {
	ENROLL_IDLE = 0,
	ENROLL_PREENROLLMENT, /* up to the end of the save */
	ENROLL_SCANNING,
	ENROLL_CONNECTING,
	ENROLL_CONNECTED,
	ENROLL_MESSAGE_SENT
};

/* Answer of a pre-enrollment handler, §4.5; any other value counts as FAILED. */
enum enroll_pre { ENROLL_PRE_DONE = 0, ENROLL_PRE_WAITING = 1, ENROLL_PRE_FAILED = 2 };

/*
 * Something that has to be enrolled before the node is, an external controller for instance.
 * begin() is called after all checks and before anything is erased, with the whole request as it
 * came (n = 0: the button); after ENROLL_PRE_WAITING the answer is node_pre_enrollment_done().
 * All handlers together have 15 s; when they are over, or one fails, the node stays what it was and
 * answers 0x11. Handlers that were done already are not told.
 */
struct enroll_pre_handler {
	enum enroll_pre (*begin)(void *ctx, bool is_removal, struct span request);
	void *ctx;
};

struct enroll {
	enum enroll_state state;
	uint64_t deadline_ms;
	uint8_t request[MESHMSG_SET_ENROLLMENT_BYTES]; /* the running one */
	size_t request_bytes;
	uint32_t target; /* serial index that the running operation is about */
	uint8_t slot;    /* of the access link to the target */
	uint8_t tries;   /* handshakes with the target that came to nothing */

	/* self */
	bool is_removal;
	bool is_silent;  /* removal without a requester */
	bool is_saving;  /* the flash is at it: the 15 s no longer apply */
	bool is_waiting; /* for the handler with this number */
	uint8_t pre_at;
	uint8_t handle;
	struct config next;

	/* neighbours */
	uint32_t seen[ENROLL_SEEN_MAX]; /* 0: free */
	uint8_t seen_next;
	uint64_t scan_until_ms;
	uint64_t asked_until_ms;
	uint16_t asked_by;
	uint8_t asked_handle;
	struct meshmsg_serials asked;
};

void enroll_init(struct node *n);
bool enroll_is_scanning(const struct node *n); /* HIGH duty is wanted */
uint64_t enroll_deadline_ms(const struct node *n);
void enroll_on_timer(struct node *n);

/* A message of module 5 for this node; bytes is the whole of it. Taken as it is: who may send it
 * was decided before. from_slot: the access link it came over, or ACCESS_NO_SLOT. */
void enroll_on_message(
	struct node *n, const struct meshmsg *m, struct span bytes, uint8_t from_slot);

/* See node_pre_enrollment_done(). */
void enroll_on_pre_done(
	struct node *n, const struct enroll_pre_handler *who, enum enroll_pre result);

/* Unenrollment by this node itself: button, §4.14. */
void enroll_remove_self(struct node *n);

/* --- between the two files ----------------------------------------------------------------- */

void enroll_mesh_request(struct node *n, const struct meshmsg *m, struct span bytes,
	const struct meshmsg_set_enrollment *req, uint8_t from_slot);
void enroll_mesh_response(struct node *n, const struct meshmsg *m, uint8_t from_slot);
void enroll_mesh_proposals(struct node *n, const struct meshmsg *m);
void enroll_mesh_abort(struct node *n); /* drops an operation for a neighbour silently */
void enroll_mesh_on_timer(struct node *n);

/* --- events of the access link that enroll_mesh has asked for -------------------------------- */

void enroll_on_access_connected(struct node *n, uint8_t slot);
void enroll_on_access_open(struct node *n, uint8_t slot);
void enroll_on_access_closed(struct node *n, uint8_t slot); /* ACCESS_NO_SLOT: never connected */
void enroll_on_report(struct node *n, const struct port_report *report);

#endif
