#include "mesh/dbus_loop.h"

#include <event2/event.h>

#include "support/private_bus.h"
#include "unit/suite.h"

#define NAME "org.enrolld.Test"

struct side {
	struct dbus_loop *loop;
	int ups, downs, calls, replies, errors;
	struct event_base *base;
};

static void stop(struct side *s)
{
	event_base_loopbreak(s->base);
}

static void on_up(void *arg)
{
	struct side *s = arg;

	s->ups++;
	stop(s);
}

static void on_down(void *arg)
{
	struct side *s = arg;

	s->downs++;
	stop(s);
}

static bool answer(void *arg, DBusMessage *msg)
{
	struct side *s = arg;

	if (!dbus_message_is_method_call(msg, NAME, "Echo"))
		return false;
	s->calls++;
	ck_assert_int_eq(dbus_loop_send(s->loop, dbus_message_new_method_return(msg)), ERR_OK);
	return true;
}

static const struct dbus_loop_events events = {on_up, on_down, answer};

static void on_reply(void *arg, DBusMessage *reply)
{
	struct side *s = arg;

	if (dbus_reply_check(reply, "") == ERR_OK)
		s->replies++;
	else
		s->errors++;
	stop(s);
}

static void wait_for(struct event_base *base, const int *what, int value)
{
	for (int i = 0; i < 1000 && *what < value; i++)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_int_ge(*what, value);
}

static struct event_base *base;
static struct private_bus bus;
static struct side a, b;

static void begin(void)
{
	private_bus_start(&bus);
	base = event_base_new();
	a = (struct side){.base = base};
	b = (struct side){.base = base};
	ck_assert_int_eq(dbus_loop_new(base, bus.address, &events, &a, &a.loop), ERR_OK);
	ck_assert_int_eq(dbus_loop_new(base, bus.address, &events, &b, &b.loop), ERR_OK);
	ck_assert_ptr_null(dbus_loop_connection(a.loop));
	wait_for(base, &a.ups, 1);
	wait_for(base, &b.ups, 1);
}

static void end(void)
{
	dbus_loop_free(a.loop);
	dbus_loop_free(b.loop);
	event_base_free(base);
	private_bus_stop(&bus);
	dbus_shutdown();
	libevent_global_shutdown();
}

static DBusMessage *echo(const char *method)
{
	const char *to = dbus_bus_get_unique_name(dbus_loop_connection(b.loop));

	return dbus_message_new_method_call(to, "/", NAME, method);
}

START_TEST(calls_and_answers)
{
	begin();
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(
			dbus_loop_call(a.loop, echo("Echo"), 5000, on_reply, &a, NULL), ERR_OK);
	wait_for(base, &a.replies, 100);
	ck_assert_int_eq(b.calls, 100);
	ck_assert_int_eq(dbus_loop_call(a.loop, echo("Nothing"), 5000, on_reply, &a, NULL), ERR_OK);
	wait_for(base, &a.errors, 1);
	end();
}
END_TEST

static bool swallow(void *arg, DBusMessage *msg)
{
	(void)arg;
	return dbus_message_get_type(msg) == DBUS_MESSAGE_TYPE_METHOD_CALL;
}

static const struct dbus_loop_events silent = {on_up, on_down, swallow};

START_TEST(own_time_limit_ends_a_silent_call)
{
	begin();
	dbus_loop_free(b.loop);
	ck_assert_int_eq(dbus_loop_new(base, bus.address, &silent, &b, &b.loop), ERR_OK);
	wait_for(base, &b.ups, 2);
	ck_assert_int_eq(dbus_loop_call(a.loop, echo("Echo"), 20, on_reply, &a, NULL), ERR_OK);
	wait_for(base, &a.errors, 1);
	end();
}
END_TEST

START_TEST(cancelled_call_has_no_callback)
{
	struct dbus_call *call;

	begin();
	ck_assert_int_eq(dbus_loop_call(a.loop, echo("Echo"), 5000, on_reply, &a, &call), ERR_OK);
	dbus_loop_cancel(call);
	ck_assert_int_eq(dbus_loop_call(a.loop, echo("Nothing"), 5000, on_reply, &a, NULL), ERR_OK);
	wait_for(base, &a.errors, 1);
	ck_assert_int_eq(a.replies, 0);
	end();
}
END_TEST

