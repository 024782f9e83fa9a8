/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a long run must have come to: each kind of operation, with success where there can be any,
 * and with the errors that it is there for. A run that did not is tamer than it says.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "tally.h"

/* So many operations are long: by shorter runs, all of this comes ten times and more in them. */
#define EXPECT_OPERATIONS 3000000

/* Says what has not come. Returns whether all has. */
bool expect_all(FILE *f, const struct tally *t);
