// SPDX-License-Identifier: Apache-2.0
/*
 * Puts a machine short of memory, and believes nothing that it has not read back.
 *
 * `memory` dirties anonymous memory, which only swap can take when it is more than the machine has;
 * `file` writes a file through the page cache. Both then read every byte: each page holds words
 * that only its place, the pass and the process tell. Owns its memory and its file. Says in one
 * line what differed, exits 1 then, and 2 for anything else.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_BYTES  4096u
#define PAGE_WORDS  (PAGE_BYTES / sizeof(uint64_t))
#define CHUNK_PAGES 64u /* of one write(2) */
#define MIB_PAGES   (1024u * 1024 / PAGE_BYTES)

static void fill(uint64_t *page, uint64_t number, uint64_t salt)
{
	uint64_t word = (number + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ salt;

	for (size_t i = 0; i < PAGE_WORDS; i++)
		page[i] = word + i;
}

static void verify(const uint64_t *page, uint64_t number, uint64_t salt, const char *where)
{
	uint64_t word = (number + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ salt;

	for (size_t i = 0; i < PAGE_WORDS; i++)
		if (page[i] != word + i)
			errx(1, "%s: page %" PRIu64 ", word %zu: %" PRIx64 ", expected %" PRIx64,
			     where, number, i, page[i], word + i);
}

static void press_memory(uint64_t pages, uint64_t passes)
{
	uint64_t *memory = mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t salt = (uint64_t)getpid() << 32;

	if (memory == MAP_FAILED)
		err(2, "mmap");
	for (uint64_t pass = 0; pass < passes; pass++) {
		for (uint64_t i = 0; i < pages; i++)
			fill(memory + i * PAGE_WORDS, i, salt + pass);
		/* The newest first: it need not leave memory for the rest to come back. */
		for (uint64_t i = pages; i-- > 0;)
			verify(memory + i * PAGE_WORDS, i, salt + pass, "memory");
	}
}

static void read_back(int fd, uint64_t *chunk, const char *path, uint64_t pages, uint64_t salt)
{
	const size_t size = CHUNK_PAGES * PAGE_BYTES;

	for (uint64_t i = 0; i < pages; i += CHUNK_PAGES) {
		if (pread(fd, chunk, size, (off_t)(i * PAGE_BYTES)) != (ssize_t)size)
			err(2, "%s: read", path);
		for (uint64_t j = 0; j < CHUNK_PAGES; j++)
			verify(chunk + j * PAGE_WORDS, i + j, salt, path);
	}
}

static void press_file(const char *path, uint64_t pages, uint64_t passes)
{
	static _Alignas(PAGE_BYTES) uint64_t chunk[CHUNK_PAGES * PAGE_WORDS];
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	uint64_t salt = (uint64_t)getpid() << 32;

	if (fd < 0)
		err(2, "%s", path);
	for (uint64_t pass = 0; pass < passes; pass++) {
		for (uint64_t i = 0; i < pages; i += CHUNK_PAGES) {
			for (uint64_t j = 0; j < CHUNK_PAGES; j++)
				fill(chunk + j * PAGE_WORDS, i + j, salt + pass);
			if (pwrite(fd, chunk, sizeof(chunk), (off_t)(i * PAGE_BYTES)) !=
			    (ssize_t)sizeof(chunk))
				err(2, "%s: write", path);
		}
		/* What the page cache still holds shows nothing about the volume. */
		if (fsync(fd) < 0)
			err(2, "%s: fsync", path);
		if (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
			errx(2, "%s: posix_fadvise", path);
		read_back(fd, chunk, path, pages, salt + pass);
	}
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 10);

	if (*end != '\0' || value == 0)
		errx(2, "'%s' is no number", text);
	return value;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "memory") == 0)
		press_memory(number(argv[2]) * MIB_PAGES, number(argv[3]));
	else if (argc == 5 && strcmp(argv[1], "file") == 0)
		press_file(argv[2], number(argv[3]) * MIB_PAGES, number(argv[4]));
	else
		errx(2, "usage: pressure memory MIB PASSES | pressure file PATH MIB PASSES");
	return 0;
}
