// SPDX-License-Identifier: Apache-2.0
/*
 * dmuser-spawner: starts workers and parsers, confined, on the supervisor's requests, and remembers
 * how they ended.
 *
 * Powers: root, with SETUID, SETGID, SYS_ADMIN, SYS_RESOURCE and KILL; the system calls of
 * spawner.json; one socket, on which it hears root alone. It opens no file that a request names,
 * reads no text that it did not write but the kernel's, and never looks into what it is asked to
 * execute.
 *
 * It is a process of its own so that workers have a parent which does not restart with the
 * supervisor, and so that the one who confines is not the one who checks. To be read in this order:
 * main (what happens at the start), powers, server (requests), spawn and child (the steps of
 * confinement), cgroup, leftovers.
 */
#include "config.h"
#include "dmuserd/spawner/daemon.h"
#include "dmuserd/spawner/filter.h"
#include "dmuserd/spawner/leftovers.h"
#include "dmuserd/spawner/powers.h"
#include "dmuserd/spawner/server.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>

struct options {
	const char *run_dir;
	const char *libexec_dir;
	bool foreground;
};

/* Everything of one spawner. */
struct spawner {
	struct spawn_context context;
	struct children children;
	struct server server;
	struct sock_fprog own_filter;
	struct hooks hooks; /* as they were at the start */
	int lock_fd;
};

static void usage(FILE *out)
{
	fprintf(out,
		"Usage: dmuser-spawner [OPTION]...\n"
		"\n"
		"Starts dmuser's workers and parsers, confined. dmuserd starts it by itself.\n"
		"\n"
		"  --run-dir DIR      where its socket is (default: %s)\n"
		"  --libexec-dir DIR  where seccomp/*.bpf are (default: %s)\n"
		"  --foreground       for a service manager; otherwise it becomes a daemon\n"
		"  --help             this text\n"
		"  --version\n",
		DMUSER_RUNDIR, DMUSER_LIBEXECDIR);
}

/* 0; 1: the program ends here, and well; or -EINVAL. */
static int parse_options(int argc, char **argv, struct options *ret_options)
{
	static const struct option known[] = {
		{ "run-dir", required_argument, NULL, 'r' },
		{ "libexec-dir", required_argument, NULL, 'l' },
		{ "foreground", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{},
	};
	struct options o = { .run_dir = DMUSER_RUNDIR, .libexec_dir = DMUSER_LIBEXECDIR };

	for (int c; (c = getopt_long(argc, argv, "", known, NULL)) >= 0;) {
		switch (c) {
		case 'r':
			o.run_dir = optarg;
			break;
		case 'l':
			o.libexec_dir = optarg;
			break;
		case 'f':
			o.foreground = true;
			break;
		case 'h':
			usage(stdout);
			return 1;
		case 'v':
			printf("dmuser-spawner %s\n", DMUSER_VERSION);
			return 1;
		default:
			return -EINVAL;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "dmuser-spawner: takes no argument such as '%s'\n", argv[optind]);
		return -EINVAL;
	}
	*ret_options = o;
	return 0;
}

static int complain(int error, const char *what)
{
	fprintf(stderr, "dmuser-spawner: %s: %s\n", what, strerror(-error));
	return error;
}

static int complain_cgroups(int error)
{
	switch (error) {
	case -ENOTEMPTY:
		return complain(error, "its cgroup (the one that was delegated to it, or else "
				       "/sys/fs/cgroup/dmuser) holds other processes, and the kernel then lets "
				       "it limit nothing in it: end or move them, or start it in one of its own, "
				       "as by 'systemd-run -p Delegate=yes'");
	case -EBUSY:
		return complain(error, "cannot set up cgroups: does another spawner run in this one?");
	default:
		return complain(error, "cannot set up cgroups (cgroup2 with memory and pids is needed)");
	}
}

/*
 * A lock that ends with the process and that no child inherits. Its descriptor stays open for that.
 */
static int take_lock(struct spawner *s)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	s->lock_fd = openat(s->server.run_fd, "spawner.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd < 0)
		return -errno;
	if (fcntl(s->lock_fd, F_SETLK, &lock) < 0)
		return errno == EACCES || errno == EAGAIN ? -EBUSY : -errno;
	return 0;
}

static int read_filter(const char *libexec_dir, const char *name, struct sock_fprog *ret_program)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/seccomp/%s.bpf", libexec_dir, name) >= PATH_MAX)
		return -ENAMETOOLONG;
	return filter_read(path, ret_program);
}

