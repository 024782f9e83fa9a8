/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The texts of /proc, read and understood.
 *
 * The parsers are pure and strict: a field that is missing, given twice or misshapen is -EBADMSG,
 * never a default, because what is read here decides whether a process is trusted. What they return
 * holds for the moment of reading; that the process is still the same one is the caller's to prove
 * (by its pidfd).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Of one thread, from its "status". */
struct proc_status {
	uint64_t tgid;
	uint64_t uid[4]; /* real, effective, saved, file system */
	uint64_t gid[4];
	uint64_t n_groups;
	uint64_t umask;
	uint64_t locked_kb; /* VmLck */
	uint64_t signals_blocked, signals_ignored;
	uint64_t inheritable, permitted, effective, bounding, ambient; /* capabilities */
	uint64_t no_new_privs;
	uint64_t seccomp_mode; /* 2: filters */
	uint64_t seccomp_filters;
};

/* A word where it stands, in a text that goes on behind it. */
struct proc_word {
	const char *text;
	size_t length;
};
/* For "%.*s": as much of it as fits into so many characters. */
#define PROC_WORD(word, max) (int)((word).length < (max) ? (word).length : (max)), (word).text

/* One line of "mountinfo". The words live as long as the text, and keep the kernel's octal escapes. */
struct proc_mount {
	dev_t device;
	struct proc_word root, point, options, type;
};

/*
 * Reads the whole file into text, NUL-terminated. -EFBIG if it does not fit; or a negative errno.
 */
int proc_read(int dir_fd, const char *path, char *text, size_t size);

/* Who goes first when memory has run out, of -1000 (never) to 1000. */
#define OOM_SCORE_FIRST 1000
#define OOM_SCORE_USUAL 0
#define OOM_SCORE_SPARED (-900)
int proc_set_oom_score(pid_t pid, int score);
/* Of the process, or the thread, whose directory it is. */
int proc_get_oom_score(int dir_fd, int *ret_score);
/* This process is ended late; unless whoever started it has chosen already, or it may not. */
void proc_spare_from_oom(void);

/* The number behind a name, in lines of a name and a number, as in memory.events. 0 or -ENOENT. */
int proc_parse_count(const char *text, const char *name, uint64_t *ret_count);

int proc_parse_status(const char *text, struct proc_status *ret_status);

/* Of one thread, from its "stat". */
struct proc_stat {
	uint64_t session; /* as the reader's pid namespace knows it; 0 if it does not */
	uint64_t flags;	  /* the kernel's PF_ ones */
};

/* The name, which comes before them, may hold spaces and parentheses. */
int proc_parse_stat(const char *text, struct proc_stat *ret_stat);

/* The cgroup2 path in "cgroup": the line that begins with "0::". -ENODATA if there is none. */
int proc_parse_cgroup(const char *text, char *ret_path, size_t size);

/*
 * "Pid:" in the fdinfo of a pidfd; -1 once the process has been reaped, 0 if it is not visible
 * here.
 */
int proc_parse_pidfd(const char *text, int64_t *ret_pid);

/* Soft and hard of what "limits" calls name, "Max core file size" say; UINT64_MAX is "unlimited". */
int proc_parse_limit(const char *text, const char *name, uint64_t *ret_soft, uint64_t *ret_hard);

/* Takes the line at *cursor and moves on. 1; 0 at the end of the text; or -EBADMSG. */
int proc_next_mount(const char **cursor, struct proc_mount *ret_mount);

/* Is this the unified hierarchy of cgroups, with its root? */
bool proc_is_cgroup2(const struct proc_mount *mount);

bool proc_word_is(const struct proc_word *word, const char *text);
/* Is option one of those that commas separate in list? */
bool proc_has_option(const struct proc_word *list, const char *option);
/* A path as a string, its escapes taken back. 0, or -ENAMETOOLONG. */
int proc_word_path(const struct proc_word *word, char *ret_path, size_t size);

/*
 * Takes back, in place, how the kernel writes blanks, line ends and backslashes of a path: as \ and three octal digits.
 * What is not quite that is kept as it is.
 */
void proc_unescape(char *path);
