// SPDX-License-Identifier: Apache-2.0
/* The spawner as the supervisor knows it: what it starts, what it remembers, what it refuses. */
#include "tests/attack/case.h"
#include "tests/attack/check.h"
#include "util/cleanup.h"
#include "util/fd.h"
#include "util/proc.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct rig rig;

static void begin(const char *build)
{
	CHECK_EQ(rig_start(&rig, build, 0), 0);
}

static void exit_by_order(struct worker *w, int status)
{
	struct order order = { .kind = ORDER_EXIT, .arguments = { (uint64_t)status } };

	CHECK_EQ(fd_send(w->control, &order, sizeof(order), NULL, 0, 0), 0);
}

static void a_confined_worker_passes_the_gate(const char *build)
{
	struct worker w;

	begin(build);
	CHECK_EQ(worker_start(&rig, &w), 0);
	check_gate(&w, "");
}

static void a_worker_has_exactly_its_descriptors_when_200_are_leaked(const char *build)
{
	struct worker w;

	CHECK_EQ(rig_start(&rig, build, 200), 0);
	CHECK_EQ(worker_start(&rig, &w), 0);
	check_gate(&w, "");
}

static void backend_seals_and_passes_the_gate(const char *build, const char *type)
{
	struct gate_expectation expected;
	struct worker w;

	begin(build);
	CHECK_EQ(worker_start_backend(&rig, &w, type), 0);
	worker_expect(&w, &expected);
	expected.fsize_limit_bytes = RIG_VOLUME_BYTES;
	check_gate_expecting(&expected, "");
}

static void the_memory_backend_seals_and_passes_the_gate(const char *build)
{
	backend_seals_and_passes_the_gate(build, "memory");
}

static void the_file_backend_seals_and_passes_the_gate(const char *build)
{
	backend_seals_and_passes_the_gate(build, "file");
}

static void the_parser_seals_and_passes_the_gate(const char *build)
{
	struct gate_expectation expected;
	struct confine_report report;
	struct spawner_reply reply;
	struct worker w;
	struct stat link;
	int pair[2];

	begin(build);
	CHECK_EQ(worker_init(&rig, &w), 0);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	closep(&w.listener);
	w.listener = pair[1];
	CHECK_EQ(fstat(pair[1], &link), 0);
	CHECK_EQ(worker_spawn(&rig, &w, "dmuserd/parser/dmuser-parser", "seccomp/parser.bpf",
			      &reply),
		 0);
	CHECK_EQ(reply.error, 0);
	CHECK_EQ(worker_wait_report(&w, &report), 0);
	CHECK_STR(confine_step_name(report.step), "sealed");
	CHECK_EQ(worker_wait_end(&w), 0);
	worker_expect(&w, &expected);
	/* Its memory holds no volume's data, and nothing of it is locked. */
	expected.memlock_min_bytes = 0;
	check_gate_expecting(&expected, "");
}

static void the_end_of_a_child_is_remembered_until_it_is_forgotten(const char *build)
{
	struct spawner_reply reply;
	struct worker w;

	begin(build);
	CHECK_EQ(worker_start(&rig, &w), 0);
	CHECK(worker_has_cgroup(&w));
	CHECK_EQ(rig_ask(&rig, SPAWNER_FORGET, w.name, &reply), 0);
	CHECK_EQ(reply.error, -EBUSY);
	exit_by_order(&w, 7);
	check_ends(&rig, &w, 7 << 8);
	CHECK(!worker_has_cgroup(&w));
	CHECK_EQ(rig_connect(&rig), 0);
	CHECK_EQ(fd_send(rig.link,
			 &(struct spawner_request){ .version = SPAWNER_MESSAGE_VERSION,
						    .op = SPAWNER_LIST,
						    .serial = 9 },
			 sizeof(struct spawner_request), NULL, 0, 0),
		 0);
	CHECK_EQ(rig_wait_for(&rig, SPAWNER_CHILD, w.name, &reply, NULL), 0);
	CHECK_EQ(reply.serial, 9);
	CHECK_EQ(reply.alive, 0);
	CHECK_EQ(reply.status, 7 << 8);
	CHECK_EQ(rig_wait_for(&rig, SPAWNER_LISTED, NULL, &reply, NULL), 0);
	CHECK_EQ(rig_ask(&rig, SPAWNER_FORGET, w.name, &reply), 0);
	CHECK_EQ(reply.error, 0);
	CHECK_EQ(rig_ask(&rig, SPAWNER_FORGET, w.name, &reply), 0);
	CHECK_EQ(reply.error, -ESRCH);
}

