/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The children: who lives, and how those that died ended, until the supervisor has them forgotten.
 */
#pragma once

#include "dmuserd/messages/spawner.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Enough for every volume of a large host; what stands here is a bound on memory, not a quota. */
#define CHILDREN_MAX 65536

struct child_entry {
	struct child_entry *next;
	char name[SPAWNER_NAME_SIZE];
	char group[NAME_CONTAINER_MAX + 8];
	enum spawner_role role;
	uint32_t uid;
	pid_t pid;
	int pidfd; /* owned; -EBADF once dead */
	bool alive;
	bool held;    /* has ended, and whoever traces it does not let go of it yet */
	bool adopted; /* an earlier spawner's: its end can be seen, its status cannot */
	int status;   /* once dead */
};

struct children {
	struct child_entry *first;
	size_t n;
};

struct child_entry *children_find(const struct children *children, const char *name);
/* Is uid that of a child which lives? */
bool children_have_uid(const struct children *children, uint32_t uid);

/* Consumes pidfd on success. -ENOSPC beyond CHILDREN_MAX, -ENOMEM. */
int children_add(struct children *children, const char *name, const char *group,
		 enum spawner_role role, uint32_t uid, pid_t pid, int pidfd,
		 struct child_entry **ret_entry);

bool children_has_ended(const struct child_entry *entry);
/*
 * Takes note of how one ended that has, and closes its pidfd. False: it is held, and SIGCHLD comes when it is
 * no more.
 */
bool children_reap(struct child_entry *entry);

/* In the cgroup of one that has been reaped, memory ran out and something was killed. */
void children_note_oom(struct child_entry *entry);

void children_forget(struct children *children, struct child_entry *entry);
void children_clear(struct children *children);
