// SPDX-License-Identifier: Apache-2.0
/*
 * The real backends, sealed under their real profiles: every operation works, what the gate will
 * look for is there, and what goes wrong before the seal is reported by its step.
 *
 * Usage: worker-confined-test BUILD
 */
#include "tests/unit/worker/test.h"
#include "tests/unit/worker/confined.h"
#include "tests/unit/worker/kernel-side.h"
#include "tests/unit/worker/proc-status.h"

#include "api/dmuser-worker.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/wait.h>

static struct confined worker;
static int resource = -1;

static int setup(void **state)
{
	worker = (struct confined){ .link = -1, .setup = -1, .control = -1, .channel = -1 };
	resource = memfd_create("volume", MFD_CLOEXEC);
	return ftruncate(resource, CONFINED_SIZE_BYTES);
}

static int teardown(void **state)
{
	confined_end(&worker);
	fd_close_many(&resource, 1);
	return 0;
}

static void start(const char *type, const char *argument)
{
	struct worker_setup volume;

	confined_fill_setup(&volume);
	confined_start(&worker, type, &volume, resource, argument);
}

static void start_sealed(const char *type)
{
	struct confine_report report;

	start(type, NULL);
	confined_take_report(&worker, &report);
	assert_string_equal(report.detail, "");
	assert_string_equal(confine_step_name(report.step), "sealed");
	assert_int_equal(report.error, 0);
	confined_attach(&worker);
}

static void expect_success(uint64_t type, uint64_t flags, uint64_t sector, uint64_t len,
			   const void *payload)
{
	uint64_t seq = kernel_side_request(worker.channel, type, flags, sector, len, payload);

	kernel_side_expect(worker.channel, seq, DM_USER_RESP_SUCCESS);
}

static void expect_bytes(uint64_t sector, char byte, size_t size)
{
	static char got[DMUSER_IO_MAX_BYTES], wanted[DMUSER_IO_MAX_BYTES];

	expect_success(DM_USER_REQ_MAP_READ, 0, sector, size, NULL);
	kernel_side_receive(worker.channel, got, size);
	memset(wanted, byte, size);
	assert_memory_equal(got, wanted, size);
}

static void stop(void)
{
	const struct worker_message request = { .version = WORKER_MESSAGE_VERSION,
						.op = WORKER_STOP };
	int status;

	assert_int_equal(fd_send(worker.control, &request, sizeof(request), NULL, 0, 0), 0);
	status = confined_reap(&worker);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), DMUSER_EXIT_OK);
}

/* Every operation and flag that the kernel sends; a missing profile entry would kill the worker. */
static void expect_all_operations_work(void)
{
	static char payload[DMUSER_IO_MAX_BYTES];
	const uint64_t noun = DM_USER_REQ_MAP_FLAG_NOUNMAP, fua = DM_USER_REQ_MAP_FLAG_FUA;

	memset(payload, 'w', sizeof(payload));
	expect_success(DM_USER_REQ_MAP_WRITE, 0, 0, sizeof(payload), payload);
	expect_success(DM_USER_REQ_MAP_WRITE, fua, 2048, sizeof(payload), payload);
	expect_bytes(1024, 'w', sizeof(payload));
	expect_success(DM_USER_REQ_MAP_FLUSH, 0, 0, 0, NULL);
	expect_success(DM_USER_REQ_MAP_DISCARD, 0, 0, 8192, NULL);
	expect_bytes(16, 'w', 8192);
	expect_success(DM_USER_REQ_MAP_WRITE_ZEROES, 0, 17, 8192, NULL);
	expect_bytes(16, 'w', 512);
	expect_bytes(17, 0, 8192);
	expect_bytes(33, 'w', 512);
	expect_success(DM_USER_REQ_MAP_WRITE_ZEROES, noun, 41, 512, NULL);
	expect_bytes(41, 0, 512);
	expect_success(DM_USER_REQ_MAP_WRITE_ZEROES, noun | fua, 64, 4096, NULL);
	expect_bytes(64, 0, 4096);
	expect_success(DM_USER_REQ_MAP_WRITE_ZEROES, 0, 0, CONFINED_SIZE_BYTES, NULL);
	expect_bytes(2048, 0, DMUSER_IO_MAX_BYTES);
}

static void memory_does_everything_under_its_profile(void **state)
{
	start_sealed("memory");
	expect_all_operations_work();
	stop();
}

static void memory_takes_nothing_for_a_look(void **state)
{
	struct stat st;

	start_sealed("memory");
	for (uint64_t sector = 0; sector < CONFINED_SIZE_BYTES / 512; sector += 2048)
		expect_bytes(sector, 0, DMUSER_IO_MAX_BYTES);
	assert_int_equal(fstat(resource, &st), 0);
	assert_int_equal(st.st_blocks, 0);
	stop();
}

