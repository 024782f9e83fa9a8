// SPDX-License-Identifier: Apache-2.0
/*
 * The profiles' compiler: what it refuses, and that what it makes does what the text says, run
 * through an interpreter of filter programs here. Then the tree's own profiles: each lies within
 * the one around it.
 *
 * Usage: spawner-profile-test COMPILER SCRATCH PROFILE.json…
 */
#include "util/cleanup.h"

#include <fcntl.h>
#include <json-c/json.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#define X32_BIT 0x40000000

static const char *compiler, *scratch;
static char **profiles;
static int n_profiles;

#define HEAD                                                                                     \
	"{\"defaultAction\":\"SCMP_ACT_KILL_PROCESS\",\"architectures\":[\"SCMP_ARCH_X86_64\"]," \
	"\"syscalls\":["
#define TAIL	     "]}"
#define ALLOW(names) "{\"names\":[" names "],\"action\":\"SCMP_ACT_ALLOW\",\"comment\":\"why\"}"
#define ALLOW_IF(names, args)                                                                      \
	"{\"names\":[" names "],\"action\":\"SCMP_ACT_ALLOW\",\"comment\":\"why\",\"args\":[" args \
	"]}"

static void path_of(const char *file, char *path, size_t size)
{
	snprintf(path, size, "%s/%s", scratch, file);
}

