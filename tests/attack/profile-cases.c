// SPDX-License-Identifier: Apache-2.0
/*
 * Every profile, call by call and argument by argument, decided by the kernel and held against the
 * text.
 *
 * A call that is allowed must not really be made: some would end or change this machine. So a filter
 * that answers every call with an errno lies under the profile. What the profile allows comes back
 * with that one; what it kills for is told by another errno, put in the place of the kill in a copy
 * of the program (that KILL_PROCESS kills is for inside-cases.c). One process so tries thousands.
 */
#include "tests/attack/case.h"
#include "tests/attack/profile.h"
#include "util/cleanup.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define CALLS_MAX 16384
#define NUMBERS	  512
#define X32_BIT	  0x40000000
#define URETPROBE 335
#define UPROBE	  336
/* For an argument that no rule of the call looks at. */
#define UNCHECKED UINT64_C(0x5a5a)
#define ALLOWED	  4095
#define KILLED	  4094

struct trial {
	long number;
	uint64_t args[PROFILE_ARGS];
	uint32_t expected; /* SECCOMP_RET_… */
	long result;	   /* what the call came back with */
};

/* Shared with the process that tries. */
static struct trials {
	size_t n;
	struct trial trials[CALLS_MAX];
} *all;

static void new_trials(void)
{
	all = mmap(NULL, sizeof(*all), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(all != MAP_FAILED);
}

static void add(long number, const uint64_t *args, uint32_t expected)
{
	struct trial *t = &all->trials[all->n++];

	CHECK(all->n <= CALLS_MAX);
	t->number = number;
	memcpy(t->args, args, sizeof(t->args));
	t->expected = expected;
}

static uint64_t right_value(const struct profile_arg *arg)
{
	switch (arg->op) {
	case OP_NE:
	case OP_GT:
		return arg->value + 1;
	case OP_LT:
		return arg->value - 1;
	case OP_MASKED_EQ:
		/* Whatever the mask leaves open. */
		return arg->two | (UNCHECKED & ~arg->value);
	default:
		return arg->value;
	}
}

/* Values that the comparison does not take, as far as there are any; returns how many. */
static size_t wrong_values(const struct profile_arg *arg, uint64_t *ret_values)
{
	const uint64_t bits[] = { 1, UINT64_C(1) << 31, UINT64_C(1) << 32, UINT64_C(1) << 63 };
	size_t n = 0;

	switch (arg->op) {
	case OP_EQ:
		for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
			ret_values[n++] = arg->value ^ bits[i];
		break;
	case OP_MASKED_EQ:
		for (uint64_t bit = 1; bit != 0; bit <<= 1)
			if (arg->value & bit)
				ret_values[n++] = arg->two ^ bit;
		break;
	case OP_NE:
		ret_values[n++] = arg->value;
		break;
	case OP_GE:
		ret_values[n++] = arg->value - 1;
		break;
	case OP_GT:
		ret_values[n++] = arg->value;
		break;
	case OP_LE:
		ret_values[n++] = arg->value + 1;
		break;
	case OP_LT:
		ret_values[n++] = arg->value;
		break;
	}
	return n;
}

static void fill_right(const struct profile_rule *rule, uint64_t *ret_args)
{
	for (size_t i = 0; i < PROFILE_ARGS; i++)
		ret_args[i] = UNCHECKED;
	for (size_t i = 0; i < rule->n_args; i++)
		ret_args[rule->args[i].index] = right_value(&rule->args[i]);
}

/* Another entry may allow what this one does not; but something each comparison must turn away. */
static void add_wrong(const struct profile *p, const struct profile_rule *rule, size_t which)
{
	const struct profile_arg *arg = &rule->args[which];
	uint64_t args[PROFILE_ARGS], values[64];
	size_t n = wrong_values(arg, values), n_refused = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t action;

		fill_right(rule, args);
		args[arg->index] = values[i];
		action = profile_action(p, rule->number, args);
		n_refused += action != rule->action;
		add(rule->number, args, action);
	}
	if (n_refused == 0) {
		fprintf(stderr, "%s: %s: argument %u decides nothing\n", p->name, rule->name,
			arg->index);
		exit(1);
	}
}

