/*
 * The QR label of a node, version 1 (mesh-protocol §5.4):
 *
 *	qt=1&v=1&mf=024D&s=BBBBB&nk=12345678123456781234567812345678&dt=BLENODE
 *
 * A label holds the node key: whoever parses one wipes it with qr_label_clear.
 */
#ifndef ENR_QRLABEL_H
#define ENR_QRLABEL_H

#include "enr/keys.h"
#include "enr/serial.h"

#define QR_LABEL_TEXT_MAX 1024 /* longest label that is read, bytes */
#define QR_LABEL_PRINT_MAX 352 /* longest label that is printed, with its NUL */
#define QR_LABEL_NAME_MAX 64   /* bytes of UTF-8, after URL decoding */

enum qr_device_type {
	QR_DEVICE_BLENODE = 0, /* the default */
	QR_DEVICE_EDGEROUTER,
	QR_DEVICE_ASSET, /* does not join the mesh: ids 33000…57999 */
	QR_DEVICE_MESHBRIDGE
};

struct qr_label {
	uint32_t serial_index;
	uint16_t manufacturer; /* Bluetooth company id */
	bool has_node_key;     /* by nk, or by kt=1 and k */
	struct secret16 node_key;
	bool has_key; /* kt and k with another key id than 1 */
	uint32_t key_id;
	struct secret16 key;
	enum qr_device_type device_type;
	char name[QR_LABEL_NAME_MAX + 1]; /* empty: none */
};

/* What is wrong with a label, for the installer who holds it: which field, and why. */
struct qr_label_problem {
	const char *field;  /* "qt", "s", …; "" for the label as a whole; static storage */
	const char *reason; /* static storage */
};

/*
 * Reads n bytes. Fields in any order, names and percent signs in any case, a leading '?' or a URL
 * up to and including '?' is skipped, '+' is a blank, unknown fields are ignored, surrounding
 * blanks and line ends too. Refused: a field twice, a missing mandatory field (qt, v, mf, s, a
 * key), control characters or broken UTF-8 in the name, a key of 16×00 or 16×FF; an EnOcean
 * device's label, in its own words. problem may be NULL. On error out is wiped.
 */
ENR_MUST_CHECK enum err qr_label_parse(
	const char *text, size_t n, struct qr_label *out, struct qr_label_problem *problem);

/* Writes the label, fields in the order of the specification's example, and a NUL; *n without it.
 * Holds the key in clear. ERR_FULL if it does not fit, ERR_KEY if the label has no key. */
ENR_MUST_CHECK enum err qr_label_print(
	const struct qr_label *label, char *out, size_t size, size_t *n);

void qr_label_clear(struct qr_label *label);

/* "BLENODE"…, as in field dt; and back: ERR_UNKNOWN if it is none of them. */
const char *qr_device_type_text(enum qr_device_type type);
ENR_MUST_CHECK enum err qr_device_type_parse(const char *text, size_t n, enum qr_device_type *type);

#endif
