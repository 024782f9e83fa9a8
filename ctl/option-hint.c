// SPDX-License-Identifier: Apache-2.0
/* What to do about an option of a backend that dmuserd refused; see option-hint.h. */
#include "ctl/option-hint.h"
#include "util/cleanup.h"

#include <stddef.h>
#include <string.h>

enum { ANYBODY, ROOT, OTHERS };
enum { ANYHOW, WITH_SIZE, WITHOUT_SIZE };
enum { ON_ANYTHING, ON_DEVICE, ON_CHARACTERS, ON_DIRECTORY };

const char option_hint_general[] = "'dmuserctl backends {backend}' lists what the backend takes";

/* The first that fits counts, so what is in parts of others comes before them. */
static const struct {
	const char *reason; /* is in it */
	const char *reason_too;
	int asked_by, asked_how, on;
	const char *hint;
} hints[] = {
	/* Backings that are held. */
	{ "is in use by another volume", "", ANYBODY, ANYHOW, ON_ANYTHING,
	  "release that volume ('dmuserctl list' names them); an image that is only read can be "
	  "shared: {--read-only} for each" },
	{ "is in use: mounted", "", ANYBODY, ANYHOW, ON_ANYTHING,
	  "a volume may have it ('dmuserctl list'), or a mount in a container (grep {value} "
	  "/proc/[0-9]*/mounts); lsblk {value} shows what lies on it: release or unmount that" },
	{ "as swap space", "", ANYBODY, ANYHOW, ON_ANYTHING,
	  "swapoff {value}, or choose another file" },
	{ "is in use by /dev/loop", "", ANYBODY, ANYHOW, ON_ANYTHING,
	  "losetup -j {value} shows the loop device: unmount that, and losetup -d it" },
	{ "has locked it", "", ANYBODY, ANYHOW, ON_ANYTHING,
	  "end that program, or what it does with {value}; 'lslocks' shows who that is" },
	{ "is being removed", "", ANYBODY, ANYHOW, ON_ANYTHING,
	  "try again in a moment, or with another file" },
	/* What a path leads to. */
	{ "is a symbolic link", "", ANYBODY, ANYHOW, ON_ANYTHING,
	  "readlink -f {value} says what it leads to: give that" },
	{ "neither a regular file nor", "", ANYBODY, ANYHOW, ON_CHARACTERS,
	  "{value} is a character device, which holds no blocks; give an image or a block device "
	  "(lsblk), or take another backend ('dmuserctl backends')" },
	{ "neither a regular file nor", "", ANYBODY, ANYHOW, ON_DIRECTORY,
	  "give an image in it, such as {image}" },
	{ "neither a regular file nor", "", ANYBODY, ANYHOW, ON_ANYTHING,
	  "give an image or a block device; ls -ld {value} shows what it is" },
	{ "does not belong to uid", "", ANYBODY, ANYHOW, ON_DEVICE,
	  "a device is root's: be root for this" },
	{ "does not belong to uid", "", ANYBODY, ANYHOW, ON_ANYTHING,
	  "an image has to be your own (chown), or be root for this" },
	{ "may not be read and written", "", ANYBODY, ANYHOW, ON_ANYTHING,
	  "chmod u+rw {value}, or {--read-only}" },
	{ "may not be read by", "", ANYBODY, ANYHOW, ON_ANYTHING, "chmod u+r {value}" },
	{ "all may search", "", ANYBODY, ANYHOW, ON_ANYTHING,
	  "namei -l {value} shows who may pass each of them" },
	{ "Not a directory", "", ANYBODY, ANYHOW, ON_ANYTHING,
	  "something in {directory} is a file and no directory: namei -l {value}" },
	/* What is not there. The directory is missing if not even root can have the image made. */
	{ "read-only volume needs its content", "", ANYBODY, ANYHOW, ON_ANYTHING,
	  "make and fill it first, or leave out {--read-only}" },
	{ "cannot make", "No such file", ANYBODY, ANYHOW, ON_ANYTHING,
	  "its directory is not there: mkdir -p {directory}" },
	{ "No such file", "", ANYBODY, ANYHOW, ON_DEVICE,
	  "check the path: lsblk -p names the devices there are" },
	{ "No such file", "", ROOT, ANYHOW, ON_ANYTHING,
	  "check the path; an image that is not there is made for root, if {--size} says how "
	  "large" },
	{ "No such file", "", OTHERS, WITH_SIZE, ON_ANYTHING,
	  "make it first, as it is made for root only: truncate -s {size} {value}; and its "
	  "directory, if that is missing" },
	{ "No such file", "", OTHERS, WITHOUT_SIZE, ON_ANYTHING,
	  "check the path, or make it first: truncate -s 64M {value}" },
	{ "No such device", "", ANYBODY, ANYHOW, ON_ANYTHING,
	  "there is nothing behind {value} now: lsblk -p names the devices there are" },
	/* What may not be written, or not by anybody. */
	{ "cannot make", "Operation not permitted", ANYBODY, ANYHOW, ON_ANYTHING,
	  "lsattr -d {directory}: if there is an i or a, chattr -ia {directory}, or choose another "
	  "place" },
	{ "Operation not permitted", "", ANYBODY, ANYHOW, ON_ANYTHING,
	  "lsattr {value}: if there is an i or a, chattr -ia {value}; what is immutable can be had "
	  "with {--read-only}" },
	{ "Text file busy", "", ANYBODY, ANYHOW, ON_ANYTHING,
	  "it is a program that runs (fuser {value} says where), or swap space: end that, or "
	  "choose another file" },
	{ "cannot open", "Read-only file system", ANYBODY, ANYHOW, ON_DEVICE,
	  "the device is read-only: {--read-only}, or blockdev --setrw {value}" },
	{ "cannot open", "Read-only file system", ANYBODY, ANYHOW, ON_ANYTHING,
	  "it can be had with {--read-only}; to be written to, it has to lie elsewhere, or its "
	  "file system to be remounted (findmnt -T {value})" },
	{ "Read-only file system", "", ANYBODY, ANYHOW, ON_ANYTHING,
	  "choose another place; findmnt -T {directory} shows what is mounted there" },
	{ "Permission denied", "", ROOT, ANYHOW, ON_DEVICE,
	  "the device may be read-only: if blockdev --getro {value} says 1, {--read-only}" },
	{ "No space left", "", ANYBODY, ANYHOW, ON_ANYTHING,
	  "df -h {directory} shows what is free: choose less, or another place" },
	{ "File too large", "", ANYBODY, ANYHOW, ON_ANYTHING,
	  "that file system takes no file of this size: choose a smaller {--size}, or another "
	  "place" },
	/* Its length. */
	{ "is empty", "", ANYBODY, ANYHOW, ON_DEVICE,
	  "there is nothing in that device (no medium?): lsblk -p shows each device's size" },
	{ "is empty", "", ANYBODY, WITH_SIZE, ON_ANYTHING,
	  "truncate -s {size} {value} makes it as large as that" },
	{ "is empty", "", ANYBODY, ANYHOW, ON_ANYTHING,
	  "truncate -s 64M {value} makes it as large as that" },
	{ "of this backend has at least", "", ANYBODY, ANYHOW, ON_DEVICE,
	  "choose a larger device" },
	{ "of this backend has at least", "", ANYBODY, WITH_SIZE, ON_ANYTHING,
	  "enlarge the image first: truncate -s {size} {value}" },
	{ "of this backend has at least", "", ANYBODY, ANYHOW, ON_ANYTHING,
	  "enlarge the image first: truncate -s {smallest} {value}" },
	{ "fewer than the", "asked for", ANYBODY, ANYHOW, ON_DEVICE,
	  "{--size=}{fitting} has all of it" },
	{ "fewer than the", "asked for", ANYBODY, ANYHOW, ON_ANYTHING,
	  "{--size=}{fitting} has all of it; or enlarge the image first: truncate -s {size} "
	  "{value}" },
	{ "fewer than one block", "", ANYBODY, ANYHOW, ON_DEVICE, "choose a larger device" },
	{ "fewer than one block", "", ANYBODY, ANYHOW, ON_ANYTHING,
	  "enlarge it, such as truncate -s 64M {value}" },
	{ "no multiple of the block size", "", ANYBODY, ANYHOW, ON_ANYTHING,
	  "{--size=}{fitting}: what lies behind it is left as it is" },
	/* Values by their kind. */
	{ "must be an absolute path", "", ANYBODY, ANYHOW, ON_ANYTHING,
	  "such as {-o}{option}=\"$PWD\"/{value}" },
	{ "a number of bytes", "", ANYBODY, ANYHOW, ON_ANYTHING,
	  "bytes, or a number with one of K, M, G, T after it, such as {-o}{option}=64M" },
	{ "must be true or false", "", ANYBODY, ANYHOW, ON_ANYTHING, "such as {-o}{option}=true" },
	{ "ended early", "", ANYBODY, ANYHOW, ON_ANYTHING, "try again; {log}" },
};

static int place(const struct option_circumstances *c)
{
	switch (c->backing) {
	case BACKING_BLOCK_DEVICE:
		return ON_DEVICE;
	case BACKING_CHARACTER_DEVICE:
		return ON_CHARACTERS;
	case BACKING_DIRECTORY:
		return ON_DIRECTORY;
	case BACKING_UNKNOWN:
		return c->is_in_dev ? ON_DEVICE : ON_ANYTHING;
	default:
		return ON_ANYTHING;
	}
}

const char *option_hint(const char *reason, const struct option_circumstances *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(hints); i++) {
		if (!strstr(reason, hints[i].reason) || !strstr(reason, hints[i].reason_too))
			continue;
		if (hints[i].asked_by != ANYBODY && (hints[i].asked_by == ROOT) != c->is_root)
			continue;
		if (hints[i].asked_how != ANYHOW &&
		    (hints[i].asked_how == WITH_SIZE) != c->has_size)
			continue;
		if (hints[i].on != ON_ANYTHING && hints[i].on != place(c))
			continue;
		return hints[i].hint;
	}
	return option_hint_general;
}
