/* SPDX-License-Identifier: Apache-2.0 */
/* A directory that stands for "/", with the files that a test puts there. */
#pragma once

extern char made_root[64];

/* For cmocka: before and after each test. */
int made_root_set_up(void **state);
int made_root_tear_down(void **state);

/* Writes a file, with the folders above it; path is absolute. */
void made_root_put(const char *path, const char *text);
