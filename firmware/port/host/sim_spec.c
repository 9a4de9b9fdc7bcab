/* The text side of simulated nodes: specs read, states printed. */
#include <stdlib.h>

#include "base/crypto_openssl.h"
#include "enr/hex.h"
#include "enr/meshadv.h"
#include "enr/serial.h"
#include "sim_node.h"

#define FINGERPRINT_BYTES 4
#define VALUE_MAX 200

void sim_spec_init(struct sim_spec *spec)
{
	memset(spec, 0, sizeof(*spec));
	spec->device_type = MESHADV_DEVICE_STATIC;
	spec->gateway_rssi_dbm = AIR_RSSI_AUTO;
	memset(spec->preset.user_base_key.b, 0xFF, 16);
	memset(spec->preset.organization_key.b, 0xFF, 16);
}

static enum err parse_number(const char *text, long min, long max, long *out)
{
	char *end;
	long v = strtol(text, &end, 10);

	if (end == text || *end != '\0' || v < min || v > max)
		return ERR_INVALID;
	*out = v;
	return ERR_OK;
}

static enum err parse_u16(const char *text, uint16_t *out)
{
	long v;
	enum err e = parse_number(text, 0, 0xFFFF, &v);

	if (e == ERR_OK)
		*out = (uint16_t)v;
	return e;
}

static enum err parse_key(const char *text, struct secret16 *out)
{
	return hex_parse(text, strlen(text), out->b, sizeof(out->b));
}

static enum err parse_bool(const char *text, bool *out)
{
	long v;
	enum err e = parse_number(text, 0, 1, &v);

	if (e == ERR_OK)
		*out = v == 1;
	return e;
}

static enum err parse_position(const char *text, struct sim_spec *s)
{
	int x, y;
	char rest;

	if (sscanf(text, "%d,%d%c", &x, &y, &rest) != 2)
		return ERR_INVALID;
	s->x_m = x;
	s->y_m = y;
	s->has_position = true;
	return ERR_OK;
}

struct word {
	const char *text;
	uint32_t value;
};

static const struct word types[] = {
	{"static", MESHADV_DEVICE_STATIC},
	{"roaming", MESHADV_DEVICE_ROAMING},
	{"sink", MESHADV_DEVICE_SINK},
	{"asset", MESHADV_DEVICE_ASSET},
	{"leaf", MESHADV_DEVICE_LEAF},
};

static const struct word faults[] = {
	{"none", SIM_FAULT_NONE},
	{"flash", SIM_FAULT_FLASH},
	{"flash1", SIM_FAULT_FLASH_1},
	{"mute", SIM_FAULT_MUTE},
	{"nojoin", SIM_FAULT_NO_JOIN},
	{"nocccd", SIM_FAULT_NO_CCCD},
	{"corrupt", SIM_FAULT_CORRUPT},
	{"noconnect", SIM_FAULT_NO_CONNECT},
	{"prefail", SIM_FAULT_PRE_FAIL},
	{"prewait", SIM_FAULT_PRE_WAIT},
};

static enum err find_word(
	const struct word *words, size_t count, const char *text, size_t n, uint32_t *out)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(words[i].text) == n && strncmp(words[i].text, text, n) == 0) {
			*out = words[i].value;
			return ERR_OK;
		}
	return ERR_UNKNOWN;
}

enum err sim_faults_parse(const char *text, uint32_t *out)
{
	*out = 0;
	while (*text != '\0') {
		size_t n = strcspn(text, ",");
		uint32_t fault;
		enum err e = find_word(faults, sizeof(faults) / sizeof(faults[0]), text, n, &fault);

		if (e != ERR_OK)
			return e;
		*out |= fault;
		text += n;
		text += *text == ',' ? 1 : 0;
	}
	return ERR_OK;
}

static enum err parse_type(const char *text, struct sim_spec *s)
{
	uint32_t type;
	enum err e = find_word(types, sizeof(types) / sizeof(types[0]), text, strlen(text), &type);

	if (e == ERR_OK)
		s->device_type = (uint8_t)type;
	return e;
}

static enum err parse_rssi(const char *text, struct sim_spec *s)
{
	long v;
	enum err e = parse_number(text, -127, 20, &v);

	if (e == ERR_OK)
		s->gateway_rssi_dbm = (int)v;
	return e;
}

static enum err parse_button(const char *text, struct sim_spec *s)
{
	long v;
	enum err e = parse_number(text, 0, 255, &v);

	if (e == ERR_OK)
		s->button_ds = (uint8_t)v;
	return e;
}

static enum err parse_field(struct sim_spec *s, const char *name, const char *value)
{
	struct sim_enrollment *p = &s->preset;

