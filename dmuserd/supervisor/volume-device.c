// SPDX-License-Identifier: Apache-2.0
/*
 * The steps of a volume that concern its device: made without being live, live, gone.
 *
 * Gone comes in three stages. Draining: the kernel is asked to remove the device at its last close,
 * and does it whatever becomes of this process. It tells nobody, but the worker notices its
 * target's end, and the worker's end is an event here. Beside that it is looked after at growing
 * intervals, for a worker that is dead or does not go. Failing: after the deadline all I/O gets its
 * error. Busy: somebody keeps it open still, which only he can change.
 */
#include "dmuserd/supervisor/sole.h"
#include "dmuserd/supervisor/volume-internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#define LOOK_INTERVAL_MIN_USEC 50000
#define LOOK_INTERVAL_MAX_USEC 800000
/* What had to wait for I/O gets its error, and closes the device, in less. */
#define FAILING_USEC 400000

/* Forth. */

static int fail_driver(struct volume *v, int error, const char *message)
{
	v->set->driver_seen = false;
	if (error == -ETIMEDOUT)
		return volume_fail(v, FAILURE_TIMED_OUT, volume_step_name(v), "%s", message);
	return volume_fail(v, FAILURE_DRIVER_UNAVAILABLE, NULL, "%s: %s", volume_step_name(v),
			   message);
}

/* There is a device-mapper now, if there was none at the start. Who the other one is, no client is to know. */
static int be_sole(struct volume *v)
{
	struct manager *m = v->set->manager;
	int r = m->machine_lock >= 0 ? 0 : sole_on_machine(SOLE_CONTROL, &m->machine_lock, NULL);

	if (r == -EBUSY)
		return volume_fail(v, FAILURE_DRIVER_UNAVAILABLE, NULL,
				   SOLE_CONTROL ": another dmuserd serves this kernel");
	if (r < 0 && r != -ENODEV)
		return volume_fail(v, FAILURE_DRIVER_UNAVAILABLE, NULL, SOLE_CONTROL ": %s", strerror(-r));
	return 0;
}

static void on_version(void *userdata, const struct dm_result *result)
{
	struct volume *v = userdata;
	int r = 0;

	v->dm_call = NULL;
	if (result->error == 0)
		r = be_sole(v);
	else
		r = volume_fail(v, FAILURE_DRIVER_UNAVAILABLE, NULL,
				"%s (is the kernel module dm-user installed? try: modprobe dm-user)",
				result->message);
	v->set->driver_seen = r == 0;
	volume_step_done(v, r);
}

/* Asked before anything is started, so that a machine without the module says that and nothing else. */
int volume_start_driver(struct volume *v)
{
	int r;

	if (v->set->driver_seen)
		return STEP_DONE;
	r = volume_dm_start(v, DM_OP_VERSION, on_version);
	return r < 0 ? fail_driver(v, r, strerror(-r)) : STEP_PENDING;
}

static void on_created(void *userdata, const struct dm_result *result)
{
	struct volume *v = userdata;

	v->dm_call = NULL;
	if (result->error < 0) {
		/* The child has undone what it did, unless it did not come to its end. */
		v->device_exists = result->error == -ETIMEDOUT || result->error == -EIO;
		volume_step_done(v, fail_driver(v, result->error, result->message));
		return;
	}
	v->devno = result->devno;
	volume_step_done(v, 0);
}

static bool is_name_in_use(const struct volume *v, const char *dm_name)
{
	const struct volume *other;

	TAILQ_FOREACH(other, &v->set->list, entry)
		if (other != v && other->device_exists && strcmp(other->dm_name, dm_name) == 0)
			return true;
	return false;
}

/* A reader finds a volume by its name; of several of one name, by the uuid that follows. */
static void choose_dm_name(struct volume *v)
{
	const struct volume_spec *s = &v->spec;

	snprintf(v->dm_name, sizeof(v->dm_name), "dmuser-%u-%s", s->owner, s->name);
	/* '@' is in no volume's name. */
	if (is_name_in_use(v, v->dm_name))
		snprintf(v->dm_name, sizeof(v->dm_name), "dmuser-%u-%s@%.8s", s->owner, s->name,
			 v->uuid);
}

int volume_start_device(struct volume *v)
{
	int r;

	choose_dm_name(v);
	snprintf(v->dm_uuid, sizeof(v->dm_uuid), "DMUSER-%s", v->uuid);
	r = volume_dm_start(v, DM_OP_CREATE, on_created);
	if (r < 0)
		return fail_driver(v, r, strerror(-r));
	v->device_exists = true;
	return STEP_PENDING;
}

void volume_set_devno(struct volume *v, dev_t devno)
{
	v->devno = devno;
	snprintf(v->device, sizeof(v->device), "/dev/dm-%u", minor(devno));
}

static void on_resumed(void *userdata, const struct dm_result *result)
{
	struct volume *v = userdata;

	v->dm_call = NULL;
	if (result->error < 0) {
		volume_step_done(v, fail_driver(v, result->error, result->message));
		return;
	}
	volume_set_devno(v, result->devno);
	volume_step_done(v, 0);
}

