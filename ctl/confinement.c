// SPDX-License-Identifier: Apache-2.0
/* What a worker may do, as the kernel says it; see confinement.h. */
#include "ctl/confinement.h"
#include "ctl/escape.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#define STATUS_MAX_BYTES 16384

static const char *const namespaces[] = { "user", "mnt", "pid", "net", "ipc", "uts", "cgroup" };
/* The lines of /proc/PID/status, in the order of enum CAP_SET_…. */
static const char *const capability_sets[] = { "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb" };

/*
 * The rest of the line that begins with "name:", without the blanks in front; NULL: there is none.
 */
static const char *find_line(const char *text, const char *name)
{
	size_t length = strlen(name);

	while (text) {
		if (strncmp(text, name, length) == 0 && text[length] == ':')
			return text + length + 1 + strspn(text + length + 1, " \t");
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return NULL;
}

static int parse_text(const char *text, const char *name, char *out, size_t size)
{
	const char *line = find_line(text, name);

	if (!line)
		return -EINVAL;
	snprintf(out, size, "%.*s", (int)strcspn(line, "\n"), line);
	return 0;
}

static int parse_int(const char *text, const char *name, int *ret)
{
	const char *line = find_line(text, name);

	return line && sscanf(line, "%d", ret) == 1 ? 0 : -EINVAL;
}

static int parse_ids(const char *text, const char *name, int64_t ids[ID_COUNT])
{
	const char *line = find_line(text, name);

	if (!line || sscanf(line, "%" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64, &ids[0],
			    &ids[1], &ids[2], &ids[3]) != ID_COUNT)
		return -EINVAL;
	return 0;
}

static int parse_capabilities(const char *text, struct confinement *c)
{
	for (size_t i = 0; i < CAP_SET_COUNT; i++) {
		const char *line = find_line(text, capability_sets[i]);

		if (!line || sscanf(line, "%" SCNx64, &c->capabilities[i]) != 1)
			return -EINVAL;
	}
	return 0;
}

int confinement_parse_status(const char *text, struct confinement *c)
{
	if (parse_text(text, "Name", c->program, sizeof(c->program)) < 0 ||
	    parse_text(text, "Groups", c->groups, sizeof(c->groups)) < 0 ||
	    parse_ids(text, "Uid", c->uids) < 0 || parse_ids(text, "Gid", c->gids) < 0 ||
	    parse_capabilities(text, c) < 0 ||
	    parse_int(text, "NoNewPrivs", &c->no_new_privs) < 0 ||
	    parse_int(text, "Seccomp", &c->seccomp) < 0 ||
	    parse_int(text, "Seccomp_filters", &c->seccomp_filters) < 0 ||
	    parse_int(text, "Threads", &c->threads) < 0)
		return -EINVAL;
	return 0;
}

static int read_status(int proc, struct confinement *c)
{
	_cleanup_(closep) int fd = openat(proc, "status", O_RDONLY | O_CLOEXEC);
	char text[STATUS_MAX_BYTES];
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = 0;
	return confinement_parse_status(text, c);
}

/*
 * The file that it runs, as the kernel knows it. Who may not see that gets the first word of its
 * command line, which a process can change, as it can its name in status, of which there are 15
 * bytes.
 */
static void read_program(int proc, struct confinement *c)
{
	char program[sizeof(c->program)];
	ssize_t n = readlinkat(proc, "exe", program, sizeof(program) - 1);
	_cleanup_(closep) int fd = -EBADF;

	c->program_is_its_word = n <= 0;
	if (n <= 0) {
		fd = openat(proc, "cmdline", O_RDONLY | O_CLOEXEC);
		n = fd >= 0 ? read(fd, program, sizeof(program) - 1) : -1;
	}
	if (n <= 0 || !program[0])
		return;
	program[n] = 0;
	strcpy(c->program, program);
}

static void read_namespaces(int proc, struct confinement *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		char theirs[64] = "", ours[64] = "", path[32], self[48];

		snprintf(path, sizeof(path), "ns/%s", namespaces[i]);
		snprintf(self, sizeof(self), "/proc/self/ns/%s", namespaces[i]);
		if (readlinkat(proc, path, theirs, sizeof(theirs) - 1) < 0 ||
		    readlink(self, ours, sizeof(ours) - 1) < 0)
			continue;
		if (strcmp(theirs, ours) == 0)
			c->namespaces_shared |= 1u << i;
		else
			c->namespaces_own |= 1u << i;
	}
}

