// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What flushes promise. A submitter whose FLUSH succeeded believes that all it wrote before is
 * safe. This file makes that true in two cases where the worker's own answer does not:
 *
 * A failed FLUSH that nobody hears of. device-mapper makes two of a write with PREFLUSH, such as a
 * journal's commit: a FLUSH, and then the write, which it sends even if the FLUSH failed. fsync
 * would report success for data that is gone. Nothing tells that write from others, but that it has
 * FUA as well. So none with FUA is taken until a FLUSH succeeds that went out later.
 *
 * A worker that took its cache with it (volatile_cache). FLUSHes are numbered as they are mapped,
 * and a channel remembers which number the next one had when it last answered a write: from that on
 * a FLUSH covers the write. If none that succeeded does when the channel ends, the write is lost.
 * Then every FLUSH that was mapped before the loss fails; and so does the next one, unless one of
 * those covered the write, and so told its submitter: once, as with a disk that forgot its cache.
 *
 * Never sleeps. All but dmu_flush_end() are called with target->lock held.
 */
#include "flush.h"

#include "channel.h"
#include "request.h"
#include "target.h"

/* A submitter is told about what was answered before its FLUSH was mapped, and about no more. */
static void dmu_flush_failed(struct dmu_target *t, struct dmu_request *req)
{
	struct dmu_flush *f = &t->flush;

	lockdep_assert_held(&t->lock);

	f->unflushed = true;
	f->unflushed_seq = t->next_seq;
	if (req->flush >= f->lost)
		f->lost = 0;
}

/**
 * dmu_flush_refuses - whether a bio that is being mapped fails at once
 * @t:		the target
 * @req:	its request; a FLUSH gets its number
 */
bool dmu_flush_refuses(struct dmu_target *t, struct dmu_request *req)
{
	struct bio *bio = dmu_request_bio(req);

	lockdep_assert_held(&t->lock);

	if (likely(!dmu_request_is_flush(bio)))
		return unlikely(t->flush.unflushed) && (bio->bi_opf & REQ_FUA);
	req->flush = t->flush.nr_mapped + 1;
	WRITE_ONCE(t->flush.nr_mapped, req->flush);
	if (!t->failing && !t->clock.deserted && !t->flush.lost)
		return false;
	dmu_flush_failed(t, req);
	return true;
}

/**
 * dmu_flush_end - a FLUSH is about to end
 * @t:		the target
 * @req:	the FLUSH
 * @status:	how its worker, or its worker's end, would have it end
 *
 * Returns how it does end. Takes target->lock.
 */
blk_status_t dmu_flush_end(struct dmu_target *t, struct dmu_request *req, blk_status_t status)
{
	struct dmu_flush *f = &t->flush;

	if (status == BLK_STS_DM_REQUEUE)
		return status;

	spin_lock(&t->lock);
	if (status == BLK_STS_OK && req->flush <= f->doomed) {
		/* its worker was counted as having answered it well, and is not to blame */
		dmu_stats_failed(t, req);
		status = BLK_STS_IOERR;
	}
	if (status != BLK_STS_OK) {
		dmu_flush_failed(t, req);
	} else {
		f->flushed = max(f->flushed, req->flush);
		if (req->seq >= f->unflushed_seq)
			f->unflushed = false;
	}
	spin_unlock(&t->lock);
	return status;
}

/* A channel has ended, and with it perhaps its worker: called once for each, its lock held too. */
void dmu_flush_lose(struct dmu_target *t, struct dmu_channel *c)
{
	struct dmu_flush *f = &t->flush;

	lockdep_assert_held(&t->lock);

	if (!t->options.volatile_cache || c->written <= f->flushed)
		return;
	f->lost = max(f->lost, c->written);
	f->doomed = f->nr_mapped;
}