/* The pending call ends, down comes, the process lives on, and the new bus is joined. */
START_TEST(lives_through_a_bus_that_dies)
{
	begin();
	dbus_loop_free(b.loop);
	ck_assert_int_eq(dbus_loop_new(base, bus.address, &silent, &b, &b.loop), ERR_OK);
	wait_for(base, &b.ups, 2);
	ck_assert_int_eq(dbus_loop_call(a.loop, echo("Echo"), 60000, on_reply, &a, NULL), ERR_OK);
	dbus_connection_flush(dbus_loop_connection(a.loop));
	private_bus_kill(&bus);
	wait_for(base, &a.downs, 1);
	ck_assert_int_eq(a.errors, 1);
	ck_assert_ptr_null(dbus_loop_connection(a.loop));
	ck_assert_int_eq(
		dbus_loop_call(a.loop, dbus_message_new_method_call(NAME, "/", NAME, "Echo"), 100,
			on_reply, &a, NULL),
		ERR_CLOSED);
	private_bus_restart(&bus);
	wait_for(base, &a.ups, 2);
	end();
}
END_TEST

/* --- readers -----------------------------------------------------------------------------------
 */

static DBusMessage *with(int type, const void *value)
{
	DBusMessage *m = dbus_message_new(DBUS_MESSAGE_TYPE_METHOD_RETURN);

	ck_assert(dbus_message_append_args(m, type, value, DBUS_TYPE_INVALID));
	return m;
}

static DBusMessage *with_bytes(const uint8_t *p, int n)
{
	DBusMessage *m = dbus_message_new(DBUS_MESSAGE_TYPE_METHOD_RETURN);

	ck_assert(dbus_message_append_args(
		m, DBUS_TYPE_ARRAY, DBUS_TYPE_BYTE, &p, n, DBUS_TYPE_INVALID));
	return m;
}

enum kind { K_BOOL, K_U16, K_I16, K_STRING, K_PATH, K_BYTES, K_U32, K_STRINGS, K_EMPTY, K_COUNT };

static DBusMessage *sample(enum kind k)
{
	static const uint8_t bytes[3] = {1, 2, 3};
	const char *text = "text", *path = "/path";
	const char **texts = &text;
	dbus_bool_t yes = TRUE;
	dbus_uint16_t u16 = 517;
	dbus_int16_t i16 = -60;
	dbus_uint32_t u32 = 7;
	DBusMessage *m;

	switch (k) {
	case K_BOOL:
		return with(DBUS_TYPE_BOOLEAN, &yes);
	case K_U16:
		return with(DBUS_TYPE_UINT16, &u16);
	case K_I16:
		return with(DBUS_TYPE_INT16, &i16);
	case K_STRING:
		return with(DBUS_TYPE_STRING, &text);
	case K_PATH:
		return with(DBUS_TYPE_OBJECT_PATH, &path);
	case K_BYTES:
		return with_bytes(bytes, 3);
	case K_U32:
		return with(DBUS_TYPE_UINT32, &u32);
	case K_STRINGS:
		m = dbus_message_new(DBUS_MESSAGE_TYPE_METHOD_RETURN);
		ck_assert(dbus_message_append_args(
			m, DBUS_TYPE_ARRAY, DBUS_TYPE_STRING, &texts, 1, DBUS_TYPE_INVALID));
		return m;
	case K_EMPTY:
	case K_COUNT:
		break;
	}
	return dbus_message_new(DBUS_MESSAGE_TYPE_METHOD_RETURN);
}

/* Which reader takes which sample: each takes its own type and refuses all others. */
START_TEST(readers_refuse_every_other_type)
{
	for (enum kind k = K_BOOL; k < K_COUNT; k++) {
		DBusMessage *m = sample(k);
		DBusMessageIter it;
		bool yes = false;
		uint16_t u16 = 1;
		int16_t i16 = 1;
		const char *s = "untouched";
		struct span bytes = {NULL, 9};
		struct dbus_dict dict;

		dbus_message_iter_init(m, &it);
		ck_assert_int_eq(dbus_value_bool(&it, &yes), k == K_BOOL ? ERR_OK : ERR_INVALID);
		ck_assert_int_eq(dbus_value_u16(&it, &u16), k == K_U16 ? ERR_OK : ERR_INVALID);
		ck_assert_int_eq(dbus_value_i16(&it, &i16), k == K_I16 ? ERR_OK : ERR_INVALID);
		ck_assert_int_eq(dbus_value_string(&it, &s),
			k == K_STRING || k == K_PATH ? ERR_OK : ERR_INVALID);
		ck_assert_int_eq(
			dbus_value_bytes(&it, &bytes), k == K_BYTES ? ERR_OK : ERR_INVALID);
		ck_assert_int_eq(dbus_dict_open(&it, &dict), ERR_INVALID);
		ck_assert(yes == (k == K_BOOL));
		ck_assert_int_eq(u16, k == K_U16 ? 517 : 1);
		ck_assert_int_eq(i16, k == K_I16 ? -60 : 1);
		ck_assert_uint_eq(bytes.n, k == K_BYTES ? 3 : 9);
		dbus_message_unref(m);
	}
}
END_TEST

