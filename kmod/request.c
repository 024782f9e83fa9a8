// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a bio looks like to a worker, and how a worker's answer ends it. Translates between the
 * block layer's numbers, which change with the kernel, and the ABI's, which never do. Takes no lock
 * and trusts its caller to own the request.
 */
#include "request.h"

#include <linux/ktime.h>
#include <linux/list_sort.h>
#include <linux/sched.h>

#include "flush.h"
#include "target.h"
#include "trace.h"

/*
 * The ABI's first fourteen flags are the block layer's first fourteen, in its order, so one shift
 * translates them. Should a kernel ever reorder its own, the build stops here.
 */
#define DMU_FLAGS_SHIFT		REQ_OP_BITS
#define DMU_FLAGS_SHIFTED	0x3fffULL

static void dmu_request_check_flags(void)
{
#define DMU_CHECK(flag) \
	BUILD_BUG_ON((__force u32)REQ_##flag >> DMU_FLAGS_SHIFT != DM_USER_REQ_MAP_FLAG_##flag)
	DMU_CHECK(FAILFAST_DEV);
	DMU_CHECK(FAILFAST_TRANSPORT);
	DMU_CHECK(FAILFAST_DRIVER);
	DMU_CHECK(SYNC);
	DMU_CHECK(META);
	DMU_CHECK(PRIO);
	DMU_CHECK(NOMERGE);
	DMU_CHECK(IDLE);
	DMU_CHECK(INTEGRITY);
	DMU_CHECK(FUA);
	DMU_CHECK(PREFLUSH);
	DMU_CHECK(RAHEAD);
	DMU_CHECK(BACKGROUND);
	DMU_CHECK(NOWAIT);
#undef DMU_CHECK
	BUILD_BUG_ON(sizeof(struct dm_user_message) != 40);
}

/*
 * Flags that the ABI has no bit for are dropped: they are the block layer's own business, and a bio
 * must not fail because a kernel learnt a new hint. Two that it has a bit for never come here:
 * CGROUP_PUNT is acted on before a driver sees the bio, and DRV is device-mapper's own mark.
 */
static u64 dmu_request_flags(blk_opf_t opf)
{
	u64 flags = ((__force u32)opf >> DMU_FLAGS_SHIFT) & DMU_FLAGS_SHIFTED;

	if (opf & REQ_NOUNMAP)
		flags |= DM_USER_REQ_MAP_FLAG_NOUNMAP;
	if (opf & REQ_POLLED)
		flags |= DM_USER_REQ_MAP_FLAG_HIPRI;
	if (opf & REQ_SWAP)
		flags |= DM_USER_REQ_MAP_FLAG_SWAP;
	return flags;
}

/* Returns an enum dm_user_request, or -EOPNOTSUPP for what this target never asked to be sent. */
int dmu_request_type(struct bio *bio)
{
	switch (bio_op(bio)) {
	case REQ_OP_READ:
		return DM_USER_REQ_MAP_READ;
	case REQ_OP_WRITE:
		return dmu_request_is_flush(bio) ? DM_USER_REQ_MAP_FLUSH : DM_USER_REQ_MAP_WRITE;
	case REQ_OP_DISCARD:
		return DM_USER_REQ_MAP_DISCARD;
	case REQ_OP_SECURE_ERASE:
		return DM_USER_REQ_MAP_SECURE_ERASE;
	case REQ_OP_WRITE_ZEROES:
		return DM_USER_REQ_MAP_WRITE_ZEROES;
	default:
		return -EOPNOTSUPP;
	}
}

/**
 * dmu_request_init - the request of a bio that is being mapped
 * @bio:	from device-mapper, with room for a request in its per-bio data
 *
 * Returns NULL for an operation that a worker has no word for.
 */
struct dmu_request *dmu_request_init(struct bio *bio)
{
	struct dmu_request *req;

	if (unlikely(dmu_request_type(bio) < 0))
		return NULL;

	req = dm_per_bio_data(bio, sizeof(*req));
	INIT_HLIST_NODE(&req->hash);
	req->seq = ~0ULL;
	req->repeat = false;
	req->restarted = false;
	req->expired = false;
	req->mapped_ns = ktime_get_ns();
	return req;
}

/**
 * dmu_request_describe - write the header that a worker will read
 * @req:	a request that has its seq
 * @begin:	the target's first sector: a worker counts from there
 * @ret_msg:	filled in, every byte of it
 */
void dmu_request_describe(struct dmu_request *req, sector_t begin, struct dm_user_message *ret_msg)
{
	struct bio *bio = dmu_request_bio(req);

	dmu_request_check_flags();
	ret_msg->seq = req->seq;
	ret_msg->type = dmu_request_type(bio);
	ret_msg->flags = dmu_request_flags(bio->bi_opf);
	if (unlikely(req->repeat))
		ret_msg->flags |= DM_USER_REQ_MAP_FLAG_REPEAT;
	/* a flush is about no place; what its bio says there depends on the kernel */
	ret_msg->sector = bio->bi_iter.bi_size ? bio->bi_iter.bi_sector - begin : 0;
	ret_msg->len = bio->bi_iter.bi_size;
}

/* Of an operation without data, bi_size is a range's length, and there is nothing to copy. */
static struct bvec_iter dmu_request_payload(struct bio *bio, bool wanted)
{
	struct bvec_iter iter = bio->bi_iter;

	if (!wanted)
		iter.bi_size = 0;
	return iter;
}

/* What follows the header on its way out; nothing when bi_size is 0. */
struct bvec_iter dmu_request_payload_out(struct dmu_request *req)
{
	struct bio *bio = dmu_request_bio(req);

	return dmu_request_payload(bio, bio_op(bio) == REQ_OP_WRITE);
}

/* What must follow the answer's header; nothing when bi_size is 0. */
struct bvec_iter dmu_request_payload_in(struct dmu_request *req, u64 response)
{
	struct bio *bio = dmu_request_bio(req);

	return dmu_request_payload(bio, bio_op(bio) == REQ_OP_READ &&
					response == DM_USER_RESP_SUCCESS);
}

/**
 * dmu_request_status - what the submitter is told
 * @req:	the request, which was answered
 *
 * "Not supported" is passed on only where the submitter has another way. For a flush it would be
 * taken as "no cache, nothing to flush", and fsync would report success for data that is not safe.
 */
blk_status_t dmu_request_status(struct dmu_request *req)
{
	switch (req->response) {
	case DM_USER_RESP_SUCCESS:
		return BLK_STS_OK;
	case DM_USER_RESP_UNSUPPORTED:
		switch (bio_op(dmu_request_bio(req))) {
		case REQ_OP_DISCARD:
		case REQ_OP_SECURE_ERASE:
		case REQ_OP_WRITE_ZEROES:
			return BLK_STS_NOTSUPP;
		default:
			return BLK_STS_IOERR;
		}
	default:
		return BLK_STS_IOERR;
	}
}

/*
 * Whether the answer says that data was taken which a worker may so far only have cached. What a
 * discard drops does not matter, and FUA says that nothing is only cached.
 */
bool dmu_request_may_be_cached(struct dmu_request *req, u64 response)
{
	struct bio *bio = dmu_request_bio(req);

	if (response != DM_USER_RESP_SUCCESS)
		return false;
	switch (bio_op(bio)) {
	case REQ_OP_WRITE:
		return bio->bi_iter.bi_size && !(bio->bi_opf & REQ_FUA);
	case REQ_OP_WRITE_ZEROES:
	case REQ_OP_SECURE_ERASE:
		return true;
	default:
		return false;
	}
}

/**
 * dmu_request_end - give the bio back to device-mapper
 * @t:		the request's target
 * @req:	owned by the caller; its memory is gone afterwards
 * @status:	for the submitter
 *
 * Process context, no lock held: the submitter's completion runs in here, and may submit again.
 */
void dmu_request_end(struct dmu_target *t, struct dmu_request *req, blk_status_t status)
{
	struct bio *bio = dmu_request_bio(req);

	/* before the end, which may bring what depends on this flush */
	if (unlikely(dmu_request_is_flush(bio)))
		status = dmu_flush_end(t, req, status);
	if (unlikely(status == BLK_STS_IOERR))
		atomic64_inc(&t->errors);
	trace_dm_user_end(t, req, status);
	bio->bi_status = status;
	bio_endio(bio);
}

static int dmu_orphans_compare(void *priv, const struct list_head *a, const struct list_head *b)
{
	u64 first = list_entry(a, struct dmu_request, link)->seq;
	u64 second = list_entry(b, struct dmu_request, link)->seq;

	return first > second ? 1 : -1;
}

/* Puts the repeats into their order, for dmu_target_requeue(). No lock needs to be held. */
void dmu_orphans_sort(struct dmu_orphans *o)
{
	list_sort(NULL, &o->repeated, dmu_orphans_compare);
}

/**
 * dmu_orphans_end - end what is not queued again
 * @t:	the requests' target
 * @o:	not usable afterwards
 *
 * dm puts each bio that comes back before those it already has, so they go last first. Between them
 * is no place to reschedule: dm's worker would send one again, and get it back out of turn. Process
 * context, no lock held, sleeps.
 */
void dmu_orphans_end(struct dmu_target *t, struct dmu_orphans *o)
{
	struct dmu_request *req, *next;

	list_for_each_entry_safe_reverse(req, next, &o->returned, link)
		dmu_request_end(t, req, BLK_STS_DM_REQUEUE);
	list_for_each_entry_safe(req, next, &o->failed, link) {
		dmu_stats_failed(t, req);
		dmu_request_end(t, req, BLK_STS_IOERR);
		cond_resched();
	}
}
