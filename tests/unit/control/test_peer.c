#include "control/peer.h"

#include <sys/socket.h>
#include <unistd.h>

#include "unit/suite.h"

static const struct peer_groups groups = {.admin = 10, .enroller = 11, .observer = 12};

START_TEST(the_highest_group_counts)
{
	static const struct {
		gid_t gids[4];
		enum role want;
	} rows[] = {
		{{100, 101, 102, 103}, ROLE_NONE},
		{{12, 1, 2, 3}, ROLE_OBSERVER},
		{{1, 2, 3, 11}, ROLE_ENROLLER},
		{{12, 11, 1, 2}, ROLE_ENROLLER},
		{{11, 12, 10, 1}, ROLE_ADMIN},
		{{10, 12, 11, 1}, ROLE_ADMIN},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		ck_assert_int_eq(peer_role(&groups, 500, 1000, rows[i].gids, 4), rows[i].want);
	ck_assert_int_eq(peer_role(&groups, 500, 1000, NULL, 0), ROLE_NONE);
}
END_TEST

START_TEST(root_and_our_own_uid_are_admin)
{
	ck_assert_int_eq(peer_role(&groups, 500, 0, NULL, 0), ROLE_ADMIN);
	ck_assert_int_eq(peer_role(&groups, 500, 500, NULL, 0), ROLE_ADMIN);
	ck_assert_int_eq(peer_role(&groups, 500, 501, NULL, 0), ROLE_NONE);
}
END_TEST

START_TEST(a_group_that_does_not_exist_has_no_members)
{
	static const struct peer_groups none = {(gid_t)-1, (gid_t)-1, (gid_t)-1};
	gid_t gids[] = {(gid_t)-1, 0};

	ck_assert_int_eq(peer_role(&none, 500, 1000, gids, 2), ROLE_NONE);
}
END_TEST

START_TEST(the_kernel_says_who_it_is)
{
	struct caller who;
	int fd[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	ck_assert_int_eq(peer_read(fd[0], &groups, &who), ERR_OK);
	ck_assert_uint_eq(who.uid, geteuid());
	ck_assert_int_eq(who.role, ROLE_ADMIN);
	ck_assert(who.name[0] != '\0');
	close(fd[0]);
	close(fd[1]);
}
END_TEST

START_TEST(what_is_no_socket_is_refused)
{
	struct caller who;
	int fd[2];

	ck_assert_int_eq(pipe(fd), 0);
	ck_assert_int_eq(peer_read(fd[0], &groups, &who), ERR_IO);
	close(fd[0]);
	close(fd[1]);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, the_highest_group_counts);
	tcase_add_test(tc, root_and_our_own_uid_are_admin);
	tcase_add_test(tc, a_group_that_does_not_exist_has_no_members);
	tcase_add_test(tc, the_kernel_says_who_it_is);
	tcase_add_test(tc, what_is_no_socket_is_refused);
}

int main(void)
{
	return suite_main("peer", fill);
}
