/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What names may look like, wherever one is taken in: volumes, backends, options, containers.
 *
 * One rule a kind of name, checked by the parser and again by the supervisor, which does not trust
 * the parser. No name can hold a slash, a NUL, a space or a control character, or begin with a dot.
 */
#pragma once

#include <stdbool.h>

/* [A-Za-z0-9][A-Za-z0-9._-]{0,63}: the module's rule for a target's name, and ours for a volume's. */
#define NAME_VOLUME_MAX 64
/* Container runtimes use 64 hexadecimal digits; people's own names are shorter. */
#define NAME_CONTAINER_MAX 128
/* [a-z][a-z0-9-]{0,31} */
#define NAME_BACKEND_MAX 32
/* [a-z][a-z0-9_]{0,31} */
#define NAME_OPTION_MAX 32
/* 8-4-4-4-12 hexadecimal digits, lower case. */
#define NAME_UUID_LEN 36

bool name_is_volume(const char *name);
bool name_is_container(const char *name);
bool name_is_backend(const char *name);
bool name_is_option(const char *name);
bool name_is_uuid(const char *name);
