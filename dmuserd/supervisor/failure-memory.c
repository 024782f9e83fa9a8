// SPDX-License-Identifier: Apache-2.0
/* Why volumes that are not there were not made; see failure-memory.h. */
#include "dmuserd/supervisor/failure-memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_kept(const struct remembered_failure *f)
{
	return f->number > 0;
}

static bool is_fresh(const struct remembered_failure *f, uint64_t now_usec)
{
	return is_kept(f) && now_usec - f->at_usec < FAILURE_MEMORY_USEC;
}

static bool is_of(const struct remembered_failure *f, uid_t owner, const char *name)
{
	return is_kept(f) && f->owner == owner && strcmp(f->name, name) == 0;
}

static bool is_of_container(const struct remembered_failure *f, const char *container)
{
	return strcmp(f->container, container ? container : "") == 0;
}

static struct remembered_failure *find(struct failure_memory *memory, uid_t owner,
				       const char *container, const char *name)
{
	for (size_t i = 0; i < FAILURE_MEMORY_MAX; i++) {
		struct remembered_failure *f = &memory->entries[i];

		if (is_of(f, owner, name) && is_of_container(f, container))
			return f;
	}
	return NULL;
}

/* One owner's: how many, and the oldest of them. */
static size_t count(struct failure_memory *memory, uid_t owner,
		    struct remembered_failure **ret_oldest)
{
	struct remembered_failure *oldest = NULL;
	size_t n = 0;

	for (size_t i = 0; i < FAILURE_MEMORY_MAX; i++) {
		struct remembered_failure *f = &memory->entries[i];

		if (!is_kept(f) || f->owner != owner)
			continue;
		if (!oldest || f->number < oldest->number)
			oldest = f;
		n++;
	}
	*ret_oldest = oldest;
	return n;
}

/* Where there is some that is not kept for root. */
static struct remembered_failure *find_unused(struct failure_memory *memory, uid_t owner)
{
	struct remembered_failure *unused = NULL;
	size_t n = 0;

	for (size_t i = 0; i < FAILURE_MEMORY_MAX; i++) {
		struct remembered_failure *f = &memory->entries[i];

		if (!is_kept(f))
			unused = f;
		else
			n += (f->owner == 0) == (owner == 0);
	}
	if (n >= (owner == 0 ? FAILURE_MEMORY_ROOT_MAX : FAILURE_MEMORY_OTHERS_MAX))
		return NULL;
	return unused;
}

/* Others than root: the one who has the most. Whoever fails seldom is not pushed out. */
static struct remembered_failure *oldest_of_the_most(struct failure_memory *memory)
{
	struct remembered_failure *found = NULL;
	size_t most = 0;

	for (size_t i = 0; i < FAILURE_MEMORY_MAX; i++) {
		const struct remembered_failure *f = &memory->entries[i];
		struct remembered_failure *oldest;
		size_t n;

		if (!is_kept(f) || f->owner == 0)
			continue;
		n = count(memory, f->owner, &oldest);
		if (n < most || (n == most && oldest->number > found->number))
			continue;
		found = oldest;
		most = n;
	}
	return found;
}

static struct remembered_failure *find_room(struct failure_memory *memory, uid_t owner)
{
	struct remembered_failure *oldest, *unused;
	size_t n = count(memory, owner, &oldest);

	if (owner != 0 && n >= FAILURE_MEMORY_PER_UID_MAX)
		return oldest;
	unused = find_unused(memory, owner);
	if (unused)
		return unused;
	return owner == 0 ? oldest : oldest_of_the_most(memory);
}

void failure_memory_keep(struct failure_memory *memory, uid_t owner, const char *container,
			 const char *name, const char *text, uint64_t now_usec)
{
	struct remembered_failure *f = find(memory, owner, container, name);

	if (!f)
		f = find_room(memory, owner);
	*f = (struct remembered_failure){
		.at_usec = now_usec,
		.number = ++memory->number,
		.owner = owner,
	};
	snprintf(f->name, sizeof(f->name), "%s", name);
	snprintf(f->container, sizeof(f->container), "%s", container ? container : "");
	snprintf(f->text, sizeof(f->text), "%s", text);
}

void failure_memory_forget(struct failure_memory *memory, uid_t owner, const char *container,
			   const char *name)
{
	struct remembered_failure *f = find(memory, owner, container, name);

	if (f)
		*f = (struct remembered_failure){};
}

static void describe_age(uint64_t usec, char *ret_age, size_t size)
{
	uint64_t seconds = usec / 1000000;

	if (seconds < 120)
		snprintf(ret_age, size, "%" PRIu64 " s", seconds);
	else
		snprintf(ret_age, size, "%" PRIu64 " min", seconds / 60);
}

bool failure_memory_tell(const struct failure_memory *memory, uid_t owner, const char *container,
			 const char *name, uint64_t now_usec,
			 char ret_told[static FAILURE_MEMORY_TOLD_SIZE])
{
	const struct remembered_failure *last = NULL;
	char age[32];

	for (size_t i = 0; i < FAILURE_MEMORY_MAX; i++) {
		const struct remembered_failure *f = &memory->entries[i];

		if (!is_of(f, owner, name) || !is_fresh(f, now_usec) ||
		    (container && !is_of_container(f, container)))
			continue;
		if (!last || f->number > last->number)
			last = f;
	}
	if (!last)
		return false;
	describe_age(now_usec - last->at_usec, age, sizeof(age));
	snprintf(ret_told, FAILURE_MEMORY_TOLD_SIZE, "%s ago%s%s: %s", age,
		 last->container[0] ? ", for container " : "", last->container, last->text);
	return true;
}
