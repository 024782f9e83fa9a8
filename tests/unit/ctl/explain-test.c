// SPDX-License-Identifier: Apache-2.0
/* Every error has its sentence, its hint and its exit code. */
#include "cmocka-all.h"
#include "ctl/inquiry.h"
#include "ctl/object.h"
#include "explained.h"
#include "made-root.h"
#include "util/cleanup.h"
#include "util/name.h"

#include <string.h>

static struct explanation explained(const char *error, const char *parameters)
{
	return explained_to(false, NULL, error, parameters);
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
		      "{\"name\":\"a\",\"open_count\":2,\"holders\":[\"pid 7 (fio)\",\"mount "
		      "/mnt\"]}");
	assert_string_equal(e.sentence, "volume 'a' is in use: its device is open 2 times "
					"(pid 7 (fio), mount /mnt)");
	assert_int_equal(e.exit_code, EXIT_BUSY);
	assert_string_equal(e.hint, "end pid 7 (fio); umount /mnt; or dmuserctl release a --force, "
				    "which fails its I/O");
	e = explained("io.dmuser.VolumeBusy", "{\"name\":\"a\",\"open_count\":2,\"holders\":[]}");
	assert_non_null(strstr(e.hint, "unmount it"));
	e = explained("io.dmuser.NoSuchBackend",
		      "{\"backend\":\"x\",\"available\":[\"file\",\"memory\"]}");
	assert_string_equal(e.hint, "installed are: file, memory; if it should be, "
			    "'dmuserctl backends x' says what is wrong");
	e = explained("io.dmuser.NoSuchBackend", "{\"backend\":\"x\",\"available\":[]}");
	assert_string_equal(e.hint, "installed are: none; if it should be, "
			    "'dmuserctl backends x' says what is wrong");
	e = explained("io.dmuser.QuotaExceeded",
		      "{\"resource\":\"volumes\",\"limit\":64,\"setting\":\"volumes_max\"}");
	assert_string_equal(e.sentence, "a limit is reached: no more than 64 volumes");
	assert_non_null(strstr(e.hint, "raise volumes_max in"));
	e = explained("io.dmuser.QuotaExceeded",
		      "{\"resource\":\"memory_volume_bytes\",\"limit\":1000,"
		      "\"setting\":\"memory_volume_bytes_max\"}");
	assert_non_null(strstr(e.sentence, "has 1000 bytes at most"));
	assert_string_equal(e.hint, "raise memory_volume_bytes_max in /etc/dmuser/dmuserd.conf");
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
	struct explanation e;
	char reason[sizeof(e.sentence) + 1000];

	memset(reason, 'x', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = 0;
	object_set_string(p, "reason", reason);
	explain_reply("io.dmuser.BackendFailed", p, &e);
	assert_int_equal(strlen(e.sentence), sizeof(e.sentence) - 1);
	json_object_put(p);
}

#define MEMORY(members) "{\"name\":\"a\",\"backend\":\"memory\"" members "}"
#define SIZE_ERROR "org.varlink.service.InvalidParameter", "{\"parameter\":\"size_bytes\"}"

