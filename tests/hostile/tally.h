/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was done, and with which result: a count for each kind of operation and errno. Lives in
 * memory that all processes of the program share.
 */
#pragma once

#include <stdatomic.h>
#include <stdio.h>

/* clang-format off: a list */
#define TALLY_KINDS(kind) \
	/* holders that keep to the rules */ \
	kind(HONEST_OPEN, "honest open") kind(HONEST_READ, "honest read") \
	kind(HONEST_WRITE, "honest write") kind(HONEST_POLL, "honest poll") \
	kind(HONEST_IOCTL, "honest ioctl") kind(HONEST_CLOSE, "honest close") \
	/* holders that do not */ \
	kind(OPEN, "open") kind(REOPEN, "open through /proc") kind(CLOSE, "close") \
	kind(READ, "read") kind(READ_ODD, "readv, preadv2") \
	kind(READ_BAD, "read to bad memory") \
	kind(WRITE_CORRECT, "write a right answer") kind(WRITE_PART, "write part of an answer") \
	kind(WRITE_SURPLUS, "write an answer and more") \
	kind(WRITE_AGAIN, "write an answer again") \
	kind(WRITE_UNKNOWN, "write an unknown seq") kind(WRITE_TYPE, "write an unknown type") \
	kind(WRITE_GIANT, "write a giant answer") kind(WRITE_BYTES, "write byte by byte") \
	kind(WRITE_SEVERAL, "write several answers") kind(WRITE_ODD, "writev, pwritev2") \
	kind(WRITE_BAD, "write from bad memory") kind(POLL, "poll") kind(EPOLL, "epoll") \
	kind(IOCTL, "ioctl") kind(MMAP, "mmap") kind(SEEK, "lseek, pread, pwrite") \
	kind(SPLICE, "splice") kind(FCNTL, "fcntl") kind(DUP, "dup") kind(PASS, "SCM_RIGHTS") \
	kind(FORK, "fork") kind(SIGNAL, "signal a child") \
	kind(CHILD_READ, "child's read") kind(CHILD_WRITE, "child's write") \
	/* whose I/O it is */ \
	kind(SUBMIT_OPEN, "open the device") kind(SUBMIT_READ, "submit read") \
	kind(SUBMIT_WRITE, "submit write") kind(SUBMIT_FLUSH, "submit flush") \
	kind(SUBMIT_DISCARD, "submit discard") kind(SUBMIT_ZEROES, "submit zeroes") \
	kind(SUBMIT_ERASE, "submit secure erase") kind(SUBMIT_CACHE, "drop the cache") \
	kind(SUBMIT_SEVERAL, "submit several") kind(SUBMIT_CLOSE, "close the device") \
	/* device-mapper's */ \
	kind(CREATE, "create") kind(LOAD, "load") kind(LOAD_BAD, "load a bad table") \
	kind(CLEAR, "clear") kind(SUSPEND, "suspend") kind(SUSPEND_NOFLUSH, "suspend noflush") \
	kind(RESUME, "resume") kind(REMOVE, "remove") kind(REMOVE_DEFERRED, "remove deferred") \
	kind(STATUS, "status, table") kind(FAIL, "message fail") kind(UNFAIL, "message unfail") \
	kind(FENCE, "message fence") kind(MESSAGE, "other messages") \
	kind(INTERRUPT, "interrupt device-mapper")
/* clang-format on */

#define TALLY_ENUM(id, name) TALLY_##id,
enum tally_kind { TALLY_KINDS(TALLY_ENUM) TALLY_NR };

#define TALLY_ERRNO_MAX 140

struct tally {
	atomic_ullong counts[TALLY_NR][TALLY_ERRNO_MAX];
};

/* `result` as a system call's wrapper returns it, with errno. Returns it, or -errno. */
long tally_count(enum tally_kind kind, long result);
const char *tally_name(enum tally_kind kind);
void tally_print(FILE *f, struct tally *t);
