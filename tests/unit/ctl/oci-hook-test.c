// SPDX-License-Identifier: Apache-2.0
/*
 * The hook itself, as a runtime starts it, against a scripted dmuserd: what it asks for, and how it
 * gives up.
 */
#include "cmocka-all.h"
#include "ctl-run.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static char bundle[64];
static pid_t init; /* stands for the container's init: in a mount namespace of its own */

static int set_up(void **state)
{
	int ready[2];
	char byte;

	strcpy(bundle, "/tmp/dmuser-hook-XXXXXX");
	if (!mkdtemp(bundle) || pipe(ready) < 0)
		return -1;
	init = fork();
	if (init == 0) {
		if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
			_exit(1);
		close(ready[0]);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		return -1;
	close(ready[0]);
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	kill(init, SIGKILL);
	waitpid(init, NULL, 0);
	snprintf(command, sizeof(command), "rm -rf %s", bundle);
	return system(command);
}

static void write_config(const char *annotations)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/config.json", bundle);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "{\"root\":{\"path\":\"rootfs\"},\"annotations\":{%s}}", annotations);
	fclose(file);
	snprintf(path, sizeof(path), "%s/rootfs", bundle);
	mkdir(path, 0755);
}

static int run(const char *address, const char *stage, const char *state_text)
{
	const char *const argv[] = { getenv("DMUSER_OCI_HOOK"), "--address", address, stage, NULL };

	assert_non_null(argv[0]);
	return run_program(argv, state_text);
}

static int run_stage(const char *address, void *argument)
{
	char text[256];

	snprintf(text, sizeof(text), "{\"ociVersion\":\"1.0\",\"id\":\"c1\",\"pid\":%d,"
				     "\"bundle\":\"%s\"}",
		 init, bundle);
	return run(address, argument, text);
}

/* The stage for this test's container, against that script. */
static int run_stage_on(fake_script script, const char *stage)
{
	return run_with_server(script, run_stage, (void *)stage);
}

static void expect_release_because(const char *reason)
{
	int s = fake_accept();
	char text[1024];

	snprintf(text, sizeof(text), "{\"method\":\"io.dmuser.Release\","
		 "\"parameters\":{\"container\":\"c1\",\"timeout_ms\":1000,"
		 "\"reason\":\"%s\"}}", reason);
	fake_expect_text(s, text);
	fake_reply(s, "{\"error\":\"io.dmuser.NoSuchVolume\","
		      "\"parameters\":{\"name\":\"\"}}", NULL, 0);
	fake_expect_close(s);
	close(s);
}

static void refuses_create(int s)
{
	int fds[8];
	size_t n_fds;
	const char *call = fake_expect_call(s, fds, &n_fds);
	const char *expected = "{\"method\":\"io.dmuser.Create\",\"parameters\":{\"name\":\"data\","
			       "\"backend\":\"file\",\"size_bytes\":67108864,\"block_size\":4096,"
			       "\"options\":{\"path\":\"/srv/a.img\"},\"container\":{\"id\":\"c1\","
			       "\"pidfd\":0}}}";

	if (strcmp(call, expected) != 0 || n_fds != 1 ||
	    syscall(SYS_pidfd_send_signal, fds[0], 0, NULL, 0) < 0) {
		fprintf(stderr, "came: %s with %zu descriptors\n", call, n_fds);
		_exit(FAKE_SCRIPT_FAILED);
	}
	fake_reply(s, "{\"error\":\"io.dmuser.QuotaExceeded\","
		      "\"parameters\":{\"resource\":\"volumes\",\"limit\":64}}", NULL, 0);
	fake_expect_close(s);
	expect_release_because("volume data: creating: a limit is reached: no more than 64 "
			       "volumes");
}

static void what_dmuserd_refuses_is_told_and_released(void **state)
{
	write_config(
		"\"io.dmuser.volume.data\":\"size=64M,backend=file,path=/srv/a.img,mount=/data,"
		"block_size=4096\"");
	assert_int_equal(run_stage_on(refuses_create, "createRuntime"), 1);
	assert_printed("dmuser-oci-hook: container c1: volume data: creating: a limit is reached: "
		    "no more than 64 volumes\n  hint: ");
}

static void gives_no_device(int s)
{
	size_t n_fds;
	int fds[8];

	fake_expect_call(s, fds, &n_fds);
	fake_reply(s, "{\"parameters\":{\"created\":true,"
		      "\"volume\":{\"device\":\"/dev/../etc/passwd\","
		      "\"uuid\":\"6b1e3b0e-0000-4000-8000-000000000000\","
		      "\"size_bytes\":1048576}}}", NULL, 0);
	fake_expect_close(s);
	expect_release_because("volume data: creating: dmuserd's answer names no device");
}

static void gives_a_foreign_device(int s)
{
	size_t n_fds;
	int fds[8];

	fake_expect_call(s, fds, &n_fds);
	fake_reply(s, "{\"parameters\":{\"created\":true,"
		      "\"volume\":{\"device\":\"/dev/dm-1048575\","
		      "\"uuid\":\"6b1e3b0e-0000-4000-8000-000000000000\","
		      "\"size_bytes\":1048576}}}", NULL, 0);
	fake_expect_close(s);
	expect_release_because("volume data: opening: /dev/dm-1048575 cannot be opened: "
			       "No such file or directory");
}

