/* What every unit program shares: one Check suite, its closing line, the exit status. */
#ifndef UNIT_SUITE_H
#define UNIT_SUITE_H

#include <check.h>
#include <stdlib.h>

/* Runs the suite made of the given test case and exits: 0 when all checks passed. */
static inline int suite_main(const char *name, void (*fill)(TCase *))
{
	Suite *s = suite_create(name);
	TCase *tc = tcase_create(name);
	SRunner *r;
	int failed;

	/* A hang is a minute of nothing; a test has two seconds at most, for a machine may be
	 * busy. Check's own 4 s are too few now and then. */
	tcase_set_timeout(tc, 60);
	fill(tc);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
