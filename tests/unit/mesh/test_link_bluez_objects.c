#include "mesh/link_bluez_objects.h"

#include "unit/suite.h"

static struct bz_objects table;

/* --- messages to read --------------------------------------------------------------------------
 */

static void put(DBusMessageIter *dict, const char *name, int type, const void *value)
{
	char signature[2] = {(char)type, '\0'};
	DBusMessageIter entry, variant;

	dbus_message_iter_open_container(dict, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
	dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &name);
	dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, signature, &variant);
	dbus_message_iter_append_basic(&variant, type, value);
	dbus_message_iter_close_container(&entry, &variant);
	dbus_message_iter_close_container(dict, &entry);
}

static DBusMessage *added(
	const char *path, const char *interface, const char *name, int type, const void *value)
{
	DBusMessage *msg = dbus_message_new_signal(
		"/", "org.freedesktop.DBus.ObjectManager", "InterfacesAdded");
	DBusMessageIter it, interfaces, entry, dict;

	dbus_message_iter_init_append(msg, &it);
	dbus_message_iter_append_basic(&it, DBUS_TYPE_OBJECT_PATH, &path);
	dbus_message_iter_open_container(&it, DBUS_TYPE_ARRAY, "{sa{sv}}", &interfaces);
	dbus_message_iter_open_container(&interfaces, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
	dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &interface);
	dbus_message_iter_open_container(&entry, DBUS_TYPE_ARRAY, "{sv}", &dict);
	put(&dict, name, type, value);
	dbus_message_iter_close_container(&entry, &dict);
	dbus_message_iter_close_container(&interfaces, &entry);
	dbus_message_iter_close_container(&it, &interfaces);
	return msg;
}

static struct bz_object *add(
	const char *path, const char *interface, const char *name, int type, const void *value)
{
	DBusMessage *msg = added(path, interface, name, type, value);
	struct bz_news news;

	ck_assert_int_eq(bz_objects_added(&table, msg, &news), ERR_OK);
	dbus_message_unref(msg);
	return news.object;
}

static struct bz_object *add_bool(const char *path, const char *interface, const char *name, bool v)
{
	dbus_bool_t b = v;

	return add(path, interface, name, DBUS_TYPE_BOOLEAN, &b);
}

static struct bz_object *add_string(
	const char *path, const char *interface, const char *name, const char *v)
{
	return add(path, interface, name, DBUS_TYPE_STRING, &v);
}

static DBusMessage *changed(const char *path, const char *interface, const char *name, int type,
	const void *value, const char *invalidated)
{
	DBusMessage *msg = dbus_message_new_signal(
		path, "org.freedesktop.DBus.Properties", "PropertiesChanged");
	DBusMessageIter it, dict, names;

	dbus_message_iter_init_append(msg, &it);
	dbus_message_iter_append_basic(&it, DBUS_TYPE_STRING, &interface);
	dbus_message_iter_open_container(&it, DBUS_TYPE_ARRAY, "{sv}", &dict);
	if (name)
		put(&dict, name, type, value);
	dbus_message_iter_close_container(&it, &dict);
	dbus_message_iter_open_container(&it, DBUS_TYPE_ARRAY, "s", &names);
	if (invalidated)
		dbus_message_iter_append_basic(&names, DBUS_TYPE_STRING, &invalidated);
	dbus_message_iter_close_container(&it, &names);
	return msg;
}

static struct bz_news change(const char *path, const char *interface, const char *name, int type,
	const void *value, const char *invalidated)
{
	DBusMessage *msg = changed(path, interface, name, type, value, invalidated);
	struct bz_news news;

	ck_assert_int_eq(bz_objects_changed(&table, msg, &news), ERR_OK);
	dbus_message_unref(msg);
	news.path = NULL;
	return news;
}

/* --- rows --------------------------------------------------------------------------------------
 */

#define ADAPTER "org.bluez.Adapter1"
#define DEVICE "org.bluez.Device1"
#define CHARACTERISTIC "org.bluez.GattCharacteristic1"
#define PATH "/org/bluez/hci0/dev_C0_E5_00_00_00_01"

