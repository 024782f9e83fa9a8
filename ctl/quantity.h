/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sizes, times and numbers as people write them, taken strictly: no sign, no space, nothing left
 * over.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Digits alone, up to max. -EINVAL: not a number. -ERANGE: too large. */
int quantity_parse_number(const char *text, uint64_t max, uint64_t *ret_number);

/*
 * Digits and at most one of K, M, G, T (powers of 1024); up to INT64_MAX bytes, which is what the
 * interface can say. -EINVAL, -ERANGE.
 */
int quantity_parse_size(const char *text, uint64_t *ret_bytes);

/* "5", "5s" (seconds), "200ms", up to a day, or "infinity" (-1). -EINVAL, -ERANGE. */
int quantity_parse_time(const char *text, int *ret_ms);

/* About so many, as df -h has it: "3.2G". out must hold 24 bytes. Returns out. */
char *quantity_format_rounded(uint64_t bytes, char *out);

/*
 * The shortest exact form: 67108864 is "64M", 1000 is "1000". out must hold 24 bytes. Returns out.
 */
char *quantity_format_size(uint64_t bytes, char *out);
