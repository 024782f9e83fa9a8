/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What dmuserd says when it is asked, within a few seconds: its version, its pid, the volumes.
 * That it is not there, hangs or refuses is an answer like another.
 */
#pragma once

#include "ctl/command.h"
#include "ctl/doctor/probe.h"

/* Fills probe->daemon. */
void ask_dmuserd(const struct context *context, struct probe *probe);
