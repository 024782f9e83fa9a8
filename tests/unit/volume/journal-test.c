// SPDX-License-Identifier: Apache-2.0
/* The journal: what is written is read, and nothing else is. */
#include "dmuserd/supervisor/journal.h"
#include "tests/unit/volume/test.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define UUID	   "01234567-89ab-cdef-0123-456789abcdef"
#define OTHER_UUID "11234567-89ab-cdef-0123-456789abcdef"

static int setup(void **state)
{
	char *dir = make_directory();

	*state = dir;
	return journal_init(dir);
}

static int teardown(void **state)
{
	remove_directory(*state);
	return 0;
}

static struct journal_entry *new_entry(const char *uuid)
{
	struct journal_entry *e = calloc(1, sizeof(*e));

	assert_non_null(e);
	strcpy(e->uuid, uuid);
	strcpy(e->name, "data");
	strcpy(e->backend, "memory");
	strcpy(e->container, "c1");
	e->stage = JOURNAL_COMPLETE;
	e->owner = 1000;
	e->size_bytes = 1 << 20;
	e->n_options = 1;
	strcpy(e->options[0].name, "path");
	strcpy(e->options[0].value, "/x");
	return e;
}

static void write_new(const char *dir, const char *uuid)
{
	struct journal_entry *e = new_entry(uuid);

	assert_int_equal(journal_write(dir, e), 0);
	free(e);
}

struct seen {
	size_t n;
	int result;
	struct journal_entry last;
};

static int see(void *userdata, const struct journal_entry *entry)
{
	struct seen *seen = userdata;

	seen->n++;
	seen->last = *entry;
	return seen->result;
}

static struct seen *read_all(const char *dir)
{
	struct seen *seen = calloc(1, sizeof(*seen));

	assert_non_null(seen);
	assert_int_equal(journal_read_all(dir, see, seen), 0);
	return seen;
}

static void assert_n_entries(const char *dir, size_t n)
{
	struct seen *seen = read_all(dir);

	assert_int_equal(seen->n, n);
	free(seen);
}

static void path_of(const char *dir, const char *name, char ret[static 256])
{
	snprintf(ret, 256, "%s/journal/%s", dir, name);
}

static void what_is_written_is_read(void **state)
{
	struct journal_entry *e = new_entry(UUID);
	struct seen *seen;

	assert_int_equal(journal_write(*state, e), 0);
	seen = read_all(*state);
	assert_int_equal(seen->n, 1);
	assert_memory_equal(&seen->last, e, sizeof(*e));
	free(seen);
	free(e);
}

static void a_second_write_replaces_the_first(void **state)
{
	struct journal_entry *e = new_entry(UUID);
	struct seen *seen;

	assert_int_equal(journal_write(*state, e), 0);
	e->stage = JOURNAL_RELEASING;
	assert_int_equal(journal_write(*state, e), 0);
	seen = read_all(*state);
	assert_int_equal(seen->n, 1);
	assert_int_equal(seen->last.stage, JOURNAL_RELEASING);
	free(seen);
	free(e);
}

static void removal_is_idempotent(void **state)
{
	write_new(*state, UUID);
	assert_int_equal(journal_remove(*state, UUID), 0);
	assert_int_equal(journal_remove(*state, UUID), 0);
	assert_n_entries(*state, 0);
}

static void one_bad_entry_does_not_hide_the_others(void **state)
{
	char path[256];
	int fd;

	write_new(*state, UUID);
	write_new(*state, OTHER_UUID);
	path_of(*state, UUID, path);
	fd = open(path, O_RDWR);
	assert_int_equal(pwrite(fd, "X", 1, 200), 1);
	close(fd);
	assert_n_entries(*state, 1);
	assert_int_equal(access(path, F_OK), -1);
}

/* Each byte of the head and of the fields near it counts; so does the last one. */
static void a_flipped_byte_anywhere_makes_an_entry_unsound(void **state)
{
	static const size_t offsets[] = { 0,  8,  12,  16,
					  24, 60, 300, sizeof(struct journal_entry) - 1 };

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		char path[256], byte;
		int fd;

		write_new(*state, UUID);
		path_of(*state, UUID, path);
		fd = open(path, O_RDWR);
		assert_int_equal(pread(fd, &byte, 1, (off_t)offsets[i]), 1);
		byte ^= 1;
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)offsets[i]), 1);
		close(fd);
		assert_n_entries(*state, 0);
	}
}

static void a_short_or_long_file_is_dropped(void **state)
{
	static const off_t sizes[] = { 0, 10, sizeof(struct journal_entry) - 1,
				       sizeof(struct journal_entry) + 1 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		char path[256];

		write_new(*state, UUID);
		path_of(*state, UUID, path);
		assert_return_code(truncate(path, sizes[i]), errno);
		assert_n_entries(*state, 0);
		assert_int_equal(access(path, F_OK), -1);
	}
}

