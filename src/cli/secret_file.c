/* Reads keys and labels from files. */
#include "cli/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/fail.h"

/* Bytes read, or -1. */
static ssize_t read_all(int fd, char *p, size_t cap)
{
	size_t used = 0;

	while (used < cap) {
		ssize_t n = read(fd, p + used, cap - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	return (ssize_t)used;
}

const char *secret_file_name(const char *path)
{
	return strcmp(path, "-") == 0 ? "standard input" : path;
}

int secret_file_read(const char *path, char **text)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	*text = NULL;
	if (fd < 0)
		return fail(EX_NOINPUT, "%s: %s", secret_file_name(path), strerror(errno));
	*text = calloc(1, SECRET_FILE_MAX + 2);
	n = *text ? read_all(fd, *text, SECRET_FILE_MAX + 1) : -1;
	if (fd != STDIN_FILENO)
		(void)close(fd);
	if (n >= 0 && n <= (ssize_t)SECRET_FILE_MAX && strlen(*text) == (size_t)n)
		return EX_OK;
	secret_file_free(*text);
	*text = NULL;
	if (n < 0)
		return fail(EX_NOINPUT, "%s: cannot read it", secret_file_name(path));
	return fail(EX_DATAERR, "%s: not a text file of at most 1 MiB", secret_file_name(path));
}

void secret_file_free(char *text)
{
	if (text)
		explicit_bzero(text, SECRET_FILE_MAX + 2);
	free(text);
}

char *secret_file_line(char **at)
{
	while (*at) {
		char *line = *at, *end = strchr(line, '\n');

		*at = end ? end + 1 : NULL;
		if (end)
			*end = '\0';
		line += strspn(line, " \t\r");
		for (size_t n = strlen(line); n > 0 && strchr(" \t\r", line[n - 1]); n--)
			line[n - 1] = '\0';
		if (*line && *line != '#')
			return line;
	}
	return NULL;
}

json_t *secret_file_key(const char *text)
{
	char digits[33] = "";
	size_t n = 0;
	json_t *key;

	for (const char *p = text; *p; p++) {
		if (strchr(":- \t", *p))
			continue;
		if (n == 32 || !strchr("0123456789abcdefABCDEF", *p))
			return NULL;
		digits[n++] = *p;
	}
	key = n == 32 ? json_string(digits) : NULL;
	explicit_bzero(digits, sizeof(digits));
	return key;
}
