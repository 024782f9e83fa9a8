// SPDX-License-Identifier: Apache-2.0
/*
 * A backend started by hand: the command line takes the supervisor's place. It opens the channel and the
 * resources with the caller's own rights and confines nothing, which it says on stderr. Trusts its
 * caller; checks what it says only so far that a slip of the hand is answered with words.
 */
#include "api/worker/plain.h"
#include "api/worker/request.h"
#include "api/worker/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A command line, as far as it is not worker->setup. */
struct plain {
	struct dmuser_worker *worker;
	const char *channel;
};

static void help(const struct dmuser_worker_ops *ops)
{
	printf("Usage: dmuser-backend-%s --channel DEVICE --size BYTES [OPTION…]\n"
	       "%s\n"
	       "\n"
	       "dmuserd starts this confined, with no argument. By hand it serves a target of type\n"
	       "`user` with all the rights of its caller, until the target is removed.\n"
	       "\n"
	       "  --channel DEVICE     the target's node, as /dev/dm-user/NAME\n"
	       "  --size BYTES         the volume's size, as in the target's table\n"
	       "  --block-size BYTES   logical block size (default: 512)\n"
	       "  --read-only          refuse to write\n"
	       "  --option NAME=VALUE  an option of this backend (repeatable)\n"
	       "  --help\n",
	       ops->type, ops->summary);
	if (ops->options)
		printf("\nOptions of this backend:\n%s", ops->options);
	printf("\nExit status: 0 the target is gone, 1 could not start, 2 wrong usage, 3 the channel\n"
	       "could not be read, 4 not written.\n");
}

__attribute__((format(printf, 2, 3))) static int complain(const struct dmuser_worker *worker,
							   const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "dmuser-backend-%s: ", worker->ops->type);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return -EINVAL;
}

static int parse_number(const struct plain *plain, const char *option, const char *text,
			uint64_t *ret_number)
{
	uintmax_t number;
	char *end;

	errno = 0;
	number = strtoumax(text, &end, 10);
	if (errno != 0 || text[0] < '0' || text[0] > '9' || *end != '\0')
		return complain(plain->worker, "%s: '%s' is no number of bytes", option, text);
	*ret_number = number;
	return 0;
}

static int parse_block_size(struct plain *plain, const char *text)
{
	uint64_t size;
	int r = parse_number(plain, "--block-size", text, &size);

	if (r < 0)
		return r;
	if (size < 512 || size > 4096 || (size & (size - 1)) != 0)
		return complain(plain->worker, "--block-size: 512, 1024, 2048 or 4096");
	plain->worker->setup.block_size = (uint32_t)size;
	return 0;
}

static int parse_backend_option(struct plain *plain, const char *text)
{
	struct worker_setup *setup = &plain->worker->setup;
	struct worker_option *option = &setup->options[setup->n_options];
	const char *equals = strchr(text, '=');

	if (!equals)
		return complain(plain->worker, "--option: '%s' is not NAME=VALUE", text);
	if (setup->n_options == WORKER_OPTIONS_MAX)
		return complain(plain->worker, "--option: more than %d", WORKER_OPTIONS_MAX);
	if ((size_t)(equals - text) >= sizeof(option->name) ||
	    strlen(equals + 1) >= sizeof(option->value))
		return complain(plain->worker, "--option: '%.40s…' is too long", text);
	memcpy(option->name, text, (size_t)(equals - text));
	strcpy(option->value, equals + 1);
	setup->n_options++;
	return 0;
}

enum { CHANNEL = 1, SIZE, BLOCK_SIZE, READ_ONLY, OPTION, HELP };

static const struct option long_options[] = {
	{ "channel", required_argument, NULL, CHANNEL },
	{ "size", required_argument, NULL, SIZE },
	{ "block-size", required_argument, NULL, BLOCK_SIZE },
	{ "read-only", no_argument, NULL, READ_ONLY },
	{ "option", required_argument, NULL, OPTION },
	{ "help", no_argument, NULL, HELP },
	{},
};

