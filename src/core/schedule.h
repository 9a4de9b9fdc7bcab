/*
 * What to do next over all jobs of one network. Pure and deterministic: the same jobs, the same
 * time, the same answer. The caller does what it says, tells the job (job_step), and asks again
 * until it says sleep. Numbers behind the order: fleet-baseline.
 */
#ifndef CORE_SCHEDULE_H
#define CORE_SCHEDULE_H

#include "core/job.h"

#define SCHEDULE_SURVEY_MAX 11         /* serials in one REQUEST_PROPOSALS (mesh-protocol §4.11) */
#define SCHEDULE_SURVEY_GAP_MS 5000    /* between two surveys: each replaces the one before */
#define SCHEDULE_SURVEY_AGAIN_MS 60000 /* for the same serial: members scan for 60 s */
#define SCHEDULE_SURVEY_ANSWER_MS 4000 /* patience before a serial is called unseen */
#define SCHEDULE_VERIFIES_MAX 4        /* questions for a device info in flight */
#define SCHEDULE_RSSI_MIN (-92)        /* weaker ones are left to the mesh while there is one */

/* What is known beside the jobs. Zero-initialised by the caller at the start of a session. */
struct schedule {
	bool attached;      /* a gateway node of the network is connected */
	bool opening;       /* ... is being connected to */
	bool radio_free;    /* our own radio may make one more connection */
	uint64_t survey_ms; /* last survey, 0 none */
};

enum schedule_do {
	SCHEDULE_SLEEP,     /* until_ms, UINT64_MAX: nothing to wait for */
	SCHEDULE_TIMER,     /* job_step(job, JOB_EVENT_TIMER) */
	SCHEDULE_VERIFY,    /* job_step(job, JOB_EVENT_PICKED) of a saved job */
	SCHEDULE_DIRECT,    /* ... PICKED, JOB_METHOD_DIRECT */
	SCHEDULE_DIRECTED,  /* ... PICKED, JOB_METHOD_DIRECTED, helper */
	SCHEDULE_BROADCAST, /* ... PICKED, JOB_METHOD_BROADCAST */
	SCHEDULE_SURVEY,    /* send REQUEST_PROPOSALS for serials, then schedule_surveyed */
};

struct schedule_pick {
	enum schedule_do what;
	struct job *job;
	uint16_t helper; /* the receiver of a directed request */
	uint64_t until_ms;
	uint32_t serials[SCHEDULE_SURVEY_MAX];
	struct job *surveyed[SCHEDULE_SURVEY_MAX];
	size_t count;
};

struct schedule_pick schedule_pick(
	const struct schedule *s, struct job *const *jobs, size_t count, uint64_t now_ms);

/* The survey of that pick has left. */
void schedule_surveyed(struct schedule *s, const struct schedule_pick *pick, uint64_t now_ms);

#endif
