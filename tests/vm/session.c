// SPDX-License-Identifier: Apache-2.0
/*
 * session: process 1 of a test VM once the host's root is in place.
 *
 * Runs one command, carries its output to the host (and the host's input to it) over virtio ports,
 * reaps every orphan, and at the command's end tells the host how it ended and what the kernel thinks
 * of itself, then resets the machine.
 *
 *   session SECONDS terminal ROWS COLUMNS	the command owns the terminal /dev/hvc0
 *   session SECONDS pipes [stdin] [merge]	the command gets pipes; merge: stdout and stderr are one
 *
 * SECONDS after boot, unless 0, it has the kernel log what is blocked: the host kills the VM soon after.
 *
 * Owns /run/vm (argv, environment, directory: each written by tests/vm/run) and the ports. The
 * command gets pipes rather than the ports themselves because a port can be open only once, which
 * would break every `> /dev/stderr`. Trusts tests/vm/run; it is root in a machine made for one
 * command. Never ends without a status line, unless the kernel does first.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* The numbers that tests/vm/run gives to QEMU as nr=. */
#define PORT_STATUS "/dev/vport0p1"
#define PORT_STDOUT "/dev/vport0p2"
#define PORT_STDERR "/dev/vport0p3"
#define PORT_STDIN "/dev/vport0p4"
#define TERMINAL "/dev/hvc0"

/* Ports appear some time after the device; killed processes end some time after the signal. */
#define PORT_DEADLINE_MS 10000
#define DRAIN_DEADLINE_MS 5000
#define SYNC_DEADLINE_MS 10000

/* The kernel's own number, and a little. */
#define KMEMLEAK_MIN_AGE_MS 5500

/* One direction of bytes: from a descriptor to another, at most one buffer in flight. */
struct relay {
	int from;
	int to;
	size_t have;
	size_t sent;
	char buf[16384];
};

static struct relay out_relay = { .from = -1, .to = -1 };
static struct relay err_relay = { .from = -1, .to = -1 };
static struct relay in_relay = { .from = -1, .to = -1 };

/* When to have the kernel log what is blocked, on the clock that starts at boot; 0: never (again). */
static int64_t log_blocked_ms;

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* Without a session there is nobody to run anything: the panic that follows tells the host. */
static _Noreturn void die(const char *what)
{
	fprintf(stderr, "session: %s: %m\n", what);
	exit(1);
}

static int open_port(const char *path, int flags)
{
	int64_t deadline = now_ms() + PORT_DEADLINE_MS;
	int fd;

	while ((fd = open(path, flags | O_CLOEXEC | O_NOCTTY)) < 0) {
		if (now_ms() > deadline)
			die(path);
		poll(NULL, 0, 5);
	}
	return fd;
}

static void make_pipe(int *ret_read, int *ret_write)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		die("pipe");
	*ret_read = fds[0];
	*ret_write = fds[1];
}

/* Returns the file's text; the caller splits it at its NULs and keeps it for good. */
static char *read_file(const char *path, size_t *ret_size)
{
	struct stat st;
	char *text;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		die(path);
	text = calloc(1, st.st_size + 1);
	if (!text || read(fd, text, st.st_size) != st.st_size)
		die(path);
	close(fd);
	*ret_size = st.st_size;
	return text;
}

static char **read_strings(const char *path)
{
	size_t size, n = 0;
	char *text = read_file(path, &size);
	char **list;

	for (size_t i = 0; i < size; i++)
		n += text[i] == '\0';
	list = calloc(n + 1, sizeof(*list));
	if (!list)
		die(path);
	for (size_t i = 0; i < n; i++) {
		list[i] = text;
		text += strlen(text) + 1;
	}
	return list;
}

