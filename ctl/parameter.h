/* SPDX-License-Identifier: Apache-2.0 */
/* What the interface's parameters are called on dmuserctl's command line, and in a container's annotation. Pure. */
#pragma once

/* path: as dmuserd names it, such as size_bytes, options.path, container.pidfd. NULL: has no option. */
const char *parameter_option(const char *path);
/* Likewise, of Create alone: the key of an annotation. */
const char *parameter_key(const char *path);