static void an_answer_without_the_volumes_device_is_given_up(void **state)
{
	write_config("\"io.dmuser.volume.data\":\"size=1M,backend=memory,mount=/data\"");
	assert_int_equal(run_stage_on(gives_no_device, "createRuntime"), 1);
	assert_printed("volume data: creating: dmuserd's answer names no device");
	assert_int_equal(run_stage_on(gives_a_foreign_device, "createRuntime"), 1);
	assert_printed("volume data: opening: /dev/dm-1048575 cannot be opened");
}

static void kills_init(int s)
{
	size_t n_fds;
	int fds[8];

	fake_expect_call(s, fds, &n_fds);
	kill(init, SIGKILL);
	/* Readable once it has died. */
	fake_wait_readable(fds[0]);
	fake_reply(s, "{\"parameters\":{\"created\":true,\"volume\":{\"device\":\"/dev/dm-0\","
		      "\"uuid\":\"6b1e3b0e-0000-4000-8000-000000000000\","
		      "\"size_bytes\":1048576}}}", NULL, 0);
	fake_expect_close(s);
	expect_release_because("volume data: creating: the container's init has ended meanwhile");
}

static void refuses_the_size(int s)
{
	size_t n_fds;
	int fds[8];

	fake_expect_call(s, fds, &n_fds);
	fake_reply(s, "{\"error\":\"org.varlink.service.InvalidParameter\","
		      "\"parameters\":{\"parameter\":\"size_bytes\"}}", NULL, 0);
	fake_expect_close(s);
	expect_release_because("volume data: creating: memory cannot have size=1M: it must be a "
			       "multiple of the block size, 512 bytes");
}

static void an_error_names_what_the_annotation_says(void **state)
{
	write_config("\"io.dmuser.volume.data\":\"size=1M,backend=memory,mount=/data\"");
	assert_int_equal(run_stage_on(refuses_the_size, "createRuntime"), 1);
	assert_printed("volume data: creating: memory cannot have size=1M: it must be a multiple "
			       "of the block size, 512 bytes");
	assert_null(strstr(output, "size_bytes"));
}

static void wants_bytes(int s)
{
	int fds[8];
	size_t n_fds;
	const char *call;

	fake_expect_text(s, "{\"method\":\"io.dmuser.ListBackends\"}");
	fake_reply(s, "{\"parameters\":{\"backends\":[{\"type\":\"odd\","
		      "\"options\":[{\"name\":\"start\",\"kind\":\"size\"}]}]}}", NULL, 0);
	call = fake_expect_call(s, fds, &n_fds);
	if (!strstr(call, "\"options\":{\"start\":\"9895604649984\"}"))
		_exit(FAKE_SCRIPT_FAILED);
	fake_reply(s, "{\"error\":\"io.dmuser.InvalidOption\",\"parameters\":{\"option\":\"start\","
		      "\"reason\":\"must be from 0 to 1\"}}", NULL, 0);
	fake_expect_close(s);
	expect_release_because("volume data: creating: start=9T cannot be taken: must be from 0 to "
			       "1");
}

/* As on dmuserctl's command line; and it is told as it was written. */
static void an_option_that_is_a_size_takes_a_unit(void **state)
{
	write_config("\"io.dmuser.volume.data\":\"backend=odd,start=9T,mount=/data\"");
	assert_int_equal(run_stage_on(wants_bytes, "createRuntime"), 1);
	assert_printed("start=9T cannot be taken");
	assert_null(strstr(output, "-o "));
}

static void refuses_the_path(int s)
{
	size_t n_fds;
	int fds[8];

	fake_expect_call(s, fds, &n_fds);
	fake_reply(s, "{\"error\":\"io.dmuser.InvalidOption\",\"parameters\":{\"option\":\"path\","
		      "\"reason\":\"neither a regular file nor a block device\"}}", NULL, 0);
	fake_expect_close(s);
	expect_release_because("volume data: creating: path=/tmp cannot be taken: neither a "
			       "regular file nor a block device");
}

static void what_a_path_leads_to_is_not_looked_at_for_an_annotation(void **state)
{
	write_config("\"io.dmuser.volume.data\":\"backend=file,path=/tmp,mount=/data\"");
	assert_int_equal(run_stage_on(refuses_the_path, "createRuntime"), 1);
	/* What is said of a path of which no more is known: it is a directory. */
	assert_printed("hint: give an image or a block device; ls -ld /tmp shows what it is");
}

static void an_init_that_dies_in_between_is_seen(void **state)
{
	write_config("\"io.dmuser.volume.data\":\"size=1M,backend=memory,mount=/data\"");
	assert_int_equal(run_stage_on(kills_init, "createRuntime"), 1);
	assert_printed("volume data: creating: the container's init has ended meanwhile");
}

