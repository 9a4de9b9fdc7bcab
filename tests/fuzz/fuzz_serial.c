/* Serial text and index: what is taken is a number that comes back. */
#include "enr/serial.h"

#include "fuzz/fuzz.h"

static void index_comes_back(uint32_t index)
{
	char text[SERIAL_TEXT_SIZE];
	uint32_t back;

	serial_print(index, text);
	MUST(strlen(text) == (index == SERIAL_INDEX_INVALID       ? 0u
				     : index < SERIAL_SHORT_COUNT ? 5u
								  : 7u));
	if (index != SERIAL_INDEX_INVALID)
		MUST(serial_parse(text, strlen(text), &back) == ERR_OK && back == index);
	(void)serial_vendor(index);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	uint32_t index;

	if (serial_parse((const char *)data, size, &index) == ERR_OK) {
		MUST(index != SERIAL_INDEX_INVALID);
		index_comes_back(index);
	}
	index_comes_back(rd_u32(&r));
	return 0;
}
