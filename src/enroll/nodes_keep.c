#include "enroll/nodes_keep.h"

#include "enr/serial.h"
#include "enroll/audit.h"
#include "store/networks.h"

/* Static: the audit log keeps the address while a line is made. NULL: not worth a line. */
static const char *audit_event(const struct job *job)
{
	switch (job->state) {
	case JOB_SAVED:
		return "node_saved";
	case JOB_JOINED:
		if (job->task == JOB_TASK_ENROLL)
			return "node_joined";
		return job->reason == JOB_REASON_NONE ? "node_moved" : "node_not_moved";
	case JOB_REMOVING:
		return "node_removing";
	case JOB_REMOVED:
		return "node_removed";
	case JOB_UNCONFIRMED:
		return "node_unconfirmed";
	case JOB_FAILED:
		return "node_failed";
	case JOB_EXPIRED:
		return "node_expired";
	case JOB_CANCELLED:
		return "node_cancelled";
	case JOB_PENDING:
	case JOB_LOCATED:
	case JOB_SENT:
	case JOB_WAITING:
	case JOB_STATE_COUNT:
		break;
	}
	return NULL;
}

static enum err audit_job(struct store *s, uint16_t network_id, const struct job *job,
	const struct caller *who, uint64_t wall_s)
{
	const char *event = audit_event(job);
	char serial[SERIAL_TEXT_SIZE];
	struct audit a;

	if (!event)
		return ERR_OK;
	serial_print(job->serial, serial);
	audit_start(&a, event, who);
	audit_text(&a, "serial", serial);
	audit_u64(&a, "network", network_id);
	audit_u64(&a, "node_id", job->node_id);
	if (job->task == JOB_TASK_SET_NETWORK)
		audit_u64(&a, "preferred_network", job->preferred_network);
	if (job->reason != JOB_REASON_NONE)
		audit_text(&a, "reason", job_reason_name(job->reason));
	if (job->state == JOB_SAVED)
		audit_text(&a, "method", job_method_name(job->method));
	return audit_write(&a, s, wall_s);
}

/* The node has confirmed that it forgot the id, or it never heard of it from us. */
static enum err give_id_back(struct store *s, uint16_t network_id, const struct job *job)
{
	if (job->attempts > 0)
		return job->state == JOB_REMOVED
			       ? store_ids_free(s, network_id, job->node_id, job->serial)
			       : ERR_OK;
	if (!job_is_over(job->state) || job->state == JOB_JOINED)
		return ERR_OK;
	return store_ids_return(s, network_id, job->node_id, job->serial);
}

enum err nodes_keep(struct store *s, uint16_t network_id, const struct job *job, enum job_state was,
	const struct caller *who, const struct nodes_moment *at)
{
	enum err e = store_nodes_update(s, job, was, at->now_ms, at->wall_s);

	if (e != ERR_OK || job->state == was)
		return e;
	e = give_id_back(s, network_id, job);
	return e == ERR_OK ? audit_job(s, network_id, job, who, at->wall_s) : e;
}
