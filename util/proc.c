// SPDX-License-Identifier: Apache-2.0
/* The texts of /proc, read and understood; see proc.h. */
#include "util/proc.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

int proc_read(int dir_fd, const char *path, char *text, size_t size)
{
	_cleanup_(closep) int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
	size_t taken = 0;
	ssize_t got;

	if (fd < 0)
		return -errno;
	while (taken < size) {
		got = read(fd, text + taken, size - taken);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0) {
			text[taken] = '\0';
			return 0;
		}
		taken += (size_t)got;
	}
	return -EFBIG;
}

int proc_set_oom_score(pid_t pid, int score)
{
	_cleanup_(closep) int fd = -EBADF;
	char path[64], text[16];
	int length;

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", pid);
	length = snprintf(text, sizeof(text), "%d", score);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, text, (size_t)length) < 0 ? -errno : 0;
}

int proc_get_oom_score(int dir_fd, int *ret_score)
{
	char text[32], end;
	int score, r = proc_read(dir_fd, "oom_score_adj", text, sizeof(text));

	if (r < 0)
		return r;
	if (sscanf(text, "%d%c", &score, &end) != 2 || end != '\n')
		return -EBADMSG;
	*ret_score = score;
	return 0;
}

void proc_spare_from_oom(void)
{
	_cleanup_(closep) int self = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int score;

	/* Any other value is somebody's wish. */
	if (self >= 0 && proc_get_oom_score(self, &score) == 0 && score == OOM_SCORE_USUAL)
		(void)proc_set_oom_score(getpid(), OOM_SCORE_SPARED);
}

int proc_parse_count(const char *text, const char *name, uint64_t *ret_count)
{
	size_t length = strlen(name);

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, length) != 0 || line[length] != ' ')
			continue;
		errno = 0;
		*ret_count = strtoull(line + length + 1, NULL, 10);
		return -errno;
	}
	return -ENOENT;
}

/* One number that begins at *cursor (a sign is none), which then stands behind it. */
static int take_number(const char **cursor, int base, uint64_t *ret_number)
{
	static const char digits[] = "0123456789abcdef";
	const char *first = strchr(digits, **cursor);
	uint64_t number;
	char *end;

	if (**cursor == '\0' || !first || first - digits >= base)
		return -EBADMSG;
	errno = 0;
	number = strtoull(*cursor, &end, base);
	if (errno)
		return -EBADMSG;
	*cursor = end;
	*ret_number = number;
	return 0;
}

static void skip_blanks(const char **cursor)
{
	*cursor += strspn(*cursor, " \t");
}

/*
 * What stands behind "name:" at the beginning of a line; NULL if no line, or more than one, has it.
 */
static const char *find_field(const char *text, const char *name)
{
	const char *found = NULL;
	size_t length = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		if (*line == '\n')
			line++;
		if (strncmp(line, name, length) != 0 || line[length] != ':')
			continue;
		if (found)
			return NULL;
		found = line + length + 1;
	}
	return found;
}

/* Exactly `count` numbers, and nothing else on the line but `unit`. */
static int parse_field(const char *text, const char *name, int base, const char *unit, size_t count,
		       uint64_t *ret_numbers)
{
	const char *cursor = find_field(text, name);

	if (!cursor)
		return -EBADMSG;
	for (size_t i = 0; i < count; i++) {
		int r;

		skip_blanks(&cursor);
		r = take_number(&cursor, base, &ret_numbers[i]);
		if (r < 0)
			return r;
	}
	skip_blanks(&cursor);
	if (strncmp(cursor, unit, strlen(unit)) != 0)
		return -EBADMSG;
	cursor += strlen(unit);
	return *cursor == '\n' || *cursor == '\0' ? 0 : -EBADMSG;
}

static int parse_groups(const char *text, uint64_t *ret_n)
{
	const char *cursor = find_field(text, "Groups");
	uint64_t group, n = 0;

	if (!cursor)
		return -EBADMSG;
	for (skip_blanks(&cursor); *cursor != '\n' && *cursor != '\0'; skip_blanks(&cursor)) {
		int r = take_number(&cursor, 10, &group);

		if (r < 0)
			return r;
		n++;
	}
	*ret_n = n;
	return 0;
}

