// SPDX-License-Identifier: Apache-2.0
/*
 * What clients are told is what api/io.dmuser.varlink declares: the definition is read here, and each kind
 * of reply held against it, field by field.
 */
#include "test.h"
#include "dmuserd/supervisor/backend.h"
#include "dmuserd/supervisor/reply.h"

#include <json-c/json.h>

static char definition[32768];

/* The one backend that there is. */
static struct backend memory = { .manifest = { .type = "memory" } };

const struct backend *backend_next(const struct manager *m, const struct backend *previous)
{
	return previous ? NULL : &memory;
}

const char *backend_missing(const struct backend *backend)
{
	return backend->executable[0] ? backend->executable : NULL;
}

bool backend_rejected(const struct manager *m, size_t index, const char **ret_type,
		      const char **ret_reason)
{
	*ret_type = "broken";
	*ret_reason = "field \"size\" cannot be taken";
	return index == 0;
}

static int read_definition(const char *path)
{
	FILE *file = fopen(path, "re");
	size_t n;

	if (!file)
		return -1;
	n = fread(definition, 1, sizeof(definition) - 1, file);
	fclose(file);
	return n > 0 && n < sizeof(definition) - 1 ? 0 : -1;
}

/* What stands between the brackets that open at `from`, of which there may be inner ones. */
static void inside(const char *from, char *text, size_t size)
{
	const char *open = strchr(from, '('), *at = open;
	int depth = 0;

	assert_non_null(open);
	do {
		depth += *at == '(';
		depth -= *at == ')';
		at++;
	} while (depth > 0 && *at);
	assert_int_equal(depth, 0);
	assert_true((size_t)(at - open) < size);
	memcpy(text, open + 1, (size_t)(at - open) - 2);
	text[at - open - 2] = '\0';
}

static void check_value(const char *type, json_object *value);

/* fields: "name: type, …" as the definition has it. Each must be there, and nothing else. */
static void check_object(const char *fields, json_object *object)
{
	char copy[2048], *at = copy;
	size_t n = 0;

	assert_true(json_object_is_type(object, json_type_object));
	assert_true(strlen(fields) < sizeof(copy));
	strcpy(copy, fields);
	while (*(at += strspn(at, " \n,"))) {
		char *name = at, *type;
		json_object *value = NULL;

		at += strcspn(at, ":");
		assert_int_equal(*at, ':');
		*at++ = '\0';
		type = at + strspn(at, " ");
		/* Only an enumeration has commas and brackets of its own. */
		at = type + strcspn(type, type[0] == '(' ? ")" : ",\n");
		if (*at == ')')
			at++;
		if (*at)
			*at++ = '\0';
		if (!json_object_object_get_ex(object, name, &value)) {
			if (type[0] != '?')
				fail_msg("%s is missing", name);
			continue;
		}
		n++;
		check_value(type[0] == '?' ? type + 1 : type, value);
	}
	assert_int_equal(json_object_object_length(object), n);
}

static void check_enumeration(const char *type, json_object *value)
{
	const char *word, *found;
	size_t length;

	assert_true(json_object_is_type(value, json_type_string));
	word = json_object_get_string(value);
	length = strlen(word);
	found = strstr(type, word);
	assert_non_null(found);
	assert_non_null(strchr("( ,", found[-1]));
	assert_non_null(strchr("),", found[length]));
}

/* A type that has a name of its own. */
static void check_named(const char *type, json_object *value)
{
	char line[64], fields[2048];
	const char *at;

	snprintf(line, sizeof(line), "\ntype %s (", type);
	at = strstr(definition, line);
	if (!at)
		fail_msg("no type %s", type);
	inside(at, fields, sizeof(fields));
	check_object(fields, value);
}

static void check_value(const char *type, json_object *value)
{
	if (strncmp(type, "[]", 2) == 0) {
		assert_true(json_object_is_type(value, json_type_array));
		for (size_t i = 0; i < json_object_array_length(value); i++)
			check_value(type + 2, json_object_array_get_idx(value, i));
	} else if (strncmp(type, "[string]", 8) == 0) {
		assert_true(json_object_is_type(value, json_type_object));
		json_object_object_foreach(value, key, inner)
		{
			assert_true(key[0]);
			check_value(type + 8, inner);
		}
	} else if (type[0] == '(') {
		check_enumeration(type, value);
	} else if (strcmp(type, "string") == 0) {
		assert_true(json_object_is_type(value, json_type_string));
	} else if (strcmp(type, "int") == 0) {
		assert_true(json_object_is_type(value, json_type_int));
	} else if (strcmp(type, "bool") == 0) {
		assert_true(json_object_is_type(value, json_type_boolean));
	} else {
		check_named(type, value);
	}
}

