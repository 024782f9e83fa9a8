/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directory of everything that lives as long as the machine runs, and whose it is.
 */
#pragma once

/* Makes it if it is not there. -EPERM: somebody but root could write in it. */
int run_dir_prepare(const char *run_dir);
