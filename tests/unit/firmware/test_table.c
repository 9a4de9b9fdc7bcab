/*
 * All 256 message types x 256 actions x modules, over MeshAccess, with each kind of key: a message
 * that is in the table below does something, any other changes not a bit of the node and its flash,
 * is not answered, and moves nothing on the board.
 */
#include <stddef.h>
#include <stdio.h>

#include "core/meshsec_crypt.h"
#include "support/fake_port.h"
#include "unit/suite.h"

#define LINK 3
#define APP_ID 32000
#define UNKNOWN_MODULE 77

static const uint8_t modules[] = {0, 3, 5, 10, UNKNOWN_MODULE, MESHMSG_VENDOR_PREFIX};

/* --- who may do what -------------------------------------------------------------------------- */

enum {
	Z = 1 << 0,  /* ZERO, unenrolled */
	UN = 1 << 1, /* NODE, unenrolled */
	UR = 1 << 2, /* RESTRAINED, unenrolled */
	N = 1 << 3,  /* the rest: enrolled */
	W = 1 << 4,  /* NETWORK */
	O = 1 << 5,  /* ORGANIZATION */
	R = 1 << 6,  /* RESTRAINED */
	U = 1 << 7   /* USER */
};

static const struct session {
	int who;
	bool enrolled;
	uint32_t key_id;
} sessions[] = {
	{Z, false, MESHSEC_KEY_ZERO},
	{UN, false, MESHSEC_KEY_NODE},
	{UR, false, MESHSEC_KEY_RESTRAINED},
	{N, true, MESHSEC_KEY_NODE},
	{W, true, MESHSEC_KEY_NETWORK},
	{O, true, MESHSEC_KEY_ORGANIZATION},
	{R, true, MESHSEC_KEY_RESTRAINED},
	{U, true, MESHSEC_KEY_USER_FIRST},
};

#define ENROLLERS (Z | UN | UR | N | W)
#define OWNERS (UN | N | W)

static const struct row {
	uint8_t type, module, action;
	int who;
} table[] = {
	{MESHMSG_TYPE_TRIGGER, 5, 0, ENROLLERS},    /* SET_ENROLLMENT_BY_SERIAL */
	{MESHMSG_TYPE_TRIGGER, 5, 1, ENROLLERS},    /* REMOVE_ENROLLMENT */
	{MESHMSG_TYPE_TRIGGER, 5, 3, ENROLLERS},    /* SET_NETWORK */
	{MESHMSG_TYPE_TRIGGER, 5, 4, ENROLLERS},    /* REQUEST_PROPOSALS */
	{MESHMSG_TYPE_TRIGGER, 0, 0, OWNERS},       /* SET_DISCOVERY */
	{MESHMSG_TYPE_TRIGGER, 0, 1, OWNERS},       /* RESET_NODE */
	{MESHMSG_TYPE_TRIGGER, 0, 3, OWNERS},       /* PING */
	{MESHMSG_TYPE_TRIGGER, 0, 7, OWNERS},       /* SET_ENROLLED_NODES */
	{MESHMSG_TYPE_TRIGGER, 0, 8, OWNERS},       /* GET_TIME */
	{MESHMSG_TYPE_TRIGGER, 3, 1, OWNERS | O},   /* GET_STATUS */
	{MESHMSG_TYPE_TRIGGER, 3, 3, OWNERS},       /* GET_ALL_CONNECTIONS */
	{MESHMSG_TYPE_TRIGGER, 3, 4, OWNERS},       /* GET_NEARBY_NODES */
	{MESHMSG_TYPE_TRIGGER, 3, 5, OWNERS | O},   /* SET_INITIALIZED */
	{MESHMSG_TYPE_TRIGGER, 3, 10, OWNERS | O},  /* GET_DEVICE_INFO_V2 */
	{MESHMSG_TYPE_TRIGGER, 10, 0, OWNERS},      /* MA_CONNECT */
	{MESHMSG_TYPE_TRIGGER, 10, 1, OWNERS},      /* MA_DISCONNECT */
	{MESHMSG_TYPE_TRIGGER, 10, 2, OWNERS},      /* SERIAL_CONNECT */
	{MESHMSG_TYPE_MODULE_CONFIG, 0, 6, OWNERS}, /* GET_MODULE_LIST */
	{MESHMSG_TYPE_MODULE_CONFIG, 3, 6, OWNERS},
	{MESHMSG_TYPE_MODULE_CONFIG, 5, 6, OWNERS},
	{MESHMSG_TYPE_MODULE_CONFIG, 10, 6, OWNERS},
	{MESHMSG_TYPE_MODULE_CONFIG, UNKNOWN_MODULE, 6, OWNERS},
	{MESHMSG_TYPE_MODULE_CONFIG, MESHMSG_VENDOR_PREFIX, 6, OWNERS},
};

