// SPDX-License-Identifier: Apache-2.0
/* How a line on stderr looks: with a priority only where something reads it. */
#include "test.h"
#include "dmuserd/supervisor/log.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <sys/stat.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

static int file, own_stderr;

/* stderr is a file until end(). */
static int begin(void **state)
{
	file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	assert_true(file >= 0);
	own_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
	return 0;
}

static int end(void **state)
{
	dup2(own_stderr, STDERR_FILENO);
	close(own_stderr);
	close(file);
	unsetenv("JOURNAL_STREAM");
	return 0;
}

static void says(const char *line)
{
	char text[128] = "";

	log_open();
	log_print(LOG_NOTICE, "a word");
	assert_true(pread(file, text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(text, line);
}

static void set_journal_stream(unsigned long offset)
{
	struct stat st;
	char text[64];

	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(text, sizeof(text), "%lu:%lu", (unsigned long)st.st_dev,
		 (unsigned long)st.st_ino + offset);
	setenv("JOURNAL_STREAM", text, 1);
}

static void a_plain_file_gets_plain_lines(void **state)
{
	unsetenv("JOURNAL_STREAM");
	says("dmuserd: a word\n");
}

static void what_leads_to_the_journal_gets_priorities(void **state)
{
	set_journal_stream(0);
	says("<5>dmuserd: a word\n");
}

static void a_stderr_that_was_redirected_is_not_the_journal(void **state)
{
	set_journal_stream(1);
	says("dmuserd: a word\n");
}

static void a_variable_that_makes_no_sense_is_no_journal(void **state)
{
	setenv("JOURNAL_STREAM", "yes", 1);
	says("dmuserd: a word\n");
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_plain_file_gets_plain_lines),
		T(what_leads_to_the_journal_gets_priorities),
		T(a_stderr_that_was_redirected_is_not_the_journal),
		T(a_variable_that_makes_no_sense_is_no_journal),
	};

	if (access(JOURNAL_SOCKET, W_OK) == 0) {
		fprintf(stderr, "there is a journal here, which takes what would go to stderr\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
