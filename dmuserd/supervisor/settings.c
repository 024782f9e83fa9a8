// SPDX-License-Identifier: Apache-2.0
/*
 * What an administrator can set; see settings.h.
 *
 * One table of keys says everything about each: its kind, its place, its range and its default. The
 * manual page and packaging/dmuserd.conf follow this table, and a test holds them to it.
 */
#include "dmuserd/supervisor/settings.h"
#include "util/cleanup.h"

#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum kind { DIRECTORY, GROUP, NUMBER, BYTES };

/* A line longer than this holds nothing that could be valid. */
#define LINE_SIZE 512
/* sockaddr_un has 108 bytes, and the longest name below is /workers/UUID.sock. */
#define RUN_DIR_MAX 56

struct key {
	const char *name;
	enum kind kind;
	size_t offset, size;
	const char *text;    /* default of DIRECTORY and GROUP */
	uint64_t number;     /* default of NUMBER and BYTES */
	uint64_t min, max;   /* of a DIRECTORY or GROUP: max length */
};

#define FIELD(name) #name, .offset = offsetof(struct settings, name),                              \
		    .size = sizeof(((struct settings *)NULL)->name)

/* Less would give up a volume for what every disk does now and then. */
#define IO_TIMEOUT_MIN_MS 1000

#define KIB UINT64_C(1024)
#define GIB (KIB * KIB * KIB)

static const struct key keys[] = {
	{ FIELD(run_dir), .kind = DIRECTORY, .text = DMUSER_RUNDIR, .max = RUN_DIR_MAX },
	{ FIELD(libexec_dir), .kind = DIRECTORY, .text = DMUSER_LIBEXECDIR, .max = 127 },
	{ FIELD(socket_group), .kind = GROUP, .text = "dmuser", .max = 32 },
	/* Above every range that systemd or shadow hand out, below 2^31, which some tools stumble at. */
	{ FIELD(worker_uid_base), .kind = NUMBER, .number = 1900000000, .min = 1000, .max = INT32_MAX },
	{ FIELD(worker_uid_count), .kind = NUMBER, .number = 65536, .min = 1, .max = 1048576 },
	{ FIELD(parser_uid_base), .kind = NUMBER, .number = 1900065536, .min = 1000, .max = INT32_MAX },
	{ FIELD(parser_uid_count), .kind = NUMBER, .number = 4096, .min = 16, .max = 65536 },
	{ FIELD(connections_max), .kind = NUMBER, .number = 1024, .min = 16, .max = 16384 },
	{ FIELD(connections_per_uid_max), .kind = NUMBER, .number = 64, .min = 1, .max = 16384 },
	{ FIELD(volumes_max), .kind = NUMBER, .number = 1024, .min = 1, .max = 65536 },
	{ FIELD(volumes_per_uid_max), .kind = NUMBER, .number = 64, .min = 0, .max = 65536 },
	{ FIELD(volume_bytes_per_uid_max), .kind = BYTES, .number = 16 * GIB, .max = INT64_MAX },
	{ FIELD(memory_volume_bytes_max), .kind = BYTES, .max = INT64_MAX },
	{ FIELD(parser_pool), .kind = NUMBER, .number = 4, .min = 1, .max = 64 },
	{ FIELD(worker_start_timeout_ms), .kind = NUMBER, .number = 10000, .min = 100, .max = 600000 },
	{ FIELD(device_mapper_timeout_ms), .kind = NUMBER, .number = 10000, .min = 100, .max = 600000 },
	{ FIELD(release_timeout_ms), .kind = NUMBER, .number = 5000, .min = 0, .max = 600000 },
	/* The module takes a day at most. */
	{ FIELD(io_timeout_ms), .kind = NUMBER, .number = 300000, .min = 0, .max = 86400000 },
};

_Static_assert(ARRAY_SIZE(keys) <= SETTINGS_KEYS_MAX, "settings.lines has a place for every key");

static void store_number(struct settings *s, const struct key *key, uint64_t value)
{
	char *at = (char *)s + key->offset;

	/* Every range above fits its field. */
	if (key->size == sizeof(uint64_t)) {
		memcpy(at, &value, sizeof(value));
	} else {
		uint32_t small = (uint32_t)value;

		memcpy(at, &small, sizeof(small));
	}
}

void settings_init(struct settings *s)
{
	*s = (struct settings){};
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const struct key *key = &keys[i];

		if (key->text)
			snprintf((char *)s + key->offset, key->size, "%s", key->text);
		else
			store_number(s, key, key->number);
	}
}

static const struct key *find_key(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	}
	return NULL;
}