static void use_terminal(const char *rows, const char *columns)
{
	struct winsize size = {
		.ws_row = strtoul(rows, NULL, 10),
		.ws_col = strtoul(columns, NULL, 10),
	};
	int fd = open_port(TERMINAL, O_RDWR);

	ioctl(fd, TIOCSWINSZ, &size);
	if (ioctl(fd, TIOCSCTTY, 0) < 0 || dup2(fd, 0) < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
		die(TERMINAL);
}

static _Noreturn void run_command(void)
{
	char **argv = read_strings("/run/vm/argv");
	char **cwd = read_strings("/run/vm/directory");
	int error;

	environ = read_strings("/run/vm/environment");
	if (chdir(cwd[0]) < 0) {
		dprintf(2, "tests/vm: %s: %m\n", cwd[0]);
		_exit(126);
	}
	execvp(argv[0], argv);
	error = errno;
	dprintf(2, "tests/vm: %s: %m\n", argv[0]);
	_exit(error == ENOENT ? 127 : 126);
}

/* Does in a child what must not happen to process 1: signals as a login shell's, a session of its own. */
static pid_t start_command(int in, int out, int err, char **terminal)
{
	sigset_t none;
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (terminal)
		use_terminal(terminal[0], terminal[1]);
	else if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		die("dup2");
	run_command();
}

static void relay_close(struct relay *r)
{
	if (r->from >= 0)
		close(r->from);
	if (r->to >= 0)
		close(r->to);
	r->from = r->to = -1;
}

/* Waits for input while the buffer is empty, else for room: a command that does not read its input
 * must not stop its output. A closed relay is an fd that poll() ignores.
 */
static struct pollfd relay_interest(const struct relay *r)
{
	if (r->sent < r->have)
		return (struct pollfd){ .fd = r->to, .events = POLLOUT };
	return (struct pollfd){ .fd = r->from, .events = POLLIN };
}

static void relay_move(struct relay *r)
{
	ssize_t n;

	if (r->sent < r->have) {
		n = write(r->to, r->buf + r->sent, r->have - r->sent);
		if (n > 0)
			r->sent += n;
	} else {
		n = read(r->from, r->buf, sizeof(r->buf));
		r->have = n > 0 ? n : 0;
		r->sent = 0;
	}
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		relay_close(r);
}

/* Returns true once PID is among the dead. */
static bool reap(pid_t pid, int *ret_status)
{
	bool found = false;
	int status;
	pid_t dead;

	while ((dead = waitpid(-1, &status, WNOHANG)) > 0) {
		if (dead != pid)
			continue;
		*ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		found = true;
	}
	return found;
}

/* How long poll() may sleep: until the time to log what is blocked, or not long once all should end. */
static int patience(pid_t pid)
{
	int64_t left;

	if (!pid)
		return 100;
	if (!log_blocked_ms)
		return -1;
	left = log_blocked_ms - now_ms();
	return left > 0 ? left : 0;
}

/* A VM that is about to be killed says first what it was waiting for. */
static void log_blocked_when_due(void)
{
	int fd;

	if (!log_blocked_ms || now_ms() < log_blocked_ms)
		return;
	log_blocked_ms = 0;
	fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
	dprintf(fd, "w");
	close(fd);
}

/* Carries bytes until PID has ended or, with no PID, until both outputs are at their end. */
static void carry(int signals, pid_t pid, int deadline_ms, int *ret_status)
{
	int64_t deadline = now_ms() + deadline_ms;
	struct signalfd_siginfo info;

	while (pid || ((out_relay.from >= 0 || err_relay.from >= 0) && now_ms() < deadline)) {
		struct pollfd fds[] = {
			{ .fd = signals, .events = POLLIN },
			relay_interest(&out_relay),
			relay_interest(&err_relay),
			relay_interest(&in_relay),
		};

		if (poll(fds, 4, patience(pid)) < 0)
			die("poll");
		log_blocked_when_due();
		if (fds[1].revents)
			relay_move(&out_relay);
		if (fds[2].revents)
			relay_move(&err_relay);
		if (fds[3].revents)
			relay_move(&in_relay);
		if (fds[0].revents && read(signals, &info, sizeof(info)) > 0 && reap(pid, ret_status))
			return;
	}
}

/* File systems on --disk must reach the host; one whose device hangs must not keep the status back. */
static void sync_disks(void)
{
	int64_t deadline = now_ms() + SYNC_DEADLINE_MS;
	pid_t pid = fork();

	if (pid == 0) {
		sync();
		_exit(0);
	}
	while (waitpid(pid, NULL, WNOHANG) == 0) {
		if (now_ms() > deadline) {
			dprintf(2, "session: sync() does not return: some I/O hangs\n");
			return;
		}
		poll(NULL, 0, 5);
	}
}

/* Into the kernel's log: each write() is a message. (dprintf() wants to seek, and fails there.) */
static void log_line(const char *line, size_t size)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	if (write(fd, line, size) < 0)
		die("/dev/kmsg");
	close(fd);
}

