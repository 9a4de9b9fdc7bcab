#include "base/clock.h"

#include <string.h>

#include "enr/bytes.h"
#include "unit/suite.h"

START_TEST(same_boot_and_never_backwards)
{
	struct clock_now a, b;

	ck_assert_int_eq(clock_read(&a), ERR_OK);
	ck_assert_int_eq(clock_read(&b), ERR_OK);
	ck_assert_mem_eq(a.boot_id, b.boot_id, sizeof(a.boot_id));
	ck_assert(!bytes_are_ct(a.boot_id, sizeof(a.boot_id), 0));
	ck_assert(b.boot_ms >= a.boot_ms);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, same_boot_and_never_backwards);
}

int main(void)
{
	return suite_main("clock", fill);
}
