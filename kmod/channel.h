/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A channel: one open of a target's node. Requests go out on it, and their answers come back on it.
 */
#ifndef DMU_CHANNEL_H
#define DMU_CHANNEL_H

#include <linux/fs.h>
#include <linux/list.h>
#include <linux/spinlock.h>

#include "stream.h"

struct dmu_request;
struct dmu_target;

/*
 * seq is looked up in a fixed table: delivery must not allocate, and the kernel's own growing
 * tables do. 256 chains keep a lookup at one or two steps for as much as a few hundred outstanding
 * requests, for 2 KiB a channel.
 */
#define DMU_CHANNEL_HASH_BITS	8

/**
 * struct dmu_channel - one open of a target's node
 * @target:	constant; the open file holds it
 * @number:	how many channels of the target were opened before; constant
 * @link:	in target->channels; target->lock
 * @sleepers:	threads that sleep in read() on this channel; atomic
 * @out:	requests, to the worker
 * @in:		answers, from the worker
 *
 * @lock:	protects what follows
 * @gone:	the target's destructor has run; set once
 * @broken:	a bad answer came; set once
 * @nr_requests: delivered requests whose bios have not ended: outstanding, @out.req, @in.req
 * @outstanding: read to the end and not answered, in the order of delivery
 * @by_seq:	the same requests
 */
struct dmu_channel {
	struct dmu_target *target;
	u64 number;
	struct list_head link;
	atomic_t sleepers;
	struct dmu_stream out;
	struct dmu_stream in;

	spinlock_t lock;
	bool gone;
	bool broken;
	unsigned int nr_requests;
	struct list_head outstanding;
	struct hlist_head by_seq[1 << DMU_CHANNEL_HASH_BITS];
};

extern const struct file_operations dmu_channel_fops;

int dmu_channel_error(struct dmu_channel *c);
int dmu_channel_claim(struct dmu_channel *c, struct dmu_stream *s);
bool dmu_channel_unclaim(struct dmu_channel *c, struct dmu_stream *s, struct list_head *dead);
void dmu_channel_outstanding(struct dmu_channel *c, struct dmu_request *req);
struct dmu_request *dmu_channel_find(struct dmu_channel *c, u64 seq);
void dmu_channel_collect(struct dmu_channel *c, struct list_head *dead);

ssize_t dmu_read_iter(struct kiocb *iocb, struct iov_iter *to);
ssize_t dmu_write_iter(struct kiocb *iocb, struct iov_iter *from);

#endif /* DMU_CHANNEL_H */
