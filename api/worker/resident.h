/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker executes is in memory before it serves.
 *
 * Memory that is locked on fault is locked from its first use on, and that may come when the machine has none left:
 * the page of the program that zeroes a range lies on a disk until then or, where the program lies on a tmpfs, in
 * swap, which may be the very volume that waits for the page.
 */
#pragma once

/* Every page of the program and its data. Before there is a second thread. */
void resident_program(void);
