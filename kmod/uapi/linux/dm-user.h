/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note */
/*
 * What the kernel module `dm-user` and its workers say to each other: version 1, and what a channel
 * may opt in to since version 2 (at the end).
 *
 * A worker opens /dev/dm-user/NAME: each open is a channel. A channel is a byte stream both ways:
 * any size of read() and write() works, down to one byte. read() yields requests, each a struct
 * dm_user_message that a WRITE's payload follows; one read() never crosses the end of a header or
 * of a payload. write() takes answers: the request's message with its `type` replaced by a result
 * (enum dm_user_response; and `len`, where DM_USER_IOC_BATCH says so), then, for a READ that
 * succeeded, the request's `len` bytes. Answers come in any order, on the channel that the request
 * went out on.
 *
 * Values are in the machine's own byte order. This is the only copy of the ABI: user space builds
 * with -Ikmod/uapi, the module includes the same file. Nothing in here may ever change its value.
 */
#ifndef _LINUX_DM_USER_H
#define _LINUX_DM_USER_H

#include <linux/ioctl.h>
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
 * @len:	bytes that the request is about, 0 for a FLUSH; ignored in an answer, but on a channel
 *		of whole messages: there, the bytes that follow the answer's header
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

/*
 * Version 2: what a channel is asked, and asked to do, by ioctl().
 *
 * Every structure may grow at its end. The number of an ioctl carries the size that the caller
 * knows. One that is smaller than the structure was in version 2 is refused with EINVAL; any other
 * is taken: what an older caller does not know is not written to it, or taken as 0 from it; what
 * this kernel does not know is written as 0, and refused with E2BIG unless it is 0. Layouts are the
 * same for 32-bit callers. Padding is 0 both ways.
 */
#define DM_USER_ABI_VERSION	2

#define DM_USER_IOC_TYPE	0xde

/* What this kernel's module can do, in dm_user_info.features. */
#define DM_USER_FEATURE_BATCH		0x1	/* DM_USER_IOC_BATCH */

/* The table's options, and what the channel opted in to, in dm_user_info.flags. */
#define DM_USER_INFO_READ_ONLY		0x1	/* read_only */
#define DM_USER_INFO_REQUEUE		0x2	/* on_close requeue */
#define DM_USER_INFO_VOLATILE_CACHE	0x4	/* volatile_cache on */
#define DM_USER_INFO_BATCH		0x8	/* this channel carries whole messages */

/**
 * struct dm_user_info - what DM_USER_IOC_INFO tells of a channel and its target
 * @version:		DM_USER_ABI_VERSION of the module
 * @flags:		DM_USER_INFO_*
 * @features:		DM_USER_FEATURE_*
 * @sectors:		the target's size, in sectors of 512 bytes
 * @generation:		that the channel was opened in: how often `fence` had been said
 * @block_size:		bytes; every request is about a multiple of it
 * @max_io:		bytes that a READ or WRITE is about at most
 * @max_outstanding:	unanswered requests on a channel at most; 0: no limit
 * @attach_timeout_ms:	0: no limit
 * @request_timeout_ms:	0: no limit
 * @discard:		sectors that a DISCARD is about at most; 0: none comes
 * @discard_grain:	sectors; device-mapper's discards are split at multiples of it
 * @secure_erase:	sectors that a SECURE_ERASE is about at most; 0: none comes
 * @write_zeroes:	sectors that a WRITE_ZEROES is about at most; 0: none comes
 * @padding:		0
 *
 * The block size and the limits of operations are the table's. After a reload, requests keep to those
 * of the device's first table.
 */
struct dm_user_info {
	__u32 version;
	__u32 flags;
	__u64 features;
	__u64 sectors;
	__u64 generation;
	__u32 block_size;
	__u32 max_io;
	__u32 max_outstanding;
	__u32 attach_timeout_ms;
	__u32 request_timeout_ms;
	__u32 discard;
	__u32 discard_grain;
	__u32 secure_erase;
	__u32 write_zeroes;
	__u32 padding;
};

/**
 * struct dm_user_batch - what DM_USER_IOC_BATCH is asked for
 * @flags:	0
 * @padding:	0
 */
struct dm_user_batch {
	__u32 flags;
	__u32 padding;
};

/* Works at any time, also on a channel that carries nothing any more. Errors: EFAULT, EINVAL. */
#define DM_USER_IOC_INFO	_IOR(DM_USER_IOC_TYPE, 0, struct dm_user_info)

/*
 * From now on, and for good, the channel carries whole messages.
 *
 * read() returns as many requests as there are and as fit into the buffer, each a header with all
 * of a WRITE's bytes behind it, one right behind the other; it waits only for the first. One that
 * does not fit stays for the next read(), here or on another channel; if it is the first, read()
 * fails with EMSGSIZE. sizeof(struct dm_user_message) + dm_user_info.max_io bytes always suffice.
 * EFAULT, too, loses nothing.
 *
 * write() takes answers, one right behind the other, and returns the bytes of those that it took:
 * always whole answers, and all of them unless something is wrong with the rest (a page that is
 * missing, a signal, the channel's end, or another writer that would have to be waited for under
 * RWF_NOWAIT), which the next write() will say if it still is. `len` is the number of bytes that
 * follow the header: the request's `len` for a READ that succeeded, else 0. Any other, and an answer
 * that the write() holds only a part of, is a bad answer like an unknown seq: the write fails with
 * EINVAL and breaks the channel. Answers before the bad one have been taken.
 *
 * Errors: EBUSY in the middle of a message; E2BIG or EINVAL for what this kernel does not know;
 * EIO, ESTALE or ENOTBLK if the channel carries nothing any more; EINTR; EFAULT.
 */
#define DM_USER_IOC_BATCH	_IOW(DM_USER_IOC_TYPE, 1, struct dm_user_batch)

#endif /* _LINUX_DM_USER_H */
