/* QR labels: what is taken can be printed, and is then the same label. */
#include "enr/qrlabel.h"

#include "fuzz/fuzz.h"

static void same(const struct qr_label *a, const struct qr_label *b)
{
	MUST(a->serial_index == b->serial_index && a->manufacturer == b->manufacturer);
	MUST(a->has_node_key == b->has_node_key && a->has_key == b->has_key);
	MUST(memcmp(a->node_key.b, b->node_key.b, 16) == 0);
	MUST(a->key_id == b->key_id && memcmp(a->key.b, b->key.b, 16) == 0);
	MUST(a->device_type == b->device_type && strcmp(a->name, b->name) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct qr_label label, back;
	struct qr_label_problem problem;
	char text[QR_LABEL_PRINT_MAX];
	size_t n;

	if (qr_label_parse((const char *)data, size, &label, &problem) != ERR_OK) {
		MUST(problem.reason[0] != '\0');
		MUST(bytes_are_ct(&label, sizeof(label), 0));
		return 0;
	}
	MUST(label.has_node_key || label.has_key);
	MUST(qr_label_print(&label, text, sizeof(text), &n) == ERR_OK);
	MUST(qr_label_parse(text, n, &back, &problem) == ERR_OK);
	same(&label, &back);
	return 0;
}
