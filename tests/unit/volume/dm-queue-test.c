// SPDX-License-Identifier: Apache-2.0
/* Operations in turn: how many run, in which order, and what becomes of one that cannot. dm_start() is played. */
#include "dmuserd/supervisor/dm-queue.h"
#include "tests/unit/volume/test.h"
#include "util/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define N (DM_QUEUE_RUNNING_MAX + 8)

struct dm_call {
	dm_done_fn done;
	void *userdata;
	char name[128];
};

static struct dm_call *calls[N];
static size_t n_started, n_cancelled;
static int start_error;

int dm_start(sd_event *event, const struct dm_request *request, uint64_t timeout_ms, dm_done_fn done,
	     void *userdata, struct dm_call **ret_call)
{
	struct dm_call *call;

	if (start_error < 0)
		return start_error;
	call = calloc(1, sizeof(*call));
	assert_non_null(call);
	*call = (struct dm_call){ .done = done, .userdata = userdata };
	strcpy(call->name, request->name);
	calls[n_started++] = call;
	*ret_call = call;
	return 0;
}

void dm_cancel(struct dm_call *call)
{
	n_cancelled += call != NULL;
	free(call);
}

struct asker {
	size_t n;
	int error;
	struct dm_ticket *ticket;
};

static struct {
	sd_event *event;
	struct dm_queue *queue;
	struct asker askers[N];
} t;

static void on_done(void *userdata, const struct dm_result *result)
{
	struct asker *a = userdata;

	a->n++;
	a->error = result->error;
	a->ticket = NULL;
}

static int ask(size_t i)
{
	struct dm_request request = { .operation = DM_OP_STATUS };

	snprintf(request.name, sizeof(request.name), "%zu", i);
	return dm_queue_add(t.queue, &request, 1000, on_done, &t.askers[i], &t.askers[i].ticket);
}

static void ends(size_t started)
{
	const struct dm_result result = {};
	struct dm_call call = *calls[started];

	free(calls[started]);
	call.done(call.userdata, &result);
}

static int begin(void **state)
{
	memset(&t, 0, sizeof(t));
	n_started = n_cancelled = 0;
	start_error = 0;
	t.event = new_loop();
	assert_return_code(dm_queue_new(t.event, &t.queue), 0);
	return 0;
}

static int end(void **state)
{
	dm_queue_free(t.queue);
	sd_event_unref(t.event);
	return 0;
}

static void ask_all(void)
{
	for (size_t i = 0; i < N; i++)
		assert_int_equal(ask(i), 0);
	run_pending(t.event);
}

static void so_many_run_at_a_time_and_no_more(void **state)
{
	ask_all();
	assert_int_equal(n_started, DM_QUEUE_RUNNING_MAX);
	for (size_t i = 0; i < N; i++) {
		ends(i);
		run_pending(t.event);
		assert_in_range(n_started, i + 1, i + 1 + DM_QUEUE_RUNNING_MAX);
	}
	for (size_t i = 0; i < N; i++)
		assert_int_equal(t.askers[i].n, 1);
}

static void the_first_to_come_is_the_first_to_run(void **state)
{
	ask_all();
	for (size_t i = 0; i < N; i++) {
		char name[8];

		snprintf(name, sizeof(name), "%zu", i);
		assert_string_equal(calls[i]->name, name);
		ends(i);
		run_pending(t.event);
	}
}

static void one_that_is_cancelled_makes_room(void **state)
{
	ask_all();
	/* One that waits, and two that run. */
	dm_queue_cancel(t.askers[DM_QUEUE_RUNNING_MAX].ticket);
	assert_int_equal(n_cancelled, 0);
	dm_queue_cancel(t.askers[0].ticket);
	dm_queue_cancel(t.askers[1].ticket);
	dm_queue_cancel(NULL);
	assert_int_equal(n_cancelled, 2);
	run_pending(t.event);
	assert_int_equal(n_started, DM_QUEUE_RUNNING_MAX + 2);
	assert_string_equal(calls[DM_QUEUE_RUNNING_MAX]->name, "33");
	assert_int_equal(t.askers[0].n + t.askers[1].n + t.askers[DM_QUEUE_RUNNING_MAX].n, 0);
}

static void one_that_cannot_be_started_is_told(void **state)
{
	ask_all();
	start_error = -EAGAIN;
	ends(0);
	run_pending(t.event);
	for (size_t i = DM_QUEUE_RUNNING_MAX; i < N; i++) {
		assert_int_equal(t.askers[i].n, 1);
		assert_int_equal(t.askers[i].error, -EAGAIN);
	}
	/* With room, it is told at once. */
	assert_int_equal(ask(0), -EAGAIN);
	assert_int_equal(t.askers[0].n, 1);
}

static void asks_again(void *userdata, const struct dm_result *result)
{
	struct asker *a = userdata;

	a->ticket = NULL;
	a->n++;
	assert_int_equal(ask(1), 0);
}

static void a_callback_may_ask_for_the_next(void **state)
{
	struct dm_request request = { .operation = DM_OP_STATUS };

	assert_int_equal(dm_queue_add(t.queue, &request, 1000, asks_again, &t.askers[0],
				      &t.askers[0].ticket), 0);
	ends(0);
	assert_int_equal(n_started, 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(so_many_run_at_a_time_and_no_more),
		T(the_first_to_come_is_the_first_to_run),
		T(one_that_is_cancelled_makes_room),
		T(one_that_cannot_be_started_is_told),
		T(a_callback_may_ask_for_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
