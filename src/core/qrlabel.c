/* The QR label of a node, both ways (mesh-protocol §5.4). */
#include "enr/qrlabel.h"

#include "core/utf8.h"
#include "enr/hex.h"
#include "enr/meshsec.h"

#define VALUE_MAX QR_LABEL_NAME_MAX /* the longest decoded value of a known field */
#define KEY_BYTES 16

struct parse {
	struct qr_label *out;
	bool has_kt;
	bool has_k;
	uint32_t kt;
	struct secret16 k;
	const char *reason; /* set by a field that refuses its value */
};

static enum err refuse(struct parse *p, enum err e, const char *reason)
{
	p->reason = reason;
	return e;
}

/* --- small readers ------------------------------------------------------------------------- */

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool equals(const char *text, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++) {
		if (word[i] == '\0' || upper(text[i]) != upper(word[i]))
			return false;
	}
	return word[n] == '\0';
}

static bool read_decimal(const char *v, size_t n, uint32_t *out)
{
	uint64_t x = 0;

	if (n == 0 || n > 10)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (v[i] < '0' || v[i] > '9')
			return false;
		x = x * 10 + (uint64_t)(v[i] - '0');
	}
	*out = (uint32_t)x;
	return x <= UINT32_MAX;
}

/* --- the fields ---------------------------------------------------------------------------- */

static enum err field_qt(struct parse *p, const char *v, size_t n)
{
	return equals(v, n, "1") ? ERR_OK : refuse(p, ERR_UNKNOWN, "is not 1: not a node's label");
}

static enum err field_v(struct parse *p, const char *v, size_t n)
{
	return equals(v, n, "1") ? ERR_OK : refuse(p, ERR_VERSION, "is not 1: unknown version");
}

static enum err field_mf(struct parse *p, const char *v, size_t n)
{
	uint16_t id = 0;

	if (n == 0 || n > 4)
		return refuse(p, ERR_INVALID, "is not a company id of up to 4 hexadecimal digits");
	for (size_t i = 0; i < n; i++) {
		int d = hex_digit(v[i]);

		if (d < 0)
			return refuse(p, ERR_INVALID, "is not hexadecimal");
		id = (uint16_t)(id << 4 | d);
	}
	p->out->manufacturer = id;
	return ERR_OK;
}

static enum err field_s(struct parse *p, const char *v, size_t n)
{
	enum err e = serial_parse(v, n, &p->out->serial_index);

	return e ? refuse(p, e, "is not a serial number") : ERR_OK;
}

static enum err key_field(struct parse *p, const char *v, size_t n, struct secret16 *out)
{
	if (hex_parse(v, n, out->b, sizeof(out->b)) != ERR_OK)
		return refuse(p, ERR_INVALID, "is not a key of 32 hexadecimal digits");
	return secret16_is_unset(out) ? refuse(p, ERR_KEY, "is all 0 or all F") : ERR_OK;
}

static enum err field_nk(struct parse *p, const char *v, size_t n)
{
	p->out->has_node_key = true;
	return key_field(p, v, n, &p->out->node_key);
}

static enum err field_kt(struct parse *p, const char *v, size_t n)
{
	p->has_kt = true;
	return read_decimal(v, n, &p->kt) ? ERR_OK : refuse(p, ERR_INVALID, "is not a number");
}

static enum err field_k(struct parse *p, const char *v, size_t n)
{
	p->has_k = true;
	return key_field(p, v, n, &p->k);
}

static enum err field_nm(struct parse *p, const char *v, size_t n)
{
	bool is_printable;

	if (!utf8_is_valid(v, n, &is_printable))
		return refuse(p, ERR_INVALID, "is not UTF-8");
	if (!is_printable)
		return refuse(p, ERR_INVALID, "holds control characters");
	memcpy(p->out->name, v, n);
	p->out->name[n] = '\0';
	return ERR_OK;
}

static const char *const device_types[] = {"BLENODE", "EDGEROUTER", "ASSET", "MESHBRIDGE"};
#define DEVICE_TYPE_COUNT (sizeof(device_types) / sizeof(device_types[0]))

const char *qr_device_type_text(enum qr_device_type type)
{
	return (size_t)type < DEVICE_TYPE_COUNT ? device_types[type] : "?";
}

enum err qr_device_type_parse(const char *text, size_t n, enum qr_device_type *type)
{
	for (size_t i = 0; i < DEVICE_TYPE_COUNT; i++) {
		if (equals(text, n, device_types[i])) {
			*type = (enum qr_device_type)i;
			return ERR_OK;
		}
	}
	return ERR_UNKNOWN;
}

