/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request: one bio that device-mapper gave to a target, on its way to a worker and back.
 *
 * It lives in dm's per-bio data, so mapping allocates nothing, and it is gone the moment its bio
 * ends. At any time exactly one of these owns it, and only the owner may end it:
 *
 *   the target's queue		waits for a channel			target->lock
 *   a channel's out stream	being read by the worker		channel->lock
 *   a channel's answerable	read to its end, answer not begun	channel->lock
 *   a channel's in stream	its answer's payload is coming in	channel->lock
 *   a function's local list	about to be ended or queued again	nobody else can see it
 *
 * The bio itself is never changed but for its status: payloads are copied through a private
 * iterator, so that the same bio can be delivered again from its first byte.
 */
#ifndef DMU_REQUEST_H
#define DMU_REQUEST_H

#include <linux/bio.h>
#include <linux/device-mapper.h>
#include <linux/list.h>
#include <linux/types.h>

#include <linux/dm-user.h>

struct dmu_target;

/**
 * struct dmu_request - a bio's per-bio data
 * @link:	in the owner's list
 * @hash:	in the channel's index while it may be answered
 * @seq:	given at the first delivery, kept by a repeat; before, all ones
 * @clock:	jiffies when its time began to run (clock.c)
 * @awaits:	0: its time runs; else the attachment that it begins with (clock.c)
 * @flush:	of a FLUSH: its number (flush.c)
 * @mapped_ns:	monotonic time of its mapping
 * @response:	an enum dm_user_response, once it is answered (write.c)
 * @repeat:	it was delivered before, on a channel that has ended
 * @restarted:	its clock was, for a repeat
 * @expired:	its time was over once
 *
 * All are protected by the owner's lock, as above.
 */
struct dmu_request {
	struct list_head link;
	struct hlist_node hash;
	u64 seq;
	unsigned long clock;
	u64 flush;
	u64 mapped_ns;
	u32 awaits;
	u8 response;
	bool repeat;
	bool restarted;
	bool expired;
};

/**
 * struct dmu_orphans - requests whose owner gave them up under a lock, for when there is no lock
 * @failed:	to end with EIO, first to last
 * @repeated:	to be queued again
 * @returned:	to give back to a noflush suspend
 */
struct dmu_orphans {
	struct list_head failed;
	struct list_head repeated;
	struct list_head returned;
};

#define DMU_ORPHANS_INIT(name) { \
	.failed = LIST_HEAD_INIT((name).failed), \
	.repeated = LIST_HEAD_INIT((name).repeated), \
	.returned = LIST_HEAD_INIT((name).returned), \
}

static inline struct bio *dmu_request_bio(struct dmu_request *req)
{
	return dm_bio_from_per_bio_data(req, sizeof(*req));
}

/* device-mapper splits a flush from its data: a flush is a WRITE of nothing. */
static inline bool dmu_request_is_flush(struct bio *bio)
{
	return bio_op(bio) == REQ_OP_WRITE && !bio->bi_iter.bi_size;
}

/* Bytes of its message on the way to a worker. */
static inline size_t dmu_request_message_size(struct dmu_request *req)
{
	struct bio *bio = dmu_request_bio(req);

	return sizeof(struct dm_user_message) +
	       (bio_op(bio) == REQ_OP_WRITE ? bio->bi_iter.bi_size : 0);
}

int dmu_request_type(struct bio *bio);
struct dmu_request *dmu_request_init(struct bio *bio);
void dmu_request_describe(struct dmu_request *req, sector_t begin, struct dm_user_message *ret_msg);
struct bvec_iter dmu_request_payload_out(struct dmu_request *req);
struct bvec_iter dmu_request_payload_in(struct dmu_request *req, u64 response);
blk_status_t dmu_request_status(struct dmu_request *req);
bool dmu_request_may_be_cached(struct dmu_request *req, u64 response);
void dmu_request_end(struct dmu_target *t, struct dmu_request *req, blk_status_t status);

void dmu_orphans_sort(struct dmu_orphans *o);
void dmu_orphans_end(struct dmu_target *t, struct dmu_orphans *o);

#endif /* DMU_REQUEST_H */