/* What supervisors of other versions have written: FNV-1a over `size` bytes, but for the head. */
static void write_of_size(const char *dir, const struct journal_entry *entry, size_t size)
{
	size_t from = offsetof(struct journal_entry, uuid);
	unsigned char *bytes = calloc(1, sizeof(*entry) + size);
	struct journal_entry *e = (void *)bytes;
	char path[256];
	int fd;

	assert_non_null(bytes);
	*e = *entry;
	e->size = (uint32_t)size;
	e->checksum = 0xcbf29ce484222325;
	for (size_t i = from; i < size; i++)
		e->checksum = (e->checksum ^ bytes[i]) * 0x100000001b3;
	path_of(dir, entry->uuid, path);
	fd = open(path, O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
	free(bytes);
}

static void entries_of_other_versions_are_read(void **state)
{
	static const size_t sizes[] = { JOURNAL_SIZE_MIN, JOURNAL_SIZE_MIN + 1,
					sizeof(struct journal_entry) + 1, 65536 };
	struct journal_entry *e = new_entry(UUID);

	strcpy(e->error, "why");
	assert_int_equal(journal_write(*state, e), 0);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct seen *seen;

		write_of_size(*state, e, sizes[i]);
		seen = read_all(*state);
		assert_int_equal(seen->n, 1);
		assert_string_equal(seen->last.options[0].value, "/x");
		assert_string_equal(seen->last.error, sizes[i] == JOURNAL_SIZE_MIN     ? "" :
						      sizes[i] == JOURNAL_SIZE_MIN + 1 ? "w" : "why");
		free(seen);
	}
	free(e);
}

static void an_entry_under_another_name_is_dropped(void **state)
{
	char from[256], to[256];

	write_new(*state, UUID);
	path_of(*state, UUID, from);
	path_of(*state, OTHER_UUID, to);
	assert_return_code(rename(from, to), errno);
	assert_n_entries(*state, 0);
}

static void a_symlink_and_a_fifo_are_not_followed_or_waited_for(void **state)
{
	char path[256], other[256];

	write_new(*state, UUID);
	path_of(*state, UUID, path);
	path_of(*state, OTHER_UUID, other);
	assert_return_code(symlink(path, other), errno);
	assert_n_entries(*state, 1);
	assert_return_code(mkfifo(other, 0600), errno);
	assert_n_entries(*state, 1);
}

static void a_sound_checksum_does_not_excuse_wild_values(void **state)
{
	struct journal_entry *e = new_entry(UUID);

	e->n_options = WORKER_OPTIONS_MAX + 1;
	assert_int_equal(journal_write(*state, e), 0);
	assert_n_entries(*state, 0);
	e->n_options = 1;
	memset(e->options[0].value, 'x', sizeof(e->options[0].value));
	assert_int_equal(journal_write(*state, e), 0);
	assert_n_entries(*state, 0);
	strcpy(e->options[0].value, "/x");
	strcpy(e->name, "../x");
	assert_int_equal(journal_write(*state, e), 0);
	assert_n_entries(*state, 0);
	strcpy(e->name, "data");
	e->stage = 99;
	assert_int_equal(journal_write(*state, e), 0);
	assert_n_entries(*state, 0);
	free(e);
}

static void a_half_written_entry_is_never_seen(void **state)
{
	char path[256];
	int fd;

	path_of(*state, ".new-" UUID, path);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "dmuserJ", 8), 8);
	close(fd);
	assert_n_entries(*state, 0);
	assert_int_equal(access(path, F_OK), -1);
}

static void the_readers_error_ends_the_reading(void **state)
{
	struct seen *seen = calloc(1, sizeof(*seen));

	assert_non_null(seen);
	write_new(*state, UUID);
	write_new(*state, OTHER_UUID);
	seen->result = -ENOMEM;
	assert_int_equal(journal_read_all(*state, see, seen), -ENOMEM);
	assert_int_equal(seen->n, 1);
	free(seen);
	assert_n_entries(*state, 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_is_written_is_read),
		T(a_second_write_replaces_the_first),
		T(removal_is_idempotent),
		T(one_bad_entry_does_not_hide_the_others),
		T(a_flipped_byte_anywhere_makes_an_entry_unsound),
		T(a_short_or_long_file_is_dropped),
		T(entries_of_other_versions_are_read),
		T(an_entry_under_another_name_is_dropped),
		T(a_symlink_and_a_fifo_are_not_followed_or_waited_for),
		T(a_sound_checksum_does_not_excuse_wild_values),
		T(a_half_written_entry_is_never_seen),
		T(the_readers_error_ends_the_reading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
