/* Runs every case of serial-index.json: serial text <-> index, as the reference has it. */
#include "enr/serial.h"

#include "support/vectors.h"
#include "unit/suite.h"

START_TEST(prints_every_index)
{
	json_t *root = vectors_load("serial-index.json"), *c;
	size_t i;

	json_array_foreach(vectors_array(root, "indexToSerial"), i, c)
	{
		uint32_t index = (uint32_t)vectors_uint(c, "index"), back = 0;
		const char *serial = vectors_text(c, "serial");
		char text[SERIAL_TEXT_SIZE];

		serial_print(index, text);
		if (index == SERIAL_INDEX_INVALID) {
			/* The reference prints a text that it does not read back; we print none. */
			ck_assert_str_eq(text, "");
			ck_assert_int_ne(serial_parse(serial, strlen(serial), &back), ERR_OK);
			continue;
		}
		ck_assert_str_eq(text, serial);
		ck_assert_int_eq(serial_parse(serial, strlen(serial), &back), ERR_OK);
		ck_assert_uint_eq(back, index);
	}
	vectors_ran("indexToSerial", i);
	json_decref(root);
}
END_TEST

/* What the value would be in 64 bits, and whether the length is one that is ever printed. */
static bool is_beyond_reference(const char *serial)
{
	const char *alphabet = "BCDFGHJKLMNPQRSTVWXYZ123456789";
	size_t n = strlen(serial);
	uint64_t v = 0;

	if (serial[0] == 'A') {
		serial++;
		n--;
	}
	for (size_t i = 0; i < n && v < UINT64_MAX / 64; i++)
		v = v * 30 + (uint64_t)(strchr(alphabet, serial[i]) - alphabet);
	return (n != 5 && n != 7) || v >= SERIAL_INDEX_INVALID;
}

/*
 * Where we are stricter than the reference, by rule (serial.h): it takes any length and lets the
 * value wrap at 2^32; we take the two lengths that are printed, and no value above 0xFFFFFFFE.
 */
START_TEST(parses_every_serial)
{
	json_t *root = vectors_load("serial-index.json"), *c;
	size_t i, stricter = 0;

	json_array_foreach(vectors_array(root, "serialToIndex"), i, c)
	{
		const char *serial = vectors_text(c, "serial");
		uint32_t index = 0;
		char text[SERIAL_TEXT_SIZE];
		enum err e = serial_parse(serial, strlen(serial), &index);

		if (vectors_bool(c, "rejected")) {
			ck_assert_msg(e != ERR_OK, "'%s' was taken", serial);
		} else if (is_beyond_reference(serial)) {
			ck_assert_msg(e != ERR_OK, "'%s' was taken", serial);
			stricter++;
		} else {
			ck_assert_msg(e == ERR_OK, "'%s': %s", serial, err_text(e));
			ck_assert_uint_eq(index, (uint32_t)vectors_uint(c, "index"));
			serial_print(index, text);
			ck_assert_str_eq(text, vectors_text(c, "canonicalSerialForIndex"));
			ck_assert(vectors_bool(c, "roundTrip") == (strcmp(text, serial) == 0));
		}
	}
	vectors_ran("serialToIndex", i);
	printf("serialToIndex: %zu of them refused where the reference is lenient\n", stricter);
	json_decref(root);
}
END_TEST

START_TEST(knows_the_constants)
{
	json_t *root = vectors_load("serial-index.json");
	json_t *c = vectors_object(root, "constants");

	ck_assert_uint_eq(vectors_uint(c, "SHORT_SERIAL_NUMBER_INDEX_MAX"), SERIAL_SHORT_COUNT);
	ck_assert_uint_eq(
		vectors_uint(c, "SERIAL_NUMBER_FM_TESTING_RANGE_START"), SERIAL_TESTING_FIRST);
	ck_assert_uint_eq(
		vectors_uint(c, "SERIAL_NUMBER_FM_TESTING_RANGE_END"), SERIAL_TESTING_LAST);
	ck_assert_uint_eq(vectors_uint(c, "INVALID_SERIAL_NUMBER_INDEX"), SERIAL_INDEX_INVALID);
	json_decref(root);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, prints_every_index);
	tcase_add_test(tc, parses_every_serial);
	tcase_add_test(tc, knows_the_constants);
}

int main(void)
{
	return suite_main("vec_serial", fill);
}
