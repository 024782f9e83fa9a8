// SPDX-License-Identifier: Apache-2.0
/*
 * The file system on a volume: found, or made; see filesystem.h. The only file that includes
 * libblkid's header.
 */
#include "ctl/oci-hook/filesystem.h"
#include "ctl/quantity.h"
#include "util/cleanup.h"

#include <blkid/blkid.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static void probe_freep(blkid_probe *probe)
{
	if (*probe)
		blkid_free_probe(*probe);
}

/*
 * Looks for anything that libblkid knows: *ret_found is a file system's or a partition table's
 * name, or empty if there is nothing.
 */
static int probe(const struct device *device, char *ret_found, size_t size, struct trouble *t)
{
	_cleanup_(probe_freep) blkid_probe pr = blkid_new_probe();
	const char *name = NULL;
	int r;

	if (!pr)
		return -ENOMEM;
	if (blkid_probe_set_device(pr, device->fd, 0, 0) < 0 ||
	    blkid_probe_enable_superblocks(pr, 1) < 0 ||
	    blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_TYPE) < 0 ||
	    blkid_probe_enable_partitions(pr, 1) < 0)
		return trouble_set(t, -EIO, "libblkid cannot look at %s", device->path);
	errno = 0;
	r = blkid_do_safeprobe(pr);
	if (r == -2)
		return trouble_set(t, -EUCLEAN, "it holds traces of more than one file system");
	if (r < 0)
		return trouble_set_errno(t, errno ? -errno : -EIO, "%s cannot be read",
					 device->path);
	if (r == 0 && blkid_probe_lookup_value(pr, "TYPE", &name, NULL) < 0 &&
	    blkid_probe_lookup_value(pr, "PTTYPE", &name, NULL) < 0)
		name = "something that has no name";
	snprintf(ret_found, size, "%s", r == 0 ? name : "");
	return 0;
}

/*
 * Quiet, not asking, not discarding: the backing is new. ext4: nothing kept back for root, since
 * the volume is the container's alone.
 */
static const char *const *mkfs_words(enum request_fs fs)
{
	static const char *const ext4[] = { "mkfs.ext4", "-q", "-F", "-m", "0", "-E",
					    "nodiscard,root_owner=0:0", NULL };
	static const char *const xfs[] = { "mkfs.xfs", "-q", "-f", "-K", NULL };
	static const char *const btrfs[] = { "mkfs.btrfs", "-q", "-f", "-K", NULL };

	return fs == REQUEST_FS_EXT4 ? ext4 : fs == REQUEST_FS_XFS ? xfs : btrfs;
}

static int mkfs_find(const char *name, char *ret_path, size_t size)
{
	static const char *const directories[] = { "/usr/sbin", "/sbin", "/usr/bin", "/bin" };

	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		snprintf(ret_path, size, "%s/%s", directories[i], name);
		if (access(ret_path, X_OK) == 0)
			return 0;
	}
	return -ENOENT;
}

/* argv is built before fork, so that the child only executes. */
__attribute__((noreturn)) static void mkfs_exec(const char *path, const char *const *argv,
						int output)
{
	static const char *const environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
						   NULL };
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (null < 0 || dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
		_exit(127);
	execve(path, (char *const *)argv, (char *const *)environment);
	_exit(127);
}

/* Reads to the end, and keeps the last part. */
static void read_tail(int fd, char *text, size_t size)
{
	size_t used = 0;
	ssize_t n;

	while ((n = read(fd, text + used, size - 1 - used)) > 0) {
		used += (size_t)n;
		if (used == size - 1) {
			memmove(text, text + used / 2, used - used / 2);
			used -= used / 2;
		}
	}
	text[used] = 0;
}

/*
 * The last line of what mkfs said that says something of what is wrong; the text ends with it then.
 */
static const char *last_line(char *text)
{
	/* mkfs.xfs ends with how it wants to be called. */
	const char *usage = strstr(text, "\nUsage:"), *last;
	size_t used = usage ? (size_t)(usage - text) : strlen(text);

	while (used > 0 && strchr("\n\r ", text[used - 1]))
		used--;
	text[used] = 0;
	last = strrchr(text, '\n');
	return last ? last + 1 : text;
}

