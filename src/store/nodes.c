#include "store/nodes.h"

#include "store/stmt.h"

static const char NODE_KEY[] = "nodes.node_key";

#define KEY_BYTES sizeof(struct secret16)

static void bind_job(struct stmt *q, const struct job *job)
{
	stmt_bind_text(q, job_state_name(job->state));
	stmt_bind_text(q, job_reason_name(job->reason));
	stmt_bind_text(q, job_method_name(job->method));
	stmt_bind_u64(q, job->helper);
	stmt_bind_u64(q, job->attempts);
	stmt_bind_u64(q, job->silent);
	stmt_bind_u64(q, job->refused);
	stmt_bind_u64(q, job->code);
	stmt_bind_u64(q, job->codes);
	stmt_bind_u64(q, job->tries);
	stmt_bind_u64(q, job->next_try_ms);
	stmt_bind_u64(q, job->expires_ms);
}

static void bind_row(struct stmt *q, const struct node_row *row, struct stmt_sealed *keep,
	const struct secret16 *node_key)
{
	stmt_bind_u64(q, row->job.serial);
	stmt_bind_u64(q, row->network_id);
	stmt_bind_u64(q, row->job.node_id);
	stmt_bind_u64(q, row->device_type);
	stmt_bind_text(q, row->name);
	stmt_bind_sealed(
		q, keep, NODE_KEY, row->job.row, (struct span){node_key->b, sizeof(node_key->b)});
	stmt_bind_u64(q, row->job.handle);
	stmt_bind_u64(q, row->job.timeout_s);
	stmt_bind_u64(q, row->only_if_unenrolled);
	stmt_bind_u64(q, row->created_at);
	stmt_bind_u64(q, row->created_uid);
	stmt_bind_text(q, row->created_by);
	bind_job(q, &row->job);
	stmt_bind_u64(q, row->changed_at);
	stmt_bind_u64(q, row->nearby);
	stmt_bind_u64(q, row->from_network);
	stmt_bind_text(q, job_task_name(row->job.task));
	stmt_bind_u64(q, row->job.preferred_network);
}

static enum err insert_new(struct store *s, struct node_row *row, const struct secret16 *node_key)
{
	static const char PUT[] =
		"INSERT INTO nodes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
		"?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
	struct stmt_sealed sealed;
	struct stmt q;
	enum err e = stmt_next_rowid(s, "nodes", &row->job.row);

	if (e != ERR_OK)
		return e;
	q = stmt_start(s, PUT);
	stmt_bind_i64(&q, row->job.row);
	bind_row(&q, row, &sealed, node_key);
	return stmt_run(&q, NULL);
}

/* The serial has had a job that is over: its row takes the new one. */
static enum err insert_over(struct store *s, struct node_row *row, const struct secret16 *node_key)
{
	static const char PUT[] =
		"UPDATE nodes SET serial = ?, network_id = ?, node_id = ?, device_type = ?, name = "
		"?, "
		"node_key = ?, handle = ?, timeout_s = ?, only_if_unenrolled = ?, created_at = ?, "
		"created_uid = ?, created_by = ?, state = ?, reason = ?, method = ?, helper = ?, "
		"attempts = ?, silent = ?, refused = ?, code = ?, codes = ?, tries = ?, "
		"next_try_ms = ?, expires_ms = ?, changed_at = ?, nearby = ?, from_network = ?, "
		"task = ?, preferred_network = ? WHERE row = ? AND state IN "
		"('removed', 'unconfirmed', 'failed', 'expired', 'cancelled')";
	struct stmt_sealed sealed;
	struct stmt q = stmt_start(s, PUT);
	enum err e;

	bind_row(&q, row, &sealed, node_key);
	stmt_bind_i64(&q, row->job.row);
	e = stmt_run_one(&q);
	return e == ERR_NOT_FOUND ? ERR_CONFLICT : e;
}

enum err store_nodes_insert(struct store *s, struct node_row *row, const struct secret16 *node_key)
{
	struct node_row old = {0};
	enum err e = store_nodes_get(s, row->job.serial, &old);

	if (e == ERR_NOT_FOUND)
		return insert_new(s, row, node_key);
	if (e != ERR_OK)
		return e;
	row->job.row = old.job.row;
	if (old.job.state != JOB_REMOVED) /* it may still have what was sent to it then */
		row->job.attempts = old.job.attempts;
	return insert_over(s, row, node_key);
}

#define COLUMNS                                                                                    \
	"row, serial, network_id, node_id, device_type, name, handle, timeout_s, "                 \
	"only_if_unenrolled, created_at, created_uid, created_by, state, reason, method, helper, " \
	"attempts, silent, refused, code, codes, tries, next_try_ms, expires_ms, changed_at, "     \
	"nearby, from_network, task, preferred_network "                                           \
	"FROM nodes "

static void note(struct stmt *q, enum err e)
{
	if (q->error == ERR_OK && e != ERR_OK)
		q->error = ERR_IO; /* a word that we never wrote: a damaged database */
}

static void read_words(struct stmt *q, struct job *job)
{
	char word[24];

	stmt_text(q, word, sizeof(word));
	note(q, job_state_parse(word, &job->state));
	stmt_text(q, word, sizeof(word));
	note(q, job_reason_parse(word, &job->reason));
	stmt_text(q, word, sizeof(word));
	note(q, job_method_parse(word, &job->method));
}

