/* The service's own keys: identity, signed prekeys with their rotation (OP-0006 §5.14, §7.10). */
#include "enroll/service_internal.h"

enum err service_identity_load(struct service *s, const struct clock_now *now)
{
	struct audit a;
	enum err e = keys_identity_get(s->store, &s->identity);

	if (e != ERR_NOT_FOUND)
		return e;
	e = x3dh_keypair_make(s->crypto, &s->identity);
	if (e == ERR_OK)
		e = keys_identity_put(s->store, &s->identity, now->wall_s);
	if (e != ERR_OK)
		return e;
	audit_start(&a, "identity_made", NULL);
	audit_hex(&a, "key", s->identity.pub.b, sizeof(s->identity.pub.b));
	return audit_write(&a, s->store, now->wall_s);
}

enum err service_addr_find(struct service *s, int64_t row, char addr[SERVICE_ADDR_MAX])
{
	if (row != s->addr_row)
		return keys_address_get(s->store, row, addr, SERVICE_ADDR_MAX);
	memcpy(addr, s->addr, sizeof(s->addr));
	return ERR_OK;
}

/* --- signed prekeys --- */

void service_spk_forget(struct service *s)
{
	x3dh_keypair_wipe(&s->spk_new.key);
	x3dh_keypair_wipe(&s->spk_old.key);
	s->spk_new.id = s->spk_old.id = 0;
}

/* The store has changed under what we keep, or may be rolled back to what it was. */
static void spk_changed(struct service *s)
{
	service_spk_forget(s);
	s->spk_changed = true;
}

static enum err sign_spk(struct service *s, struct signed_prekey *spk)
{
	uint8_t z[XEDDSA_Z_BYTES];
	const struct span message = {spk->key.pub.b, sizeof(spk->key.pub.b)};
	enum err e = s->crypto->random(s->crypto->ctx, z, sizeof(z));

	if (e == ERR_OK)
		e = xeddsa_sign(s->crypto, &s->identity.priv, message, z, spk->signature);
	bytes_wipe(z, sizeof(z));
	return e;
}

static enum err make_spk(struct service *s, const struct clock_now *now)
{
	uint64_t now_s = svctime_s(&s->time);
	struct signed_prekey spk = {.made_at = now->wall_s};
	struct audit a;
	enum err e = x3dh_keypair_make(s->crypto, &spk.key);

	spk.retire_s = now_s + s->config.spk_lifetime_s;
	spk.destroy_s = spk.retire_s + SERVICE_SPK_SLACK_S;
	if (e == ERR_OK)
		e = sign_spk(s, &spk);
	if (e == ERR_OK)
		e = keys_spk_put(s->store, &spk);
	if (e == ERR_OK) {
		spk_changed(s);
		audit_start(&a, "signed_prekey_made", NULL);
		audit_u64(&a, "spk", spk.id);
		e = audit_write(&a, s->store, now->wall_s);
	}
	x3dh_keypair_wipe(&spk.key);
	return e;
}

static bool spk_kept(const struct service *s, const struct signed_prekey *spk)
{
	return !s->spk_changed && spk->id != 0;
}

enum err service_spk_current(
	struct service *s, const struct clock_now *now, const struct signed_prekey **out)
{
	uint64_t now_s = service_now(s, now);
	enum err e;

	*out = &s->spk_new;
	if (spk_kept(s, &s->spk_new) && s->spk_new.retire_s > now_s)
		return ERR_OK;
	e = keys_spk_newest(s->store, now_s, &s->spk_new);
	if (e == ERR_NOT_FOUND)
		e = make_spk(s, now);
	else
		return e;
	return e == ERR_OK ? keys_spk_newest(s->store, now_s, &s->spk_new) : e;
}

enum err service_spk_find(struct service *s, uint32_t id, const struct signed_prekey **out)
{
	*out = &s->spk_new;
	if (spk_kept(s, &s->spk_new) && s->spk_new.id == id)
		return ERR_OK;
	*out = &s->spk_old;
	if (spk_kept(s, &s->spk_old) && s->spk_old.id == id)
		return ERR_OK;
	return keys_spk_get(s->store, id, &s->spk_old);
}

/* In whole hours more than asked, so that few of many bundles write the row. */
enum err service_spk_need(struct service *s, uint32_t id, uint64_t until_s)
{
	const struct signed_prekey *spk;
	enum err e = service_spk_find(s, id, &spk);

	until_s += SERVICE_SPK_SLACK_S;
	if (e != ERR_OK || spk->destroy_s >= until_s)
		return e;
	e = keys_spk_need(s->store, id, until_s + SERVICE_SPK_SLACK_S);
	spk_changed(s);
	return e;
}

static enum err destroy_spks(struct service *s, const struct clock_now *now)
{
	size_t destroyed = 0;
	struct audit a;
	enum err e = keys_spk_destroy(s->store, svctime_s(&s->time), &destroyed);

	if (e != ERR_OK || destroyed == 0)
		return e;
	spk_changed(s);
	s->checkpoint_due = true;
	audit_start(&a, "signed_prekey_destroyed", NULL);
	audit_u64(&a, "count", destroyed);
	return audit_write(&a, s->store, now->wall_s);
}

enum err service_spk_tick(struct service *s, const struct clock_now *now)
{
	const struct signed_prekey *spk;
	enum err e = service_spk_current(s, now, &spk);

	return e == ERR_OK ? destroy_spks(s, now) : e;
}
