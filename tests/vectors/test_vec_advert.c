/* Runs every case of advertising.json: what nodes of the reference transmit, read and written. */
#include "enr/joinme.h"
#include "enr/meshadv.h"
#include "enr/serial.h"

#include "support/vectors.h"
#include "unit/suite.h"

static bool flag(const json_t *parsed, const char *key)
{
	return vectors_uint(parsed, key) != 0;
}

static void check_fields(const json_t *p, const struct meshadv *adv)
{
	json_t *ids = vectors_array(p, "moduleIds");
	char serial[SERIAL_TEXT_SIZE];

	ck_assert(adv->is_emergency == (vectors_uint(p, "messageType") == 8));
	ck_assert_uint_eq(adv->network_id, vectors_uint(p, "networkId"));
	ck_assert(adv->is_enrolled == flag(p, "isEnrolled"));
	ck_assert(adv->is_sink == flag(p, "isSink"));
	ck_assert(adv->is_zero_key_connectable == flag(p, "isZeroKeyConnectable"));
	ck_assert(adv->has_free_in_connection == flag(p, "hasFreeInConnection"));
	ck_assert(adv->is_interested_in_connection == flag(p, "interestedInConnection"));
	ck_assert_uint_eq(adv->serial_index, vectors_uint(p, "serialIndex"));
	serial_print(adv->serial_index, serial);
	ck_assert_str_eq(serial, vectors_text(p, "serial"));
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(adv->module_ids[i], json_integer_value(json_array_get(ids, i)));
	if (vectors_has(p, "deviceType"))
		ck_assert_uint_eq(adv->device_type, vectors_uint(p, "deviceType"));
}

static bool is_ours(const json_t *parsed)
{
	const char *kind = vectors_text(parsed, "kind");

	return strcmp(kind, "MESH_ACCESS") == 0 || strcmp(kind, "EMERGENCY_MESH_ACCESS") == 0;
}

/* Whole payload, BlueZ's part of it, back to the same bytes, and the scan response. */
static void check_ours(const json_t *payload, const json_t *parsed, const uint8_t *raw, size_t n)
{
	uint8_t out[MESHADV_BYTES], scan[MESHADV_BYTES];
	struct meshadv adv, value;
	uint32_t serial;
	size_t scan_n;

	ck_assert_int_eq(meshadv_decode(raw, n, &adv), ERR_OK);
	check_fields(parsed, &adv);
	ck_assert_uint_gt(n, 11);
	ck_assert_int_eq(meshadv_decode_value(raw + 11, n - 11, &value), ERR_OK);
	check_fields(parsed, &value);
	if (n == MESHADV_BYTES && vectors_uint(parsed, "reserved") == 0) {
		meshadv_encode(&adv, out);
		ck_assert_mem_eq(out, raw, n);
	}
	scan_n = vectors_hex(payload, "scanResponse", scan, sizeof(scan));
	if (scan_n == 0)
		return;
	ck_assert_int_eq(meshadv_decode_scan_response(scan, scan_n, &serial), ERR_OK);
	ck_assert_uint_eq(serial, adv.serial_index);
	ck_assert_uint_eq(meshadv_encode_scan_response(adv.serial_index, out), scan_n);
	ck_assert_mem_eq(out, scan, scan_n);
}

static bool is_join_me(const json_t *parsed)
{
	return strcmp(vectors_text(parsed, "kind"), "JOIN_ME_V0") == 0;
}

static void check_join_me(const json_t *p, const uint8_t *raw, size_t n)
{
	uint8_t out[JOINME_BYTES];
	struct joinme m;

	ck_assert_int_eq(joinme_decode(raw, n, &m), ERR_OK);
	ck_assert_uint_eq(m.network_id, vectors_uint(p, "networkId"));
	ck_assert_uint_eq(m.node_id, vectors_uint(p, "sender"));
	ck_assert_uint_eq(m.cluster_id, vectors_uint(p, "clusterId"));
	ck_assert_uint_eq((uint16_t)m.cluster_size, vectors_uint(p, "clusterSize"));
	ck_assert_uint_eq(m.free_in, vectors_uint(p, "freeMeshInConnections"));
	ck_assert_uint_eq(m.free_out, vectors_uint(p, "freeMeshOutConnections"));
	ck_assert_uint_eq(m.battery_runtime, vectors_uint(p, "batteryRuntime"));
	ck_assert_uint_eq((uint8_t)m.tx_power_dbm, vectors_uint(p, "txPower"));
	ck_assert_uint_eq(m.device_type, vectors_uint(p, "deviceType"));
	ck_assert_uint_eq(m.hops_to_sink, vectors_uint(p, "hopsToSink"));
	ck_assert_uint_eq(m.mesh_write_handle, vectors_uint(p, "meshWriteHandle"));
	ck_assert_uint_eq(m.ack, vectors_uint(p, "ackField"));
	ck_assert_int_eq(joinme_encode(&m, out), ERR_OK);
	ck_assert_mem_eq(out, raw, JOINME_BYTES);
}

START_TEST(reads_and_writes_every_payload)
{
	json_t *root = vectors_load("advertising.json"), *scenario, *payload;
	size_t i, k, ours = 0, others = 0, join_mes = 0;

	json_array_foreach(vectors_array(root, "scenarios"), i, scenario)
	{
		json_array_foreach(vectors_array(scenario, "payloads"), k, payload)
		{
			json_t *parsed = vectors_object(payload, "parsed");
			uint8_t raw[MESHADV_BYTES];
			size_t n = vectors_hex(payload, "advData", raw, sizeof(raw));
			struct meshadv adv;

			if (is_ours(parsed)) {
				check_ours(payload, parsed, raw, n);
				ours++;
			} else {
				ck_assert_int_ne(meshadv_decode(raw, n, &adv), ERR_OK);
				others++;
			}
			if (!is_join_me(parsed))
				continue;
			check_join_me(parsed, raw, n);
			join_mes++;
		}
	}
	vectors_ran("advertisements of MeshAccess", ours);
	vectors_ran("other advertisements, refused", others);
	vectors_ran("advertisements JOIN_ME", join_mes);
	json_decref(root);
}
END_TEST

/* The other message types that share UUID 0xFE12. */
START_TEST(refuses_every_foreign_layout)
{
	json_t *root = vectors_load("advertising.json"), *layout;
	const char *name;
	size_t count = 0;

	json_object_foreach(vectors_object(root, "structLayouts"), name, layout)
	{
		uint8_t raw[MESHADV_BYTES];
		size_t n = vectors_hex(layout, "hex", raw, sizeof(raw));
		struct meshadv adv;

		ck_assert_msg(meshadv_decode(raw, n, &adv) == ERR_UNKNOWN, "%s was taken", name);
		ck_assert_uint_gt(n, 4);
		ck_assert_int_eq(meshadv_decode_value(raw + 4, n - 4, &adv), ERR_UNKNOWN);
		count++;
	}
	vectors_ran("structLayouts, refused", count);
	json_decref(root);
}
END_TEST

static void fill(TCase *tc)
{
	tcase_add_test(tc, reads_and_writes_every_payload);
	tcase_add_test(tc, refuses_every_foreign_layout);
}

int main(void)
{
	return suite_main("vec_advert", fill);
}
