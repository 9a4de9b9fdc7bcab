/* Rows of identity_keys, signed_prekeys and addresses. */
#include "store/keys.h"

#include "store/stmt.h"

static const char IDENTITY_PRIVATE[] = "identity_keys.private";
static const char SPK_PRIVATE[] = "signed_prekeys.private";

enum err keys_identity_get(struct store *s, struct x3dh_keypair *out)
{
	static const char GET[] = "SELECT id, public, private FROM identity_keys ORDER BY id";
	struct stmt q = stmt_start(s, GET);
	enum err e;

	if (stmt_step(&q)) {
		int64_t id = stmt_i64(&q);

		stmt_bytes(&q, out->pub.b, sizeof(out->pub.b));
		stmt_sealed(&q, IDENTITY_PRIVATE, id, out->priv.b, sizeof(out->priv.b));
	}
	e = stmt_end_found(&q);
	if (e != ERR_OK)
		x3dh_keypair_wipe(out);
	return e;
}

enum err keys_identity_put(struct store *s, const struct x3dh_keypair *key, uint64_t made_at)
{
	/* There is one identity: its row is row 1. */
	static const char PUT[] = "INSERT INTO identity_keys VALUES (1, ?, ?, ?)";
	struct stmt q = stmt_start(s, PUT);
	struct stmt_sealed sealed;

	stmt_bind_bytes(&q, key->pub.b, sizeof(key->pub.b));
	stmt_bind_sealed(
		&q, &sealed, IDENTITY_PRIVATE, 1, (struct span){key->priv.b, sizeof(key->priv.b)});
	stmt_bind_u64(&q, made_at);
	return stmt_run(&q, NULL);
}

enum err keys_spk_put(struct store *s, struct signed_prekey *spk)
{
	static const char PUT[] = "INSERT INTO signed_prekeys VALUES (?, ?, ?, ?, ?, ?, ?)";
	struct stmt_sealed sealed;
	struct stmt q;
	int64_t id;
	enum err e = stmt_next_rowid(s, "signed_prekeys", &id);

	if (e != ERR_OK)
		return e;
	if (id > UINT32_MAX)
		return ERR_RANGE;
	q = stmt_start(s, PUT);
	stmt_bind_i64(&q, id);
	stmt_bind_bytes(&q, spk->key.pub.b, sizeof(spk->key.pub.b));
	stmt_bind_bytes(&q, spk->signature, sizeof(spk->signature));
	stmt_bind_sealed(&q, &sealed, SPK_PRIVATE, id,
		(struct span){spk->key.priv.b, sizeof(spk->key.priv.b)});
	stmt_bind_u64(&q, spk->made_at);
	stmt_bind_u64(&q, spk->retire_s);
	stmt_bind_u64(&q, spk->destroy_s);
	e = stmt_run(&q, NULL);
	if (e == ERR_OK)
		spk->id = (uint32_t)id;
	return e;
}

static enum err read_spk(struct stmt *q, struct signed_prekey *out)
{
	enum err e;

	if (stmt_step(q)) {
		int64_t id = stmt_i64(q);

		out->id = (uint32_t)id;
		stmt_bytes(q, out->key.pub.b, sizeof(out->key.pub.b));
		stmt_bytes(q, out->signature, sizeof(out->signature));
		stmt_sealed(q, SPK_PRIVATE, id, out->key.priv.b, sizeof(out->key.priv.b));
		out->made_at = stmt_u64(q);
		out->retire_s = stmt_u64(q);
		out->destroy_s = stmt_u64(q);
	}
	e = stmt_end_found(q);
	if (e != ERR_OK) {
		out->id = 0;
		x3dh_keypair_wipe(&out->key);
	}
	return e;
}

enum err keys_spk_newest(struct store *s, uint64_t now_s, struct signed_prekey *out)
{
	static const char NEWEST[] = "SELECT * FROM signed_prekeys WHERE retire_s > ? AND private "
				     "IS NOT NULL ORDER BY id DESC LIMIT 1";
	struct stmt q = stmt_start(s, NEWEST);

	stmt_bind_u64(&q, now_s);
	return read_spk(&q, out);
}

enum err keys_spk_get(struct store *s, uint32_t id, struct signed_prekey *out)
{
	static const char GET[] =
		"SELECT * FROM signed_prekeys WHERE id = ? AND private IS NOT NULL";
	struct stmt q = stmt_start(s, GET);

	stmt_bind_u64(&q, id);
	return read_spk(&q, out);
}

enum err keys_spk_need(struct store *s, uint32_t id, uint64_t until_s)
{
	static const char NEED[] = "UPDATE signed_prekeys SET destroy_s = max(destroy_s, ?) "
				   "WHERE id = ? AND private IS NOT NULL";
	struct stmt q = stmt_start(s, NEED);

	stmt_bind_u64(&q, until_s);
	stmt_bind_u64(&q, id);
	return stmt_run_one(&q);
}

enum err keys_spk_destroy(struct store *s, uint64_t now_s, size_t *destroyed)
{
	static const char DESTROY[] =
		"UPDATE signed_prekeys SET private = NULL WHERE private IS NOT NULL AND "
		"retire_s <= ?1 AND destroy_s <= ?1";
	struct stmt q = stmt_start(s, DESTROY);

	stmt_bind_u64(&q, now_s);
	return stmt_run(&q, destroyed);
}

enum err keys_spk_public(struct store *s, uint32_t id, struct public32 *spk, uint8_t signature[64])
{
	static const char GET[] = "SELECT public, signature FROM signed_prekeys WHERE id = ?";
	struct stmt q = stmt_start(s, GET);

	stmt_bind_u64(&q, id);
	if (stmt_step(&q)) {
		stmt_bytes(&q, spk->b, sizeof(spk->b));
		stmt_bytes(&q, signature, XEDDSA_SIGNATURE_BYTES);
	}
	return stmt_end_found(&q);
}

enum err keys_address_row(struct store *s, const char *addr, int64_t *out)
{
	static const char PUT[] = "INSERT INTO addresses (addr) VALUES (?) ON CONFLICT DO NOTHING";
	static const char GET[] = "SELECT id FROM addresses WHERE addr = ?";
	struct stmt q = stmt_start(s, PUT);
	enum err e;

	stmt_bind_text(&q, addr);
	e = stmt_run(&q, NULL);
	if (e != ERR_OK)
		return e;
	q = stmt_start(s, GET);
	stmt_bind_text(&q, addr);
	if (stmt_step(&q))
		*out = stmt_i64(&q);
	return stmt_end_found(&q);
}

enum err keys_address_get(struct store *s, int64_t row, char *addr, size_t cap)
{
	static const char GET[] = "SELECT addr FROM addresses WHERE id = ?";
	struct stmt q = stmt_start(s, GET);

	stmt_bind_i64(&q, row);
	if (stmt_step(&q))
		stmt_text(&q, addr, cap);
	return stmt_end_found(&q);
}
