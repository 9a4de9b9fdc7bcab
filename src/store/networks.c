#include "store/networks.h"

#include "store/stmt.h"

static const char KEYS[] = "networks.keys";

#define KEYS_BYTES sizeof(struct network_keys)

/* The three keys are one sealed value: 48 bytes, network, user base, organization. */
_Static_assert(sizeof(struct network_keys) == 48, "three keys of 16 bytes");

static void bind_serial(struct stmt *q, uint32_t serial)
{
	if (serial == UINT32_MAX)
		stmt_bind_null(q);
	else
		stmt_bind_u64(q, serial);
}

enum err store_networks_insert(
	struct store *s, const struct network_row *row, const struct network_keys *keys)
{
	static const char PUT[] = "INSERT INTO networks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
	struct stmt_sealed sealed;
	struct stmt q;
	int64_t id;
	enum err e = stmt_next_rowid(s, "networks", &id);

	if (e != ERR_OK)
		return e;
	q = stmt_start(s, PUT);
	stmt_bind_i64(&q, id);
	stmt_bind_u64(&q, row->id);
	stmt_bind_text(&q, row->name);
	stmt_bind_sealed(&q, &sealed, KEYS, id, (struct span){(const uint8_t *)keys, KEYS_BYTES});
	stmt_bind_u64(&q, row->first_node_id);
	stmt_bind_u64(&q, row->first_node_id);
	stmt_bind_u64(&q, ASSET_ID_MIN);
	bind_serial(&q, row->gateway_serial);
	stmt_bind_u64(&q, row->created_at);
	return stmt_run(&q, NULL);
}

#define COLUMNS                                                               \
	"row, network_id, name, first_node_id, next_node_id, next_asset_id, " \
	"gateway_serial, created_at FROM networks "

static void read_row(struct stmt *q, struct network_row *out)
{
	out->row = stmt_i64(q);
	out->id = (uint16_t)stmt_u64(q);
	stmt_text(q, out->name, sizeof(out->name));
	out->first_node_id = (uint16_t)stmt_u64(q);
	out->next_node_id = (uint16_t)stmt_u64(q);
	out->next_asset_id = (uint16_t)stmt_u64(q);
	if (stmt_is_null(q)) {
		stmt_skip(q);
		out->gateway_serial = UINT32_MAX;
	} else {
		out->gateway_serial = (uint32_t)stmt_u64(q);
	}
	out->created_at = stmt_u64(q);
}

enum err store_networks_get(struct store *s, uint16_t id, struct network_row *out)
{
	static const char GET[] = "SELECT " COLUMNS "WHERE network_id = ?";
	struct stmt q = stmt_start(s, GET);

	stmt_bind_u64(&q, id);
	if (stmt_step(&q))
		read_row(&q, out);
	return stmt_end_found(&q);
}

enum err store_networks_count(struct store *s, uint16_t id, struct network_counts *out)
{
	static const char COUNT[] = "SELECT count(*), coalesce(sum(state = 'joined'), 0) FROM "
				    "nodes WHERE network_id = ?";
	struct stmt q = stmt_start(s, COUNT);

	stmt_bind_u64(&q, id);
	if (stmt_step(&q)) {
		out->nodes = (uint32_t)stmt_u64(&q);
		out->joined = (uint32_t)stmt_u64(&q);
	}
	return stmt_end_found(&q);
}

enum err store_networks_keys(struct store *s, uint16_t id, struct network_keys *out)
{
	static const char GET[] = "SELECT row, keys FROM networks WHERE network_id = ?";
	struct stmt q = stmt_start(s, GET);
	enum err e;

	stmt_bind_u64(&q, id);
	if (stmt_step(&q)) {
		int64_t row = stmt_i64(&q);

		stmt_sealed(&q, KEYS, row, out, KEYS_BYTES);
	}
	e = stmt_end_found(&q);
	if (e != ERR_OK)
		bytes_wipe(out, sizeof(*out));
	return e;
}

