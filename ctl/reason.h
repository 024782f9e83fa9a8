/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the reason of an error says, known by dmuserd's own words, which a reason begins with: what
 * a worker wrote, or a path has in it, comes behind them and means nothing here. Pure.
 */
#pragma once

#include <stdbool.h>

/* No process can be started for anybody, as the spawner is not there. */
bool reason_is_no_spawner(const char *reason);
/* Something that the backend is made of is not there. */
bool reason_is_incomplete(const char *reason);
/* The backend has no option of that name. */
bool reason_is_no_option(const char *reason);
/* What a worker said that did not want to serve; NULL: none did. It points into the reason. */
const char *reason_refusal(const char *reason);
