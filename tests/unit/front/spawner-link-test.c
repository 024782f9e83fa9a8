// SPDX-License-Identifier: Apache-2.0
/* The link to the spawner, whose part the test plays on a socket of its own. */
#include "test.h"
#include "dmuserd/supervisor/spawner-link.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#define DEADLINE_USEC UINT64_C(10000000)
#define FAR_USEC UINT64_C(3600000000)

static struct {
	sd_event *event;
	char directory[64], path[96];
	int listener, spawner; /* the spawner's two sockets */
	int null; /* stands for every descriptor that is passed on */
	struct spawner_link *link;
} t;

/* What the callbacks were told. */
static struct told {
	size_t spawned, exited, children, listed;
	int error, status, listed_error;
	enum confine_step step;
	pid_t pid;
	bool pidfd;
	struct spawner_reply child;
} told;

static void on_spawned(void *userdata, int error, enum confine_step step, pid_t pid, int pidfd)
{
	assert_ptr_equal(userdata, &told);
	told.spawned++;
	told.error = error;
	told.step = step;
	told.pid = pid;
	told.pidfd = pidfd >= 0;
	closep(&pidfd);
}

static void on_exited(void *userdata, int status)
{
	told.exited++;
	told.status = status;
}

static void on_child(void *userdata, const struct spawner_reply *child, int pidfd)
{
	told.children++;
	told.child = *child;
	told.pidfd = pidfd >= 0;
	closep(&pidfd);
}

static void on_listed(void *userdata, int error)
{
	told.listed++;
	told.listed_error = error;
}

