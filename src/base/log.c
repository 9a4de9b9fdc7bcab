/* Formats a line and writes it in one call. Knows nothing of what it logs. */
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LOG_LINE_MAX 1024

static enum log_level log_max = LOG_LEVEL_INFO;

void log_set_level(enum log_level max)
{
	log_max = max;
}

/* What came from outside must not start a line of its own or move the cursor. */
static void make_printable(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7F)
			*s = '?';
}

void log_write(enum log_level level, const char *format, ...)
{
	static const char *const priority[] = {"<3>", "<4>", "<6>", "<7>"};
	static const char *const word[] = {"error: ", "warning: ", "", "debug: "};
	char line[LOG_LINE_MAX];
	const char *head = getenv("JOURNAL_STREAM") ? priority[level] : word[level];
	va_list ap;

	if (level > log_max)
		return;
	va_start(ap, format);
	(void)vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	make_printable(line);
	(void)fprintf(stderr, "%s%s\n", head, line);
}
