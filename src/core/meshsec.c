/* The MeshAccess session: who may say what when, and when the cipher is on (mesh-protocol §3). */
#include "core/meshsec_crypt.h"

#include "enr/meshmsg.h"

#define START_BYTES 11
#define NONCE_MESSAGE_BYTES 13 /* ANONCE, SNONCE */
#define DONE_BYTES 6
#define START_VERSION 1
#define TUNNEL_MASK 3
#define FRAGMENT_HEADER 2
#define FRAGMENT_DATA (MESHSEC_PLAIN_MAX - FRAGMENT_HEADER)

void meshsec_init(
	struct meshsec *s, const struct aes128 *aes, enum meshsec_role role, uint16_t own_id)
{
	*s = (struct meshsec){.aes = aes, .role = role, .own_id = own_id};
}

void meshsec_clear(struct meshsec *s)
{
	bytes_wipe(s, sizeof(*s));
}

/* Forgets keys and half messages; what remains is who the two are. */
static void session_drop(struct meshsec *s, enum meshsec_state state)
{
	secret16_wipe(&s->ltk);
	bytes_wipe(s->nonce, sizeof(s->nonce));
	bytes_wipe(&s->tx, sizeof(s->tx));
	bytes_wipe(&s->rx, sizeof(s->rx));
	bytes_wipe(s->in, sizeof(s->in));
	bytes_wipe(s->out, sizeof(s->out));
	s->in_bytes = s->out_bytes = s->out_done_bytes = 0;
	s->in_skips = false;
	s->state = state;
}

static void close_for(struct meshsec *s, enum meshsec_reason reason, struct meshsec_event *event)
{
	session_drop(s, MESHSEC_CLOSED);
	event->type = MESHSEC_EVENT_CLOSE;
	event->reason = reason;
}

/* A packet that does not belong here: fatal in a first handshake, stray after DEAD (§3.7). */
static void unexpected(struct meshsec *s, struct meshsec_event *event)
{
	if (!s->is_again)
		close_for(s, MESHSEC_REASON_INVALID_HANDSHAKE_PACKET, event);
}

static bool key_id_is_usable(uint32_t key_id)
{
	return key_id == MESHSEC_KEY_ZERO || key_id == MESHSEC_KEY_NODE ||
	       key_id == MESHSEC_KEY_NETWORK || key_id == MESHSEC_KEY_ORGANIZATION ||
	       key_id == MESHSEC_KEY_RESTRAINED ||
	       (key_id >= MESHSEC_KEY_USER_FIRST && key_id <= MESHSEC_KEY_USER_LAST);
}

/* §11.1: the keys of nodes that nobody has set up open nothing. */
static bool ltk_is_usable(const struct secret16 *ltk, uint32_t key_id)
{
	if (bytes_are_ct(ltk->b, sizeof(ltk->b), 0xFF))
		return false;
	return key_id == MESHSEC_KEY_ZERO || !secret16_is_unset(ltk);
}

enum meshsec_tunnel meshsec_tunnel_mirror(enum meshsec_tunnel tunnel)
{
	switch (tunnel) {
	case MESHSEC_TUNNEL_REMOTE_MESH:
		return MESHSEC_TUNNEL_LOCAL_MESH;
	case MESHSEC_TUNNEL_LOCAL_MESH:
		return MESHSEC_TUNNEL_REMOTE_MESH;
	case MESHSEC_TUNNEL_PEER:
		break;
	}
	return MESHSEC_TUNNEL_PEER;
}

/* --- handshake, in the order of the picture in the header ---------------------------------- */

static void put_header(struct wr *w, uint8_t type, uint16_t sender, uint16_t receiver)
{
	wr_u8(w, type);
	wr_u16(w, sender);
	wr_u16(w, receiver);
}