/* The power of 1024 that a suffix stands for, 0 for none; -1 if it is no suffix. */
static int suffix_power(const char *suffix)
{
	static const char letters[] = "KMGT";
	const char *found;

	if (!suffix[0])
		return 0;
	found = strchr(letters, suffix[0]);
	return found && !suffix[1] ? (int)(found - letters) + 1 : -1;
}

/* Digits, and for bytes one of K, M, G, T. 0, -EINVAL, -ERANGE. */
static int parse_number(const char *value, bool bytes, uint64_t *ret_number)
{
	size_t digits = strspn(value, "0123456789");
	uint64_t number;
	int power;

	if (digits == 0)
		return -EINVAL;
	power = suffix_power(value + digits);
	if (power < 0 || (power > 0 && !bytes))
		return -EINVAL;

	errno = 0;
	number = strtoull(value, NULL, 10);
	if (errno != 0)
		return -ERANGE;
	for (; power > 0; power--) {
		if (__builtin_mul_overflow(number, KIB, &number))
			return -ERANGE;
	}
	*ret_number = number;
	return 0;
}

static int set_number(struct settings *s, const struct key *key, const char *value, char *error,
		      size_t error_size)
{
	uint64_t number = 0;
	int r = parse_number(value, key->kind == BYTES, &number);

	if (r == -EINVAL) {
		snprintf(error, error_size, "%s: '%.64s' is not a number%s", key->name, value,
			 key->kind == BYTES ? " of bytes (digits, then K, M, G, T or nothing)" : "");
		return -EINVAL;
	}
	if (r < 0 || number < key->min || number > key->max) {
		snprintf(error, error_size, "%s: '%.64s' is not between %llu and %llu", key->name, value,
			 (unsigned long long)key->min, (unsigned long long)key->max);
		return -EINVAL;
	}
	store_number(s, key, number);
	return 0;
}

/* Absolute, and as the kernel would show it: no empty, "." or ".." component, no slash at the end. */
static bool is_plain_path(const char *path)
{
	if (path[0] != '/' || !path[1])
		return false;
	for (const char *at = path; at; at = strchr(at + 1, '/')) {
		size_t len = strcspn(at + 1, "/");

		if (len == 0 || (len == 1 && at[1] == '.') ||
		    (len == 2 && at[1] == '.' && at[2] == '.'))
			return false;
	}
	for (const char *at = path; *at; at++) {
		if ((unsigned char)*at <= ' ' || *at == 0x7f)
			return false;
	}
	return true;
}

static bool is_group(const char *name)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";

	if (!name[0])
		return true;
	return strchr(first, name[0]) &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
				 "0123456789-.")] == '\0';
}

static int set_text(struct settings *s, const struct key *key, const char *value, char *error,
		    size_t error_size)
{
	if (strlen(value) > key->max) {
		snprintf(error, error_size, "%s: longer than %llu characters", key->name,
			 (unsigned long long)key->max);
		return -EINVAL;
	}
	if (key->kind == DIRECTORY && !is_plain_path(value)) {
		snprintf(error, error_size, "%s: '%s' is not an absolute, plain path", key->name, value);
		return -EINVAL;
	}
	if (key->kind == GROUP && !is_group(value)) {
		snprintf(error, error_size, "%s: '%s' is not a group's name", key->name, value);
		return -EINVAL;
	}
	snprintf((char *)s + key->offset, key->size, "%s", value);
	return 0;
}

static int set_value(struct settings *s, const struct key *key, const char *value, char *error,
		     size_t error_size)
{
	if (key->kind == NUMBER || key->kind == BYTES)
		return set_number(s, key, value, error, error_size);
	return set_text(s, key, value, error, error_size);
}

static const struct key *find_key_or_complain(const char *name, char *error, size_t error_size)
{
	const struct key *key = find_key(name);

	if (!key)
		snprintf(error, error_size, "%.64s: no such key", name);
	return key;
}

int settings_set(struct settings *s, const char *key_name, const char *value, char *error,
		 size_t error_size)
{
	const struct key *key = find_key_or_complain(key_name, error, error_size);
	int r = key ? set_value(s, key, value, error, error_size) : -EINVAL;

	if (r == 0)
		s->lines[key - keys] = SETTINGS_SET;
	return r;
}

/* Of two lines of one key one would be ignored in silence. */
static int set_once(struct settings *s, const char *key_name, const char *value, uint32_t line,
		    char *error, size_t error_size)
{
	const struct key *key = find_key_or_complain(key_name, error, error_size);
	uint32_t earlier;
	int r;

	if (!key)
		return -EINVAL;
	earlier = s->lines[key - keys];
	if (earlier != 0 && earlier != SETTINGS_SET) {
		snprintf(error, error_size, "%s is given twice: line %" PRIu32 " has it already",
			 key->name, earlier);
		return -EINVAL;
	}
	r = set_value(s, key, value, error, error_size);
	if (r == 0)
		s->lines[key - keys] = line;
	return r;
}

