// SPDX-License-Identifier: Apache-2.0
/* Every error has its sentence, its hint and its exit code. */
#include "cmocka-all.h"
#include "ctl/explain.h"
#include "ctl/object.h"
#include "util/cleanup.h"

#include <string.h>

static struct explanation explained(const char *error, const char *parameters)
{
	struct json_object *p = json_tokener_parse(parameters);
	struct explanation e;

	explain_reply(error, p, &e);
	json_object_put(p);
	return e;
}

/* The interface is the only list of errors: each of them must be known here. */
static void every_error_of_the_interface_is_known(void **state)
{
	const char *path = getenv("DMUSER_INTERFACE");
	_cleanup_(fclosep) FILE *file = NULL;
	size_t count = 0;
	char line[512];

	assert_non_null(path);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		char name[128] = "io.dmuser.";
		struct explanation e;

		if (sscanf(line, "error %63[A-Za-z]", name + strlen(name)) != 1)
			continue;
		e = explained(name, "{}");
		if (strstr(e.sentence, "unknown here"))
			fail_msg("%s has no sentence", name);
		if (!e.hint[0])
			fail_msg("%s has no hint", name);
		count++;
	}
	assert_true(count > 10);
}

/* A {key} that the interface does not have would be shown as "unknown". */
static void sentences_use_the_parameters_by_their_names(void **state)
{
	struct explanation e;

	e = explained("io.dmuser.NoSuchVolume", "{\"name\":\"a\"}");
	assert_string_equal(e.sentence, "there is no volume 'a' that you may see");
	assert_int_equal(e.exit_code, EXIT_NO_VOLUME);
	e = explained("io.dmuser.VolumeBusy",
		      "{\"name\":\"a\",\"open_count\":2,\"holders\":[\"pid 7 (fio)\",\"mount /mnt\"]}");
	assert_string_equal(e.sentence, "volume 'a' is in use: its device is open 2 times "
					"(pid 7 (fio), mount /mnt)");
	assert_int_equal(e.exit_code, EXIT_BUSY);
	e = explained("io.dmuser.NoSuchBackend", "{\"backend\":\"x\",\"available\":[\"file\",\"memory\"]}");
	assert_string_equal(e.hint, "installed are: file, memory");
	e = explained("io.dmuser.NoSuchBackend", "{\"backend\":\"x\",\"available\":[]}");
	assert_string_equal(e.hint, "installed are: none known");
	e = explained("io.dmuser.PermissionDenied", "{\"reason\":\"not yours\"}");
	assert_int_equal(e.exit_code, EXIT_DENIED);
	e = explained("io.dmuser.TimedOut", "{\"stage\":\"worker\"}");
	assert_int_equal(e.exit_code, EXIT_TIMED_OUT);
}

static void what_the_service_says_is_escaped(void **state)
{
	struct explanation e;

	e = explained("io.dmuser.BackendFailed", "{\"reason\":\"\\u001b[2J{name}\"}");
	assert_non_null(strstr(e.sentence, "\\x1b[2J{name}"));
	e = explained("x\x1b.Y", "{\"a\":1}");
	assert_non_null(strstr(e.sentence, "x\\x1b.Y"));
	assert_int_equal(e.exit_code, EXIT_FAILED);
}

static void a_very_long_reason_is_cut(void **state)
{
	struct json_object *p = object_new();
	char reason[5000];
	struct explanation e;

	memset(reason, 'x', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = 0;
	object_set_string(p, "reason", reason);
	explain_reply("io.dmuser.BackendFailed", p, &e);
	assert_int_equal(strlen(e.sentence), sizeof(e.sentence) - 1);
	json_object_put(p);
}

static void errnos_say_what_to_do_next(void **state)
{
	struct explanation e;

	explain_call_errno(-ENOENT, "/run/x", &e);
	assert_int_equal(e.exit_code, EXIT_UNREACHABLE);
	assert_non_null(strstr(e.sentence, "/run/x"));
	assert_string_equal(e.hint, "systemctl start dmuserd");
	explain_call_errno(-EACCES, NULL, &e);
	assert_int_equal(e.exit_code, EXIT_DENIED);
	assert_non_null(strstr(e.hint, "group dmuser"));
	explain_call_errno(-ETIMEDOUT, NULL, &e);
	assert_int_equal(e.exit_code, EXIT_TIMED_OUT);
	explain_call_errno(-ECONNRESET, NULL, &e);
	assert_int_equal(e.exit_code, EXIT_UNREACHABLE);
	explain_call_errno(-ENAMETOOLONG, "/run/x\x1b", &e);
	assert_int_equal(e.exit_code, EXIT_USAGE);
	assert_non_null(strstr(e.sentence, "\\x1b"));
	explain_call_errno(-EIO, NULL, &e);
	assert_int_equal(e.exit_code, EXIT_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_error_of_the_interface_is_known),
		cmocka_unit_test(sentences_use_the_parameters_by_their_names),
		cmocka_unit_test(what_the_service_says_is_escaped),
		cmocka_unit_test(a_very_long_reason_is_cut),
		cmocka_unit_test(errnos_say_what_to_do_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
