#include "base/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto_openssl.h"
#include "unit/suite.h"

static char dir[] = "/tmp/test_seal.XXXXXX";
static char path[64];

static void make_dir(void)
{
	memcpy(strrchr(dir, '.') + 1, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/enrolld.key", dir);
}

static void remove_dir(void)
{
	(void)unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
}

static struct seal *make_seal(uint8_t byte)
{
	struct secret32 key;
	struct seal *s;

	memset(key.b, byte, sizeof(key.b));
	key.b[0] = 1;
	ck_assert_int_eq(seal_new(crypto_default(), &key, &s), ERR_OK);
	return s;
}

static const uint8_t secret[] = "a secret of some length";
static const struct span plain = {secret, sizeof(secret)};

START_TEST(opens_what_it_sealed)
{
	struct seal *s = make_seal(1);
	uint8_t out[100], back[100];
	size_t n, m;

	ck_assert_int_eq(seal_put(s, "opk.priv", 7, plain, out, sizeof(out), &n), ERR_OK);
	ck_assert_uint_eq(n, plain.n + SEAL_OVERHEAD_BYTES);
	ck_assert_int_eq(
		seal_get(s, "opk.priv", 7, (struct span){out, n}, back, sizeof(back), &m), ERR_OK);
	ck_assert_uint_eq(m, plain.n);
	ck_assert_mem_eq(back, secret, m);
	seal_free(s);
}
END_TEST

START_TEST(sealed_bytes_begin_with_version_and_key_id)
{
	struct seal *s = make_seal(1), *other = make_seal(2);
	uint8_t out[100], again[100];
	struct rd r;
	size_t n;

	ck_assert_int_eq(seal_put(s, "t.c", 1, plain, out, sizeof(out), &n), ERR_OK);
	r = rd_init(out, n);
	ck_assert_uint_eq(rd_u8(&r), 1);
	ck_assert_uint_eq(rd_u32(&r), seal_key_id(s));
	ck_assert(seal_key_id(s) != seal_key_id(other));
	ck_assert_int_eq(seal_put(s, "t.c", 1, plain, again, sizeof(again), &n), ERR_OK);
	ck_assert(memcmp(out + 5, again + 5, 12) != 0); /* a nonce of its own each time */
	seal_free(s);
	seal_free(other);
}
END_TEST

START_TEST(opens_in_no_other_row_column_or_with_another_key)
{
	struct seal *s = make_seal(1), *other = make_seal(2);
	uint8_t out[100], back[100];
	struct span in;
	size_t n, m;

	ck_assert_int_eq(seal_put(s, "t.c", 1, plain, out, sizeof(out), &n), ERR_OK);
	in = (struct span){out, n};
	ck_assert_int_eq(seal_get(s, "t.c", 2, in, back, sizeof(back), &m), ERR_AUTH);
	ck_assert_int_eq(seal_get(s, "t.c", 257, in, back, sizeof(back), &m), ERR_AUTH);
	ck_assert_int_eq(seal_get(s, "t.cc", 1, in, back, sizeof(back), &m), ERR_AUTH);
	ck_assert_int_eq(seal_get(s, "u.c", 1, in, back, sizeof(back), &m), ERR_AUTH);
	ck_assert_int_eq(seal_get(other, "t.c", 1, in, back, sizeof(back), &m), ERR_KEY);
	ck_assert_uint_eq(m, 0);
	seal_free(s);
	seal_free(other);
}
END_TEST

START_TEST(every_changed_missing_or_added_byte_is_refused)
{
	struct seal *s = make_seal(1);
	uint8_t out[100] = {0}, back[100];
	size_t n, m;

	ck_assert_int_eq(seal_put(s, "t.c", 1, plain, out, sizeof(out), &n), ERR_OK);
	for (size_t i = 0; i < n; i++) {
		out[i] ^= 1;
		ck_assert_int_ne(
			seal_get(s, "t.c", 1, (struct span){out, n}, back, sizeof(back), &m),
			ERR_OK);
		out[i] ^= 1;
	}
	for (size_t cut = 0; cut < n; cut++)
		ck_assert_int_eq(
			seal_get(s, "t.c", 1, (struct span){out, cut}, back, sizeof(back), &m),
			cut < SEAL_OVERHEAD_BYTES ? ERR_SHORT : ERR_AUTH);
	ck_assert_int_eq(
		seal_get(s, "t.c", 1, (struct span){out, n + 1}, back, sizeof(back), &m), ERR_AUTH);
	out[0] = 2;
	ck_assert_int_eq(
		seal_get(s, "t.c", 1, (struct span){out, n}, back, sizeof(back), &m), ERR_VERSION);
	seal_free(s);
}
END_TEST

START_TEST(room_and_names_are_checked)
{
	struct seal *s = make_seal(1);
	uint8_t out[100], back[100];
	char name[SEAL_COLUMN_MAX + 2];
	size_t n, m;

	ck_assert_int_eq(
		seal_put(s, "t.c", 1, plain, out, plain.n + SEAL_OVERHEAD_BYTES - 1, &n), ERR_FULL);
	ck_assert_int_eq(seal_put(s, "t.c", 1, plain, out, sizeof(out), &n), ERR_OK);
	ck_assert_int_eq(
		seal_get(s, "t.c", 1, (struct span){out, n}, back, plain.n - 1, &m), ERR_FULL);
	memset(name, 'a', sizeof(name));
	name[SEAL_COLUMN_MAX + 1] = '\0';
	ck_assert_int_eq(seal_put(s, name, 1, plain, out, sizeof(out), &n), ERR_RANGE);
	name[SEAL_COLUMN_MAX] = '\0';
	ck_assert_int_eq(seal_put(s, name, 1, plain, out, sizeof(out), &n), ERR_OK);
	ck_assert_int_eq(seal_put(s, "", 1, plain, out, sizeof(out), &n), ERR_RANGE);
	seal_free(s);
	seal_free(NULL);
}
END_TEST

/* --- key files --- */

static struct seal_source source_of(const char *p)
{
	struct seal_source src = {.is_credential = false};

	(void)snprintf(src.path, sizeof(src.path), "%s", p);
	return src;
}

/* Expects the error, and the words in the reason. */
static void check_refused(struct seal_source src, enum err want, const char *words)
{
	struct seal_reason why;
	struct seal *s;

	ck_assert_int_eq(seal_load(crypto_default(), &src, &s, &why), want);
	ck_assert_ptr_null(s);
	ck_assert_msg(strstr(why.text, words) != NULL, "reason: %s", why.text);
}

static void write_file(const char *bytes, size_t n, mode_t mode)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(path, mode), 0);
}

