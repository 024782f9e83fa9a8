/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the supervisor keeps of root's powers, and the giving up of all others.
 */
#pragma once

/*
 * Cuts the capabilities, sets no_new_privs and loads <libexec_dir>/seccomp/supervisor.bpf. There is no way
 * back, and no state in between to go on in: on an error the process must end.
 */
int privileges_drop(const char *libexec_dir);
