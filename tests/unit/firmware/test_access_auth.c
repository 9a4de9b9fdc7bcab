/* The authorization table of MeshAccess (mesh-protocol §3.10), message by message. */
#include "firmware/core/access.h"
#include "unit/suite.h"

#define USER 10u
#define RESTRAINED MESHSEC_KEY_RESTRAINED
#define ORG MESHSEC_KEY_ORGANIZATION

static struct meshmsg module_message(uint8_t type, uint32_t module, uint8_t action)
{
	return (struct meshmsg){
		.type = type, .module = module, .action = action, .sender = 32000, .receiver = 0};
}

static struct meshmsg plain(uint8_t type)
{
	return module_message(type, MESHMSG_MODULE_NONE, 0);
}

struct row {
	uint8_t type;
	uint32_t module;
	uint8_t action;
	uint32_t key_id;
	bool enrolled;
	enum access_verdict in, out;
};

#define UN ACCESS_UNDETERMINED
#define WL ACCESS_WHITELIST
#define LO ACCESS_LOCAL_ONLY
#define BL ACCESS_BLACKLIST
#define ENROLL MESHMSG_MODULE_ENROLLMENT
#define STATUS MESHMSG_MODULE_STATUS
#define NODE MESHMSG_MODULE_NODE
#define NONE MESHMSG_MODULE_NONE
#define TRIGGER MESHMSG_TYPE_TRIGGER
#define RESPONSE MESHMSG_TYPE_RESPONSE

static const struct row rows[] = {
	/* module 5, triggers: who may enroll an unenrolled node, and who an enrolled one */
	{TRIGGER, ENROLL, 0, MESHSEC_KEY_ZERO, false, LO, WL},
	{TRIGGER, ENROLL, 0, MESHSEC_KEY_NODE, false, LO, LO},
	{TRIGGER, ENROLL, 0, MESHSEC_KEY_NETWORK, false, LO, WL},
	{TRIGGER, ENROLL, 0, ORG, false, LO, WL},
	{TRIGGER, ENROLL, 0, RESTRAINED, false, LO, WL},
	{TRIGGER, ENROLL, 0, USER, false, LO, WL},
	{TRIGGER, ENROLL, 0, MESHSEC_KEY_BASE_USER, false, BL, BL},
	{TRIGGER, ENROLL, 0, MESHSEC_KEY_ZERO, true, UN, WL},
	{TRIGGER, ENROLL, 0, MESHSEC_KEY_NODE, true, LO, LO},
	{TRIGGER, ENROLL, 0, MESHSEC_KEY_NETWORK, true, WL, WL},
	{TRIGGER, ENROLL, 1, ORG, true, UN, WL},
	{TRIGGER, ENROLL, 1, RESTRAINED, true, UN, WL},
	{TRIGGER, ENROLL, 1, USER, true, UN, WL},
	/* module 5, responses: never routed */
	{RESPONSE, ENROLL, 0, MESHSEC_KEY_NETWORK, true, LO, LO},
	{RESPONSE, ENROLL, 0, MESHSEC_KEY_NODE, true, LO, LO},
	{RESPONSE, ENROLL, 0, MESHSEC_KEY_ZERO, false, LO, LO},
	{RESPONSE, ENROLL, 2, USER, true, LO, LO},
	/* defaults */
	{TRIGGER, NODE, 3, MESHSEC_KEY_NODE, true, LO, LO},
	{TRIGGER, NODE, 3, MESHSEC_KEY_NETWORK, true, WL, WL},
	{TRIGGER, NODE, 3, ORG, true, UN, WL},
	{TRIGGER, NODE, 3, RESTRAINED, true, UN, UN},
	{TRIGGER, NODE, 3, USER, true, UN, UN},
	{TRIGGER, NODE, 3, MESHSEC_KEY_ZERO, false, UN, UN},
	{TRIGGER, NODE, 3, 0x80000000u, true, BL, BL},
	{TRIGGER, NODE, 3, 7, true, BL, BL},
	/* status, for the organization */
	{TRIGGER, STATUS, 1, ORG, true, WL, WL},
	{TRIGGER, STATUS, 10, ORG, true, WL, WL},
	{TRIGGER, STATUS, 4, ORG, true, UN, WL},
	{TRIGGER, STATUS, 11, ORG, true, UN, WL},
	{TRIGGER, STATUS, 42, ORG, true, UN, WL},
	{TRIGGER, STATUS, 1, USER, true, UN, UN},
	{RESPONSE, STATUS, 10, ORG, true, WL, WL},
	{MESHMSG_TYPE_COMPONENT_ACT, STATUS, 0, USER, true, WL, WL},
	{MESHMSG_TYPE_COMPONENT_SENSE, STATUS, 0, RESTRAINED, true, WL, WL},
	{MESHMSG_TYPE_COMPONENT_SENSE, NODE, 0, ORG, true, WL, WL},
	{MESHMSG_TYPE_COMPONENT_SENSE, NODE, 0, USER, true, UN, UN},
	/* modules that this node does not have have no rules: Beaconing, IO */
	{TRIGGER, MESHMSG_MODULE(1), 0, ORG, true, UN, WL},
	{TRIGGER, MESHMSG_MODULE(6), 2, ORG, true, UN, WL},
	{TRIGGER, MESHMSG_MODULE(6), 3, ORG, true, UN, WL},
	/* no module */
	{MESHMSG_TYPE_CLUSTER_INFO_UPDATE, NONE, 0, MESHSEC_KEY_NETWORK, true, WL, WL},
	{MESHMSG_TYPE_CLUSTER_INFO_UPDATE, NONE, 0, MESHSEC_KEY_NODE, true, LO, LO},
	{MESHMSG_TYPE_CLUSTER_INFO_UPDATE, NONE, 0, ORG, true, UN, WL},
	{MESHMSG_TYPE_CLUSTER_INFO_UPDATE, NONE, 0, MESHSEC_KEY_ZERO, false, UN, UN},
	{MESHMSG_TYPE_CLUSTER_INFO_UPDATE, NONE, 0, USER, true, UN, UN},
	{MESHMSG_TYPE_CAPABILITY, NONE, 0, ORG, true, WL, WL},
	{MESHMSG_TYPE_CAPABILITY, NONE, 0, USER, true, UN, UN},
	{MESHMSG_TYPE_DEAD_DATA, NONE, 0, USER, true, LO, LO},
	/* no key but those of the mesh and of the node sets the time (§11.4 not copied) */
	{MESHMSG_TYPE_UPDATE_TIMESTAMP, NONE, 0, RESTRAINED, true, UN, UN},
	{MESHMSG_TYPE_UPDATE_TIMESTAMP, NONE, 0, MESHSEC_KEY_NETWORK, true, WL, WL},
};