START_TEST(chooses_the_powered_adapter_with_the_smallest_path)
{
	add_bool("/org/bluez/hci2", ADAPTER, "Powered", true);
	add_bool("/org/bluez/hci0", ADAPTER, "Powered", false);
	add_bool("/org/bluez/hci1", ADAPTER, "Powered", true);
	ck_assert_str_eq(bz_objects_adapter(&table, NULL)->path, "/org/bluez/hci1");
	ck_assert_str_eq(bz_objects_adapter(&table, "hci0")->path, "/org/bluez/hci0");
	ck_assert_ptr_null(bz_objects_adapter(&table, "hci3"));
	bz_objects_clear(&table);
	ck_assert_ptr_null(bz_objects_adapter(&table, NULL));
}
END_TEST

START_TEST(finds_characteristics_below_their_device_only)
{
	const char *rx = "00000002-ACCE-423C-93FD-0C07A0051858";
	const char *tx = "00000003-acce-423c-93fd-0c07a0051858";

	add_string(PATH "/service0010/char0011", CHARACTERISTIC, "UUID", rx);
	add_string(PATH "1/service0010/char0013", CHARACTERISTIC, "UUID", tx);
	add_string(PATH "/service0010/char0015", CHARACTERISTIC, "UUID",
		"00001524-1212-efde-1523-785feabcd123");
	ck_assert_ptr_nonnull(bz_objects_char(&table, PATH, BZ_RX));
	ck_assert_ptr_null(bz_objects_char(&table, PATH, BZ_TX));
	ck_assert_uint_eq(table.count, 2); /* others are not kept */
	bz_objects_clear(&table);
}
END_TEST

START_TEST(invalidated_rssi_is_unknown)
{
	dbus_int16_t rssi = -70;
	struct bz_news news;

	add(PATH, DEVICE, "RSSI", DBUS_TYPE_INT16, &rssi);
	ck_assert_int_eq(bz_objects_find(&table, PATH)->rssi_dbm, -70);
	news = change(PATH, DEVICE, NULL, 0, NULL, "RSSI");
	ck_assert_uint_eq(news.bits, 0);
	ck_assert_int_eq(bz_objects_find(&table, PATH)->rssi_dbm, LINK_RSSI_UNKNOWN);
	rssi = 300;
	change(PATH, DEVICE, "RSSI", DBUS_TYPE_INT16, &rssi, NULL);
	ck_assert_int_eq(bz_objects_find(&table, PATH)->rssi_dbm, LINK_RSSI_UNKNOWN);
	bz_objects_clear(&table);
}
END_TEST

START_TEST(not_connected_is_not_resolved)
{
	dbus_bool_t no = FALSE;
	struct bz_object *o = add_bool(PATH, DEVICE, "ServicesResolved", true);

	o->is_connected = true;
	change(PATH, DEVICE, "Connected", DBUS_TYPE_BOOLEAN, &no, NULL);
	ck_assert(!o->is_connected && !o->is_resolved);
	bz_objects_clear(&table);
}
END_TEST

START_TEST(properties_of_another_interface_or_path_say_nothing)
{
	dbus_bool_t yes = TRUE;
	struct bz_object *o = add_bool(PATH, DEVICE, "Connected", false);

	change(PATH, ADAPTER, "Powered", DBUS_TYPE_BOOLEAN, &yes, NULL);
	change(PATH, "org.bluez.Battery1", "Connected", DBUS_TYPE_BOOLEAN, &yes, NULL);
	change(PATH "2", DEVICE, "Connected", DBUS_TYPE_BOOLEAN, &yes, NULL);
	ck_assert(!o->is_connected && !o->is_powered);
	ck_assert_uint_eq(table.count, 1);
	bz_objects_clear(&table);
}
END_TEST

static DBusMessage *removed(const char *path, const char *interface)
{
	DBusMessage *msg = dbus_message_new_signal(
		"/", "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved");
	const char **names = &interface;

	ck_assert(dbus_message_append_args(msg, DBUS_TYPE_OBJECT_PATH, &path, DBUS_TYPE_ARRAY,
		DBUS_TYPE_STRING, &names, 1, DBUS_TYPE_INVALID));
	return msg;
}

