/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The facts of this machine that no file tells: who asks, which system calls there are, whether a
 * process can be had in namespaces of its own. Found out by trying; what is tried leaves nothing.
 */
#pragma once

#include "ctl/doctor/probe.h"

/* Opens "/" and finds the facts, but for those of dmuserd and its installation. 0, or a negative
 * errno. */
int machine_probe(struct probe *ret_probe);
