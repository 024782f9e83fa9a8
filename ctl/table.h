/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of text in aligned columns. A table owns copies of its cells, which it escapes for the
 * terminal.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>

struct table;

/* headings: n_columns literals. Never NULL: out of memory ends the program. */
struct table *table_new(const char *const *headings, size_t n_columns);
void table_free(struct table *table);
static inline void table_freep(struct table **table)
{
	table_free(*table);
}

/* Cells fill rows from left to right. An empty one is shown as "-". */
void table_add(struct table *table, const char *text);
void table_print(const struct table *table, FILE *file);
