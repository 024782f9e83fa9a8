// SPDX-License-Identifier: Apache-2.0
/* Does a Create fit a backend's manifest? */
#include "test.h"
#include "dmuserd/supervisor/backend.h"

static struct backend memory, file;
static struct parser_create create;
static struct volume_spec spec;
static struct failure failure;

static void add_option(struct parser_manifest *m, const char *name, enum manifest_kind kind,
		       bool required, int64_t min, int64_t max)
{
	strcpy(m->options[m->n_options].name, name);
	m->options[m->n_options].kind = kind;
	m->options[m->n_options].required = required;
	m->options[m->n_options].min = min;
	m->options[m->n_options].max = max;
	m->n_options++;
}

static int prepare(void **state)
{
	memory = (struct backend){ .manifest = { .type = "memory", .min_size_bytes = 4096,
						 .max_size_bytes = 1 << 30, .n_threads = 1,
						 .n_resources = 1,
						 .resources = { MANIFEST_MEMFD } } };
	add_option(&memory.manifest, "fill", MANIFEST_INTEGER, false, -5, 255);
	add_option(&memory.manifest, "huge", MANIFEST_BOOLEAN, false, 0, 1);
	add_option(&memory.manifest, "cache", MANIFEST_SIZE, false, 0, 1 << 20);
	file = (struct backend){ .manifest = { .type = "file", .min_size_bytes = 512,
					       .max_size_bytes = INT64_MAX, .n_threads = 1,
					       .n_resources = 1,
					       .resources = { MANIFEST_FILE } } };
	add_option(&file.manifest, "path", MANIFEST_STRING, true, 1, 100);
	file.manifest.options[0].opens = 1;
	add_option(&file.manifest, "label", MANIFEST_STRING, false, 2, 4);
	create = (struct parser_create){ .name = "v", .backend = "memory", .size_bytes = 8192 };
	memset(&failure, 0, sizeof(failure));
	return 0;
}

static void give(const char *name, const char *value)
{
	strcpy(create.options[create.n_options].name, name);
	strcpy(create.options[create.n_options].value, value);
	create.n_options++;
}

static void refused(const struct backend *backend, enum failure_kind kind, const char *subject)
{
	assert_int_equal(backend_validate(backend, &create, &spec, &failure), -EINVAL);
	assert_int_equal(failure.kind, kind);
	assert_string_equal(failure.subject, subject);
	assert_true(failure.reason[0]);
}

static void refused_value(const char *option, const char *value)
{
	create.n_options = 0;
	give(option, value);
	refused(&memory, FAILURE_INVALID_OPTION, option);
}

static void taken_value(const char *option, const char *value)
{
	create.n_options = 0;
	give(option, value);
	assert_int_equal(backend_validate(&memory, &create, &spec, &failure), 0);
	assert_string_equal(spec.options[0].value, value);
}

static void what_is_left_out_gets_its_default(void **state)
{
	create.keep = 1;
	assert_int_equal(backend_validate(&memory, &create, &spec, &failure), 0);
	assert_string_equal(spec.name, "v");
	assert_ptr_equal(spec.backend, &memory);
	assert_int_equal(spec.size_bytes, 8192);
	assert_int_equal(spec.block_size, 512);
	assert_false(spec.read_only);
	assert_true(spec.keep);
	assert_int_equal(spec.n_options, 0);
}

static void options_come_in_the_order_of_the_manifest(void **state)
{
	give("cache", "0");
	give("fill", "-5");
	assert_int_equal(backend_validate(&memory, &create, &spec, &failure), 0);
	assert_int_equal(spec.n_options, 2);
	assert_string_equal(spec.options[0].name, "fill");
	assert_string_equal(spec.options[0].value, "-5");
	assert_string_equal(spec.options[1].name, "cache");
}

static void an_unknown_option_is_named(void **state)
{
	give("fill", "1");
	give("colour", "red");
	refused(&memory, FAILURE_INVALID_OPTION, "colour");
}

static void an_unknown_option_is_named_before_what_is_missing(void **state)
{
	create.size_bytes = PARSER_UNSET;
	give("siez", "8192");
	refused(&memory, FAILURE_INVALID_OPTION, "siez");
	create.n_options = 0;
	give("paht", "/images/a");
	refused(&file, FAILURE_INVALID_OPTION, "paht");
}

static void a_missing_option_is_named(void **state)
{
	refused(&file, FAILURE_INVALID_OPTION, "path");
}