enum err store_networks_list(struct store *s, uint16_t after,
	bool (*each)(void *ctx, const struct network_row *row), void *ctx)
{
	static const char LIST[] = "SELECT " COLUMNS "WHERE network_id > ? ORDER BY network_id";
	struct stmt q = stmt_start(s, LIST);
	struct network_row row;

	stmt_bind_u64(&q, after);
	while (stmt_step(&q)) {
		read_row(&q, &row);
		if (q.error != ERR_OK || !each(ctx, &row))
			break;
	}
	return stmt_end(&q);
}

enum err store_networks_only(struct store *s, uint16_t *id, unsigned *count)
{
	static const char TWO[] = "SELECT network_id FROM networks ORDER BY network_id LIMIT 2";
	struct stmt q = stmt_start(s, TWO);

	for (*count = 0; stmt_step(&q); ++*count)
		*id = (uint16_t)stmt_u64(&q);
	return stmt_end(&q);
}

static enum err delete_where(struct store *s, const char *sql, uint16_t id)
{
	struct stmt q = stmt_start(s, sql);

	stmt_bind_u64(&q, id);
	return stmt_run(&q, NULL);
}

static enum err count_bound(struct store *s, uint16_t id, uint64_t *out)
{
	static const char COUNT[] =
		"SELECT count(*) FROM nodes WHERE network_id = ? AND state NOT IN "
		"('removed', 'unconfirmed', 'failed', 'expired', 'cancelled')";
	struct stmt q = stmt_start(s, COUNT);

	stmt_bind_u64(&q, id);
	if (stmt_step(&q))
		*out = stmt_u64(&q);
	return stmt_end_found(&q);
}

enum err store_networks_delete(struct store *s, uint16_t id)
{
	static const char NODES[] = "DELETE FROM nodes WHERE network_id = ?";
	static const char IDS[] = "DELETE FROM node_ids WHERE network_id = ?";
	static const char NETWORK[] = "DELETE FROM networks WHERE network_id = ?";
	uint64_t bound = 0;
	struct stmt q;
	enum err e = count_bound(s, id, &bound);

	if (e != ERR_OK || bound > 0)
		return e != ERR_OK ? e : ERR_STATE;
	if ((e = delete_where(s, NODES, id)) != ERR_OK || (e = delete_where(s, IDS, id)) != ERR_OK)
		return e;
	q = stmt_start(s, NETWORK);
	stmt_bind_u64(&q, id);
	return stmt_run_one(&q);
}

/* --- the ledger ------------------------------------------------------------------------------ */

static bool is_asset_id(uint16_t node_id)
{
	return node_id >= ASSET_ID_MIN;
}

static enum err ids_find(struct store *s, uint16_t network_id, uint32_t serial, uint16_t *out)
{
	static const char FIND[] =
		"SELECT node_id FROM node_ids WHERE network_id = ? AND serial = ?";
	struct stmt q = stmt_start(s, FIND);

	stmt_bind_u64(&q, network_id);
	stmt_bind_u64(&q, serial);
	if (stmt_step(&q))
		*out = (uint16_t)stmt_u64(&q);
	return stmt_end_found(&q);
}

static enum err ids_put(
	struct store *s, uint16_t network_id, uint16_t node_id, uint32_t serial, uint64_t given_at)
{
	static const char PUT[] = "INSERT INTO node_ids (network_id, node_id, serial, given_at) "
				  "VALUES (?, ?, ?, ?)";
	struct stmt q = stmt_start(s, PUT);

	stmt_bind_u64(&q, network_id);
	stmt_bind_u64(&q, node_id);
	bind_serial(&q, serial);
	stmt_bind_u64(&q, given_at);
	return stmt_run(&q, NULL);
}

static enum err ids_met(struct store *s, uint16_t network_id, uint16_t node_id)
{
	static const char MET[] =
		"UPDATE node_ids SET met = 1 WHERE network_id = ? AND node_id = ? AND met = 0";
	struct stmt q = stmt_start(s, MET);

	stmt_bind_u64(&q, network_id);
	stmt_bind_u64(&q, node_id);
	return stmt_run(&q, NULL);
}

/* The id stays out of use, but is no longer its serial's. */
static enum err ids_orphan(struct store *s, uint16_t network_id, uint16_t node_id)
{
	static const char ORPHAN[] =
		"UPDATE node_ids SET serial = NULL WHERE network_id = ? AND node_id = ?";
	struct stmt q = stmt_start(s, ORPHAN);

