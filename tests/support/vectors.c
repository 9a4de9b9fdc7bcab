/* Reading of test vectors. Linked into every test program, so without Check. */
#include "support/vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void fail(const char *what, const char *detail)
{
	fprintf(stderr, "vectors: %s: %s\n", what, detail);
	exit(EXIT_FAILURE);
}

json_t *vectors_load(const char *name)
{
	const char *dir = getenv("VECTORS");
	char path[4096];
	json_error_t error;
	json_t *root;
	int n = snprintf(path, sizeof(path), "%s/%s", dir && *dir ? dir : "tests/vectors", name);

	if (n < 0 || (size_t)n >= sizeof(path))
		fail(name, "path too long");
	root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (!root)
		fail(path, error.text);
	return root;
}

static json_t *member(const json_t *object, const char *key, json_type type)
{
	json_t *value = json_object_get(object, key);

	if (!value)
		fail(key, "missing");
	if (json_typeof(value) != type)
		fail(key, "of another type");
	return value;
}

json_t *vectors_array(const json_t *object, const char *key)
{
	return member(object, key, JSON_ARRAY);
}

json_t *vectors_object(const json_t *object, const char *key)
{
	return member(object, key, JSON_OBJECT);
}

const char *vectors_text(const json_t *object, const char *key)
{
	return json_string_value(member(object, key, JSON_STRING));
}

int64_t vectors_int(const json_t *object, const char *key)
{
	return json_integer_value(member(object, key, JSON_INTEGER));
}

uint64_t vectors_uint(const json_t *object, const char *key)
{
	int64_t v = vectors_int(object, key);

	if (v < 0)
		fail(key, "negative");
	return (uint64_t)v;
}

bool vectors_bool(const json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	if (!json_is_boolean(value))
		fail(key, "missing or not a boolean");
	return json_is_true(value);
}

bool vectors_has(const json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	return value && !json_is_null(value);
}

static uint8_t nibble(const char *hex, char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);

	if (c == '\0' || !at)
		fail(hex, "not hexadecimal");
	return (uint8_t)(at - digits);
}

size_t vectors_unhex(const char *hex, void *out, size_t cap)
{
	uint8_t *p = out;
	size_t n = strlen(hex) / 2;

	if (strlen(hex) % 2 != 0 || n > cap)
		fail(hex, "odd or too long");
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(nibble(hex, hex[2 * i]) << 4 | nibble(hex, hex[2 * i + 1]));
	return n;
}

size_t vectors_hex(const json_t *object, const char *key, void *out, size_t cap)
{
	return vectors_unhex(vectors_text(object, key), out, cap);
}

void vectors_hex_exact(const json_t *object, const char *key, void *out, size_t n)
{
	if (vectors_hex(object, key, out, n) != n)
		fail(key, "too short");
}

void vectors_ran(const char *name, size_t count)
{
	if (count == 0)
		fail(name, "no cases");
	printf("%s: %zu cases\n", name, count);
	fflush(stdout);
}

int vectors_end(size_t cases, int failures)
{
	size_t failed = failures > 0 ? (size_t)failures : 0;

	printf("%zu passed, %zu failed\n", cases > failed ? cases - failed : 0, failed);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