static bool may(int who, uint8_t type, uint8_t module, uint8_t action)
{
	if (type == MESHMSG_TYPE_UPDATE_TIMESTAMP) /* no module, no action */
		return (OWNERS & who) != 0;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].type == type && table[i].module == module && table[i].action == action)
			return (table[i].who & who) != 0;
	return false;
}

/* --- a session, with a cipher that costs nothing -------------------------------------------------
 */

static enum err cheap_cipher(
	void *ctx, const struct secret16 *key, const uint8_t in[16], uint8_t out[16])
{
	uint8_t b[16];

	(void)ctx;
	for (size_t i = 0; i < 16; i++)
		b[i] = (uint8_t)(in[i] ^ key->b[i] ^ (i * 7 + 1));
	memcpy(out, b, 16);
	return ERR_OK;
}

static const struct aes128 cipher = {NULL, cheap_cipher};

struct bench {
	struct fake_port f;
	struct meshsec app;
};

static struct secret16 key_for(const struct node *n, uint32_t key_id)
{
	struct secret16 key = {{0}};
	enum err e = ERR_OK;

	switch (key_id) {
	case MESHSEC_KEY_ZERO:
		return key;
	case MESHSEC_KEY_NODE:
		return n->id.node_key;
	case MESHSEC_KEY_NETWORK:
		return n->config.network_key;
	case MESHSEC_KEY_ORGANIZATION:
		return n->config.organization_key;
	case MESHSEC_KEY_RESTRAINED:
		e = meshsec_restrained_key(&cipher, &n->id.node_key, &key);
		break;
	default:
		e = meshsec_user_key(&cipher, &n->config.user_base_key, key_id, &key);
	}
	ck_assert_int_eq(e, ERR_OK);
	return key;
}

static void put(struct bench *b, const struct meshsec_pdu *pdu)
{
	b->f.out_count = 0;
	node_on_pdu(&b->f.node, b->f.now_ms, LINK, pdu->b, pdu->len);
}

static void open_session(struct bench *b, uint32_t key_id)
{
	const uint8_t snonce[MESHSEC_NONCE_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8};
	struct secret16 ltk = key_for(&b->f.node, key_id);
	struct meshsec_event ev;
	struct meshsec_pdu pdu;

	fake_connect(&b->f, LINK);
	meshsec_init(&b->app, &cipher, MESHSEC_CENTRAL, APP_ID);
	ck_assert_int_eq(
		meshsec_start(&b->app, key_id, MESHSEC_TUNNEL_REMOTE_MESH, &ltk, snonce, &pdu),
		ERR_OK);
	put(b, &pdu);
	ck_assert_uint_eq(b->f.out_count, 1);
	meshsec_receive(&b->app, b->f.out[0].b, b->f.out[0].n, &ev);
	ck_assert_int_eq(ev.type, MESHSEC_EVENT_SEND);
	put(b, &ev.pdu);
	ck_assert_uint_ge(b->f.out_count, 1);
	meshsec_receive(&b->app, b->f.out[0].b, b->f.out[0].n, &ev);
	ck_assert_int_eq(ev.type, MESHSEC_EVENT_READY);
	ck_assert_int_eq(b->f.node.access.links[0].state, ACCESS_OPEN);
}

static void set_up(struct bench *b, const struct session *s)
{
	fake_init(&b->f);
	b->f.port.aes = cipher;
	b->f.features.allow_unsecure = true;
	if (s->enrolled) {
		b->f.node.config.enrolled = true;
		b->f.node.config.node_id = 77;
		b->f.node.config.network_id = 480;
		memset(b->f.node.config.network_key.b, 0x10, 16);
		memset(b->f.node.config.user_base_key.b, 0x22, 16);
		memset(b->f.node.config.organization_key.b, 0x33, 16);
	}
	open_session(b, s->key_id);
}