	stmt_bind_u64(&q, network_id);
	stmt_bind_u64(&q, node_id);
	return stmt_run_one(&q);
}

/* The first that was never given; an adopted one in its way is stepped over. Those of assets are
 * organisation-wide: no network gives one that another has given. */
static enum err ids_fresh(struct store *s, uint16_t network_id, bool asset, uint16_t *out)
{
	static const char NODE[] =
		"WITH RECURSIVE c (n) AS (SELECT next_node_id FROM networks WHERE network_id = ?1 "
		"UNION ALL SELECT n + 1 FROM c WHERE n <= 1999) SELECT n FROM c WHERE n <= 1999 "
		"AND "
		"NOT EXISTS (SELECT 1 FROM node_ids WHERE network_id = ?1 AND node_id = n) LIMIT 1";
	static const char ASSET[] =
		"WITH RECURSIVE c (n) AS (SELECT max(next_asset_id) FROM networks "
		"UNION ALL SELECT n + 1 FROM c WHERE n <= 57999) SELECT n FROM c WHERE n <= 57999 "
		"AND NOT EXISTS (SELECT 1 FROM node_ids WHERE node_id = n) LIMIT 1";
	struct stmt q = stmt_start(s, asset ? ASSET : NODE);

	if (!asset)
		stmt_bind_u64(&q, network_id);
	if (stmt_step(&q))
		*out = (uint16_t)stmt_u64(&q);
	return stmt_end_found(&q);
}

/* When all have been given once: the lowest that was given back. */
static enum err ids_returned(struct store *s, uint16_t network_id, bool asset, uint16_t *out)
{
	static const char NODE[] =
		"WITH RECURSIVE c (n) AS (SELECT first_node_id FROM networks WHERE network_id = ?1 "
		"UNION ALL SELECT n + 1 FROM c WHERE n < 1999) SELECT n FROM c WHERE NOT EXISTS "
		"(SELECT 1 FROM node_ids WHERE network_id = ?1 AND node_id = n) LIMIT 1";
	static const char ASSET[] =
		"WITH RECURSIVE c (n) AS (VALUES (33000) "
		"UNION ALL SELECT n + 1 FROM c WHERE n < 57999) SELECT n FROM c WHERE NOT EXISTS "
		"(SELECT 1 FROM node_ids WHERE node_id = n) LIMIT 1";
	struct stmt q = stmt_start(s, asset ? ASSET : NODE);

	if (!asset)
		stmt_bind_u64(&q, network_id);
	if (stmt_step(&q))
		*out = (uint16_t)stmt_u64(&q);
	return stmt_end_found(&q);
}

static enum err ids_advance(struct store *s, uint16_t network_id, bool asset, uint16_t given)
{
	static const char NODE[] =
		"UPDATE networks SET next_node_id = max(next_node_id, ?) WHERE network_id = ?";
	static const char ASSET[] =
		"UPDATE networks SET next_asset_id = max(next_asset_id, ?) WHERE network_id = ?";
	struct stmt q = stmt_start(s, asset ? ASSET : NODE);

	stmt_bind_u64(&q, (uint64_t)given + 1);
	stmt_bind_u64(&q, network_id);
	return stmt_run_one(&q);
}

enum err store_ids_reserve(struct store *s, uint16_t network_id, uint32_t serial, bool asset,
	uint64_t given_at, uint16_t *out)
{
	struct network_row row;
	enum err e = store_networks_get(s, network_id, &row);

	if (e != ERR_OK)
		return e;
	e = ids_find(s, network_id, serial, out);
	if (e == ERR_OK && is_asset_id(*out) == asset)
		return ERR_OK;
	if (e == ERR_OK)
		e = ids_orphan(s, network_id, *out);
	if (e != ERR_OK && e != ERR_NOT_FOUND)
		return e;
	e = ids_fresh(s, network_id, asset, out);
	if (e == ERR_NOT_FOUND)
		e = ids_returned(s, network_id, asset, out);
	if (e != ERR_OK)
		return e == ERR_NOT_FOUND ? ERR_STATE : e;
	e = ids_advance(s, network_id, asset, *out);
	return e != ERR_OK ? e : ids_put(s, network_id, *out, serial, given_at);
}