static json_object *parse(char *text)
{
	json_object *object = json_tokener_parse(text);

	if (!object)
		fail_msg("not JSON: %s", text);
	free(text);
	return object;
}

static json_object *member(json_object *object, const char *key)
{
	json_object *value = NULL;

	if (!json_object_object_get_ex(object, key, &value))
		fail_msg("no %s", key);
	return value;
}

/* `text` must be an answer of that method; gives back the message, to be put. */
static json_object *answers(const char *method, char *text)
{
	json_object *message = parse(text);
	char line[64], fields[2048];
	const char *at;

	snprintf(line, sizeof(line), "\nmethod %s(", method);
	at = strstr(definition, line);
	assert_non_null(at);
	inside(strstr(at, "->"), fields, sizeof(fields));
	check_object(fields, member(message, "parameters"));
	assert_false(json_object_object_get_ex(message, "error", NULL));
	return message;
}

static const struct volume_spec spec = {
	.name = "data",
	.owner = 1000,
	.backend = &memory,
	.size_bytes = 4096,
	.block_size = 512,
	.keep = true,
	.n_options = 1,
	.options = { { "path", "/images/\"a\"" } },
};

static struct volume_info info;

static int prepare(void **state)
{
	info = (struct volume_info){
		.name = "data",
		.uuid = "01234567-89ab-cdef-0123-456789abcdef",
		.owner = 1000,
		.state = VOLUME_ACTIVE,
		.spec = &spec,
		.size_bytes = 4096,
		.generation = 3,
	};
	return 0;
}

static void every_state_of_a_volume_is_declared(void **state)
{
	for (enum volume_state s = VOLUME_CREATED; s <= VOLUME_GONE; s++) {
		char *text = NULL;

		info.state = s;
		assert_int_equal(reply_volume(&info, &text), 0);
		assert_int_equal(s == VOLUME_GONE, strstr(text, "\"state\":\"gone\"") != NULL);
		json_object_put(answers("Describe", text));
	}
}

static void what_a_volume_has_not_is_left_out(void **state)
{
	json_object *message, *volume;
	char *text = NULL;

	assert_int_equal(reply_created(&info, true, &text), 0);
	message = answers("Create", text);
	volume = member(member(message, "parameters"), "volume");
	assert_int_equal(json_object_object_length(volume), 12);
	json_object_put(message);

	info.device = "/dev/dm-3";
	info.container = "c1";
	info.error = "the worker ended: signal 31";
	info.worker_pid = 4711;
	info.worker_uid = 1900000001;
	info.container_pid = 12;
	assert_int_equal(reply_created(&info, false, &text), 0);
	message = answers("Create", text);
	volume = member(member(message, "parameters"), "volume");
	assert_int_equal(json_object_object_length(volume), 18);
	assert_int_equal(json_object_get_int64(member(volume, "worker_uid")), 1900000001);
	json_object_put(message);
}

static void a_backend_tells_its_options_and_what_it_lacks(void **state)
{
	struct parser_manifest *m = &memory.manifest;
	json_object *message, *backend, *option;
	const struct backend before = memory;
	struct manager manager = {};
	char *text = NULL;

	m->n_resources = 1;
	m->resources[0] = MANIFEST_FILE;
	m->n_options = 2;
	m->options[0] = (__typeof__(m->options[0])){ .name = "path", .summary = "where",
						     .kind = MANIFEST_STRING, .required = 1,
						     .min = 2, .max = 4095, .opens = 1 };
	m->options[1] = (__typeof__(m->options[1])){ .name = "huge", .kind = MANIFEST_BOOLEAN };
	strcpy(memory.executable, "/none");
	assert_int_equal(reply_backends(&manager, &text), 0);
	message = answers("ListBackends", text);
	backend = json_object_array_get_idx(member(member(message, "parameters"), "backends"), 0);
	assert_string_equal(json_object_get_string(member(backend, "missing")), "/none");
	option = json_object_array_get_idx(member(backend, "options"), 0);
	assert_int_equal(json_object_get_int64(member(option, "max")), 4095);
	assert_string_equal(json_object_get_string(member(option, "opens")), "file");
	option = json_object_array_get_idx(member(backend, "options"), 1);
	assert_false(json_object_object_get_ex(option, "max", NULL));
	json_object_put(message);
	memory = before;
	assert_int_equal(reply_backends(&manager, &text), 0);
	assert_null(strstr(text, "missing"));
	assert_non_null(strstr(text, "\"rejected\":[{\"type\":\"broken\",\"reason\":\"field "));
	free(text);
}

static void strings_are_escaped(void **state)
{
	char *text = NULL;

	assert_int_equal(reply_volume(&info, &text), 0);
	assert_non_null(strstr(text, "\"path\":\"/images/\\\"a\\\"\""));
	free(text);
}

