/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the next supervisor has to know of a volume, one file each in <run_dir>/journal/.
 *
 * It is a hint, the kernel is the truth: an entry that is damaged, of another version or of nothing
 * that exists is dropped, never repaired. But volumes outlive an upgrade: new fields come last and are 0 in
 * what an older supervisor wrote, and what a newer one wrote beyond these is passed over; so the version stays.
 * A file is replaced as a whole, so a reader finds the old
 * entry or the new one. The directory is root's own (0700) on a file system that a reboot empties.
 */
#pragma once

#include "dmuserd/messages/confine-step.h"
#include "dmuserd/messages/worker.h"
#include "util/name.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define JOURNAL_VERSION	    1
#define JOURNAL_CGROUP_SIZE 1024
#define JOURNAL_ERROR_SIZE  256

enum journal_stage {
	JOURNAL_CREATING = 1, /* not all there yet: what is, is to be removed */
	JOURNAL_COMPLETE,     /* has been active */
	JOURNAL_RELEASING,    /* on its way out */
};

struct journal_entry {
	char magic[8];
	uint32_t version;
	uint32_t size;	   /* of this struct */
	uint64_t checksum; /* of all that follows */

	char uuid[NAME_UUID_LEN + 4];
	uint32_t stage; /* enum journal_stage */
	uint32_t worker_uid;
	uint64_t generation;
	/* The specification. */
	char name[NAME_VOLUME_MAX + 8];
	char backend[NAME_BACKEND_MAX + 8];
	uint32_t owner;
	uint32_t owner_gid;
	uint64_t asked_size_bytes;
	uint64_t size_bytes;
	uint32_t block_size;
	uint8_t read_only, keep, blank, reserved;
	/* What the worker was given. */
	uint32_t n_resources;
	uint32_t n_options;
	struct {
		uint64_t dev, ino;
	} resources[CONFINE_RESOURCES_MAX];
	/* The container; id empty: none. */
	char container[NAME_CONTAINER_MAX + 8];
	uint64_t container_start_time;
	int32_t container_pid;
	uint32_t reserved2;
	char group[NAME_CONTAINER_MAX + 8]; /* that the worker's cgroup lies in */
	char container_cgroup[JOURNAL_CGROUP_SIZE];
	struct worker_option options[WORKER_OPTIONS_MAX];
	/* Here the first ones ended. */
	char error[JOURNAL_ERROR_SIZE]; /* why it is degraded; empty: it is not */
};
#define JOURNAL_SIZE_MIN offsetof(struct journal_entry, error)

/* Makes <run_dir>/journal. */
int journal_init(const char *run_dir);

/* Fills in magic, version, size and checksum. */
int journal_write(const char *run_dir, struct journal_entry *entry);

/* No error if there is none. */
int journal_remove(const char *run_dir, const char *uuid);

typedef int (*journal_entry_fn)(void *userdata, const struct journal_entry *entry);
/* Calls fn for every sound entry, and removes what is none. Ends early if fn returns < 0. */
int journal_read_all(const char *run_dir, journal_entry_fn fn, void *userdata);
