// SPDX-License-Identifier: Apache-2.0
/* Which requests the spawner takes, and what it keeps of its children. */
#include "dmuserd/spawner/children.h"
#include "dmuserd/spawner/spawn.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#define N_FDS (SPAWNER_FD_RESOURCES + 1)

static struct spawner_request good(void)
{
	return (struct spawner_request){
		.version = SPAWNER_MESSAGE_VERSION,
		.op = SPAWNER_SPAWN,
		.name = "00000000-0000-4000-8000-000000000001",
		.role = SPAWNER_WORKER,
		.uid = 1,
		.n_resources = 1,
		.pids_max = 1,
		.nofile_max = CONFINE_FD_RESOURCES + 1,
		.group = "c",
	};
}

static void refuses(const struct spawner_request *request)
{
	assert_int_equal(spawn_check(request, N_FDS), -EINVAL);
}

#define REFUSES(change)                            \
	do {                                       \
		struct spawner_request q = good(); \
		change;                            \
		refuses(&q);                       \
	} while (0)

static void a_request_with_all_it_needs_is_taken(void **state)
{
	struct spawner_request q = good();

	assert_int_equal(spawn_check(&q, N_FDS), 0);
	q.role = SPAWNER_PARSER;
	strcpy(q.group, "_parsers");
	q.n_resources = 0;
	assert_int_equal(spawn_check(&q, SPAWNER_FD_RESOURCES), 0);
}

static void names_that_lead_elsewhere_are_refused(void **state)
{
	static const char *const names[] = { "",   ".",	       "..",  "../x", "a/b",
					     "/a", "_spawner", "a b", "a\nb" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		REFUSES(strcpy(q.name, names[i]));
		REFUSES(strcpy(q.group, names[i]));
	}
}

static void no_container_can_share_the_parsers_cgroup(void **state)
{
	struct spawner_request worker = good();

	strcpy(worker.group, "parsers");
	assert_int_equal(spawn_check(&worker, N_FDS), 0);
	REFUSES(strcpy(q.group, "_parsers"));
	REFUSES(q.role = SPAWNER_PARSER; strcpy(q.group, "parsers"));
	assert_false(name_is_container("_parsers"));
}

static void a_name_without_an_end_is_refused(void **state)
{
	REFUSES(memset(q.name, 'a', sizeof(q.name)));
	REFUSES(memset(q.group, 'a', sizeof(q.group)));
}

static void root_is_refused_and_so_is_no_uid(void **state)
{
	REFUSES(q.uid = 0);
	REFUSES(q.uid = UINT32_MAX);
}

static void numbers_that_make_no_sense_are_refused(void **state)
{
	REFUSES(q.role = 0);
	REFUSES(q.role = 3);
	REFUSES(q.pids_max = 0);
	REFUSES(q.holds_memory = 2);
	REFUSES(q.nofile_max = CONFINE_FD_RESOURCES);
	REFUSES(q.n_resources = 0);
	REFUSES(q.n_resources = 2);
	REFUSES(q.n_resources = CONFINE_RESOURCES_MAX + 1);
	REFUSES(q.n_resources = UINT32_MAX);
}

static struct child_entry *add(struct children *children, const char *name, uint32_t uid, pid_t pid,
			       int pidfd)
{
	struct child_entry *entry;

	assert_int_equal(children_add(children, name, "c", SPAWNER_WORKER, uid, pid, pidfd, &entry),
			 0);
	return entry;
}

static void children_are_found_by_name_until_forgotten(void **state)
{
	struct children children = {};
	struct child_entry *a = add(&children, "a", 1, 10, -EBADF);
	struct child_entry *b = add(&children, "b", 2, 11, -EBADF);

	assert_ptr_equal(children_find(&children, "a"), a);
	assert_ptr_equal(children_find(&children, "b"), b);
	children_forget(&children, a);
	assert_null(children_find(&children, "a"));
	assert_ptr_equal(children_find(&children, "b"), b);
	assert_int_equal(children.n, 1);
	children_clear(&children);
	assert_int_equal(children.n, 0);
	assert_null(children.first);
}

static pid_t start_exiting(int status, int *ret_pidfd)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(status);
	*ret_pidfd = (int)syscall(SYS_pidfd_open, pid, 0U);
	assert_true(*ret_pidfd >= 0);
	/* Until it has ended, and it stays to be reaped. */
	assert_int_equal(waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT), 0);
	return pid;
}

static void a_reaped_child_keeps_its_status_and_gives_its_uid_back(void **state)
{
	struct children children = {};
	struct child_entry *entry;
	int pidfd;
	pid_t pid = start_exiting(7, &pidfd);

	entry = add(&children, "a", 5, pid, pidfd);
	assert_true(children_have_uid(&children, 5));
	assert_true(children_has_ended(entry));
	children_reap(entry);
	assert_int_equal(entry->status, 7 << 8);
	assert_false(entry->alive);
	assert_false(children_have_uid(&children, 5));
	assert_int_equal(fcntl(pidfd, F_GETFD), -1);
	children_clear(&children);
}

static void a_child_that_was_killed_for_want_of_memory_is_told_apart(void **state)
{
	struct child_entry killed = { .status = SIGKILL }, exited = { .status = 1 << 8 };
	struct child_entry unknown = { .status = SPAWNER_STATUS_UNKNOWN };

	children_note_oom(&killed);
	assert_int_equal(killed.status, SIGKILL | SPAWNER_STATUS_OOM);
	children_note_oom(&unknown);
	assert_int_equal(unknown.status, SIGKILL | SPAWNER_STATUS_OOM);
	/* Another process of its cgroup was. */
	children_note_oom(&exited);
	assert_int_equal(exited.status, 1 << 8);
}

static void an_adopted_childs_status_is_unknown(void **state)
{
	struct children children = {};
	struct child_entry *entry;
	int pidfd;
	pid_t pid = start_exiting(7, &pidfd);

	entry = add(&children, "a", 5, pid, pidfd);
	entry->adopted = true;
	assert_true(children_has_ended(entry));
	children_reap(entry);
	assert_int_equal(entry->status, SPAWNER_STATUS_UNKNOWN);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	children_clear(&children);
}

static void a_living_child_has_not_ended(void **state)
{
	struct child_entry self = { .pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0U) };

	assert_true(self.pidfd >= 0);
	assert_false(children_has_ended(&self));
	close(self.pidfd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_with_all_it_needs_is_taken),
		cmocka_unit_test(names_that_lead_elsewhere_are_refused),
		cmocka_unit_test(no_container_can_share_the_parsers_cgroup),
		cmocka_unit_test(a_name_without_an_end_is_refused),
		cmocka_unit_test(root_is_refused_and_so_is_no_uid),
		cmocka_unit_test(numbers_that_make_no_sense_are_refused),
		cmocka_unit_test(children_are_found_by_name_until_forgotten),
		cmocka_unit_test(a_reaped_child_keeps_its_status_and_gives_its_uid_back),
		cmocka_unit_test(a_child_that_was_killed_for_want_of_memory_is_told_apart),
		cmocka_unit_test(an_adopted_childs_status_is_unknown),
		cmocka_unit_test(a_living_child_has_not_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
