/* Makes and lets go. */
#include "control/stream.h"

#include <stdlib.h>

struct stream *stream_new(bool continues)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (s)
		s->continues = continues;
	return s;
}

void stream_free(struct stream *s)
{
	if (s && s->cancel)
		s->cancel(s->task);
	free(s);
}
