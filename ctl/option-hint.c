// SPDX-License-Identifier: Apache-2.0
/* What to do about an option of a backend that dmuserd refused; see option-hint.h. */
#include "ctl/option-hint.h"
#include "util/cleanup.h"

#include <stddef.h>
#include <string.h>

enum { ANYBODY, ROOT, OTHERS };
enum { ANYHOW, WITH_SIZE, WITHOUT_SIZE };

/* The first that fits counts, so what is in parts of others comes before them. */
static const struct {
	const char *reason; /* is in it */
	const char *reason_too;
	int asked_by, asked_how;
	const char *hint;
} hints[] = {
	/* Backings that are held. */
	{ "is in use by another volume", "", ANYBODY, ANYHOW,
	  "release that volume ('dmuserctl list' names them); an image that is only read can be shared: "
	  "--read-only for each" },
	{ "is in use: mounted", "", ANYBODY, ANYHOW,
	  "lsblk {value} shows what has it: unmount that, or release the volume" },
	{ "as swap space", "", ANYBODY, ANYHOW, "swapoff {value}, or choose another file" },
	{ "is in use by /dev/loop", "", ANYBODY, ANYHOW,
	  "losetup -j {value} shows the loop device: unmount that, and losetup -d it" },
	{ "has locked it", "", ANYBODY, ANYHOW,
	  "end that program, or what it does with {value}; 'lslocks' shows who that is" },
	{ "is being removed", "", ANYBODY, ANYHOW, "try again in a moment, or with another file" },
	/* What a path leads to. */
	{ "is a symbolic link", "", ANYBODY, ANYHOW, "readlink -f {value} says what it leads to: give that" },
	{ "neither a regular file nor", "", ANYBODY, ANYHOW,
	  "give an image or a block device; if {value} is a directory, an image in it, such as "
	  "{value}/disk.img" },
	{ "does not belong to uid", "", ANYBODY, ANYHOW,
	  "an image has to be your own (chown), or be root for this" },
	{ "may not be read and written", "", ANYBODY, ANYHOW, "chmod u+rw {value}, or --read-only" },
	{ "may not be read by", "", ANYBODY, ANYHOW, "chmod u+r {value}" },
	{ "all may search", "", ANYBODY, ANYHOW,
	  "namei -l {value} shows who may pass each of them" },
	{ "Not a directory", "", ANYBODY, ANYHOW,
	  "something in {directory} is a file and no directory: namei -l {value}" },
	/* What is not there. The directory is missing if not even root can have the image made. */
	{ "read-only volume needs its content", "", ANYBODY, ANYHOW,
	  "make and fill it first, or leave out --read-only" },
	{ "cannot make", "No such file", ANYBODY, ANYHOW,
	  "its directory is not there: mkdir -p {directory}" },
	{ "No such file", "", ROOT, ANYHOW,
	  "check the path; an image that is not there is made for root, if --size says how large" },
	{ "No such file", "", OTHERS, WITH_SIZE,
	  "make it first, as it is made for root only: truncate -s {size} {value}; and its directory, if "
	  "that is missing" },
	{ "No such file", "", OTHERS, WITHOUT_SIZE,
	  "check the path, or make it first: truncate -s 64M {value}" },
	{ "Read-only file system", "", ANYBODY, ANYHOW,
	  "choose another place; an image that is there can be had with --read-only" },
	{ "No space left", "", ANYBODY, ANYHOW, "df -h {directory} shows what is free: choose less, or "
	  "another place" },
	{ "File too large", "", ANYBODY, ANYHOW,
	  "that file system takes no file of this size: choose a smaller --size, or another place" },
	/* Its length. */
	{ "is empty", "", ANYBODY, WITH_SIZE, "truncate -s {size} {value} makes it as large as that" },
	{ "is empty", "", ANYBODY, ANYHOW, "truncate -s 64M {value} makes it as large as that" },
	{ "fewer than the", "asked for", ANYBODY, ANYHOW,
	  "leave out --size to have it as large as it is, or enlarge the image first: truncate -s {size} "
	  "{value}" },
	{ "fewer than one block", "", ANYBODY, ANYHOW, "enlarge it, such as truncate -s 64M {value}" },
	{ "no multiple of the block size", "", ANYBODY, ANYHOW,
	  "give that size with --size: what lies behind it is left as it is" },
	/* Values by their kind. */
	{ "must be an absolute path", "", ANYBODY, ANYHOW, "such as -o {option}=\"$PWD\"/{value}" },
	{ "a number of bytes", "", ANYBODY, ANYHOW,
	  "bytes, or a number with one of K, M, G, T after it, such as -o {option}=64M" },
	{ "must be true or false", "", ANYBODY, ANYHOW, "such as -o {option}=true" },
	{ "ended early", "", ANYBODY, ANYHOW, "{log}" },
};

const char *option_hint(const char *reason, const struct option_circumstances *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(hints); i++) {
		if (!strstr(reason, hints[i].reason) || !strstr(reason, hints[i].reason_too))
			continue;
		if (hints[i].asked_by != ANYBODY && (hints[i].asked_by == ROOT) != c->is_root)
			continue;
		if (hints[i].asked_how != ANYHOW && (hints[i].asked_how == WITH_SIZE) != c->has_size)
			continue;
		return hints[i].hint;
	}
	return "'dmuserctl backends {backend}' lists what the backend takes";
}