START_TEST(created_key_loads_and_is_0600_whatever_the_umask)
{
	struct seal_source src;
	struct seal_reason why;
	struct seal *s;
	struct stat st;
	mode_t mask;

	make_dir();
	src = source_of(path);
	mask = umask(0277);
	ck_assert_int_eq(seal_key_create(crypto_default(), path, &why), ERR_OK);
	umask(mask);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(st.st_size, 32);
	ck_assert_int_eq(seal_load(crypto_default(), &src, &s, &why), ERR_OK);
	ck_assert_str_eq(why.text, "");
	seal_free(s);
	remove_dir();
}
END_TEST

START_TEST(existing_key_is_never_overwritten)
{
	struct seal_reason why;
	struct seal_source src;
	struct seal *a, *b;

	make_dir();
	src = source_of(path);
	ck_assert_int_eq(seal_key_create(crypto_default(), path, &why), ERR_OK);
	ck_assert_int_eq(seal_load(crypto_default(), &src, &a, &why), ERR_OK);
	ck_assert_int_eq(seal_key_create(crypto_default(), path, &why), ERR_CONFLICT);
	ck_assert_ptr_nonnull(strstr(why.text, "exists already"));
	ck_assert_int_eq(seal_load(crypto_default(), &src, &b, &why), ERR_OK);
	ck_assert_uint_eq(seal_key_id(a), seal_key_id(b));
	seal_free(a);
	seal_free(b);
	remove_dir();
}
END_TEST

START_TEST(key_files_open_to_others_are_refused)
{
	static const mode_t bad[] = {0640, 0604, 0660, 0601, 0610, 0644, 0666, 0440};
	struct seal_reason why;
	struct seal *s;
	struct seal_source src;

	make_dir();
	src = source_of(path);
	write_file("0123456789abcdef0123456789abcdef", 32, 0400);
	ck_assert_int_eq(seal_load(crypto_default(), &src, &s, &why), ERR_OK);
	seal_free(s);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(chmod(path, bad[i]), 0);
		check_refused(src, ERR_DENIED, "open to group or others");
	}
	src.is_credential = true; /* an access list shows as group permission */
	ck_assert_int_eq(seal_load(crypto_default(), &src, &s, &why), ERR_OK);
	seal_free(s);
	ck_assert_int_eq(chmod(path, 0444), 0);
	check_refused(src, ERR_DENIED, "open to group or others");
	ck_assert_int_eq(chmod(path, 0600), 0);
	remove_dir();
}
END_TEST

