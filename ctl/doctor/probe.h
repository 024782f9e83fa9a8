/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine, as the checks see it: files below a root directory, and facts that no file tells.
 *
 * A check asks nothing but this, so that a test can show it any machine: a made-up tree and made-up
 * facts. Owns root_fd and what the facts hold. Changes nothing on the machine, and starts no
 * program.
 */
#pragma once

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROBE_GROUPS_MAX 256

struct json_object;

/* What dmuserd says of itself, or why it says nothing. */
struct daemon_facts {
	int error;	  /* 0: it has answered. A negative errno: of connecting or of calling */
	char refusal[64]; /* the name of the error that it answered with, or empty */
	char address[108];
	char version[64];
	pid_t pid;		     /* 0: not known */
	/*
	 * From List: root's are everybody's; NULL: not known. Each has, where it can be seen, a
	 * member "kernel" with what the kernel counts of it: errors, timed_out, and dead, why all
	 * I/O fails. Owned.
	 */
	struct json_object *volumes;
};

/*
 * Where dmuserd has its things, and as whom it has others run: its settings, as far as they matter
 * here.
 */
struct installation_facts {
	char run_dir[128], libexec_dir[128], socket_group[64];
	uint64_t worker_uid_base, worker_uid_count, parser_uid_base, parser_uid_count;
	uint64_t connections_max, volumes_max;
};

struct probe {
	int root_fd;
	uid_t uid;
	gid_t groups[PROBE_GROUPS_MAX]; /* with the effective one */
	size_t n_groups;
	char release[65];	 /* as uname -r says it */
	int namespaces_error;	 /* 0, or why no process could be made in namespaces of its own */
	int landlock_version;	 /* or a negative errno */
	char missing_calls[160]; /* names of system calls that the kernel does not have, or empty */
	uint64_t nofile_max;	 /* this process's hard limit */
	struct daemon_facts daemon;
	struct installation_facts installation;
	char looked_at[2048]; /* the files that were asked for, for --verbose */
};

/* Closes and frees what it owns. */
void probe_done(struct probe *probe);

/*
 * Reads a whole file, NUL-terminated, without the newline at its end. The path is a format,
 * absolute, and looked up below the root directory. 0, or a negative errno (-EFBIG: it does not
 * fit).
 */
int probe_read(struct probe *probe, char *text, size_t size, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/*
 * The same for a large one, up to 64 MiB; *ret_text is the caller's to free, *ret_size without the
 * NUL.
 */
int probe_read_all(struct probe *probe, char **ret_text, size_t *ret_size, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* A file that holds one decimal number. -EBADMSG: it does not. */
int probe_read_number(struct probe *probe, uint64_t *ret_number, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

bool probe_exists(struct probe *probe, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* There, and root's. */
bool probe_is_roots(struct probe *probe, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* A regular file that somebody may execute. */
bool probe_is_program(struct probe *probe, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* NULL if there is none, or it cannot be opened. The caller closes it. */
DIR *probe_open_dir(struct probe *probe, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Looks for a program where root's PATH usually leads. True, with its path. */
bool probe_find_program(struct probe *probe, const char *name, char *ret_path, size_t size);
/* Is word one of those in text, which blanks and newlines separate? */
bool probe_has_word(const char *text, const char *word);