START_TEST(every_row_of_the_table)
{
	const struct row *r = &rows[_i];
	struct meshmsg m = module_message(r->type, r->module, r->action);

	ck_assert_int_eq(access_authorize(&m, r->key_id, ACCESS_IN, r->enrolled), r->in);
	ck_assert_int_eq(access_authorize(&m, r->key_id, ACCESS_OUT, r->enrolled), r->out);
}
END_TEST

/* All 256 types and actions, for every module byte: keys that may do nothing may do nothing. */
START_TEST(what_is_in_no_rule_is_dropped)
{
	static const uint32_t weak[] = {MESHSEC_KEY_ZERO, RESTRAINED, USER};

	for (size_t k = 0; k < 3; k++)
		for (unsigned type = 0; type < 256; type++)
			for (unsigned action = 0; action < 256; action++) {
				struct meshmsg m = module_message(
					(uint8_t)type, MESHMSG_MODULE(7), (uint8_t)action);

				if (type == MESHMSG_TYPE_DEAD_DATA)
					continue;
				ck_assert_int_eq(
					access_authorize(&m, weak[k], ACCESS_IN, true), UN);
				m.module = NODE;
				ck_assert_int_eq(
					access_authorize(&m, weak[k], ACCESS_IN, false), UN);
			}
}
END_TEST

START_TEST(nobody_asks_for_our_own_keys)
{
	uint8_t payload[38];
	struct meshmsg m = module_message(TRIGGER, MESHMSG_MODULE_MESH_ACCESS, 2);

	memset(payload, 0, sizeof(payload));
	memset(payload + 8, 0xFF, 16);
	m.payload = (struct span){payload, sizeof(payload)};
	ck_assert_int_eq(access_authorize(&m, MESHSEC_KEY_NETWORK, ACCESS_IN, true), BL);
	payload[8] = 0;
	ck_assert_int_eq(access_authorize(&m, MESHSEC_KEY_NETWORK, ACCESS_IN, true), WL);
	m = plain(200);
	ck_assert_int_eq(access_authorize(&m, MESHSEC_KEY_NETWORK, ACCESS_IN, true), WL);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_loop_test(tc, every_row_of_the_table, 0, sizeof(rows) / sizeof(rows[0]));
	tcase_add_test(tc, what_is_in_no_rule_is_dropped);
	tcase_add_test(tc, nobody_asks_for_our_own_keys);
}

int main(void)
{
	return suite_main("firmware/access_auth", fill);
}