static void what_is_wrong_with_a_size_is_said_of_the_option(void **state)
{
	struct explanation e;

	e = explained_to(true, MEMORY(""), SIZE_ERROR);
	assert_string_equal(e.sentence, "memory needs --size: how large the volume is to be");
	assert_int_equal(e.exit_code, EXIT_FAILED);
	e = explained_to(true, MEMORY(",\"size_bytes\":2199023255552"), SIZE_ERROR);
	assert_non_null(strstr(e.sentence, "memory cannot have --size 2T:"));
	assert_non_null(strstr(e.hint, "'dmuserctl backends memory'"));
	e = explained_to(true, MEMORY(",\"size_bytes\":512"), "io.dmuser.InvalidSize",
			 "{\"reason\":\"too small\",\"min\":4096,\"max\":1099511627776}");
	assert_string_equal(e.sentence, "that size cannot be had: too small");
	assert_string_equal(e.hint, "sizes from 4K to 1T can be, in multiples of the block size "
				    "(512 bytes); nearest to 512: 4K");
	/*
	 * One that the backend serves, and this machine has not; and one that was found, not given.
	 */
	e = explained_to(true, MEMORY(",\"size_bytes\":8192"), "io.dmuser.InvalidSize",
			 "{\"reason\":\"no memory\",\"min\":4096,\"max\":1099511627776}");
	assert_null(strstr(e.hint, "nearest"));
	e = explained_to(true, FILE_BACKED(",\"options\":{\"path\":\"/x\"}"),
			 "io.dmuser.InvalidSize",
			 "{\"reason\":\"/x has 512 bytes, and the smallest that backend file "
			 "serves has 4096\",\"min\":4096,\"max\":1099511627776}");
	assert_non_null(strstr(e.hint, "truncate -s 4K"));
	e = explained_to(true, FILE_BACKED(",\"options\":{\"path\":\"/x\"}"),
			 "io.dmuser.InvalidSize",
			 "{\"reason\":\"/smallest has 9 bytes, and the largest that backend file "
			 "serves has 8\",\"min\":4096,\"max\":1099511627776}");
	assert_non_null(strstr(e.hint, "--size SIZE serves the beginning"));
	e = explained_to(true, FILE_BACKED(",\"options\":{\"path\":\"/x\"}"),
			 "io.dmuser.InvalidSize",
			 "{\"reason\":\"something new\",\"min\":4096,\"max\":1099511627776}");
	assert_string_equal(e.hint, "sizes from 4K to 1T can be; 'dmuserctl backends' lists what "
				    "each backend takes");
}

static void a_missing_spawner_is_the_service_s_failure(void **state)
{
	struct circumstances c = { .has_unit = true };
	struct json_object *p = object_new();
	struct explanation e;

	object_set_string(p, "reason",
			  "spawn: there is no spawner: start dmuser-spawner, or restart dmuserd");
	explain_reply_in(&c, "io.dmuser.BackendFailed", p, &e);
	assert_null(strstr(e.sentence, "the volume's process"));
	assert_non_null(strstr(e.hint, "systemctl restart dmuser-workers dmuserd"));
	c.has_unit = false;
	explain_reply_in(&c, "io.dmuser.BackendFailed", p, &e);
	assert_null(strstr(e.hint, "systemctl"));
	object_set_string(p, "reason", "seal: the worker was killed");
	explain_reply_in(&c, "io.dmuser.BackendFailed", p, &e);
	assert_non_null(strstr(e.sentence, "the volume's process failed: seal"));
	json_object_put(p);
}

static void a_backend_that_was_meant_is_named(void **state)
{
	static const char available[] =
		"{\"backend\":\"memroy\",\"available\":[\"file\",\"memory\"]}";
	struct explanation e = explained_to(true, "{\"name\":\"a\",\"backend\":\"memroy\"}",
					    "io.dmuser.NoSuchBackend", available);

	assert_string_equal(e.sentence, "no backend 'memroy' is installed");
	assert_string_equal(e.hint, "did you mean 'memory'? Installed are: file, memory");
	assert_string_equal(explained("io.dmuser.NoSuchBackend", available).hint, e.hint);
	/* What nothing is like, and of which dmuserd was not asked. */
	e = explained_to(true, "{\"name\":\"a\",\"backend\":\"../x\"}",
			 "org.varlink.service.InvalidParameter", "{\"parameter\":\"backend\"}");
	assert_string_equal(e.sentence, "no backend can be called '../x': a name is a small "
					"letter, then small letters, digits and '-', 32 at the "
					"most");
	assert_string_equal(e.hint, "'dmuserctl backends' lists those that are installed");
	/* It says too what is wrong with these. */
	e = explained_to(true, "{\"name\":\"a\",\"backend\":\"9p\"}",
			 "org.varlink.service.InvalidParameter", "{\"parameter\":\"backend\"}");
	assert_non_null(strstr(e.sentence, "'9p': a name is a small letter, then "));
	assert_int_equal(NAME_BACKEND_MAX, 32);
}

#define REFUSED_TO(words) "{\"reason\":\"seal: prepare: Invalid argument: " words "\"}"

