/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the interface's parameters are called by whoever asked: in the interface itself, on
 * dmuserctl's command line, in a container's annotation. Pure.
 */
#pragma once

#include <stddef.h>

enum parameter_words { WORDS_OF_INTERFACE, WORDS_OF_COMMAND_LINE, WORDS_OF_ANNOTATION };

#define PARAMETER_WORD_SIZE 64

/*
 * path: as dmuserd names it, such as size_bytes, options.path, container.pidfd. Writes "--size",
 * "-o path", "--pid", or "size=", "path=". NULL: there it is called nothing else. Returns out.
 */
const char *parameter_word(enum parameter_words words, const char *path,
			   char out[static PARAMETER_WORD_SIZE]);