START_TEST(reply_check_wants_the_whole_signature)
{
	DBusMessage *m = sample(K_STRING);
	DBusMessage *e = dbus_message_new(DBUS_MESSAGE_TYPE_ERROR);

	ck_assert_int_eq(dbus_reply_check(m, "s"), ERR_OK);
	ck_assert_int_eq(dbus_reply_check(m, ""), ERR_INVALID);
	ck_assert_int_eq(dbus_reply_check(m, "o"), ERR_INVALID);
	ck_assert_int_eq(dbus_reply_check(m, "ss"), ERR_INVALID);
	ck_assert_str_eq(dbus_reply_error(m), "");
	ck_assert(dbus_message_set_error_name(e, "org.bluez.Error.Failed"));
	ck_assert_int_eq(dbus_reply_check(e, ""), ERR_IO);
	ck_assert_str_eq(dbus_reply_error(e), "org.bluez.Error.Failed");
	dbus_message_unref(m);
	dbus_message_unref(e);
}
END_TEST

START_TEST(walks_a_dictionary_of_variants)
{
	DBusMessage *m = dbus_message_new(DBUS_MESSAGE_TYPE_METHOD_RETURN);
	DBusMessageIter it, dict_it, entry, value;
	const char *names[2] = {"RSSI", "MTU"}, *key;
	struct dbus_dict dict;
	dbus_int16_t v = -7;
	int16_t got;

	dbus_message_iter_init_append(m, &it);
	dbus_message_iter_open_container(&it, DBUS_TYPE_ARRAY, "{sv}", &dict_it);
	for (int i = 0; i < 2; i++) {
		dbus_message_iter_open_container(&dict_it, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
		dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &names[i]);
		dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, "n", &value);
		dbus_message_iter_append_basic(&value, DBUS_TYPE_INT16, &v);
		dbus_message_iter_close_container(&entry, &value);
		dbus_message_iter_close_container(&dict_it, &entry);
	}
	dbus_message_iter_close_container(&it, &dict_it);
	dbus_message_iter_init(m, &it);
	ck_assert_int_eq(dbus_dict_open(&it, &dict), ERR_OK);
	for (int i = 0; i < 2; i++) {
		ck_assert(dbus_dict_next(&dict, &key, &value));
		ck_assert_str_eq(key, names[i]);
		ck_assert_int_eq(dbus_value_i16(&value, &got), ERR_OK);
		ck_assert_int_eq(got, -7);
	}
	ck_assert(!dbus_dict_next(&dict, &key, &value));
	dbus_message_unref(m);
}
END_TEST

START_TEST(refuses_a_dictionary_with_number_keys)
{
	DBusMessage *m = dbus_message_new(DBUS_MESSAGE_TYPE_METHOD_RETURN);
	DBusMessageIter it, dict_it, entry;
	dbus_uint16_t key = 1;
	struct dbus_dict dict;

	dbus_message_iter_init_append(m, &it);
	dbus_message_iter_open_container(&it, DBUS_TYPE_ARRAY, "{qq}", &dict_it);
	dbus_message_iter_open_container(&dict_it, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
	dbus_message_iter_append_basic(&entry, DBUS_TYPE_UINT16, &key);
	dbus_message_iter_append_basic(&entry, DBUS_TYPE_UINT16, &key);
	dbus_message_iter_close_container(&dict_it, &entry);
	dbus_message_iter_close_container(&it, &dict_it);
	dbus_message_iter_init(m, &it);
	ck_assert_int_eq(dbus_dict_open(&it, &dict), ERR_INVALID);
	dbus_message_unref(m);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, calls_and_answers);
	tcase_add_test(tc, own_time_limit_ends_a_silent_call);
	tcase_add_test(tc, cancelled_call_has_no_callback);
	tcase_add_test(tc, lives_through_a_bus_that_dies);
	tcase_add_test(tc, readers_refuse_every_other_type);
	tcase_add_test(tc, reply_check_wants_the_whole_signature);
	tcase_add_test(tc, walks_a_dictionary_of_variants);
	tcase_add_test(tc, refuses_a_dictionary_with_number_keys);
}

int main(void)
{
	return suite_main("dbus_loop", fill);
}
