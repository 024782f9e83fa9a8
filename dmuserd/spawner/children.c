// SPDX-License-Identifier: Apache-2.0
/* The children; see children.h. Owns their pidfds. Trusts its caller for names that are checked. */
#include "dmuserd/spawner/children.h"
#include "util/cleanup.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

struct child_entry *children_find(const struct children *children, const char *name)
{
	for (struct child_entry *e = children->first; e; e = e->next)
		if (strcmp(e->name, name) == 0)
			return e;
	return NULL;
}

bool children_have_uid(const struct children *children, uint32_t uid)
{
	for (const struct child_entry *e = children->first; e; e = e->next)
		if (e->alive && e->uid == uid)
			return true;
	return false;
}

int children_add(struct children *children, const char *name, const char *group,
		 enum spawner_role role, uint32_t uid, pid_t pid, int pidfd,
		 struct child_entry **ret_entry)
{
	struct child_entry *e;

	if (children->n >= CHILDREN_MAX)
		return -ENOSPC;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	snprintf(e->name, sizeof(e->name), "%s", name);
	snprintf(e->group, sizeof(e->group), "%s", group);
	e->role = role;
	e->uid = uid;
	e->pid = pid;
	e->pidfd = pidfd;
	e->alive = true;
	e->next = children->first;
	children->first = e;
	children->n++;
	*ret_entry = e;
	return 0;
}

bool children_has_ended(const struct child_entry *entry)
{
	struct pollfd p = { .fd = entry->pidfd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

/* An adopted one is reaped by init, and how it ended is only told to its parent. */
bool children_reap(struct child_entry *entry)
{
	int status = SPAWNER_STATUS_UNKNOWN;
	pid_t pid = entry->adopted ? -1 : waitpid(entry->pid, &status, WNOHANG);

	entry->held = pid == 0;
	if (entry->held)
		return false;
	entry->status = pid == entry->pid ? status : SPAWNER_STATUS_UNKNOWN;
	entry->alive = false;
	closep(&entry->pidfd);
	entry->pidfd = -EBADF;
	return true;
}

void children_note_oom(struct child_entry *entry)
{
	/* The kernel kills by SIGKILL; one that ended otherwise was not what it killed. */
	if (entry->status == SPAWNER_STATUS_UNKNOWN)
		entry->status = SIGKILL;
	if (WIFSIGNALED(entry->status) && WTERMSIG(entry->status) == SIGKILL)
		entry->status |= SPAWNER_STATUS_OOM;
}

void children_forget(struct children *children, struct child_entry *entry)
{
	for (struct child_entry **at = &children->first; *at; at = &(*at)->next) {
		if (*at != entry)
			continue;
		*at = entry->next;
		closep(&entry->pidfd);
		free(entry);
		children->n--;
		return;
	}
}

void children_clear(struct children *children)
{
	while (children->first)
		children_forget(children, children->first);
}
