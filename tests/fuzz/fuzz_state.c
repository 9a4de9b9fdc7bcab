/* An enrollee's state file: what is taken prints back to the same bytes. */
#include "enrollee/state.h"

#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state s;
	char text[STATE_TEXT_MAX];
	size_t n = 0;

	if (state_parse((const char *)data, size, &s) == ERR_OK) {
		MUST(state_print(&s, text, sizeof(text), &n) == ERR_OK);
		MUST(n == size && memcmp(text, data, n) == 0);
	}
	state_wipe(&s);
	return 0;
}
