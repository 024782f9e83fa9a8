/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the supervisor and the spawner say to each other.
 *
 * A SOCK_SEQPACKET Unix socket at <run>/spawner.sock (mode 0600), on which the spawner listens and
 * serves one supervisor at a time; a new connection is served when the old one has closed. One
 * struct a message each way, whose first word is the version in every version. A message of
 * another version, or size, ends the connection, after a DONE that tells the spawner's. The spawner
 * outlives the supervisor: what it started goes on, and how a child ended is remembered until it is
 * forgotten.
 *
 *   supervisor                      spawner
 *   SPAWN  + fds          ->
 *                         <-        SPAWNED (serial, error/step or pid) + pidfd
 *   LIST                  ->
 *                         <-        CHILD (serial, …) + pidfd if it lives, once for each child
 *                         <-        LISTED (serial)
 *   KILL / FORGET (name)  ->
 *                         <-        DONE (serial, error: -ESRCH no such child, -EBUSY still alive)
 *                         <-        EXITED (serial 0, name, pid, status) whenever a child ends
 */
#pragma once

#include "dmuserd/messages/confine-step.h"
#include "util/name.h"

#include <stdint.h>

#define SPAWNER_MESSAGE_VERSION 2
/* A volume's uuid for a worker, "parser-<number>" for a parser. */
#define SPAWNER_NAME_SIZE 64
/* Descriptors of SPAWN: the executable, the link, the setup socket, the inner profile, resources. */
enum { SPAWNER_FD_EXECUTABLE, SPAWNER_FD_LINK, SPAWNER_FD_SETUP, SPAWNER_FD_PROFILE,
       SPAWNER_FD_RESOURCES };

enum spawner_op {
	SPAWNER_SPAWN = 1,
	SPAWNER_LIST,
	SPAWNER_KILL,   /* SIGKILL to one child, by its pidfd */
	SPAWNER_FORGET, /* drop a dead child's entry */
};

enum spawner_role {
	SPAWNER_WORKER = 1,
	SPAWNER_PARSER,
};

/* The group of all parsers, and of nobody else: no container id and no uuid begins so. */
#define SPAWNER_PARSERS "_parsers"

struct spawner_request {
	uint32_t version; /* SPAWNER_MESSAGE_VERSION */
	uint32_t op;      /* enum spawner_op */
	uint64_t serial;  /* chosen by the supervisor, given back in the answer */
	char name[SPAWNER_NAME_SIZE];
	/* The rest belongs to SPAWN; zero otherwise. */
	uint32_t role;        /* enum spawner_role */
	uint32_t uid;         /* host uid and gid of the child, >= 1 and of no one else */
	uint32_t n_resources; /* <= CONFINE_RESOURCES_MAX */
	uint32_t pids_max;    /* of the child's own cgroup */
	uint32_t nofile_max;
	uint32_t holds_memory; /* 1: the volume's data is memory, which ends with it; else 0 */
	uint64_t memory_max_bytes;  /* of the child's own cgroup; 0: no limit */
	uint64_t memlock_max_bytes; /* RLIMIT_MEMLOCK */
	/* The cgroup below the spawner's own that this child shares with others: a container's id, a
	 * volume's uuid; of a parser SPAWNER_PARSERS. The child's own cgroup is <group>/<name>. */
	char group[NAME_CONTAINER_MAX + 8];
};
_Static_assert(sizeof(struct spawner_request) == 256, "the same for every compiler");

enum spawner_event {
	SPAWNER_SPAWNED = 1,
	SPAWNER_CHILD,
	SPAWNER_LISTED,
	SPAWNER_DONE,
	SPAWNER_EXITED,
};

/* The end of a worker that an earlier spawner started: seen, but its status went to init. */
#define SPAWNER_STATUS_UNKNOWN (-1)

/* In a status, beside what waitpid() gives: the kernel killed it because memory had run out. */
#define SPAWNER_STATUS_OOM 0x10000

struct spawner_reply {
	uint32_t version;
	uint32_t event;   /* enum spawner_event */
	uint64_t serial;  /* the request's; 0 for EXITED */
	char name[SPAWNER_NAME_SIZE];
	int32_t error;    /* 0 or a negative errno */
	uint32_t step;    /* SPAWNED with an error: the enum confine_step that failed */
	int32_t pid;      /* as the host sees it */
	uint32_t role;
	uint32_t uid;
	int32_t status;   /* EXITED, CHILD when dead: as waitpid() gives it, and SPAWNER_STATUS_… */
	uint32_t alive;   /* CHILD: 1 or 0 */
	uint32_t reserved;
};
_Static_assert(sizeof(struct spawner_reply) == 112, "the same for every compiler");
