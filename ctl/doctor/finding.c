// SPDX-License-Identifier: Apache-2.0
/* What a check has found; see finding.h. */
#include "ctl/doctor/finding.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void finding_set(struct finding *finding, enum verdict verdict, const char *format, ...)
{
	va_list arguments;

	finding->verdict = verdict;
	va_start(arguments, format);
	vsnprintf(finding->found, sizeof(finding->found), format, arguments);
	va_end(arguments);
}

void finding_advise(struct finding *finding, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(finding->advice, sizeof(finding->advice), format, arguments);
	va_end(arguments);
}

void finding_set_unreadable(struct finding *finding, const char *what, int error)
{
	finding_set(finding, VERDICT_UNKNOWN, "%s cannot be read: %s", what, strerror(-error));
	if (error == -EACCES || error == -EPERM)
		finding_advise(finding, "run as root: sudo dmuserctl doctor");
	else
		finding_advise(finding, "look why: cat %s", what);
}

const char *finding_verdict_name(enum verdict verdict)
{
	static const char *const names[] = {
		[VERDICT_OK] = "ok",
		[VERDICT_WARN] = "warn",
		[VERDICT_FAIL] = "fail",
		[VERDICT_UNKNOWN] = "unknown",
	};

	return names[verdict];
}
