// SPDX-License-Identifier: Apache-2.0
/* Who keeps a volume's device open, and what ends that; see holder.h. */
#include "ctl/holder.h"
#include "ctl/escape.h"
#include "ctl/shell-word.h"
#include "util/name.h"
#include "util/proc.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Whether that process sees other mounts than this one. If that cannot be known, it does not. */
static bool sees_other_mounts(int pid)
{
	char path[32], theirs[64] = "", ours[64] = "";

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	if (readlink(path, theirs, sizeof(theirs) - 1) < 0 ||
	    readlink("/proc/self/ns/mnt", ours, sizeof(ours) - 1) < 0)
		return false;
	return strcmp(theirs, ours) != 0;
}

/* "PATH (pid N)" or "PATH" */
static void advise_mount(const char *mount, char *out, size_t size)
{
	const char *process = strstr(mount, " (pid ");
	size_t length = process ? (size_t)(process - mount) : strlen(mount);
	char where[PATH_MAX], word[SHELL_WORD_SIZE];
	int pid = 0;

	out[0] = 0;
	if (length >= sizeof(where) || length == 0)
		return;
	snprintf(where, sizeof(where), "%.*s", (int)length, mount);
	proc_unescape(where);
	shell_word(where, word, sizeof(word));
	if (process && sscanf(process, " (pid %d)", &pid) == 1 && sees_other_mounts(pid))
		snprintf(out, size, "nsenter -m -t %d umount %s", pid, word);
	else
		snprintf(out, size, "umount %s", word);
}

/* "b of uid 7, container c" */
static void advise_volume(const char *volume, char *out, size_t size)
{
	char name[NAME_VOLUME_MAX + 1], container[NAME_CONTAINER_MAX + 1] = "", owner[32] = "";
	unsigned int uid;

	if (sscanf(volume, "%64s of uid %u, container %128s", name, &uid, container) < 2)
		return;
	if (uid != geteuid())
		snprintf(owner, sizeof(owner), " --owner %u", uid);
	snprintf(out, size, "dmuserctl release %s%s%s%s first, which lies on top of it", name,
		 container[0] ? " --container " : "", container, owner);
}

char *holder_advice(const char *holder, char *out, size_t out_size)
{
	char text[SHELL_WORD_SIZE + 64] = "";

	if (strncmp(holder, "mount ", 6) == 0)
		advise_mount(holder + 6, text, sizeof(text));
	else if (strncmp(holder, "swap ", 5) == 0)
		snprintf(text, sizeof(text), "swapoff %s", holder + 5);
	else if (strncmp(holder, "pid ", 4) == 0)
		snprintf(text, sizeof(text), "end %s", holder);
	else if (strncmp(holder, "device ", 7) == 0)
		snprintf(text, sizeof(text),
			 "remove %s, which lies on top of it (lsblk shows both)", holder);
	else if (strncmp(holder, "volume ", 7) == 0)
		advise_volume(holder + 7, text, sizeof(text));
	else if (strncmp(holder, "a volume of uid ", 16) == 0)
		snprintf(text, sizeof(text),
			 "have uid %s's volume released first, which lies on top of it",
			 holder + 16);
	return escape_text(text, out, out_size);
}

char *holder_advice_unseen(const char *device, char *out, size_t out_size)
{
	snprintf(out, out_size,
		 "unmount it where it is mounted (grep %s /proc/[0-9]*/mounts), or end what uses "
		 "it (lsblk, fuser -v %s)",
		 device, device);
	return out;
}
