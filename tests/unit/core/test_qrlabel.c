#include "enr/qrlabel.h"

#include "unit/suite.h"

#define EXAMPLE "qt=1&v=1&mf=024D&s=BBBBB&nk=12345678123456781234567812345678&dt=BLENODE"
#define KEY "12345678123456781234567812345678"
#define OTHER_KEY "00112233445566778899AABBCCDDEEFF"

static const uint8_t key[16] = {0x12, 0x34, 0x56, 0x78, 0x12, 0x34, 0x56, 0x78, 0x12, 0x34, 0x56,
	0x78, 0x12, 0x34, 0x56, 0x78};

static enum err parse(const char *text, struct qr_label *out)
{
	return qr_label_parse(text, strlen(text), out, NULL);
}

START_TEST(reads_the_example_of_the_specification)
{
	struct qr_label l;

	ck_assert_int_eq(parse(EXAMPLE, &l), ERR_OK);
	ck_assert_uint_eq(l.serial_index, 0);
	ck_assert_uint_eq(l.manufacturer, 0x024D);
	ck_assert(l.has_node_key);
	ck_assert_mem_eq(l.node_key.b, key, 16);
	ck_assert(!l.has_key);
	ck_assert_int_eq(l.device_type, QR_DEVICE_BLENODE);
	ck_assert_str_eq(l.name, "");
}
END_TEST

START_TEST(prints_the_example_of_the_specification)
{
	struct qr_label l;
	char out[QR_LABEL_PRINT_MAX];
	size_t n = 0;

	ck_assert_int_eq(parse(EXAMPLE, &l), ERR_OK);
	ck_assert_int_eq(qr_label_print(&l, out, sizeof(out), &n), ERR_OK);
	ck_assert_str_eq(out, EXAMPLE);
	ck_assert_uint_eq(n, strlen(EXAMPLE));
}
END_TEST

START_TEST(recognizes_an_enocean_label)
{
	static const char *const labels[] = {
		"30S0000FFF01234+1P000B00000050+30PS3221-A230+2PDA01+S01000000", "30S00000412ABCD",
		"30s0412abcd+1P000B0000"};
	static const char *const none[] = {"30S", "30S0412", "30S0000FFF01234X", "S30"};
	struct qr_label_problem problem;
	struct qr_label l;

	for (size_t i = 0; i < sizeof(labels) / sizeof(*labels); i++) {
		ck_assert_int_eq(
			qr_label_parse(labels[i], strlen(labels[i]), &l, &problem), ERR_UNKNOWN);
		ck_assert_ptr_nonnull(strstr(problem.reason, "EnOcean"));
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++) {
		ck_assert_int_ne(qr_label_parse(none[i], strlen(none[i]), &l, &problem), ERR_OK);
		ck_assert_ptr_null(strstr(problem.reason, "EnOcean"));
	}
}
END_TEST

static void same(const struct qr_label *a, const struct qr_label *b)
{
	ck_assert_uint_eq(a->serial_index, b->serial_index);
	ck_assert_uint_eq(a->manufacturer, b->manufacturer);
	ck_assert(a->has_node_key == b->has_node_key);
	ck_assert_mem_eq(a->node_key.b, b->node_key.b, 16);
	ck_assert(a->has_key == b->has_key);
	ck_assert_uint_eq(a->key_id, b->key_id);
	ck_assert_mem_eq(a->key.b, b->key.b, 16);
	ck_assert_int_eq(a->device_type, b->device_type);
	ck_assert_str_eq(a->name, b->name);
}

START_TEST(longest_label_comes_back)
{
	struct qr_label l, back;
	char out[QR_LABEL_PRINT_MAX];
	size_t n = 0;

	ck_assert_int_eq(parse("qt=1&v=1&mf=FFFF&s=H62Q56S&nk=" KEY "&kt=2147483647&k=" OTHER_KEY
			       "&dt=EDGEROUTER",
				 &l),
		ERR_OK);
	for (size_t i = 0; i < QR_LABEL_NAME_MAX; i += 2)
		memcpy(l.name + i, "\xC3\xA9", 2);
	ck_assert_int_eq(qr_label_print(&l, out, sizeof(out), &n), ERR_OK);
	ck_assert_int_eq(qr_label_parse(out, n, &back, NULL), ERR_OK);
	same(&back, &l);
	for (size_t size = 0; size <= n; size++)
		ck_assert_int_eq(qr_label_print(&l, out, size, &n), ERR_FULL);
}
END_TEST

