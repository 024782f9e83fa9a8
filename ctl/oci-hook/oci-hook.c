// SPDX-License-Identifier: Apache-2.0
/*
 * dmuser-oci-hook: gives a container the volumes that its annotations ask for.
 *
 * A container runtime starts it as root, with the container's state on stdin, at a stage that argv
 * names. It trusts the runtime and the bundle's configuration; it does not trust what is in the
 * container's root, nor what a volume's worker puts on the device. It holds what it made by
 * descriptors, so that its own death leaves nothing behind but what dmuserd takes away when the
 * container's init has ended.
 */
#include "api/client/deadline.h"
#include "config.h"
#include "ctl/exit-code.h"
#include "ctl/oci-hook/stage.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>

#define STATE_MS 10000

static const char help[] =
"Usage: dmuser-oci-hook [--address PATH] createRuntime|poststop\n"
"\n"
"A hook for OCI container runtimes. Reads the container's state on stdin. At createRuntime it makes the\n"
"volumes that the annotations in the bundle's config.json ask for, binds them to the container, and mounts\n"
"them into it. At poststop it releases them, which dmuserd would do by itself.\n"
"\n"
"  io.dmuser.volume.NAME = KEY=VALUE,KEY=VALUE…\n"
"\n"
"  backend=TYPE      memory, file, or what else is installed\n"
"  mount=PATH        where in the container; made if it is missing\n"
"  size=SIZE         bytes, or with K, M, G or T; may be left out where the backing has a size\n"
"  fs=TYPE           ext4 (default), xfs or btrfs; made only on a volume that is new\n"
"  block_size=BYTES  512 (default), 1024, 2048 or 4096\n"
"  read_only=true    nobody can write to it\n"
"  OPTION=VALUE      any other key is an option of the backend, such as path= of file; one that is a size\n"
"                    is given as size= is\n"
"\n"
"A value cannot hold a comma. Mounts are nosuid and nodev, and for ext4 errors=remount-ro.\n"
"What goes wrong is said on stderr and in the journal: journalctl -t dmuser-oci-hook.\n"
"\n"
"  --address PATH    dmuserd's socket (default: $DMUSER_ADDRESS, or /run/dmuser/io.dmuser)\n"
"  --help            this text\n"
"  --version\n";

typedef int (*stage_run)(const char *address, const struct state *state, struct trouble *t);

static int usage_error(const char *message)
{
	fprintf(stderr, "dmuser-oci-hook: %s\nTry 'dmuser-oci-hook --help'.\n", message);
	return EXIT_USAGE;
}

/* Returns -1 to go on, or an exit code. */
static int take_arguments(int argc, char **argv, const char **ret_address, stage_run *ret_stage)
{
	static const struct option options[] = {
		{ "address", required_argument, NULL, 'a' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{},
	};
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
		switch (option) {
		case 'a':
			*ret_address = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return EXIT_DONE;
		case 'v':
			puts("dmuser-oci-hook " DMUSER_VERSION);
			return EXIT_DONE;
		default:
			return usage_error("that option is not known");
		}
	}
	if (argc - optind != 1)
		return usage_error("one stage is to be named: createRuntime or poststop");
	if (strcmp(argv[optind], "createRuntime") == 0)
		*ret_stage = stage_create_runtime;
	else if (strcmp(argv[optind], "poststop") == 0)
		*ret_stage = stage_poststop;
	else
		return usage_error("there is no such stage here; it is createRuntime or poststop");
	return -1;
}

/*
 * A runtime may have started it with any of 0, 1 and 2 closed: no descriptor of ours may take their
 * place.
 */
static void open_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	closep(&fd);
}

int main(int argc, char **argv)
{
	const char *address = NULL;
	struct trouble trouble = {};
	struct state state = {};
	stage_run stage;
	int r;

	open_standard_descriptors();
	signal(SIGPIPE, SIG_IGN);
	/* Children are waited for. */
	signal(SIGCHLD, SIG_DFL);
	r = take_arguments(argc, argv, &address, &stage);
	if (r >= 0)
		return r;
	trouble_step(&trouble, NULL, "reading the state");
	r = state_read(STDIN_FILENO, deadline_after_ms(STATE_MS), &state, &trouble);
	if (r == 0)
		r = stage(address, &state, &trouble);
	if (r == 0)
		return EXIT_DONE;
	trouble_set_errno(&trouble, r, "it failed");
	trouble_tell(&trouble, state.id);
	return EXIT_FAILED;
}
