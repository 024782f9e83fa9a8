// SPDX-License-Identifier: Apache-2.0
/* Rows of text in aligned columns; see table.h. */
#include "ctl/table.h"
#include "ctl/escape.h"
#include "util/cleanup.h"

#include <string.h>

#define CELL_SIZE 512
#define GAP 2

struct table {
	size_t n_columns;
	size_t n_cells;
	char **cells; /* the headings come first */
};

static void *or_die(void *p)
{
	if (!p) {
		fputs("out of memory\n", stderr);
		exit(EXIT_FAILURE);
	}
	return p;
}

struct table *table_new(const char *const *headings, size_t n_columns)
{
	struct table *table = or_die(calloc(1, sizeof(*table)));

	table->n_columns = n_columns;
	for (size_t i = 0; i < n_columns; i++)
		table_add(table, headings[i]);
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table);
}

void table_add(struct table *table, const char *text)
{
	char escaped[CELL_SIZE];

	escape_text(text[0] ? text : "-", escaped, sizeof(escaped));
	table->cells = or_die(
		reallocarray(table->cells, table->n_cells + 1, sizeof(*table->cells)));
	table->cells[table->n_cells++] = or_die(strdup(escaped));
}

/* Characters, not bytes: an escaped cell is well-formed UTF-8. */
static size_t width(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += (*text & 0xc0) != 0x80;
	return count;
}

static size_t column_width(const struct table *table, size_t column)
{
	size_t widest = 0;

	for (size_t i = column; i < table->n_cells; i += table->n_columns) {
		size_t w = width(table->cells[i]);

		if (w > widest)
			widest = w;
	}
	return widest;
}

void table_print(const struct table *table, FILE *file)
{
	size_t *widths = or_die(calloc(table->n_columns, sizeof(*widths)));

	for (size_t c = 0; c < table->n_columns; c++)
		widths[c] = column_width(table, c);
	for (size_t i = 0; i < table->n_cells; i++) {
		size_t column = i % table->n_columns;

		fputs(table->cells[i], file);
		if (column + 1 == table->n_columns)
			fputc('\n', file);
		else
			fprintf(file, "%*s", (int)(widths[column] - width(table->cells[i]) + GAP),
				"");
	}
	free(widths);
}
