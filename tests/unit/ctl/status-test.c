// SPDX-License-Identifier: Apache-2.0
/* What the kernel counts of a target, and how that is shown. */
#include "cmocka-all.h"
#include "ctl/target-status.h"
#include "ctl/volume-view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void a_status_line_is_read_and_later_fields_are_let_be(void **state)
{
	struct target_status s;

	assert_int_equal(target_status_parse("1 2 3 4 5 1 7 1 9 10 11", &s), 0);
	assert_int_equal(s.errors, 5);
	assert_true(s.failing);
	assert_int_equal(s.broken, 7);
	assert_true(s.deserted);
	assert_int_equal(s.timed_out, 11);
	assert_int_equal(target_status_parse("0 0 1 0 0 0 0 0 0 0 0 77", &s), 0);
	assert_int_equal(s.timed_out, 0);
	assert_null(target_status_fault(&s));
	assert_int_equal(target_status_parse("0 0 1 0 0 0 0 0 0 0", &s), -EBADMSG);
	assert_int_equal(target_status_parse("linear", &s), -EBADMSG);
	assert_int_equal(target_status_parse("", &s), -EBADMSG);
}

static void is_shown(const char *json, const char *line, const char *text)
{
	struct json_object *volume = json_tokener_parse(json);
	struct target_status status;
	char *written;
	size_t size;
	FILE *file = open_memstream(&written, &size);

	assert_int_equal(target_status_parse(line, &status), 0);
	volume_view_print_status(volume, &status, file);
	fclose(file);
	if (text[0] ? !strstr(written, text) : written[0])
		fail_msg("'%s' is not in '%s'", text, written);
	free(written);
	json_object_put(volume);
}

static void what_is_amiss_is_shown_with_its_common_cause(void **state)
{
	static const char active[] = "{\"name\":\"a\",\"state\":\"active\",\"options\":{\"path\":"
				     "\"/srv/a\\u001b\"}}";

	is_shown(active, "0 0 1 0 0 0 0 0 0 0 0", "");
	is_shown(active, "0 0 1 0 3 0 0 0 0 0 0",
		 "  I/O errors   3 requests failed since it was made; dmesg may tell why, unless "
		 "the file system of /srv/a\\x1b was full then");
	is_shown("{\"state\":\"active\",\"options\":{\"path\":\"/dev/sdb\"}}",
		 "0 0 1 0 3 0 0 0 0 0 0", "mostly /dev/sdb itself fails");
	is_shown(active, "0 0 1 0 0 0 0 0 0 0 2", "2 times, its worker did not answer in time");
	is_shown(active, "0 0 1 0 0 0 1 0 0 0 0", "the worker's channel is broken, and I/O fails");
	is_shown("{\"state\":\"degraded\"}", "0 0 1 0 0 1 0 0 0 0 0", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_status_line_is_read_and_later_fields_are_let_be),
		cmocka_unit_test(what_is_amiss_is_shown_with_its_common_cause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
