/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dmuserctl itself, as a process, on a scripted server: what it prints and how it ends. The program
 * is the one that DMUSERCTL names in the environment.
 */
#pragma once

#include "tests/unit/client/fake-server.h"

/* What a server says of volume a. */
#define VOLUME                                                                                     \
	"{\"name\":\"a\",\"owner\":0,\"uuid\":\"u\",\"state\":\"active\",\"backend\":\"memory\","  \
	"\"options\":{\"x\":\"\\u001b[2J\"},\"size_bytes\":67108864,\"block_size\":512,"           \
	"\"read_only\":false,\"keep\":true,\"blank\":true,\"device\":\"/dev/dm-3\",\"generation\":1}"

/* stdout and stderr of the last run. */
extern char output[16384];

/*
 * Runs dmuserctl on a server with that script; words end with NULL. Returns its exit status. script
 * NULL: the server never accepts. The test fails if the script's side does.
 */
int run_on(fake_script script, const char *const *words);
#define RUN(script, ...) run_on(script, (const char *const[]){ __VA_ARGS__, NULL })

void assert_printed(const char *text);