/* --- one message ------------------------------------------------------------------------------ */

#define MAKE_MAX 64

static const uint8_t peer[PORT_ADDRESS_BYTES] = {1, 2, 3, 4, 5, 6, 0xC7}; /* fake_connect's */

/* MA_CONNECT to somebody, MA_DISCONNECT of whoever says it, SERIAL_CONNECT with a key. */
static void put_order(struct wr *w, uint8_t action)
{
	if (action == 2)
		wr_u32(w, FAKE_SERIAL + 1);
	if (action == 0 || action == 1)
		wr_bytes(w, peer, action == 1 ? sizeof(peer) : sizeof(peer) - 1);
	if (action == 1)
		return;
	if (action == 0)
		wr_u8(w, 0xC8);
	wr_u32(w, MESHSEC_KEY_NODE);
	wr_le(w, 0x1112131415161718u, 8);
	wr_le(w, 0x2122232425262728u, 8);
	wr_zero(w, action == 0 ? 1 : 14);
}

/* With the payload that the row of the table wants, so that it would work if it may. */
static size_t make(
	const struct bench *b, uint8_t type, uint8_t module, uint8_t action, uint8_t out[MAKE_MAX])
{
	struct wr w = wr_init(out, MAKE_MAX);

	wr_u8(&w, type);
	wr_u16(&w, APP_ID);
	wr_u16(&w, b->f.node.config.node_id);
	wr_u8(&w, module);
	if (module == MESHMSG_VENDOR_PREFIX) {
		wr_u16(&w, 0xCDAB);
		wr_u8(&w, 0x02);
	}
	if (type == MESHMSG_TYPE_UPDATE_TIMESTAMP) {
		wr_zero(&w, 13 - w.len_bytes);
		return w.len_bytes;
	}
	wr_u8(&w, 9); /* request handle */
	wr_u8(&w, action);
	if (type == MESHMSG_TYPE_TRIGGER && module == 10 && action <= 2) {
		put_order(&w, action);
		return w.len_bytes;
	}
	if (module == 5 && action != 3)
		wr_u32(&w, FAKE_SERIAL);
	if (module == 0 && action == 1)
		wr_u8(&w, 20); /* seconds */
	else if (module == 0 && action == 0 && type == MESHMSG_TYPE_TRIGGER)
		wr_u8(&w, 0); /* idle */
	else if ((module == 0 && action == 7) || (module == 5 && (action == 0 || action == 3)))
		wr_u16(&w, 1500);
	else if (type != MESHMSG_TYPE_TRIGGER && module != 5)
		wr_u32(&w, 0); /* long enough for every type */
	if (module == 5 && action == 0)
		wr_u16(&w, 500);
	return w.len_bytes;
}

/* No ck_assert in here: it would cost more than all the rest, three million times. */
static void say(struct bench *b, const uint8_t *message, size_t n)
{
	struct meshsec_pdu pdu;

	if (meshsec_send_begin(&b->app, message, n) != ERR_OK)
		abort();
	while (meshsec_send_next(&b->app, &pdu) == ERR_OK)
		put(b, &pdu);
}

/* The session's own counters move with every packet; they are not what is meant. */
#define SEC_AT (offsetof(struct node, access.links[0].sec))
#define SEC_END (SEC_AT + sizeof(struct meshsec))

static bool is_same(const struct bench *a, const struct bench *b)
{
	const uint8_t *x = (const void *)&a->f.node, *y = (const void *)&b->f.node;

	return memcmp(x, y, SEC_AT) == 0 &&
	       memcmp(x + SEC_END, y + SEC_END, sizeof(struct node) - SEC_END) == 0 &&
	       a->f.deeds == b->f.deeds && a->f.sent_count == b->f.sent_count &&
	       a->f.flash.op_count == b->f.flash.op_count;
}

static void check_flash(const struct bench *a, const struct bench *b)
{
	ck_assert_mem_eq(a->f.flash.b, b->f.flash.b, sizeof(a->f.flash.b));
}