/* The compiler's exit status; what it says goes to ret_said. */
static int compile(const char *text, char *ret_said, size_t size)
{
	char json[512], bpf[512], said[512];
	int status;
	pid_t pid;
	FILE *f;

	path_of("profile.json", json, sizeof(json));
	path_of("profile.bpf", bpf, sizeof(bpf));
	path_of("said", said, sizeof(said));
	f = fopen(json, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	pid = fork();
	if (pid == 0) {
		dup2(open(said, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), STDERR_FILENO);
		execl(compiler, compiler, json, bpf, NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	f = fopen(said, "re");
	assert_non_null(f);
	ret_said[fread(ret_said, 1, size - 1, f)] = '\0';
	fclose(f);
	return WEXITSTATUS(status);
}

static void refuses(const char *text, const char *word)
{
	char said[1024];

	if (compile(text, said, sizeof(said)) != 1)
		fail_msg("was compiled: %s", text);
	if (!strstr(said, word))
		fail_msg("said \"%s\", without \"%s\"", said, word);
}

static size_t compile_good(const char *text, struct sock_filter *program)
{
	char said[1024], path[512];
	ssize_t size;
	int fd;

	if (compile(text, said, sizeof(said)) != 0)
		fail_msg("was not compiled: %s", said);
	path_of("profile.bpf", path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	size = read(fd, program, BPF_MAXINSNS * sizeof(*program));
	close(fd);
	assert_true(size > 0);
	return (size_t)size / sizeof(*program);
}

static bool jumps(uint16_t code, uint32_t a, uint32_t k)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ:
		return a == k;
	case BPF_JGT:
		return a > k;
	case BPF_JGE:
		return a >= k;
	case BPF_JSET:
		return (a & k) != 0;
	default:
		fail_msg("jump %#x", code);
		return false;
	}
}

/* The few instructions that seccomp programs are made of. */
static uint32_t interpret(const struct sock_filter *program, size_t n,
			  const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (size_t pc = 0; pc < n; pc++) {
		const struct sock_filter *i = &program[pc];

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(i->k + sizeof(a) <= sizeof(*data));
			memcpy(&a, (const char *)data + i->k, sizeof(a));
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			break;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		default:
			assert_int_equal(BPF_CLASS(i->code), BPF_JMP);
			pc += jumps(i->code, a, i->k) ? i->jt : i->jf;
		}
	}
	fail_msg("ran off the end");
	return 0;
}

static uint32_t outcome(const char *text, uint32_t arch, int number, uint64_t first,
			uint64_t second)
{
	static struct sock_filter program[BPF_MAXINSNS];
	struct seccomp_data data = { .nr = number, .arch = arch, .args = { first, second } };
	size_t n = compile_good(text, program);

	return interpret(program, n, &data);
}

static uint32_t native(const char *text, int number, uint64_t first, uint64_t second)
{
	return outcome(text, AUDIT_ARCH_X86_64, number, first, second);
}

static void only_what_is_named_is_allowed(void **state)
{
	static const char text[] = HEAD ALLOW("\"read\",\"close\"") TAIL;

	assert_int_equal(native(text, SYS_read, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(native(text, SYS_close, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(native(text, SYS_write, 0, 0), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(native(text, 100000, 0, 0), SECCOMP_RET_KILL_PROCESS);
}

static void other_conventions_are_killed(void **state)
{
	static const char text[] = HEAD ALLOW("\"read\"") TAIL;

	assert_int_equal(outcome(text, AUDIT_ARCH_I386, SYS_read, 0, 0), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(outcome(text, AUDIT_ARCH_AARCH64, SYS_read, 0, 0),
			 SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(native(text, X32_BIT | SYS_read, 0, 0), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(native(text, -1, 0, 0), SECCOMP_RET_KILL_PROCESS);
}

static void other_conventions_are_killed_also_where_the_default_is_an_errno(void **state)
{
	static const char text[] =
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"errnoRet\":1,\"architectures\":"
		"[\"SCMP_ARCH_X86_64\"],\"syscalls\":[" ALLOW("\"read\"") TAIL;

	assert_int_equal(native(text, SYS_write, 0, 0), SECCOMP_RET_ERRNO | 1);
	assert_int_equal(outcome(text, AUDIT_ARCH_I386, SYS_read, 0, 0), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(native(text, X32_BIT | SYS_read, 0, 0), SECCOMP_RET_KILL_PROCESS);
}

static void arguments_are_compared_in_64_bits(void **state)
{
	static const char equal[] =
		HEAD ALLOW_IF("\"read\"", "{\"index\":0,\"value\":5,\"op\":\"SCMP_CMP_EQ\"}") TAIL;
	static const char masked[] = HEAD ALLOW_IF(
		"\"read\"", "{\"index\":1,\"value\":18446744073709551612,\"valueTwo\":0,"
			    "\"op\":\"SCMP_CMP_MASKED_EQ\"}") TAIL;

	assert_int_equal(native(equal, SYS_read, 5, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(native(equal, SYS_read, 6, 0), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(native(equal, SYS_read, 0x100000005, 0), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(native(masked, SYS_read, 0, 3), SECCOMP_RET_ALLOW);
	assert_int_equal(native(masked, SYS_read, 0, 4), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(native(masked, SYS_read, 0, 0x100000001), SECCOMP_RET_KILL_PROCESS);
}

static void entries_of_one_call_are_alternatives_and_arguments_of_one_entry_are_not(void **state)
{
	static const char text[] = HEAD ALLOW_IF(
		"\"read\"",
		"{\"index\":0,\"value\":5,\"op\":\"SCMP_CMP_EQ\"},"
		"{\"index\":1,\"value\":1,\"op\":\"SCMP_CMP_EQ\"}") "," ALLOW_IF("\"read\"",
										 "{\"index\":0,"
										 "\"value\":7,"
										 "\"op\":\"SCMP_"
										 "CMP_EQ\"}") TAIL;

	assert_int_equal(native(text, SYS_read, 5, 1), SECCOMP_RET_ALLOW);
	assert_int_equal(native(text, SYS_read, 5, 2), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(native(text, SYS_read, 7, 2), SECCOMP_RET_ALLOW);
	assert_int_equal(native(text, SYS_read, 8, 1), SECCOMP_RET_KILL_PROCESS);
}

static void an_errno_is_given_back(void **state)
{
	static const char text[] =
		HEAD ALLOW("\"read\"") ",{\"names\":[\"clone3\"],\"action\":\"SCMP_ACT_ERRNO\","
				       "\"errnoRet\":38,\"comment\":\"why\"}" TAIL;

	assert_int_equal(native(text, SYS_clone3, 0, 0), SECCOMP_RET_ERRNO | 38);
}

static void an_entry_without_its_reason_is_refused(void **state)
{
	refuses(HEAD "{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\"}" TAIL, "comment");
	refuses(HEAD "{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\",\"comment\":\"\"}" TAIL,
		"comment");
}

static void unknown_words_are_refused(void **state)
{
	refuses(HEAD ALLOW("\"raed\"") TAIL, "raed");
	refuses(HEAD ALLOW("7") TAIL, "unknown system call");
	/* Another architecture has it; this profile is for this one. */
	refuses(HEAD ALLOW("\"socketcall\"") TAIL, "socketcall");
	refuses(HEAD "{\"names\":[\"read\"],\"action\":\"SCMP_ACT_NOTIFY\",\"comment\":\"c\"}" TAIL,
		"SCMP_ACT_NOTIFY");
	refuses(HEAD "{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\",\"comment\":\"c\","
		     "\"arg\":[]}" TAIL,
		"unknown key \"arg\"");
	refuses("{\"default\":\"x\",\"defaultAction\":\"SCMP_ACT_KILL_PROCESS\",\"architectures\":"
		"[\"SCMP_ARCH_X86_64\"],\"syscalls\":[" ALLOW("\"read\"") TAIL,
		"unknown key");
	refuses("{\"defaultAction\":\"SCMP_ACT_KILL_PROCESS\",\"architectures\":[\"SCMP_ARCH_"
		"PDP11\"],"
		"\"syscalls\":[" ALLOW("\"read\"") TAIL,
		"PDP11");
	refuses("{\"defaultAction\":\"SCMP_ACT_KILL_PROCESS\",\"architectures\":[\"SCMP_ARCH_"
		"AARCH64\"],"
		"\"syscalls\":[" ALLOW("\"read\"") TAIL,
		"this machine");
}

static void a_key_that_is_given_twice_is_refused(void **state)
{
	refuses(HEAD
		"{\"names\":[\"read\"],\"action\":\"SCMP_ACT_LOG\",\"action\":\"SCMP_ACT_ALLOW\","
		"\"comment\":\"c\"}" TAIL,
		"twice");
}

static void arguments_that_mean_nothing_are_refused(void **state)
{
	refuses(HEAD ALLOW_IF("\"read\"", "{\"index\":6,\"value\":5,\"op\":\"SCMP_CMP_EQ\"}") TAIL,
		"does not exist");
	refuses(HEAD ALLOW_IF("\"read\"", "{\"index\":0,\"value\":5,\"op\":\"SCMP_CMP_IS\"}") TAIL,
		"op");
	refuses(HEAD ALLOW_IF("\"read\"", "{\"index\":0,\"op\":\"SCMP_CMP_EQ\"}") TAIL, "value");
	refuses(HEAD ALLOW_IF("\"read\"", "{\"index\":0,\"value\":\"5\",\"op\":\"SCMP_CMP_EQ\"}")
			TAIL,
		"number");
	refuses(HEAD ALLOW_IF("\"read\"", "{\"index\":0,\"value\":-1,\"op\":\"SCMP_CMP_EQ\"}") TAIL,
		"not negative");
	refuses(HEAD ALLOW_IF("\"read\"", "{\"index\":0,\"value\":5.5,\"op\":\"SCMP_CMP_EQ\"}")
			TAIL,
		"number");
	refuses(HEAD ALLOW_IF("\"read\"", "{\"index\":0,\"value\":99999999999999999999,"
					  "\"op\":\"SCMP_CMP_EQ\"}") TAIL,
		"64 bits");
	refuses(HEAD ALLOW_IF("\"read\"", "{\"index\":0,\"value\":5,\"valueTwo\":1,"
					  "\"op\":\"SCMP_CMP_EQ\"}") TAIL,
		"valueTwo");
	refuses(HEAD ALLOW_IF("\"read\"", "{\"index\":0,\"value\":4,\"valueTwo\":1,"
					  "\"op\":\"SCMP_CMP_MASKED_EQ\"}") TAIL,
		"never matches");
	refuses(HEAD ALLOW_IF("\"read\"", "{\"index\":0,\"value\":4,\"op\":\"SCMP_CMP_MASKED_EQ\"}")
			TAIL,
		"valueTwo");
	refuses(HEAD ALLOW_IF("\"read\"", "{\"index\":0,\"value\":4,\"op\":\"SCMP_CMP_GE\"},"
					  "{\"index\":0,\"value\":9,\"op\":\"SCMP_CMP_LT\"}") TAIL,
		"compared twice");
	refuses(HEAD "{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\",\"comment\":\"c\","
		     "\"args\":[]}" TAIL,
		"not empty");
}

static void entries_that_make_each_other_void_are_refused(void **state)
{
	refuses(HEAD ALLOW("\"read\"") "," ALLOW("\"read\"") TAIL, "another entry");
	refuses(HEAD ALLOW("\"read\"") "," ALLOW_IF(
			"\"read\"", "{\"index\":0,\"value\":5,\"op\":\"SCMP_CMP_EQ\"}") TAIL,
		"another entry");
	refuses(HEAD "{\"names\":[\"read\"],\"action\":\"SCMP_ACT_KILL_PROCESS\",\"comment\":"
		     "\"c\"}" TAIL,
		"by default");
}

static void text_that_is_not_all_json_is_refused(void **state)
{
	refuses("", "");
	refuses("[]", "not an object");
	refuses(HEAD ALLOW("\"read\"") TAIL " x", "");
	refuses(HEAD ALLOW("\"read\"") "," TAIL, "");
	refuses(HEAD TAIL, "not empty");
	refuses("{'defaultAction':'SCMP_ACT_KILL_PROCESS'}", "");
}

static json_object *names_in(const char *path)
{
	json_object *root = json_object_from_file(path), *names = json_object_new_object();
	json_object *entries = NULL;

	if (!root || !json_object_object_get_ex(root, "syscalls", &entries))
		fail_msg("%s cannot be read", path);
	for (size_t i = 0; i < json_object_array_length(entries); i++) {
		json_object *list = NULL;

		json_object_object_get_ex(json_object_array_get_idx(entries, i), "names", &list);
		for (size_t k = 0; k < json_object_array_length(list); k++)
			json_object_object_add(
				names, json_object_get_string(json_object_array_get_idx(list, k)),
				NULL);
	}
	json_object_put(root);
	return names;
}

/*
 * Filters only take away, so a name that the one around does not allow would be an empty promise.
 */
static void each_profile_lies_within_the_one_around_it(void **state)
{
	/* The first is around the second, the second around all others. */
	for (int i = 1; i < n_profiles; i++) {
		json_object *around = names_in(profiles[i == 1 ? 0 : 1]),
			    *within = names_in(profiles[i]);

		json_object_object_foreach(within, name, unused)
		{
			(void)unused;
			if (!json_object_object_get_ex(around, name, NULL))
				fail_msg("%s allows %s, which the filter around it does not",
					 profiles[i], name);
		}
		json_object_put(around);
		json_object_put(within);
	}
}

/* How large a file is, and where it has data, is what a backend asks before it serves it. */
static void a_backend_may_seek_until_its_own_filter_is_loaded(void **state)
{
	for (int i = 0; i < n_profiles; i++) {
		json_object *names = names_in(profiles[i]);

		/* spawner, outer; then those that workers and parsers end with. */
		assert_int_equal(json_object_object_get_ex(names, "lseek", NULL), i < 2);
		json_object_put(names);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_named_is_allowed),
		cmocka_unit_test(other_conventions_are_killed),
		cmocka_unit_test(other_conventions_are_killed_also_where_the_default_is_an_errno),
		cmocka_unit_test(arguments_are_compared_in_64_bits),
		cmocka_unit_test(
			entries_of_one_call_are_alternatives_and_arguments_of_one_entry_are_not),
		cmocka_unit_test(an_errno_is_given_back),
		cmocka_unit_test(an_entry_without_its_reason_is_refused),
		cmocka_unit_test(unknown_words_are_refused),
		cmocka_unit_test(a_key_that_is_given_twice_is_refused),
		cmocka_unit_test(arguments_that_mean_nothing_are_refused),
		cmocka_unit_test(entries_that_make_each_other_void_are_refused),
		cmocka_unit_test(text_that_is_not_all_json_is_refused),
		cmocka_unit_test(each_profile_lies_within_the_one_around_it),
		cmocka_unit_test(a_backend_may_seek_until_its_own_filter_is_loaded),
	};

	if (argc < 5)
		return 2;
	compiler = argv[1];
	scratch = argv[2];
	profiles = argv + 3;
	n_profiles = argc - 3;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
