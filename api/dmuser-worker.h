/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libdmuser, worker side: all that a backend needs.
 *
 * A backend is a program `dmuser-backend-TYPE`. It fills in one struct dmuser_worker_ops and has
 *
 *	int main(int argc, char **argv)
 *	{
 *		return dmuser_worker_run(&ops, argc, argv);
 *	}
 *
 * The library takes the volume's data from the supervisor, has the backend prepare, seals the process
 * (no capability, no file to open, few system calls left), and then calls the operations, one call a
 * request, on as many threads as the backend asks for. backends/memory is a complete example.
 *
 * Until prepare() and start() are over a backend may do what seccomp/outer.json allows to a process in an
 * empty root: allocate and map memory, start threads, look at its descriptors by fstat(). From then on it
 * may do what its seccomp profile says, and nothing in a profile allocates: an operation must get by with
 * what prepare() has allocated, and must not call malloc() or free().
 *
 * The library has checked every range against the volume's size, and that nothing is written to a
 * read-only volume. Offsets and lengths are bytes, multiples of 512.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A volume and the process that serves it. Lives from dmuser_worker_run() to the process's end. */
struct dmuser_worker;
/* One request. Lives until its operation returns anything but DMUSER_LATER, or it is completed. */
struct dmuser_request;

/* What an operation may return, besides 0 and a negative errno: see struct dmuser_worker_ops. */
#define DMUSER_LATER 1

/* dmuser_request_flags() */
#define DMUSER_REQUEST_FUA     (1u << 0) /* write: durable before it is answered */
#define DMUSER_REQUEST_NOUNMAP (1u << 1) /* write_zeroes: the range's space stays allocated */

#define DMUSER_THREADS_MAX   64
#define DMUSER_REQUESTS_MAX  256
#define DMUSER_RESOURCES_MAX 4
/* The most bytes that one read or write is about. */
#define DMUSER_IO_MAX_BYTES  (1024 * 1024)

/* What a worker ends with; 128 + n by signal n, as ever. */
enum dmuser_exit {
	DMUSER_EXIT_OK = 0,            /* the target is gone, or the supervisor said STOP */
	DMUSER_EXIT_SETUP = 1,         /* it never served; the reason was reported */
	DMUSER_EXIT_USAGE = 2,         /* the command line, when started by hand */
	DMUSER_EXIT_CHANNEL_READ = 3,  /* the channel broke, found when reading a request */
	DMUSER_EXIT_CHANNEL_WRITE = 4, /* the channel broke, found when answering */
	DMUSER_EXIT_CONTROL = 5,       /* the control socket cannot be served any more */
};

/* What the supervisor opens for the backend, in the order of its manifest's "resources". */
enum dmuser_resource_kind {
	DMUSER_RESOURCE_MEMFD = 1, /* memory of the volume's size, which outlives the worker */
	DMUSER_RESOURCE_FILE,      /* a regular file or block device, named by an option */
};

struct dmuser_resource {
	enum dmuser_resource_kind kind;
	const char *option; /* DMUSER_RESOURCE_FILE: whose value is the path */
};

/*
 * A backend. Constant; must live as long as the process.
 *
 * Operations return
 *	0		done
 *	DMUSER_LATER	some thread will call, or has called, dmuser_request_complete()
 *	-EOPNOTSUPP	not supported; discard, write_zeroes and secure_erase can say so to the submitter
 *	negative errno	failed: the submitter gets EIO
 *
 * They may be called on n_threads threads at once and may block. One thread reads the next request
 * while others work, so requests that overlap in time have no order among each other.
 *
 * There is no operation for the end. A worker may be killed at any moment, so whatever an answered
 * flush promised must hold without a last call, and the process's end releases everything else.
 */
struct dmuser_worker_ops {
	const char *type;    /* as in the manifest */
	const char *summary; /* one line, and */
	const char *options; /* a line an option, for --help; or NULL */

	unsigned int n_threads;  /* 1 to DMUSER_THREADS_MAX, as in the manifest */
	/*
	 * At once, up to DMUSER_REQUESTS_MAX; 0: n_threads. More only make sense with DMUSER_LATER. For each
	 * the manifest's memory_max_bytes must have DMUSER_IO_MAX_BYTES, besides 2 MiB and 256 KiB
	 * for each thread, or no worker comes up.
	 */
	unsigned int n_requests;

	unsigned int n_resources;
	struct dmuser_resource resources[DMUSER_RESOURCES_MAX];

