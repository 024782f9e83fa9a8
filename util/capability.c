// SPDX-License-Identifier: Apache-2.0
/* Giving capabilities up, for good; see capability.h. */
#include "util/capability.h"
#include "util/cleanup.h"

#include <linux/securebits.h>
#include <stdbool.h>
#include <sys/capability.h>
#include <sys/prctl.h>

/*
 * Every bit but KEEP_CAPS, and every lock: uid 0 gets no capabilities by exec, a change of uid
 * moves none, none becomes ambient.
 */
#define SECUREBITS_ALL                                                                           \
	(SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |                         \
	 SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | \
	 SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

static bool holds(uint64_t mask, cap_value_t capability)
{
	return capability < 64 && (mask & CAPABILITY_BIT(capability)) != 0;
}

static void cap_freep(cap_t *caps)
{
	if (*caps)
		cap_free(*caps);
}

int capability_limit_bounding(uint64_t mask)
{
	/* A capability that this kernel does not know cannot be read, and ends the list. */
	for (cap_value_t c = 0; cap_get_bound(c) >= 0; c++) {
		if (holds(mask, c))
			continue;
		if (cap_drop_bound(c) < 0)
			return -errno;
		if (cap_get_bound(c) != 0)
			return -EPERM;
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0UL, 0UL, 0UL) < 0)
		return -errno;
	if (cap_set_secbits(SECUREBITS_ALL) < 0)
		return -errno;
	return cap_get_secbits() == SECUREBITS_ALL ? 0 : -EPERM;
}

/* Permitted and effective are the same afterwards, inheritable is empty. */
static int set_process(uint64_t mask)
{
	_cleanup_(cap_freep) cap_t wanted = cap_init();
	_cleanup_(cap_freep) cap_t found = NULL;

	if (!wanted)
		return -ENOMEM;
	for (cap_value_t c = 0; c < 64; c++) {
		if (!holds(mask, c))
			continue;
		if (cap_set_flag(wanted, CAP_PERMITTED, 1, &c, CAP_SET) < 0 ||
		    cap_set_flag(wanted, CAP_EFFECTIVE, 1, &c, CAP_SET) < 0)
			return -errno;
	}
	if (cap_set_proc(wanted) < 0)
		return -errno;
	found = cap_get_proc();
	if (!found)
		return -errno;
	return cap_compare(wanted, found) == 0 ? 0 : -EPERM;
}

int capability_limit(uint64_t mask)
{
	int r = capability_limit_bounding(mask);

	return r < 0 ? r : set_process(mask);
}