enum err meshsec_start(struct meshsec *s, uint32_t key_id, enum meshsec_tunnel tunnel,
	const struct secret16 *ltk, const uint8_t snonce[MESHSEC_NONCE_BYTES],
	struct meshsec_pdu *pdu)
{
	struct wr w = wr_init(pdu->b, sizeof(pdu->b));

	pdu->len = 0;
	if (s->role != MESHSEC_CENTRAL || s->state != MESHSEC_IDLE)
		return ERR_STATE;
	if (s->own_id == 0 || !key_id_is_usable(key_id) || tunnel > MESHSEC_TUNNEL_LOCAL_MESH)
		return ERR_RANGE;
	if (!ltk_is_usable(ltk, key_id))
		return ERR_KEY;
	s->key_id = key_id;
	s->tunnel = tunnel;
	s->ltk = *ltk;
	memcpy(s->nonce, snonce, sizeof(s->nonce));
	s->state = MESHSEC_STARTED;
	put_header(&w, MESHMSG_TYPE_ENCRYPT_START, s->own_id, MESHMSG_BROADCAST);
	wr_u8(&w, START_VERSION);
	wr_u32(&w, key_id);
	wr_u8(&w, (uint8_t)tunnel);
	pdu->len = (uint8_t)w.len_bytes;
	return wr_end(&w);
}

static void on_start(struct meshsec *s, const uint8_t *p, size_t n, struct meshsec_event *event)
{
	struct rd r = rd_init(p, n);
	uint8_t type = rd_u8(&r), bits;

	if (n != START_BYTES || type != MESHMSG_TYPE_ENCRYPT_START) {
		unexpected(s, event);
		return;
	}
	s->partner_id = rd_u16(&r);
	(void)rd_u16(&r); /* receiver: not checked (§3.2) */
	(void)rd_u8(&r);  /* version: not checked */
	s->key_id = rd_u32(&r);
	bits = rd_u8(&r) & TUNNEL_MASK;
	if (s->partner_id == 0) {
		close_for(s, MESHSEC_REASON_WRONG_PARTNER_ID, event);
	} else if (bits > MESHSEC_TUNNEL_LOCAL_MESH) {
		close_for(s, MESHSEC_REASON_ILLEGAL_TUNNEL, event);
	} else if (!key_id_is_usable(s->key_id)) {
		close_for(s, MESHSEC_REASON_INVALID_KEY, event);
	} else {
		s->tunnel = (enum meshsec_tunnel)bits;
		s->state = MESHSEC_ASKED;
		event->type = MESHSEC_EVENT_START;
		event->central_id = s->partner_id;
		event->key_id = s->key_id;
		event->tunnel = s->tunnel;
	}
}

enum err meshsec_accept(struct meshsec *s, const struct secret16 *ltk,
	const uint8_t anonce[MESHSEC_NONCE_BYTES], struct meshsec_pdu *pdu)
{
	struct wr w = wr_init(pdu->b, sizeof(pdu->b));
	enum err e;

	pdu->len = 0;
	if (s->state != MESHSEC_ASKED)
		return ERR_STATE;
	e = ltk_is_usable(ltk, s->key_id)
		    ? meshsec_crypt_dir(s->aes, ltk, s->partner_id, anonce, &s->rx)
		    : ERR_KEY;
	if (e) {
		session_drop(s, MESHSEC_CLOSED);
		return e;
	}
	s->ltk = *ltk;
	s->state = MESHSEC_CHALLENGED;
	put_header(&w, MESHMSG_TYPE_ENCRYPT_ANONCE, s->own_id, s->partner_id);
	wr_bytes(&w, anonce, MESHSEC_NONCE_BYTES);
	pdu->len = (uint8_t)w.len_bytes;
	return wr_end(&w);
}

/* Both directions of the central are known as soon as it has the anonce. */
static enum err central_keys(struct meshsec *s, const uint8_t *anonce)
{
	enum err e = meshsec_crypt_dir(s->aes, &s->ltk, s->own_id, anonce, &s->tx);

	return e ? e : meshsec_crypt_dir(s->aes, &s->ltk, s->own_id, s->nonce, &s->rx);
}