static void what_a_worker_does_not_serve_is_no_failure_of_the_machine(void **state)
{
	struct explanation e;

	e = explained_to(true, MEMORY(""), "io.dmuser.BackendFailed",
			 REFUSED_TO("start: must be even: 7"));
	assert_string_equal(e.sentence, "backend memory does not serve that: start: must be even: "
					"7");
	assert_string_equal(e.hint, "'dmuserctl backends memory' tells what it takes");
	assert_int_equal(e.exit_code, EXIT_FAILED);
	/* Of what was not made of options no backend is known, and other steps are no refusals. */
	e = explained("io.dmuser.BackendFailed", REFUSED_TO("start: must be even"));
	assert_non_null(strstr(e.sentence, "the volume's process failed: seal: prepare: Invalid "
					   "argument: start"));
	e = explained_to(true, MEMORY(""), "io.dmuser.BackendFailed",
			 "{\"reason\":\"seal: prepare: No\"}");
	assert_string_equal(e.sentence, "the volume's process failed: seal: prepare: No");
}

#define DIRECT_TO(number)                                                                        \
	REFUSED_TO("direct: blocks of " number " bytes cannot be read: Invalid argument")

static void direct_io_on_a_disk_of_large_blocks_is_told_the_block_size(void **state)
{
	struct explanation e;

	e = explained_to(true, FILE_BACKED(""), "io.dmuser.BackendFailed", DIRECT_TO("512"));
	assert_string_equal(e.sentence, "backend file does not serve that: direct: blocks of 512 "
					"bytes cannot be read: Invalid argument");
	assert_string_equal(e.hint, "what lies below has larger blocks than 512 bytes: "
				    "--block-size 4096; or leave out -o direct=true");
	e = explained_to(true, FILE_BACKED(",\"block_size\":4096"), "io.dmuser.BackendFailed",
			 DIRECT_TO("4096"));
	assert_null(strstr(e.hint, "block"));
	assert_non_null(strstr(e.hint, "leave out -o direct=true"));
	e = explained_to(true, FILE_BACKED(""), "io.dmuser.BackendFailed",
			 REFUSED_TO("direct: the file system cannot do that"));
	assert_null(strstr(e.hint, "block"));
}

/* A hook's caller wrote an annotation. */
static void an_annotation_is_answered_in_its_own_words(void **state)
{
	struct circumstances c = { .words = WORDS_OF_ANNOTATION };
	struct json_object *p = json_tokener_parse("{\"parameter\":\"size_bytes\","
						   "\"option\":\"path\",\"reason\":\"P does not "
						   "exist, and a read-only volume needs its "
						   "content\"}");
	struct explanation e;

	c.request = json_tokener_parse(FILE_BACKED(",\"options\":{\"path\":\"/x\"}"));
	explain_reply_in(&c, "org.varlink.service.InvalidParameter", p, &e);
	assert_string_equal(e.sentence, "file needs size=: how large the volume is to be");
	assert_null(strstr(e.hint, "--size"));
	explain_reply_in(&c, "io.dmuser.InvalidOption", p, &e);
	assert_string_equal(e.sentence, "path=/x cannot be taken: P does not exist, and a "
					"read-only volume needs its content");
	assert_string_equal(e.hint, "make and fill it first, or leave out read_only=true");
	json_object_put(c.request);
	json_object_put(p);
}

static void a_remembered_failure_has_no_name_of_the_wire(void **state)
{
	static const char error[] = "io.dmuser.NoSuchVolume", a[] = "{\"name\":\"a\"}";
	struct explanation e;

	e = explained_to(true, a, error, "{\"name\":\"a\",\"last_failure\":\"3 s ago: size_bytes: "
					 "backend memory has no size of its own\"}");
	assert_non_null(strstr(e.sentence, "3 s ago: --size: backend memory has no size of its "
					   "own"));
	assert_string_equal(e.hint, "mend that, and create it again");
	e = explained_to(true, a, error, "{\"name\":\"a\",\"last_failure\":\"3 s ago, for "
					 "container c: size_bytes: must be a multiple of 512\"}");
	assert_non_null(strstr(e.sentence, "for container c: size: must be"));
	e = explained_to(true, a, error, "{\"name\":\"a\",\"last_failure\":\"3 s ago: path: "
					 "/size_bytes: no\"}");
	assert_non_null(strstr(e.sentence, "3 s ago: path: /size_bytes: no"));
}