	if (strcmp(name, "serial") == 0)
		return serial_parse(value, strlen(value), &s->serial_index);
	if (strcmp(name, "nodekey") == 0)
		return parse_key(value, &s->node_key);
	if (strcmp(name, "type") == 0)
		return parse_type(value, s);
	if (strcmp(name, "pos") == 0)
		return parse_position(value, s);
	if (strcmp(name, "rssi") == 0)
		return parse_rssi(value, s);
	if (strcmp(name, "uicr-network") == 0)
		return parse_u16(value, &s->uicr_network_id);
	if (strcmp(name, "uicr-id") == 0)
		return parse_u16(value, &s->uicr_node_id);
	if (strcmp(name, "uicr-netkey") == 0) {
		s->has_uicr_network_key = true;
		return parse_key(value, &s->uicr_network_key);
	}
	if (strcmp(name, "unsecure") == 0)
		return parse_bool(value, &s->unsecure);
	if (strcmp(name, "volatile") == 0)
		return parse_bool(value, &s->no_storage);
	if (strcmp(name, "button") == 0)
		return parse_button(value, s);
	if (strcmp(name, "poweroff") == 0)
		return parse_bool(value, &s->button_power_off);
	if (strcmp(name, "network") == 0) {
		p->enrolled = true;
		return parse_u16(value, &p->network_id);
	}
	if (strcmp(name, "id") == 0)
		return parse_u16(value, &p->node_id);
	if (strcmp(name, "netkey") == 0)
		return parse_key(value, &p->network_key);
	if (strcmp(name, "userkey") == 0)
		return parse_key(value, &p->user_base_key);
	if (strcmp(name, "orgkey") == 0)
		return parse_key(value, &p->organization_key);
	if (strcmp(name, "fault") == 0)
		return sim_faults_parse(value, &s->faults);
	return ERR_UNKNOWN;
}

/* Copies the next word of *line to field and cuts it at '='. ERR_NOT_FOUND: none left. */
static enum err next_field(const char **line, char field[VALUE_MAX], char **value)
{
	size_t n;

	*line += strspn(*line, " \t\r\n");
	n = strcspn(*line, " \t\r\n");
	if (n == 0)
		return ERR_NOT_FOUND;
	if (n >= VALUE_MAX)
		return ERR_INVALID;
	memcpy(field, *line, n);
	field[n] = '\0';
	*line += n;
	*value = strchr(field, '=');
	if (!*value)
		return ERR_INVALID;
	*(*value)++ = '\0';
	return ERR_OK;
}

enum err sim_spec_parse(const char *line, struct sim_spec *out)
{
	char field[VALUE_MAX], *value;
	enum err e;

	sim_spec_init(out);
	out->serial_index = SERIAL_INDEX_INVALID;
	line += strspn(line, " \t\r\n");
	if (*line == '\0' || *line == '#')
		return ERR_NOT_FOUND;
	while ((e = next_field(&line, field, &value)) == ERR_OK) {
		e = parse_field(out, field, value);
		if (e != ERR_OK)
			return e;
	}
	if (e != ERR_NOT_FOUND || out->serial_index == SERIAL_INDEX_INVALID)
		return ERR_INVALID;
	return ERR_OK;
}

static void print_key(FILE *f, const char *name, const struct secret16 *key, bool full)
{
	const struct span part = {key->b, sizeof(key->b)};
	const struct crypto *crypto = crypto_default();
	uint8_t hash[32];

	fprintf(f, ",\"%s\":", name);
	if (secret16_is_unset(key)) {
		fputs("null", f);
		return;
	}
	if (!crypto || crypto->sha256(crypto->ctx, &part, 1, hash) != ERR_OK)
		memset(hash, 0, sizeof(hash));
	fputc('"', f);
	for (size_t i = 0; i < (full ? sizeof(key->b) : FINGERPRINT_BYTES); i++)
		fprintf(f, "%02x", full ? key->b[i] : hash[i]);
	fputc('"', f);
}

void sim_state_fields(
	FILE *f, uint32_t serial_index, const struct sim_enrollment *e, bool full_keys)
{
	char serial[SERIAL_TEXT_SIZE];

	serial_print(serial_index, serial);
	fprintf(f, "\"serial\":\"%s\",\"enrolled\":%s,\"network_id\":%u,\"node_id\":%u", serial,
		e->enrolled ? "true" : "false", e->network_id, e->node_id);
	print_key(f, "network_key", &e->network_key, full_keys);
	print_key(f, "user_base_key", &e->user_base_key, full_keys);
	print_key(f, "organization_key", &e->organization_key, full_keys);
}

void sim_state_print(FILE *f, uint32_t serial_index, const struct sim_enrollment *e, bool full_keys)
{
	fputc('{', f);
	sim_state_fields(f, serial_index, e, full_keys);
	fputs("}\n", f);
}
