// SPDX-License-Identifier: Apache-2.0
/*
 * dmuserd, the supervisor: decides about volumes, checks workers, and hands out channels.
 *
 * Powers: root with SYS_ADMIN and little else (privileges.c says what and why), the system calls of
 * supervisor.json, no new privileges. As good as root all the same, so it parses nothing that a client sent:
 * it takes fixed-size messages of its helpers, and checks them (parser-message.c, spawner-link.c).
 *
 * To be read in this order: main (start and end), front and connection (clients), dispatch and policy (what
 * they may have done), parser-pool and spawner-link (helpers), volume and what follows from it.
 *
 * Start: settings, lock, socket, spawner, all while still full root; then powers are given up; then, in the
 * loop, manifests are read, volumes adopted and clients served. A stop ends no volume, no worker and not the
 * spawner: the next supervisor takes them over.
 */
#include "dmuserd/supervisor/backend.h"
#include "dmuserd/supervisor/front.h"
#include "dmuserd/supervisor/listener.h"
#include "dmuserd/supervisor/log.h"
#include "dmuserd/supervisor/manager.h"
#include "dmuserd/supervisor/parser-pool.h"
#include "dmuserd/supervisor/privileges.h"
#include "dmuserd/supervisor/run-dir.h"
#include "dmuserd/supervisor/sole.h"
#include "dmuserd/supervisor/spawner-link.h"
#include "dmuserd/supervisor/spawner-start.h"
#include "util/cleanup.h"
#include "util/proc.h"

#include "config.h"

#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>

#define CONFIG_FILE DMUSER_SYSCONFDIR "/dmuserd.conf"
/* What another start would find as well, until somebody mends it: dmuserd.service tries no more. */
#define EXIT_USAGE 2
#define EXIT_STAYS EX_CONFIG

struct supervisor {
	struct manager m; /* first: backends_load() gives it back */
	struct listener listener;
	gid_t group;
	int run_dir_lock;
	bool stays; /* what is wrong */
};

struct options {
	const char *file; /* NULL: the usual one, if it is there */
	const char *pairs[64];
	size_t n_pairs;
};

static void usage(FILE *out)
{
	fprintf(out,
		"Usage: dmuserd [OPTION]...\n"
		"\n"
		"Serves block volumes from confined user-space processes, until a signal ends it. See dmuserd(8).\n"
		"\n"
		"  --config FILE    read settings from FILE (default: %s, if it is there)\n"
		"  --set KEY=VALUE  one setting, which weighs more than the file's; repeatable. See\n"
		"                   dmuserd.conf(5)\n"
		"  --foreground     changes nothing: it never leaves the foreground\n"
		"  --help           this text\n"
		"  --version\n"
		"\n"
		"It needs root, and:\n"
		"  dmuser-spawner   starts the confined processes. dmuserd starts it, if none listens on\n"
		"                   spawner.sock in run_dir (%s), from libexec_dir (%s),\n"
		"                   where backends/ and seccomp/ are as well: --set libexec_dir=DIR\n"
		"  dm-user          the kernel module. The kernel loads it with the first volume where it is\n"
		"                   installed in /lib/modules; elsewhere: insmod DIR/dm-user.ko\n",
		CONFIG_FILE, DMUSER_RUNDIR, DMUSER_LIBEXECDIR);
}

static int complain(const char *text)
{
	fprintf(stderr, "dmuserd: %s\n", text);
	return -EINVAL;
}

static int set_pair(struct settings *s, const char *pair, char *error, size_t error_size)
{
	const char *equals = strchr(pair, '=');
	char key[64];

	if (!equals || (size_t)(equals - pair) >= sizeof(key)) {
		snprintf(error, error_size, "--set %s: not KEY=VALUE", pair);
		return -EINVAL;
	}
	memcpy(key, pair, (size_t)(equals - pair));
	key[equals - pair] = '\0';
	return settings_set(s, key, equals + 1, error, error_size);
}

/* The file first, whatever the order on the command line: what is said there weighs more. */
static int read_settings(const struct options *o, struct settings *s)
{
	char error[512] = "";
	int r;

	settings_init(s);
	r = settings_read_file(s, o->file ? o->file : CONFIG_FILE, error, sizeof(error));
	if (r == -ENOENT && o->file) {
		snprintf(error, sizeof(error), "%s: %s", o->file, strerror(ENOENT));
		r = -EINVAL;
	} else if (r == -ENOENT) {
		r = 0;
	}
	for (size_t i = 0; r == 0 && i < o->n_pairs; i++)
		r = set_pair(s, o->pairs[i], error, sizeof(error));
	if (r == 0)
		r = settings_check(s, error, sizeof(error));
	return r < 0 ? complain(error) : 0;
}

