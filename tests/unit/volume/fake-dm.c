// SPDX-License-Identifier: Apache-2.0
/* Device-mapper and its nodes, as the world plays them. */
#include "dmuserd/supervisor/channel.h"
#include "dmuserd/supervisor/sole.h"
#include "tests/unit/volume/fake-silence.h"
#include "tests/unit/volume/fake-world.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/sysmacros.h>

struct dm_call {
	struct dm_request request;
	sd_event_source *source;
	dm_done_fn done;
	void *userdata;
	bool silent;
	struct dm_call *next;
};

/* Not answered yet. */
static struct dm_call *calls;

static const char *const names[] = {
	[DM_OP_VERSION] = "version", [DM_OP_CREATE] = "create", [DM_OP_RESUME] = "resume",
	[DM_OP_MESSAGE] = "fail",    [DM_OP_REMOVE] = "remove", [DM_OP_REMOVE_DEFERRED] = "defer",
	[DM_OP_STATUS] = "status",   [DM_OP_LIST] = "list",
	[DM_OP_LIST_DEAF] = "broken",
};

static struct world_device *find(const char *name)
{
	struct world_device *d;

	for (d = world->devices; d; d = d->next)
		if (strcmp(d->name, name) == 0)
			break;
	return d;
}

/* As it is asked for what must be ours. */
static struct world_device *find_uuid(const char *uuid)
{
	struct world_device *d;

	for (d = world->devices; d; d = d->next)
		if (strcmp(d->uuid, uuid) == 0)
			break;
	return d;
}

struct world_device *world_device(const char *uuid)
{
	struct world_device *d;

	for (d = world->devices; d; d = d->next)
		if (strcmp(d->uuid + strlen("DMUSER-"), uuid) == 0)
			break;
	return d;
}

static void destroy(struct world_device *d)
{
	struct world_device **at = &world->devices;

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	closep(&d->channel_write);
	free(d);
}

void world_close_device(struct world_device *d)
{
	assert_true(d->open_count > 0);
	if (--d->open_count == 0 && d->deferred)
		destroy(d);
}

static int create_device(const struct dm_request *request)
{
	static unsigned int minor_number;
	struct world_device *d;
	unsigned int n_options, attach_ms, request_ms;
	uint64_t sectors;

	if (find(request->name))
		return -EBUSY;
	d = calloc(1, sizeof(*d));
	assert_non_null(d);
	strcpy(d->name, request->name);
	strcpy(d->uuid, request->uuid);
	d->size_sectors = request->size_sectors;
	d->read_only = request->read_only;
	d->channel_write = -EBADF;
	d->devno = makedev(253, minor_number++);
	/* What the module would refuse. */
	assert_int_equal(sscanf(request->params,
				"0 %" SCNu64 " %127s %u volatile_cache %7s block_size %u"
				" attach_timeout_ms %u request_timeout_ms %u",
				&sectors, d->node, &n_options, d->volatile_cache, &d->block_size,
				&attach_ms, &request_ms), 7);
	assert_int_equal(sectors, request->size_sectors);
	assert_int_equal(n_options, request->read_only ? 9 : 8);
	assert_int_equal(attach_ms, world->m.settings.io_timeout_ms);
	assert_int_equal(request_ms, world->m.settings.io_timeout_ms);
	assert_int_equal(!!strstr(request->params, " read_only"), request->read_only);
	d->next = world->devices;
	world->devices = d;
	return 0;
}

static int perform(const struct dm_request *request, struct dm_result *result)
{
	struct world_device *d = request->operation == DM_OP_RESUME ? find(request->name) :
								       find_uuid(request->uuid);
	int open_count;

	if (request->operation == DM_OP_VERSION || request->operation == DM_OP_LIST ||
	    request->operation == DM_OP_LIST_DEAF)
		return 0;
	if (request->operation == DM_OP_CREATE) {
		int r = create_device(request);

		if (r == 0)
			result->devno = find(request->name)->devno;
		return r;
	}
	if (!d)
		return -ENXIO;
	open_count = d->open_count;
	result->devno = d->devno;
	result->open_count = open_count;
	if (request->operation == DM_OP_RESUME) {
		/* The rule: nobody may find a live device that no one answers for. */
		assert_true(d->channel_write >= 0);
		d->live = true;
	} else if (request->operation == DM_OP_MESSAGE) {
		assert_string_equal(request->params, "fail");
		d->failed = true;
	} else if (request->operation == DM_OP_REMOVE ||
		   request->operation == DM_OP_REMOVE_DEFERRED) {
		if (d->open_count == 0)
			destroy(d);
		else if (request->operation == DM_OP_REMOVE)
			return -EBUSY;
		else
			d->deferred = true;
		result->open_count = open_count > 0;
	}
	return 0;
}