static int count_entries(int proc, const char *path)
{
	int fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(closedirp) DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
	int count = 0;

	if (!directory)
		return CONFINEMENT_UNKNOWN;
	for (struct dirent *e; (e = readdir(directory));)
		count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	return count;
}

int confinement_read(pid_t pid, struct confinement *ret)
{
	struct confinement c = {};
	char path[32];
	/* Through one descriptor of /proc/PID, all of it is of the same process, or ESRCH. */
	_cleanup_(closep) int proc = -EBADF;
	int r;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	r = read_status(proc, &c);
	if (r < 0)
		return r;
	read_program(proc, &c);
	read_namespaces(proc, &c);
	c.root_entries = count_entries(proc, "root/.");
	c.descriptors = count_entries(proc, "fd");
	*ret = c;
	return 0;
}

static void print_ids(const char *name, const int64_t ids[ID_COUNT], FILE *file)
{
	bool same = true;

	for (size_t i = 1; i < ID_COUNT; i++)
		same &= ids[i] == ids[0];
	if (same)
		fprintf(file, "  %-14s %" PRId64 "\n", name, ids[0]);
	else
		fprintf(file, "  %-14s %" PRId64 ", effective %" PRId64 ", saved %" PRId64
			      ", file system %" PRId64 "\n",
			name, ids[ID_REAL], ids[ID_EFFECTIVE], ids[ID_SAVED], ids[ID_FILE_SYSTEM]);
}

static void print_capabilities(const struct confinement *c, FILE *file)
{
	bool any = false;

	fprintf(file, "  %-14s ", "Capabilities");
	for (size_t i = 0; i < CAP_SET_COUNT; i++) {
		if (!c->capabilities[i])
			continue;
		fprintf(file, "%s%s %016" PRIx64, any ? ", " : "", capability_sets[i],
			c->capabilities[i]);
		any = true;
	}
	fputs(any ? "\n" : "none, in any set\n", file);
}

static void print_names(unsigned int bits, FILE *file)
{
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++)
		if (bits & 1u << i)
			fprintf(file, " %s", namespaces[i]);
}

static void print_namespaces(const struct confinement *c, FILE *file)
{
	fprintf(file, "  %-14s", "Namespaces");
	if (c->namespaces_own) {
		fputs(" own", file);
		print_names(c->namespaces_own, file);
	}
	if (c->namespaces_shared) {
		fprintf(file, "%s shared with this process", c->namespaces_own ? ";" : "");
		print_names(c->namespaces_shared, file);
	}
	fputs(c->namespaces_own || c->namespaces_shared ? "\n" : " only root can see\n", file);
}

static void print_count(const char *name, int count, const char *none, FILE *file)
{
	if (count == CONFINEMENT_UNKNOWN)
		fprintf(file, "  %-14s only root can see\n", name);
	else if (count == 0)
		fprintf(file, "  %-14s %s\n", name, none);
	else
		fprintf(file, "  %-14s %d\n", name, count);
}

void confinement_print(const struct confinement *c, FILE *file)
{
	static const char *const modes[] = { "off", "strict", "filter" };
	char program[1024];

	fprintf(file, "  %-14s %s%s\n", "Program",
		escape_text(c->program, program, sizeof(program)),
		c->program_is_its_word ? " (as it calls itself)" : "");
	print_ids("Uid", c->uids, file);
	print_ids("Gid", c->gids, file);
	fprintf(file, "  %-14s %s\n", "Groups", c->groups[0] ? c->groups : "none");
	print_capabilities(c, file);
	fprintf(file, "  %-14s %s\n", "New privileges", c->no_new_privs ? "never" : "possible");
	fprintf(file, "  %-14s %s, %d filter%s\n", "Seccomp",
		c->seccomp >= 0 && c->seccomp < (int)ARRAY_SIZE(modes) ? modes[c->seccomp] :
									 "unknown",
		c->seccomp_filters, c->seccomp_filters == 1 ? "" : "s");
	print_namespaces(c, file);
	print_count("Files in root", c->root_entries, "none", file);
	print_count("Descriptors", c->descriptors, "none", file);
	fprintf(file, "  %-14s %d\n", "Threads", c->threads);
}