static void on_anonce(struct meshsec *s, const uint8_t *p, size_t n, struct meshsec_event *event)
{
	uint8_t snonce[NONCE_MESSAGE_BYTES];
	struct wr w = wr_init(snonce, sizeof(snonce));
	struct rd r = rd_init(p, n);

	if (n != NONCE_MESSAGE_BYTES || rd_u8(&r) != MESHMSG_TYPE_ENCRYPT_ANONCE) {
		unexpected(s, event);
		return;
	}
	s->partner_id = rd_u16(&r);
	(void)rd_u16(&r); /* receiver: not checked */
	put_header(&w, MESHMSG_TYPE_ENCRYPT_SNONCE, s->own_id, s->partner_id);
	wr_bytes(&w, s->nonce, sizeof(s->nonce));
	if (central_keys(s, rd_view(&r, MESHSEC_NONCE_BYTES)) ||
		meshsec_crypt_seal(s->aes, &s->tx, snonce, w.len_bytes, &event->pdu)) {
		close_for(s, MESHSEC_REASON_UNKNOWN, event);
		return;
	}
	secret16_wipe(&s->ltk);
	bytes_wipe(s->nonce, sizeof(s->nonce));
	s->state = MESHSEC_PROVING;
	event->type = MESHSEC_EVENT_SEND;
}

static enum err make_done(struct meshsec *s, struct meshsec_pdu *pdu)
{
	uint8_t done[DONE_BYTES];
	struct wr w = wr_init(done, sizeof(done));

	put_header(&w, MESHMSG_TYPE_ENCRYPT_DONE, s->own_id, s->partner_id);
	wr_u8(&w, 0); /* status: success, the only one */
	return meshsec_crypt_seal(s->aes, &s->tx, done, w.len_bytes, pdu);
}

static void on_snonce(struct meshsec *s, const uint8_t *p, size_t n, struct meshsec_event *event)
{
	uint8_t plain[MESHSEC_PLAIN_MAX];
	size_t len = 0;
	enum err e = meshsec_crypt_open(s->aes, &s->rx, p, n, plain, &len);

	if (!e && (len != NONCE_MESSAGE_BYTES || plain[0] != MESHMSG_TYPE_ENCRYPT_SNONCE))
		e = ERR_AUTH;
	if (!e)
		e = meshsec_crypt_dir(
			s->aes, &s->ltk, s->partner_id, plain + MESHMSG_HEADER_BYTES, &s->tx);
	if (!e)
		e = make_done(s, &event->pdu);
	bytes_wipe(plain, sizeof(plain));
	if (e) {
		close_for(s,
			e == ERR_AUTH ? MESHSEC_REASON_INVALID_HANDSHAKE_PACKET
				      : MESHSEC_REASON_UNKNOWN,
			event);
		return;
	}
	secret16_wipe(&s->ltk);
	s->is_again = false;
	s->state = MESHSEC_OPEN;
	event->type = MESHSEC_EVENT_READY;
}

static bool is_dead_data(const uint8_t *p, size_t n)
{
	struct meshmsg m;

	return n == MESHMSG_DEAD_DATA_BYTES && meshmsg_decode(p, n, &m) == ERR_OK &&
	       meshmsg_decode_dead_data(&m) == ERR_OK;
}

/* Back to clear text; the next START may come (§3.7). */
static void on_dead(struct meshsec *s, struct meshsec_event *event)
{
	session_drop(s, MESHSEC_IDLE);
	s->is_again = true;
	event->type = MESHSEC_EVENT_DEAD;
}

