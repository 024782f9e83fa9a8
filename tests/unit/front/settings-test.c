// SPDX-License-Identifier: Apache-2.0
/* What an administrator can set, and how a mistake in it is told. */
#include "test.h"
#include "dmuserd/supervisor/settings.h"

static const char *packaged_file; /* packaging/dmuserd.conf */
static const char *manual_page;   /* packaging/man/dmuserd.conf.5 */

static struct settings s;
static char error[512];
static char path[64];

static int prepare(void **state)
{
	settings_init(&s);
	error[0] = '\0';
	return 0;
}

/* Reads a file of that text, which need not be a string. */
static int read_bytes(const char *text, size_t size)
{
	int fd, r;

	strcpy(path, "/tmp/dmuser-settings-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, size), (ssize_t)size);
	close(fd);
	r = settings_read_file(&s, path, error, sizeof(error));
	unlink(path);
	return r;
}

static int read_text(const char *text)
{
	return read_bytes(text, strlen(text));
}

static void refused(const char *text, const char *line, const char *word)
{
	char place[96];

	assert_int_equal(read_text(text), -EINVAL);
	snprintf(place, sizeof(place), "%s:%s:", path, line);
	assert_ptr_equal(strstr(error, place), error);
	assert_non_null(strstr(error, word));
}

static void the_defaults_are_sound(void **state)
{
	assert_string_equal(s.run_dir, "/run/dmuser");
	assert_string_equal(s.socket_group, "dmuser");
	assert_int_equal(s.parser_pool, 4);
	assert_true(s.volume_bytes_per_uid_max == 16ull << 30);
	assert_int_equal(settings_check(&s, error, sizeof(error)), 0);
}

static void a_file_sets_what_it_names(void **state)
{
	assert_int_equal(read_text("# a comment\n\n  volumes_max = 7 \nsocket_group=\n"
				   "volume_bytes_per_uid_max = 3G\nrun_dir = /run/other"),
			 0);
	assert_int_equal(s.volumes_max, 7);
	assert_string_equal(s.socket_group, "");
	assert_true(s.volume_bytes_per_uid_max == 3ull << 30);
	assert_string_equal(s.run_dir, "/run/other");
	assert_int_equal(s.connections_max, 1024);
}

static void a_missing_file_is_told_apart(void **state)
{
	assert_int_equal(settings_read_file(&s, "/nonexistent/dmuserd.conf", error, sizeof(error)),
			 -ENOENT);
}

static void an_unknown_key_is_refused_by_line_and_name(void **state)
{
	refused("volumes_max = 1\n\nvolume_max = 1\n", "3", "volume_max");
}

static void a_line_without_a_value_is_refused(void **state)
{
	refused("volumes_max\n", "1", "KEY = VALUE");
}

static void numbers_out_of_range_are_refused(void **state)
{
	refused("volumes_max = 0\n", "1", "between 1 and 65536");
	refused("volumes_max = 65537\n", "1", "volumes_max");
	refused("volumes_max = 99999999999999999999999\n", "1", "volumes_max");
	refused("volume_bytes_per_uid_max = 99999999999T\n", "1", "volume_bytes_per_uid_max");
}

static void what_is_no_number_is_refused(void **state)
{
	refused("volumes_max =\n", "1", "not a number");
	refused("volumes_max = -1\n", "1", "not a number");
	refused("volumes_max = 12junk\n", "1", "not a number");
	refused("volumes_max = 1 2\n", "1", "not a number");
	refused("volumes_max = 1K\n", "1", "not a number");
	refused("volume_bytes_per_uid_max = 1KB\n", "1", "not a number");
	refused("volume_bytes_per_uid_max = 1k\n", "1", "not a number");
}

static void paths_must_be_absolute_and_plain(void **state)
{
	static const char *const bad[] = { "run/dmuser", "/", "", "/run/../etc", "/run//dmuser",
					   "/run/dmuser/", "/run/.", "/run/d m" };
	char text[64];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "run_dir = %s\n", bad[i]);
		refused(text, "1", "run_dir");
	}
}