static void log_leaks(int kmemleak)
{
	char text[4096];
	ssize_t n;

	lseek(kmemleak, 0, SEEK_SET);
	/* each read() returns whole lines, and no more than fit */
	while ((n = read(kmemleak, text, sizeof(text))) > 0) {
		char *line = text, *end;

		while ((end = memchr(line, '\n', text + n - line))) {
			log_line(line, end - line);
			line = end + 1;
		}
	}
}

/*
 * A kernel with kmemleak says now what it has lost. It believes so only of what is older than five
 * seconds and looked lost, unchanged, in two scans. What it finds is a fault in its log.
 */
static void scan_for_leaks(void)
{
	int fd = open("/sys/kernel/debug/kmemleak", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	poll(NULL, 0, KMEMLEAK_MIN_AGE_MS);
	for (int i = 0; i < 2; i++)
		if (write(fd, "scan", 4) != 4)
			die("kmemleak");
	log_leaks(fd);
	close(fd);
}

static unsigned long kernel_taint(void)
{
	size_t size;
	char text[32] = "";
	int fd = open("/proc/sys/kernel/tainted", O_RDONLY | O_CLOEXEC);

	size = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	close(fd);
	return size ? strtoul(text, NULL, 10) : 0;
}

static void start_pipes(char **options, int *ret_in, int *ret_out, int *ret_err)
{
	bool merge = false;

	*ret_in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	for (; *options; options++) {
		if (!strcmp(*options, "merge"))
			merge = true;
		if (!strcmp(*options, "stdin")) {
			in_relay.from = open_port(PORT_STDIN, O_RDONLY | O_NONBLOCK);
			make_pipe(ret_in, &in_relay.to);
			fcntl(in_relay.to, F_SETFL, O_NONBLOCK);
		}
	}
	out_relay.to = open_port(PORT_STDOUT, O_WRONLY);
	make_pipe(&out_relay.from, ret_out);
	*ret_err = *ret_out;
	if (merge)
		return;
	err_relay.to = open_port(PORT_STDERR, O_WRONLY);
	make_pipe(&err_relay.from, ret_err);
}

int main(int argc, char **argv)
{
	bool terminal = argc == 5 && !strcmp(argv[2], "terminal");
	int in = -1, out = -1, err = -1, status = 125;
	sigset_t chld;
	int signals, port;
	pid_t pid;

	if (argc < 3)
		die("arguments");
	log_blocked_ms = strtol(argv[1], NULL, 10) * 1000;
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	signals = signalfd(-1, &chld, SFD_CLOEXEC);
	port = open_port(PORT_STATUS, O_WRONLY);
	if (!terminal)
		start_pipes(argv + 3, &in, &out, &err);

	pid = start_command(in, out, err, terminal ? argv + 3 : NULL);
	if (pid < 0)
		die("fork");
	close(in);
	close(out);
	close(err);
	carry(signals, pid, 0, &status);
	/* What the command left running would keep its output, and a --disk, open. */
	kill(-1, SIGKILL);
	relay_close(&in_relay);
	carry(signals, 0, DRAIN_DEADLINE_MS, &status);
	sync_disks();
	scan_for_leaks();
	dprintf(port, "status %d taint %lu\n", status, kernel_taint());
	close(port);
	reboot(RB_AUTOBOOT);
	die("reboot");
}