START_TEST(takes_labels_as_they_are_found_in_the_field)
{
	static const char *const texts[] = {
		"dt=BLENODE&nk=" KEY "&s=BBBBB&mf=024D&v=1&qt=1",
		"QT=1&V=1&MF=024d&S=BBBBB&NK=" KEY "&DT=blenode",
		"qt=1&v=1&mf=024D&s=BBBBB&nk=" KEY,
		"qt=1&v=1&mf=24D&s=ABBBBB&nk=" KEY,
		"?qt=1&v=1&mf=024D&s=BBBBB&nk=" KEY,
		"https://example.org/node?qt=1&v=1&mf=024D&s=BBBBB&nk=" KEY,
		" qt=1&v=1&mf=024D&s=BBBBB&nk=" KEY "\r\n",
		"qt=1&&v=1&mf=024D&s=BBBBB&nk=" KEY "&",
		"qt=1&v=1&mf=024D&s=%42BB%42B&nk=" KEY,
		"qt=1&v=1&mf=024D&s=BBBBB&kt=1&k=" KEY,
		"qt=1&v=1&mf=024D&s=BBBBB&nk=" KEY "&kt=1&k=" KEY,
		"qt=1&v=1&mf=024D&s=BBBBB&nk=" KEY "&batch=17&x=%zz&novalue&=5&nm=",
	};
	struct qr_label want, l;

	ck_assert_int_eq(parse(EXAMPLE, &want), ERR_OK);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		ck_assert_msg(parse(texts[i], &l) == ERR_OK, "%s", texts[i]);
		same(&l, &want);
	}
}
END_TEST

START_TEST(reads_names_in_utf8)
{
	struct qr_label l;

	ck_assert_int_eq(parse(EXAMPLE "&nm=Decke+3.%20OG%2C%20K%C3%BCche&x=1", &l), ERR_OK);
	ck_assert_str_eq(l.name, "Decke 3. OG, K\xC3\xBC"
				 "che");
	ck_assert_int_eq(parse(EXAMPLE "&nm=\xE2\x82\xAC%F0%9F%92%A1", &l), ERR_OK);
	ck_assert_str_eq(l.name, "\xE2\x82\xAC\xF0\x9F\x92\xA1");
}
END_TEST

START_TEST(prints_names_escaped)
{
	struct qr_label l;
	char out[QR_LABEL_PRINT_MAX];
	size_t n;

	ck_assert_int_eq(parse(EXAMPLE "&nm=a-Z_3.~%26%3D+%C3%BC", &l), ERR_OK);
	ck_assert_int_eq(qr_label_print(&l, out, sizeof(out), &n), ERR_OK);
	ck_assert_str_eq(out, EXAMPLE "&nm=a-Z_3.~%26%3D%20%C3%BC");
}
END_TEST

START_TEST(keeps_keys_of_other_kinds_apart)
{
	struct qr_label l;

	ck_assert_int_eq(parse("qt=1&v=1&mf=1&s=FMBBB&kt=4&k=" KEY "&dt=ASSET", &l), ERR_OK);
	ck_assert(!l.has_node_key);
	ck_assert(l.has_key);
	ck_assert_uint_eq(l.key_id, 4);
	ck_assert_mem_eq(l.key.b, key, 16);
	ck_assert_int_eq(l.device_type, QR_DEVICE_ASSET);
}
END_TEST

