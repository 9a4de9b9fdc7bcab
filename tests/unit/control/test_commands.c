/*
 * Every method x every role. The handlers are stand-ins that note that they were reached: what they
 * do has tests of its own; here it is who gets so far.
 */
#include "control/commands.h"

#include <stdio.h>
#include <string.h>

#include "control/command.h"
#include "control/interface.h"
#include "enroll/batch.h"
#include "unit/suite.h"

static unsigned reached, entered, left_with_error;
static enum err handler_result;

#define HANDLER(name)                              \
	enum err name(struct command_call *c)      \
	{                                          \
		put_text(c, c->out, "ran", #name); \
		reached++;                         \
		return handler_result;             \
	}
#define PARAMS(name) const struct param name[] = {PARAM_ROW_END}

HANDLER(command_status)
HANDLER(command_bundle_issue)
HANDLER(command_bundle_list)
HANDLER(command_bundle_show)
HANDLER(command_bundle_revoke)
HANDLER(command_enrollee_announce)
HANDLER(command_enrollee_list)
HANDLER(command_enrollee_show)
HANDLER(command_enrollee_cancel)
HANDLER(command_enrollee_revoke)
HANDLER(command_enrollee_ping)
HANDLER(command_network_add)
HANDLER(command_network_list)
HANDLER(command_network_show)
HANDLER(command_network_remove)
HANDLER(command_node_add)
HANDLER(command_node_list)
HANDLER(command_node_show)
HANDLER(command_node_cancel)
HANDLER(command_node_remove)
HANDLER(command_mesh_proposals)
HANDLER(command_mesh_nodes)
HANDLER(command_mesh_set_enrolled_nodes)
HANDLER(command_node_label)
HANDLER(command_network_app_key)
HANDLER(command_node_set_network)
HANDLER(command_audit_list)
HANDLER(command_audit_verify)
PARAMS(bundle_issue_params);
PARAMS(bundle_list_params);
PARAMS(bundle_show_params);
PARAMS(enrollee_announce_params);
PARAMS(enrollee_list_params);
PARAMS(enrollee_id_params);
PARAMS(enrollee_ping_params);
PARAMS(network_add_params);
PARAMS(network_app_key_params);
PARAMS(network_id_params);
PARAMS(network_show_params);
PARAMS(node_add_params);
PARAMS(node_list_params);
PARAMS(node_serial_params);
PARAMS(mesh_proposals_params);
PARAMS(mesh_nodes_params);
PARAMS(mesh_set_enrolled_nodes_params);
PARAMS(node_set_network_params);
PARAMS(audit_list_params);
PARAMS(audit_verify_params);

enum err batch_enter(struct batch *b)
{
	(void)b;
	entered++;
	return ERR_OK;
}

enum err batch_leave(struct batch *b, enum err result)
{
	(void)b;
	left_with_error += result != ERR_OK;
	return result;
}

/* --- helpers ----------------------------------------------------------------------------- */

static const struct control_config config = {.version = "1.2.3"};

/* The reply as JSON. */
static json_t *run(const char *method, enum role role, bool more, enum commands_then *then)
{
	const struct caller who = {.uid = 1000, .role = role, .name = "user"};
	struct varlink_call call = {.method = method, .parameters = json_object(), .more = more};
	struct commands_outcome out;
	json_t *reply;

	reached = entered = left_with_error = 0;
	ck_assert_int_eq(commands_run(&config, &who, &call, &out), ERR_OK);
	if (out.then == COMMANDS_LATER) {
		ck_assert_ptr_nonnull(out.stream);
		ck_assert_uint_eq(varlink_buf_left(&out.reply), 0);
		stream_free(out.stream);
		reply = json_object();
	} else {
		ck_assert_ptr_null(out.stream);
		reply = json_loads(out.reply.p, 0, NULL);
	}
	ck_assert_ptr_nonnull(reply);
	if (then)
		*then = out.then;
	varlink_buf_clear(&out.reply);
	json_decref(call.parameters);
	return reply;
}

static void expect_error(json_t *reply, const char *error)
{
	const char *got = json_string_value(json_object_get(reply, "error"));

	if (error)
		ck_assert_str_eq(got, error);
	else
		ck_assert_ptr_null(got);
	json_decref(reply);
}

/* --- roles ------------------------------------------------------------------------------- */

START_TEST(each_method_asks_for_its_role)
{
	struct commands_row row;
	size_t rows = 0;

	handler_result = ERR_OK;
	for (; commands_row(rows, &row); rows++) {
		bool own = strncmp(row.method, "org.enrolld.control.", 20) == 0;
		bool watch = strcmp(row.method, "org.enrolld.control.Watch") == 0;

		for (int role = ROLE_NONE; role <= ROLE_ADMIN; role++) {
			json_t *reply = run(row.method, (enum role)role, row.more, NULL);
			bool may = role >= (int)row.role;

			if (!may)
				expect_error(reply, "org.enrolld.control.PermissionDenied");
			else
				json_decref(reply);
			ck_assert_msg(
				reached == (may && own && !watch), "%s role %d", row.method, role);
			ck_assert_uint_eq(entered, may && row.writes);
		}
	}
	ck_assert_uint_ge(rows, 25);
}
END_TEST

START_TEST(without_a_role_only_get_info_answers)
{
	struct commands_row row;

	for (size_t i = 0; commands_row(i, &row); i++) {
		bool info = strcmp(row.method, "org.varlink.service.GetInfo") == 0;

		ck_assert_msg((row.role == ROLE_NONE) == info, "%s", row.method);
	}
	expect_error(run("org.varlink.service.GetInfo", ROLE_NONE, false, NULL), NULL);
	expect_error(run("org.enrolld.control.NoSuch", ROLE_NONE, false, NULL),
		"org.enrolld.control.PermissionDenied");
	expect_error(
		run("nonsense", ROLE_NONE, false, NULL), "org.enrolld.control.PermissionDenied");
	expect_error(run("org.enrolld.control.Watch", ROLE_NONE, true, NULL),
		"org.enrolld.control.PermissionDenied");
}
END_TEST

START_TEST(an_observer_changes_nothing)
{
	static const char *const may[] = {"Status", "BundleList", "BundleShow", "EnrolleeList",
		"EnrolleeShow", "NetworkList", "NetworkShow", "NodeList", "NodeShow", "Watch",
		"MeshProposals", "MeshNodes", "AuditList", "AuditVerify"};
	struct commands_row row;

	for (size_t i = 0; commands_row(i, &row); i++) {
		const char *name = strrchr(row.method, '.') + 1;
		bool listed = strncmp(row.method, "org.varlink.", 12) == 0;

		for (size_t k = 0; k < sizeof(may) / sizeof(*may); k++)
			listed |= strcmp(name, may[k]) == 0;
		ck_assert_msg((row.role <= ROLE_OBSERVER) == listed, "%s", row.method);
	}
}
END_TEST

START_TEST(an_unknown_method_or_interface_is_told)
{
	json_t *r = run("org.enrolld.control.NoSuch", ROLE_ADMIN, false, NULL);

	ck_assert_str_eq(
		json_string_value(json_object_get(json_object_get(r, "parameters"), "method")),
		"org.enrolld.control.NoSuch");
	expect_error(r, "org.varlink.service.MethodNotFound");
	r = run("com.example.Thing", ROLE_ADMIN, false, NULL);
	ck_assert_str_eq(
		json_string_value(json_object_get(json_object_get(r, "parameters"), "interface")),
		"com.example");
	expect_error(r, "org.varlink.service.InterfaceNotFound");
}
END_TEST

/* --- what holds and what does not -------------------------------------------------------- */

START_TEST(replies_that_depend_on_the_store_wait_for_it)
{
	enum commands_then then;

	handler_result = ERR_OK;
	json_decref(run("org.varlink.service.GetInfo", ROLE_NONE, false, &then));
	ck_assert_int_eq(then, COMMANDS_ANSWER);
	json_decref(run("org.enrolld.control.BundleIssue", ROLE_NONE, false, &then));
	ck_assert_int_eq(then, COMMANDS_ANSWER);
	json_decref(run("org.enrolld.control.BundleIssue", ROLE_ENROLLER, false, &then));
	ck_assert_int_eq(then, COMMANDS_AFTER_COMMIT);
	json_decref(run("org.enrolld.control.BundleList", ROLE_OBSERVER, false, &then));
	ck_assert_int_eq(then, COMMANDS_AFTER_COMMIT);
	json_decref(run("org.enrolld.control.Watch", ROLE_OBSERVER, true, &then));
	ck_assert_int_eq(then, COMMANDS_WATCH);
	json_decref(run("org.enrolld.control.MeshNodes", ROLE_OBSERVER, true, &then));
	ck_assert_int_eq(then, COMMANDS_LATER);
	expect_error(run("org.enrolld.control.MeshNodes", ROLE_OBSERVER, false, &then),
		"org.varlink.service.ExpectedMore");
	json_decref(run("org.enrolld.control.MeshSetEnrolledNodes", ROLE_ADMIN, false, &then));
	ck_assert_int_eq(then, COMMANDS_LATER);
	expect_error(run("org.enrolld.control.Watch", ROLE_OBSERVER, false, &then),
		"org.varlink.service.ExpectedMore");
	ck_assert_int_eq(then, COMMANDS_ANSWER);
}
END_TEST

START_TEST(a_failed_handler_is_undone_and_named)
{
	static const struct {
		enum err e;
		const char *error;
	} rows[] = {
		{ERR_DENIED, "PermissionDenied"},
		{ERR_NOT_FOUND, "NotFound"},
		{ERR_CONFLICT, "Conflict"},
		{ERR_STATE, "Conflict"},
		{ERR_INVALID, "InvalidArgument"},
		{ERR_RANGE, "InvalidArgument"},
		{ERR_KEY, "InvalidArgument"},
		{ERR_QUOTA, "QuotaExceeded"},
		{ERR_EXPIRED, "Expired"},
		{ERR_BUSY, "Busy"},
		{ERR_NOMEM, "Busy"},
		{ERR_FULL, "StorageFull"},
		{ERR_IO, "StorageFull"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "org.enrolld.control.%s", rows[i].error);
		handler_result = rows[i].e;
		expect_error(run("org.enrolld.control.NodeAdd", ROLE_ADMIN, false, NULL), name);
		ck_assert_uint_eq(left_with_error, 1);
	}
	handler_result = ERR_OK;
}
END_TEST

START_TEST(unknown_parameters_are_refused)
{
	const struct caller who = {.role = ROLE_ADMIN};
	struct varlink_call call = {.method = "org.enrolld.control.Status",
		.parameters = json_pack("{s:i}", "surprise", 1)};
	struct commands_outcome out;

	reached = 0;
	ck_assert_int_eq(commands_run(&config, &who, &call, &out), ERR_OK);
	ck_assert_str_eq(out.reply.p,
		"{\"error\":\"org.enrolld.control.InvalidArgument\",\"parameters\":{\"field\":"
		"\"surprise\",\"reason\":\"not a parameter of this method\"}}");
	ck_assert_uint_eq(reached, 0);
	varlink_buf_clear(&out.reply);
	json_decref(call.parameters);
}
END_TEST

/* "lifetime" is a word of the rules, which are told to callers as lifetime_s; not a caller's. */
START_TEST(an_unknown_parameter_is_named_as_it_was_given)
{
	const struct caller who = {.role = ROLE_ADMIN};
	struct varlink_call call = {.method = "org.enrolld.control.BundleIssue",
		.parameters = json_pack("{s:i}", "lifetime", 1)};
	struct commands_outcome out;

	ck_assert_int_eq(commands_run(&config, &who, &call, &out), ERR_OK);
	ck_assert_ptr_nonnull(strstr(out.reply.p, "\"field\":\"lifetime\""));
	varlink_buf_clear(&out.reply);
	json_decref(call.parameters);
}
END_TEST

START_TEST(an_upgrade_is_refused)
{
	const struct caller who = {.role = ROLE_ADMIN};
	struct varlink_call call = {.method = "org.enrolld.control.Status",
		.parameters = json_object(),
		.upgrade = true};
	struct commands_outcome out;

	ck_assert_int_eq(commands_run(&config, &who, &call, &out), ERR_OK);
	expect_error(json_loads(out.reply.p, 0, NULL), "org.varlink.service.InvalidParameter");
	varlink_buf_clear(&out.reply);
	json_decref(call.parameters);
}
END_TEST

/* --- introspection ----------------------------------------------------------------------- */

START_TEST(the_interface_file_names_every_method)
{
	struct commands_row row;
	unsigned described = 0, own = 0;

	for (const char *p = interface_description; (p = strstr(p, "\nmethod ")) != NULL; p++)
		described++;
	for (size_t i = 0; commands_row(i, &row); i++) {
		char text[96];

		if (strncmp(row.method, "org.enrolld.control.", 20) != 0)
			continue;
		own++;
		(void)snprintf(text, sizeof(text), "\nmethod %s(", row.method + 20);
		ck_assert_msg(strstr(interface_description, text) != NULL, "%s", text);
	}
	ck_assert_uint_eq(described, own);
}
END_TEST

START_TEST(filters_by_object_and_id)
{
	const struct control_event e = {.event = "node_state", .id = "FMBBC"};
	struct commands_filter f = {"", ""};

	ck_assert(commands_filter_wants(&f, &e));
	strcpy(f.object, "node");
	ck_assert(commands_filter_wants(&f, &e));
	strcpy(f.object, "no");
	ck_assert(!commands_filter_wants(&f, &e));
	strcpy(f.object, "node");
	strcpy(f.id, "FMBBC");
	ck_assert(commands_filter_wants(&f, &e));
	strcpy(f.id, "FMBBD");
	ck_assert(!commands_filter_wants(&f, &e));
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, each_method_asks_for_its_role);
	tcase_add_test(tc, without_a_role_only_get_info_answers);
	tcase_add_test(tc, an_observer_changes_nothing);
	tcase_add_test(tc, an_unknown_method_or_interface_is_told);
	tcase_add_test(tc, replies_that_depend_on_the_store_wait_for_it);
	tcase_add_test(tc, a_failed_handler_is_undone_and_named);
	tcase_add_test(tc, unknown_parameters_are_refused);
	tcase_add_test(tc, an_unknown_parameter_is_named_as_it_was_given);
	tcase_add_test(tc, an_upgrade_is_refused);
	tcase_add_test(tc, the_interface_file_names_every_method);
	tcase_add_test(tc, filters_by_object_and_id);
}

int main(void)
{
	return suite_main("commands", fill);
}
