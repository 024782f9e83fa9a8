// SPDX-License-Identifier: Apache-2.0
/*
 * Writing down why an operation failed; see struct failure in volume.h.
 *
 * Makes no system call and never logs: who answers the client says it, once.
 */
#include "dmuserd/supervisor/volume.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static int failure_errno(enum failure_kind kind)
{
	switch (kind) {
	case FAILURE_NO_SUCH_VOLUME:
	case FAILURE_NO_SUCH_BACKEND:
		return -ENOENT;
	case FAILURE_SPECIFICATION_MISMATCH:
	case FAILURE_VOLUME_EXISTS:
		return -EEXIST;
	case FAILURE_AMBIGUOUS_NAME:
		return -ENOTUNIQ;
	case FAILURE_VOLUME_BOUND:
	case FAILURE_VOLUME_BUSY:
	case FAILURE_OPERATION_PENDING:
	case FAILURE_BACKING_IN_USE:
		return -EBUSY;
	case FAILURE_NONE:
	case FAILURE_INVALID_OPTION:
	case FAILURE_INVALID_PARAMETER:
	case FAILURE_INVALID_SIZE:
		return -EINVAL;
	case FAILURE_BACKEND_FAILED:
		return -EIO;
	case FAILURE_OWNER_GONE:
		return -ESRCH;
	case FAILURE_QUOTA_EXCEEDED:
		return -EDQUOT;
	case FAILURE_PERMISSION_DENIED:
		return -EPERM;
	case FAILURE_DRIVER_UNAVAILABLE:
		return -ENODEV;
	case FAILURE_TIMED_OUT:
		return -ETIMEDOUT;
	}
	return -EINVAL;
}

int failure_set(struct failure *f, enum failure_kind kind, const char *subject, const char *format, ...)
{
	*f = (struct failure){ .kind = kind };
	/* What does not fit is cut: both are words for a person, or names that were checked before. */
	if (subject)
		snprintf(f->subject, sizeof(f->subject), "%s", subject);
	if (format) {
		va_list args;

		va_start(args, format);
		vsnprintf(f->reason, sizeof(f->reason), format, args);
		va_end(args);
	}
	return failure_errno(kind);
}

int failure_set_size(struct failure *f, const char *what, uint64_t size_bytes,
		     const struct parser_manifest *manifest)
{
	bool small = size_bytes < manifest->min_size_bytes;
	int r = failure_set(f, FAILURE_INVALID_SIZE, NULL,
			    "%s has %" PRIu64 " bytes, and the %s that backend %s serves has %" PRIu64,
			    what, size_bytes, small ? "smallest" : "largest", manifest->type,
			    small ? manifest->min_size_bytes : manifest->max_size_bytes);

	f->min_size_bytes = manifest->min_size_bytes;
	f->max_size_bytes = manifest->max_size_bytes;
	return r;
}

bool failure_outlasts(const struct failure *f)
{
	switch (f->kind) {
	case FAILURE_NO_SUCH_BACKEND:
	case FAILURE_INVALID_OPTION:
	case FAILURE_INVALID_PARAMETER:
	case FAILURE_INVALID_SIZE:
	case FAILURE_BACKING_IN_USE:
	case FAILURE_BACKEND_FAILED:
	case FAILURE_OWNER_GONE:
	case FAILURE_QUOTA_EXCEEDED:
	case FAILURE_DRIVER_UNAVAILABLE:
	case FAILURE_TIMED_OUT:
		return true;
	/* There is a volume to ask, or it is a matter of a moment, or was nobody's business. */
	case FAILURE_NONE:
	case FAILURE_NO_SUCH_VOLUME:
	case FAILURE_SPECIFICATION_MISMATCH:
	case FAILURE_AMBIGUOUS_NAME:
	case FAILURE_VOLUME_EXISTS:
	case FAILURE_VOLUME_BOUND:
	case FAILURE_VOLUME_BUSY:
	case FAILURE_OPERATION_PENDING:
	case FAILURE_PERMISSION_DENIED:
		break;
	}
	return false;
}

void failure_describe(const struct failure *f, char *ret_text, size_t size)
{
	bool named = f->kind == FAILURE_NO_SUCH_BACKEND || f->kind == FAILURE_INVALID_OPTION ||
		     f->kind == FAILURE_INVALID_PARAMETER || f->kind == FAILURE_BACKING_IN_USE;

	if (f->kind == FAILURE_TIMED_OUT)
		snprintf(ret_text, size, "timed out at %s: %s", f->subject, f->reason);
	else if (named && f->subject[0])
		snprintf(ret_text, size, "%s: %s", f->subject, f->reason);
	else
		snprintf(ret_text, size, "%s", f->reason);
}