static const struct refusal {
	const char *text;
	enum err e;
	const char *field;
} refusals[] = {
	{"", ERR_INVALID, "qt"},
	{"FMBBB", ERR_INVALID, "qt"},
	{"v=1&mf=024D&s=BBBBB&nk=" KEY, ERR_INVALID, "qt"},
	{"qt=1&mf=024D&s=BBBBB&nk=" KEY, ERR_INVALID, "v"},
	{"qt=1&v=1&s=BBBBB&nk=" KEY, ERR_INVALID, "mf"},
	{"qt=1&v=1&mf=024D&nk=" KEY, ERR_INVALID, "s"},
	{"qt=1&v=1&mf=024D&s=BBBBB", ERR_INVALID, "nk"},
	{"qt=2&v=1&mf=024D&s=BBBBB&nk=" KEY, ERR_UNKNOWN, "qt"},
	{"qt=1&v=2&mf=024D&s=BBBBB&nk=" KEY, ERR_VERSION, "v"},
	{"qt=1&v=&mf=024D&s=BBBBB&nk=" KEY, ERR_VERSION, "v"},
	{"qt=1&v=1&mf=&s=BBBBB&nk=" KEY, ERR_INVALID, "mf"},
	{"qt=1&v=1&mf=0024D&s=BBBBB&nk=" KEY, ERR_INVALID, "mf"},
	{"qt=1&v=1&mf=02G&s=BBBBB&nk=" KEY, ERR_INVALID, "mf"},
	{"qt=1&v=1&mf=024D&s=BBBB0&nk=" KEY, ERR_INVALID, "s"},
	{"qt=1&v=1&mf=024D&s=bbbbb&nk=" KEY, ERR_INVALID, "s"},
	{"qt=1&v=1&mf=024D&s=H62Q56V&nk=" KEY, ERR_RANGE, "s"},
	{"qt=1&v=1&mf=024D&s=BBBBB&s=BBBBB&nk=" KEY, ERR_INVALID, "s"},
	{"qt=1&v=1&mf=024D&s=BBBBB&nk=1234", ERR_INVALID, "nk"},
	{"qt=1&v=1&mf=024D&s=BBBBB&nk=" KEY "00", ERR_INVALID, "nk"},
	{"qt=1&v=1&mf=024D&s=BBBBB&nk=G2345678123456781234567812345678", ERR_INVALID, "nk"},
	{"qt=1&v=1&mf=024D&s=BBBBB&nk=00000000000000000000000000000000", ERR_KEY, "nk"},
	{"qt=1&v=1&mf=024D&s=BBBBB&nk=ffffffffffffffffffffffffffffffff", ERR_KEY, "nk"},
	{"qt=1&v=1&mf=024D&s=BBBBB&kt=2", ERR_INVALID, "k"},
	{"qt=1&v=1&mf=024D&s=BBBBB&k=" KEY, ERR_INVALID, "k"},
	{"qt=1&v=1&mf=024D&s=BBBBB&kt=4294967296&k=" KEY, ERR_INVALID, "kt"},
	{"qt=1&v=1&mf=024D&s=BBBBB&kt=&k=" KEY, ERR_INVALID, "kt"},
	{"qt=1&v=1&mf=024D&s=BBBBB&kt=-1&k=" KEY, ERR_INVALID, "kt"},
	{"qt=1&v=1&mf=024D&s=BBBBB&nk=" KEY "&kt=1&k=" OTHER_KEY, ERR_CONFLICT, "k"},
	{EXAMPLE "&dt=BLENODE", ERR_INVALID, "dt"},
	{"qt=1&v=1&mf=024D&s=BBBBB&nk=" KEY "&dt=TOASTER", ERR_UNKNOWN, "dt"},
	{EXAMPLE "&nm=a%0Ab", ERR_INVALID, "nm"},
	{EXAMPLE "&nm=a%00b", ERR_INVALID, "nm"},
	{EXAMPLE "&nm=%1B[31m", ERR_INVALID, "nm"},
	{EXAMPLE "&nm=%C2%9B", ERR_INVALID, "nm"},
	{EXAMPLE "&nm=%E2%80%AE", ERR_INVALID, "nm"},
	{EXAMPLE "&nm=%C3", ERR_INVALID, "nm"},
	{EXAMPLE "&nm=%C0%AF", ERR_INVALID, "nm"},
	{EXAMPLE "&nm=%ED%A0%80", ERR_INVALID, "nm"},
	{EXAMPLE "&nm=%F4%90%80%80", ERR_INVALID, "nm"},
	{EXAMPLE "&nm=%80", ERR_INVALID, "nm"},
	{EXAMPLE "&nm=%4", ERR_INVALID, "nm"},
	{EXAMPLE "&nm=%", ERR_INVALID, "nm"},
	{EXAMPLE "&nm=%G0", ERR_INVALID, "nm"},
	{EXAMPLE "&nm=12345678901234567890123456789012345678901234567890123456789012345", ERR_RANGE,
		"nm"},
};