	/*
	 * Once, first: takes options and resources, allocates all that will be needed, and gives what
	 * the operations get as `volume`. 0, or a negative errno, best by way of dmuser_worker_refuse().
	 */
	int (*prepare)(struct dmuser_worker *worker, void **ret_volume);
	/*
	 * Once, just before the last filter: starts the backend's own threads, and returns when they
	 * run. A thread started earlier would escape Landlock, a later one is not possible. May be NULL.
	 */
	int (*start)(void *volume);

	/* Fills buffer. Never NULL. */
	int (*read)(void *volume, struct dmuser_request *request, void *buffer, size_t length,
		    uint64_t offset);
	/* Must obey DMUSER_REQUEST_FUA unless there is no flush. NULL: every write fails. */
	int (*write)(void *volume, struct dmuser_request *request, const void *buffer, size_t length,
		     uint64_t offset);
	/* All writes answered so far become durable. NULL: an answered write already is. */
	int (*flush)(void *volume, struct dmuser_request *request);
	/* The contents do not matter any more. NULL, here and below: not supported. */
	int (*discard)(void *volume, struct dmuser_request *request, uint64_t length,
		       uint64_t offset);
	/* Reads as zeroes from now on; space may be released unless DMUSER_REQUEST_NOUNMAP. */
	int (*write_zeroes)(void *volume, struct dmuser_request *request, uint64_t length,
			    uint64_t offset);
	/* The contents and all copies of them become unreadable. */
	int (*secure_erase)(void *volume, struct dmuser_request *request, uint64_t length,
			    uint64_t offset);
};

/*
 * Runs a backend: main()'s body. Started by dmuser's spawner (no arguments) it serves confined; with
 * arguments it serves a channel named on the command line, unconfined, for people and tests (--help).
 * Returns an enum dmuser_exit for main() to return, but mostly ends the process itself. argv stays the
 * caller's. Call it once, from the only thread.
 */
int dmuser_worker_run(const struct dmuser_worker_ops *ops, int argc, char **argv);

/*
 * About the volume. Any thread, any time; none blocks. Strings live as long as the process.
 */
uint64_t dmuser_worker_size_bytes(const struct dmuser_worker *worker);
/* Logical block size in bytes: 512 to 4096, a power of two. */
uint32_t dmuser_worker_block_size(const struct dmuser_worker *worker);
bool dmuser_worker_read_only(const struct dmuser_worker *worker);
const char *dmuser_worker_volume_name(const struct dmuser_worker *worker);

/* The descriptor of a resource, which stays the library's. index < ops->n_resources. */
int dmuser_worker_resource(const struct dmuser_worker *worker, unsigned int index);

/*
 * Options, which the supervisor has validated against the manifest. Only for prepare().
 *
 * dmuser_worker_option(): the value, or NULL if it was not given.
 * The others: 0 and *ret_value, which is fallback if the option was not given; -EINVAL, with a reason
 * recorded as by dmuser_worker_refuse(), if the value is not of that kind.
 */
const char *dmuser_worker_option(struct dmuser_worker *worker, const char *name);
int dmuser_worker_option_integer(struct dmuser_worker *worker, const char *name, int64_t fallback,
				 int64_t *ret_value);
int dmuser_worker_option_boolean(struct dmuser_worker *worker, const char *name, bool fallback,
				 bool *ret_value);

/*
 * All memory for requests is taken before the first one, DMUSER_IO_MAX_BYTES for each that there can be at once, and
 * not by and by: for a backend that must answer when the machine has no memory left. Only for prepare().
 */
void dmuser_worker_reserve_memory(struct dmuser_worker *worker);

/*
 * Records why prepare() or start() fails, in words for whoever asked for the volume, and returns error
 * (a negative errno) for the caller to return. What is too long is cut.
 */
int dmuser_worker_refuse(struct dmuser_worker *worker, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* DMUSER_REQUEST_…; bits that this header does not name may be set. Does not block. */
unsigned int dmuser_request_flags(const struct dmuser_request *request);

/*
 * Answers a request whose operation returned, or is about to return, DMUSER_LATER. Exactly once for
 * each such request. result: 0 or a negative errno, as operations return them. From any thread of the
 * process, also from within the operation. The request and its buffer are gone afterwards. Blocks
 * while other answers go out, never for a request.
 */
void dmuser_request_complete(struct dmuser_request *request, int result);

#ifdef __cplusplus
}
#endif
