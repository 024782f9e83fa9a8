// SPDX-License-Identifier: Apache-2.0
/*
 * A target is looked at and told what to do while memory is short.
 */
#include "case.h"
#include "device.h"
#include "prove.h"
#include "sweep.h"

static struct target t;
static const char *message;

static int do_message(void)
{
	return device_message(&t, message);
}

static int do_status(void)
{
	return device_status(&t);
}

/* A message that was said to fail may have been heard: what it said is taken back. */
static void after_any(int r)
{
	CHECK_EQ(device_message(&t, "unfail"), 0);
	prove_serves(&t);
}

static void every_message_bears_every_fault(void)
{
	static const char *const messages[] = { "fail",	 "unfail",	"fence",
						"stats", "reset_stats", NULL };

	prove_name(&t, NULL);
	prove_create(&t);
	for (int i = 0; messages[i]; i++) {
		message = messages[i];
		CHECK(sweep(&(struct operation){
			      .name = message, .run = do_message, .after = after_any }) > 0);
	}
	prove_remove(&t);
}

static void the_status_bears_every_fault(void)
{
	prove_name(&t, "2 on_close requeue");
	prove_create(&t);
	CHECK(sweep(&(struct operation){ .name = "status", .run = do_status, .after = after_any }) >
	      0);
	prove_remove(&t);
}

const struct test_case control_cases[] = {
	CASE(every_message_bears_every_fault),
	CASE(the_status_bears_every_fault),
	{ 0 },
};
