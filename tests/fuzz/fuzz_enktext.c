/* Texts that people type or scan: announcement keys, Addr, id prefixes. One value, one spelling. */
#include <stdlib.h>

#include "enr/enrollmsg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_key(const char *text, size_t chars)
{
	char out[ENROLLMSG_KEY_TEXT_CHARS + 1];
	struct public32 key;

	if (enrollmsg_key_parse(text, chars, &key) != ERR_OK)
		return;
	if (enrollmsg_key_print(&key, out, sizeof(out)) != ERR_OK || strlen(out) != chars ||
		memcmp(out, text, chars) != 0)
		abort();
}

/* Only ":5683" may be written out or left out. */
static void check_addr(struct span text)
{
	struct enrollmsg_addr a, back;
	char out[X3DH_ADDR_MAX + 1];

	if (enrollmsg_addr_parse(text, &a) != ERR_OK)
		return;
	if (enrollmsg_addr_print(&a, out, sizeof(out)) != ERR_OK ||
		enrollmsg_addr_parse((struct span){(uint8_t *)out, strlen(out)}, &back) != ERR_OK ||
		memcmp(&a, &back, sizeof(a)) != 0)
		abort();
	if (strlen(out) != text.n && strlen(out) + 5 != text.n)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct enrollmsg_prefix p;

	check_key((const char *)data, size);
	check_addr((struct span){data, size});
	if (enrollmsg_prefix_parse((const char *)data, size, 64, &p) == ERR_OK &&
		(!enrollmsg_prefix_match(&p, p.first, 32) ||
			!enrollmsg_prefix_match(&p, p.last, 32)))
		abort();
	return 0;
}
