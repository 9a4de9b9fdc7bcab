/* The table of configuration keys, and the ini parser that walks it. */
#include "base/conf.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONF_FILE_MAX 65536
#define DAY_S 86400u

enum kind { TEXT, NUMBER, DURATION, WORD };

struct row {
	const char *section;
	const char *key;
	enum kind kind;
	size_t at;
	const char *preset;
	uint32_t min;
	uint32_t max;
	const char *const *words; /* of a WORD: its value is the index */
};

static const char *const link_words[] = {"none", "bluez", "socket", NULL};
static const char *const level_words[] = {"error", "warning", "info", "debug", NULL};

#define AT(field) offsetof(struct conf, field)
static const struct row rows[] = {
	{"store", "database", TEXT, AT(database), "/var/lib/enrolld/enrolld.db", 1, 0, NULL},
	{"store", "key_file", TEXT, AT(key_file), "/var/lib/enrolld/enrolld.key", 1, 0, NULL},
	{"control", "socket", TEXT, AT(control_socket), "/run/enrolld/control.sock", 1, 0, NULL},
	{"control", "connections_per_uid", NUMBER, AT(connections_per_uid), "96", 1, 1024, NULL},
	{"coap", "listen", TEXT, AT(coap_listen), "[::]:5683", 0, 0, NULL},
	{"coap", "host", TEXT, AT(coap_host), "", 0, 0, NULL},
	{"coap", "port", NUMBER, AT(coap_port), "5683", 1, 65535, NULL},
	{"enroll", "bundle_lifetime", DURATION, AT(bundle_lifetime_s), "24h", 60, 30 * DAY_S, NULL},
	{"enroll", "pending_lifetime", DURATION, AT(pending_lifetime_s), "24h", 60, 30 * DAY_S,
		NULL},
	{"enroll", "bundle_quota", NUMBER, AT(bundle_quota), "1000", 1, 1000000, NULL},
	{"enroll", "signed_prekey_lifetime", DURATION, AT(signed_prekey_lifetime_s), "7d", 3600,
		90 * DAY_S, NULL},
	{"enroll", "welcome_file", TEXT, AT(welcome_file), "", 0, 0, NULL},
	{"mesh", "link", WORD, AT(link), "bluez", 0, 0, link_words},
	{"mesh", "bus", TEXT, AT(bus), "system", 1, 0, NULL},
	{"mesh", "adapter", TEXT, AT(adapter), "", 0, 0, NULL},
	{"mesh", "link_socket", TEXT, AT(link_socket), "", 0, 0, NULL},
	{"mesh", "node_lifetime", DURATION, AT(node_lifetime_s), "24h", 60, 90 * DAY_S, NULL},
	{"log", "level", WORD, AT(log_level), "info", 0, 0, level_words},
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

/* Where we are, for the error text. */
struct place {
	const char *file;
	unsigned line;
	char *error;
	bool seen[ROW_COUNT];
};

#define FAIL(p, e, ...) (fail_at((p), __VA_ARGS__), (e))

static __attribute__((format(printf, 2, 3))) void fail_at(
	const struct place *p, const char *format, ...)
{
	va_list ap;
	int n = snprintf(p->error, CONF_ERROR_MAX, "%s:%u: ", p->file, p->line);

	va_start(ap, format);
	if (n >= 0 && n < CONF_ERROR_MAX)
		(void)vsnprintf(p->error + n, CONF_ERROR_MAX - (size_t)n, format, ap);
	va_end(ap);
}

static enum err number(const char *text, const char **rest, uint32_t *out)
{
	uint64_t v = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		v = v * 10 + (uint64_t)(*p - '0');
		if (v > UINT32_MAX)
			return ERR_RANGE;
	}
	*rest = p;
	*out = (uint32_t)v;
	return p == text ? ERR_INVALID : ERR_OK;
}

enum err conf_duration(const char *text, uint32_t *out_s)
{
	static const struct {
		const char *suffix;
		uint32_t factor;
	} units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", DAY_S}};
	const char *rest;
	uint32_t v;
	enum err e = number(text, &rest, &v);

	if (e)
		return e;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(rest, units[i].suffix) != 0)
			continue;
		if (v > UINT32_MAX / units[i].factor)
			return ERR_RANGE;
		*out_s = v * units[i].factor;
		return ERR_OK;
	}
	return ERR_INVALID;
}

