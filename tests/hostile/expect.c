// SPDX-License-Identifier: Apache-2.0
/*
 * What a long run must have come to. What shorter ones came to too seldom, and what a child of
 * a holder gets to read and to answer, is left out.
 */
#include "expect.h"

#include <errno.h>
#include <string.h>

struct expected {
	bool ok;
	unsigned char errors[8]; /* to 0 */
};

static const struct expected all[TALLY_NR] = {
	[TALLY_HONEST_OPEN] = { true, { ENOENT } },
	[TALLY_HONEST_READ] = { true, { EIO, EAGAIN, ENOTBLK, ESTALE } },
	[TALLY_HONEST_WRITE] = { true, { EIO, ESTALE } },
	[TALLY_HONEST_POLL] = { true },
	[TALLY_HONEST_IOCTL] = { true },
	[TALLY_HONEST_CLOSE] = { true },
	[TALLY_OPEN] = { true, { ENOENT, EINVAL } },
	[TALLY_REOPEN] = { true },
	[TALLY_CLOSE] = { true },
	[TALLY_READ] = { true, { EINTR, EIO, EBADF, EAGAIN, EFAULT, ENOTBLK, ESTALE } },
	[TALLY_READ_ODD] = { true, { EIO, EBADF, EAGAIN, EFAULT, EINVAL, EOPNOTSUPP } },
	[TALLY_READ_BAD] = { true, { EIO, EBADF, EAGAIN, EFAULT } },
	[TALLY_WRITE_CORRECT] = { true, { EINVAL, EIO, EBADF } },
	[TALLY_WRITE_PART] = { true, { EINVAL, EIO, EBADF } },
	[TALLY_WRITE_SURPLUS] = { true, { EINVAL, EIO, EBADF } },
	[TALLY_WRITE_AGAIN] = { true, { EINVAL, EIO, EBADF } },
	[TALLY_WRITE_UNKNOWN] = { false, { EINVAL } },
	[TALLY_WRITE_TYPE] = { false, { EINVAL } },
	[TALLY_WRITE_GIANT] = { true, { EINVAL } },
	[TALLY_WRITE_BYTES] = { true, { EINVAL } },
	[TALLY_WRITE_SEVERAL] = { true, { EINVAL } },
	[TALLY_WRITE_ODD] = { true, { EINVAL, EIO, EBADF, EOPNOTSUPP } },
	[TALLY_WRITE_BAD] = { true, { EINVAL, EIO, EBADF, EFAULT } },
	[TALLY_POLL] = { true },
	[TALLY_EPOLL] = { true, { ENOENT, EEXIST, EINVAL } },
	[TALLY_IOCTL] = { true, { EFAULT, EINVAL, ENOTTY } },
	[TALLY_MMAP] = { false, { ENODEV, EACCES } },
	[TALLY_SEEK] = { false, { ESPIPE, EINVAL } },
	[TALLY_SPLICE] = { false, { EINVAL } },
	[TALLY_FCNTL] = { true, { EINVAL } },
	[TALLY_DUP] = { true, { EINVAL } },
	[TALLY_PASS] = { true },
	[TALLY_FORK] = { true },
	[TALLY_SIGNAL] = { true },
	[TALLY_CHILD_READ] = { false, { EIO, EAGAIN } },
	[TALLY_SUBMIT_OPEN] = { true },
	[TALLY_SUBMIT_READ] = { true, { EIO, EAGAIN, EINVAL } },
	[TALLY_SUBMIT_WRITE] = { true, { EIO, EINVAL } },
	[TALLY_SUBMIT_FLUSH] = { true, { EIO } },
	[TALLY_SUBMIT_DISCARD] = { true, { EIO, EOPNOTSUPP } },
	[TALLY_SUBMIT_ZEROES] = { true, { EIO, EOPNOTSUPP } },
	[TALLY_SUBMIT_ERASE] = { true, { EIO, EOPNOTSUPP } },
	[TALLY_SUBMIT_CACHE] = { true },
	[TALLY_SUBMIT_SEVERAL] = { true, { EIO } },
	[TALLY_SUBMIT_CLOSE] = { true },
	[TALLY_CREATE] = { true },
	[TALLY_LOAD] = { true },
	[TALLY_LOAD_BAD] = { false, { EINVAL } },
	[TALLY_CLEAR] = { true },
	[TALLY_SUSPEND] = { true },
	[TALLY_SUSPEND_NOFLUSH] = { true },
	[TALLY_RESUME] = { true },
	[TALLY_REMOVE] = { true, { EBUSY } },
	[TALLY_REMOVE_DEFERRED] = { true },
	[TALLY_STATUS] = { true },
	[TALLY_FAIL] = { true },
	[TALLY_UNFAIL] = { true },
	[TALLY_FENCE] = { true },
	[TALLY_MESSAGE] = { true, { EINVAL } },
	[TALLY_INTERRUPT] = { true },
};

static bool has_come(FILE *f, const struct tally *t, enum tally_kind kind, int error)
{
	if (t->counts[kind][error])
		return true;
	fprintf(f, "in all of that no '%s' with %s\n", tally_name(kind),
		error ? strerrorname_np(error) : "success");
	return false;
}

bool expect_all(FILE *f, const struct tally *t)
{
	bool complete = true;

	for (int k = 0; k < TALLY_NR; k++) {
		const struct expected *e = &all[k];

		if (e->ok)
			complete &= has_come(f, t, k, 0);
		for (const unsigned char *error = e->errors; *error; error++)
			complete &= has_come(f, t, k, *error);
	}
	return complete;
}
