/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving capabilities up, for good.
 *
 * Masks have bit CAP_… of linux/capability.h set for each capability that stays. There is no way
 * back from any of these: what is not in the mask cannot be had again by exec, by a set-user-ID
 * file or by uid 0. capability.c alone includes libcap's header.
 */
#pragma once

#include <stdint.h>

#define CAPABILITY_BIT(capability) (UINT64_C(1) << (capability))

/*
 * Bounding set cut to mask, ambient set emptied, securebits locked so that uid 0 means nothing. The
 * permitted set stays for what is still to be done. Needs CAP_SETPCAP. Makes no heap allocation. 0
 * or a negative errno.
 */
int capability_limit_bounding(uint64_t mask);

/*
 * As above, and then nothing but mask is left: permitted and effective are mask, inheritable and
 * ambient are empty. Reads back what came of it. 0 or a negative errno.
 */
int capability_limit(uint64_t mask);