/* In a file of the build's file system, which can do more and other things than a memfd. */
static void file_does_everything_under_its_profile(void **state)
{
	fd_close_many(&resource, 1);
	resource = open(confined_build, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	assert_true(resource >= 0);
	assert_int_equal(ftruncate(resource, CONFINED_SIZE_BYTES), 0);
	start_sealed("file");
	expect_all_operations_work();
	stop();
}

static void expect_report(enum confine_step step, int error, const char *detail)
{
	struct confine_report report;
	int status;

	confined_take_report(&worker, &report);
	assert_string_equal(confine_step_name(report.step), confine_step_name(step));
	assert_int_equal(report.error, error);
	assert_non_null(strstr(report.detail, detail));
	status = confined_reap(&worker);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), DMUSER_EXIT_SETUP);
}

static void use_an_image_of_the_builds_file_system(void)
{
	fd_close_many(&resource, 1);
	resource = open(confined_build, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	assert_true(resource >= 0);
	assert_int_equal(ftruncate(resource, CONFINED_SIZE_BYTES), 0);
	if (fcntl(resource, F_SETFL, O_DIRECT) < 0) {
		print_message("the build's file system knows no O_DIRECT\n");
		skip();
	}
	assert_int_equal(fcntl(resource, F_SETFL, 0), 0);
}

static void start_direct(void)
{
	struct worker_setup volume;

	confined_fill_setup(&volume);
	volume.n_options = 1;
	strcpy(volume.options[0].name, "direct");
	strcpy(volume.options[0].value, "true");
	confined_start(&worker, "file", &volume, resource, NULL);
}

static void a_direct_file_does_everything_past_the_page_cache(void **state)
{
	struct confine_report report;

	use_an_image_of_the_builds_file_system();
	start_direct();
	confined_take_report(&worker, &report);
	assert_string_equal(report.detail, "");
	confined_attach(&worker);
	expect_all_operations_work();
	assert_true(fcntl(resource, F_GETFL) & O_DIRECT);
	stop();
}

/* Where the volume is swap, there is no memory to be had until the request is done. */
static void a_direct_file_takes_no_memory_to_answer(void **state)
{
	struct confine_report report;
	unsigned long long before;

	use_an_image_of_the_builds_file_system();
	start_direct();
	confined_take_report(&worker, &report);
	assert_string_equal(report.detail, "");
	confined_attach(&worker);
	before = proc_count_faults(worker.pid);
	assert_true(before > 4 * DMUSER_IO_MAX_BYTES / 4096);
	for (size_t i = 0; i < 16; i++)
		expect_all_operations_work();
	assert_int_equal(proc_count_faults(worker.pid), before);
	stop();
}

static void all_of_the_program_is_in_memory(void **state)
{
	unsigned long long size, resident;

	if (geteuid() != 0) {
		print_message("only root may look at another process's mappings\n");
		skip();
	}
	start_sealed("file");
	proc_count_mapped(worker.pid, &size, &resident);
	assert_true(size > 100);
	assert_int_equal(resident, size);
	stop();
}

/* Neither time to clear two megabytes nor the memory, where a request is a few sectors. */
static void a_small_request_takes_no_huge_page(void **state)
{
	if (geteuid() != 0 || access("/sys/kernel/mm/transparent_hugepage", F_OK) < 0) {
		print_message("only root may look at another process's mappings, and not each kernel has huge pages\n");
		skip();
	}
	start_sealed("file");
	/* Newer kernels have none for the threads' stacks either, which are less. */
	assert_true(proc_count_flagged(worker.pid, "nh") >= 4 * DMUSER_IO_MAX_BYTES / 1024);
	stop();
}

static void an_image_that_cannot_be_read_directly_is_reported(void **state)
{
	fd_close_many(&resource, 1);
	resource = open("/dev/null", O_WRONLY | O_CLOEXEC);
	assert_true(resource >= 0);
	start_direct();
	expect_report(CONFINE_PREPARE, -EINVAL, "direct: ");
}

/* tmpfs cannot zero a range that stays allocated: the backend's slow way. */
static void file_zeroes_where_the_file_system_cannot(void **state)
{
	start_sealed("file");
	expect_all_operations_work();
	stop();
}

static void null_forgets_everything_under_its_profile(void **state)
{
	static char payload[DMUSER_IO_MAX_BYTES];
	struct confine_report report;
	struct worker_setup volume;

	confined_fill_setup(&volume);
	volume.n_resources = 0;
	confined_start(&worker, "null", &volume, -1, NULL);
	confined_take_report(&worker, &report);
	assert_string_equal(report.detail, "");
	assert_int_equal(report.error, 0);
	confined_attach(&worker);
	memset(payload, 'n', sizeof(payload));
	for (size_t i = 0; i < 4; i++)
		expect_success(DM_USER_REQ_MAP_WRITE, 0, 0, sizeof(payload), payload);
	expect_bytes(0, 0, sizeof(payload));
	expect_success(DM_USER_REQ_MAP_FLUSH, 0, 0, 0, NULL);
	expect_success(DM_USER_REQ_MAP_DISCARD, 0, 0, 8192, NULL);
	expect_success(DM_USER_REQ_MAP_WRITE_ZEROES, 0, 17, CONFINED_SIZE_BYTES - 17 * 512, NULL);
	stop();
}

/* As a backend with a layout of its own needs it. */
static void an_image_may_be_larger_than_the_volume_and_does_not_grow(void **state)
{
	assert_int_equal(ftruncate(resource, 2 * CONFINED_SIZE_BYTES), 0);
	start_sealed("file");
	proc_expect_limit(worker.pid, "Max file size", "4194304");
}

static void memory_outlives_its_worker(void **state)
{
	char payload[4096];

	memset(payload, 'm', sizeof(payload));
	start_sealed("memory");
	expect_success(DM_USER_REQ_MAP_WRITE, 0, 128, sizeof(payload), payload);
	kill(worker.pid, SIGKILL);
	confined_end(&worker);
	start_sealed("memory");
	expect_bytes(128, 'm', sizeof(payload));
}

static void requests_at_once_all_return(void **state)
{
	char payload[4096];
	uint64_t last;

	memset(payload, 'c', sizeof(payload));
	start_sealed("file");
	for (unsigned int i = 0; i < 100; i++)
		last = kernel_side_request(worker.channel, DM_USER_REQ_MAP_WRITE, 0, i * 8,
					   sizeof(payload), payload);
	for (unsigned int i = 0; i < 100; i++) {
		struct dm_user_message answer;

		kernel_side_receive(worker.channel, &answer, sizeof(answer));
		assert_int_equal(answer.type, DM_USER_RESP_SUCCESS);
		assert_true(answer.seq <= last && answer.seq > last - 100);
	}
	expect_bytes(0, 'c', 100 * sizeof(payload));
}

static void a_stopped_worker_goes_on(void **state)
{
	start_sealed("memory");
	kernel_side_expect_alive(worker.channel);
	kill(worker.pid, SIGSTOP);
	assert_int_equal(waitpid(worker.pid, NULL, WUNTRACED), worker.pid);
	kill(worker.pid, SIGCONT);
	kernel_side_expect_alive(worker.channel);
	stop();
}

static void a_second_channel_is_refused_under_the_profile(void **state)
{
	struct worker_message answer;
	int pair[2];

	start_sealed("memory");
	kernel_side_pair(pair);
	confined_ask(&worker, WORKER_CHANNEL, &pair[1], 1, &answer);
	assert_int_equal(answer.error, -EBUSY);
	fd_close_many(pair, 2);
	kernel_side_expect_alive(worker.channel);
}

static void a_bad_control_message_costs_the_connection_alone(void **state)
{
	char byte = 0;

	start_sealed("memory");
	assert_int_equal(fd_send(worker.control, &byte, 1, (int[]){ 0, 1, 2 }, 3, 0), 0);
	assert_int_equal(recv(worker.control, &byte, 1, 0), 0);
	kernel_side_expect_alive(worker.channel);
}

static void the_sealed_worker_is_what_the_gate_looks_for(void **state)
{
	static const char *const zero[] = { "CapInh", "CapPrm", "CapEff", "CapAmb" };

	start_sealed("file");
	assert_int_equal(proc_count_threads(worker.pid), 5);
	for (size_t i = 0; i < ARRAY_SIZE(zero); i++)
		proc_expect_every_thread(worker.pid, zero[i], 0);
	proc_expect_every_thread(worker.pid, "NoNewPrivs", 1);
	proc_expect_every_thread(worker.pid, "Seccomp", 2);
	proc_expect_every_thread(worker.pid, "Seccomp_filters", 1);
	assert_true(proc_value(worker.pid, "VmLck") > 0);
	proc_expect_limit(worker.pid, "Max core file size", "0");
	proc_expect_limit(worker.pid, "Max file size", "2097152");
	proc_expect_limit(worker.pid, "Max open files", "8");
}

/* From link to resource, and nothing else: the profile pins these numbers. */
static void descriptors_are_where_the_profile_expects_them(void **state)
{
	char path[64], target[64];
	struct stat mine, theirs;

	if (geteuid() != 0) {
		print_message("only root may look at another process's descriptors\n");
		skip();
	}
	start_sealed("memory");
	for (int fd = 3; fd <= 7; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", worker.pid, fd);
		assert_int_equal(readlink(path, target, sizeof(target)) > 0, fd < 7);
	}
	snprintf(path, sizeof(path), "/proc/%d/fd/6", worker.pid);
	assert_int_equal(stat(path, &theirs), 0);
	assert_int_equal(fstat(resource, &mine), 0);
	assert_int_equal(mine.st_ino, theirs.st_ino);
}

static void an_image_that_is_too_small_is_reported(void **state)
{
	assert_int_equal(ftruncate(resource, 512), 0);
	start("file", NULL);
	expect_report(CONFINE_PREPARE, -ENOSPC, "holds 512 bytes, the volume 2097152");
}

static void other_resources_than_the_backends_are_reported(void **state)
{
	struct worker_setup volume;

	confined_fill_setup(&volume);
	volume.n_resources = 2;
	confined_start(&worker, "memory", &volume, resource, NULL);
	expect_report(CONFINE_SETUP, -EINVAL, "manifest");
}

static void more_requests_than_its_memory_has_room_for_are_reported(void **state)
{
	struct worker_setup volume;
	struct confine_report report;

	confined_fill_setup(&volume);
	volume.requests_max = 1;
	confined_start(&worker, "memory", &volume, resource, NULL);
	/* 2 MiB, 256 KiB for each of two threads, and the requests. */
	expect_report(CONFINE_SETUP, -ENOMEM,
		      "2 requests at once need memory_max_bytes 4718592 in the manifest, which has "
		      "room for 1");
	confined_end(&worker);
	volume.requests_max = 2;
	confined_start(&worker, "memory", &volume, resource, NULL);
	confined_take_report(&worker, &report);
	assert_string_equal(confine_step_name(report.step), "sealed");
}

static void another_version_is_reported(void **state)
{
	struct worker_setup volume;

	confined_fill_setup(&volume);
	volume.version++;
	confined_start(&worker, "memory", &volume, resource, NULL);
	expect_report(CONFINE_SETUP, -EPROTONOSUPPORT, "version");
}

#ifdef DMUSER_TEST_HOOKS
static void a_skipped_step_is_missing(void **state)
{
	struct confine_report report;

	start("memory", "--test-steps=inner-filter::");
	confined_take_report(&worker, &report);
	assert_int_equal(report.step, CONFINE_SEALED);
	proc_expect_every_thread(worker.pid, "Seccomp_filters", 0);
	confined_end(&worker);
	start("memory", "--test-steps=mlock::");
	confined_take_report(&worker, &report);
	assert_int_equal(report.step, CONFINE_SEALED);
	assert_int_equal(proc_value(worker.pid, "VmLck"), 0);
	proc_expect_every_thread(worker.pid, "Seccomp_filters", 1);
}
#endif

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(memory_does_everything_under_its_profile),
		T(memory_takes_nothing_for_a_look),
		T(file_does_everything_under_its_profile),
		T(a_direct_file_does_everything_past_the_page_cache),
		T(a_direct_file_takes_no_memory_to_answer),
		T(all_of_the_program_is_in_memory),
		T(a_small_request_takes_no_huge_page),
		T(an_image_that_cannot_be_read_directly_is_reported),
		T(file_zeroes_where_the_file_system_cannot),
		T(null_forgets_everything_under_its_profile),
		T(an_image_may_be_larger_than_the_volume_and_does_not_grow),
		T(memory_outlives_its_worker),
		T(requests_at_once_all_return),
		T(a_stopped_worker_goes_on),
		T(a_second_channel_is_refused_under_the_profile),
		T(a_bad_control_message_costs_the_connection_alone),
		T(the_sealed_worker_is_what_the_gate_looks_for),
		T(descriptors_are_where_the_profile_expects_them),
		T(an_image_that_is_too_small_is_reported),
		T(other_resources_than_the_backends_are_reported),
		T(more_requests_than_its_memory_has_room_for_are_reported),
		T(another_version_is_reported),
#ifdef DMUSER_TEST_HOOKS
		T(a_skipped_step_is_missing),
#endif
	};

	if (argc != 2) {
		fprintf(stderr, "Usage: %s BUILD\n", argv[0]);
		return 2;
	}
	confined_build = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
