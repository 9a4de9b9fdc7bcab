/* An enrollee's state file: what is taken prints back to the same bytes, its channel included, and
 * what cannot be printed is refused. */
#include "enrollee/state.h"

#include "fuzz/fuzz.h"

static void there_and_back(struct state *s)
{
	const struct public32 device = {{1}};
	struct enr_channel ch;

	state_to_channel(s, &device, &ch);
	MUST(ch.role == ENR_ENROLLEE && ch.epoch == s->epoch && ch.window == s->window);
	state_from_channel(s, &ch);
	bytes_wipe(&ch, sizeof(ch));
}

/* One answer without the other, which no file can say. */
static void unprintable(struct state *s)
{
	char text[STATE_TEXT_MAX];
	size_t n = 0;

	s->heard.n = s->heard.n == 0 ? 1 : 0;
	MUST(state_print(s, text, sizeof(text), &n) == ERR_STATE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state s;
	char text[STATE_TEXT_MAX];
	size_t n = 0;

	if (state_parse((const char *)data, size, &s) == ERR_OK) {
		if (s.stage == STATE_ENROLLED)
			there_and_back(&s);
		MUST(state_print(&s, text, sizeof(text), &n) == ERR_OK);
		MUST(n == size && memcmp(text, data, n) == 0);
		if (s.stage == STATE_ENROLLED)
			unprintable(&s);
	}
	state_wipe(&s);
	return 0;
}
