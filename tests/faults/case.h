/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cases of this folder, which are as those of the module's other tests: a sentence, and a
 * function that proves it in a process of its own.
 */
#pragma once

#include "../kmod/case.h"

extern const struct test_case device_cases[], control_cases[], channel_cases[],
	transfer_cases[], map_cases[], module_cases[];