static enum err set_text(const struct place *p, const struct row *r, const char *value, char *out)
{
	size_t n = strlen(value);

	if (n >= CONF_TEXT_MAX)
		return FAIL(p, ERR_RANGE, "%s: longer than %d bytes", r->key, CONF_TEXT_MAX - 1);
	if (n < r->min)
		return FAIL(p, ERR_RANGE, "%s must not be empty", r->key);
	memcpy(out, value, n + 1);
	return ERR_OK;
}

static enum err set_word(
	const struct place *p, const struct row *r, const char *value, uint32_t *out)
{
	char list[120] = "";

	for (uint32_t i = 0; r->words[i]; i++) {
		if (strcmp(value, r->words[i]) == 0) {
			*out = i;
			return ERR_OK;
		}
		(void)snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s",
			i ? ", " : "", r->words[i]);
	}
	return FAIL(p, ERR_RANGE, "%s: '%s' is none of %s", r->key, value, list);
}

static enum err set_number(
	const struct place *p, const struct row *r, const char *value, uint32_t *out)
{
	const char *rest = "";
	uint32_t v = 0;
	enum err e = r->kind == DURATION ? conf_duration(value, &v) : number(value, &rest, &v);

	if (e == ERR_INVALID || *rest)
		return FAIL(p, ERR_RANGE, "%s: '%s' is not a %s", r->key, value,
			r->kind == DURATION ? "duration (like 90s, 15m, 24h, 7d)" : "number");
	if (e || v < r->min || v > r->max)
		return FAIL(p, ERR_RANGE, "%s: %s is not between %u and %u%s", r->key, value,
			r->min, r->max, r->kind == DURATION ? " seconds" : "");
	*out = v;
	return ERR_OK;
}

static enum err set_value(
	struct conf *c, const struct place *p, const struct row *r, const char *value)
{
	void *at = (char *)c + r->at;

	switch (r->kind) {
	case TEXT:
		return set_text(p, r, value, at);
	case WORD:
		return set_word(p, r, value, at);
	case NUMBER:
	case DURATION:
		return set_number(p, r, value, at);
	}
	return ERR_INVALID;
}

void conf_defaults(struct conf *c)
{
	char error[CONF_ERROR_MAX];
	struct place p = {.file = "defaults", .error = error};

	memset(c, 0, sizeof(*c));
	for (size_t i = 0; i < ROW_COUNT; i++)
		if (set_value(c, &p, &rows[i], rows[i].preset) != ERR_OK)
			abort(); /* the table contradicts itself */
}

static char *trim(char *s)
{
	char *end;

	s += strspn(s, " \t");
	end = s + strlen(s);
	while (end > s && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
		*--end = '\0';
	return s;
}

static bool section_exists(const char *name)
{
	for (size_t i = 0; i < ROW_COUNT; i++)
		if (strcmp(rows[i].section, name) == 0)
			return true;
	return false;
}

static enum err parse_key(
	struct conf *c, struct place *p, const char *section, const char *key, const char *value)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (strcmp(rows[i].section, section) != 0 || strcmp(rows[i].key, key) != 0)
			continue;
		if (p->seen[i])
			return FAIL(p, ERR_INVALID, "%s is given twice in this file", key);
		p->seen[i] = true;
		return set_value(c, p, &rows[i], value);
	}
	return FAIL(
		p, ERR_UNKNOWN, "[%s] has no key '%s' (enrolld.conf(5) lists them)", section, key);
}

static enum err parse_line(struct conf *c, struct place *p, char section[CONF_TEXT_MAX], char *line)
{
	char *s = trim(line), *equals;
	size_t n = strlen(s);

	if (*s == '\0' || *s == '#' || *s == ';')
		return ERR_OK;
	if (*s == '[' && n < CONF_TEXT_MAX && s[n - 1] == ']') {
		s[n - 1] = '\0';
		memcpy(section, s + 1, n - 1);
		if (!section_exists(section))
			return FAIL(p, ERR_UNKNOWN, "no section [%s] (enrolld.conf(5) lists them)",
				section);
		return ERR_OK;
	}
	equals = strchr(s, '=');
	if (!equals)
		return FAIL(p, ERR_INVALID, "expected 'key = value', '[section]' or a # comment");
	if (!*section)
		return FAIL(p, ERR_INVALID, "a key before the first [section]");
	*equals = '\0';
	return parse_key(c, p, section, trim(s), trim(equals + 1));
}

