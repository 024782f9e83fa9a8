// SPDX-License-Identifier: Apache-2.0
/* Checks of what a machine full of volumes uses up: memory, process numbers, descriptors. */
#include "ctl/doctor/check.h"
#include "util/cleanup.h"
#include "util/proc.h"

#include <inttypes.h>
#include <string.h>

/* A worker needs a few hundred KiB and what it serves from; below this nothing else has room
 * either. */
#define MEMORY_LEAST_KB	 UINT64_C(65536)
#define MEMORY_LITTLE_KB UINT64_C(262144)

/* dmuserd's for a connection: the socket, and those of its parser. For a volume: backing, worker,
 * container. */
#define FILES_PER_CONNECTION 3
#define FILES_PER_VOLUME     6
#define FILES_LEAST	     1024

void check_memory(struct probe *probe, struct finding *ret_finding)
{
	_cleanup_(freep) char *text = NULL;
	const char *line = NULL;
	unsigned long long free_kb;
	size_t size;
	int r = probe_read_all(probe, &text, &size, "/proc/meminfo");

	if (r == 0)
		line = strstr(text, "MemAvailable:");
	if (!line || sscanf(line, "MemAvailable: %llu", &free_kb) != 1) {
		finding_set_unreadable(ret_finding, "/proc/meminfo", r < 0 ? r : -EBADMSG);
		return;
	}
	finding_set(ret_finding,
		    free_kb < MEMORY_LEAST_KB	 ? VERDICT_FAIL
		    : free_kb < MEMORY_LITTLE_KB ? VERDICT_WARN
						 : VERDICT_OK,
		    "%llu MiB available", free_kb / 1024);
	if (ret_finding->verdict != VERDICT_OK)
		finding_advise(ret_finding,
			       "end what uses it (ps --sort -rss -eo rss,pid,args | head), or add "
			       "memory or swap");
}

/* How many processes there are now: the fourth of loadavg is "running/all". */
static uint64_t count_processes(struct probe *probe)
{
	char text[128];
	unsigned long long all = 0;

	if (probe_read(probe, text, sizeof(text), "/proc/loadavg") == 0)
		sscanf(text, "%*s %*s %*s %*u/%llu", &all);
	return all;
}

void check_processes(struct probe *probe, struct finding *ret_finding)
{
	static const char *const limits[] = { "pid_max", "threads-max" };
	uint64_t used = count_processes(probe), least = UINT64_MAX;
	uint64_t wanted = probe->installation.volumes_max + probe->installation.connections_max;
	const char *name = limits[0];

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		uint64_t limit;
		int r = probe_read_number(probe, &limit, "/proc/sys/kernel/%s", limits[i]);

		if (r < 0) {
			finding_set_unreadable(ret_finding, limits[i], r);
			return;
		}
		name = limit < least ? limits[i] : name;
		least = limit < least ? limit : least;
	}
	if (least >= used + wanted) {
		finding_set(ret_finding, VERDICT_OK, "room for %" PRIu64 " more", least - used);
		return;
	}
	finding_set(ret_finding, least <= used + 64 ? VERDICT_FAIL : VERDICT_WARN,
		    "room for %" PRIu64 " more (kernel.%s is %" PRIu64
		    "), and dmuserd may want %" PRIu64,
		    least > used ? least - used : 0, name, least, wanted);
	finding_advise(ret_finding,
		       "sysctl -w kernel.%s=4194304, and the same line in a file of /etc/sysctl.d; "
		       "or lower volumes_max in /etc/dmuser/dmuserd.conf",
		       name);
}

void check_open_files(struct probe *probe, struct finding *ret_finding)
{
	const struct installation_facts *in = &probe->installation;
	uint64_t wanted =
		in->connections_max * FILES_PER_CONNECTION + in->volumes_max * FILES_PER_VOLUME;
	uint64_t soft, hard = probe->nofile_max;
	const char *whose = "a dmuserd started from here";
	char text[8192];

	if (probe->daemon.pid > 0 &&
	    probe_read(probe, text, sizeof(text), "/proc/%d/limits", probe->daemon.pid) == 0 &&
	    proc_parse_limit(text, "Max open files", &soft, &hard) == 0)
		whose = "dmuserd";
	/* dmuserd raises its soft limit to the hard one. */
	finding_set(ret_finding,
		    hard < FILES_LEAST ? VERDICT_FAIL
		    : hard < wanted    ? VERDICT_WARN
				       : VERDICT_OK,
		    "%s may have %" PRIu64 "%s", whose, hard == UINT64_MAX ? wanted : hard,
		    hard == UINT64_MAX ? " and more" : "");
	if (ret_finding->verdict != VERDICT_OK)
		finding_advise(ret_finding,
			       "it may want %" PRIu64
			       ": under systemd, LimitNOFILE=524288 in dmuserd.service, as dmuser "
			       "installs it; otherwise 'ulimit -Hn 524288' before it is started; "
			       "or lower connections_max and volumes_max in "
			       "/etc/dmuser/dmuserd.conf",
			       wanted);
}