static void a_run_dir_that_no_socket_fits_in_is_refused(void **state)
{
	refused("run_dir = /run/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", "1",
		"run_dir");
}

static void a_group_must_look_like_one(void **state)
{
	refused("socket_group = 0\n", "1", "socket_group");
	refused("socket_group = a b\n", "1", "socket_group");
}

static void a_line_that_is_too_long_is_refused_not_cut(void **state)
{
	char text[1024];

	memset(text, ' ', sizeof(text));
	memcpy(text, "volumes_max = 1", 15);
	memcpy(text + 800, "1\n", 3);
	refused(text, "1", "too long");
}

static void a_nul_byte_is_refused(void **state)
{
	static const char text[] = "volumes_max = 1\0 2\n";

	assert_int_equal(read_bytes(text, sizeof(text) - 1), -EINVAL);
	assert_non_null(strstr(error, "NUL"));
}

static void a_key_that_is_given_twice_is_refused_with_both_lines(void **state)
{
	refused("volumes_max = 1\n\nvolumes_max = 2\n", "3", "volumes_max is given twice: line 1 ");
	/* Also if it says the same. */
	prepare(NULL);
	refused("socket_group =\nsocket_group =\n", "2", "line 1 ");
}

static void the_command_line_may_set_what_the_file_has_set(void **state)
{
	assert_int_equal(read_text("volumes_max = 1\n"), 0);
	assert_int_equal(settings_set(&s, "volumes_max", "2", error, sizeof(error)), 0);
	assert_int_equal(settings_set(&s, "volumes_max", "3", error, sizeof(error)), 0);
	assert_int_equal(s.volumes_max, 3);
}

static void overlapping_ranges_of_uids_are_refused_with_their_places(void **state)
{
	char words[128];

	assert_int_equal(read_text("\nparser_uid_base = 1900065535\n"), 0);
	assert_int_equal(settings_set(&s, "worker_uid_count", "70000", error, sizeof(error)), 0);
	assert_int_equal(settings_check(&s, error, sizeof(error)), -EINVAL);
	snprintf(words, sizeof(words), "parser_uid_base 1900065535 (at %s:2)", path);
	assert_non_null(strstr(error, words));
	assert_non_null(strstr(error, "worker_uid_base 1900000000 (by default)"));
	assert_non_null(strstr(error, "worker_uid_count 70000 (by --set)"));
}

static void an_io_timeout_that_is_too_short_is_refused_with_its_place(void **state)
{
	char place[96];

	assert_int_equal(read_text("# seconds?\nio_timeout_ms = 30\n"), 0);
	assert_int_equal(settings_check(&s, error, sizeof(error)), -EINVAL);
	snprintf(place, sizeof(place), "at %s:2", path);
	assert_non_null(strstr(error, place));
}

static void an_io_timeout_that_was_meant_in_seconds_is_refused(void **state)
{
	assert_int_equal(settings_set(&s, "io_timeout_ms", "60", error, sizeof(error)), 0);
	assert_int_equal(settings_check(&s, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "io_timeout_ms: not less than 1000"));
	assert_int_equal(settings_set(&s, "io_timeout_ms", "1000", error, sizeof(error)), 0);
	assert_int_equal(settings_check(&s, error, sizeof(error)), 0);
	assert_int_equal(settings_set(&s, "io_timeout_ms", "0", error, sizeof(error)), 0);
	assert_int_equal(settings_check(&s, error, sizeof(error)), 0);
}

static const char *const keys[] = {
	"run_dir", "libexec_dir", "socket_group", "worker_uid_base", "worker_uid_count",
	"parser_uid_base", "parser_uid_count", "connections_max", "connections_per_uid_max",
	"volumes_max", "volumes_per_uid_max", "volume_bytes_per_uid_max",
	"memory_volume_bytes_max", "parser_pool",
	"worker_start_timeout_ms", "device_mapper_timeout_ms", "release_timeout_ms", "io_timeout_ms",
};

