// SPDX-License-Identifier: Apache-2.0
/* Seccomp profiles as text; see profile.h. Trusts that the compiler has refused misshapen ones. */
#include "tests/attack/profile.h"
#include "tests/attack/case.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <json-c/json.h>
#include <linux/seccomp.h>

static const struct {
	const char *name;
	long number;
} calls[] = {
#include "call-names.inc"
};

static long number_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (strcmp(calls[i].name, name) == 0)
			return calls[i].number;
	fprintf(stderr, "no system call is named %s\n", name);
	exit(1);
}

static json_object *member(json_object *object, const char *key)
{
	json_object *value = NULL;

	json_object_object_get_ex(object, key, &value);
	return value;
}

static const char *text_of(json_object *object, const char *key)
{
	const char *text = json_object_get_string(member(object, key));

	CHECK(text);
	return text;
}

static uint32_t action_of(json_object *object, const char *key)
{
	const char *name = text_of(object, key);

	if (strcmp(name, "SCMP_ACT_ALLOW") == 0)
		return SECCOMP_RET_ALLOW;
	if (strcmp(name, "SCMP_ACT_ERRNO") == 0)
		return SECCOMP_RET_ERRNO |
		       (uint32_t)json_object_get_int64(member(object, "errnoRet"));
	CHECK_STR(name, "SCMP_ACT_KILL_PROCESS");
	return SECCOMP_RET_KILL_PROCESS;
}

static enum profile_op op_of(json_object *object)
{
	static const char *const names[] = { "NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ" };
	const char *name = text_of(object, "op") + strlen("SCMP_CMP_");
	size_t i = 0;

	while (i < ARRAY_SIZE(names) && strcmp(names[i], name) != 0)
		i++;
	CHECK(i < ARRAY_SIZE(names));
	return (enum profile_op)i;
}

static void load_args(json_object *list, struct profile_rule *rule)
{
	size_t n = list ? json_object_array_length(list) : 0;

	CHECK(n <= PROFILE_ARGS);
	rule->n_args = n;
	for (size_t i = 0; i < n; i++) {
		json_object *arg = json_object_array_get_idx(list, i);

		rule->args[i] = (struct profile_arg){
			.index = (unsigned int)json_object_get_uint64(member(arg, "index")),
			.op = op_of(arg),
			.value = json_object_get_uint64(member(arg, "value")),
			.two = json_object_get_uint64(member(arg, "valueTwo")),
		};
	}
}

static void load_entry(json_object *entry, struct profile *profile)
{
	json_object *names = member(entry, "names");

	for (size_t i = 0; i < json_object_array_length(names); i++) {
		struct profile_rule *rule = &profile->rules[profile->n_rules++];

		CHECK(profile->n_rules < PROFILE_RULES_MAX);
		rule->name = json_object_get_string(json_object_array_get_idx(names, i));
		rule->number = number_of(rule->name);
		rule->comment = text_of(entry, "comment");
		rule->action = action_of(entry, "action");
		load_args(member(entry, "args"), rule);
	}
}

void profile_load(const char *name, struct profile *ret_profile)
{
	json_object *root, *entries;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s.json", PROFILES, name);
	/* Stays until the case ends: the rules point into it. */
	root = json_object_from_file(path);
	CHECK(root);
	*ret_profile = (struct profile){ .name = name };
	ret_profile->default_action = action_of(root, "defaultAction");
	entries = member(root, "syscalls");
	for (size_t i = 0; i < json_object_array_length(entries); i++)
		load_entry(json_object_array_get_idx(entries, i), ret_profile);
	CHECK(ret_profile->n_rules > 0);
}

static bool matches(const struct profile_arg *arg, uint64_t found)
{
	switch (arg->op) {
	case OP_NE:
		return found != arg->value;
	case OP_LT:
		return found < arg->value;
	case OP_LE:
		return found <= arg->value;
	case OP_EQ:
		return found == arg->value;
	case OP_GE:
		return found >= arg->value;
	case OP_GT:
		return found > arg->value;
	case OP_MASKED_EQ:
		return (found & arg->value) == arg->two;
	}
	return false;
}

const struct profile_rule *profile_find(const struct profile *profile, long number,
					const uint64_t *args)
{
	for (size_t i = 0; i < profile->n_rules; i++) {
		const struct profile_rule *rule = &profile->rules[i];
		size_t n = 0;

		if (rule->number != number)
			continue;
		while (n < rule->n_args && matches(&rule->args[n], args[rule->args[n].index]))
			n++;
		if (n == rule->n_args)
			return rule;
	}
	return NULL;
}

uint32_t profile_action(const struct profile *profile, long number, const uint64_t *args)
{
	const struct profile_rule *rule = profile_find(profile, number, args);

	return rule ? rule->action : profile->default_action;
}

void profile_read_program(const char *build, const char *name, struct sock_filter *instructions,
			  struct sock_fprog *ret_program)
{
	_cleanup_(closep) int fd = -EBADF;
	char path[512];
	ssize_t size;

	snprintf(path, sizeof(path), "%s/seccomp/%s.bpf", build, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	size = read(fd, instructions, BPF_MAXINSNS * sizeof(*instructions));
	CHECK(size > 0);
	*ret_program = (struct sock_fprog){
		.len = (unsigned short)((size_t)size / sizeof(*instructions)), .filter = instructions
	};
}