static void add_rules(const struct profile *p)
{
	for (size_t i = 0; i < p->n_rules; i++) {
		const struct profile_rule *rule = &p->rules[i];
		uint64_t args[PROFILE_ARGS];

		fill_right(rule, args);
		CHECK_EQ(profile_action(p, rule->number, args), rule->action);
		add(rule->number, args, rule->action);
		for (size_t k = 0; k < rule->n_args; k++)
			add_wrong(p, rule, k);
	}
}

/* x32 calls have the kernel's numbers with a bit more, and no profile allows any. */
static void add_numbers(const struct profile *p)
{
	static const uint64_t none[PROFILE_ARGS];

	for (long number = 0; number < NUMBERS; number++) {
		add(number, none, profile_action(p, number, none));
		add(X32_BIT | number, none, SECCOMP_RET_KILL_PROCESS);
	}
}

/*
 * All but the end of the process, and the loading of the filters that come on top, which the
 * addresses of their programs tell from the calls that are tried.
 */
static void load_floor(const struct sock_fprog *programs, size_t n)
{
	struct sock_filter filter[8 + 3 * 3] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ALLOWED),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
	};
	struct sock_fprog floor = { .len = 6, .filter = filter };

	for (size_t i = 0; i < n; i++) {
		const uint32_t address = (uint32_t)(uintptr_t)&programs[i];

		filter[floor.len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
								   address, 0, 1);
		filter[floor.len++] =
			(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	filter[floor.len++] =
		(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ALLOWED);
	CHECK_EQ(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &floor), 0);
}

static bool says(const struct profile *p, uint32_t action)
{
	for (size_t i = 0; i < p->n_rules; i++)
		if (p->rules[i].action == action)
			return true;
	return p->default_action == action;
}

/* The kill becomes an errno. A program that does anything but what its text can say is refused. */
static void make_harmless(const struct profile *p, struct sock_fprog *program)
{
	size_t n = 0;

	for (size_t i = 0; i < program->len; i++) {
		struct sock_filter *f = &program->filter[i];

		if (f->code != (BPF_RET | BPF_K))
			continue;
		if (f->k == SECCOMP_RET_KILL_PROCESS) {
			f->k = SECCOMP_RET_ERRNO | KILLED;
			n++;
		} else {
			CHECK(says(p, f->k));
		}
	}
	CHECK(n > 0);
}

_Noreturn static void try_all(const struct sock_fprog *programs, size_t n)
{
	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL), 0);
	load_floor(programs, n);
	/*
	 * The last first: what one allows, those around it must let through, to load. They are
	 * harmless copies, so what they refuse fails the case instead of killing it.
	 */
	for (size_t i = 0; i < n; i++)
		if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &programs[i]) != 0)
			syscall(SYS_exit_group, 2);
	for (size_t i = 0; i < all->n; i++) {
		struct trial *t = &all->trials[i];
		const uint64_t *a = t->args;

		t->result = syscall(t->number, a[0], a[1], a[2], a[3], a[4], a[5]) == -1 ? errno : 0;
	}
	syscall(SYS_exit_group, 0);
	__builtin_unreachable();
}

/*
 * exit_group goes through the floor, as the process needs it at its end. Where it is allowed, that
 * end shows it; here it would come too early. The two of uprobes belong to the kernel's own
 * trampolines: newer kernels take them past every filter, and answer anybody else with SIGILL.
 */
static bool cannot_be_tried(const struct trial *t)
{
	return t->number == URETPROBE || t->number == UPROBE ||
	       (t->number == SYS_exit_group && t->expected == SECCOMP_RET_ALLOW);
}

