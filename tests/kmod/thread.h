/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What another thread of this process, or a child, is at, as the kernel sees it.
 */
#pragma once

#include <stdatomic.h>

/* Returns once the thread or child sleeps in the call; `tid` is 0 until the thread has set it. */
void thread_await_call(const atomic_int *tid, long call);