/* 0; 1: the program ends here, and well; or -EINVAL. */
static int parse_options(int argc, char **argv, struct options *ret_options)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "set", required_argument, NULL, 's' },
		{ "foreground", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{},
	};
	struct options o = {};

	for (int c; (c = getopt_long(argc, argv, "", known, NULL)) >= 0;) {
		switch (c) {
		case 'c':
			o.file = optarg;
			break;
		case 's':
			if (o.n_pairs == ARRAY_SIZE(o.pairs))
				return complain("too many --set");
			o.pairs[o.n_pairs++] = optarg;
			break;
		case 'f':
			break;
		case 'h':
			usage(stdout);
			return 1;
		case 'v':
			printf("dmuserd %s\n", DMUSER_VERSION);
			return 1;
		default:
			/* getopt has said what is wrong. */
			return -EINVAL;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "dmuserd: takes no argument such as '%s'\n", argv[optind]);
		return -EINVAL;
	}
	*ret_options = o;
	return 0;
}

/* Start, first part: as root, and free to block */

static int failed(const char *what, int error)
{
	log_print(LOG_ERR, "%s: %s", what, strerror(-error));
	return error;
}

/* Volumes and clients are many, and each costs descriptors. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_print(LOG_WARNING, "cannot raise the limit of descriptors: %s", strerror(errno));
}

static gid_t find_group(const char *name)
{
	const struct group *group;

	if (!name[0])
		return (gid_t)-1;
	group = getgrnam(name);
	if (group)
		return group->gr_gid;
	log_print(LOG_NOTICE, "there is no group %s: only root can connect", name);
	return (gid_t)-1;
}

/* What ends this one would end another one as well. */
static int stays(struct supervisor *s, int error)
{
	s->stays = true;
	return error;
}

static int take_run_dir(struct supervisor *s)
{
	const char *run_dir = s->m.settings.run_dir;
	char who[SOLE_HOLDER_SIZE];
	int r = run_dir_prepare(run_dir);

	if (r == -EPERM)
		log_print(LOG_ERR, "run_dir %s: must be a directory of root's that nobody else can write in",
			  run_dir);
	else if (r < 0)
		log_print(LOG_ERR, "run_dir %s cannot be made or opened: %s", run_dir, strerror(-r));
	if (r < 0)
		return r == -EPERM ? stays(s, r) : r;
	r = sole_in_run_dir(run_dir, &s->run_dir_lock, who);
	if (r == -EBUSY)
		log_print(LOG_ERR, "run_dir %s: another dmuserd runs there (%s)", run_dir, who);
	else if (r < 0)
		log_print(LOG_ERR, "run_dir %s: " SOLE_LOCK " cannot be had: %s", run_dir, strerror(-r));
	return r == -EBUSY ? stays(s, r) : r;
}

/* What is read from there is read one by one later; a directory that is wrong is best told at once. */
static int check_libexec_dir(struct supervisor *s)
{
	const char *path = s->m.settings.libexec_dir;
	_cleanup_(closep) int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? -errno : 0;

	if (r == 0)
		return 0;
	log_print(LOG_ERR, "libexec_dir %s: %s; dmuserd's programs in another directory DIR are found by "
			   "--set libexec_dir=DIR", path, strerror(-r));
	/* Anything else, too many open files say, may be over by the next start. */
	return r == -ENOENT || r == -ENOTDIR ? stays(s, r) : r;
}

/* Whoever takes over removes what the other one has made. */
static int take_machine(struct supervisor *s)
{
	char who[SOLE_HOLDER_SIZE];
	int r = sole_on_machine(SOLE_CONTROL, &s->m.machine_lock, who);

	/* The first volume has it loaded, and tries again. */
	if (r == -ENODEV)
		return 0;
	if (r == -EBUSY)
		log_print(LOG_ERR,
			  SOLE_CONTROL ": another dmuserd serves this kernel (%s), from another directory "
				       "than run_dir %s: stop it first, there can be one",
			  who, s->m.settings.run_dir);
	else if (r < 0)
		failed(SOLE_CONTROL, r);
	return r == -EBUSY ? stays(s, r) : r;
}

