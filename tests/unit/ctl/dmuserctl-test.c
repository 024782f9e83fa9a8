// SPDX-License-Identifier: Apache-2.0
/*
 * The program and its server: ping, call, introspect and doctor, an error as a person reads it, and
 * a server that is not there, says nothing, or is somebody else.
 */
#include "cmocka-all.h"
#include "ctl-run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void knows_no_volume(int s)
{
	fake_expect_call(s, NULL, NULL);
	fake_reply(s, "{\"error\":\"io.dmuser.NoSuchVolume\","
		      "\"parameters\":{\"name\":\"a\"}}", NULL, 0);
	answer_the_rest(s, NOTHING_KNOWN);
}

static void an_error_is_a_sentence_a_hint_and_an_exit_code(void **state)
{
	assert_int_equal(RUN(knows_no_volume, "show", "a"), 5);
	if (getuid() == 0)
		assert_string_equal(output, "dmuserctl: there is no volume 'a'\n"
					    "  hint: 'dmuserctl list' names all there are\n");
	else
		assert_string_equal(output, "dmuserctl: there is no volume 'a' that you may see\n"
					    "  hint: 'dmuserctl list' names yours\n");
}

static void takes_one_call(int s)
{
	fake_expect_text(s, "{\"method\":\"io.dmuser.Describe\",\"parameters\":{\"name\":\"a\"}}");
	fake_reply(s, "{\"parameters\":{\"x\":1}}", NULL, 0);
	fake_expect_close(s);
}

static void takes_a_foreign_call(int s)
{
	fake_expect_text(s, "{\"method\":\"org.varlink.service.GetInfo\",\"oneway\":true}");
	fake_expect_close(s);
}

static void call_calls_anything(void **state)
{
	assert_int_equal(RUN(takes_one_call, "call", "Describe", "{\"name\":\"a\"}"), 0);
	assert_printed("\"x\": 1");
	assert_int_equal(RUN(takes_a_foreign_call, "call", "org.varlink.service.GetInfo",
			     "--oneway"),
			 0);
	assert_string_equal(output, "");
}

static void describes_itself(int s)
{
	fake_expect_text(s, "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
			    "\"parameters\":{\"interface\":\"io.dmuser\"}}");
	fake_reply(s, "{\"parameters\":{\"description\":\"interface io.dmuser\\n\\nmethod "
		      "\\u001b\\n\"}}",
		   NULL, 0);
	fake_expect_close(s);
}

static void refuses_a_parameter(int s)
{
	fake_expect_call(s, NULL, NULL);
	fake_reply(s, "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{"
		      "\"parameter\":\"name\"}}", NULL, 0);
	fake_expect_text(s, "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
			    "\"parameters\":{\"interface\":\"io.dmuser\"}}");
	fake_reply(s, "{\"parameters\":{\"description\":\"interface io.dmuser\\n\\nmethod "
		      "Describe(name: string) -> ()\\nmethod Ping() -> ()\\n\"}}", NULL, 0);
	fake_expect_close(s);
}

/*
 * The service names the parameter; what is wrong with it is found in the interface's description.
 */
static void call_tells_what_is_wrong_with_a_parameter(void **state)
{
	assert_int_equal(RUN(refuses_a_parameter, "call", "Describe"), 1);
	assert_printed("dmuserctl: io.dmuser.Describe needs parameter 'name', and it is not "
		       "given\n");
	assert_int_equal(RUN(refuses_a_parameter, "call", "Describe", "{\"name\":1}"), 1);
	assert_printed("parameter 'name' of io.dmuser.Describe is of another type\n"
		       "  hint: it must be of type string\n");
	assert_int_equal(RUN(refuses_a_parameter, "call", "Describe", "{\"name\":\"/\"}"), 1);
	assert_printed("does not take the value of parameter 'name'\n");
	assert_int_equal(RUN(refuses_a_parameter, "call", "Ping", "{\"name\":\"a\"}"), 1);
	assert_printed("io.dmuser.Ping has no parameter 'name'\n  hint: it takes none\n");
}

