/* Rows of service_time. */
#include "store/times.h"

#include "store/stmt.h"

enum err times_get(struct store *s, struct svctime *out)
{
	static const char GET[] = "SELECT service_ms, boot_ms, wall_s, boot_id FROM service_time";
	struct stmt q = stmt_start(s, GET);

	*out = (struct svctime){0};
	if (stmt_step(&q)) {
		out->service_ms = stmt_u64(&q);
		out->boot_ms = stmt_u64(&q);
		out->wall_s = stmt_u64(&q);
		stmt_bytes(&q, out->boot_id, sizeof(out->boot_id));
	}
	return stmt_end(&q);
}

enum err times_put(struct store *s, const struct svctime *t)
{
	/* Never back: what was decided at a moment stays decided. */
	static const char PUT[] =
		"INSERT INTO service_time VALUES (1, ?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET "
		"service_ms = max(service_ms, ?1), boot_ms = ?2, wall_s = ?3, boot_id = ?4";
	struct stmt q = stmt_start(s, PUT);

	stmt_bind_u64(&q, t->service_ms);
	stmt_bind_u64(&q, t->boot_ms);
	stmt_bind_u64(&q, t->wall_s);
	stmt_bind_bytes(&q, t->boot_id, sizeof(t->boot_id));
	return stmt_run(&q, NULL);
}
