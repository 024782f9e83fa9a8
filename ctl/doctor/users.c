// SPDX-License-Identifier: Apache-2.0
/* Checks of uids: nobody else may use those of workers; and who may talk to dmuserd. */
#include "ctl/doctor/check.h"
#include "ctl/quantity.h"
#include "util/cleanup.h"

#include <inttypes.h>
#include <string.h>

/* The nth of the fields of a line that colons separate; empty if there is none. Returns out. */
static char *take_field(const char *line, unsigned int n, char *out, size_t size)
{
	size_t end = strcspn(line, "\n"), at = 0, length;

	for (; n > 0; n--) {
		at += strcspn(line + at, ":\n");
		if (at >= end) {
			out[0] = '\0';
			return out;
		}
		at++;
	}
	length = strcspn(line + at, ":\n");
	snprintf(out, size, "%.*s", (int)length, line + at);
	return out;
}

static const char *next_line(const char *line)
{
	line += strcspn(line, "\n");
	return *line ? line + 1 : line;
}

struct range {
	const char *key; /* the setting that moves it */
	uint64_t base, count;
};

static bool ranges_meet(const struct range *range, uint64_t base, uint64_t count)
{
	return base < range->base + range->count && range->base < base + count;
}

/*
 * Looks through a file whose lines are NAME:…:BASE:COUNT, or hold one uid if there is no field
 * for a count. True, having said so, if somebody has what lies in the range.
 */
static bool is_used(struct probe *probe, const char *path, unsigned int base_field,
		    unsigned int count_field, const struct range *range, struct finding *f)
{
	_cleanup_(freep) char *text = NULL;
	size_t size;

	if (probe_read_all(probe, &text, &size, "%s", path) < 0)
		return false;
	for (const char *line = text; *line; line = next_line(line)) {
		char field[64], name[64];
		uint64_t base, count = 1;

		if (quantity_parse_number(take_field(line, base_field, field, sizeof(field)),
					  UINT32_MAX, &base) < 0)
			continue;
		if (count_field &&
		    quantity_parse_number(take_field(line, count_field, field, sizeof(field)),
					  UINT32_MAX, &count) < 0)
			continue;
		if (!ranges_meet(range, base, count))
			continue;
		finding_set(f, VERDICT_FAIL,
			    "%" PRIu64 " to %" PRIu64 " (%s) are in part those of '%s' in %s",
			    range->base, range->base + range->count - 1, range->key,
			    take_field(line, 0, name, sizeof(name)), path);
		finding_advise(f,
			       "set %s in /etc/dmuser/dmuserd.conf to where %" PRIu64
			       " uids are free, and restart dmuserd when there are no volumes",
			       range->key, range->count);
		return true;
	}
	return false;
}

void check_uids(struct probe *probe, struct finding *ret_finding)
{
	static const struct {
		const char *path;
		unsigned int base_field, count_field;
	} files[] = {
		{ "/etc/passwd", 2, 0 },
		{ "/etc/group", 2, 0 },
		{ "/etc/subuid", 1, 2 },
		{ "/etc/subgid", 1, 2 },
	};
	const struct installation_facts *in = &probe->installation;
	const struct range ranges[] = {
		{ "worker_uid_base", in->worker_uid_base, in->worker_uid_count },
		{ "parser_uid_base", in->parser_uid_base, in->parser_uid_count },
	};

	if (ranges_meet(&ranges[0], ranges[1].base, ranges[1].count)) {
		finding_set(ret_finding, VERDICT_FAIL, "those of workers and of parsers overlap");
		finding_advise(ret_finding,
			       "move worker_uid_base or parser_uid_base in "
			       "/etc/dmuser/dmuserd.conf; dmuserd will not start like that");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		for (size_t k = 0; k < ARRAY_SIZE(files); k++)
			if (is_used(probe, files[k].path, files[k].base_field, files[k].count_field,
				    &ranges[i], ret_finding))
				return;
	finding_set(ret_finding, VERDICT_OK,
		    "%" PRIu64 " from %" PRIu64 " for workers, %" PRIu64 " from %" PRIu64
		    " for parsers, and nobody else's",
		    in->worker_uid_count, in->worker_uid_base, in->parser_uid_count,
		    in->parser_uid_base);
}

/* The line of a file whose field holds that text; NULL if there is none. */
static const char *find_line(const char *text, unsigned int field, const char *wanted)
{
	for (const char *line = text; *line; line = next_line(line)) {
		char found[64];

		if (strcmp(take_field(line, field, found, sizeof(found)), wanted) == 0)
			return line;
	}
	return NULL;
}

/* 0 with its number; -ENOENT. */
static int find_group(struct probe *probe, const char *name, uint64_t *ret_gid)
{
	_cleanup_(freep) char *text = NULL;
	const char *line;
	char field[64];
	size_t size;

	if (probe_read_all(probe, &text, &size, "/etc/group") < 0)
		return -ENOENT;
	line = find_line(text, 0, name);
	if (!line || quantity_parse_number(take_field(line, 2, field, sizeof(field)), UINT32_MAX,
					   ret_gid) < 0)
		return -ENOENT;
	return 0;
}

static bool is_member(const struct probe *probe, uint64_t gid)
{
	for (size_t i = 0; i < probe->n_groups; i++)
		if (probe->groups[i] == gid)
			return true;
	return false;
}

/* The name of who asks, or the number if /etc/passwd has none. Returns out. */
static char *caller_name(struct probe *probe, char *out, size_t size)
{
	_cleanup_(freep) char *text = NULL;
	const char *line = NULL;
	char uid[16];
	size_t text_size;

	snprintf(uid, sizeof(uid), "%u", probe->uid);
	if (probe_read_all(probe, &text, &text_size, "/etc/passwd") == 0)
		line = find_line(text, 2, uid);
	if (line)
		return take_field(line, 0, out, size);
	snprintf(out, size, "%s", uid);
	return out;
}

static void judge_no_group(struct probe *probe, const char *group, struct finding *f)
{
	finding_set(f, probe->uid == 0 ? VERDICT_WARN : VERDICT_FAIL,
		    "there is no group '%s', so nobody but root may connect", group);
	finding_advise(
		f,
		"groupadd --system %s, and restart dmuserd; or, if nobody else is to, an empty "
		"socket_group in /etc/dmuser/dmuserd.conf",
		group);
}

void check_access(struct probe *probe, struct finding *ret_finding)
{
	const char *group = probe->installation.socket_group;
	char name[64];
	uint64_t gid;

	if (!group[0] && probe->uid != 0) {
		finding_set(ret_finding, VERDICT_FAIL,
			    "nobody but root may connect (socket_group is empty)");
		finding_advise(ret_finding,
			       "use sudo, or name a group in /etc/dmuser/dmuserd.conf");
	} else if (!group[0]) {
		finding_set(ret_finding, VERDICT_OK,
			    "you may connect, and nobody but root, as it is set");
	} else if (find_group(probe, group, &gid) < 0) {
		judge_no_group(probe, group, ret_finding);
	} else if (probe->uid == 0 || is_member(probe, gid)) {
		finding_set(ret_finding, VERDICT_OK,
			    "you may connect, as may the members of group '%s'", group);
	} else {
		finding_set(ret_finding, VERDICT_FAIL,
			    "you are not in group '%s', so you may not connect", group);
		finding_advise(ret_finding,
			       "usermod -aG %s %s, as root, and log in again; or use sudo", group,
			       caller_name(probe, name, sizeof(name)));
	}
}