int volume_start_resume(struct volume *v)
{
	int r;

	volume_set_state(v, VOLUME_ATTACHED);
	r = volume_dm_start(v, DM_OP_RESUME, on_resumed);
	return r < 0 ? fail_driver(v, r, strerror(-r)) : STEP_PENDING;
}

/* Back. */

static void start_failing(struct volume *v);
static void look(struct volume *v);

static void device_gone(struct volume *v)
{
	v->device_exists = false;
	v->drain.open_count = 0;
	volume_set_timer(v, 0, NULL);
	holders_cancel(v->holders_call);
	v->holders_call = NULL;
	volume_undo_done(v);
}

static int on_drain_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	look(userdata);
	return 0;
}

/* It is still there. */
static void go_on(struct volume *v)
{
	struct volume_drain *d = &v->drain;
	uint64_t now = volume_now_usec(v), wait = d->interval_usec;

	if (d->stage == RELEASE_DRAINING && now >= d->deadline_usec) {
		start_failing(v);
		return;
	}
	d->interval_usec *= 2;
	if (d->interval_usec > LOOK_INTERVAL_MAX_USEC)
		d->interval_usec = LOOK_INTERVAL_MAX_USEC;
	if (d->stage == RELEASE_DRAINING && wait > d->deadline_usec - now)
		wait = d->deadline_usec - now;
	volume_set_timer(v, wait, on_drain_timer);
}

/* Without a child nothing can be done now; later there may be room for one. */
static void start_or_wait(struct volume *v, enum dm_operation operation, dm_done_fn done)
{
	if (volume_dm_start(v, operation, done) < 0)
		go_on(v);
}

static void on_remove(void *userdata, const struct dm_result *result)
{
	struct volume *v = userdata;

	v->dm_call = NULL;
	v->drain.deferred = result->error == 0;
	if (result->error == -ENXIO || (result->error == 0 && result->open_count == 0))
		device_gone(v);
	else
		go_on(v);
}

static void on_holders(void *userdata, const struct holders *holders)
{
	struct volume *v = userdata;

	v->holders_call = NULL;
	v->drain.holders_told = true;
	if (holders->n > 0) {
		volume_set_error(v, "its device is kept open by %s", holders_first(holders));
		volume_changed(v);
	}
	volume_reply_stage(v, holders);
}

/* Whoever waits is told who is in the way; and whoever asks later, if nobody waits any more. */
static void tell_busy(struct volume *v)
{
	v->drain.stage = RELEASE_DEVICE_BUSY;
	if ((TAILQ_EMPTY(&v->waiters) && v->drain.holders_told) || v->holders_call)
		return;
	if (volume_holders_start(v, on_holders, &v->holders_call) < 0)
		volume_reply_stage(v, NULL);
}

static void on_status(void *userdata, const struct dm_result *result)
{
	struct volume *v = userdata;

	v->dm_call = NULL;
	if (result->error == -ENXIO) {
		device_gone(v);
		return;
	}
	if (result->error == 0)
		v->drain.open_count = result->open_count > 0 ? (unsigned int)result->open_count : 0;
	if (v->drain.stage != RELEASE_DRAINING && volume_now_usec(v) >= v->drain.busy_usec)
		tell_busy(v);
	go_on(v);
}

static void look(struct volume *v)
{
	if (v->drain.deferred)
		start_or_wait(v, DM_OP_STATUS, on_status);
	else
		start_or_wait(v, DM_OP_REMOVE_DEFERRED, on_remove);
}

static void on_fail(void *userdata, const struct dm_result *result)
{
	struct volume *v = userdata;

	v->dm_call = NULL;
	/* A target that was never resumed takes no message, and has no I/O either. */
	if (result->error == -ENXIO)
		device_gone(v);
	else
		look(v);
}

static void start_failing(struct volume *v)
{
	v->drain.stage = RELEASE_FAILING;
	v->drain.interval_usec = LOOK_INTERVAL_MIN_USEC;
	v->drain.busy_usec = volume_now_usec(v) + FAILING_USEC;
	start_or_wait(v, DM_OP_MESSAGE, on_fail);
}

int volume_undo_device(struct volume *v)
{
	if (!v->device_exists)
		return STEP_DONE;
	v->drain.stage = RELEASE_DRAINING;
	v->drain.interval_usec = LOOK_INTERVAL_MIN_USEC;
	v->drain.deferred = false;
	v->drain.holders_told = false;
	look(v);
	return STEP_PENDING;
}

/* An earlier end of the graceful part, or someone new who wants to know. Takes effect at once. */
void volume_device_deadline_changed(struct volume *v)
{
	bool waits = v->timer && sd_event_source_get_enabled(v->timer, NULL) > 0;

	/* Otherwise a child is at work, whose end looks at the deadline. */
	if (v->device_exists && waits)
		volume_set_timer(v, 0, on_drain_timer);
}

/*
 * By its target's end, which is then seen at once; or nobody answers any more what is outstanding.
 */
void volume_device_worker_ended(struct volume *v)
{
	v->drain.deadline_usec = 0;
	volume_device_deadline_changed(v);
}
