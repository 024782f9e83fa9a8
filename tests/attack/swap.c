// SPDX-License-Identifier: Apache-2.0
/* attack-swap ONE OTHER: exchanges what two names stand for, again and again, until it is killed. */
#include <fcntl.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "Usage: attack-swap ONE OTHER\n");
		return 2;
	}
	while (renameat2(AT_FDCWD, argv[1], AT_FDCWD, argv[2], RENAME_EXCHANGE) == 0)
		;
	perror("exchanging");
	return 1;
}