/* SIGTERM and SIGINT are read from a descriptor, in their turn; nothing is ever interrupted. */
static int take_signals(struct spawner *s)
{
	sigset_t ends, children;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &ends, NULL) < 0 || sigprocmask(SIG_BLOCK, &children, NULL) < 0)
		return -errno;
	s->server.signal_fd = signalfd(-1, &ends, SFD_CLOEXEC);
	s->server.child_fd = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->server.signal_fd < 0 || s->server.child_fd < 0 ? -errno : 0;
}

static int open_files(struct spawner *s, const struct options *o)
{
	s->server.run_fd = open(o->run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->server.run_fd < 0)
		return complain(-errno, o->run_dir);
	s->context.null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (s->context.null_fd < 0)
		return complain(-errno, "/dev/null");
	s->context.spawner_fd = (int)syscall(SYS_pidfd_open, getpid(), 0U);
	if (s->context.spawner_fd < 0)
		return complain(-errno, "its own pidfd");
	/* From here on its working directory keeps no file system busy. */
	return chdir("/") < 0 ? complain(-errno, "/") : 0;
}

static int start(struct spawner *s, const struct options *o)
{
	int r = read_filter(o->libexec_dir, "outer", &s->context.outer_filter);

	if (r == 0)
		r = read_filter(o->libexec_dir, "spawner", &s->own_filter);
	if (r < 0)
		return complain(r, "cannot read the filters in <libexec-dir>/seccomp");
	r = take_lock(s);
	if (r < 0)
		return complain(r, "spawner.lock: does another spawner run?");
	hooks_read(&s->hooks, s->server.run_fd, "spawner");
	r = powers_take(&s->hooks);
	if (r < 0)
		return complain(r, "cannot take what its children inherit");
	r = cgroups_new(&s->context.cgroups);
	if (r < 0)
		return complain_cgroups(r);
	r = leftovers_take(s->context.cgroups, &s->children);
	if (r < 0)
		return complain(r, "cannot clear away what an earlier spawner left");
	r = server_listen(o->run_dir, &s->server.listen_fd);
	if (r == 0)
		r = take_signals(s);
	if (r == 0)
		r = server_start(&s->server);
	return r < 0 ? complain(r, "cannot listen on spawner.sock") : 0;
}

static int serve(struct spawner *s, const struct options *o, int ready_fd)
{
	int r = o->foreground ? daemon_notify() : 0;

	if (r < 0)
		return complain(r, "cannot tell the service manager");
	r = powers_give_up(&s->own_filter, &s->hooks);
	if (r < 0)
		return complain(r, "cannot give up its powers");
	if (!o->foreground)
		r = daemon_ready(ready_fd, s->context.null_fd);
	return r < 0 ? r : server_run(&s->server);
}

static int run(struct spawner *s, const struct options *o)
{
	int ready_fd = -EBADF;
	char run_dir[PATH_MAX], libexec_dir[PATH_MAX];
	struct options absolute = *o;
	int r;

	/* Becoming a daemon changes the directory that they may be relative to. */
	if (!realpath(o->run_dir, run_dir) || !realpath(o->libexec_dir, libexec_dir))
		return complain(-errno, "--run-dir or --libexec-dir");
	absolute.run_dir = run_dir;
	absolute.libexec_dir = libexec_dir;
	if (!o->foreground) {
		r = daemon_detach(&ready_fd);
		if (r < 0)
			return complain(r, "cannot become a daemon");
	}
	r = open_files(s, &absolute);
	if (r == 0)
		r = start(s, &absolute);
	return r < 0 ? r : serve(s, &absolute, ready_fd);
}

int main(int argc, char **argv)
{
	struct spawner s = {
		.context = { .null_fd = -EBADF, .spawner_fd = -EBADF },
		.server = { .run_fd = -EBADF,
			    .listen_fd = -EBADF,
			    .signal_fd = -EBADF,
			    .child_fd = -EBADF,
			    .epoll_fd = -EBADF,
			    .connection = -EBADF },
		.lock_fd = -EBADF,
	};
	struct options options;
	int r = parse_options(argc, argv, &options);

	if (r < 0)
		fprintf(stderr, "'dmuser-spawner --help' tells the options.\n");
	if (r != 0)
		return r < 0 ? 2 : 0;
	s.server.context = &s.context;
	s.server.children = &s.children;
	/*
	 * What is open now is closed by the end of the process; children that have been sealed go
	 * on.
	 */
	return run(&s, &options) < 0 ? 1 : 0;
}
