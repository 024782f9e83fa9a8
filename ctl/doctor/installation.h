/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where dmuserd has its things: its defaults, its settings file, and the command line of the one
 * that runs.
 *
 * Reads as much of a settings file as the checks need, and judges nothing of it: dmuserd does, at
 * its start.
 */
#pragma once

#include "ctl/doctor/probe.h"

/* Fills probe->installation; uses probe->daemon.pid. */
void installation_read(struct probe *probe);
/* Reads lines of KEY = VALUE over what is there. Others than the known keys are passed over. */
void installation_parse(struct installation_facts *installation, char *text);
