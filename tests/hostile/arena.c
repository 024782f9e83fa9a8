// SPDX-License-Identifier: Apache-2.0
/*
 * What the program's processes share.
 */
#include "arena.h"

#include <errno.h>
#include <limits.h>
#include <linux/dm-user.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* So soon whoever rests looks again: whether the program is to end, for one thing. */
#define REST_MAX_MS 300
/* Where operations are slow, or do not come at all. */
#define REST_OPERATIONS_MAX_MS 2000

struct arena *arena;

int arena_init(void)
{
	void *memory = mmap(NULL, sizeof(*arena), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -errno;
	arena = memory;
	return 0;
}

void arena_wrong(const char *format, ...)
{
	static atomic_flag taken = ATOMIC_FLAG_INIT;
	va_list arguments;

	if (atomic_flag_test_and_set(&taken) || arena->wrong)
		return;
	va_start(arguments, format);
	vsnprintf(arena->what, sizeof(arena->what), format, arguments);
	va_end(arguments);
	arena->wrong = true;
}

void arena_name_thread(const char *role, unsigned target, unsigned index)
{
	char name[16];

	snprintf(name, sizeof(name), "%.9s %u.%u", role, target % 100, index % 100);
	prctl(PR_SET_NAME, name);
}

void arena_node(char *ret_path, unsigned size, unsigned target, unsigned node)
{
	snprintf(ret_path, size, "%s/hostile-%u.%u", DM_USER_DIRECTORY, target, node);
}

void arena_rest(unsigned ms)
{
	poll(NULL, 0, ms);
}

void arena_rest_operations(uint64_t n)
{
	uint64_t ms = n * 1000 / (arena->rate + 1);

	arena_rest(ms < REST_OPERATIONS_MAX_MS ? ms : REST_OPERATIONS_MAX_MS);
}

void arena_rest_while(atomic_uint *word, unsigned value)
{
	struct timespec most = { .tv_nsec = REST_MAX_MS * 1000000 };

	syscall(SYS_futex, word, FUTEX_WAIT, value, &most, NULL, 0);
}

void arena_tell(atomic_uint *word, unsigned value)
{
	*word = value;
	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void arena_rest_without_node(struct place *place)
{
	arena_rest_while(&place->node_live, 0);
	/* it is about to go, or another's */
	if (place->node_live)
		arena_rest(5);
}

uint64_t arena_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}
