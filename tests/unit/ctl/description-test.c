// SPDX-License-Identifier: Apache-2.0
/* What is wrong with a parameter, by the interface's own description. */
#include "cmocka-all.h"
#include "ctl/description.h"
#include "util/cleanup.h"

#include <string.h>

static char description[65536];

static int set_up(void **state)
{
	const char *path = getenv("DMUSER_INTERFACE");
	_cleanup_(fclosep) FILE *file = path ? fopen(path, "r") : NULL;

	if (!file)
		return -1;
	description[fread(description, 1, sizeof(description) - 1, file)] = 0;
	return 0;
}

static void is_fault(const char *method, const char *parameters, const char *path,
		     enum description_fault fault, const char *text)
{
	struct json_object *sent = json_tokener_parse(parameters);
	enum description_fault found;
	char told[DESCRIPTION_TEXT_SIZE];

	assert_int_equal(description_find_fault(description, method, sent, path, &found, told), 0);
	if (found != fault || strcmp(told, text) != 0)
		fail_msg("%s of %s: %d, '%s'", path, method, found, told);
	json_object_put(sent);
}

static void missing_unknown_and_mistyped_are_told_apart(void **state)
{
	is_fault("Describe", "{}", "name", FAULT_MISSING, "string");
	is_fault("Describe", "{\"name\":null}", "name", FAULT_MISSING, "string");
	is_fault("Describe", "{\"name\":1}", "name", FAULT_TYPE, "string");
	is_fault("Describe", "{\"name\":\"/\"}", "name", FAULT_VALUE, "string");
	is_fault("Describe", "{\"name\":\"a\",\"x\":1}", "x", FAULT_UNKNOWN_PARAMETER,
		 "name (string), owner (?int), container (?string)");
	is_fault("Ping", "{\"x\":1}", "x", FAULT_UNKNOWN_PARAMETER, "");
	is_fault("Create", "{}", "size_bytes", FAULT_MISSING, "int");
	is_fault("Create", "{\"size_bytes\":\"1M\"}", "size_bytes", FAULT_TYPE, "int");
	is_fault("Create", "{\"keep\":1}", "keep", FAULT_TYPE, "bool");
	is_fault("Create", "{\"options\":[]}", "options", FAULT_TYPE, "[string]string");
	is_fault("Create", "{\"options\":{\"a\":\"\"}}", "options.a", FAULT_VALUE,
		 "[string]string");
}

static void the_members_of_a_type_are_found(void **state)
{
	is_fault("Bind", "{\"container\":{\"id\":\"c\"}}", "container.pidfd", FAULT_MISSING, "int");
	is_fault("Bind", "{\"container\":{\"id\":1,\"pidfd\":0}}", "container.id", FAULT_TYPE,
		 "string");
	is_fault("Bind", "{\"container\":{\"x\":1}}", "container.x", FAULT_UNKNOWN_PARAMETER,
		 "id (string), pidfd (int)");
	is_fault("Bind", "{\"container\":1}", "container", FAULT_TYPE, "Container");
}

/* It comes from the other side. */
static void a_description_that_cannot_be_read_tells_nothing(void **state)
{
	static const char *const texts[] = { "", "method", "method A", "method A(", "method A(b: (",
					     "method A(#", "\n\n", "method A b(c: d)" };
	enum description_fault fault;
	char told[DESCRIPTION_TEXT_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(description_find_fault(texts[i], "A", NULL, "b", &fault, told),
				 -ENOENT);
	assert_int_equal(description_find_fault(description, "Describe", NULL, "", &fault, told),
			 -ENOENT);
	assert_int_equal(description_find_fault("method A(b: (x, y), # c: d)\n e: ?int)", "A", NULL,
						"z", &fault, told),
			 0);
	assert_string_equal(told, "b ((x, y)), e (?int)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(missing_unknown_and_mistyped_are_told_apart),
		cmocka_unit_test(the_members_of_a_type_are_found),
		cmocka_unit_test(a_description_that_cannot_be_read_tells_nothing),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
