/* Prints JSON objects as tables. */
#include "cli/table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/text.h"
#include "cli/when.h"

#define COLUMNS_MAX 24
#define GAP 2
#define ID_DIGITS 20

/* --- one value as text ------------------------------------------------------------------- */

static const json_t *look_up(const json_t *object, const char *key)
{
	const char *dot = strchr(key, '.');
	char outer[32];

	if (!dot)
		return json_object_get(object, key);
	if ((size_t)(dot - key) >= sizeof(outer))
		return NULL;
	memcpy(outer, key, (size_t)(dot - key));
	outer[dot - key] = '\0';
	return json_object_get(json_object_get(object, outer), dot + 1);
}

static char *moment(uint64_t at, enum table_format format, uint64_t now)
{
	char local[WHEN_TEXT_SIZE], relative[WHEN_TEXT_SIZE], both[2 * WHEN_TEXT_SIZE + 4];

	when_print_local(at, local);
	when_print_relative(at, now, relative);
	if (format == TABLE_AT)
		return strdup(local);
	if (format == TABLE_EXPIRY)
		return strdup(relative);
	(void)snprintf(both, sizeof(both), "%s (%s)", local, relative);
	return strdup(both);
}

static char *number(json_int_t n)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, n);
	return strdup(text);
}

/* Clean, to be freed; NULL: there is nothing to show. */
static char *value_text(const json_t *v, enum table_format format, uint64_t now)
{
	char *text;

	if (json_is_integer(v) && format != TABLE_TEXT && format != TABLE_ID)
		return moment((uint64_t)json_integer_value(v), format, now);
	if (json_is_integer(v))
		return number(json_integer_value(v));
	if (json_is_boolean(v))
		return strdup(json_is_true(v) ? "yes" : "no");
	if (!json_is_string(v) || !*json_string_value(v))
		return NULL;
	text = text_clean(json_string_value(v));
	if (text && format == TABLE_ID)
		text[text_cut(text, ID_DIGITS)] = '\0';
	return text;
}

/* --- tables ------------------------------------------------------------------------------ */

struct grid {
	size_t rows, columns;
	char **cell; /* row by row; NULL: empty */
	size_t width[COLUMNS_MAX];
	bool used[COLUMNS_MAX];
	size_t last; /* the last column that is used */
};

static void fill_cell(struct grid *g, size_t row, size_t column, char *text)
{
	g->cell[row * g->columns + column] = text;
	if (!text)
		return;
	g->used[column] = true;
	g->last = column > g->last ? column : g->last;
	if (text_width(text) > g->width[column])
		g->width[column] = text_width(text);
}

static void fill(struct grid *g, const struct table_style *style,
	const struct table_column *columns, const json_t *rows)
{
	for (size_t c = 0; c < g->columns; c++) {
		g->width[c] = text_width(columns[c].title);
		for (size_t r = 0; r < g->rows; r++) {
			const json_t *v = look_up(json_array_get(rows, r), columns[c].key);

			fill_cell(g, r, c, value_text(v, columns[c].format, style->now));
		}
	}
}

/* The last column is cut to what is left of the line. */
static void print_cell(FILE *out, const struct grid *g, size_t c, const char *text, size_t left)
{
	size_t width = text_width(text);

	if (c != g->last) {
		(void)fprintf(out, "%s%*s", text, (int)(g->width[c] - width + GAP), "");
		return;
	}
	if (width <= left)
		(void)fputs(text, out);
	else
		(void)fprintf(out, "%.*s~", (int)text_cut(text, left - 1), text);
	(void)fputc('\n', out);
}

/* r == rows: the titles. */
static void print_row(FILE *out, const struct grid *g, const struct table_style *style,
	const struct table_column *columns, size_t r)
{
	size_t at = 0;

	for (size_t c = 0; c < g->columns; c++) {
		const char *text = columns[c].title;
		size_t left = style->width > at + 8 ? style->width - at : 8;

		if (!g->used[c])
			continue;
		if (r < g->rows)
			text = g->cell[r * g->columns + c];
		print_cell(out, g, c, text ? text : "-", style->width == 0 ? SIZE_MAX : left);
		at += g->width[c] + GAP;
	}
}

void table_print(FILE *out, const struct table_style *style, const struct table_column *columns,
	const json_t *rows)
{
	struct grid g = {.rows = json_array_size(rows)};

	while (columns[g.columns].key && g.columns < COLUMNS_MAX)
		g.columns++;
	if (g.rows == 0 || g.columns == 0)
		return;
	g.cell = calloc(g.rows * g.columns, sizeof(*g.cell));
	if (!g.cell)
		return;
	fill(&g, style, columns, rows);
	print_row(out, &g, style, columns, g.rows);
	for (size_t r = 0; r < g.rows; r++)
		print_row(out, &g, style, columns, r);
	for (size_t i = 0; i < g.rows * g.columns; i++)
		free(g.cell[i]);
	free(g.cell);
}

void table_print_object(FILE *out, const struct table_style *style,
	const struct table_column *columns, const json_t *object)
{
	size_t width = 0;

	for (size_t c = 0; columns[c].key; c++)
		width = strlen(columns[c].title) > width ? strlen(columns[c].title) : width;
	for (size_t c = 0; columns[c].key; c++) {
		char *text = value_text(look_up(object, columns[c].key),
			columns[c].format == TABLE_ID ? TABLE_TEXT : columns[c].format, style->now);

		if (text)
			(void)fprintf(out, "%-*s  %s\n", (int)width, columns[c].title, text);
		free(text);
	}
}

struct table_style table_style_for(FILE *out)
{
	struct table_style s = {.now = (uint64_t)time(NULL)};
	struct winsize w;

	if (isatty(fileno(out)) && ioctl(fileno(out), TIOCGWINSZ, &w) == 0)
		s.width = w.ws_col;
	return s;
}
