/* Advertisements and scan responses: what is taken is written again and means the same. */
#include "enr/meshadv.h"

#include "enr/joinme.h"
#include "enr/serial.h"

#include "fuzz/fuzz.h"

static void comes_back(const struct meshadv *adv)
{
	uint8_t raw[MESHADV_BYTES], again[MESHADV_BYTES];
	struct meshadv back;

	meshadv_encode(adv, raw);
	MUST(meshadv_decode(raw, sizeof(raw), &back) == ERR_OK);
	MUST(back.serial_index == adv->serial_index && back.network_id == adv->network_id);
	meshadv_encode(&back, again);
	MUST(memcmp(raw, again, sizeof(raw)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t scan[MESHADV_SCAN_RESPONSE_MAX];
	uint8_t raw[JOINME_BYTES];
	struct meshadv adv;
	struct joinme join;
	uint32_t serial, back;

	if (joinme_decode(data, size, &join) == ERR_OK)
		MUST(joinme_encode(&join, raw) == ERR_OK && memcmp(raw, data, size) == 0);
	if (meshadv_decode(data, size, &adv) == ERR_OK)
		comes_back(&adv);
	if (meshadv_decode_value(data, size, &adv) == ERR_OK)
		comes_back(&adv);
	if (meshadv_decode_scan_response(data, size, &serial) == ERR_OK) {
		size_t n = meshadv_encode_scan_response(serial, scan);

		MUST(meshadv_decode_scan_response(scan, n, &back) == ERR_OK && back == serial);
	}
	return 0;
}