static void integers_have_one_spelling(void **state)
{
	static const char *const bad[] = { "",   "+1",  "01",  "-0", "- 1", " 1", "1 ", "1x", "0x1",
					   "1e2", "--1", "99999999999999999999" };

	taken_value("fill", "0");
	taken_value("fill", "255");
	taken_value("fill", "-5");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused_value("fill", bad[i]);
	refused_value("fill", "256");
	refused_value("fill", "-6");
}

static void sizes_are_plain_digits(void **state)
{
	taken_value("cache", "1048576");
	refused_value("cache", "1M");
	refused_value("cache", "-1");
	refused_value("cache", "1048577");
}

static void booleans_are_true_or_false(void **state)
{
	taken_value("huge", "true");
	taken_value("huge", "false");
	refused_value("huge", "yes");
	refused_value("huge", "TRUE");
	refused_value("huge", "1");
}

static void strings_have_a_length(void **state)
{
	give("path", "/images/a");
	give("label", "abcde");
	refused(&file, FAILURE_INVALID_OPTION, "label");
	strcpy(create.options[1].value, "a");
	refused(&file, FAILURE_INVALID_OPTION, "label");
	strcpy(create.options[1].value, "abcd");
	assert_int_equal(backend_validate(&file, &create, &spec, &failure), 0);
}

static void a_path_must_be_absolute(void **state)
{
	give("path", "images/a");
	refused(&file, FAILURE_INVALID_OPTION, "path");
}

static void a_size_must_fit_the_blocks_and_the_manifest(void **state)
{
	create.block_size = 4096;
	create.size_bytes = 8192 + 512;
	refused(&memory, FAILURE_INVALID_PARAMETER, "size_bytes");
	create.block_size = 0;
	create.size_bytes = 512;
	refused(&memory, FAILURE_INVALID_SIZE, "");
	assert_string_equal(failure.reason,
			    "the volume has 512 bytes, and the smallest that backend memory serves has 4096");
	assert_int_equal(failure.min_size_bytes, 4096);
	assert_int_equal(failure.max_size_bytes, 1 << 30);
	create.size_bytes = (1ull << 30) + 512;
	refused(&memory, FAILURE_INVALID_SIZE, "");
	assert_non_null(strstr(failure.reason, "largest that backend memory serves has 1073741824"));
	create.size_bytes = 1 << 30;
	assert_int_equal(backend_validate(&memory, &create, &spec, &failure), 0);
}

static void only_a_file_has_a_size_of_its_own(void **state)
{
	create.size_bytes = PARSER_UNSET;
	refused(&memory, FAILURE_INVALID_PARAMETER, "size_bytes");
	give("path", "/images/a");
	assert_int_equal(backend_validate(&file, &create, &spec, &failure), 0);
	assert_true(spec.size_bytes == PARSER_UNSET);
}

/* Which could be as large as the file, and nobody would have counted it. */
static void a_memory_file_beside_a_file_needs_a_size(void **state)
{
	struct parser_manifest *m = &file.manifest;

	give("path", "/images/a");
	m->resources[m->n_resources++] = MANIFEST_MEMFD;
	create.size_bytes = PARSER_UNSET;
	refused(&file, FAILURE_INVALID_PARAMETER, "size_bytes");
	create.size_bytes = 8192;
	assert_int_equal(backend_validate(&file, &create, &spec, &failure), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_is_left_out_gets_its_default, prepare),
		cmocka_unit_test_setup(options_come_in_the_order_of_the_manifest, prepare),
		cmocka_unit_test_setup(an_unknown_option_is_named, prepare),
		cmocka_unit_test_setup(an_unknown_option_is_named_before_what_is_missing, prepare),
		cmocka_unit_test_setup(a_missing_option_is_named, prepare),
		cmocka_unit_test_setup(integers_have_one_spelling, prepare),
		cmocka_unit_test_setup(sizes_are_plain_digits, prepare),
		cmocka_unit_test_setup(booleans_are_true_or_false, prepare),
		cmocka_unit_test_setup(strings_have_a_length, prepare),
		cmocka_unit_test_setup(a_path_must_be_absolute, prepare),
		cmocka_unit_test_setup(a_size_must_fit_the_blocks_and_the_manifest, prepare),
		cmocka_unit_test_setup(only_a_file_has_a_size_of_its_own, prepare),
		cmocka_unit_test_setup(a_memory_file_beside_a_file_needs_a_size, prepare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
