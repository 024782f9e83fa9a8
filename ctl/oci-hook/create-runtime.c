// SPDX-License-Identifier: Apache-2.0
/*
 * The stage createRuntime; see stage.h.
 *
 * In two halves. First, for every volume: Create, then in a child probe, format, mount without
 * attaching. Then one child enters the container's mount namespace and attaches them all. So
 * whatever fails in the first half leaves nothing in the container, and the second half undoes what
 * it did. Killing a runtime kills the container's init while this goes on, so whether init lives is
 * asked after each half.
 */
#include "api/client/deadline.h"
#include "ctl/oci-hook/bundle.h"
#include "ctl/oci-hook/child.h"
#include "ctl/oci-hook/container.h"
#include "ctl/oci-hook/filesystem.h"
#include "ctl/oci-hook/mount.h"
#include "ctl/oci-hook/place.h"
#include "ctl/oci-hook/service.h"
#include "ctl/oci-hook/stage.h"
#include "util/cleanup.h"
#include "util/fd.h"

/* All of it; hook files give 150 s, so that there is time left to clean up. */
#define STAGE_MS   100000
#define CREATE_MS  30000
#define PREPARE_MS 60000
#define ATTACH_MS  20000
#define RELEASE_MS 15000

struct creation {
	const char *address;
	const struct state *state;
	struct bundle bundle;
	struct container container;
	uint64_t deadline;
	int mounts[BUNDLE_VOLUMES_MAX]; /* detached, in the bundle's order */
	size_t n_mounts;
};

static uint64_t step_deadline(const struct creation *c, int step_ms)
{
	uint64_t step = deadline_after_ms(step_ms);

	return step < c->deadline ? step : c->deadline;
}

struct preparation {
	struct device *device;
	const struct request *request;
	int userns;
};

/* In a child. */
static int prepare(void *argument, int *ret_fd, struct trouble *t)
{
	struct preparation *p = argument;
	int r;

	trouble_step(t, NULL, "opening");
	r = device_open(p->device, t);
	if (r == 0)
		r = filesystem_ensure(p->device, p->request, t);
	if (r == 0)
		r = mount_detached(p->device, p->request, p->userns, ret_fd, t);
	return r;
}

static int make_one(struct creation *c, struct dmuser_connection *connection,
		    const struct request *request, struct trouble *t)
{
	struct device device;
	struct preparation p = { &device, request, c->container.userns };
	int mount, r;

	trouble_step(t, request->name, "creating");
	r = service_create(connection, request, c->state->id, c->container.pidfd,
			   deadline_left_ms(step_deadline(c, CREATE_MS)), &device, t);
	if (r == 0)
		r = container_check(&c->container, t);
	if (r == 0)
		r = child_run(prepare, &p, step_deadline(c, PREPARE_MS), &mount, t);
	if (r < 0)
		return r;
	c->mounts[c->n_mounts++] = mount;
	return 0;
}

static int make_all(struct creation *c, struct trouble *t)
{
	_cleanup_(dmuser_connection_freep) struct dmuser_connection *connection = NULL;
	int r;

	trouble_step(t, NULL, "connecting");
	r = service_connect(c->address, &connection, t);
	for (size_t i = 0; r == 0 && i < c->bundle.n_requests; i++)
		r = make_one(c, connection, &c->bundle.requests[i], t);
	return r;
}

/* In a child, which is in the container's mount namespace from then on. */
static int attach(void *argument, int *ret_fd, struct trouble *t)
{
	struct creation *c = argument;
	struct placement placements[BUNDLE_VOLUMES_MAX];

	for (size_t i = 0; i < c->n_mounts; i++)
		placements[i] = (struct placement){
			.volume = c->bundle.requests[i].name,
			.path = c->bundle.requests[i].mount,
			.mount = c->mounts[i],
		};
	return place_all(c->container.pidfd, c->bundle.rootfs, placements, c->n_mounts, t);
}

static int attach_all(struct creation *c, struct trouble *t)
{
	int r;

	trouble_step(t, "", "attaching");
	r = child_run(attach, c, step_deadline(c, ATTACH_MS), NULL, t);
	return r < 0 ? r : container_check(&c->container, t);
}

/* The detached mounts go first: a release cannot remove a device that is mounted. */
static void give_up(struct creation *c, struct trouble *t)
{
	char reason[TROUBLE_REASON_SIZE];
	struct trouble second = {};

	trouble_reason(t, reason);
	fd_close_many(c->mounts, c->n_mounts);
	c->n_mounts = 0;
	trouble_step(&second, NULL, "releasing after a failure");
	if (service_release(c->address, c->state->id, reason, RELEASE_MS, &second) < 0)
		trouble_tell(&second, c->state->id);
}

static int create_volumes(struct creation *c, struct trouble *t)
{
	int r;

	r = make_all(c, t);
	if (r == 0)
		r = attach_all(c, t);
	if (r < 0)
		give_up(c, t);
	fd_close_many(c->mounts, c->n_mounts);
	return r;
}

/* Some runtimes drop what a hook says, and not every machine has a journal. */
static void report(struct creation *c, const struct trouble *t)
{
	char reason[TROUBLE_REASON_SIZE];

	if (!t->volume[0])
		return;
	trouble_reason(t, reason);
	service_report(c->address, c->state->id, t->volume, reason, RELEASE_MS);
}

int stage_create_runtime(const char *address, const struct state *state, struct trouble *t)
{
	struct creation c = {
		.address = address,
		.state = state,
		.container = { .pidfd = -EBADF, .userns = -EBADF },
		.deadline = deadline_after_ms(STAGE_MS),
	};
	int r;

	trouble_step(t, NULL, "reading the bundle");
	r = container_open(state->pid, &c.container, t);
	if (r == 0)
		r = bundle_read(state->bundle, &c.bundle, t);
	if (r < 0)
		report(&c, t);
	if (r == 0 && c.bundle.n_requests > 0) {
		r = mount_is_possible(t);
		if (r == 0)
			r = container_open_namespaces(state->pid, &c.container, t);
		if (r == 0)
			r = create_volumes(&c, t);
	}
	bundle_clear(&c.bundle);
	container_close(&c.container);
	return r;
}
