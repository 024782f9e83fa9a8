/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request: one bio that device-mapper gave to a target, on its way to a worker and back.
 *
 * It lives in dm's per-bio data, so mapping allocates nothing, and it is gone the moment its bio
 * ends. At any time exactly one of these owns it, and only the owner may end it:
 *
 *   the target's queue		mapped, not yet delivered		target->lock
 *   a channel's out stream	being read by the worker		channel->lock
 *   a channel's outstanding	read to its end, not yet answered	channel->lock
 *   a channel's in stream	its answer's payload is coming in	channel->lock
 *   a function's local list	about to be ended			nobody else can see it
 *
 * The bio itself is never changed but for its status: payloads are copied through a private
 * iterator, so that the same bio could be delivered again from its first byte.
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
 * @link:	in the owner's list; protected by the owner's lock, as above
 * @hash:	in the channel's table while outstanding; channel->lock
 * @seq:	given at delivery, constant from then on
 */
struct dmu_request {
	struct list_head link;
	struct hlist_node hash;
	u64 seq;
};

static inline struct bio *dmu_request_bio(struct dmu_request *req)
{
	return dm_bio_from_per_bio_data(req, sizeof(*req));
}

/* device-mapper splits a flush from its data: a flush is a WRITE of nothing. */
static inline bool dmu_request_is_flush(struct bio *bio)
{
	return bio_op(bio) == REQ_OP_WRITE && !bio->bi_iter.bi_size;
}

struct dmu_request *dmu_request_init(struct bio *bio);
void dmu_request_describe(struct dmu_request *req, sector_t begin, struct dm_user_message *ret_msg);
struct bvec_iter dmu_request_payload_out(struct dmu_request *req);
struct bvec_iter dmu_request_payload_in(struct dmu_request *req, u64 response);
blk_status_t dmu_request_status(struct dmu_request *req, u64 response);
void dmu_request_end(struct dmu_target *t, struct dmu_request *req, blk_status_t status);
void dmu_request_end_list(struct dmu_target *t, struct list_head *dead);

#endif /* DMU_REQUEST_H */