static enum err field_dt(struct parse *p, const char *v, size_t n)
{
	enum err e = qr_device_type_parse(v, n, &p->out->device_type);

	return e ? refuse(p, e, "is not a device type") : ERR_OK;
}

static const struct field {
	const char *name;
	enum err (*apply)(struct parse *p, const char *value, size_t n);
	bool is_mandatory;
} fields[] = {
	{"qt", field_qt, true},
	{"v", field_v, true},
	{"mf", field_mf, true},
	{"s", field_s, true},
	{"nk", field_nk, false},
	{"kt", field_kt, false},
	{"k", field_k, false},
	{"nm", field_nm, false},
	{"dt", field_dt, false},
};
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

/* --- the label ----------------------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void trim(const char **text, size_t *n)
{
	while (*n > 0 && is_blank((*text)[*n - 1]))
		(*n)--;
	while (*n > 0 && is_blank((*text)[0])) {
		(*text)++;
		(*n)--;
	}
}

/* Some generators print a whole URL: what counts begins behind its '?'. */
static void skip_url(const char **text, size_t *n)
{
	for (size_t i = 0; i < *n && (*text)[i] != '=' && (*text)[i] != '&'; i++) {
		if ((*text)[i] == '?') {
			*text += i + 1;
			*n -= i + 1;
			return;
		}
	}
}

/* URL decoding; ERR_RANGE if the value does not fit, ERR_INVALID for a broken percent sign. */
static enum err unescape(const char *v, size_t n, char out[VALUE_MAX], size_t *len)
{
	*len = 0;
	for (size_t i = 0; i < n; i++) {
		char c = v[i] == '+' ? ' ' : v[i];

		if (c == '%') {
			int high = i + 2 < n ? hex_digit(v[i + 1]) : -1;
			int low = i + 2 < n ? hex_digit(v[i + 2]) : -1;

			if (high < 0 || low < 0)
				return ERR_INVALID;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (*len == VALUE_MAX)
			return ERR_RANGE;
		out[(*len)++] = c;
	}
	return ERR_OK;
}

static enum err apply(struct parse *p, const struct field *f, const char *v, size_t n)
{
	char value[VALUE_MAX];
	size_t len;
	enum err e = unescape(v, n, value, &len);

	if (e == ERR_RANGE)
		refuse(p, e, "is too long");
	else if (e)
		refuse(p, e, "holds a broken % sequence");
	else
		e = f->apply(p, value, len);
	bytes_wipe(value, sizeof(value));
	return e;
}

/* The table's number of a name, or FIELD_COUNT: unknown fields are the vendor's business. */
static size_t field_find(const char *name, size_t n)
{
	size_t i = 0;

	while (i < FIELD_COUNT && !equals(name, n, fields[i].name))
		i++;
	return i;
}

static size_t find_char(const char *text, size_t n, char c)
{
	size_t i = 0;

	while (i < n && text[i] != c)
		i++;
	return i;
}

/* One name=value; *at is the number of its field, for the report. */
static enum err pair(struct parse *p, const char *text, size_t n, uint32_t *seen, size_t *at)
{
	size_t name_n = find_char(text, n, '=');
	size_t value_at = name_n < n ? name_n + 1 : n;

	*at = field_find(text, name_n);
	if (*at == FIELD_COUNT)
		return ERR_OK;
	if (*seen & 1u << *at)
		return refuse(p, ERR_INVALID, "is given twice");
	*seen |= 1u << *at;
	return apply(p, &fields[*at], text + value_at, n - value_at);
}

static enum err missing(struct parse *p, uint32_t seen, size_t *at)
{
	for (*at = 0; *at < FIELD_COUNT; (*at)++) {
		if (fields[*at].is_mandatory && !(seen & 1u << *at))
			return refuse(p, ERR_INVALID, "is missing");
	}
	return ERR_OK;
}

/* kt and k belong together; with kt=1 they are another way to write nk. */
static enum err settle_keys(struct parse *p, size_t *at)
{
	*at = field_find("k", 1);
	if (p->has_kt != p->has_k)
		return refuse(p, ERR_INVALID, "and kt belong together: one is missing");
	if (p->has_k && p->kt == MESHSEC_KEY_NODE) {
		if (p->out->has_node_key && !bytes_equal_ct(p->k.b, p->out->node_key.b, KEY_BYTES))
			return refuse(p, ERR_CONFLICT, "and nk hold different node keys");
		p->out->has_node_key = true;
		p->out->node_key = p->k;
	} else if (p->has_k) {
		p->out->has_key = true;
		p->out->key_id = p->kt;
		p->out->key = p->k;
	}
	*at = field_find("nk", 2);
	if (!p->out->has_node_key && !p->out->has_key)
		return refuse(p, ERR_INVALID, "is missing");
	return ERR_OK;
}

/* An EnOcean label: "30S", the device's 12 hexadecimal digits (8 on old ones), then '+' or the end
 * (EnOcean Alliance, product ID and labelling specification). */
static bool is_enocean(const char *text, size_t n)
{
	size_t digits = 0;

	if (n < 3 || !equals(text, 3, "30S"))
		return false;
	while (3 + digits < n && hex_digit(text[3 + digits]) >= 0)
		digits++;
	return (digits == 12 || digits == 8) && (3 + digits == n || text[3 + digits] == '+');
}

static enum err parse_all(struct parse *p, const char *text, size_t n, size_t *at)
{
	uint32_t seen = 0;
	enum err e = ERR_OK;

