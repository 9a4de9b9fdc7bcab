#include "access.h"

/* Who may say what over MeshAccess (mesh-protocol §3.10): every rule that matches gives a verdict,
 * the highest counts, and without any rule the message is dropped.
 *
 * Not copied: the rule that lets any key set the time (§11.4); here the key's default decides. The
 * rules for raw data say the same as the defaults. Handshake messages never get here. The rules of
 * Beaconing and IO are those modules' own, which this node does not have. */

enum key {
	KEY_ZERO = 1,
	KEY_NODE = 2,
	KEY_NETWORK = 4,
	KEY_ORGANIZATION = 8,
	KEY_RESTRAINED = 16,
	KEY_USER = 32,
	KEY_OTHER = 64,
	KEY_ANY = 127
};

enum condition { ALWAYS = 0, IF_UNENROLLED };

#define BOTH (ACCESS_IN | ACCESS_OUT)
#define TYPE_ANY 0
#define MODULE_ANY 0
#define ACTION(n) (1u << (n))
#define ACTION_ANY 0xFFFFFFFFu
#define ACTIONS_MAX 32
#define SERIAL_CONNECT 2

struct rule {
	uint8_t keys;
	uint8_t directions;
	uint8_t type; /* TYPE_ANY: all */
	uint32_t module;
	uint32_t actions; /* bit n: action n */
	enum condition condition;
	enum access_verdict verdict;
};

/* GET_STATUS 1, SET_INITIALIZED 5, GET_ERRORS 6, GET_REBOOT_REASON 8, SET_KEEP_ALIVE 9,
 * GET_DEVICE_INFO_V2 10, SET_TIME_REPORTING 13, GET_GATEWAY_STATUS 14. */
#define STATUS_PUBLIC                                                                          \
	(ACTION(1) | ACTION(5) | ACTION(6) | ACTION(8) | ACTION(9) | ACTION(10) | ACTION(13) | \
		ACTION(14))

static const struct rule rules[] = {
	/* MeshAccess: the defaults of each key */
	{KEY_NODE, BOTH, TYPE_ANY, MODULE_ANY, ACTION_ANY, ALWAYS, ACCESS_LOCAL_ONLY},
	{KEY_NETWORK, BOTH, TYPE_ANY, MODULE_ANY, ACTION_ANY, ALWAYS, ACCESS_WHITELIST},
	{KEY_OTHER, BOTH, TYPE_ANY, MODULE_ANY, ACTION_ANY, ALWAYS, ACCESS_BLACKLIST},
	{KEY_ANY, BOTH, MESHMSG_TYPE_DEAD_DATA, MODULE_ANY, ACTION_ANY, ALWAYS, ACCESS_LOCAL_ONLY},
	/* Node */
	{KEY_ORGANIZATION | KEY_NETWORK, ACCESS_OUT, TYPE_ANY, MODULE_ANY, ACTION_ANY, ALWAYS,
		ACCESS_WHITELIST},
	{KEY_NETWORK, ACCESS_IN, MESHMSG_TYPE_CLUSTER_INFO_UPDATE, MODULE_ANY, ACTION_ANY, ALWAYS,
		ACCESS_WHITELIST},
	{KEY_ORGANIZATION, ACCESS_IN, MESHMSG_TYPE_COMPONENT_SENSE, MODULE_ANY, ACTION_ANY, ALWAYS,
		ACCESS_WHITELIST},
	{KEY_ORGANIZATION, ACCESS_IN, MESHMSG_TYPE_CAPABILITY, MODULE_ANY, ACTION_ANY, ALWAYS,
		ACCESS_WHITELIST},
	/* Status */
	{KEY_ORGANIZATION, BOTH, MESHMSG_TYPE_TRIGGER, MESHMSG_MODULE_STATUS, STATUS_PUBLIC, ALWAYS,
		ACCESS_WHITELIST},
	{KEY_ORGANIZATION, BOTH, MESHMSG_TYPE_RESPONSE, MESHMSG_MODULE_STATUS, STATUS_PUBLIC,
		ALWAYS, ACCESS_WHITELIST},
	{KEY_ANY, BOTH, MESHMSG_TYPE_COMPONENT_ACT, MESHMSG_MODULE_STATUS, ACTION_ANY, ALWAYS,
		ACCESS_WHITELIST},
	{KEY_ANY, BOTH, MESHMSG_TYPE_COMPONENT_SENSE, MESHMSG_MODULE_STATUS, ACTION_ANY, ALWAYS,
		ACCESS_WHITELIST},
	/* Enrollment */
	{KEY_ANY, BOTH, MESHMSG_TYPE_RESPONSE, MESHMSG_MODULE_ENROLLMENT, ACTION_ANY, ALWAYS,
		ACCESS_LOCAL_ONLY},
	{KEY_ANY, ACCESS_OUT, MESHMSG_TYPE_TRIGGER, MESHMSG_MODULE_ENROLLMENT, ACTION_ANY, ALWAYS,
		ACCESS_WHITELIST},
	{KEY_ANY, ACCESS_IN, MESHMSG_TYPE_TRIGGER, MESHMSG_MODULE_ENROLLMENT, ACTION_ANY,
		IF_UNENROLLED, ACCESS_LOCAL_ONLY},
};

static enum key key_of(uint32_t key_id)
{
	switch (key_id) {
	case MESHSEC_KEY_ZERO:
		return KEY_ZERO;
	case MESHSEC_KEY_NODE:
		return KEY_NODE;
	case MESHSEC_KEY_NETWORK:
		return KEY_NETWORK;
	case MESHSEC_KEY_ORGANIZATION:
		return KEY_ORGANIZATION;
	case MESHSEC_KEY_RESTRAINED:
		return KEY_RESTRAINED;
	default:
		return key_id >= MESHSEC_KEY_USER_FIRST && key_id <= MESHSEC_KEY_USER_LAST
			       ? KEY_USER
			       : KEY_OTHER;
	}
}

/* A SERIAL_CONNECT with the key FF…FF asks this node for its own keys: never. */
static bool asks_for_our_key(const struct meshmsg *m)
{
	struct rd r = rd_init(m->payload.p, m->payload.n);
	const uint8_t *key;

	if (m->type != MESHMSG_TYPE_TRIGGER || m->module != MESHMSG_MODULE_MESH_ACCESS ||
		m->action != SERIAL_CONNECT)
		return false;
	(void)rd_view(&r, 8);
	key = rd_view(&r, 16);
	return key && bytes_are_ct(key, 16, 0xFF);
}

static bool matches(const struct rule *r, const struct meshmsg *m, enum key key, uint8_t direction,
	bool enrolled)
{
	if ((r->keys & key) == 0 || (r->directions & direction) == 0)
		return false;
	if (r->type != TYPE_ANY && r->type != m->type)
		return false;
	if (r->module != MODULE_ANY && r->module != m->module)
		return false;
	if (r->actions != ACTION_ANY &&
		(m->action >= ACTIONS_MAX || (r->actions & ACTION(m->action)) == 0))
		return false;
	return r->condition == ALWAYS || !enrolled;
}

enum access_verdict access_authorize(
	const struct meshmsg *m, uint32_t key_id, enum access_direction direction, bool enrolled)
{
	enum key key = key_of(key_id);
	enum access_verdict verdict = ACCESS_UNDETERMINED;

	if (asks_for_our_key(m))
		return ACCESS_BLACKLIST;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (matches(&rules[i], m, key, (uint8_t)direction, enrolled) &&
			rules[i].verdict > verdict)
			verdict = rules[i].verdict;
	return verdict;
}