START_TEST(goes_with_its_own_interface_only)
{
	DBusMessage *other = removed(PATH, "org.bluez.Battery1"), *own = removed(PATH, DEVICE);
	struct bz_news news;

	add_bool(PATH, DEVICE, "Connected", false);
	ck_assert_int_eq(bz_objects_removed(&table, other, &news), ERR_OK);
	ck_assert_uint_eq(news.bits, 0);
	ck_assert_int_eq(bz_objects_removed(&table, own, &news), ERR_OK);
	ck_assert_uint_eq(news.bits, BZ_NEWS_REMOVED);
	ck_assert_int_eq(news.kind, BZ_DEVICE);
	ck_assert_uint_eq(table.count, 0);
	ck_assert_int_eq(bz_objects_removed(&table, own, &news), ERR_OK);
	ck_assert_uint_eq(news.bits, 0);
	dbus_message_unref(other);
	dbus_message_unref(own);
}
END_TEST

/* Each of the three signals, read as each of the others, and the reply of another call. */
START_TEST(refuses_messages_of_a_wrong_signature)
{
	dbus_bool_t yes = TRUE;
	DBusMessage *a = added(PATH, DEVICE, "Connected", DBUS_TYPE_BOOLEAN, &yes);
	DBusMessage *r = removed(PATH, DEVICE);
	DBusMessage *c = changed(PATH, DEVICE, "Connected", DBUS_TYPE_BOOLEAN, &yes, NULL);
	DBusMessage *reply = dbus_message_new(DBUS_MESSAGE_TYPE_METHOD_RETURN);
	DBusMessage *error = dbus_message_new(DBUS_MESSAGE_TYPE_ERROR);
	struct bz_news news;

	ck_assert_int_eq(bz_objects_added(&table, r, &news), ERR_INVALID);
	ck_assert_int_eq(bz_objects_added(&table, c, &news), ERR_INVALID);
	ck_assert_int_eq(bz_objects_removed(&table, a, &news), ERR_INVALID);
	ck_assert_int_eq(bz_objects_removed(&table, c, &news), ERR_INVALID);
	ck_assert_int_eq(bz_objects_changed(&table, a, &news), ERR_INVALID);
	ck_assert_int_eq(bz_objects_changed(&table, r, &news), ERR_INVALID);
	ck_assert_int_eq(bz_objects_fill(&table, reply), ERR_INVALID);
	ck_assert_int_eq(bz_objects_fill(&table, error), ERR_IO);
	ck_assert_uint_eq(table.count, 0);
	dbus_message_unref(a);
	dbus_message_unref(r);
	dbus_message_unref(c);
	dbus_message_unref(reply);
	dbus_message_unref(error);
}
END_TEST

START_TEST(addresses_are_read_strictly)
{
	static const char *const bad[] = {"", "C0:E5:00:00:00", "C0:E5:00:00:00:0",
		"C0:E5:00:00:00:0G", "C0-E5-00-00-00-01",
		"C0:E5:00:00:00:01:", " C0:E5:00:00:00:1"};
	struct link_addr addr = {1, {0}};
	char path[BZ_PATH_MAX], long_one[BZ_PATH_MAX];

	ck_assert_int_eq(bz_addr_parse("C0:E5:00:00:0a:01", addr.b), ERR_OK);
	ck_assert_uint_eq(addr.b[5], 0xC0);
	ck_assert_uint_eq(addr.b[0], 0x01);
	ck_assert_int_eq(bz_device_path("/org/bluez/hci0", &addr, path), ERR_OK);
	ck_assert_str_eq(path, "/org/bluez/hci0/dev_C0_E5_00_00_0A_01");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(bz_addr_parse(bad[i], addr.b), ERR_INVALID);
	memset(long_one, 'x', sizeof(long_one) - 1);
	long_one[sizeof(long_one) - 1] = '\0';
	ck_assert_int_eq(bz_device_path(long_one, &addr, path), ERR_RANGE);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, chooses_the_powered_adapter_with_the_smallest_path);
	tcase_add_test(tc, finds_characteristics_below_their_device_only);
	tcase_add_test(tc, invalidated_rssi_is_unknown);
	tcase_add_test(tc, not_connected_is_not_resolved);
	tcase_add_test(tc, properties_of_another_interface_or_path_say_nothing);
	tcase_add_test(tc, goes_with_its_own_interface_only);
	tcase_add_test(tc, refuses_messages_of_a_wrong_signature);
	tcase_add_test(tc, addresses_are_read_strictly);
}

int main(void)
{
	return suite_main("link_bluez_objects", fill);
}
