// SPDX-License-Identifier: Apache-2.0
/* What a volume's bytes may lie in, and what is refused before it is touched. */
#include "dmuserd/supervisor/backing.h"
#include "tests/unit/volume/test.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static char image[300]; /* <directory>/image */

static int setup(void **state)
{
	*state = make_directory();
	snprintf(image, sizeof(image), "%s/image", (char *)*state);
	/* Others than root come as far as the image. */
	return chmod(*state, 0755);
}

static int teardown(void **state)
{
	remove_directory(*state);
	return 0;
}

/* Played: another request for the same image comes at the worst moment, just before the first lock. */
static struct {
	const struct backing_request *request; /* NULL: none comes */
	struct backing got;
	int result;
} rival;

/* Played likewise: whoever made it removes it again. */
static struct {
	const char *path; /* NULL: nobody does */
} remover;

int flock(int fd, int operation)
{
	const struct backing_request *request = rival.request;
	struct failure f = {};

	rival.request = NULL;
	if (request)
		rival.result = backing_open_image(request, &rival.got, &f);
	if (remover.path)
		unlink(remover.path);
	remover.path = NULL;
	return (int)syscall(SYS_flock, fd, operation);
}

static void make_image(off_t size)
{
	int fd = open(image, O_CREAT | O_RDWR, 0600);

	assert_true(fd >= 0);
	assert_return_code(ftruncate(fd, size), errno);
	close(fd);
}

static struct backing_request ask(uint64_t size)
{
	return (struct backing_request){
		.option = "path",
		.path = image,
		.size_bytes = size,
		.block_size = 512,
	};
}

static struct backing take(const struct backing_request *request)
{
	struct backing b = { .fd = -EBADF };
	struct failure f = {};

	if (backing_open_image(request, &b, &f) != 0)
		fail_msg("%s", f.reason);
	assert_int_equal(fcntl(b.fd, F_GETFD), FD_CLOEXEC);
	return b;
}

/* Refused as that, with these words, and with nothing left open. */
static void refuse_as(const struct backing_request *request, enum failure_kind kind, const char *words)
{
	struct backing b = { .fd = -EBADF };
	size_t before = count_fds();
	struct failure f = {};

	assert_true(backing_open_image(request, &b, &f) < 0);
	assert_int_equal(f.kind, kind);
	assert_string_equal(f.subject, "path");
	if (!strstr(f.reason, words))
		fail_msg("\"%s\" does not say \"%s\"", f.reason, words);
	assert_int_equal(count_fds(), before);
}

static void refuse(const struct backing_request *request, const char *words)
{
	refuse_as(request, FAILURE_INVALID_OPTION, words);
}