static void text_from_outside_is_made_harmless(void **state)
{
	struct failure failure;
	const struct reply_subject subject = {};
	char *text = NULL;

	failure_set(&failure, FAILURE_BACKEND_FAILED, NULL, "a\xff" "b\033[2Jc\xc3\xa4");
	assert_int_equal(reply_failure(&failure, &subject, &text), 0);
	assert_non_null(strstr(text, "a?b?[2Jc\xc3\xa4"));
	free(text);
}

static void every_failure_is_a_declared_error(void **state)
{
	const struct release_result result = { .open_count = 2, .holders = { 1, "pid 4711 (fio)" } };
	const struct reply_subject subject = { .volume = "data", .result = &result };

	for (enum failure_kind kind = FAILURE_NO_SUCH_VOLUME; kind <= FAILURE_TIMED_OUT; kind++) {
		struct failure failure;
		char line[96], fields[512], *text = NULL;
		json_object *message;
		const char *name, *at;

		assert_true(failure_set(&failure, kind, "subject", "reason %d", 1) < 0);
		failure.limit = 7;
		assert_int_equal(reply_failure(&failure, &subject, &text), 0);
		message = parse(text);
		name = json_object_get_string(member(message, "error"));
		if (kind == FAILURE_INVALID_PARAMETER) {
			assert_string_equal(name, "org.varlink.service.InvalidParameter");
			check_object("parameter: string", member(message, "parameters"));
		} else {
			assert_ptr_equal(strstr(name, "io.dmuser."), name);
			snprintf(line, sizeof(line), "\nerror %s(", strrchr(name, '.') + 1);
			at = strstr(definition, line);
			if (!at)
				fail_msg("%s is not declared", name);
			inside(at, fields, sizeof(fields));
			check_object(fields, member(message, "parameters"));
		}
		json_object_put(message);
	}
}

static void every_declared_error_has_a_failure(void **state)
{
	static const char prefix[] = "\nerror ";
	size_t n = 0;

	for (const char *at = definition; (at = strstr(at, prefix)); at++)
		n++;
	/* All kinds but NONE and INVALID_PARAMETER, which is the service's own. */
	assert_int_equal(n, FAILURE_TIMED_OUT - 1);
}

static void a_limit_and_holders_are_told(void **state)
{
	const struct release_result result = { .open_count = 2, .holders = { 1, "mount /mnt" } };
	struct reply_subject subject = { .volume = "data", .result = &result };
	struct failure failure;
	char *text = NULL;

	failure_set(&failure, FAILURE_QUOTA_EXCEEDED, "volumes", "at most 64");
	failure.limit = 64;
	assert_int_equal(reply_failure(&failure, &subject, &text), 0);
	assert_string_equal(text, "{\"error\":\"io.dmuser.QuotaExceeded\",\"parameters\":"
				  "{\"resource\":\"volumes\",\"limit\":64}}");
	free(text);
	failure.setting = "volumes_per_uid_max";
	assert_int_equal(reply_failure(&failure, &subject, &text), 0);
	assert_non_null(strstr(text, "\"limit\":64,\"setting\":\"volumes_per_uid_max\"}"));
	free(text);
	failure_set(&failure, FAILURE_VOLUME_BUSY, NULL, "open");
	assert_int_equal(reply_failure(&failure, &subject, &text), 0);
	assert_non_null(strstr(text, "\"open_count\":2,\"holders\":[\"mount /mnt\"]"));
	free(text);
	failure_set(&failure, FAILURE_NO_SUCH_BACKEND, "nbd", "none");
	assert_int_equal(reply_failure(&failure, &subject, &text), 0);
	assert_non_null(strstr(text, "\"backend\":\"nbd\",\"available\":[\"memory\"]"));
	free(text);
}

static void what_is_known_of_a_missing_volume_is_told(void **state)
{
	static const char *const containers[] = { "c1", "c\n2" };
	struct reply_subject subject = { .volume = "data" };
	struct failure failure;
	char *text = NULL;

	failure_set(&failure, FAILURE_NO_SUCH_VOLUME, NULL, "none");
	assert_int_equal(reply_failure(&failure, &subject, &text), 0);
	assert_string_equal(text, "{\"error\":\"io.dmuser.NoSuchVolume\",\"parameters\":"
				  "{\"name\":\"data\"}}");
	free(text);
	subject.last_failure = "3 s ago: no\033 mkfs";
	assert_int_equal(reply_failure(&failure, &subject, &text), 0);
	assert_non_null(strstr(text, "\"last_failure\":\"3 s ago: no? mkfs\""));
	free(text);
	failure_set(&failure, FAILURE_AMBIGUOUS_NAME, NULL, "two");
	subject.containers = containers;
	subject.n_containers = 2;
	assert_int_equal(reply_failure(&failure, &subject, &text), 0);
	assert_non_null(strstr(text, "\"containers\":[\"c1\",\"c?2\"]"));
	free(text);
}

