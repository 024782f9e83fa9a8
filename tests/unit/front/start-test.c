// SPDX-License-Identifier: Apache-2.0
/* The start: the run directory, the lock, the control socket, and the reading of manifests. */
#include "test.h"
#include "fake-pool.h"
#include "dmuserd/supervisor/backend.h"
#include "dmuserd/supervisor/listener.h"
#include "dmuserd/supervisor/run-dir.h"
#include "dmuserd/supervisor/sole.h"
#include "dmuserd/supervisor/spawner-start.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static char directory[64];
static char path[128];

static int make_directory(void **state)
{
	strcpy(directory, "/tmp/dmuser-start-XXXXXX");
	assert_non_null(mkdtemp(directory));
	return 0;
}

static int remove_directory(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", directory);
	assert_int_equal(system(command), 0);
	return 0;
}

static const char *in(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void a_run_dir_is_made_for_clients_to_pass_through(void **state)
{
	struct stat st;

	umask(0022);
	assert_int_equal(run_dir_prepare(in("run")), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(run_dir_prepare(path), 0);
}

static void a_run_dir_that_others_write_in_is_refused(void **state)
{
	assert_int_equal(run_dir_prepare(in("run")), 0);
	assert_int_equal(chmod(path, 0777), 0);
	assert_int_equal(run_dir_prepare(path), -EPERM);
	assert_int_equal(chmod(path, 0775), 0);
	assert_int_equal(run_dir_prepare(path), -EPERM);
}

static void a_run_dir_by_a_symlink_is_refused(void **state)
{
	assert_int_equal(symlink("/", in("run")), 0);
	assert_true(run_dir_prepare(path) < 0);
}

static void a_run_dir_has_one_supervisor_at_a_time(void **state)
{
	int first = -1, second = -1;
	char who[SOLE_HOLDER_SIZE] = "", expected[128];

	assert_int_equal(sole_in_run_dir(directory, &first, who), 0);
	assert_int_equal(sole_in_run_dir(directory, &second, who), -EBUSY);
	assert_int_equal(second, -1);
	snprintf(expected, sizeof(expected), "pid %d, run_dir %s", getpid(), directory);
	assert_string_equal(who, expected);
	close(first);
	assert_int_equal(sole_in_run_dir(directory, &second, who), 0);
	close(second);
}

static void a_machine_has_one_supervisor_at_a_time(void **state)
{
	int first = -1, second = -1, run_dir = -1;
	char who[SOLE_HOLDER_SIZE] = "", expected[128];

	assert_int_equal(sole_on_machine(in("control"), &first, who), -ENODEV);
	assert_int_equal(mknod(path, S_IFREG | 0600, 0), 0);
	assert_int_equal(sole_on_machine(path, &first, who), 0);
	assert_int_equal(sole_on_machine(path, &second, who), -EBUSY);
	assert_int_equal(second, -1);
	snprintf(expected, sizeof(expected), "pid %d", getpid());
	assert_string_equal(who, expected);
	assert_int_equal(sole_on_machine(path, &second, NULL), -EBUSY);
	/* It serves a directory; whoever is told has its own. */
	assert_int_equal(sole_in_run_dir(directory, &run_dir, who), 0);
	assert_int_equal(sole_on_machine(path, &second, who), -EBUSY);
	snprintf(expected, sizeof(expected), "pid %d, run_dir %s", getpid(), directory);
	assert_string_equal(who, expected);
	close(run_dir);
	close(first);
	assert_int_equal(sole_on_machine(path, &second, who), 0);
	close(second);
}

static int connect_to(const char *to)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	snprintf(address.sun_path, sizeof(address.sun_path), "%.107s", to);
	r = connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static void a_socket_of_ones_own_is_for_the_group_alone(void **state)
{
	struct listener l = { .fd = -EBADF };
	struct stat st;

	unsetenv("LISTEN_FDS");
	assert_int_equal(listener_open(directory, getgid(), &l), 0);
	assert_true(l.own);
	assert_int_equal(stat(in("io.dmuser"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(st.st_gid, getgid());
	assert_true(fcntl(l.fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(connect_to(path), 0);
	listener_close(&l);
	assert_int_equal(access(path, F_OK), -1);
}

static void without_a_group_it_is_for_root_alone(void **state)
{
	struct listener l = { .fd = -EBADF };
	struct stat st;

	assert_int_equal(listener_open(directory, (gid_t)-1, &l), 0);
	assert_int_equal(stat(in("io.dmuser"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	listener_close(&l);
}

static void a_socket_that_was_left_is_replaced(void **state)
{
	struct listener first = { .fd = -EBADF }, second = { .fd = -EBADF };

	assert_int_equal(listener_open(directory, (gid_t)-1, &first), 0);
	assert_int_equal(listener_open(directory, (gid_t)-1, &second), 0);
	close(first.fd);
	assert_int_equal(connect_to(in("io.dmuser")), 0);
	listener_close(&second);
}

/* One that ends well if it has not got descriptor 200, and has got its stderr. */
static void the_spawner_inherits_nothing_that_was_left_open(void **state)
{
	static const char script[] = "#!/bin/sh\n[ ! -e /proc/$$/fd/200 ] && [ -e /proc/$$/fd/2 ]\n";
	struct settings s;
	int fd = open(in("dmuser-spawner"), O_WRONLY | O_CREAT | O_CLOEXEC, 0700);

	assert_int_equal(write(fd, script, strlen(script)), strlen(script));
	close(fd);
	settings_init(&s);
	strcpy(s.libexec_dir, directory);
	strcpy(s.run_dir, directory);
	assert_int_equal(spawner_start(&s, 20000), 0);
	assert_int_equal(dup2(STDERR_FILENO, 200), 200);
	assert_int_equal(spawner_start(&s, 20000), 0);
	close(200);
}

/* Manifests */

static struct manager m;
static size_t n_loaded;
static int load_error;

static void on_loaded(struct manager *manager, int error)
{
	assert_ptr_equal(manager, &m);
	n_loaded++;
	load_error = error;
}

static int make_backends(void **state)
{
	make_directory(state);
	fake_pool_reset();
	m = (struct manager){};
	n_loaded = 0;
	settings_init(&m.settings);
	strcpy(m.settings.libexec_dir, directory);
	assert_true(sd_event_new(&m.event) >= 0);
	return mkdir(in("backends"), 0755);
}

static int remove_backends(void **state)
{
	backends_free(m.backends);
	sd_event_unref(m.event);
	fake_pool_reset();
	return remove_directory(state);
}

static void write_manifest(const char *name, mode_t mode)
{
	char file[192];
	int fd;

	snprintf(file, sizeof(file), "%s/backends/%s", directory, name);
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void settle(void)
{
	int r;

	do {
		r = sd_event_run(m.event, 0);
		assert_true(r >= 0);
	} while (r > 0);
}

static void load(size_t n_expected)
{
	assert_int_equal(backends_load(&m, on_loaded), 0);
	settle();
	assert_int_equal(fake_n_parsers, n_expected);
}

/* What the i-th parser was given to read must be a manifest, and is taken for that of `type`. */
static void parses(size_t i, const char *type, enum parser_event event)
{
	struct parser_message message = { .version = PARSER_MESSAGE_VERSION, .event = event };
	struct parser_order order;
	int file = -1;
	size_t n = 0;

	assert_int_equal(fd_recv_exact(fake_parsers[i], &order, sizeof(order), &file, 1, &n, 0), 0);
	assert_int_equal(order.command, PARSER_ASSIGN_MANIFEST);
	assert_int_equal(n, 1);
	close(file);
	if (event == PARSER_MANIFEST) {
		snprintf(message.manifest.type, sizeof(message.manifest.type), "%s", type);
		strcpy(message.manifest.profile, "memory");
		message.manifest.max_size_bytes = 4096;
		message.manifest.n_threads = 1;
		message.manifest.memory_max_bytes = 4 << 20;
	} else {
		message.refusal = PARSER_REFUSED_INVALID_PARAMETER;
		message.fatal = 1;
		strcpy(message.text, "profile");
	}
	fd_send(fake_parsers[i], &message, sizeof(message), NULL, 0, 0);
	settle();
}

static void without_backends_the_start_goes_on(void **state)
{
	write_manifest("README", 0644);
	write_manifest("Upper.json", 0644);
	write_manifest(".json", 0644);
	load(0);
	assert_int_equal(n_loaded, 1);
	assert_int_equal(load_error, 0);
	assert_null(backend_next(&m, NULL));
}

static void a_manifest_is_read_by_a_parser(void **state)
{
	const struct backend *b;

	write_manifest("memory.json", 0644);
	load(1);
	assert_int_equal(n_loaded, 0);
	parses(0, "memory", PARSER_MANIFEST);
	assert_int_equal(n_loaded, 1);
	assert_int_equal(load_error, 0);
	assert_int_equal(fake_n_ended, 1);
	b = backend_find(&m, "memory");
	assert_non_null(b);
	assert_string_equal(b->executable, in("backends/dmuser-backend-memory"));
	assert_string_equal(b->profile, in("seccomp/memory.bpf"));
	assert_null(backend_next(&m, b));
	assert_null(backend_find(&m, "file"));
}

static void one_that_is_refused_is_left_out(void **state)
{
	write_manifest("a.json", 0644);
	write_manifest("b.json", 0644);
	load(2);
	parses(0, NULL, PARSER_REFUSAL);
	assert_int_equal(n_loaded, 0);
	close(fake_parsers[1]);
	fake_parsers[1] = -1;
	settle();
	assert_int_equal(n_loaded, 1);
	/* None is left. */
	assert_true(load_error < 0);
	assert_null(backend_next(&m, NULL));
}

static void a_manifest_cannot_speak_for_another(void **state)
{
	write_manifest("a.json", 0644);
	load(1);
	parses(0, "b", PARSER_MANIFEST);
	assert_int_equal(n_loaded, 1);
	assert_true(load_error < 0);
	assert_null(backend_find(&m, "b"));
}

static void a_manifest_that_others_could_have_written_is_left_out(void **state)
{
	write_manifest("a.json", 0666);
	write_manifest("b.json", 0664);
	write_manifest("c.json", 0644);
	assert_int_equal(symlink("c.json", in("backends/d.json")), 0);
	assert_int_equal(mkfifo(in("backends/e.json"), 0644), 0);
	load(1);
	parses(0, "c", PARSER_MANIFEST);
	assert_int_equal(load_error, 0);
	assert_non_null(backend_find(&m, "c"));
}

static void no_parser_at_all_is_an_error(void **state)
{
	write_manifest("a.json", 0644);
	fake_pool_is_full = false;
	load(0);
	fake_pool_hands_out(-EPERM);
	settle();
	assert_int_equal(n_loaded, 1);
	assert_int_equal(load_error, -EPERM);
}

static void backends_come_in_the_order_of_their_names(void **state)
{
	const struct backend *b;

	write_manifest("a.json", 0644);
	write_manifest("b.json", 0644);
	fake_pool_is_full = false;
	load(0);
	/* Which of the two is waiting longer is the directory's secret. */
	fake_pool_hands_out(0);
	fake_pool_hands_out(0);
	for (size_t i = 0; i < 2; i++) {
		struct parser_order order;
		char link[64], file[128] = "";
		int fd = -1;
		size_t n = 0;
		ssize_t length;

		assert_int_equal(fd_recv_exact(fake_parsers[i], &order, sizeof(order), &fd, 1, &n, 0), 0);
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		length = readlink(link, file, sizeof(file) - 1);
		assert_true(length > 6);
		assert_int_equal(fd_send(fake_parsers[i],
					 &(struct parser_message){
						 .version = PARSER_MESSAGE_VERSION,
						 .event = PARSER_MANIFEST,
						 .manifest = { .type = { file[length - 6] },
							       .profile = "memory",
							       .max_size_bytes = 4096,
							       .memory_max_bytes = 4 << 20,
							       .n_threads = 1 } },
					 sizeof(struct parser_message), NULL, 0, 0),
				 0);
		close(fd);
	}
	settle();
	assert_int_equal(n_loaded, 1);
	b = backend_next(&m, NULL);
	assert_string_equal(b->manifest.type, "a");
	b = backend_next(&m, b);
	assert_string_equal(b->manifest.type, "b");
}

/* Later, when somebody asks */

static size_t n_ready;

static void on_ready(void *userdata)
{
	assert_ptr_equal(userdata, &n_ready);
	n_ready++;
}

static int refresh(const char *type)
{
	return backends_refresh(&m, type, on_ready, &n_ready);
}

static void start_with(const char *type)
{
	char name[64];

	n_ready = 0;
	snprintf(name, sizeof(name), "%s.json", type);
	write_manifest(name, 0644);
	load(1);
	parses(0, type, PARSER_MANIFEST);
	assert_int_equal(load_error, 0);
}

static void nothing_new_is_not_waited_for(void **state)
{
	start_with("a");
	assert_int_equal(refresh(NULL), 0);
	assert_int_equal(refresh("a"), 0);
	assert_int_equal(refresh("unknown"), 0);
	settle();
	assert_int_equal(fake_n_parsers, 1);
	assert_int_equal(n_ready, 0);
}

static void a_manifest_that_comes_later_is_found(void **state)
{
	start_with("b");
	write_manifest("a.json", 0644);
	/* Whoever wants another need not wait. */
	assert_int_equal(refresh("b"), 0);
	assert_int_equal(refresh("a"), 1);
	settle();
	assert_int_equal(fake_n_parsers, 2);
	assert_int_equal(n_ready, 0);
	assert_null(backend_find(&m, "a"));
	parses(1, "a", PARSER_MANIFEST);
	assert_int_equal(n_ready, 1);
	assert_non_null(backend_find(&m, "a"));
	assert_string_equal(backend_next(&m, backend_find(&m, "a"))->manifest.type, "b");
}

static void one_that_goes_is_not_found_but_stays_with_its_volumes(void **state)
{
	const struct backend *b;

	start_with("a");
	b = backend_find(&m, "a");
	assert_int_equal(unlink(in("backends/a.json")), 0);
	assert_int_equal(refresh("a"), 0);
	assert_null(backend_find(&m, "a"));
	assert_string_equal(b->manifest.type, "a");
}

static void touch(const char *name)
{
	const struct timespec times[] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };

	assert_int_equal(utimensat(AT_FDCWD, in(name), times, 0), 0);
}

static void one_that_says_the_same_again_is_the_same(void **state)
{
	const struct backend *b;

	start_with("a");
	b = backend_find(&m, "a");
	touch("backends/a.json");
	assert_int_equal(refresh("a"), 1);
	parses(1, "a", PARSER_MANIFEST);
	assert_int_equal(n_ready, 1);
	assert_ptr_equal(backend_find(&m, "a"), b);
}

static void one_that_breaks_is_told_of_and_harms_no_other(void **state)
{
	const char *type = NULL, *reason = NULL;

	start_with("b");
	write_manifest("a.json", 0644);
	assert_int_equal(refresh("a"), 1);
	parses(1, NULL, PARSER_REFUSAL);
	assert_int_equal(n_ready, 1);
	assert_null(backend_find(&m, "a"));
	assert_non_null(backend_find(&m, "b"));
	assert_true(backend_rejected(&m, 0, &type, &reason));
	assert_string_equal(type, "a");
	assert_ptr_equal(strstr(reason, in("backends/a.json")), reason);
	assert_non_null(strstr(reason, "field \"profile\" cannot be taken"));
	assert_false(backend_rejected(&m, 1, &type, &reason));
	/* It is not read again before it has changed. */
	assert_int_equal(refresh("a"), 0);
	touch("backends/a.json");
	assert_int_equal(refresh("a"), 1);
	parses(2, "a", PARSER_MANIFEST);
	assert_non_null(backend_find(&m, "a"));
	assert_false(backend_rejected(&m, 0, &type, &reason));
}

static void one_whose_parser_dies_is_read_again(void **state)
{
	start_with("b");
	write_manifest("a.json", 0644);
	assert_int_equal(refresh("a"), 1);
	close(fake_parsers[1]);
	fake_parsers[1] = -1;
	settle();
	assert_int_equal(n_ready, 1);
	assert_int_equal(refresh("a"), 1);
	parses(2, "a", PARSER_MANIFEST);
	assert_non_null(backend_find(&m, "a"));
}

/* As many as are open, and one more: a directory can be opened, and nothing in it. */
static void spare_one_descriptor(struct rlimit *ret_before)
{
	int lowest = fcntl(0, F_DUPFD_CLOEXEC, 0);
	struct rlimit few;

	assert_true(lowest >= 0);
	close(lowest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, ret_before), 0);
	few = (struct rlimit){ (rlim_t)lowest + 1, ret_before->rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
}

static void one_that_could_not_be_opened_for_a_while_is_read_again(void **state)
{
	const char *type, *reason;
	struct rlimit before;

	start_with("b");
	write_manifest("a.json", 0644);
	spare_one_descriptor(&before);
	assert_int_equal(refresh("a"), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_true(backend_rejected(&m, 0, &type, &reason));
	assert_string_equal(type, "a");
	assert_non_null(backend_find(&m, "b"));
	assert_int_equal(refresh("a"), 1);
	parses(1, "a", PARSER_MANIFEST);
	assert_non_null(backend_find(&m, "a"));
	assert_false(backend_rejected(&m, 0, &type, &reason));
}

static void whoever_cancels_is_not_called(void **state)
{
	start_with("b");
	write_manifest("a.json", 0644);
	assert_int_equal(refresh(NULL), 1);
	backends_cancel(&m, &n_ready);
	backends_cancel(&m, &n_ready);
	parses(1, "a", PARSER_MANIFEST);
	assert_int_equal(n_ready, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)
#define TEST_BACKENDS(name) cmocka_unit_test_setup_teardown(name, make_backends, remove_backends)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_run_dir_is_made_for_clients_to_pass_through),
		TEST(a_run_dir_that_others_write_in_is_refused),
		TEST(a_run_dir_by_a_symlink_is_refused),
		TEST(a_run_dir_has_one_supervisor_at_a_time),
		TEST(a_machine_has_one_supervisor_at_a_time),
		TEST(a_socket_of_ones_own_is_for_the_group_alone),
		TEST(without_a_group_it_is_for_root_alone),
		TEST(a_socket_that_was_left_is_replaced),
		TEST(the_spawner_inherits_nothing_that_was_left_open),
		TEST_BACKENDS(without_backends_the_start_goes_on),
		TEST_BACKENDS(a_manifest_is_read_by_a_parser),
		TEST_BACKENDS(one_that_is_refused_is_left_out),
		TEST_BACKENDS(a_manifest_cannot_speak_for_another),
		TEST_BACKENDS(a_manifest_that_others_could_have_written_is_left_out),
		TEST_BACKENDS(no_parser_at_all_is_an_error),
		TEST_BACKENDS(backends_come_in_the_order_of_their_names),
		TEST_BACKENDS(nothing_new_is_not_waited_for),
		TEST_BACKENDS(a_manifest_that_comes_later_is_found),
		TEST_BACKENDS(one_that_goes_is_not_found_but_stays_with_its_volumes),
		TEST_BACKENDS(one_that_says_the_same_again_is_the_same),
		TEST_BACKENDS(one_that_breaks_is_told_of_and_harms_no_other),
		TEST_BACKENDS(one_whose_parser_dies_is_read_again),
		TEST_BACKENDS(one_that_could_not_be_opened_for_a_while_is_read_again),
		TEST_BACKENDS(whoever_cancels_is_not_called),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