static struct explanation mismatch(const char *request, const char *existing, const char *field)
{
	struct inquiry found = { .volume = json_tokener_parse(existing) };
	struct circumstances c = { .words = WORDS_OF_COMMAND_LINE, .found = &found,
				   .request = json_tokener_parse(request) };
	struct json_object *p = object_new();
	struct explanation e;

	object_set_string(p, "name", "a");
	object_set_string(p, "field", field);
	explain_reply_in(&c, "io.dmuser.SpecificationMismatch", p, &e);
	json_object_put(c.request);
	json_object_put(p);
	inquiry_done(&found);
	return e;
}

static void a_backend_that_is_not_complete_had_no_process_that_failed(void **state)
{
	static const char reason[] = "backend memory is not complete: /x: No such file or "
				     "directory; install it again, or remove its manifest, "
				     "memory.json";
	struct explanation e;
	char parameters[256];

	snprintf(parameters, sizeof(parameters), "{\"reason\":\"%s\"}", reason);
	e = explained_to(true, MEMORY(""), "io.dmuser.BackendFailed", parameters);
	assert_string_equal(e.sentence, reason);
	assert_non_null(strstr(e.hint, "doctor"));
}

/* What others write behind dmuserd's words, in which dmuserd's words of other troubles stand. */
static void what_a_worker_writes_is_taken_for_nothing_else(void **state)
{
	static const char *const words[] = {
		"the image is not complete: 3 of 4 parts",
		"backend memory is not complete: 3 of 4 parts",
		"prepare: first: start dmuser-spawner",
		"there is no spawner: start dmuser-spawner, or restart dmuserd, which does",
	};
	char parameters[256], sentence[256];
	struct explanation e;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		snprintf(parameters, sizeof(parameters), REFUSED_TO("%s"), words[i]);
		snprintf(sentence, sizeof(sentence), "backend memory does not serve that: %s",
			 words[i]);
		e = explained_to(true, MEMORY(""), "io.dmuser.BackendFailed", parameters);
		assert_string_equal(e.sentence, sentence);
		assert_string_equal(e.hint, "'dmuserctl backends memory' tells what it takes");
		/* Of another step, it is the process that failed. */
		snprintf(parameters, sizeof(parameters), "{\"reason\":\"seal: setup: "
							 "%s\"}", words[i]);
		snprintf(sentence, sizeof(sentence), "the volume's process failed: seal: setup: %s",
			 words[i]);
		e = explained_to(true, MEMORY(""), "io.dmuser.BackendFailed", parameters);
		assert_string_equal(e.sentence, sentence);
	}
}

static void what_differs_is_told_as_asked_for_and_as_it_is(void **state)
{
	assert_string_equal(mismatch(MEMORY(",\"size_bytes\":2097152"),
				     MEMORY(",\"size_bytes\":1048576"), "size_bytes")
				    .sentence,
			    "a volume 'a' exists already, with another --size: it has 1M, and 2M "
			    "was asked for");
	assert_string_equal(mismatch(FILE_BACKED(",\"options\":{\"start\":\"4K\",\"path\":\"/y\"}"),
				     FILE_BACKED(",\"options\":{\"path\":\"/x\","
						 "\"start\":\"4096\"}"),
				     "options").sentence,
			    "a volume 'a' exists already, with another -o path: it has /x, and /y "
			    "was asked for");
	assert_string_equal(mismatch(FILE_BACKED(""), FILE_BACKED(",\"options\":{\"path\":\"/x\"}"),
				     "options")
				    .sentence,
			    "a volume 'a' exists already, with another -o path: it has /x, and "
			    "none was asked for");
	assert_string_equal(mismatch(MEMORY(""), FILE_BACKED(""), "backend").sentence,
			    "a volume 'a' exists already, with another --backend: it has file, and "
			    "memory was asked for");
	assert_string_equal(mismatch(MEMORY(""), MEMORY(",\"read_only\":true"), "read_only")
				    .sentence,
			    "a volume 'a' exists already, with another --read-only: it is "
			    "read-only");
}