enum err conf_parse(
	struct conf *c, const char *file, const char *text, size_t n, char error[CONF_ERROR_MAX])
{
	struct place p = {.file = file, .error = error};
	char section[CONF_TEXT_MAX] = "", line[2 * CONF_TEXT_MAX];
	enum err e = ERR_OK;

	error[0] = '\0';
	while (n > 0 && e == ERR_OK) {
		const char *end = memchr(text, '\n', n);
		size_t len = end ? (size_t)(end - text) : n;

		p.line++;
		if (len >= sizeof(line))
			return FAIL(&p, ERR_RANGE, "line longer than %zu bytes", sizeof(line) - 1);
		if (memchr(text, '\0', len))
			return FAIL(&p, ERR_INVALID, "a NUL byte");
		memcpy(line, text, len);
		line[len] = '\0';
		e = parse_line(c, &p, section, line);
		text += len + (end ? 1 : 0);
		n -= len + (end ? 1 : 0);
	}
	return e;
}

static enum err load_one(struct conf *c, const char *file, char error[CONF_ERROR_MAX])
{
	FILE *f = fopen(file, "re");
	char *text;
	size_t n;
	enum err e;

	if (!f) {
		(void)snprintf(error, CONF_ERROR_MAX, "%s: %s", file, strerror(errno));
		return ERR_IO;
	}
	text = malloc(CONF_FILE_MAX);
	n = text ? fread(text, 1, CONF_FILE_MAX, f) : 0;
	(void)fclose(f);
	if (n == CONF_FILE_MAX || !text) {
		(void)snprintf(
			error, CONF_ERROR_MAX, "%s: larger than %d bytes", file, CONF_FILE_MAX - 1);
		free(text);
		return ERR_RANGE;
	}
	e = conf_parse(c, file, text, n, error);
	free(text);
	return e;
}

static int is_dropin(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > 5 && strcmp(d->d_name + n - 5, ".conf") == 0;
}

static enum err load_dropins(struct conf *c, const char *file, char error[CONF_ERROR_MAX])
{
	const char *slash = strrchr(file, '/');
	int dir_len = slash ? (int)(slash - file) : 1;
	char dir[CONF_TEXT_MAX * 2], path[CONF_TEXT_MAX * 4];
	struct dirent **names = NULL;
	enum err e = ERR_OK;
	int n;

	(void)snprintf(dir, sizeof(dir), "%.*s/conf.d", dir_len, slash ? file : ".");
	n = scandir(dir, &names, is_dropin, alphasort);
	if (n < 0 && errno != ENOENT) {
		(void)snprintf(error, CONF_ERROR_MAX, "%.300s: %s", dir, strerror(errno));
		return ERR_IO;
	}
	for (int i = 0; i < n; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
		if (e == ERR_OK)
			e = load_one(c, path, error);
		free(names[i]);
	}
	free(names);
	return e;
}

enum err conf_load(struct conf *c, const char *file, bool is_needed, char error[CONF_ERROR_MAX])
{
	enum err e = ERR_OK;

	if (is_needed || access(file, F_OK) == 0 || errno != ENOENT)
		e = load_one(c, file, error);
	return e == ERR_OK ? load_dropins(c, file, error) : e;
}

void conf_print(const struct conf *c, FILE *out)
{
	const char *section = "";

	for (size_t i = 0; i < ROW_COUNT; i++) {
		const struct row *r = &rows[i];
		const void *at = (const char *)c + r->at;

		if (strcmp(section, r->section) != 0)
			(void)fprintf(out, "%s[%s]\n", i ? "\n" : "", r->section);
		section = r->section;
		if (r->kind == TEXT)
			(void)fprintf(out, "%s = %s\n", r->key, (const char *)at);
		else if (r->kind == WORD)
			(void)fprintf(out, "%s = %s\n", r->key, r->words[*(const uint32_t *)at]);
		else
			(void)fprintf(out, "%s = %u%s\n", r->key, *(const uint32_t *)at,
				r->kind == DURATION ? "s" : "");
	}
}