static void on_done(struct meshsec *s, const uint8_t *p, size_t n, struct meshsec_event *event)
{
	uint8_t plain[MESHSEC_PLAIN_MAX];
	size_t len = 0;
	enum err e = meshsec_crypt_open(s->aes, &s->rx, p, n, plain, &len);

	if (e == ERR_AUTH && is_dead_data(p, n)) {
		on_dead(s, event);
		return;
	}
	if (!e && (len != DONE_BYTES || plain[0] != MESHMSG_TYPE_ENCRYPT_DONE ||
			  plain[MESHMSG_HEADER_BYTES] != 0))
		e = ERR_AUTH;
	if (e) {
		close_for(s,
			e == ERR_AUTH ? MESHSEC_REASON_INVALID_HANDSHAKE_PACKET
				      : MESHSEC_REASON_UNKNOWN,
			event);
		return;
	}
	s->is_again = false;
	s->state = MESHSEC_OPEN;
	event->type = MESHSEC_EVENT_READY;
}

/* --- messages ------------------------------------------------------------------------------ */

static void message_drop(struct meshsec *s)
{
	s->dropped_count++;
	s->in_bytes = 0;
	s->in_skips = true;
}

static void message_out(struct meshsec *s, struct meshsec_event *event)
{
	event->type = MESHSEC_EVENT_MESSAGE;
	event->message = (struct span){s->in, s->in_bytes};
	s->in_bytes = 0;
}

static void on_whole(struct meshsec *s, const uint8_t *p, size_t n, struct meshsec_event *event)
{
	if (s->in_bytes > 0)
		message_drop(s);
	s->in_skips = false;
	memcpy(s->in, p, n);
	s->in_bytes = n;
	message_out(s, event);
}

/* §1.6, stricter in one point: a repeated fragment drops the message, too. */
static void on_fragment(struct meshsec *s, const uint8_t *p, size_t n, struct meshsec_event *event)
{
	bool is_last = p[0] == MESHMSG_TYPE_SPLIT_END;
	size_t offset = n > 1 ? (size_t)p[1] * FRAGMENT_DATA : 0;

	if (n > 1 && p[1] == 0) {
		if (s->in_bytes > 0)
			message_drop(s);
		s->in_skips = false;
	}
	if (s->in_skips)
		return;
	if (n <= FRAGMENT_HEADER || (!is_last && n != MESHSEC_PLAIN_MAX) || offset != s->in_bytes ||
		n - FRAGMENT_HEADER > sizeof(s->in) - s->in_bytes) {
		message_drop(s);
		return;
	}
	memcpy(s->in + s->in_bytes, p + FRAGMENT_HEADER, n - FRAGMENT_HEADER);
	s->in_bytes += n - FRAGMENT_HEADER;
	if (is_last)
		message_out(s, event);
}

static bool is_split_type(uint8_t type)
{
	return type == MESHMSG_TYPE_SPLIT || type == MESHMSG_TYPE_SPLIT_END;
}

static void on_corrupt(struct meshsec *s, struct meshsec_event *event)
{
	struct wr w = wr_init(event->pdu.b, sizeof(event->pdu.b));

	on_dead(s, event);
	event->type = MESHSEC_EVENT_CORRUPT;
	if (meshmsg_encode_dead_data(&w, s->own_id, s->partner_id) == ERR_OK)
		event->pdu.len = (uint8_t)w.len_bytes;
}

static void on_packet(struct meshsec *s, const uint8_t *p, size_t n, struct meshsec_event *event)
{
	uint8_t plain[MESHSEC_PLAIN_MAX];
	size_t len = 0;
	enum err e = meshsec_crypt_open(s->aes, &s->rx, p, n, plain, &len);

	if (e == ERR_AUTH && is_dead_data(p, n))
		on_dead(s, event);
	else if (e == ERR_AUTH)
		on_corrupt(s, event);
	else if (e)
		close_for(s, MESHSEC_REASON_UNKNOWN, event);
	else if (is_split_type(plain[0]))
		on_fragment(s, plain, len, event);
	else
		on_whole(s, plain, len, event);
	bytes_wipe(plain, sizeof(plain));
}

