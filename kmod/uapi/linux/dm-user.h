/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note */
/*
 * What the kernel module `dm-user` and its workers say to each other, version 1.
 *
 * A worker opens /dev/dm-user/NAME: each open is a channel. A channel is a byte stream both ways:
 * any size of read() and write() works, down to one byte. read() yields requests, each a struct
 * dm_user_message that a WRITE's payload follows; one read() never crosses the end of a header or
 * of a payload. write() takes answers: the request's message with its `type` replaced by a result
 * (enum dm_user_response), then, for a READ that succeeded, the request's `len` bytes. Answers come
 * in any order, on the channel that the request went out on.
 *
 * Values are in the machine's own byte order. This is the only copy of the ABI: user space builds
 * with -Ikmod/uapi, the module includes the same file. Nothing in here may ever change its value.
 */
#ifndef _LINUX_DM_USER_H
#define _LINUX_DM_USER_H

#include <linux/types.h>

/* Where the nodes are: DM_USER_DIRECTORY "/" NAME. */
#define DM_USER_DIRECTORY	"/dev/dm-user"

/* The longest NAME, without its NUL. NAME is [A-Za-z0-9][A-Za-z0-9._-]{0,63}. */
#define DM_USER_NAME_MAX	64

/* No READ or WRITE is larger: device-mapper splits them where the target's multiples of it are. */
#define DM_USER_MAX_IO_BYTES	1048576

/*
 * enum dm_user_request - what a request asks for, in dm_user_message.type
 *
 * READ, WRITE	@len bytes at @sector; a WRITE's bytes follow its header
 * FLUSH	all that was answered before this was submitted, on any channel, becomes durable
 * DISCARD	the contents of the range do not matter any more
 * SECURE_ERASE	the range's contents, and all copies of them, become unreadable
 * WRITE_ZEROES	the range reads as zeroes from now on; with NOUNMAP its space stays allocated
 *
 * WRITE_SAME and the zone operations are numbers kept free: the kernels that this module is built
 * for never send them to a target of this type.
 */
enum dm_user_request {
	DM_USER_REQ_MAP_READ		= 0,
	DM_USER_REQ_MAP_WRITE		= 1,
	DM_USER_REQ_MAP_FLUSH		= 2,
	DM_USER_REQ_MAP_DISCARD		= 3,
	DM_USER_REQ_MAP_SECURE_ERASE	= 4,
	DM_USER_REQ_MAP_WRITE_SAME	= 5,
	DM_USER_REQ_MAP_WRITE_ZEROES	= 6,
	DM_USER_REQ_MAP_ZONE_OPEN	= 7,
	DM_USER_REQ_MAP_ZONE_CLOSE	= 8,
	DM_USER_REQ_MAP_ZONE_FINISH	= 9,
	DM_USER_REQ_MAP_ZONE_APPEND	= 10,
	DM_USER_REQ_MAP_ZONE_RESET	= 11,
	DM_USER_REQ_MAP_ZONE_RESET_ALL	= 12,
};

/*
 * Hints and orders that came with a request, in dm_user_message.flags. Only FUA must be obeyed: the
 * WRITE is answered once its bytes are durable. A worker ignores bits that it does not know.
 *
 * After a FLUSH that did not succeed, no WRITE with FUA reaches a worker (its submitter gets EIO)
 * until a FLUSH that was read later does: it could be the end of a journal's commit that the FLUSH
 * was the beginning of.
 */
#define DM_USER_REQ_MAP_FLAG_FAILFAST_DEV	0x00001
#define DM_USER_REQ_MAP_FLAG_FAILFAST_TRANSPORT	0x00002
#define DM_USER_REQ_MAP_FLAG_FAILFAST_DRIVER	0x00004
#define DM_USER_REQ_MAP_FLAG_SYNC		0x00008
#define DM_USER_REQ_MAP_FLAG_META		0x00010
#define DM_USER_REQ_MAP_FLAG_PRIO		0x00020
#define DM_USER_REQ_MAP_FLAG_NOMERGE		0x00040
#define DM_USER_REQ_MAP_FLAG_IDLE		0x00080
#define DM_USER_REQ_MAP_FLAG_INTEGRITY		0x00100
#define DM_USER_REQ_MAP_FLAG_FUA		0x00200
#define DM_USER_REQ_MAP_FLAG_PREFLUSH		0x00400
#define DM_USER_REQ_MAP_FLAG_RAHEAD		0x00800
#define DM_USER_REQ_MAP_FLAG_BACKGROUND		0x01000
#define DM_USER_REQ_MAP_FLAG_NOWAIT		0x02000
#define DM_USER_REQ_MAP_FLAG_CGROUP_PUNT	0x04000
#define DM_USER_REQ_MAP_FLAG_NOUNMAP		0x08000
#define DM_USER_REQ_MAP_FLAG_HIPRI		0x10000
#define DM_USER_REQ_MAP_FLAG_DRV		0x20000
#define DM_USER_REQ_MAP_FLAG_SWAP		0x40000

/*
 * The request was delivered before, on a channel that ended without an answer: the worker of that
 * channel may have carried it out, in part or whole. It keeps its seq. Only a target whose table
 * says `on_close requeue` repeats requests, before all that are new, in the order of their seqs.
 *
 * A request that a noflush suspend took back before it went out again comes as a new one: device-
 * mapper keeps nothing of it, and the next table may not even have a worker. The bit is a hint: a
 * repeat asks for no more than a new request does, since its submitter has heard of no result.
 */
#define DM_USER_REQ_MAP_FLAG_REPEAT		0x8000000000000000

/*
 * enum dm_user_response - the result of a request, in an answer's dm_user_message.type
 *
 * SUCCESS	done; the answer to a READ carries the request's @len bytes
 * ERROR	the submitter gets EIO; the answer is the header alone
 * UNSUPPORTED	"not supported" to DISCARD, SECURE_ERASE and WRITE_ZEROES, EIO to anything else;
 *		the answer is the header alone
 *
 * Any other value, and a seq that is not outstanding on the channel, makes the write fail with
 * EINVAL and breaks the channel: it carries nothing any more. Its requests fail; or, with `on_close
 * requeue`, they wait for its last close, and then go out again on another channel.
 *
 * Why a channel carries nothing any more is the error of its reads and writes:
 *   EIO	it is broken: by a bad answer, a request's time-out, or the message `fail`
 *   ESTALE	it was fenced: workers of a later generation have taken its place
 *   ENOTBLK	its target is gone: a worker's clean end
 */
enum dm_user_response {
	DM_USER_RESP_SUCCESS		= 0,
	DM_USER_RESP_ERROR		= 1,
	DM_USER_RESP_UNSUPPORTED	= 2,
};

/**
 * struct dm_user_message - a request's header, and an answer's
 * @seq:	the request's number; counts up from 0, one a request of the target
 * @type:	enum dm_user_request on the way out, enum dm_user_response on the way back
 * @flags:	DM_USER_REQ_MAP_FLAG_*; ignored in an answer
 * @sector:	first sector of 512 bytes, counted from the target's start; ignored in an answer
 * @len:	bytes that the request is about, 0 for a FLUSH; ignored in an answer
 * @buf:	the payload of a WRITE, or of the answer to a READ
 */
struct dm_user_message {
	__u64 seq;
	__u64 type;
	__u64 flags;
	__u64 sector;
	__u64 len;
	__u8 buf[];
};

#endif /* _LINUX_DM_USER_H */