static bool ranges_meet(uint64_t a, uint64_t n_a, uint64_t b, uint64_t n_b)
{
	return a < b + n_b && b < a + n_a;
}

/* Long enough for the end of a path. */
#define PLACE_SIZE 128

/* Where a key was given, for a person: " at FILE:LINE", or the like. */
static const char *tell_place(const struct settings *s, const char *name, char ret_place[PLACE_SIZE])
{
	uint32_t line = s->lines[find_key(name) - keys];

	if (line == 0)
		snprintf(ret_place, PLACE_SIZE, "by default");
	else if (line == SETTINGS_SET)
		snprintf(ret_place, PLACE_SIZE, "by --set");
	else
		snprintf(ret_place, PLACE_SIZE, "at %.100s:%" PRIu32, s->file ? s->file : "?", line);
	return ret_place;
}

static int check_uids(const struct settings *s, char *error, size_t error_size)
{
	char places[4][PLACE_SIZE];

	if (!ranges_meet(s->worker_uid_base, s->worker_uid_count, s->parser_uid_base,
			 s->parser_uid_count))
		return 0;
	snprintf(error, error_size,
		 "the ranges of uids of workers and parsers overlap: worker_uid_base %u (%s), "
		 "worker_uid_count %" PRIu32 " (%s), parser_uid_base %u (%s), parser_uid_count %" PRIu32
		 " (%s)",
		 s->worker_uid_base, tell_place(s, "worker_uid_base", places[0]), s->worker_uid_count,
		 tell_place(s, "worker_uid_count", places[1]), s->parser_uid_base,
		 tell_place(s, "parser_uid_base", places[2]), s->parser_uid_count,
		 tell_place(s, "parser_uid_count", places[3]));
	return -EINVAL;
}

int settings_check(const struct settings *s, char *error, size_t error_size)
{
	char place[PLACE_SIZE];

	if (s->io_timeout_ms > 0 && s->io_timeout_ms < IO_TIMEOUT_MIN_MS) {
		snprintf(error, error_size,
			 "io_timeout_ms: not less than %d, which are milliseconds; or 0 (it is %" PRIu32
			 " %s)",
			 IO_TIMEOUT_MIN_MS, s->io_timeout_ms, tell_place(s, "io_timeout_ms", place));
		return -EINVAL;
	}
	return check_uids(s, error, error_size);
}

static char *strip(char *text)
{
	size_t len;

	text += strspn(text, " \t");
	len = strlen(text);
	while (len > 0 && strchr(" \t\n", text[len - 1]))
		text[--len] = '\0';
	return text;
}

/* One line of the file, which it takes apart. */
static int set_line(struct settings *s, char *line, uint32_t number, char *error, size_t error_size)
{
	char *text = strip(line), *equals;

	if (!text[0] || text[0] == '#')
		return 0;
	equals = strchr(text, '=');
	if (!equals) {
		snprintf(error, error_size, "'%.64s' is not KEY = VALUE", text);
		return -EINVAL;
	}
	*equals = '\0';
	return set_once(s, strip(text), strip(equals + 1), number, error, error_size);
}

static int read_line(struct settings *s, FILE *file, uint32_t number, bool *ret_end, char *error,
		     size_t error_size)
{
	char line[LINE_SIZE];
	size_t n = 0;
	int c;

	while ((c = getc(file)) != EOF && c != '\n') {
		/* Cut short, a value would be another one. */
		if (c == '\0' || n == sizeof(line) - 1) {
			snprintf(error, error_size, "%s",
				 c == '\0' ? "holds a NUL byte" : "line too long");
			return -EINVAL;
		}
		line[n++] = (char)c;
	}
	if (c == EOF && ferror(file)) {
		snprintf(error, error_size, "cannot be read");
		return -EINVAL;
	}
	line[n] = '\0';
	*ret_end = c == EOF;
	return set_line(s, line, number, error, error_size);
}

int settings_read_file(struct settings *s, const char *path, char *error, size_t error_size)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "re");
	bool end = false;

	if (!file && errno == ENOENT)
		return -ENOENT;
	if (!file) {
		snprintf(error, error_size, "%s: %s", path, strerror(errno));
		return -EINVAL;
	}
	s->file = path;
	for (uint32_t number = 1; !end; number++) {
		char reason[256] = "";
		int r = read_line(s, file, number, &end, reason, sizeof(reason));

		if (r < 0) {
			snprintf(error, error_size, "%s:%" PRIu32 ": %s", path, number, reason);
			return r;
		}
	}
	return 0;
}