void meshsec_receive(struct meshsec *s, const void *bytes, size_t n, struct meshsec_event *event)
{
	*event = (struct meshsec_event){.type = MESHSEC_EVENT_NONE};
	switch (s->state) {
	case MESHSEC_IDLE:
		if (s->role == MESHSEC_PERIPHERAL)
			on_start(s, bytes, n, event);
		break;
	case MESHSEC_STARTED:
		on_anonce(s, bytes, n, event);
		break;
	case MESHSEC_CHALLENGED:
		on_snonce(s, bytes, n, event);
		break;
	case MESHSEC_PROVING:
		on_done(s, bytes, n, event);
		break;
	case MESHSEC_OPEN:
		on_packet(s, bytes, n, event);
		break;
	case MESHSEC_ASKED:
	case MESHSEC_CLOSED:
		break;
	}
}

void meshsec_forget_message(struct meshsec *s)
{
	if (s->in_bytes == 0)
		bytes_wipe(s->in, sizeof(s->in));
}

enum err meshsec_send_begin(struct meshsec *s, const void *message, size_t n)
{
	const uint8_t *p = message;

	if (s->state != MESHSEC_OPEN)
		return ERR_STATE;
	if (meshsec_is_sending(s))
		return ERR_BUSY;
	if (n == 0 || n > MESHSEC_MSG_MAX)
		return ERR_RANGE;
	if (is_split_type(p[0]))
		return ERR_INVALID;
	memcpy(s->out, p, n);
	s->out_bytes = n;
	s->out_done_bytes = 0;
	return ERR_OK;
}

bool meshsec_is_sending(const struct meshsec *s)
{
	return s->out_done_bytes < s->out_bytes;
}

/* The next plaintext packet of the message; returns how many bytes of the message are in it. */
static size_t next_plain(const struct meshsec *s, uint8_t plain[MESHSEC_PLAIN_MAX], size_t *len)
{
	size_t left = s->out_bytes - s->out_done_bytes;
	size_t data = left < FRAGMENT_DATA ? left : FRAGMENT_DATA;
	size_t header = FRAGMENT_HEADER;

	if (s->out_bytes <= MESHSEC_PLAIN_MAX) {
		data = left;
		header = 0;
	} else {
		plain[0] = left > FRAGMENT_DATA ? MESHMSG_TYPE_SPLIT : MESHMSG_TYPE_SPLIT_END;
		plain[1] = (uint8_t)(s->out_done_bytes / FRAGMENT_DATA);
	}
	memcpy(plain + header, s->out + s->out_done_bytes, data);
	*len = header + data;
	return data;
}

enum err meshsec_send_next(struct meshsec *s, struct meshsec_pdu *pdu)
{
	uint8_t plain[MESHSEC_PLAIN_MAX];
	size_t len, data;
	enum err e;

	pdu->len = 0;
	if (!meshsec_is_sending(s))
		return ERR_NOT_FOUND;
	data = next_plain(s, plain, &len);
	e = meshsec_crypt_seal(s->aes, &s->tx, plain, len, pdu);
	bytes_wipe(plain, sizeof(plain));
	if (e)
		return e;
	s->out_done_bytes += data;
	if (!meshsec_is_sending(s)) {
		bytes_wipe(s->out, sizeof(s->out));
		s->out_bytes = s->out_done_bytes = 0;
	}
	return ERR_OK;
}

enum err meshsec_user_key(
	const struct aes128 *aes, const struct secret16 *base, uint32_t n, struct secret16 *out)
{
	if (n < MESHSEC_KEY_USER_FIRST || n > MESHSEC_KEY_USER_LAST)
		return ERR_RANGE;
	if (secret16_is_unset(base))
		return ERR_KEY;
	return meshsec_crypt_user(aes, base, n, out);
}

enum err meshsec_restrained_key(
	const struct aes128 *aes, const struct secret16 *node_key, struct secret16 *out)
{
	if (secret16_is_unset(node_key))
		return ERR_KEY;
	return meshsec_crypt_restrained(aes, node_key, out);
}
