// SPDX-License-Identifier: Apache-2.0
/*
 * attack-used PROFILE [COMMENT…]: which entries of a profile a program has had use for.
 *
 * stdin: the kernel's own trace of a program's calls, once its filter was in place. Prints each entry
 * of the profile that allowed none of them, and fails if there is one. Those whose reasons begin
 * with a COMMENT are for bad days, and need not have been used; a COMMENT that no entry has fails.
 */
#include "tests/attack/case.h"
#include "tests/attack/profile.h"
#include "util/cleanup.h"

#include <inttypes.h>

static struct profile profile;
static bool used[PROFILE_RULES_MAX];

/* "dmuser-b-123 [001] … 12.3: sys_enter: NR 0 (5, 7f00, 28, 0, 0, 0)" */
static bool parse_line(const char *line, long *ret_number, uint64_t *ret_args)
{
	const char *call = strstr(line, "sys_enter: NR ");
	uint64_t *a = ret_args;

	return call && sscanf(call,
			      "sys_enter: NR %ld (%" SCNx64 ", %" SCNx64 ", %" SCNx64 ", %" SCNx64
			      ", %" SCNx64 ", %" SCNx64 ")",
			      ret_number, &a[0], &a[1], &a[2], &a[3], &a[4], &a[5]) == 7;
}

static size_t mark_used(FILE *trace)
{
	_cleanup_(freep) char *line = NULL;
	size_t capacity = 0, n = 0;

	while (getline(&line, &capacity, trace) > 0) {
		const struct profile_rule *rule;
		uint64_t args[PROFILE_ARGS];
		long number;

		if (!parse_line(line, &number, args))
			continue;
		n++;
		rule = profile_find(&profile, number, args);
		if (rule)
			used[rule - profile.rules] = true;
		else
			printf("not of %s: %s", profile.name, line);
	}
	return n;
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static void excuse(const char *comment)
{
	bool found = false;

	for (size_t i = 0; i < profile.n_rules; i++) {
		if (!begins(profile.rules[i].comment, comment))
			continue;
		found = true;
		used[i] = true;
	}
	if (!found) {
		printf("%s has no entry for: %s\n", profile.name, comment);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	int n_unused = 0;

	if (argc < 2) {
		fprintf(stderr, "Usage: attack-used PROFILE [COMMENT]...\n");
		return 2;
	}
	profile_load(argv[1], &profile);
	printf("%zu calls\n", mark_used(stdin));
	for (int i = 2; i < argc; i++)
		excuse(argv[i]);
	for (size_t i = 0; i < profile.n_rules; i++) {
		if (used[i])
			continue;
		n_unused++;
		printf("never used: %s (%s)\n", profile.rules[i].name, profile.rules[i].comment);
	}
	return n_unused > 0;
}
