/* SPDX-License-Identifier: Apache-2.0 */
/* A point in time that several waits share. Monotonic, so that setting the clock changes nothing. */
#pragma once

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <time.h>

#define DEADLINE_NEVER UINT64_MAX

static inline uint64_t deadline_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A negative timeout_ms: never. */
static inline uint64_t deadline_after_ms(int timeout_ms)
{
	return timeout_ms < 0 ? DEADLINE_NEVER : deadline_now_ms() + (uint64_t)timeout_ms;
}

/* What is left, for poll(): -1 is for ever, 0 is over. */
static inline int deadline_left_ms(uint64_t deadline)
{
	uint64_t now;

	if (deadline == DEADLINE_NEVER)
		return -1;
	now = deadline_now_ms();
	if (now >= deadline)
		return 0;
	return deadline - now > INT_MAX ? INT_MAX : (int)(deadline - now);
}

/* Waits until fd has one of events, or an error. 0; -ETIMEDOUT; or what poll(2) returns. */
static inline int deadline_wait_fd(int fd, short events, uint64_t deadline)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = events };
		int left = deadline_left_ms(deadline);
		int r = poll(&p, 1, left);

		if (r > 0)
			return 0;
		if (r == 0 && left != INT_MAX)
			return -ETIMEDOUT;
		if (r < 0 && errno != EINTR)
			return -errno;
	}
}
