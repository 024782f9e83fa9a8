// SPDX-License-Identifier: Apache-2.0
/* Mount points in a hostile root, and work that hangs. */
#include "cmocka-all.h"
#include "api/client/deadline.h"
#include "ctl/oci-hook/child.h"
#include "ctl/oci-hook/place.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

static char top[64]; /* rootfs/ and victim/ are in it */
static int root = -EBADF;

static int set_up(void **state)
{
	char path[128];

	strcpy(top, "/tmp/dmuser-place-XXXXXX");
	if (!mkdtemp(top))
		return -1;
	snprintf(path, sizeof(path), "%s/victim", top);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/rootfs", top);
	mkdir(path, 0755);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root < 0;
}

static int tear_down(void **state)
{
	char command[128];

	close(root);
	snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command);
}

static int point_at(const char *path, size_t *ret_n_made)
{
	struct trouble t = {};
	int point, r;

	r = place_open_point(root, path, &point, ret_n_made, &t);
	if (r < 0)
		assert_true(t.message[0] != 0);
	return r < 0 ? r : point;
}

/* The path of what a descriptor holds, below top. */
static const char *path_of(int fd)
{
	static char target[4096];
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, target, sizeof(target) - 1);
	assert_true(n > 0);
	target[n] = 0;
	return target + strlen(top);
}

static void a_directory_that_is_there_is_used(void **state)
{
	size_t n_made;
	int point;

	assert_int_equal(mkdirat(root, "data", 0700), 0);
	point = point_at("/data", &n_made);
	assert_true(point >= 0);
	assert_int_equal(n_made, 0);
	assert_string_equal(path_of(point), "/rootfs/data");
	close(point);
}

static void what_is_missing_is_made(void **state)
{
	size_t n_made;
	int point;

	assert_int_equal(mkdirat(root, "srv", 0755), 0);
	point = point_at("/srv/a/b", &n_made);
	assert_true(point >= 0);
	assert_int_equal(n_made, 2);
	assert_string_equal(path_of(point), "/rootfs/srv/a/b");
	close(point);
}

static void links_never_lead_out_of_the_root(void **state)
{
	char victim[128];
	size_t n_made;
	int point;

	snprintf(victim, sizeof(victim), "%s/victim", top);
	assert_int_equal(symlinkat(victim, root, "absolute"), 0);
	assert_int_equal(symlinkat("../victim", root, "relative"), 0);
	assert_int_equal(symlinkat("../../../../../../..", root, "up"), 0);
	assert_int_equal(mkdirat(root, "victim", 0755), 0);

	/* The absolute one means a path within the root, where there is none. */
	assert_int_equal(point_at("/absolute", &n_made), -ELOOP);
	point = point_at("/relative", &n_made);
	assert_string_equal(path_of(point), "/rootfs/victim");
	close(point);
	/* To the root itself, which is refused. */
	assert_int_equal(point_at("/up", &n_made), -EPERM);
	point = point_at("/up/made", &n_made);
	assert_string_equal(path_of(point), "/rootfs/made");
	close(point);
	/* Nothing was made outside. */
	snprintf(victim, sizeof(victim), "%s/victim/x", top);
	assert_true(point_at("/absolute/x", &n_made) < 0);
	assert_int_equal(access(victim, F_OK), -1);
}