static void kill_ends_one_child_and_no_other(const char *build)
{
	struct order ping = { .kind = ORDER_PING };
	struct spawner_reply reply;
	struct answer answer;
	struct worker one, other;

	begin(build);
	CHECK_EQ(worker_start(&rig, &one), 0);
	CHECK_EQ(worker_start(&rig, &other), 0);
	CHECK_EQ(rig_ask(&rig, SPAWNER_KILL, one.name, &reply), 0);
	CHECK_EQ(reply.error, 0);
	check_ends(&rig, &one, SIGKILL);
	CHECK_EQ(worker_order(&other, &ping, &answer), 0);
	CHECK_EQ(rig_ask(&rig, SPAWNER_KILL, "nobody", &reply), 0);
	CHECK_EQ(reply.error, -ESRCH);
}

/* As strace does, and a debugger for longer. */
static void a_child_that_ends_while_traced_is_reaped_when_it_is_let_go(const char *build)
{
	struct spawner_reply reply;
	struct worker w;
	siginfo_t info;

	begin(build);
	CHECK_EQ(worker_start(&rig, &w), 0);
	CHECK_EQ(ptrace(PTRACE_SEIZE, w.pid, NULL, NULL), 0);
	CHECK_EQ(kill(w.pid, SIGKILL), 0);
	CHECK_EQ(waitid(P_PID, (id_t)w.pid, &info, WEXITED | WNOWAIT), 0);
	/* Two answers: between them the spawner has seen what was ready before the first. */
	CHECK_EQ(rig_ask(&rig, SPAWNER_KILL, "nobody", &reply), 0);
	CHECK_EQ(rig_ask(&rig, SPAWNER_KILL, "nobody", &reply), 0);
	CHECK_EQ(waitid(P_PID, (id_t)w.pid, &info, WEXITED), 0);
	check_ends(&rig, &w, SIGKILL);
}

static void a_new_supervisor_finds_the_children_of_the_old_one(const char *build)
{
	struct spawner_request list = { .version = SPAWNER_MESSAGE_VERSION, .op = SPAWNER_LIST };
	struct gate_expectation expected;
	struct spawner_reply reply;
	struct worker w;
	int pidfd;

	begin(build);
	CHECK_EQ(worker_start(&rig, &w), 0);
	CHECK_EQ(rig_connect(&rig), 0);
	CHECK_EQ(rig_send(&rig, &list, NULL, 0), 0);
	CHECK_EQ(rig_wait_for(&rig, SPAWNER_CHILD, w.name, &reply, &pidfd), 0);
	CHECK_EQ(reply.alive, 1);
	CHECK_EQ(reply.pid, w.pid);
	CHECK_EQ(reply.uid, w.uid);
	worker_expect(&w, &expected);
	expected.pidfd = pidfd;
	check_gate_expecting(&expected, "");
}

static void one_supervisor_is_served_at_a_time(const char *build)
{
	struct spawner_request list = { .version = SPAWNER_MESSAGE_VERSION, .op = SPAWNER_LIST };
	struct spawner_reply reply;
	struct rig second;

	begin(build);
	second = rig;
	second.link = -EBADF;
	CHECK_EQ(rig_connect(&second), 0);
	CHECK_EQ(rig_send(&second, &list, NULL, 0), 0);
	/* The spawner has had its turn when the first has its answer. */
	CHECK_EQ(rig_ask(&rig, SPAWNER_KILL, "nobody", &reply), 0);
	CHECK_EQ(poll(&(struct pollfd){ .fd = second.link, .events = POLLIN }, 1, 0), 0);
	closep(&rig.link);
	rig.link = -EBADF;
	CHECK_EQ(rig_wait_for(&second, SPAWNER_LISTED, NULL, &reply, NULL), 0);
}

static void a_message_of_another_size_is_told_the_version_and_ends_no_child(const char *build)
{
	struct order ping = { .kind = ORDER_PING };
	struct spawner_reply reply;
	struct answer answer;
	struct worker w;
	int fd;

	begin(build);
	CHECK_EQ(worker_start(&rig, &w), 0);
	CHECK_EQ(fd_send(rig.link, "junk", 4, NULL, 0, 0), 0);
	CHECK_EQ(rig_receive(&rig, &reply, &fd), 0);
	CHECK_EQ(reply.version, SPAWNER_MESSAGE_VERSION);
	CHECK_EQ(reply.error, -EPROTONOSUPPORT);
	CHECK_EQ(rig_receive(&rig, &reply, &fd), -ECONNRESET);
	CHECK_EQ(rig_connect(&rig), 0);
	CHECK_EQ(rig_ask(&rig, SPAWNER_KILL, "nobody", &reply), 0);
	CHECK_EQ(worker_order(&w, &ping, &answer), 0);
}

