// SPDX-License-Identifier: Apache-2.0
/*
 * hostile: holds channels of the module as badly as can be, at random, while others use the devices
 * and device-mapper changes them. Runs as root, with the module loaded, in a VM.
 *
 * Three processes, so that none holds what another is tested for: the honest holders, whose
 * channels nobody else has; the hostile ones; and those who use the devices and device-mapper, who
 * hold no channel. A fourth watches.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "arena.h"
#include "controller.h"
#include "holder.h"
#include "honest.h"
#include "nudge.h"
#include "submitter.h"
#include "watch.h"

#define NUDGE_MS 20

static const char usage[] =
	"Usage: hostile [OPTION]...\n"
	"\n"
	"Misuses the module dm-user, at random, and exits with 0 if nothing went wrong. Wrong is: "
	"I/O\n"
	"that does not end once its target has failed; a read that yields what no holder wrote; a\n"
	"request that cannot be; a target that cannot be removed.\n"
	"\n"
	"  --seed N        default: a random one, which is printed\n"
	"  --operations N  ends after so many (default: 100000)\n"
	"  --seconds S     ends after so long, if that is earlier (default: no limit)\n"
	"  --targets N     at a time, 1 to 16 (default: 3)\n"
	"  --threads N     of each target and kind: honest, hostile, submitting; 1 to 32 (default: "
	"2)\n"
	"  --help\n"
	"\n"
	"A seed gives each thread the same decisions again. When each of them happens is the\n"
	"scheduler's, and so is what the decisions lead to.\n";

/* --- The processes */

static int run_honest(void)
{
	static struct honest all[TARGETS_MAX * THREADS_MAX];
	static struct nudge nudges[TARGETS_MAX * THREADS_MAX];
	unsigned n = arena->targets * arena->threads;

	for (unsigned i = 0; i < n; i++)
		honest_start(&all[i], i / arena->threads, i % arena->threads);
	while (!arena->stop && !arena->quit) {
		arena_rest(NUDGE_MS);
		for (unsigned i = 0; i < n; i++)
			nudge_if_still(&nudges[i], all[i].thread, all[i].beats);
	}
	for (unsigned i = 0; i < n; i++) {
		pthread_kill(all[i].thread, SIGUSR1);
		honest_join(&all[i]);
	}
	return 0;
}

static int run_hostile(void)
{
	static struct holder all[TARGETS_MAX * THREADS_MAX];
	static struct nudge nudges[TARGETS_MAX * THREADS_MAX];
	unsigned n = arena->targets * arena->threads;
	struct prng prng = prng_new(arena->seed, PRNG_FAULTS, 0, 0);

	if (memory_faults_start(prng) < 0) {
		arena_wrong("there is no userfaultfd");
		return 1;
	}
	for (unsigned i = 0; i < n; i++)
		holder_start(&all[i], i / arena->threads, i % arena->threads);
	while (!arena->stop && !arena->quit) {
		arena_rest(NUDGE_MS);
		memory_cut_file(&all[prng_below(&prng, n)].memory);
		for (unsigned i = 0; i < n; i++)
			nudge_if_still(&nudges[i], all[i].thread, all[i].beats);
	}
	for (unsigned i = 0; i < n; i++)
		holder_join(&all[i]);
	memory_faults_stop();
	return 0;
}

static int run_submitting(void)
{
	static struct submitter all[TARGETS_MAX * THREADS_MAX];
	static struct controller controllers[TARGETS_MAX];
	unsigned n = arena->targets * arena->threads;

	for (unsigned i = 0; i < arena->targets; i++)
		controller_start(&controllers[i], i);
	for (unsigned i = 0; i < n; i++)
		submitter_start(&all[i], i / arena->threads, i % arena->threads);
	for (unsigned i = 0; i < arena->targets; i++)
		controller_join(&controllers[i]);
	for (unsigned i = 0; i < n; i++)
		submitter_join(&all[i]);
	return 0;
}

static pid_t start(int (*run)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		nudge_init();
		_exit(run());
	}
	return pid;
}

/* --- What is asked for */

static bool number(const char *text, uint64_t max, uint64_t *ret_n)
{
	char *end;

	errno = 0;
	uint64_t n = strtoull(text, &end, 0);
	if (errno || *end || end == text || *text == '-' || n > max)
		return false;
	*ret_n = n;
	return true;
}

struct request {
	uint64_t seed, operations, seconds, targets, threads;
};

static bool parse(int argc, char **argv, struct request *r)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "operations", required_argument, NULL, 'o' },
		{ "seconds", required_argument, NULL, 'S' },
		{ "targets", required_argument, NULL, 't' },
		{ "threads", required_argument, NULL, 'T' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		bool ok = option == 's' ? number(optarg, UINT64_MAX, &r->seed) :
			  option == 'o' ? number(optarg, UINT64_MAX, &r->operations) :
			  option == 'S' ? number(optarg, 1000000, &r->seconds) :
			  option == 't' ? number(optarg, TARGETS_MAX, &r->targets) && r->targets :
			  option == 'T' ? number(optarg, THREADS_MAX, &r->threads) && r->threads :
					  false;
		if (option == 'h') {
			fputs(usage, stdout);
			exit(0);
		}
		if (!ok)
			return false;
	}
	return optind == argc;
}

int main(int argc, char **argv)
{
	struct request r = { .operations = 100000, .targets = 3, .threads = 2 };
	pid_t pids[WATCH_PROCESSES];

	if (getrandom(&r.seed, sizeof(r.seed), 0) != sizeof(r.seed))
		return 1;
	r.seed >>= 32;
	if (!parse(argc, argv, &r)) {
		fputs(usage, stderr);
		return 2;
	}
	if (arena_init() < 0)
		return 1;
	arena->seed = r.seed;
	arena->operations_max = r.operations;
	arena->seconds = r.seconds;
	arena->targets = r.targets;
	arena->threads = r.threads;
	printf("hostile --seed %llu --operations %llu --seconds %u --targets %u --threads %u\n",
	       (unsigned long long)arena->seed, (unsigned long long)arena->operations_max,
	       arena->seconds, arena->targets, arena->threads);
	fflush(stdout);
	pids[0] = start(run_submitting);
	pids[1] = start(run_honest);
	pids[2] = start(run_hostile);
	return watch_until_end(pids);
}