static void links_to_themselves_and_files_are_refused(void **state)
{
	size_t n_made;

	assert_int_equal(symlinkat("loop", root, "loop"), 0);
	close(openat(root, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(point_at("/loop", &n_made), -ELOOP);
	assert_int_equal(point_at("/file", &n_made), -ENOTDIR);
	assert_int_equal(point_at("/file/x", &n_made), -ENOTDIR);
}

static void links_to_dev_are_refused(void **state)
{
	size_t n_made;

	assert_int_equal(mkdirat(root, "dev", 0755), 0);
	assert_int_equal(symlinkat("/dev", root, "data"), 0);
	assert_int_equal(point_at("/data", &n_made), -EPERM);
}

/* The host's own root stands for a container's, whose /proc and /sys are mounted. */
static void links_to_proc_and_sys_are_refused(void **state)
{
	int host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct trouble t = {};
	char path[128];
	size_t n_made;
	int point;

	assert_int_equal(symlinkat("/proc/sys", root, "p"), 0);
	assert_int_equal(symlinkat("/sys/kernel", root, "s"), 0);
	snprintf(path, sizeof(path), "%s/rootfs/p", top);
	assert_int_equal(place_open_point(host, path, &point, &n_made, &t), -EPERM);
	snprintf(path, sizeof(path), "%s/rootfs/s", top);
	assert_int_equal(place_open_point(host, path, &point, &n_made, &t), -EPERM);
	close(host);
}

static void a_failure_half_way_unmakes_what_was_made(void **state)
{
	char path[600] = "/a/b/";
	struct stat st;
	size_t n_made;

	memset(path + 5, 'x', 256); /* too long a name */
	assert_int_equal(point_at(path, &n_made), -ENAMETOOLONG);
	assert_int_equal(fstatat(root, "a", &st, 0), -1);
}

static int tmpfs_mount(void)
{
	int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), mount;

	if (fs < 0)
		return -errno;
	mount = fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ?
			-errno : fsmount(fs, FSMOUNT_CLOEXEC, 0);
	close(fs);
	return mount;
}

/* In a child with a mount namespace of its own. 0: all is as it should be. */
static int placing(void *argument, int *ret_fd, struct trouble *t)
{
	struct placement two[2] = { { "a", "/a/b", -EBADF }, { "b", "/c", -EBADF } };
	char rootfs[128];
	struct stat st;

	snprintf(rootfs, sizeof(rootfs), "%s/rootfs", top);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -EOPNOTSUPP;
	two[0].mount = tmpfs_mount();
	if (two[0].mount < 0)
		return -EOPNOTSUPP;
	/* The second cannot be attached: nothing of the first may stay. */
	if (place_here(rootfs, two, 2, t) != -EBADF)
		return -1000;
	if (fstatat(root, "a", &st, 0) == 0 || fstatat(root, "c", &st, 0) == 0)
		return -1001;
	if (strcmp(t->volume, "b") != 0 || strcmp(t->step, "attaching") != 0)
		return -1002;
	closep(&two[0].mount);
	two[0].mount = tmpfs_mount();
	two[1].mount = tmpfs_mount();
	if (place_here(rootfs, two, 2, t) != 0)
		return -1003;
	/* Again: what is there is not covered a second time. */
	if (place_here(rootfs, two, 2, t) != 0)
		return -1004;
	snprintf(rootfs, sizeof(rootfs), "%s/rootfs/c", top);
	if (umount2(rootfs, MNT_DETACH) < 0)
		return -1005;
	return umount2(rootfs, MNT_DETACH) < 0 ? 0 : -1006;
}

static void all_are_placed_once_or_none(void **state)
{
	struct trouble t = {};
	int r = child_run(placing, NULL, deadline_after_ms(10000), NULL, &t);

	if (r == -EOPNOTSUPP)
		skip(); /* not root */
	assert_int_equal(r, 0);
}

static int hang(void *argument, int *ret_fd, struct trouble *t)
{
	trouble_step(t, "v", "hanging");
	pause();
	return 0;
}

static int die(void *argument, int *ret_fd, struct trouble *t)
{
	_exit(0);
}

static int give_fd(void *argument, int *ret_fd, struct trouble *t)
{
	*ret_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return 0;
}

static int complain(void *argument, int *ret_fd, struct trouble *t)
{
	return trouble_set(t, -EIO, "no luck");
}

static void work_that_hangs_is_given_up_and_named(void **state)
{
	struct trouble t = {};

	assert_int_equal(child_run(hang, NULL, deadline_after_ms(1000), NULL, &t), -ETIMEDOUT);
	assert_string_equal(t.step, "hanging");
	assert_string_equal(t.volume, "v");
	assert_true(t.message[0] != 0);
}

static void work_gives_back_what_it_made_and_what_went_wrong(void **state)
{
	struct trouble t = {};
	int fd = -EBADF;

	assert_int_equal(child_run(die, NULL, deadline_after_ms(10000), &fd, &t), -ECHILD);
	memset(&t, 0, sizeof(t));
	assert_int_equal(child_run(complain, NULL, deadline_after_ms(10000), &fd, &t), -EIO);
	assert_string_equal(t.message, "no luck");
	assert_int_equal(child_run(give_fd, NULL, deadline_after_ms(10000), &fd, &t), 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
}

#define IN_ROOT(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_ROOT(a_directory_that_is_there_is_used),
		IN_ROOT(what_is_missing_is_made),
		IN_ROOT(links_never_lead_out_of_the_root),
		IN_ROOT(links_to_themselves_and_files_are_refused),
		IN_ROOT(links_to_dev_are_refused),
		IN_ROOT(links_to_proc_and_sys_are_refused),
		IN_ROOT(a_failure_half_way_unmakes_what_was_made),
		IN_ROOT(all_are_placed_once_or_none),
		cmocka_unit_test(work_that_hangs_is_given_up_and_named),
		cmocka_unit_test(work_gives_back_what_it_made_and_what_went_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