START_TEST(refuses_bad_labels_and_says_which_field)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *r = &refusals[i];
		struct qr_label_problem problem;
		struct qr_label l;

		ck_assert_msg(qr_label_parse(r->text, strlen(r->text), &l, &problem) == r->e,
			"%s: %s %s", r->text, problem.field, problem.reason);
		ck_assert_msg(
			strcmp(problem.field, r->field) == 0, "%s: %s", r->text, problem.field);
		ck_assert_str_ne(problem.reason, "");
		ck_assert(bytes_are_ct(&l, sizeof(l), 0));
	}
}
END_TEST

/* A prefix is a label only where cutting took away a field that may be missing. */
START_TEST(refuses_every_truncated_prefix)
{
	static const char text[] = "qt=1&v=1&mf=024D&s=BBBBB&nk=" KEY;
	struct qr_label l;

	for (size_t n = 0; n < strlen(text); n++)
		ck_assert_msg(qr_label_parse(text, n, &l, NULL) != ERR_OK, "%zu bytes", n);
}
END_TEST

START_TEST(refuses_labels_that_are_too_long)
{
	char text[QR_LABEL_TEXT_MAX + 2];
	struct qr_label_problem problem;
	struct qr_label l;
	size_t n = strlen(EXAMPLE "&x=");

	memset(text, 'x', sizeof(text));
	memcpy(text, EXAMPLE "&x=", n);
	ck_assert_int_eq(qr_label_parse(text, QR_LABEL_TEXT_MAX, &l, &problem), ERR_OK);
	ck_assert_int_eq(qr_label_parse(text, QR_LABEL_TEXT_MAX + 1, &l, &problem), ERR_RANGE);
	ck_assert_str_eq(problem.field, "");
}
END_TEST

START_TEST(prints_no_label_without_a_key)
{
	struct qr_label l = {.serial_index = 5};
	char out[QR_LABEL_PRINT_MAX];
	size_t n;

	ck_assert_int_eq(qr_label_print(&l, out, sizeof(out), &n), ERR_KEY);
}
END_TEST

START_TEST(device_types_have_names)
{
	enum qr_device_type type;

	for (int i = QR_DEVICE_BLENODE; i <= QR_DEVICE_MESHBRIDGE; i++) {
		const char *text = qr_device_type_text((enum qr_device_type)i);

		ck_assert_int_eq(qr_device_type_parse(text, strlen(text), &type), ERR_OK);
		ck_assert_int_eq(type, (enum qr_device_type)i);
	}
	ck_assert_int_eq(qr_device_type_parse("ASSE", 4, &type), ERR_UNKNOWN);
	ck_assert_int_eq(qr_device_type_parse("ASSETS", 6, &type), ERR_UNKNOWN);
	ck_assert_int_eq(qr_device_type_parse("", 0, &type), ERR_UNKNOWN);
}
END_TEST

START_TEST(clear_wipes_the_keys)
{
	struct qr_label l;

	ck_assert_int_eq(parse(EXAMPLE, &l), ERR_OK);
	qr_label_clear(&l);
	ck_assert(bytes_are_ct(&l, sizeof(l), 0));
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, reads_the_example_of_the_specification);
	tcase_add_test(tc, prints_the_example_of_the_specification);
	tcase_add_test(tc, recognizes_an_enocean_label);
	tcase_add_test(tc, longest_label_comes_back);
	tcase_add_test(tc, takes_labels_as_they_are_found_in_the_field);
	tcase_add_test(tc, reads_names_in_utf8);
	tcase_add_test(tc, prints_names_escaped);
	tcase_add_test(tc, keeps_keys_of_other_kinds_apart);
	tcase_add_test(tc, refuses_bad_labels_and_says_which_field);
	tcase_add_test(tc, refuses_every_truncated_prefix);
	tcase_add_test(tc, refuses_labels_that_are_too_long);
	tcase_add_test(tc, prints_no_label_without_a_key);
	tcase_add_test(tc, device_types_have_names);
	tcase_add_test(tc, clear_wipes_the_keys);
}

int main(void)
{
	return suite_main("qrlabel", fill);
}