static void drop_what_cannot_be_tried(void)
{
	size_t kept = 0;

	for (size_t i = 0; i < all->n; i++)
		if (!cannot_be_tried(&all->trials[i]))
			all->trials[kept++] = all->trials[i];
	all->n = kept;
}

static long expected_result(uint32_t action)
{
	if (action == SECCOMP_RET_ALLOW)
		return ALLOWED;
	if (action == SECCOMP_RET_KILL_PROCESS)
		return KILLED;
	return action & SECCOMP_RET_DATA;
}

static void compare(const char *name)
{
	int n_wrong = 0;

	for (size_t i = 0; i < all->n; i++) {
		const struct trial *t = &all->trials[i];
		long expected = expected_result(t->expected);

		if (t->result == expected)
			continue;
		n_wrong++;
		fprintf(stderr, "%s: call %#lx (%#lx, %#lx, %#lx, %#lx): %ld, expected %ld\n", name,
			t->number, t->args[0], t->args[1], t->args[2], t->args[3], t->result,
			expected);
	}
	CHECK_EQ(n_wrong, 0);
}

static void try_in_child(const struct sock_fprog *programs, size_t n)
{
	int status;
	pid_t pid;

	drop_what_cannot_be_tried();
	pid = fork();
	if (pid == 0)
		try_all(programs, n);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

static void profile_does_what_it_says(const char *build, const char *name)
{
	static struct sock_filter instructions[BPF_MAXINSNS];
	static struct profile profile;
	static struct sock_fprog program;

	new_trials();
	profile_load(name, &profile);
	profile_read_program(build, name, instructions, &program);
	make_harmless(&profile, &program);
	add_rules(&profile);
	add_numbers(&profile);
	try_in_child(&program, 1);
	compare(name);
}

#define PROFILE(name)                                                     \
	static void the_##name##_profile_does_what_it_says(const char *build) \
	{                                                                 \
		profile_does_what_it_says(build, #name);                  \
	}

PROFILE(memory)
PROFILE(file)
PROFILE(null)
PROFILE(parser)
PROFILE(outer)
PROFILE(spawner)
PROFILE(supervisor)

/* What an inner profile allows, the two around it must allow as well, in the same arguments. */
static void inner_profile_is_no_empty_promise(const char *inner)
{
	static const char *const around[] = { "outer", "spawner" };
	static struct profile within, outside;

	profile_load(inner, &within);
	for (size_t k = 0; k < ARRAY_SIZE(around); k++) {
		profile_load(around[k], &outside);
		for (size_t i = 0; i < within.n_rules; i++) {
			const struct profile_rule *rule = &within.rules[i];
			uint64_t args[PROFILE_ARGS];

			fill_right(rule, args);
			if (rule->action != SECCOMP_RET_ALLOW ||
			    profile_action(&outside, rule->number, args) == SECCOMP_RET_ALLOW)
				continue;
			fprintf(stderr, "%s allows %s (%s), %s does not\n", inner, rule->name,
				rule->comment, around[k]);
			exit(1);
		}
	}
}

static void what_an_inner_profile_allows_those_around_it_do_too(const char *build)
{
	inner_profile_is_no_empty_promise("memory");
	inner_profile_is_no_empty_promise("file");
	inner_profile_is_no_empty_promise("null");
	inner_profile_is_no_empty_promise("parser");
}

const struct attack_case profile_cases[] = {
	CASE(the_memory_profile_does_what_it_says),
	CASE(the_file_profile_does_what_it_says),
	CASE(the_null_profile_does_what_it_says),
	CASE(the_parser_profile_does_what_it_says),
	CASE(the_outer_profile_does_what_it_says),
	CASE(the_spawner_profile_does_what_it_says),
	CASE(the_supervisor_profile_does_what_it_says),
	CASE(what_an_inner_profile_allows_those_around_it_do_too),
	{},
};