static void two_children_share_neither_name_nor_uid(const char *build)
{
	static const char child[] = "tests/attack/attack-child", profile[] = "seccomp/memory.bpf";
	struct spawner_reply reply;
	struct worker w, same_name, same_uid;

	begin(build);
	CHECK_EQ(worker_start(&rig, &w), 0);
	CHECK_EQ(worker_init(&rig, &same_name), 0);
	memcpy(same_name.name, w.name, sizeof(w.name));
	CHECK_EQ(worker_spawn(&rig, &same_name, child, profile, &reply), 0);
	CHECK_EQ(reply.error, -EEXIST);
	CHECK_EQ(worker_init(&rig, &same_uid), 0);
	same_uid.uid = w.uid;
	CHECK_EQ(worker_spawn(&rig, &same_uid, child, profile, &reply), 0);
	CHECK_EQ(reply.error, -EADDRINUSE);
}

static void a_childs_limits_are_those_of_its_request(const char *build)
{
	struct rlimit memlock, nofile;
	char path[256], text[64];
	struct worker w;

	begin(build);
	CHECK_EQ(worker_start(&rig, &w), 0);
	snprintf(path, sizeof(path), "/sys/fs/cgroup/dmuser/%s/memory.max", w.cgroup);
	CHECK_EQ(proc_read(AT_FDCWD, path, text, sizeof(text)), 0);
	CHECK_STR(text, "67108864\n");
	snprintf(path, sizeof(path), "/sys/fs/cgroup/dmuser/%s/pids.max", w.cgroup);
	CHECK_EQ(proc_read(AT_FDCWD, path, text, sizeof(text)), 0);
	CHECK_STR(text, "8\n");
	CHECK_EQ(prlimit(w.pid, RLIMIT_MEMLOCK, NULL, &memlock), 0);
	CHECK_EQ(memlock.rlim_max, 128 << 20);
	/* The child has lowered it further, from 64. */
	CHECK_EQ(prlimit(w.pid, RLIMIT_NOFILE, NULL, &nofile), 0);
	CHECK_EQ(nofile.rlim_max, 16);
}

static void only_root_can_connect(const char *build)
{
	int status;
	pid_t pid;

	begin(build);
	CHECK_EQ(chmod(rig.run_dir, 0755), 0);
	pid = fork();
	if (pid == 0)
		_exit(setuid(65534) == 0 && rig_connect(&rig) == -EACCES ? 0 : 1);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

static void a_second_spawner_refuses_to_start(const char *build)
{
	struct spawner_reply reply;
	struct rig second;

	begin(build);
	second = rig;
	second.link = -EBADF;
	CHECK_EQ(rig_start_spawner(&second, 0), -ECHILD);
	CHECK_EQ(rig_ask(&rig, SPAWNER_KILL, "nobody", &reply), 0);
}

static void the_spawner_has_its_five_capabilities_and_its_filter(const char *build)
{
	char path[64], text[8192];
	struct proc_status s;
	struct proc_stat stat;

	begin(build);
	snprintf(path, sizeof(path), "/proc/%d/status", rig.spawner);
	CHECK_EQ(proc_read(AT_FDCWD, path, text, sizeof(text)), 0);
	CHECK_EQ(proc_parse_status(text, &s), 0);
	CHECK_EQ(s.permitted, 1 << CAP_SETUID | 1 << CAP_SETGID | 1 << CAP_SYS_ADMIN |
				      1 << CAP_SYS_RESOURCE | 1 << CAP_KILL);
	CHECK_EQ(s.effective, s.permitted);
	CHECK_EQ(s.bounding, s.permitted);
	CHECK_EQ(s.inheritable, 0);
	CHECK_EQ(s.ambient, 0);
	CHECK_EQ(s.no_new_privs, 1);
	CHECK_EQ(s.seccomp_filters, 1);
	snprintf(path, sizeof(path), "/proc/%d/stat", rig.spawner);
	CHECK_EQ(proc_read(AT_FDCWD, path, text, sizeof(text)), 0);
	CHECK_EQ(proc_parse_stat(text, &stat), 0);
	CHECK_EQ(stat.flags & 0x180000, 0x180000);
}

const struct attack_case spawner_cases[] = {
	CASE(a_confined_worker_passes_the_gate),
	CASE(a_worker_has_exactly_its_descriptors_when_200_are_leaked),
	CASE(the_memory_backend_seals_and_passes_the_gate),
	CASE(the_file_backend_seals_and_passes_the_gate),
	CASE(the_parser_seals_and_passes_the_gate),
	CASE(the_end_of_a_child_is_remembered_until_it_is_forgotten),
	CASE(kill_ends_one_child_and_no_other),
	CASE(a_child_that_ends_while_traced_is_reaped_when_it_is_let_go),
	CASE(a_new_supervisor_finds_the_children_of_the_old_one),
	CASE(one_supervisor_is_served_at_a_time),
	CASE(a_message_of_another_size_is_told_the_version_and_ends_no_child),
	CASE(two_children_share_neither_name_nor_uid),
	CASE(a_childs_limits_are_those_of_its_request),
	CASE(only_root_can_connect),
	CASE(a_second_spawner_refuses_to_start),
	CASE(the_spawner_has_its_five_capabilities_and_its_filter),
	{},
};