/* Only these have a module and an action at all; of the others each action is tried with one
 * module, another one each time. */
static bool has_module(uint8_t type)
{
	return type >= MESHMSG_TYPE_MODULE_CONFIG && type < MESHMSG_TYPE_TIME_SYNC;
}

/* How many of them did something. */
static unsigned try_all(
	struct bench *b, struct bench *before, const struct session *s, uint8_t type)
{
	uint8_t message[MAKE_MAX];
	unsigned count = 0;

	for (size_t i = 0; i < sizeof(modules); i++)
		for (unsigned action = 0; action < 256; action++) {
			if (!has_module(type) && (type + action) % sizeof(modules) != i)
				continue;
			bool allowed = may(s->who, type, modules[i], (uint8_t)action);

			say(b, message, make(b, type, modules[i], (uint8_t)action, message));
			if (is_same(before, b) == allowed)
				ck_abort_msg("session %02X type %u module %u action %u: %s",
					(unsigned)s->who, type, modules[i], action,
					allowed ? "does nothing" : "does something");
			if (!allowed)
				continue;
			count++;
			memcpy(b, before, sizeof(*b));
		}
	return count;
}

static unsigned rows_for(int who)
{
	unsigned count = 0;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		count += (table[i].who & who) != 0;
	if ((OWNERS & who) != 0)
		count += 256; /* UPDATE_TIMESTAMP, whatever stands where others have an action */
	return count;
}

START_TEST(what_is_in_no_table_does_nothing)
{
	static struct bench b, before; /* more than a stack holds */
	const struct session *s = &sessions[_i];
	unsigned count = 0;

	set_up(&b, s);
	memcpy(&before, &b, sizeof(b));
	for (unsigned type = 0; type < 256; type++) {
		if (type == MESHMSG_TYPE_SPLIT || type == MESHMSG_TYPE_SPLIT_END)
			continue; /* no messages, but parts of some: below */
		count += try_all(&b, &before, s, (uint8_t)type);
	}
	check_flash(&before, &b);
	ck_assert_uint_eq(count, rows_for(s->who));
	printf("session %02X: %u messages do something\n", (unsigned)s->who, count);
}
END_TEST

/* A part of a message is kept until the rest of it comes, and nothing else happens. */
START_TEST(parts_of_messages_do_nothing)
{
	static struct bench b, before;
	unsigned counter, type;

	set_up(&b, &sessions[4]);
	memcpy(&before, &b, sizeof(b));
	for (counter = 0; counter < 256; counter++)
		for (type = MESHMSG_TYPE_SPLIT; type <= MESHMSG_TYPE_SPLIT_END; type++) {
			uint8_t part[16] = {(uint8_t)type, (uint8_t)counter, 200}; /* of type 200 */
			;
			struct meshsec_pdu pdu;

			ck_assert_int_eq(
				meshsec_crypt_seal(&cipher, &b.app.tx, part, sizeof(part), &pdu),
				ERR_OK);
			put(&b, &pdu);
			ck_assert(is_same(&before, &b));
		}
	check_flash(&before, &b);
}
END_TEST

/* The mesh carries what we do not know, for the key that may speak to it, and only then. */
START_TEST(unknown_messages_to_all_are_carried_for_the_network_key_only)
{
	static struct bench b;

	for (size_t i = 0; i < sizeof(sessions) / sizeof(sessions[0]); i++) {
		const uint8_t message[] = {
			MESHMSG_TYPE_TRIGGER, 0x00, 0x7D, 0, 0, UNKNOWN_MODULE, 9, 9};

		set_up(&b, &sessions[i]);
		say(&b, message, sizeof(message));
		ck_assert_uint_eq(b.f.sent_count, sessions[i].who == W ? 1 : 0);
		ck_assert_uint_eq(b.f.out_count, 0);
	}
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_loop_test(
		tc, what_is_in_no_table_does_nothing, 0, sizeof(sessions) / sizeof(sessions[0]));
	tcase_add_test(tc, parts_of_messages_do_nothing);
	tcase_add_test(tc, unknown_messages_to_all_are_carried_for_the_network_key_only);
}

int main(void)
{
	return suite_main("firmware/table", fill);
}