static void list_devices(bool broken_alone, struct dm_result *result, struct dm_device *devices)
{
	for (struct world_device *d = world->devices; d; d = d->next) {
		struct dm_device *told;

		if (broken_alone && !d->broken)
			continue;
		told = &devices[result->n_devices++];
		assert_true(result->n_devices <= 16);
		strcpy(told->name, d->name);
		strcpy(told->uuid, d->uuid);
		told->devno = d->devno;
	}
	result->devices = devices;
}

static void end_call(struct dm_call *call)
{
	struct dm_call **at = &calls;

	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
	sd_event_source_disable_unref(call->source);
	free(call);
}

void fake_dm_end_silence(void)
{
	for (struct dm_call *call = calls; call; call = call->next)
		if (call->silent)
			assert_return_code(sd_event_source_set_time(call->source, 0), 0);
}

static void deliver(struct dm_call *call, bool timed_out)
{
	static struct dm_device devices[16];
	struct dm_request request = call->request;
	dm_done_fn done = call->done;
	void *userdata = call->userdata;
	struct dm_result result = {};
	size_t used = strlen(world->operations);

	end_call(call);
	snprintf(world->operations + used, sizeof(world->operations) - used, " %s",
		 names[request.operation]);
	if (world->hook)
		world->hook(world->hook_userdata, request.operation);
	if (timed_out)
		result.error = -ETIMEDOUT;
	else if (world->dm_error[request.operation] < 0)
		result.error = world->dm_error[request.operation];
	else
		result.error = perform(&request, &result);
	if (request.operation == DM_OP_LIST || request.operation == DM_OP_LIST_DEAF)
		list_devices(request.operation == DM_OP_LIST_DEAF, &result, devices);
	if (result.error < 0)
		snprintf(result.message, sizeof(result.message), "device-mapper: %s: %s",
			 names[request.operation], strerror(-result.error));
	done(userdata, &result);
}

int sole_on_machine(const char *control, int *ret_fd, char ret_holder[SOLE_HOLDER_SIZE])
{
	/* Others are served meanwhile, and none of them is to know. */
	assert_null(ret_holder);
	return world->sole_error;
}

static int on_deferred(sd_event_source *source, void *userdata)
{
	deliver(userdata, false);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	deliver(userdata, true);
	return 0;
}

int dm_start(sd_event *event, const struct dm_request *request, uint64_t timeout_ms,
	     dm_done_fn done, void *userdata, struct dm_call **ret_call)
{
	struct dm_call *call = calloc(1, sizeof(*call));
	int r;

	assert_non_null(call);
	call->request = *request;
	call->done = done;
	call->userdata = userdata;
	call->silent = world->dm_silent[request->operation];
	call->next = calls;
	calls = call;
	if (call->silent)
		r = sd_event_add_time_relative(event, &call->source, CLOCK_MONOTONIC,
					       timeout_ms * 1000, 1, on_timer, call);
	else
		r = sd_event_add_defer(event, &call->source, on_deferred, call);
	assert_return_code(r, 0);
	*ret_call = call;
	return 0;
}

void dm_cancel(struct dm_call *call)
{
	if (call)
		end_call(call);
}

void channel_node(const char *uuid, uint64_t generation, char ret_node[static CHANNEL_NODE_SIZE])
{
	snprintf(ret_node, CHANNEL_NODE_SIZE, "%s.%" PRIu64, uuid, generation);
}

int channel_open(const char *node, int *ret_fd)
{
	struct world_device *d;
	int ends[2];

	if (world->channel_error < 0)
		return world->channel_error;
	for (d = world->devices; d; d = d->next)
		if (strcmp(d->node, node) == 0)
			break;
	/* The rule: no channel before the gate. */
	assert_true(world->gate_calls > 0);
	assert_non_null(d);
	assert_int_equal(d->channel_write, -EBADF);
	assert_return_code(pipe2(ends, O_CLOEXEC), errno);
	d->channel_write = ends[1];
	*ret_fd = ends[0];
	return 0;
}

int channel_open_path(const char *node, int *ret_fd)
{
	if (world->channel_error < 0)
		return world->channel_error;
	*ret_fd = open("/dev/null", O_PATH | O_CLOEXEC);
	return 0;
}
