/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said of each error, and what is advised: which of the words fit, in the circumstances.
 * Pure.
 */
#pragma once

#include "ctl/exit-code.h"
#include "ctl/template.h"

/* Sentence and hint are templates. */
struct wording {
	const char *error;
	enum exit_code exit_code;
	const char *sentence;
	const char *hint;
};

/* NULL: the error is not known here. */
const struct wording *wording_choose(const char *error, const struct matter *m);
