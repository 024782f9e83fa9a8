/* SPDX-License-Identifier: Apache-2.0 */
/* Checks that several groups of cases share. Each ends the case if it does not hold. */
#pragma once

#include "tests/attack/rig.h"

/*
 * The gate, asked about a sealed worker, lets it pass (what is "") or refuses it for this reason.
 */
void check_gate(const struct worker *w, const char *what);
void check_gate_expecting(const struct gate_expectation *expected, const char *what);

/* It ends, with a status as waitpid() gives it; the spawner says so. */
void check_ends(struct rig *rig, struct worker *w, int status);