int proc_parse_status(const char *text, struct proc_status *ret_status)
{
	struct proc_status s = {};
	const struct {
		const char *name, *unit;
		int base;
		size_t count;
		uint64_t *numbers;
	} fields[] = {
		{ "Tgid", "", 10, 1, &s.tgid },
		{ "Uid", "", 10, 4, s.uid },
		{ "Gid", "", 10, 4, s.gid },
		{ "Umask", "", 8, 1, &s.umask },
		{ "VmLck", "kB", 10, 1, &s.locked_kb },
		{ "SigBlk", "", 16, 1, &s.signals_blocked },
		{ "SigIgn", "", 16, 1, &s.signals_ignored },
		{ "CapInh", "", 16, 1, &s.inheritable },
		{ "CapPrm", "", 16, 1, &s.permitted },
		{ "CapEff", "", 16, 1, &s.effective },
		{ "CapBnd", "", 16, 1, &s.bounding },
		{ "CapAmb", "", 16, 1, &s.ambient },
		{ "NoNewPrivs", "", 10, 1, &s.no_new_privs },
		{ "Seccomp", "", 10, 1, &s.seccomp_mode },
		{ "Seccomp_filters", "", 10, 1, &s.seccomp_filters },
	};
	int r = parse_groups(text, &s.n_groups);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(fields); i++)
		r = parse_field(text, fields[i].name, fields[i].base, fields[i].unit,
				fields[i].count, fields[i].numbers);
	if (r == 0)
		*ret_status = s;
	return r;
}

/* From a field's begin to a later one's. */
static int skip_fields(const char **cursor, unsigned int count)
{
	for (; count > 0; count--) {
		const char *space = strchr(*cursor, ' ');

		if (!space)
			return -EBADMSG;
		*cursor = space + 1;
	}
	return 0;
}

int proc_parse_stat(const char *text, struct proc_stat *ret_stat)
{
	const char *cursor = strrchr(text, ')');
	struct proc_stat s = {};
	int r;

	if (!cursor)
		return -EBADMSG;
	/* The name is field 2, the session 6, the flags are 9. */
	r = skip_fields(&cursor, 4);
	if (r == 0)
		r = take_number(&cursor, 10, &s.session);
	if (r == 0)
		r = skip_fields(&cursor, 3);
	if (r == 0)
		r = take_number(&cursor, 10, &s.flags);
	if (r == 0)
		*ret_stat = s;
	return r;
}

int proc_parse_cgroup(const char *text, char *ret_path, size_t size)
{
	const char *line = text;
	size_t length;

	while (line && strncmp(line, "0::/", 4) != 0) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	if (!line)
		return -ENODATA;
	line += strlen("0::");
	length = strcspn(line, "\n");
	if (length >= size)
		return -ENAMETOOLONG;
	memcpy(ret_path, line, length);
	ret_path[length] = '\0';
	return 0;
}

int proc_parse_pidfd(const char *text, int64_t *ret_pid)
{
	const char *cursor = find_field(text, "Pid");
	uint64_t pid;
	int r;

	if (!cursor)
		return -EBADMSG;
	skip_blanks(&cursor);
	if (strncmp(cursor, "-1\n", 3) == 0) {
		*ret_pid = -1;
		return 0;
	}
	r = take_number(&cursor, 10, &pid);
	if (r == 0)
		*ret_pid = (int64_t)pid;
	return r;
}

static int take_limit(const char **cursor, uint64_t *ret_limit)
{
	static const char unlimited[] = "unlimited";

	skip_blanks(cursor);
	if (strncmp(*cursor, unlimited, strlen(unlimited)) != 0)
		return take_number(cursor, 10, ret_limit);
	*cursor += strlen(unlimited);
	*ret_limit = UINT64_MAX;
	return 0;
}

/* The line that begins with name and blanks; NULL if none does. */
static const char *find_limit(const char *text, const char *name)
{
	size_t length = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		if (*line == '\n')
			line++;
		if (strncmp(line, name, length) == 0 && line[length] == ' ')
			return line + length;
	}
	return NULL;
}