static void memory_has_its_size_and_keeps_it(void **state)
{
	struct stat st;
	int fd;

	assert_int_equal(backing_open_memory("test", MIB, &fd), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, MIB);
	assert_int_equal(ftruncate(fd, MIB / 2), -1);
	assert_int_equal(ftruncate(fd, MIB * 2), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_true(backing_is_memory(fd));
	close(fd);
}

static void other_files_are_no_memory_of_ours(void **state)
{
	/* As a file on a tmpfs is, and one on a disk. */
	int fd = memfd_create("other", MFD_CLOEXEC), null = open("/dev/null", O_RDWR | O_CLOEXEC);

	assert_false(backing_is_memory(fd));
	assert_false(backing_is_memory(null));
	assert_false(backing_is_memory(-EBADF));
	close(fd);
	close(null);
}

static void a_wild_size_of_memory_is_an_error(void **state)
{
	size_t before = count_fds();
	int fd;

	assert_int_equal(backing_open_memory("test", UINT64_MAX, &fd), -EFBIG);
	assert_int_equal(count_fds(), before);
}

static void an_image_is_taken_as_large_as_it_is(void **state)
{
	struct backing_request request = ask(PARSER_UNSET);
	struct backing b;

	make_image(MIB);
	b = take(&request);
	assert_int_equal(b.size_bytes, MIB);
	assert_false(b.made);
	close(b.fd);
}

static void a_smaller_size_than_the_images_is_taken(void **state)
{
	struct backing_request request = ask(MIB / 2);
	struct backing b;

	make_image(MIB);
	b = take(&request);
	assert_int_equal(b.size_bytes, MIB / 2);
	close(b.fd);
}

static void a_larger_size_than_the_images_is_refused(void **state)
{
	struct backing_request request = ask(2 * MIB);

	make_image(MIB);
	refuse(&request, "fewer than");
}

static void an_odd_size_is_refused(void **state)
{
	struct backing_request request = ask(PARSER_UNSET);

	make_image(MIB + 100);
	refuse(&request, "no multiple of the block size 512; the size 1048576 can be asked for");
	request.block_size = 4096;
	assert_return_code(truncate(image, MIB + 512), errno);
	refuse(&request, "no multiple");
}

static void an_image_smaller_than_a_block_is_refused(void **state)
{
	struct backing_request request = ask(PARSER_UNSET);

	make_image(100);
	refuse(&request, "has 100 bytes, fewer than one block of 512");
}

/* Half of what is found would be advised otherwise, and refused in its turn. */
static void no_size_is_advised_that_the_backend_does_not_serve(void **state)
{
	struct backing_request request = ask(PARSER_UNSET);

	request.min_size_bytes = 4096;
	make_image(1000);
	refuse(&request, "has 1000 bytes, and a volume of this backend has at least 4096");
	request.size_bytes = 4096;
	refuse(&request, "has 1000 bytes, and a volume of this backend has at least 4096");
	assert_return_code(truncate(image, 2048), errno);
	refuse(&request, "at least 4096");
	assert_return_code(truncate(image, 4196), errno);
	request.size_bytes = PARSER_UNSET;
	refuse(&request, "the size 4096 can be asked for");
}

static void an_empty_image_is_refused(void **state)
{
	struct backing_request request = ask(PARSER_UNSET);

	make_image(0);
	refuse(&request, "empty");
}

static void a_missing_image_is_made_of_the_size_asked_for(void **state)
{
	struct backing_request request = ask(MIB);
	struct backing b = take(&request);
	struct stat st;

	assert_true(b.made);
	assert_int_equal(fstat(b.fd, &st), 0);
	assert_int_equal(st.st_size, MIB);
	assert_int_equal(st.st_mode & 0777, 0600);
	close(b.fd);
}

static void of_two_who_make_the_same_image_one_has_it(void **state)
{
	struct backing_request request = ask(MIB);
	struct failure f = {};
	struct backing b;
	struct stat st;

	rival.request = &request;
	rival.result = 0;
	if (backing_open_image(&request, &b, &f) == 0) {
		assert_true(rival.result < 0);
		assert_true(b.made);
	} else {
		assert_int_equal(rival.result, 0);
		b = rival.got;
	}
	/* And it is still there. */
	assert_return_code(stat(image, &st), errno);
	assert_int_equal(st.st_size, MIB);
	assert_int_equal(b.size_bytes, MIB);
	close(b.fd);
}

static void an_image_that_is_removed_meanwhile_is_not_taken(void **state)
{
	struct backing_request request = ask(MIB);

	make_image(MIB);
	remover.path = image;
	refuse_as(&request, FAILURE_BACKING_IN_USE, "removed");
}

static void a_missing_image_without_a_size_is_refused(void **state)
{
	struct backing_request request = ask(PARSER_UNSET);

	refuse(&request, "No such file");
	assert_int_equal(access(image, F_OK), -1);
}

static void a_missing_image_is_not_made_for_others_than_root(void **state)
{
	struct backing_request request = ask(MIB);

	request.owner = 1000;
	refuse(&request, "No such file");
	assert_int_equal(access(image, F_OK), -1);
}

static void a_missing_image_is_not_made_for_reading(void **state)
{
	struct backing_request request = ask(MIB);

	request.read_only = true;
	refuse(&request, "read-only");
	assert_int_equal(access(image, F_OK), -1);
}

/* A device's name that was mistyped, or whose driver is not loaded: a file there would be one in memory. */
static void a_missing_device_is_not_made_as_a_file(void **state)
{
	static const char path[] = "/dev/dmuser-test-no-such-device";
	struct backing_request request = ask(MIB);
	bool made;

	request.path = path;
	refuse(&request, "there is no such device");
	made = access(path, F_OK) == 0;
	unlink(path);
	assert_false(made);
}

static void an_image_that_cannot_be_so_large_is_not_left_behind(void **state)
{
	struct backing_request request = ask((uint64_t)INT64_MAX + 1);

	refuse(&request, "bytes long");
	assert_int_equal(access(image, F_OK), -1);
}

static void an_image_of_another_uid_is_refused(void **state)
{
	struct backing_request request = ask(PARSER_UNSET);

	make_image(MIB);
	request.owner = getuid() + 4242;
	refuse(&request, "does not belong");
}

static void an_image_of_the_callers_own_is_taken(void **state)
{
	struct backing_request request = ask(PARSER_UNSET);

	if (getuid() != 0)
		skip();
	make_image(MIB);
	assert_return_code(chown(image, 4242, 4242), errno);
	request.owner = 4242;
	close(take(&request).fd);
}

/* An image of uid 4242's own, in a directory of uid `owner`, shut like that. */
static struct backing_request ask_in_directory(const char *directory, uid_t owner, mode_t mode)
{
	struct backing_request request = ask(PARSER_UNSET);

	make_image(MIB);
	assert_return_code(chown(image, 4242, 4242), errno);
	assert_return_code(chown(directory, owner, owner), errno);
	assert_return_code(chmod(directory, mode), errno);
	request.owner = 4242;
	return request;
}

static void an_image_is_refused_where_its_owner_cannot_reach_it(void **state)
{
	static const struct {
		uid_t owner;
		mode_t mode;
	} shut[] = { { 0, 0700 }, { 0, 0711 & ~0010 }, { 0, 0710 }, { 4242, 0677 }, { 4243, 0766 } };
	struct backing_request request;

	if (getuid() != 0)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(shut); i++) {
		request = ask_in_directory(*state, shut[i].owner, shut[i].mode);
		refuse(&request, "all may search");
	}
	request = ask_in_directory(*state, 4242, 0700);
	close(take(&request).fd);
	request = ask_in_directory(*state, 4243, 0711);
	close(take(&request).fd);
}

