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

static struct remembered_failure *older(struct remembered_failure *a, struct remembered_failure *b)
{
	return a && a->number < b->number ? a : b;
}

/* Those who share a part of the memory: root alone, or all others. */
static bool is_of_same_part(const struct remembered_failure *f, uid_t owner)
{
	return is_kept(f) && (f->owner == 0) == (owner == 0);
}

static struct remembered_failure *find_room(struct failure_memory *memory, uid_t owner)
{
	struct remembered_failure *oldest = NULL, *oldest_of_owner = NULL, *unused = NULL;
	size_t n = 0, n_of_owner = 0;

	for (size_t i = 0; i < FAILURE_MEMORY_MAX; i++) {
		struct remembered_failure *f = &memory->entries[i];

		if (!is_kept(f))
			unused = f;
		if (!is_of_same_part(f, owner))
			continue;
		oldest = older(oldest, f);
		n++;
		if (f->owner != owner)
			continue;
		oldest_of_owner = older(oldest_of_owner, f);
		n_of_owner++;
	}
	if (owner != 0 && n_of_owner >= FAILURE_MEMORY_PER_UID_MAX)
		return oldest_of_owner;
	if (n >= (owner == 0 ? FAILURE_MEMORY_ROOT_MAX : FAILURE_MEMORY_OTHERS_MAX))
		return oldest;
	return unused;
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