static void introspect_prints_lines(void **state)
{
	assert_int_equal(RUN(describes_itself, "introspect"), 0);
	assert_string_equal(output, "interface io.dmuser\n\nmethod \\x1b\n");
}

static void answers_ping(int s)
{
	fake_expect_text(s, "{\"method\":\"io.dmuser.Ping\"}");
	fake_reply(s, "{\"parameters\":{\"version\":\"0.1.0\",\"volumes\":1}}", NULL, 0);
	fake_expect_close(s);
}

static void ping_says_that_the_module_is_missing(void **state)
{
	assert_int_equal(RUN(answers_ping, "ping"), 0);
	assert_string_equal(output, "dmuserd 0.1.0, kernel module not loaded (modprobe dm-user), 1 "
				    "volume\n");
}

static void a_server_that_does_not_answer_is_given_up(void **state)
{
	assert_int_equal(RUN(NULL, "--timeout", "100ms", "ping"), 6);
	assert_printed("did not answer in time");
}

/*
 * A shell of nobody's that calls itself dmuserd and says what its configuration is; it ends with
 * *ret_stdin.
 */
static pid_t start_impostor(const char *name, const char *config, int *ret_stdin)
{
	int in[2], out[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		if (setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0)
			execl(name, name, "-c", "echo; read x", "--config", config, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	assert_int_equal(read(out[0], &byte, 1), 1);
	close(out[0]);
	*ret_stdin = in[1];
	return pid;
}

static void the_doctor_follows_nobody_who_calls_himself_dmuserd(void **state)
{
	char directory[] = "/tmp/dmuserctl-test-XXXXXX", name[64], config[64];
	int in = -EBADF;
	FILE *file;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(directory));
	assert_int_equal(chmod(directory, 0755), 0);
	snprintf(name, sizeof(name), "%s/dmuserd", directory);
	snprintf(config, sizeof(config), "%s/conf", directory);
	assert_int_equal(symlink("/bin/sh", name), 0);
	file = fopen(config, "we");
	assert_non_null(file);
	fputs("worker_uid_base = 1234567890\n", file);
	fclose(file);
	pid = start_impostor(name, config, &in);
	RUN(NULL, "doctor", "--timeout", "100ms");
	close(in);
	waitpid(pid, NULL, 0);
	unlink(name);
	unlink(config);
	rmdir(directory);
	assert_printed("uids");
	assert_null(strstr(output, "1234567890"));
}

static void no_server_is_unreachable(void **state)
{
	assert_int_equal(RUN(NULL, "--address", "/nonexistent/socket", "ping"), 3);
	assert_printed("dmuserd is not running: nobody listens on /nonexistent/socket\n"
		       "  hint: is that the address?");
}

static void has_no_spawner(int s)
{
	fake_expect_call(s, NULL, NULL);
	fake_reply(s, "{\"error\":\"io.dmuser.BackendFailed\",\"parameters\":{\"reason\":\"no "
		      "process that reads requests could be started: there is no spawner: start "
		      "dmuser-spawner, or restart dmuserd, which does\"}}", NULL, 0);
	fake_expect_close(s);
}

static void without_the_spawner_it_is_the_service_that_fails(void **state)
{
	assert_int_equal(RUN(has_no_spawner, "ping"), 1);
	assert_printed("dmuserctl: dmuserd can start no process, as its spawner is not there: ");
	assert_null(strstr(output, "the volume's process"));
	assert_printed("volumes that there are live on\n");
	assert_int_equal(RUN(has_no_spawner, "list"), 1);
	assert_null(strstr(output, "the volume's process"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_is_a_sentence_a_hint_and_an_exit_code),
		cmocka_unit_test(call_calls_anything),
		cmocka_unit_test(call_tells_what_is_wrong_with_a_parameter),
		cmocka_unit_test(introspect_prints_lines),
		cmocka_unit_test(ping_says_that_the_module_is_missing),
		cmocka_unit_test(a_server_that_does_not_answer_is_given_up),
		cmocka_unit_test(the_doctor_follows_nobody_who_calls_himself_dmuserd),
		cmocka_unit_test(no_server_is_unreachable),
		cmocka_unit_test(without_the_spawner_it_is_the_service_that_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
