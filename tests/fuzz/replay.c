// SPDX-License-Identifier: Apache-2.0
/* Runs every file of the given folders through a fuzz target, once, without a fuzzer. */
#include "util/cleanup.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>

#define INPUT_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(int folder, const char *name)
{
	static uint8_t data[INPUT_MAX];
	_cleanup_(closep) int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : read(fd, data, sizeof(data));

	if (size < 0)
		return -errno;
	return LLVMFuzzerTestOneInput(data, (size_t)size);
}

/* How many files were run, or a negative errno. */
static int replay_folder(const char *path)
{
	_cleanup_(closedirp) DIR *folder = opendir(path);
	const struct dirent *entry;
	int count = 0;

	if (!folder)
		return -errno;
	while ((entry = readdir(folder))) {
		int r = entry->d_name[0] == '.' ? 0 : replay_file(dirfd(folder), entry->d_name);

		if (r < 0) {
			fprintf(stderr, "%s/%s: %s\n", path, entry->d_name, strerror(-r));
			return r;
		}
		count += entry->d_name[0] != '.';
	}
	return count;
}

int main(int argc, char **argv)
{
	int total = 0;

	for (int i = 1; i < argc; i++) {
		int count = replay_folder(argv[i]);

		if (count < 0)
			return EXIT_FAILURE;
		total += count;
	}
	printf("%d inputs\n", total);
	return total > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