static void what_is_shut_away_is_not_told_from_what_is_missing(void **state)
{
	struct backing_request request;
	char missing[310];

	if (getuid() != 0)
		skip();
	request = ask_in_directory(*state, 0, 0700);
	assert_return_code(chown(image, 0, 0), errno);
	refuse(&request, "all may search");
	snprintf(missing, sizeof(missing), "%s-missing", image);
	request.path = missing;
	refuse(&request, "all may search");
}

static void an_image_is_refused_that_its_owner_may_not_write(void **state)
{
	struct backing_request request;

	if (getuid() != 0)
		skip();
	request = ask_in_directory(*state, 0, 0755);
	assert_return_code(chmod(image, 0466), errno);
	refuse(&request, "read and written by its owner");
	request.read_only = true;
	close(take(&request).fd);
	assert_return_code(chmod(image, 0266), errno);
	refuse(&request, "read by its owner");
}

static void a_link_on_the_way_is_roots_alone(void **state)
{
	struct backing_request request;
	char link[310], path[330];

	if (getuid() != 0)
		skip();
	request = ask_in_directory(*state, 0, 0755);
	snprintf(link, sizeof(link), "%s-link", image);
	snprintf(path, sizeof(path), "%s/./image", link);
	assert_return_code(symlink(*state, link), errno);
	request.path = path;
	refuse(&request, "name what it leads to");
	request.owner = 0;
	close(take(&request).fd);
	request.owner = 4242;
	snprintf(path, sizeof(path), "%s//../%s/image", (char *)*state, strrchr(*state, '/') + 1);
	close(take(&request).fd);
}

static void a_symlink_is_refused_wherever_it_leads(void **state)
{
	struct backing_request request = ask(PARSER_UNSET);
	char link[310];

	make_image(MIB);
	snprintf(link, sizeof(link), "%s-link", image);
	assert_return_code(symlink(image, link), errno);
	request.path = link;
	refuse(&request, "symbolic link");
	assert_return_code(unlink(image), errno);
	request.size_bytes = MIB;
	refuse(&request, "symbolic link");
	assert_int_equal(access(image, F_OK), -1);
}

static void a_magic_link_on_the_way_is_refused(void **state)
{
	struct backing_request request = ask(PARSER_UNSET);

	make_image(MIB);
	request.path = "/proc/self/cwd/image";
	refuse(&request, "cannot open");
}

static void a_fifo_is_refused_without_waiting_for_its_writer(void **state)
{
	struct backing_request request = ask(PARSER_UNSET);

	assert_return_code(mkfifo(image, 0600), errno);
	refuse(&request, "neither");
}

static void a_directory_is_refused(void **state)
{
	struct backing_request request = ask(PARSER_UNSET);

	assert_return_code(mkdir(image, 0700), errno);
	refuse(&request, "neither");
}

static void a_character_device_is_refused(void **state)
{
	struct backing_request request = ask(PARSER_UNSET);

	request.path = "/dev/zero";
	refuse(&request, "neither");
}

static void a_socket_is_refused(void **state)
{
	struct backing_request request = ask(PARSER_UNSET);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", image);
	assert_return_code(bind(fd, (struct sockaddr *)&address, sizeof(address)), errno);
	refuse(&request, "neither");
	close(fd);
}

static void a_relative_path_is_refused(void **state)
{
	struct backing_request request = ask(PARSER_UNSET);

	request.path = "image";
	refuse(&request, "absolute");
}

static void an_image_has_one_writer(void **state)
{
	struct backing_request request = ask(PARSER_UNSET);
	struct backing first;

	make_image(MIB);
	first = take(&request);
	refuse_as(&request, FAILURE_BACKING_IN_USE, "in use");
	request.read_only = true;
	refuse_as(&request, FAILURE_BACKING_IN_USE, "in use");
	close(first.fd);
	close(take(&request).fd);
}

