/* Words for a refusal. */
#include "base/reason.h"

#include <stdarg.h>
#include <stdio.h>

void reason_set(struct reason *why, const char *field, const char *format, ...)
{
	va_list args;

	if (!why)
		return;
	why->field = field;
	va_start(args, format);
	(void)vsnprintf(why->text, sizeof(why->text), format, args);
	va_end(args);
}
