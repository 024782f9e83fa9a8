/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why volumes that are not there were not made: for whoever asks afterwards.
 *
 * A container's runtime drops what its hook says, and a creation that failed leaves no volume to ask. So the
 * last failures are kept here for a while, bounded in all and for each uid, under the key that the volume
 * would have had. Pure: makes no system call, allocates nothing, takes the time from its caller. All zero:
 * empty.
 */
#pragma once

#include "util/name.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Each start of a container is a key of its own, and under a runtime all are root's: a busy hour of
 * them has room. What others have is apart from it. 700 bytes each, 360 KiB in all.
 */
#define FAILURE_MEMORY_ROOT_MAX	   256
#define FAILURE_MEMORY_OTHERS_MAX  256
#define FAILURE_MEMORY_PER_UID_MAX 32
#define FAILURE_MEMORY_MAX	   (FAILURE_MEMORY_ROOT_MAX + FAILURE_MEMORY_OTHERS_MAX)
/* By then it has been read, or nobody will. */
#define FAILURE_MEMORY_USEC (UINT64_C(3600) * 1000000)
/* Of one failure's words; longer ones are cut. */
#define FAILURE_MEMORY_TEXT_SIZE 512
/* Of what failure_memory_tell() writes: the words, the container and how long ago. */
#define FAILURE_MEMORY_TOLD_SIZE (FAILURE_MEMORY_TEXT_SIZE + NAME_CONTAINER_MAX + 64)

struct failure_memory {
	struct remembered_failure {
		uint64_t at_usec;
		uint64_t number; /* in order of their coming; 0: no failure is kept here */
		uid_t owner;
		char name[NAME_VOLUME_MAX + 1];
		char container[NAME_CONTAINER_MAX + 1]; /* empty: none */
		char text[FAILURE_MEMORY_TEXT_SIZE];
	} entries[FAILURE_MEMORY_MAX];
	uint64_t number;
};

/*
 * Keeps the failure of one volume, in place of an earlier one of the same owner, container (NULL: none) and
 * name. Where there is no room, the oldest goes: the owner's own if it has as many as one may have,
 * that of whoever has the most if all others together do, and never root's for others.
 */
void failure_memory_keep(struct failure_memory *memory, uid_t owner, const char *container,
			 const char *name, const char *text, uint64_t now_usec);

/* Such a volume has been made. */
void failure_memory_forget(struct failure_memory *memory, uid_t owner, const char *container,
			   const char *name);

/*
 * Writes the last failure of that name for a person, with how long ago, and of which container. container
 * NULL: of any or none. Returns whether there is one.
 */
bool failure_memory_tell(const struct failure_memory *memory, uid_t owner, const char *container,
			 const char *name, uint64_t now_usec,
			 char ret_told[static FAILURE_MEMORY_TOLD_SIZE]);