static void a_container_that_asks_for_nothing_costs_nothing(void **state)
{
	write_config("\"org.other\":\"x\"");
	assert_int_equal(run_stage_on(NULL, "createRuntime"), 0);
	assert_string_equal(output, "");
	assert_int_equal(run_stage_on(NULL, "poststop"), 0);
	assert_string_equal(output, "");
}

static void hears_what_is_wrong(int s)
{
	fake_expect_text(s, "{\"method\":\"io.dmuser.Release\",\"parameters\":{\"name\":\"b\","
			    "\"container\":\"c1\",\"reason\":\"volume b: reading the bundle: "
			    "annotation io.dmuser.volume.b: size '-1' is not a number of bytes, "
			    "with or without K, M, G or T\",\"unless_open\":true}}");
	fake_reply(s, "{\"error\":\"io.dmuser.NoSuchVolume\","
		      "\"parameters\":{\"name\":\"b\"}}", NULL, 0);
	fake_expect_close(s);
}

/* The second annotation is bad: not even the first may have been acted on. */
static void a_bad_annotation_is_told_and_nothing_is_made(void **state)
{
	write_config("\"io.dmuser.volume.a\":\"size=1M,backend=memory,mount=/a\","
		     "\"io.dmuser.volume.b\":\"size=-1,backend=memory,mount=/b\"");
	assert_int_equal(run_stage_on(hears_what_is_wrong, "createRuntime"), 1);
	assert_printed("annotation io.dmuser.volume.b: size '-1'");
	assert_printed("hint: ");
}

static void no_dmuserd_is_said_with_what_to_do(void **state)
{
	char text[256];

	write_config("\"io.dmuser.volume.a\":\"size=1M,backend=memory,mount=/a\"");
	snprintf(text, sizeof(text), "{\"id\":\"c1\",\"pid\":%d,\"bundle\":\"%s\"}", init, bundle);
	assert_int_equal(run("/nonexistent/socket", "createRuntime", text), 1);
	assert_printed("dmuserd is not running: nobody listens on /nonexistent/socket");
	assert_printed("hint: is that the address?");
}

static void takes_release(int s)
{
	fake_expect_text(s, "{\"method\":\"io.dmuser.Release\","
			    "\"parameters\":{\"container\":\"c1\",\"timeout_ms\":1000}}");
	fake_reply(s, "{\"parameters\":{\"released\":[]}}", NULL, 0);
	fake_expect_close(s);
}

static void poststop_releases_by_container(void **state)
{
	write_config("\"io.dmuser.volume.a\":\"size=1M,backend=memory,mount=/a\"");
	assert_int_equal(run_stage_on(takes_release, "poststop"), 0);
	assert_string_equal(output, "");
}

static void poststop_without_a_bundle_releases_all_the_same(void **state)
{
	assert_int_equal(run_stage_on(takes_release, "poststop"), 0);
}

static void a_container_in_our_own_mount_namespace_is_refused(void **state)
{
	char text[256];

	write_config("\"io.dmuser.volume.a\":\"size=1M,backend=memory,mount=/a\"");
	snprintf(text, sizeof(text), "{\"id\":\"c1\",\"pid\":%d,"
				     "\"bundle\":\"%s\"}", getpid(), bundle);
	assert_int_equal(run("/nonexistent/socket", "createRuntime", text), 1);
	assert_printed("the container has no mount namespace of its own");
}

static void bad_stages_and_states_are_refused(void **state)
{
	assert_int_equal(run("/x", "createContainer", "{}"), 2);
	assert_int_equal(run("/x", "", "{}"), 2);
	assert_int_equal(run("/x", "createRuntime", ""), 1);
	assert_printed("the container's state is not a JSON object");
	assert_int_equal(run("/x", "createRuntime", "{\"id\":\"c1\",\"bundle\":\"/b\",\"pid\":0}"),
			 1);
	assert_printed("the state names no process");
	assert_int_equal(run("/x", "createRuntime", "{\"id\":\"c1\",\"bundle\":\"/nonexistent\","
						    "\"pid\":1}"), 1);
	assert_printed("/nonexistent/config.json cannot be read");
}

static void help_and_version_are_there(void **state)
{
	assert_int_equal(run("/x", "--help", ""), 0);
	assert_printed("io.dmuser.volume.NAME");
	assert_int_equal(run("/x", "--version", ""), 0);
	assert_printed("dmuser-oci-hook ");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_dmuserd_refuses_is_told_and_released),
		TEST(an_answer_without_the_volumes_device_is_given_up),
		TEST(an_error_names_what_the_annotation_says),
		TEST(an_option_that_is_a_size_takes_a_unit),
		TEST(what_a_path_leads_to_is_not_looked_at_for_an_annotation),
		TEST(an_init_that_dies_in_between_is_seen),
		TEST(a_container_that_asks_for_nothing_costs_nothing),
		TEST(a_bad_annotation_is_told_and_nothing_is_made),
		TEST(no_dmuserd_is_said_with_what_to_do),
		TEST(poststop_releases_by_container),
		TEST(poststop_without_a_bundle_releases_all_the_same),
		TEST(a_container_in_our_own_mount_namespace_is_refused),
		TEST(bad_stages_and_states_are_refused),
		TEST(help_and_version_are_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
