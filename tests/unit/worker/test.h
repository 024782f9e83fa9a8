/* SPDX-License-Identifier: Apache-2.0 */
/* What every test program here needs before anything else: cmocka, and how long to wait at most. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Only ever waited for in full when a test is about to fail. */
#define TEST_PATIENCE_S 30
