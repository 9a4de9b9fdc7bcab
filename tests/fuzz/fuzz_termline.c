/* Terminal lines: what is taken keeps the limits of the vendor's terminal. */
#include "core/termline.h"

#include "enr/serial.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct termline line;
	enum err e = termline_parse((const char *)data, size, &line);

	MUST(termline_code_of(e) <= TERMLINE_TOO_FEW);
	if (e != ERR_OK)
		return 0;
	MUST(size <= TERMLINE_BYTES_MAX);
	MUST(line.serials <= TERMLINE_SERIALS_MAX);
	MUST(line.timeout_s > 0 && line.timeout_s <= 127);
	for (size_t i = 0; i < line.serials; i++)
		MUST(line.serial[i] != SERIAL_INDEX_INVALID);
	if (line.verb == TERMLINE_ENROLL)
		MUST(line.node_id > 0 && line.network_id > 1 && line.serials == 1);
	termline_clear(&line);
	return 0;
}