int proc_parse_limit(const char *text, const char *name, uint64_t *ret_soft, uint64_t *ret_hard)
{
	const char *cursor = find_limit(text, name);
	uint64_t soft, hard;
	int r;

	if (!cursor)
		return -EBADMSG;
	r = take_limit(&cursor, &soft);
	if (r == 0)
		r = take_limit(&cursor, &hard);
	if (r < 0)
		return r;
	*ret_soft = soft;
	*ret_hard = hard;
	return 0;
}

/* The next word, up to a space. */
static int take_word(const char **cursor, const char *end, struct proc_word *ret_word)
{
	const char *begin = *cursor;
	const char *stop = memchr(begin, ' ', (size_t)(end - begin));
	size_t length = (size_t)((stop ? stop : end) - begin);

	if (length == 0)
		return -EBADMSG;
	*ret_word = (struct proc_word){ begin, length };
	*cursor = stop ? stop + 1 : end;
	return 0;
}

/* "8:16" */
static int parse_device(const struct proc_word *word, dev_t *ret_device)
{
	const char *cursor = word->text;
	uint64_t major, minor;
	int r = take_number(&cursor, 10, &major);

	if (r == 0 && *cursor++ != ':')
		r = -EBADMSG;
	if (r == 0)
		r = take_number(&cursor, 10, &minor);
	if (r < 0)
		return r;
	if (cursor != word->text + word->length || major > UINT32_MAX || minor > UINT32_MAX)
		return -EBADMSG;
	*ret_device = makedev((unsigned int)major, (unsigned int)minor);
	return 0;
}

/* "36 35 98:0 /root /point options tag… - type source options": any count of tags, even none. */
int proc_next_mount(const char **cursor, struct proc_mount *ret_mount)
{
	struct proc_mount mount = {};
	struct proc_word number, parent, device;
	struct proc_word *const words[] = { &number, &parent, &device, &mount.root, &mount.point,
					    &mount.options };
	const char *at = *cursor;
	const char *end = at + strcspn(at, "\n");
	const char *separator;
	int r = 0;

	if (*at == '\0')
		return 0;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(words); i++)
		r = take_word(&at, end, words[i]);
	if (r == 0)
		r = parse_device(&device, &mount.device);
	if (r < 0)
		return r;
	separator = memmem(at - 1, (size_t)(end - at + 1), " - ", 3);
	if (!separator)
		return -EBADMSG;
	at = separator + 3;
	r = take_word(&at, end, &mount.type);
	if (r < 0)
		return r;
	*cursor = *end == '\n' ? end + 1 : end;
	*ret_mount = mount;
	return 1;
}

bool proc_is_cgroup2(const struct proc_mount *mount)
{
	return proc_word_is(&mount->type, "cgroup2") && proc_word_is(&mount->root, "/");
}

bool proc_word_is(const struct proc_word *word, const char *text)
{
	return word->length == strlen(text) && memcmp(word->text, text, word->length) == 0;
}

bool proc_has_option(const struct proc_word *list, const char *option)
{
	const char *end = list->text + list->length;

	for (const char *at = list->text; at < end; at++) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		struct proc_word word = { at, (size_t)((comma ? comma : end) - at) };

		if (proc_word_is(&word, option))
			return true;
		at += word.length;
	}
	return false;
}

/* A byte: the first digit is none of 4 to 7. */
static bool is_escape(const char *text)
{
	const char *digits = text + 1;

	return text[0] == '\\' && strspn(digits, "0123") >= 1 && strspn(digits, "01234567") >= 3;
}

/* The byte that stands at *from, which is then behind it. */
static char take_byte(const char **from)
{
	const char *at = *from;
	bool escape = is_escape(at);

	*from += escape ? 4 : 1;
	return escape ? (char)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0')) : *at;
}

int proc_word_path(const struct proc_word *word, char *ret_path, size_t size)
{
	const char *from = word->text, *end = word->text + word->length;
	size_t length = 0;

	/* No escape goes beyond the word: a blank is none of its digits. */
	while (from < end && length < size)
		ret_path[length++] = take_byte(&from);
	if (length == size)
		return -ENAMETOOLONG;
	ret_path[length] = '\0';
	return 0;
}

void proc_unescape(char *path)
{
	const char *from = path;
	char *to = path;

	while (*from)
		*to++ = take_byte(&from);
	*to = '\0';
}
