/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One container as the supervisor sees it: when does it end?
 *
 * It has ended when its init is dead (its pidfd says so) and its own cgroup holds no process
 * (cgroup.events says so) or is gone. The pidfd was taken while the runtime waited, so no reused
 * pid is ever looked at. Nothing is asked of the runtime, and nothing of the container is changed.
 */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>
#include <sys/types.h>

#define CONTAINER_CGROUP_SIZE 1024

struct container;

/* By what a new supervisor finds it again. */
struct container_identity {
	pid_t pid;
	uint64_t start_time;
	/*
	 * Directory of its own cgroup. Empty: it has none of its own, and init's death is its end.
	 */
	char cgroup[CONTAINER_CGROUP_SIZE];
};

typedef void (*container_ended_fn)(void *userdata);

/*
 * Watches the container whose init is pidfd, which is consumed in every case. `ended` is called
 * once, from the loop. -ESRCH: it has ended already. -EBADF: that is no pidfd.
 */
int container_new(sd_event *event, int pidfd, container_ended_fn ended, void *userdata,
		  struct container **ret_container);

/* Watches it again, for a supervisor that was started anew. -ESRCH: it ended meanwhile. */
int container_find(sd_event *event, const struct container_identity *identity,
		   container_ended_fn ended, void *userdata, struct container **ret_container);

void container_free(struct container *container);
static inline void container_freep(struct container **container)
{
	container_free(*container);
}

const struct container_identity *container_identity(const struct container *container);