static void listen_again(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	t.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	strcpy(address.sun_path, t.path);
	unlink(t.path);
	assert_int_equal(bind(t.listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(t.listener, 4), 0);
}

static int begin(void **state)
{
	told = (struct told){};
	strcpy(t.directory, "/tmp/dmuser-link-XXXXXX");
	assert_non_null(mkdtemp(t.directory));
	snprintf(t.path, sizeof(t.path), "%s/spawner.sock", t.directory);
	assert_true(sd_event_new(&t.event) >= 0);
	t.null = open("/dev/null", O_RDWR | O_CLOEXEC);
	listen_again();
	assert_int_equal(spawner_link_new(t.event, t.path, &t.link), 0);
	t.spawner = accept4(t.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	assert_true(t.spawner >= 0);
	return 0;
}

static int end(void **state)
{
	spawner_link_free(t.link);
	closep(&t.spawner);
	closep(&t.listener);
	closep(&t.null);
	unlink(t.path);
	rmdir(t.directory);
	sd_event_unref(t.event);
	return 0;
}

static void settle(void)
{
	int r;

	do {
		r = sd_event_run(t.event, 0);
		assert_true(r >= 0);
	} while (r > 0);
}

/* Until that many calls have come; there is no other way than to wait, but not for long. */
static void wait_for(const size_t *count, size_t n)
{
	while (*count < n)
		assert_true(sd_event_run(t.event, DEADLINE_USEC) > 0);
}

static uint64_t from_now(uint64_t usec)
{
	uint64_t now;

	assert_true(sd_event_now(t.event, CLOCK_MONOTONIC, &now) >= 0);
	return now + usec;
}

static int spawn_until(const char *name, uint64_t deadline_usec)
{
	struct spawner_request request = { .role = SPAWNER_WORKER, .uid = 1900000000,
					   .memory_max_bytes = 77, .group = "c1" };
	const int fds[] = { t.null, t.null, t.null, t.null };

	snprintf(request.name, sizeof(request.name), "%s", name);
	return spawner_spawn(t.link, &request, fds, 4, deadline_usec, on_spawned, on_exited, &told);
}

static void spawn(const char *name)
{
	assert_int_equal(spawn_until(name, from_now(FAR_USEC)), 0);
}

/* What the spawner is asked for next. */
static struct spawner_request asked(enum spawner_op op, const char *name)
{
	struct spawner_request request;
	int fds[8], r;
	size_t n = 0;

	settle();
	r = fd_recv_exact(t.spawner, &request, sizeof(request), fds, 8, &n, MSG_DONTWAIT);
	assert_int_equal(r, 0);
	assert_int_equal(n, op == SPAWNER_SPAWN ? 4 : 0);
	fd_close_many(fds, n);
	assert_int_equal(request.version, SPAWNER_MESSAGE_VERSION);
	assert_int_equal(request.op, op);
	assert_string_equal(request.name, name);
	return request;
}

static void asked_nothing(void)
{
	char byte;

	settle();
	assert_int_equal(recv(t.spawner, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

static struct spawner_reply make(enum spawner_event event, uint64_t serial, const char *name)
{
	struct spawner_reply reply = { .version = SPAWNER_MESSAGE_VERSION, .event = event,
				       .serial = serial };

	snprintf(reply.name, sizeof(reply.name), "%s", name);
	return reply;
}

static void answer(const struct spawner_reply *reply, bool pidfd)
{
	assert_int_equal(fd_send(t.spawner, reply, sizeof(*reply), &t.null, pidfd, 0), 0);
	settle();
}

static void answer_spawned(const struct spawner_request *request)
{
	struct spawner_reply reply = make(SPAWNER_SPAWNED, request->serial, request->name);

	reply.pid = 4711;
	answer(&reply, true);
}

static void answer_done(const struct spawner_request *request)
{
	struct spawner_reply reply = make(SPAWNER_DONE, request->serial, request->name);

	answer(&reply, false);
}

static void tell_exited(const char *name, int status)
{
	struct spawner_reply reply = make(SPAWNER_EXITED, 0, name);

	reply.status = status;
	answer(&reply, false);
}

static bool is_lost(void)
{
	struct pollfd p = { .fd = t.spawner };

	settle();
	return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP);
}

static void nobody_listens_is_told_apart(void **state)
{
	struct spawner_link *link = NULL;

	close(t.listener);
	t.listener = -1;
	assert_int_equal(spawner_link_new(t.event, t.path, &link), -ECONNREFUSED);
	unlink(t.path);
	assert_int_equal(spawner_link_new(t.event, t.path, &link), -ENOENT);
}

static void a_spawn_is_answered_with_pid_and_pidfd(void **state)
{
	struct spawner_request request;

	spawn("w1");
	request = asked(SPAWNER_SPAWN, "w1");
	assert_int_equal(request.uid, 1900000000);
	assert_int_equal(request.memory_max_bytes, 77);
	assert_string_equal(request.group, "c1");
	assert_int_equal(told.spawned, 0);
	answer_spawned(&request);
	assert_int_equal(told.spawned, 1);
	assert_int_equal(told.error, 0);
	assert_int_equal(told.pid, 4711);
	assert_true(told.pidfd);
}

static void a_spawn_that_fails_names_its_step(void **state)
{
	struct spawner_request request;
	struct spawner_reply reply;

	spawn("w1");
	request = asked(SPAWNER_SPAWN, "w1");
	reply = make(SPAWNER_SPAWNED, request.serial, "w1");
	reply.error = -EPERM;
	reply.step = CONFINE_ID_MAP;
	answer(&reply, false);
	assert_int_equal(told.spawned, 1);
	assert_int_equal(told.error, -EPERM);
	assert_int_equal(told.step, CONFINE_ID_MAP);
	assert_false(told.pidfd);
}

static void answers_find_their_questions_in_any_order(void **state)
{
	struct spawner_request first, second;
	struct spawner_reply reply;

	spawn("w1");
	spawn("w2");
	first = asked(SPAWNER_SPAWN, "w1");
	second = asked(SPAWNER_SPAWN, "w2");
	assert_true(first.serial != second.serial);
	answer_spawned(&second);
	assert_int_equal(told.error, 0);
	reply = make(SPAWNER_SPAWNED, first.serial, "w1");
	reply.error = -ENOMEM;
	answer(&reply, false);
	assert_int_equal(told.error, -ENOMEM);
	assert_int_equal(told.spawned, 2);
}

static void a_spawn_has_a_deadline(void **state)
{
	assert_int_equal(spawn_until("w1", from_now(1000)), 0);
	wait_for(&told.spawned, 1);
	assert_int_equal(told.error, -ETIMEDOUT);
}

static void a_child_that_comes_too_late_is_killed_and_forgotten(void **state)
{
	struct spawner_request request, kill;

	assert_int_equal(spawn_until("w1", from_now(1000)), 0);
	wait_for(&told.spawned, 1);
	request = asked(SPAWNER_SPAWN, "w1");
	answer_spawned(&request);
	assert_int_equal(told.spawned, 1);
	kill = asked(SPAWNER_KILL, "w1");
	answer_done(&kill);
	tell_exited("w1", 9);
	asked(SPAWNER_FORGET, "w1");
	assert_int_equal(told.exited, 0);
	assert_false(is_lost());
}

static void an_end_is_told_with_its_status(void **state)
{
	struct spawner_request request;

	spawn("w1");
	request = asked(SPAWNER_SPAWN, "w1");
	answer_spawned(&request);
	tell_exited("w1", 0x8b);
	assert_int_equal(told.exited, 1);
	assert_int_equal(told.status, 0x8b);
	/* Once: a repetition, or somebody else's end, tells nothing. */
	tell_exited("w1", 0);
	tell_exited("stranger", 0);
	assert_int_equal(told.exited, 1);
	assert_int_equal(spawner_forget(t.link, "w1"), 0);
	asked(SPAWNER_FORGET, "w1");
}

static void a_child_that_is_forgotten_alive_is_dropped_when_it_is_dead(void **state)
{
	struct spawner_request request;

	spawn("w1");
	request = asked(SPAWNER_SPAWN, "w1");
	answer_spawned(&request);
	assert_int_equal(spawner_forget(t.link, "w1"), 0);
	asked_nothing();
	tell_exited("w1", 0);
	assert_int_equal(told.exited, 0);
	asked(SPAWNER_FORGET, "w1");
	assert_int_equal(spawner_forget(t.link, "w1"), -ESRCH);
}

static void answer_child(uint64_t serial, const char *name, bool alive, int status)
{
	struct spawner_reply reply = make(SPAWNER_CHILD, serial, name);

	reply.alive = alive;
	reply.status = status;
	reply.role = SPAWNER_WORKER;
	answer(&reply, alive);
}

static void answer_listed(const struct spawner_request *request)
{
	struct spawner_reply reply = make(SPAWNER_LISTED, request->serial, "");

	answer(&reply, false);
}

static void a_list_tells_the_living_and_the_dead(void **state)
{
	struct spawner_request list;

	assert_int_equal(spawner_list(t.link, on_child, on_listed, NULL), 0);
	list = asked(SPAWNER_LIST, "");
	answer_child(list.serial, "w1", true, 0);
	assert_string_equal(told.child.name, "w1");
	assert_true(told.pidfd);
	answer_child(list.serial, "w2", false, 0x100);
	assert_int_equal(told.children, 2);
	assert_int_equal(told.child.status, 0x100);
	assert_false(told.pidfd);
	answer_listed(&list);
	assert_int_equal(told.listed, 1);
	assert_int_equal(told.listed_error, 0);

	/* Whoever takes the dead one over hears of its end, from the loop. */
	assert_int_equal(spawner_watch(t.link, "w2", on_exited, &told), 0);
	assert_int_equal(told.exited, 0);
	settle();
	assert_int_equal(told.exited, 1);
	assert_int_equal(told.status, 0x100);
	assert_int_equal(spawner_watch(t.link, "w1", on_exited, &told), 0);
	tell_exited("w1", 7);
	assert_int_equal(told.exited, 2);
	assert_int_equal(told.status, 7);
	assert_int_equal(spawner_watch(t.link, "w3", on_exited, &told), -ESRCH);
}

static void what_is_no_answer_ends_the_connection(void **state)
{
	spawn("w1");
	asked(SPAWNER_SPAWN, "w1");
	assert_int_equal(send(t.spawner, "?", 1, MSG_NOSIGNAL), 1);
	assert_true(is_lost());
	assert_int_equal(told.spawned, 1);
	assert_int_equal(told.error, -ECONNRESET);
}

/* Each case changes one thing about a good answer to a SPAWN. */
static void wrong_answer(void (*change)(struct spawner_reply *), bool pidfd, int expected)
{
	struct spawner_request request;
	struct spawner_reply reply;

	begin(NULL);
	spawn("w1");
	request = asked(SPAWNER_SPAWN, "w1");
	reply = make(SPAWNER_SPAWNED, request.serial, "w1");
	reply.pid = 4711;
	if (change)
		change(&reply);
	answer(&reply, pidfd);
	assert_true(is_lost());
	assert_int_equal(told.spawned, 1);
	assert_int_equal(told.error, expected);
	end(NULL);
}

static void another_version(struct spawner_reply *r)
{
	r->version++;
}

static void another_serial(struct spawner_reply *r)
{
	r->serial++;
}

static void another_name(struct spawner_reply *r)
{
	r->name[1] = '2';
}

static void no_end_of_name(struct spawner_reply *r)
{
	memset(r->name, 'w', sizeof(r->name));
}

static void no_pid(struct spawner_reply *r)
{
	r->pid = 0;
}

static void positive_error(struct spawner_reply *r)
{
	r->error = 1;
}

static void unknown_step(struct spawner_reply *r)
{
	r->error = -1;
	r->step = CONFINE_SEALED + 1;
}

static void unknown_event(struct spawner_reply *r)
{
	r->event = 99;
}

static void another_event(struct spawner_reply *r)
{
	r->event = SPAWNER_DONE;
}

static void a_pidfd_with_an_end(struct spawner_reply *r)
{
	r->event = SPAWNER_EXITED;
	r->serial = 0;
}

static void wrong_answers_end_the_connection(void **state)
{
	wrong_answer(another_version, true, -EPROTONOSUPPORT);
	wrong_answer(another_serial, true, -ECONNRESET);
	wrong_answer(another_name, true, -ECONNRESET);
	wrong_answer(no_end_of_name, true, -ECONNRESET);
	wrong_answer(no_pid, true, -ECONNRESET);
	wrong_answer(positive_error, true, -ECONNRESET);
	wrong_answer(unknown_step, false, -ECONNRESET);
	wrong_answer(unknown_event, false, -ECONNRESET);
	wrong_answer(another_event, false, -ECONNRESET);
	wrong_answer(a_pidfd_with_an_end, true, -ECONNRESET);
	/* No pidfd with a living child. */
	wrong_answer(NULL, false, -ECONNRESET);
}

static void accept_again(void)
{
	do
		assert_true(sd_event_run(t.event, DEADLINE_USEC) > 0);
	while ((t.spawner = accept4(t.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) < 0);
}

static void a_lost_spawner_answers_everybody_and_is_looked_for(void **state)
{
	struct spawner_request request, list;

	spawn("w1");
	request = asked(SPAWNER_SPAWN, "w1");
	answer_spawned(&request);
	spawn("w2");
	assert_int_equal(spawner_list(t.link, on_child, on_listed, NULL), 0);
	settle();
	close(t.spawner);
	settle();
	assert_int_equal(told.spawned, 2);
	assert_int_equal(told.error, -ECONNRESET);
	assert_int_equal(told.listed_error, -ECONNRESET);
	assert_int_equal(told.exited, 0);
	assert_int_equal(spawn_until("w3", from_now(FAR_USEC)), -ENOTCONN);

	/* The same spawner, or another: it is asked what it has. */
	accept_again();
	list = asked(SPAWNER_LIST, "");
	answer_child(list.serial, "w1", false, 9);
	assert_int_equal(told.exited, 1);
	assert_int_equal(told.status, 9);
	/* Nobody has heard that this one was started. */
	answer_child(list.serial, "w2", true, 0);
	asked(SPAWNER_KILL, "w2");
	answer_listed(&list);
	spawn("w3");
	asked(SPAWNER_SPAWN, "w3");
}

static void hang_up(void)
{
	settle();
	close(t.spawner);
	t.spawner = -1;
	settle();
}

/* What an earlier or a later version says, of whatever size its messages are. */
static void answer_as_another_version(size_t size)
{
	const uint32_t message[sizeof(struct spawner_reply) / 2] = { SPAWNER_MESSAGE_VERSION + 1 };

	assert_true(size <= sizeof(message));
	settle();
	assert_int_equal(send(t.spawner, message, size, MSG_NOSIGNAL), size);
	settle();
}

static void an_answer_of_another_version_is_known_whatever_its_size(void **state)
{
	const size_t sizes[] = { sizeof(uint32_t), sizeof(struct spawner_reply) - 1,
				 sizeof(struct spawner_reply), sizeof(struct spawner_reply) + 8 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		spawn("w1");
		answer_as_another_version(sizes[i]);
		assert_true(is_lost());
		assert_int_equal(told.error, -EPROTONOSUPPORT);
		assert_true(spawner_is_unsure(told.error));
		assert_non_null(strstr(spawner_describe_error(told.error),
				       "restart dmuser-workers and dmuserd"));
		assert_int_equal(spawn_until("w2", from_now(FAR_USEC)), -EPROTONOSUPPORT);
		close(t.spawner);
		accept_again();
	}
	/* And then the next one is no version at all, but dead. */
	hang_up();
	assert_int_equal(spawn_until("w2", from_now(FAR_USEC)), -ENOTCONN);
}

/* It has not read the second question when it hangs up after the first. */
static void an_answer_of_another_version_is_heard_before_the_end(void **state)
{
	const uint32_t answer = SPAWNER_MESSAGE_VERSION + 1;

	spawn("w1");
	spawn("w2");
	settle();
	assert_int_equal(send(t.spawner, &answer, sizeof(answer), MSG_NOSIGNAL), sizeof(answer));
	close(t.spawner);
	t.spawner = -1;
	settle();
	assert_int_equal(told.spawned, 2);
	assert_int_equal(told.error, -EPROTONOSUPPORT);
}

static void list(void)
{
	assert_int_equal(spawner_list(t.link, on_child, on_listed, NULL), 0);
}

/* It dies each time, right after its start; that says nothing of its version. */
static void a_spawner_that_hangs_up_time_and_again_is_only_lost(void **state)
{
	struct spawner_request first, own;

	list();
	for (int i = 0; i < 3; i++) {
		spawn("w1");
		hang_up();
		assert_int_equal(told.spawned, i + 1);
		assert_int_equal(told.error, -ECONNRESET);
		assert_int_equal(spawn_until("w2", from_now(FAR_USEC)), -ENOTCONN);
		accept_again();
	}
	/* The list still waits for one that lives. */
	assert_int_equal(told.listed, 0);
	first = asked(SPAWNER_LIST, "");
	own = asked(SPAWNER_LIST, "");
	asked_nothing();
	answer_listed(&first);
	answer_listed(&own);
	assert_int_equal(told.listed, 1);
	assert_int_equal(told.listed_error, 0);
	spawn("w2");
	asked(SPAWNER_SPAWN, "w2");
}

static void a_list_of_a_spawner_of_another_version_says_so(void **state)
{
	list();
	hang_up();
	accept_again();
	answer_as_another_version(sizeof(struct spawner_reply));
	assert_int_equal(told.listed, 1);
	assert_int_equal(told.listed_error, -EPROTONOSUPPORT);
}

static void a_list_that_nobody_is_left_to_answer_fails(void **state)
{
	list();
	close(t.listener);
	t.listener = -1;
	hang_up();
	assert_int_equal(told.listed, 0);
	wait_for(&told.listed, 1);
	assert_int_equal(told.listed_error, -ECONNRESET);
	assert_int_equal(spawn_until("w1", from_now(FAR_USEC)), -ENOTCONN);
}

/* What an earlier supervisor has left is taken over only when all of it is known. */
static void one_that_is_held_outlives_a_new_connection(void **state)
{
	struct spawner_request request;

	list();
	request = asked(SPAWNER_LIST, "");
	answer_child(request.serial, "w1", true, 0);
	answer_child(request.serial, "w2", true, 0);
	answer_listed(&request);
	assert_int_equal(spawner_hold(t.link, "w1"), 0);
	assert_int_equal(spawner_hold(t.link, "w3"), -ESRCH);
	hang_up();
	accept_again();
	request = asked(SPAWNER_LIST, "");
	answer_child(request.serial, "w1", true, 0);
	answer_child(request.serial, "w2", true, 0);
	asked(SPAWNER_KILL, "w2");
	asked_nothing();
	assert_int_equal(spawner_watch(t.link, "w1", on_exited, &told), 0);
	tell_exited("w1", 7);
	assert_int_equal(told.exited, 1);
}

static void nothing_is_lost_when_the_spawner_does_not_read(void **state)
{
	const int n = 1500;
	char name[32];

	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "w%d", i);
		spawn(name);
	}
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "w%d", i);
		asked(SPAWNER_SPAWN, name);
	}
	asked_nothing();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nobody_listens_is_told_apart),
		TEST(a_spawn_is_answered_with_pid_and_pidfd),
		TEST(a_spawn_that_fails_names_its_step),
		TEST(answers_find_their_questions_in_any_order),
		TEST(a_spawn_has_a_deadline),
		TEST(a_child_that_comes_too_late_is_killed_and_forgotten),
		TEST(an_end_is_told_with_its_status),
		TEST(a_child_that_is_forgotten_alive_is_dropped_when_it_is_dead),
		TEST(a_list_tells_the_living_and_the_dead),
		TEST(what_is_no_answer_ends_the_connection),
		cmocka_unit_test(wrong_answers_end_the_connection),
		TEST(a_lost_spawner_answers_everybody_and_is_looked_for),
		TEST(an_answer_of_another_version_is_known_whatever_its_size),
		TEST(an_answer_of_another_version_is_heard_before_the_end),
		TEST(a_spawner_that_hangs_up_time_and_again_is_only_lost),
		TEST(a_list_of_a_spawner_of_another_version_says_so),
		TEST(a_list_that_nobody_is_left_to_answer_fails),
		TEST(one_that_is_held_outlives_a_new_connection),
		TEST(nothing_is_lost_when_the_spawner_does_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
