// SPDX-License-Identifier: Apache-2.0
/* Short-lived children: what they say arrives, what they hold does not stay, and none is waited
 * for. */
#include "dmuserd/supervisor/errand.h"
#include "tests/unit/volume/test.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

struct outcome {
	bool done;
	unsigned int calls;
	int error, fd;
	size_t size;
	char data[64];
};

static void on_done(void *userdata, int error, const void *data, size_t size, int fd)
{
	struct outcome *o = userdata;

	o->done = true;
	o->calls++;
	o->error = error;
	o->fd = fd;
	o->size = size;
	if (size > 0)
		memcpy(o->data, data, size < sizeof(o->data) ? size : sizeof(o->data));
}

static struct outcome run(uint64_t timeout_ms, errand_fn fn, const void *arg)
{
	struct outcome o = { .fd = -EBADF };
	struct errand *e;
	sd_event *event = new_loop();
	size_t before = count_fds();

	assert_int_equal(errand_start(event, timeout_ms, fn, arg, on_done, &o, &e), 0);
	run_until_flag(event, &o.done);
	if (o.fd >= 0)
		before++;
	run_until_fds(event, before);
	assert_int_equal(o.calls, 1);
	sd_event_unref(event);
	/* No zombie stays. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	return o;
}

static void say_hello(int link, const void *arg)
{
	errand_send(link, arg, strlen(arg), -EBADF);
}

static void what_the_child_says_arrives(void **state)
{
	struct outcome o = run(5000, say_hello, "hello");

	assert_int_equal(o.error, 0);
	assert_int_equal(o.size, 5);
	assert_memory_equal(o.data, "hello", 5);
}

static void say_much(int link, const void *arg)
{
	static char much[400 * 1000];

	memset(much, 'm', sizeof(much));
	errand_send(link, much, sizeof(much), -EBADF);
}

static void much_arrives_whole(void **state)
{
	struct outcome o = run(10000, say_much, NULL);

	assert_int_equal(o.error, 0);
	assert_int_equal(o.size, 400 * 1000);
}

static void say_too_much(int link, const void *arg)
{
	char block[4096] = "";

	while (errand_send(link, block, sizeof(block), -EBADF) == 0)
		;
}

static void a_child_that_never_stops_talking_is_ended(void **state)
{
	struct outcome o = run(10000, say_too_much, NULL);

	assert_int_equal(o.error, -ENOBUFS);
}

static void give_descriptor(int link, const void *arg)
{
	int fd = open("/dev/null", O_RDWR);

	errand_send(link, "abc", 3, fd);
}

static void a_descriptor_arrives_with_the_data(void **state)
{
	struct outcome o = run(5000, give_descriptor, NULL);

	assert_int_equal(o.error, 0);
	assert_int_equal(o.size, 3);
	assert_true(o.fd >= 0);
	assert_int_equal(fcntl(o.fd, F_GETFD), FD_CLOEXEC);
	close(o.fd);
}

static void speak_and_sleep(int link, const void *arg)
{
	errand_send(link, "half", 4, -EBADF);
	for (;;)
		pause();
}

static void a_child_without_end_is_ended_at_its_deadline(void **state)
{
	struct outcome o = run(200, speak_and_sleep, NULL);

	assert_int_equal(o.error, -ETIMEDOUT);
	assert_int_equal(o.size, 4);
}

static void die(int link, const void *arg)
{
	raise(SIGKILL);
}

static void a_child_that_dies_says_nothing(void **state)
{
	struct outcome o = run(5000, die, NULL);

	assert_int_equal(o.error, 0);
	assert_int_equal(o.size, 0);
}

struct inside {
	size_t fds;
	bool term_is_blocked, term_is_default;
};

static void look_inside(int link, const void *arg)
{
	struct sigaction action;
	struct inside inside;
	sigset_t mask;

	inside.fds = count_fds();
	sigprocmask(SIG_SETMASK, NULL, &mask);
	sigaction(SIGTERM, NULL, &action);
	inside.term_is_blocked = sigismember(&mask, SIGTERM);
	inside.term_is_default = action.sa_handler == SIG_DFL;
	errand_send(link, &inside, sizeof(inside), -EBADF);
}

static void the_child_has_nothing_of_ours(void **state)
{
	int extra[16];
	struct inside inside;
	struct outcome o;
	sigset_t term, old;

	for (size_t i = 0; i < ARRAY_SIZE(extra); i++)
		extra[i] = open("/dev/null", O_RDONLY);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, &old);
	signal(SIGTERM, SIG_IGN);
	o = run(5000, look_inside, NULL);
	signal(SIGTERM, SIG_DFL);
	sigprocmask(SIG_SETMASK, &old, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(extra); i++)
		close(extra[i]);

	assert_int_equal(o.size, sizeof(inside));
	memcpy(&inside, o.data, sizeof(inside));
	/* ".", "..", the directory that is read, 0 to 2, and the link. */
	assert_int_equal(inside.fds, 7);
	assert_false(inside.term_is_blocked);
	assert_true(inside.term_is_default);
}

static void a_cancelled_errand_calls_nobody_and_is_reaped(void **state)
{
	struct outcome o = {};
	struct errand *e;
	sd_event *event = new_loop();
	size_t before = count_fds();

	assert_int_equal(errand_start(event, 5000, speak_and_sleep, NULL, on_done, &o, &e), 0);
	errand_cancel(e);
	run_until_fds(event, before);
	assert_int_equal(o.calls, 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	sd_event_unref(event);
}

static void a_loop_that_ends_first_leaks_nothing(void **state)
{
	struct outcome o = {};
	size_t before = count_fds();
	sd_event *event = new_loop();
	struct errand *e;

	assert_int_equal(errand_start(event, 5000, speak_and_sleep, NULL, on_done, &o, &e), 0);
	errand_cancel(e);
	sd_event_unref(event);
	assert_int_equal(count_fds(), before);
	assert_true(waitpid(-1, NULL, 0) > 0);
}

static void peeking_shows_what_was_said_so_far(void **state)
{
	struct outcome o = {};
	sd_event *event = new_loop();
	struct errand *e;
	size_t size = 0;

	assert_int_equal(errand_start(event, 5000, speak_and_sleep, NULL, on_done, &o, &e), 0);
	for (int i = 0; i < 2000 && size < 4; i++) {
		errand_peek(e, &size);
		usleep(1000);
	}
	assert_int_equal(size, 4);
	assert_memory_equal(errand_peek(e, &size), "half", 4);
	errand_cancel(e);
	sd_event_unref(event);
	assert_true(waitpid(-1, NULL, 0) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_child_says_arrives),
		cmocka_unit_test(much_arrives_whole),
		cmocka_unit_test(a_child_that_never_stops_talking_is_ended),
		cmocka_unit_test(a_descriptor_arrives_with_the_data),
		cmocka_unit_test(a_child_without_end_is_ended_at_its_deadline),
		cmocka_unit_test(a_child_that_dies_says_nothing),
		cmocka_unit_test(the_child_has_nothing_of_ours),
		cmocka_unit_test(a_cancelled_errand_calls_nobody_and_is_reaped),
		cmocka_unit_test(a_loop_that_ends_first_leaks_nothing),
		cmocka_unit_test(peeking_shows_what_was_said_so_far),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