	while (n > 0 && !e) {
		size_t len = find_char(text, n, '&');
		size_t step = len < n ? len + 1 : n;

		e = pair(p, text, len, &seen, at);
		text += step;
		n -= step;
	}
	if (!e)
		e = missing(p, seen, at);
	return e ? e : settle_keys(p, at);
}

enum err qr_label_parse(
	const char *text, size_t n, struct qr_label *out, struct qr_label_problem *problem)
{
	struct parse p = {.out = out, .reason = ""};
	size_t at = FIELD_COUNT;
	enum err e = ERR_OK;

	*out = (struct qr_label){0};
	trim(&text, &n);
	if (n > QR_LABEL_TEXT_MAX)
		e = refuse(&p, ERR_RANGE, "longer than a label can be");
	if (!e && is_enocean(text, n))
		e = refuse(&p, ERR_UNKNOWN, "an EnOcean device's label: that is no mesh node");
	if (!e) {
		skip_url(&text, &n);
		e = parse_all(&p, text, n, &at);
	}
	if (problem)
		*problem = (struct qr_label_problem){
			e && at < FIELD_COUNT ? fields[at].name : "", p.reason};
	bytes_wipe(&p, sizeof(p));
	if (e)
		qr_label_clear(out);
	return e;
}

void qr_label_clear(struct qr_label *label)
{
	bytes_wipe(label, sizeof(*label));
}

/* --- printing ------------------------------------------------------------------------------ */

static const char hex_digits[16 + 1] = "0123456789ABCDEF";

static void put_text(struct wr *w, const char *text)
{
	wr_bytes(w, text, strlen(text));
}

static void put_hex(struct wr *w, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		wr_u8(w, (uint8_t)hex_digits[p[i] >> 4]);
		wr_u8(w, (uint8_t)hex_digits[p[i] & 15]);
	}
}

static void put_decimal(struct wr *w, uint32_t v)
{
	char digits[10];
	size_t n = 0;

	do {
		digits[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	while (n > 0)
		wr_u8(w, (uint8_t)digits[--n]);
}

static bool is_unreserved(char c)
{
	return (upper(c) >= 'A' && upper(c) <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '.' || c == '_' || c == '~';
}

static void put_escaped(struct wr *w, const char *text)
{
	for (; *text; text++) {
		uint8_t c = (uint8_t)*text;

		if (is_unreserved(*text)) {
			wr_u8(w, c);
			continue;
		}
		wr_u8(w, '%');
		put_hex(w, &c, 1);
	}
}

static void put_head(struct wr *w, const struct qr_label *label)
{
	const uint8_t mf[] = {(uint8_t)(label->manufacturer >> 8), (uint8_t)label->manufacturer};
	char serial[SERIAL_TEXT_SIZE];

	serial_print(label->serial_index, serial);
	put_text(w, "qt=1&v=1&mf=");
	put_hex(w, mf, sizeof(mf));
	put_text(w, "&s=");
	put_text(w, serial);
}

enum err qr_label_print(const struct qr_label *label, char *out, size_t size, size_t *n)
{
	struct wr w = wr_init(out, size);

	if (!label->has_node_key && !label->has_key)
		return ERR_KEY;
	put_head(&w, label);
	if (label->has_node_key) {
		put_text(&w, "&nk=");
		put_hex(&w, label->node_key.b, KEY_BYTES);
	}
	if (label->has_key) {
		put_text(&w, "&kt=");
		put_decimal(&w, label->key_id);
		put_text(&w, "&k=");
		put_hex(&w, label->key.b, KEY_BYTES);
	}
	put_text(&w, "&dt=");
	put_text(&w, qr_device_type_text(label->device_type));
	if (label->name[0]) {
		put_text(&w, "&nm=");
		put_escaped(&w, label->name);
	}
	*n = w.len_bytes;
	wr_u8(&w, 0);
	if (w.bad)
		bytes_wipe(out, size);
	return wr_end(&w);
}