static void an_image_may_have_many_readers(void **state)
{
	struct backing_request request = ask(PARSER_UNSET);
	struct backing a, b;

	make_image(MIB);
	request.read_only = true;
	a = take(&request);
	b = take(&request);
	assert_int_equal(fcntl(b.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	request.read_only = false;
	refuse_as(&request, FAILURE_BACKING_IN_USE, "in use");
	close(a.fd);
	close(b.fd);
}

static void the_lock_lives_as_long_as_any_copy(void **state)
{
	struct backing_request request = ask(PARSER_UNSET);
	struct backing first;
	int copy;

	make_image(MIB);
	first = take(&request);
	copy = dup(first.fd);
	close(first.fd);
	refuse_as(&request, FAILURE_BACKING_IN_USE, "in use");
	close(copy);
	close(take(&request).fd);
}

static void unlink_spares_what_took_the_place(void **state)
{
	struct backing_request request = ask(MIB);
	struct backing b = take(&request);

	assert_return_code(unlink(image), errno);
	make_image(MIB);
	backing_unlink(image, b.fd);
	assert_int_equal(access(image, F_OK), 0);
	close(b.fd);
}

struct outcome {
	bool done;
	unsigned int calls;
	struct backing backing;
	struct failure failure;
};

static void on_done(void *userdata, const struct backing *backing, const struct failure *failure)
{
	struct outcome *o = userdata;

	o->done = true;
	o->calls++;
	if (backing)
		o->backing = *backing;
	else
		o->failure = *failure;
}

static void a_child_opens_as_well(void **state)
{
	struct backing_request request = ask(MIB);
	struct outcome o = {};
	struct backing_call *call;
	sd_event *event = new_loop();
	size_t before = count_fds();

	assert_int_equal(backing_start(event, &request, 5000, on_done, &o, &call), 0);
	run_until_flag(event, &o.done);
	assert_int_equal(o.failure.kind, FAILURE_NONE);
	assert_int_equal(o.backing.size_bytes, MIB);
	assert_true(o.backing.made);
	/* The lock came along. */
	request.size_bytes = PARSER_UNSET;
	refuse_as(&request, FAILURE_BACKING_IN_USE, "in use");
	close(o.backing.fd);

	o = (struct outcome){};
	request.path = "/dev/zero";
	assert_int_equal(backing_start(event, &request, 5000, on_done, &o, &call), 0);
	run_until_flag(event, &o.done);
	assert_int_equal(o.failure.kind, FAILURE_INVALID_OPTION);
	assert_int_equal(o.calls, 1);
	run_until_fds(event, before);
	sd_event_unref(event);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(memory_has_its_size_and_keeps_it),
		T(other_files_are_no_memory_of_ours),
		T(a_wild_size_of_memory_is_an_error),
		T(an_image_is_taken_as_large_as_it_is),
		T(a_smaller_size_than_the_images_is_taken),
		T(a_larger_size_than_the_images_is_refused),
		T(an_odd_size_is_refused),
		T(an_image_smaller_than_a_block_is_refused),
		T(no_size_is_advised_that_the_backend_does_not_serve),
		T(an_empty_image_is_refused),
		T(a_missing_image_is_made_of_the_size_asked_for),
		T(of_two_who_make_the_same_image_one_has_it),
		T(an_image_that_is_removed_meanwhile_is_not_taken),
		T(a_missing_image_without_a_size_is_refused),
		T(a_missing_image_is_not_made_for_others_than_root),
		T(a_missing_image_is_not_made_for_reading),
		T(a_missing_device_is_not_made_as_a_file),
		T(an_image_that_cannot_be_so_large_is_not_left_behind),
		T(an_image_of_another_uid_is_refused),
		T(an_image_of_the_callers_own_is_taken),
		T(an_image_is_refused_where_its_owner_cannot_reach_it),
		T(what_is_shut_away_is_not_told_from_what_is_missing),
		T(an_image_is_refused_that_its_owner_may_not_write),
		T(a_link_on_the_way_is_roots_alone),
		T(a_symlink_is_refused_wherever_it_leads),
		T(a_magic_link_on_the_way_is_refused),
		T(a_fifo_is_refused_without_waiting_for_its_writer),
		T(a_directory_is_refused),
		T(a_character_device_is_refused),
		T(a_socket_is_refused),
		T(a_relative_path_is_refused),
		T(an_image_has_one_writer),
		T(an_image_may_have_many_readers),
		T(the_lock_lives_as_long_as_any_copy),
		T(unlink_spares_what_took_the_place),
		T(a_child_opens_as_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