static void whether_it_is_kept_is_told_as_it_is(void **state)
{
	static const char kept[] = MEMORY(",\"keep\":true");

	assert_string_equal(mismatch(MEMORY(""), kept, "keep").sentence,
			    "a volume 'a' exists already, with another --lease: it stays until "
			    "it is released, and a lease was asked for");
	assert_string_equal(mismatch(kept, MEMORY(",\"keep\":false"), "keep").sentence,
			    "a volume 'a' exists already, with another --lease: it is on lease, "
			    "and none was asked for");
	assert_string_equal(mismatch(kept, MEMORY(",\"container\":\"c1\""), "keep").sentence,
			    "a volume 'a' exists already, with another --lease: it ends with "
			    "container c1");
	assert_string_equal(mismatch(MEMORY(""), MEMORY(",\"keep\":true,\"container\":\"c1\""),
				     "keep").sentence,
			    "a volume 'a' exists already, with another --lease: it ends with "
			    "container c1");
}

static void another_owner_s_volume_is_pointed_at(void **state)
{
	struct inquiry found = { .others = json_tokener_parse(
		"[{\"name\":\"a\",\"owner\":4294967294},{\"name\":\"a\",\"owner\":4294967293}]") };
	struct circumstances c = { .is_root = true,
				   .words = WORDS_OF_COMMAND_LINE,
				   .command = "release",
				   .found = &found,
				   .request = json_tokener_parse("{\"name\":\"a\"}") };
	struct explanation e;

	explain_reply_in(&c, "io.dmuser.NoSuchVolume", c.request, &e);
	assert_string_equal(e.sentence, "root has no volume 'a'; it is one of 4294967294 (uid "
					"4294967294), 4294967293 (uid 4294967293)");
	assert_string_equal(e.hint, "dmuserctl release a --owner 4294967294");
	assert_int_equal(e.exit_code, EXIT_NO_VOLUME);

	/* Also where one of root's own did not come to be. */
	json_object_object_add(c.request, "last_failure",
			       json_object_new_string("4 min ago: worker: no"));
	explain_reply_in(&c, "io.dmuser.NoSuchVolume", c.request, &e);
	assert_string_equal(e.hint, "dmuserctl release a --owner 4294967294");
	json_object_put(c.request);
	inquiry_done(&found);
}

static void a_container_is_to_end_before_its_volume_is_taken(void **state)
{
	struct inquiry found = { .volume = json_tokener_parse("{\"container\":\"c1\","
							      "\"device\":\"/dev/dm-3\"}") };
	struct circumstances c = { .words = WORDS_OF_COMMAND_LINE, .found = &found };
	struct json_object *p = json_tokener_parse("{\"name\":\"a\",\"open_count\":1,"
						   "\"holders\":[\"mount /mnt\"]}");
	struct explanation e;

	explain_reply_in(&c, "io.dmuser.VolumeBusy", p, &e);
	assert_non_null(strstr(e.hint, "end container c1, and it is released; or umount /mnt; or "
				       "dmuserctl"));
	json_object_put(p);
	p = json_tokener_parse("{\"name\":\"a\",\"open_count\":1,\"holders\":[]}");
	explain_reply_in(&c, "io.dmuser.VolumeBusy", p, &e);
	assert_non_null(strstr(e.sentence, "by whom cannot be seen"));
	assert_non_null(strstr(e.hint, "fuser -v /dev/dm-3"));
	json_object_put(p);
	inquiry_done(&found);
}