/* Whether mkfs, which speaks C's language, says what has nothing to do with the volume's size. */
static bool has_another_reason(const char *text)
{
	static const int errors[] = { EIO, EFBIG, ENOSPC, ENOMEM, EROFS };

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (strstr(text, strerror(errors[i])))
			return true;
	return false;
}

/*
 * What mkfs of today wants at least: ext4 does not say so, and was measured (104K, and 224K in
 * blocks of 4 KiB, rounded up). Looked at only when it has failed: it knows better.
 */
static uint64_t smallest(const struct request *request)
{
	switch (request->fs) {
	case REQUEST_FS_EXT4:
		return request->block_size == 4096 ? 256 << 10 : 128 << 10;
	case REQUEST_FS_XFS:
		return 300 << 20;
	default:
		return 109 << 20;
	}
}

/* "a volume of 16M is too small for xfs, which needs 300M: " */
static void blame_size(const struct device *device, const struct request *request,
		       char *out, size_t size, struct trouble *t)
{
	char has[24], needs[24];

	quantity_format_size(device->size_bytes, has);
	quantity_format_size(smallest(request), needs);
	snprintf(out, size, "a volume of %s is too small for %s, which needs %s: ", has,
		 request_fs_name(request->fs), needs);
	trouble_hint(t, "give it size=%s or more%s", needs,
		     request->fs == REQUEST_FS_EXT4 ? "" : ", or ask for fs=ext4");
}

static int mkfs_run(const char *path, const char *const *argv, const struct device *device,
		    const struct request *request, struct trouble *t)
{
	char text[4096], blame[128] = "";
	int output[2], status;
	pid_t pid;

	if (pipe2(output, O_CLOEXEC) < 0)
		return trouble_set_errno(t, -errno, "no pipe for %s", argv[0]);
	pid = fork();
	if (pid == 0)
		mkfs_exec(path, argv, output[1]);
	close(output[1]);
	if (pid < 0) {
		close(output[0]);
		return trouble_set_errno(t, -errno, "%s cannot be started", argv[0]);
	}
	read_tail(output[0], text, sizeof(text));
	close(output[0]);
	if (waitpid(pid, &status, 0) < 0)
		return trouble_set_errno(t, -errno, "%s is lost", argv[0]);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (device->size_bytes < smallest(request) && !has_another_reason(text))
		blame_size(device, request, blame, sizeof(blame), t);
	return trouble_set(t, -EIO, "%s%s failed (status %d): %s", blame, argv[0],
			   WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
			   last_line(text));
}

static int format(const struct device *device, const struct request *request, struct trouble *t)
{
	const char *const *words = mkfs_words(request->fs);
	const char *argv[16];
	char path[64];
	size_t n = 0;

	trouble_step(t, NULL, "formatting");
	if (mkfs_find(words[0], path, sizeof(path)) < 0) {
		trouble_hint(t, "install %s",
			     request->fs == REQUEST_FS_EXT4 ? "e2fsprogs" :
			     request->fs == REQUEST_FS_XFS ? "xfsprogs" : "btrfs-progs");
		return trouble_set(t, -ENOENT, "%s is not installed", words[0]);
	}
	for (; words[n]; n++)
		argv[n] = words[n];
	argv[n++] = device->path;
	argv[n] = NULL;
	return mkfs_run(path, argv, device, request, t);
}

int filesystem_ensure(const struct device *device, const struct request *request, struct trouble *t)
{
	const char *wanted = request_fs_name(request->fs);
	char found[64];
	int r;

	trouble_step(t, NULL, "probing");
	r = probe(device, found, sizeof(found), t);
	if (r < 0)
		return r;
	if (strcmp(found, wanted) == 0)
		return 0;
	if (found[0]) {
		trouble_hint(t, "ask for fs=%s, or give the volume another backing", found);
		return trouble_set(t, -EMEDIUMTYPE, "it holds %s, and %s is asked for", found,
				   wanted);
	}
	if (!device->blank) {
		trouble_hint(t, "format it by hand if it may be: dmuserctl create, then mkfs.%s",
			     wanted);
		return trouble_set(t, -EMEDIUMTYPE,
				   "it holds no file system, but is not new either");
	}
	if (request->read_only)
		return trouble_set(t, -EROFS, "it is new and read only: there is nothing to mount");
	return format(device, request, t);
}