static void is_nth_key(size_t n, const char *key, const char *value)
{
	assert_true(n < sizeof(keys) / sizeof(keys[0]));
	assert_string_equal(key, keys[n]);
	assert_int_equal(settings_set(&s, key, value, error, sizeof(error)), 0);
}

static void are_all_keys_at_their_defaults(size_t n)
{
	struct settings defaults;

	assert_int_equal(n, sizeof(keys) / sizeof(keys[0]));
	settings_init(&defaults);
	memcpy(s.lines, defaults.lines, sizeof(s.lines));
	assert_memory_equal(&s, &defaults, sizeof(s));
}

static void the_packaged_file_names_every_key_at_its_default(void **state)
{
	FILE *file = fopen(packaged_file, "re");
	char line[256], key[64], value[128];
	size_t n = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		value[0] = '\0';
		if (sscanf(line, "#%63[a-z_] = %127s", key, value) < 1 || !strchr(line, '='))
			continue;
		is_nth_key(n++, key, value);
	}
	fclose(file);
	are_all_keys_at_their_defaults(n);
}

/* `.BR a_key " (1), " another " (2)"` */
static void the_manual_page_names_every_key_at_its_default(void **state)
{
	FILE *file = fopen(manual_page, "re");
	char line[256], key[64], value[128];
	size_t n = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		/* A word, what is in quotes, a word… */
		char *rest = line + 4, *word = strncmp(line, ".BR ", 4) == 0 ? strsep(&rest, "\"") : NULL;

		for (const char *quoted; word && (quoted = strsep(&rest, "\"")); word = strsep(&rest, "\""))
			if (sscanf(word, " %63[a-z_]", key) == 1 && sscanf(quoted, " (%127[^)])", value) == 1)
				is_nth_key(n++, key, value);
	}
	fclose(file);
	are_all_keys_at_their_defaults(n);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_defaults_are_sound, prepare),
		cmocka_unit_test_setup(a_file_sets_what_it_names, prepare),
		cmocka_unit_test_setup(a_missing_file_is_told_apart, prepare),
		cmocka_unit_test_setup(an_unknown_key_is_refused_by_line_and_name, prepare),
		cmocka_unit_test_setup(a_line_without_a_value_is_refused, prepare),
		cmocka_unit_test_setup(numbers_out_of_range_are_refused, prepare),
		cmocka_unit_test_setup(what_is_no_number_is_refused, prepare),
		cmocka_unit_test_setup(paths_must_be_absolute_and_plain, prepare),
		cmocka_unit_test_setup(a_run_dir_that_no_socket_fits_in_is_refused, prepare),
		cmocka_unit_test_setup(a_group_must_look_like_one, prepare),
		cmocka_unit_test_setup(a_line_that_is_too_long_is_refused_not_cut, prepare),
		cmocka_unit_test_setup(a_nul_byte_is_refused, prepare),
		cmocka_unit_test_setup(a_key_that_is_given_twice_is_refused_with_both_lines, prepare),
		cmocka_unit_test_setup(the_command_line_may_set_what_the_file_has_set, prepare),
		cmocka_unit_test_setup(overlapping_ranges_of_uids_are_refused_with_their_places, prepare),
		cmocka_unit_test_setup(an_io_timeout_that_is_too_short_is_refused_with_its_place, prepare),
		cmocka_unit_test_setup(the_packaged_file_names_every_key_at_its_default, prepare),
		cmocka_unit_test_setup(the_manual_page_names_every_key_at_its_default, prepare),
		cmocka_unit_test_setup(an_io_timeout_that_was_meant_in_seconds_is_refused, prepare),
	};

	if (argc != 3)
		return 2;
	packaged_file = argv[1];
	manual_page = argv[2];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
