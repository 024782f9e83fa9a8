// SPDX-License-Identifier: Apache-2.0
/* See made-root.h. */
#include "cmocka-all.h"
#include "made-root.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

char made_root[64];

void made_root_put(const char *path, const char *text)
{
	char whole[256];
	FILE *file;

	snprintf(whole, sizeof(whole), "%s%s", made_root, path);
	for (char *slash = whole + strlen(made_root); (slash = strchr(slash + 1, '/'));) {
		*slash = 0;
		assert_true(mkdir(whole, 0700) == 0 || errno == EEXIST);
		*slash = '/';
	}
	file = fopen(whole, "we");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

int made_root_set_up(void **state)
{
	strcpy(made_root, "/tmp/dmuser-root.XXXXXX");
	return mkdtemp(made_root) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *place)
{
	return remove(path);
}

int made_root_tear_down(void **state)
{
	return nftw(made_root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
