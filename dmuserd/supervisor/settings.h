/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an administrator can set, in /etc/dmuser/dmuserd.conf and on the command line.
 *
 * The file is root's own, `key = value` a line, `#` comments; every key has a default, so that no file is
 * needed. An unknown key or a value out of range is an error that names file, line and key.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SETTINGS_KEYS_MAX 32
/* In place of a line: given by settings_set(). */
#define SETTINGS_SET UINT32_MAX

struct settings {
	char run_dir[128];       /* /run/dmuser: control socket, spawner's socket, workers/, journal/ */
	char libexec_dir[128];   /* spawner, parser, backends/, seccomp/ */
	char socket_group[64];   /* group that may connect: "dmuser"; empty: root only */
	uid_t worker_uid_base;   /* 1900000000: outside systemd's and shadow's ranges */
	uint32_t worker_uid_count; /* 65536 */
	uid_t parser_uid_base;   /* 1900065536 */
	uint32_t parser_uid_count; /* 4096 */
	uint32_t connections_max;        /* 1024 in all */
	uint32_t connections_per_uid_max;/* 64 */
	uint32_t volumes_max;            /* 1024 */
	uint32_t volumes_per_uid_max;    /* 64; root is not counted */
	uint64_t volume_bytes_per_uid_max; /* memory-like backings of one uid; 16 GiB */
	uint64_t memory_volume_bytes_max; /* of one volume in memory; 0: what the machine has */
	uint32_t parser_pool;            /* parsers started ahead: 4 */
	uint32_t worker_start_timeout_ms;   /* 10000 */
	uint32_t device_mapper_timeout_ms;  /* 10000 */
	uint32_t release_timeout_ms;        /* 5000 */
	uint32_t io_timeout_ms;             /* 300000; 0: none */

	/* Where each key comes from, in the order of settings.c's table: 0, its default; a line of `file`. */
	const char *file; /* the caller's, for as long as settings_check() may name it */
	uint32_t lines[SETTINGS_KEYS_MAX];
};

void settings_init(struct settings *s);
/* 0; -ENOENT if there is no such file; -EINVAL with a message in error[]. A key stands there once at most. */
int settings_read_file(struct settings *s, const char *path, char *error, size_t error_size);
/* One key: also the command line's --set KEY=VALUE. 0, or -EINVAL with a message in error[]. */
int settings_set(struct settings *s, const char *key, const char *value, char *error, size_t error_size);
/*
 * What no single line can be wrong about: ranges of uids that meet. 0, or -EINVAL with a message that says where
 * each key that has a part in it was given.
 */
int settings_check(const struct settings *s, char *error, size_t error_size);
