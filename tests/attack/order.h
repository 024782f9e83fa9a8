/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests tell the confined child to try, on its control socket: one order, one answer. */
#pragma once

#include <stdint.h>

enum order_kind {
	ORDER_PING = 1,
	ORDER_SYSCALL,	      /* by number and arguments */
	ORDER_THREAD_SYSCALL, /* the same, from the second thread */
	ORDER_INT80,	      /* by the 32-bit convention */
	ORDER_OUTLIVE,	      /* PR_SET_PDEATHSIG 0, as libdmuser does once the channel has come */
	ORDER_OPEN_ROOT,      /* "/", to be listed */
	ORDER_EXIT,	      /* with arguments[0]; no answer */
};

struct order {
	uint64_t kind; /* enum order_kind */
	int64_t number;
	uint64_t arguments[6];
};

struct answer {
	int64_t result; /* as the kernel gave it: a negative errno on failure */
};
