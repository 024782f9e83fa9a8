// SPDX-License-Identifier: Apache-2.0
/* The spawner as a service manager starts it: in the foreground, in a cgroup that is its own. */
#include "tests/attack/case.h"
#include "tests/attack/rig.h"
#include "util/cleanup.h"
#include "util/proc.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#define UNIT "/sys/fs/cgroup/dmuser-test.service"

static struct rig rig;

static int bind_notify(char *path, size_t size)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	snprintf(path, size, "%s/notify", rig.run_dir);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	CHECK_EQ(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void write_to(const char *path, const char *text)
{
	_cleanup_(closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

_Noreturn static void become_service(const char *unit, const char *notify)
{
	char program[512];

	if (unit)
		write_to(UNIT "/cgroup.procs", "0");
	setenv("NOTIFY_SOCKET", notify, 1);
	snprintf(program, sizeof(program), "%s/dmuserd/spawner/dmuser-spawner", rig.build);
	execl(program, program, "--foreground", "--run-dir", rig.run_dir, "--libexec-dir",
	      rig.build, NULL);
	_exit(127);
}

/* Comes back when the service has said that it is ready. */
static pid_t start_service(const char *build, const char *unit)
{
	struct pollfd notify = { .events = POLLIN };
	char path[108], said[64] = "";
	pid_t pid;

	CHECK_EQ(rig_prepare(&rig, build), 0);
	notify.fd = bind_notify(path, sizeof(path));
	pid = fork();
	if (pid == 0)
		become_service(unit, path);
	CHECK(pid > 0);
	CHECK_EQ(poll(&notify, 1, RIG_TIMEOUT_MS), 1);
	CHECK(recv(notify.fd, said, sizeof(said) - 1, 0) > 0);
	CHECK_STR(said, "READY=1");
	close(notify.fd);
	return pid;
}

static void end_service(pid_t pid)
{
	int status;

	CHECK_EQ(kill(pid, SIGTERM), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

static void a_service_says_when_it_listens_and_ends_well_on_sigterm(const char *build)
{
	pid_t pid = start_service(build, NULL);
	struct spawner_reply reply;

	CHECK_EQ(rig_connect(&rig), 0);
	CHECK_EQ(rig_ask(&rig, SPAWNER_KILL, "nobody", &reply), 0);
	CHECK_EQ(reply.error, -ESRCH);
	end_service(pid);
}

static void a_delegated_cgroup_is_where_children_go(const char *build)
{
	char expected[32], text[64];
	pid_t pid;

	CHECK(mkdir(UNIT, 0755) == 0 || errno == EEXIST);
	CHECK_EQ(setxattr(UNIT, "trusted.delegate", "1", 1, 0), 0);
	write_to("/sys/fs/cgroup/cgroup.subtree_control", "+memory +pids");
	pid = start_service(build, UNIT);
	snprintf(expected, sizeof(expected), "%d\n", pid);
	CHECK_EQ(proc_read(AT_FDCWD, UNIT "/_spawner/cgroup.procs", text, sizeof(text)), 0);
	CHECK_STR(text, expected);
	CHECK_EQ(proc_read(AT_FDCWD, UNIT "/cgroup.subtree_control", text, sizeof(text)), 0);
	CHECK_STR(text, "memory pids\n");
	end_service(pid);
	CHECK_EQ(rmdir(UNIT "/_spawner"), 0);
	CHECK_EQ(rmdir(UNIT), 0);
}

const struct attack_case service_cases[] = {
	CASE(a_service_says_when_it_listens_and_ends_well_on_sigterm),
	CASE(a_delegated_cgroup_is_where_children_go),
	{},
};