/* A volume is asked for by options, `call` by the names that the interface has. */
static void no_name_of_the_wire_answers_an_option(void **state)
{
	static const struct {
		const char *parameter, *option;
	} cases[] = {
		{ "size_bytes", "--size" },       { "block_size", "--block-size" },
		{ "options", "-o KEY=VALUE" },    { "options.path", "-o path" },
		{ "read_only", "--read-only" },   { "container.pidfd", "--pid" },
		{ "container.id", "--container" }, { "timeout_ms", "--timeout-ms" },
		{ "owner", "--owner" },           { "name", "NAME" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char parameters[128], sentence[128];

		snprintf(parameters, sizeof(parameters), "{\"name\":\"a\",\"parameter\":\"%s\","
			 "\"field\":\"%s\"}", cases[i].parameter, cases[i].parameter);
		snprintf(sentence, sizeof(sentence), "dmuserd does not take the value of %s",
			 cases[i].option);
		assert_string_equal(explained_to(true, "{\"name\":\"a\"}",
						 "org.varlink.service.InvalidParameter",
						 parameters).sentence, sentence);
		snprintf(sentence, sizeof(sentence), "a volume 'a' exists already, with another %s",
			 cases[i].option);
		assert_string_equal(explained_to(true, MEMORY(""),
						 "io.dmuser.SpecificationMismatch", parameters)
					    .sentence,
				    sentence);
		snprintf(sentence, sizeof(sentence),
			 "dmuserd does not take the value of parameter '%s'", cases[i].parameter);
		assert_string_equal(explained("org.varlink.service.InvalidParameter", parameters)
					    .sentence,
				    sentence);
	}
}

static void an_option_of_the_backend_is_shown_as_it_is_given(void **state)
{
	static const char error[] = "io.dmuser.InvalidOption";
	struct explanation e;

	e = explained_to(true, FILE_BACKED(""), error, "{\"option\":\"path\",\"reason\":\"r\"}");
	assert_string_equal(e.sentence, "file needs -o path=FILE");
	e = explained_to(true, FILE_BACKED(""), error, "{\"option\":\"depth\",\"reason\":\"r\"}");
	assert_string_equal(e.sentence, "file needs -o depth=VALUE");
	e = explained_to(true, FILE_BACKED(",\"options\":{\"path\":\"x\\u001b\"}"), error,
			 "{\"option\":\"path\",\"reason\":\"must be an absolute path\"}");
	assert_string_equal(e.sentence,
			    "-o path=x\\x1b cannot be taken: must be an absolute path");
	e = explained_to(true, FILE_BACKED(",\"options\":{\"path\":\"/x\"}"), error,
			 "{\"option\":\"path\",\"reason\":\"cannot open /x: No such file or "
			 "directory\"}");
	assert_non_null(strstr(e.hint, "--size"));
	e = explained(error, "{\"option\":\"path\",\"reason\":\"r\"}");
	assert_string_equal(e.sentence, "the backend does not take option 'path': r");
}

static void a_volume_that_is_not_there_is_explained_to_who_asks(void **state)
{
	static const char error[] = "io.dmuser.NoSuchVolume", a[] = "{\"name\":\"a\"}";
	struct explanation e;

	e = explained_to(true, a, error, a);
	assert_string_equal(e.sentence, "there is no volume 'a'");
	assert_int_equal(e.exit_code, EXIT_NO_VOLUME);
	assert_string_equal(explained_to(false, a, error, a).sentence,
			    "there is no volume 'a' that you may see");
	assert_string_equal(explained_to(false, "{\"name\":\"a\","
						"\"container\":\"c\"}", error, a).sentence,
			    "there is no volume 'a' of container 'c'");
	assert_string_equal(explained_to(true, "{\"container\":\"c\"}", error, "{\"name\":\"\"}")
				    .sentence,
			    "container 'c' has no volumes");
	e = explained_to(true, a, error, "{\"name\":\"a\",\"last_failure\":\"mkfs: no\\u001b\"}");
	assert_string_equal(e.sentence,
			    "no volume 'a'; the last attempt to create it failed: mkfs: no\\x1b");
	assert_int_equal(e.exit_code, EXIT_NO_VOLUME);
	assert_string_equal(explained_to(true, a, error, "{\"name\":\"a\","
							 "\"last_failure\":null}").sentence,
			    "there is no volume 'a'");
}

static void an_ambiguous_name_tells_what_there_is_to_choose_from(void **state)
{
	struct explanation e = explained("io.dmuser.AmbiguousName",
					 "{\"name\":\"data\",\"containers\":[\"a\",\"b\"]}");

	assert_string_equal(e.sentence, "volume 'data' exists in containers a, b: say which with "
					"--container ID");
	assert_int_equal(e.exit_code, EXIT_FAILED);
}

static void errnos_say_what_to_do_next(void **state)
{
	struct explanation e;

	explain_call_errno(-ENOENT, "/run/x", &e);
	assert_int_equal(e.exit_code, EXIT_UNREACHABLE);
	assert_non_null(strstr(e.sentence, "/run/x"));
	explain_call_errno(-EACCES, NULL, &e);
	assert_int_equal(e.exit_code, EXIT_DENIED);
	assert_non_null(strstr(e.hint, "group dmuser"));
	explain_call_errno_in(&(struct circumstances){}, -EACCES, NULL, &e);
	assert_null(strstr(e.hint, "usermod"));
	explain_call_errno_in(&(struct circumstances){ .has_group = true }, -EACCES, NULL, &e);
	assert_non_null(strstr(e.hint, "usermod -aG dmuser"));
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

static void systemctl_is_advised_only_where_it_helps(void **state)
{
	struct circumstances c = { .has_unit = true };
	struct explanation e;

	explain_call_errno_in(&c, -ENOENT, "/run/dmuser/io.dmuser", &e);
	assert_string_equal(e.hint, "systemctl start dmuserd");
	explain_call_errno_in(&c, -ECONNREFUSED, "/tmp/x", &e);
	assert_null(strstr(e.hint, "systemctl"));
	assert_non_null(strstr(e.hint, "run_dir"));
	explain_call_errno_in(&c, -ECONNRESET, NULL, &e);
	assert_non_null(strstr(e.hint, "journalctl -u dmuserd"));
	c.has_unit = false;
	explain_call_errno_in(&c, -ENOENT, "/run/dmuser/io.dmuser", &e);
	assert_null(strstr(e.hint, "systemctl"));
	assert_non_null(strstr(e.hint, "as root: dmuserd"));
	explain_call_errno_in(&c, -ECONNRESET, NULL, &e);
	assert_null(strstr(e.hint, "journalctl"));
}

static void a_unit_counts_only_where_systemd_runs(void **state)
{
	assert_false(circumstances_find_unit(made_root));
	made_root_put("/usr/lib/systemd/system/dmuserd.service", "");
	assert_false(circumstances_find_unit(made_root));
	made_root_put("/run/systemd/system/x", "");
	assert_true(circumstances_find_unit(made_root));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_error_of_the_interface_is_known),
		cmocka_unit_test(sentences_use_the_parameters_by_their_names),
		cmocka_unit_test(what_the_service_says_is_escaped),
		cmocka_unit_test(a_very_long_reason_is_cut),
		cmocka_unit_test(what_is_wrong_with_a_size_is_said_of_the_option),
		cmocka_unit_test(a_missing_spawner_is_the_service_s_failure),
		cmocka_unit_test(a_backend_that_was_meant_is_named),
		cmocka_unit_test(what_a_worker_does_not_serve_is_no_failure_of_the_machine),
		cmocka_unit_test(direct_io_on_a_disk_of_large_blocks_is_told_the_block_size),
		cmocka_unit_test(an_annotation_is_answered_in_its_own_words),
		cmocka_unit_test(a_remembered_failure_has_no_name_of_the_wire),
		cmocka_unit_test(a_backend_that_is_not_complete_had_no_process_that_failed),
		cmocka_unit_test(what_a_worker_writes_is_taken_for_nothing_else),
		cmocka_unit_test(what_differs_is_told_as_asked_for_and_as_it_is),
		cmocka_unit_test(whether_it_is_kept_is_told_as_it_is),
		cmocka_unit_test(another_owner_s_volume_is_pointed_at),
		cmocka_unit_test(a_container_is_to_end_before_its_volume_is_taken),
		cmocka_unit_test(no_name_of_the_wire_answers_an_option),
		cmocka_unit_test(an_option_of_the_backend_is_shown_as_it_is_given),
		cmocka_unit_test(a_volume_that_is_not_there_is_explained_to_who_asks),
		cmocka_unit_test(an_ambiguous_name_tells_what_there_is_to_choose_from),
		cmocka_unit_test(errnos_say_what_to_do_next),
		cmocka_unit_test(systemctl_is_advised_only_where_it_helps),
		cmocka_unit_test_setup_teardown(a_unit_counts_only_where_systemd_runs,
						made_root_set_up, made_root_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