static enum err ids_owner(struct store *s, uint16_t network_id, uint16_t node_id, uint32_t *out)
{
	static const char FIND[] =
		"SELECT serial FROM node_ids WHERE network_id = ? AND node_id = ?";
	struct stmt q = stmt_start(s, FIND);

	stmt_bind_u64(&q, network_id);
	stmt_bind_u64(&q, node_id);
	if (stmt_step(&q))
		*out = stmt_is_null(&q) ? UINT32_MAX : (uint32_t)stmt_u64(&q);
	return stmt_end_found(&q);
}

/* Ids of assets are organisation-wide: ERR_CONFLICT when it is another serial's anywhere. */
static enum err ids_elsewhere(struct store *s, uint16_t node_id, uint32_t serial)
{
	static const char FIND[] =
		"SELECT 1 FROM node_ids WHERE node_id = ? AND serial IS NOT ? LIMIT 1";
	struct stmt q;
	enum err e;

	if (!is_asset_id(node_id))
		return ERR_OK;
	q = stmt_start(s, FIND);
	stmt_bind_u64(&q, node_id);
	stmt_bind_u64(&q, serial);
	(void)stmt_step(&q);
	e = stmt_end_found(&q);
	return e == ERR_OK ? ERR_CONFLICT : e == ERR_NOT_FOUND ? ERR_OK : e;
}

enum err store_ids_take(
	struct store *s, uint16_t network_id, uint16_t node_id, uint32_t serial, uint64_t given_at)
{
	uint32_t owner = UINT32_MAX;
	uint16_t other = 0;
	enum err e = ids_owner(s, network_id, node_id, &owner);

	if (e == ERR_OK)
		return owner == serial ? ERR_OK : ERR_CONFLICT;
	if (e == ERR_NOT_FOUND && (e = ids_elsewhere(s, node_id, serial)) == ERR_OK)
		e = ids_find(s, network_id, serial, &other);
	if (e == ERR_OK)
		e = ids_orphan(s, network_id, other);
	if (e != ERR_OK && e != ERR_NOT_FOUND)
		return e;
	return ids_put(s, network_id, node_id, serial, given_at);
}

enum err store_ids_adopt(
	struct store *s, uint16_t network_id, uint16_t node_id, uint32_t serial, uint64_t given_at)
{
	uint32_t owner = UINT32_MAX;
	uint16_t other;
	enum err e = ids_owner(s, network_id, node_id, &owner);

	if (e == ERR_OK && owner != serial && owner != UINT32_MAX)
		return ERR_CONFLICT;
	if (e == ERR_NOT_FOUND) {
		if (serial != UINT32_MAX && ids_find(s, network_id, serial, &other) == ERR_OK)
			serial = UINT32_MAX; /* promised another id: keep both out of use */
		e = ids_put(s, network_id, node_id, serial, given_at);
	}
	return e == ERR_OK ? ids_met(s, network_id, node_id) : e;
}

static enum err ids_drop(
	struct store *s, const char *sql, uint16_t network_id, uint16_t node_id, uint32_t serial)
{
	struct stmt q = stmt_start(s, sql);

	stmt_bind_u64(&q, network_id);
	stmt_bind_u64(&q, node_id);
	stmt_bind_u64(&q, serial);
	return stmt_run(&q, NULL);
}

enum err store_ids_free(struct store *s, uint16_t network_id, uint16_t node_id, uint32_t serial)
{
	static const char FREE[] =
		"DELETE FROM node_ids WHERE network_id = ? AND node_id = ? AND serial = ?";

	return ids_drop(s, FREE, network_id, node_id, serial);
}

enum err store_ids_return(struct store *s, uint16_t network_id, uint16_t node_id, uint32_t serial)
{
	static const char RETURN[] = "DELETE FROM node_ids WHERE network_id = ? AND node_id = ? "
				     "AND serial = ? AND met = 0";

	return ids_drop(s, RETURN, network_id, node_id, serial);
}