START_TEST(key_files_of_another_size_are_refused)
{
	static const size_t sizes[] = {0, 1, 31, 33, 64};
	static const char bytes[64] = "0123456789";

	make_dir();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		write_file(bytes, sizes[i], 0600);
		check_refused(source_of(path), ERR_INVALID, "32 bytes");
	}
	remove_dir();
}
END_TEST

START_TEST(key_files_without_a_key_are_refused)
{
	char bytes[32];

	make_dir();
	memset(bytes, 0, sizeof(bytes));
	write_file(bytes, sizeof(bytes), 0600);
	check_refused(source_of(path), ERR_KEY, "no key");
	memset(bytes, 0xff, sizeof(bytes));
	write_file(bytes, sizeof(bytes), 0600);
	check_refused(source_of(path), ERR_KEY, "no key");
	remove_dir();
}
END_TEST

START_TEST(what_is_no_regular_file_is_refused)
{
	char link[80];

	make_dir();
	check_refused(source_of(path), ERR_NOT_FOUND, "does not exist");
	check_refused(source_of(dir), ERR_DENIED, "not a regular file");
	write_file("0123456789abcdef0123456789abcdef", 32, 0600);
	(void)snprintf(link, sizeof(link), "%s/link", dir);
	ck_assert_int_eq(symlink(path, link), 0);
	check_refused(source_of(link), ERR_DENIED, "symbolic link");
	ck_assert_int_eq(unlink(link), 0);
	ck_assert_int_eq(mkfifo(link, 0600), 0);
	check_refused(source_of(link), ERR_DENIED, "not a regular file");
	ck_assert_int_eq(unlink(link), 0);
	remove_dir();
}
END_TEST

START_TEST(key_files_of_other_users_are_refused)
{
	make_dir();
	write_file("0123456789abcdef0123456789abcdef", 32, 0600);
	if (geteuid() == 0) { /* else we cannot give it away */
		ck_assert_int_eq(chown(path, 65534, (gid_t)-1), 0);
		check_refused(source_of(path), ERR_DENIED, "neither this user nor root");
	}
	remove_dir();
}
END_TEST

START_TEST(credential_comes_first_if_it_is_there)
{
	struct seal_source src;

	make_dir();
	ck_assert_int_eq(seal_source_find(dir, "/etc/enrolld/key", &src), ERR_OK);
	ck_assert_str_eq(src.path, "/etc/enrolld/key");
	ck_assert(!src.is_credential);
	write_file("x", 1, 0600);
	ck_assert_int_eq(seal_source_find(dir, "/etc/enrolld/key", &src), ERR_OK);
	ck_assert_str_eq(src.path, path);
	ck_assert(src.is_credential);
	ck_assert_int_eq(seal_source_find(NULL, "/etc/enrolld/key", &src), ERR_OK);
	ck_assert_str_eq(src.path, "/etc/enrolld/key");
	ck_assert_int_eq(seal_source_find("", "/etc/enrolld/key", &src), ERR_OK);
	ck_assert_str_eq(src.path, "/etc/enrolld/key");
	remove_dir();
}
END_TEST

START_TEST(too_long_paths_do_not_fit)
{
	static char text[SEAL_PATH_MAX + 1];
	struct seal_source src;

	memset(text, 'a', SEAL_PATH_MAX);
	ck_assert_int_eq(seal_source_find(NULL, text, &src), ERR_FULL);
	ck_assert_int_eq(seal_source_find(text, "k", &src), ERR_FULL);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, opens_what_it_sealed);
	tcase_add_test(tc, sealed_bytes_begin_with_version_and_key_id);
	tcase_add_test(tc, opens_in_no_other_row_column_or_with_another_key);
	tcase_add_test(tc, every_changed_missing_or_added_byte_is_refused);
	tcase_add_test(tc, room_and_names_are_checked);
	tcase_add_test(tc, created_key_loads_and_is_0600_whatever_the_umask);
	tcase_add_test(tc, existing_key_is_never_overwritten);
	tcase_add_test(tc, key_files_open_to_others_are_refused);
	tcase_add_test(tc, key_files_of_another_size_are_refused);
	tcase_add_test(tc, key_files_without_a_key_are_refused);
	tcase_add_test(tc, what_is_no_regular_file_is_refused);
	tcase_add_test(tc, key_files_of_other_users_are_refused);
	tcase_add_test(tc, credential_comes_first_if_it_is_there);
	tcase_add_test(tc, too_long_paths_do_not_fit);
}

int main(void)
{
	return suite_main("seal", fill);
}
