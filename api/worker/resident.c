// SPDX-License-Identifier: Apache-2.0
/*
 * Touches memory; see resident.h. Owns nothing, changes no byte, asks no one: what is where, the program's own header
 * tells. Trusts the linker for that. Never allocates, never fails: a page that cannot be had ends the process.
 */
#include "api/worker/resident.h"

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES 4096u

/* The start of the program as it lies in memory, from the linker. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

static bool covers(const ElfW(Phdr) *range, uintptr_t address)
{
	return range && address >= range->p_vaddr && address < range->p_vaddr + range->p_memsz;
}

/* Read-only after relocation, which has made it the process's own already. */
static const ElfW(Phdr) *find_relro(const ElfW(Phdr) *headers)
{
	for (size_t i = 0; i < __ehdr_start.e_phnum; i++)
		if (headers[i].p_type == PT_GNU_RELRO)
			return &headers[i];
	return NULL;
}

/* By a write where one may come: a page that was only read is the kernel's, and copied at the first write. */
__attribute__((no_sanitize("address"))) static void touch(uintptr_t address, bool writable)
{
	volatile unsigned char *byte = (volatile unsigned char *)address;
	unsigned char value = *byte;

	if (writable)
		*byte = value;
}

static void touch_segment(const ElfW(Phdr) *segment, const ElfW(Phdr) *relro, uintptr_t base)
{
	uintptr_t page = segment->p_vaddr & ~(uintptr_t)(PAGE_BYTES - 1);

	for (; page < segment->p_vaddr + segment->p_memsz; page += PAGE_BYTES) {
		uintptr_t address = page < segment->p_vaddr ? segment->p_vaddr : page;
		bool writable = (segment->p_flags & PF_W) && !covers(relro, address);

		touch(base + address, writable);
	}
}

void resident_program(void)
{
	const uintptr_t start = (uintptr_t)&__ehdr_start;
	const ElfW(Phdr) *headers = (const ElfW(Phdr) *)(start + __ehdr_start.e_phoff);
	/* Of a program that is not position-independent the addresses are as they stand. */
	const uintptr_t base = __ehdr_start.e_type == ET_DYN ? start : 0;
	const ElfW(Phdr) *relro = find_relro(headers);

	for (size_t i = 0; i < __ehdr_start.e_phnum; i++)
		if (headers[i].p_type == PT_LOAD)
			touch_segment(&headers[i], relro, base);
}