static int reach_spawner(struct supervisor *s)
{
	const struct settings *settings = &s->m.settings;
	char path[sizeof(settings->run_dir) + sizeof("/spawner.sock")];
	int r;

	snprintf(path, sizeof(path), "%s/spawner.sock", settings->run_dir);
	r = spawner_link_new(s->m.event, path, &s->m.spawner);
	if (r == -ENOENT || r == -ECONNREFUSED) {
		r = spawner_start(settings, settings->worker_start_timeout_ms);
		if (r == 0)
			r = spawner_link_new(s->m.event, path, &s->m.spawner);
	}
	return r < 0 ? failed("there is no spawner, and none can be started", r) : 0;
}

static int open_event_loop(struct supervisor *s)
{
	static const int stops[] = { SIGTERM, SIGINT, SIGHUP };
	sigset_t blocked;
	int r = sd_event_new(&s->m.event);

	/* Children of a moment are waited for by sd-event, which wants SIGCHLD blocked. */
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	for (size_t i = 0; i < ARRAY_SIZE(stops); i++)
		sigaddset(&blocked, stops[i]);
	if (r >= 0 && sigprocmask(SIG_BLOCK, &blocked, NULL) < 0)
		r = -errno;
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(stops); i++)
		r = sd_event_add_signal(s->m.event, NULL, stops[i], NULL, NULL);
	if (r >= 0)
		r = sd_event_set_watchdog(s->m.event, 1);
	return r < 0 ? failed("event loop", r) : 0;
}

static int begin(struct supervisor *s)
{
	int r = open_event_loop(s);

	if (r == 0)
		r = take_run_dir(s);
	if (r == 0)
		r = take_machine(s);
	if (r == 0)
		r = check_libexec_dir(s);
	if (r < 0)
		return r;
	raise_descriptor_limit();
	proc_spare_from_oom();
	s->group = find_group(s->m.settings.socket_group);
	r = listener_open(s->m.settings.run_dir, s->group, &s->listener);
	if (r < 0)
		return failed("control socket", r);
	r = reach_spawner(s);
	return r < 0 ? r : privileges_drop(s->m.settings.libexec_dir);
}

/* Start, second part: in the loop, with what powers are left */

static int open_for_clients(struct supervisor *s)
{
	struct manager *m = &s->m;
	int r = volumes_new(m, &m->volumes);

	if (r < 0)
		return failed("cannot take over what is there", r);
	r = front_new(m, s->listener.fd, s->group, &m->front);
	if (r < 0)
		return failed("cannot serve clients", r);
	log_print(LOG_INFO, "dmuserd " DMUSER_VERSION " serves %s", s->listener.path);
	sd_notify(0, "READY=1\nSTATUS=Serving clients");
	return 0;
}

static void on_backends_loaded(struct manager *m, int error)
{
	struct supervisor *s = (struct supervisor *)m;
	int r = error < 0 ? failed("no backend's manifest could be read", error) :
			    open_for_clients(s);

	if (r < 0)
		sd_event_exit(m->event, r);
}

static int run(struct supervisor *s)
{
	struct manager *m = &s->m;
	int r = parser_pool_new(m, &m->parsers);

	if (r == 0)
		r = backends_load(m, on_backends_loaded);
	if (r < 0)
		return failed("cannot start", r);
	/* Until a signal ends it, with 0. */
	r = sd_event_loop(m->event);
	if (r >= 0)
		return 0;
	failed("ended", r);
	/* A helper is of another version. */
	return r == -EPROTONOSUPPORT ? stays(s, r) : r;
}

/* The end: in the order in which one needs the other */

static void end(struct supervisor *s)
{
	struct manager *m = &s->m;

	sd_notify(0, "STOPPING=1");
	front_free(m->front);
	volumes_free(m->volumes);
	backends_free(m->backends);
	parser_pool_free(m->parsers);
	spawner_link_free(m->spawner);
	listener_close(&s->listener);
	sd_event_unref(m->event);
	closep(&s->m.machine_lock);
	closep(&s->run_dir_lock);
}

int main(int argc, char **argv)
{
	struct supervisor s = { .m.machine_lock = -EBADF, .listener = { .fd = -EBADF }, .run_dir_lock = -EBADF };
	struct options options;
	int r = parse_options(argc, argv, &options);

	if (r < 0)
		fprintf(stderr, "'dmuserd --help' tells the options.\n");
	if (r != 0)
		return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
	if (read_settings(&options, &s.m.settings) < 0)
		return EXIT_USAGE;
	if (geteuid() != 0) {
		complain("must be started by root: it makes device-mapper devices");
		return EXIT_FAILURE;
	}
	log_open();
	r = begin(&s);
	if (r == 0)
		r = run(&s);
	end(&s);
	if (r < 0)
		return s.stays ? EXIT_STAYS : EXIT_FAILURE;
	return EXIT_SUCCESS;
}
