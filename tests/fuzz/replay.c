/*
 * A plain main for a fuzz target: runs it on every file of tests/fuzz/corpus/NAME and on every
 * prefix of it, in buffers of exactly that size. NAME is in the program's own name,
 * fuzz_NAME-replay.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "fuzz/fuzz.h"

#define FILE_MAX 65536
#define PREFIXES_MAX 512 /* of longer files only the whole is run */

static void run(const uint8_t *data, size_t n)
{
	uint8_t *copy = malloc(n > 0 ? n : 1);

	if (!copy)
		abort();
	memcpy(copy, data, n);
	(void)LLVMFuzzerTestOneInput(copy, n);
	free(copy);
}

static size_t replay_file(const char *path)
{
	static uint8_t data[FILE_MAX];
	FILE *f = fopen(path, "rb");
	size_t n, count = 1;

	if (!f) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	n = fread(data, 1, sizeof(data), f);
	fclose(f);
	run(data, n);
	for (size_t k = 0; k < n && n <= PREFIXES_MAX; k++, count++)
		run(data, k);
	return count;
}

/* "…/fuzz_NAME-replay" → NAME. */
static const char *target(const char *program, char *name, size_t size)
{
	const char *base = strrchr(program, '/');
	char *end;

	base = base ? base + 1 : program;
	if (strncmp(base, "fuzz_", 5) != 0)
		return NULL;
	snprintf(name, size, "%s", base + 5);
	end = strstr(name, "-replay");
	if (end)
		*end = '\0';
	return name;
}

int main(int argc, char **argv)
{
	char name[64], path[512];
	size_t count = 0;
	struct dirent *entry;
	DIR *dir;

	if (argc < 1 || !target(argv[0], name, sizeof(name)))
		return EXIT_FAILURE;
	snprintf(path, sizeof(path), "tests/fuzz/corpus/%s", name);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "tests/fuzz/corpus/%s/%s", name, entry->d_name);
		count += replay_file(path);
	}
	if (dir)
		closedir(dir);
	printf("%s: %zu passed, %d failed\n", name, count, count == 0 ? 1 : 0);
	return count == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