static int parse_option(struct plain *plain, int which)
{
	struct worker_setup *setup = &plain->worker->setup;

	switch (which) {
	case CHANNEL:
		plain->channel = optarg;
		return 0;
	case SIZE:
		return parse_number(plain, "--size", optarg, &setup->size_bytes);
	case BLOCK_SIZE:
		return parse_block_size(plain, optarg);
	case READ_ONLY:
		setup->read_only = 1;
		return 0;
	case OPTION:
		return parse_backend_option(plain, optarg);
	case HELP:
		help(plain->worker->ops);
		exit(DMUSER_EXIT_OK);
	default:
		/* getopt has said why. */
		return complain(plain->worker, "--help tells the options");
	}
}

static int parse(struct plain *plain, int argc, char **argv)
{
	const struct worker_setup *setup = &plain->worker->setup;
	int which;

	while ((which = getopt_long(argc, argv, "", long_options, NULL)) >= 0) {
		int r = parse_option(plain, which);

		if (r < 0)
			return r;
	}
	if (optind < argc)
		return complain(plain->worker, "'%s': what is that?", argv[optind]);
	if (!plain->channel || setup->size_bytes == 0)
		return complain(plain->worker, "--channel and --size are needed (see --help)");
	if (setup->size_bytes % setup->block_size != 0)
		return complain(plain->worker, "--size: not a multiple of the block size");
	return 0;
}

static int make_memory(const struct dmuser_worker *worker)
{
	int fd = memfd_create(worker->ops->type, MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, (off_t)worker->setup.size_bytes) < 0) {
		complain(worker, "%" PRIu64 " bytes of memory: %s", worker->setup.size_bytes,
			 strerror(errno));
		close(fd);
		return -EINVAL;
	}
	return fd;
}

static int open_file(struct dmuser_worker *worker, const char *option)
{
	const char *path = dmuser_worker_option(worker, option);
	int fd;

	if (!path)
		return complain(worker, "--option %s=… is needed", option);
	fd = open(path, (worker->setup.read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	return fd < 0 ? complain(worker, "%s: %s", path, strerror(errno)) : fd;
}

static int open_resources(struct dmuser_worker *worker)
{
	for (unsigned int i = 0; i < worker->ops->n_resources; i++) {
		const struct dmuser_resource *resource = &worker->ops->resources[i];

		if (resource->kind == DMUSER_RESOURCE_MEMFD)
			worker->resources[i] = make_memory(worker);
		else
			worker->resources[i] = open_file(worker, resource->option);
		if (worker->resources[i] < 0)
			return worker->resources[i];
	}
	return 0;
}

/* The supervisor knows from the manifest which options there are; here only the backend does. */
static int refuse_unused_options(const struct dmuser_worker *worker)
{
	for (unsigned int i = 0; i < worker->setup.n_options; i++)
		if (!worker->option_used[i])
			return complain(worker, "--option: there is no '%s' (see --help)",
					worker->setup.options[i].name);
	return 0;
}

static int start(struct plain *plain)
{
	struct dmuser_worker *worker = plain->worker;
	int channel, r;

	r = open_resources(worker);
	if (r < 0)
		return r;
	r = worker_prepare(worker);
	if (r < 0)
		return complain(worker, "%s", worker->refusal);
	r = refuse_unused_options(worker);
	if (r < 0)
		return r;
	r = requests_allocate(worker);
	if (r == 0)
		r = serve_start_threads(worker);
	if (r < 0)
		return complain(worker, "%s", strerror(-r));
	/* Last: from its opening on, the channel is sent requests. */
	channel = open(plain->channel, O_RDWR | O_CLOEXEC);
	if (channel < 0)
		return complain(worker, "%s: %s", plain->channel, strerror(errno));
	fprintf(stderr, "dmuser-backend-%s: unconfined, serving %s\n", worker->ops->type,
		plain->channel);
	serve_attach(worker, channel);
	return 0;
}

int plain_run(struct dmuser_worker *worker, int argc, char **argv)
{
	struct plain plain = { .worker = worker };

	worker->setup.version = WORKER_MESSAGE_VERSION;
	worker->setup.block_size = 512;
	strcpy(worker->setup.volume, "plain");
	if (parse(&plain, argc, argv) < 0)
		return DMUSER_EXIT_USAGE;
	if (start(&plain) < 0)
		return DMUSER_EXIT_SETUP;
	/* The threads end the process. */
	for (;;)
		pause();
}
