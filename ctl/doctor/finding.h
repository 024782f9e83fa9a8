/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a check has found, and what is to be done about it.
 *
 * A finding that is not VERDICT_OK always has advice: a command to type, or what to change. Both
 * texts are cut if they do not fit, and may hold what others wrote (names in /etc/passwd), so
 * whoever prints escapes.
 */
#pragma once

enum verdict {
	VERDICT_OK,
	VERDICT_WARN,	 /* it works, and something will be amiss one day */
	VERDICT_FAIL,	 /* volumes cannot be served, or not to whom they should */
	VERDICT_UNKNOWN, /* it cannot be seen from here */
};

struct finding {
	enum verdict verdict;
	char found[384];
	char advice[768]; /* empty if the verdict is VERDICT_OK */
};

void finding_set(struct finding *finding, enum verdict verdict, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void finding_advise(struct finding *finding, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* What `what` is could not be read, for that negative errno: with what to do about that. */
void finding_set_unreadable(struct finding *finding, const char *what, int error);

/* "ok", "warn", "fail", "unknown". */
const char *finding_verdict_name(enum verdict verdict);