static void every_stage_of_a_release_is_declared(void **state)
{
	for (enum release_stage stage = RELEASE_GONE; stage <= RELEASE_DEVICE_BUSY; stage++) {
		const struct release_result result = { .stage = stage, .holders = { 1, "pid 1 (x)" } };
		const struct reply_released released[] = { { "a", 0, &result },
							   { "b", 1000, &result } };
		char *text = NULL;

		assert_int_equal(reply_released(released, 2, &text), 0);
		json_object_put(answers("Release", text));
		assert_int_equal(reply_released(released, 0, &text), 0);
		json_object_put(answers("Release", text));
	}
}

static void lists_and_events_are_declared(void **state)
{
	for (enum reply_event event = REPLY_LIST; event <= REPLY_GONE; event++) {
		struct reply_list *list = NULL;
		json_object *message;
		char *text = NULL;

		assert_int_equal(reply_list_new(&list), 0);
		assert_int_equal(reply_list_add(list, &info), 0);
		assert_int_equal(reply_list_add(list, &info), 0);
		assert_int_equal(reply_list_text(list, event, &text), 0);
		message = answers(event == REPLY_LIST ? "List" : "Subscribe", text);
		assert_int_equal(json_object_object_get_ex(message, "continues", NULL),
				 event != REPLY_LIST);
		json_object_put(message);
		reply_list_free(list);
	}
}

static void ping_tells_the_driver_if_there_is_one(void **state)
{
	char *text = NULL;

	assert_int_equal(reply_ping(NULL, 3, &text), 0);
	assert_null(strstr(text, "driver"));
	json_object_put(answers("Ping", text));
	assert_int_equal(reply_ping("1.1.0", 3, &text), 0);
	assert_non_null(strstr(text, "\"driver\":\"1.1.0\""));
	json_object_put(answers("Ping", text));
}

static void refusals_are_the_services_own_errors(void **state)
{
	static const struct {
		enum parser_refusal refusal;
		const char *text;
	} cases[] = {
		{ PARSER_REFUSED_INVALID_PARAMETER,
		  "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":"
		  "{\"parameter\":\"x\"}}" },
		{ PARSER_REFUSED_METHOD_NOT_FOUND,
		  "{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":"
		  "{\"method\":\"x\"}}" },
		{ PARSER_REFUSED_INTERFACE_NOT_FOUND,
		  "{\"error\":\"org.varlink.service.InterfaceNotFound\",\"parameters\":"
		  "{\"interface\":\"x\"}}" },
		{ PARSER_REFUSED_EXPECTED_MORE,
		  "{\"error\":\"org.varlink.service.ExpectedMore\",\"parameters\":{}}" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = NULL;

		assert_int_equal(reply_refusal(cases[i].refusal, "x", &text), 0);
		assert_string_equal(text, cases[i].text);
		free(text);
	}
}

static void the_service_tells_of_itself(void **state)
{
	json_object *message;
	char *text = NULL;

	assert_int_equal(reply_get_info(&text), 0);
	message = parse(text);
	check_object("vendor: string, product: string, version: string, url: string,"
		     " interfaces: []string",
		     member(message, "parameters"));
	assert_int_equal(json_object_array_length(member(member(message, "parameters"),
							 "interfaces")),
			 2);
	json_object_put(message);
	assert_int_equal(reply_interface_description("interface a\n", &text), 0);
	assert_string_equal(text, "{\"parameters\":{\"description\":\"interface a\\n\"}}");
	free(text);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_state_of_a_volume_is_declared, prepare),
		cmocka_unit_test_setup(what_a_volume_has_not_is_left_out, prepare),
		cmocka_unit_test_setup(a_backend_tells_its_options_and_what_it_lacks, prepare),
		cmocka_unit_test_setup(strings_are_escaped, prepare),
		cmocka_unit_test(text_from_outside_is_made_harmless),
		cmocka_unit_test(every_failure_is_a_declared_error),
		cmocka_unit_test(every_declared_error_has_a_failure),
		cmocka_unit_test(a_limit_and_holders_are_told),
		cmocka_unit_test(what_is_known_of_a_missing_volume_is_told),
		cmocka_unit_test(every_stage_of_a_release_is_declared),
		cmocka_unit_test_setup(lists_and_events_are_declared, prepare),
		cmocka_unit_test(ping_tells_the_driver_if_there_is_one),
		cmocka_unit_test(refusals_are_the_services_own_errors),
		cmocka_unit_test(the_service_tells_of_itself),
	};

	if (argc != 2 || read_definition(argv[1]) < 0)
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