static void read_orders(struct stmt *q, struct node_row *out)
{
	char word[24];

	out->nearby = stmt_u64(q) != 0;
	out->from_network = (uint16_t)stmt_u64(q);
	stmt_text(q, word, sizeof(word));
	note(q, job_task_parse(word, &out->job.task));
	out->job.preferred_network = (uint16_t)stmt_u64(q);
	out->job.keyless = out->nearby || out->from_network != 0;
}

static void read_row(struct stmt *q, struct node_row *out)
{
	struct job *job = &out->job;

	*out = (struct node_row){0};
	job->row = stmt_i64(q);
	job->serial = (uint32_t)stmt_u64(q);
	out->network_id = (uint16_t)stmt_u64(q);
	job->node_id = (uint16_t)stmt_u64(q);
	out->device_type = (uint8_t)stmt_u64(q);
	stmt_text(q, out->name, sizeof(out->name));
	job->handle = (uint8_t)stmt_u64(q);
	job->timeout_s = (uint8_t)stmt_u64(q);
	out->only_if_unenrolled = stmt_u64(q) != 0;
	out->created_at = stmt_u64(q);
	out->created_uid = (uint32_t)stmt_u64(q);
	stmt_text(q, out->created_by, sizeof(out->created_by));
	read_words(q, job);
	job->helper = (uint16_t)stmt_u64(q);
	job->attempts = (uint16_t)stmt_u64(q);
	job->silent = (uint8_t)stmt_u64(q);
	job->refused = (uint8_t)stmt_u64(q);
	job->code = (uint8_t)stmt_u64(q);
	job->codes = (uint8_t)stmt_u64(q);
	job->tries = (uint16_t)stmt_u64(q);
	job->next_try_ms = stmt_u64(q);
	job->expires_ms = stmt_u64(q);
	out->changed_at = stmt_u64(q);
	read_orders(q, out);
}

enum err store_nodes_get(struct store *s, uint32_t serial, struct node_row *out)
{
	static const char GET[] = "SELECT " COLUMNS "WHERE serial = ?";
	struct stmt q = stmt_start(s, GET);

	stmt_bind_u64(&q, serial);
	if (stmt_step(&q))
		read_row(&q, out);
	return stmt_end_found(&q);
}

enum err store_nodes_key(struct store *s, int64_t row, struct secret16 *out)
{
	static const char GET[] = "SELECT node_key FROM nodes WHERE row = ?";
	struct stmt q = stmt_start(s, GET);
	enum err e;

	stmt_bind_i64(&q, row);
	if (stmt_step(&q))
		stmt_sealed(&q, NODE_KEY, row, out->b, KEY_BYTES);
	e = stmt_end_found(&q);
	if (e != ERR_OK)
		secret16_wipe(out);
	return e;
}

enum err store_nodes_list(struct store *s, const struct nodes_filter *filter, int64_t after,
	bool (*each)(void *ctx, const struct node_row *row), void *ctx)
{
	static const char LIST[] =
		"SELECT " COLUMNS "WHERE row > ?1 AND (?2 = 0 OR network_id = ?2) "
		"AND (?3 IS NULL OR state = ?3) AND (?4 = 0 OR state NOT IN "
		"('joined', 'removed', 'unconfirmed', 'failed', 'expired', "
		"'cancelled')) ORDER BY row";
	struct stmt q = stmt_start(s, LIST);
	struct node_row row;

	stmt_bind_i64(&q, after);
	stmt_bind_u64(&q, filter->network_id);
	stmt_bind_text(
		&q, filter->state < 0 ? NULL : job_state_name((enum job_state)filter->state));
	stmt_bind_u64(&q, filter->active);
	while (stmt_step(&q)) {
		read_row(&q, &row);
		if (q.error != ERR_OK || !each(ctx, &row))
			break;
	}
	return stmt_end(&q);
}

/* Nothing changed: because the row has moved on, or because of its lifetime? */
static enum err why_unchanged(struct store *s, const struct job *job, enum job_state was)
{
	struct node_row row = {0};
	enum err e = store_nodes_get(s, job->serial, &row);

	if (e != ERR_OK)
		return e;
	return row.job.state == was && job->state == JOB_SENT ? ERR_EXPIRED : ERR_STATE;
}

enum err store_nodes_update(struct store *s, const struct job *job, enum job_state was,
	uint64_t now_ms, uint64_t changed_at)
{
	static const char PUT[] =
		"UPDATE nodes SET state = ?1, reason = ?2, method = ?3, helper = ?4, attempts = "
		"?5, "
		"silent = ?6, refused = ?7, code = ?8, codes = ?9, tries = ?10, next_try_ms = ?11, "
		"expires_ms = ?12, changed_at = ?13, task = ?17, preferred_network = ?18 "
		"WHERE row = ?14 AND state = ?15 AND "
		"(?1 <> 'sent' OR expires_ms > ?16) AND (?1 <> 'expired' OR expires_ms <= ?16)";
	struct stmt q = stmt_start(s, PUT);
	enum err e;

	bind_job(&q, job);
	stmt_bind_u64(&q, changed_at);
	stmt_bind_i64(&q, job->row);
	stmt_bind_text(&q, job_state_name(was));
	stmt_bind_u64(&q, now_ms);
	stmt_bind_text(&q, job_task_name(job->task));
	stmt_bind_u64(&q, job->preferred_network);
	e = stmt_run_one(&q);
	return e == ERR_NOT_FOUND ? why_unchanged(s, job, was) : e;
}
