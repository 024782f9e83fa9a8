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
 * A worker that took its cache with it (volatile_cache). Its channel remembers when it last
 * answered a write; if no FLUSH covers that when the channel ends, a loss is counted. Every FLUSH
 * that was mapped before a loss fails, and if there is none, the next one does: once, as with a
 * disk that forgot its cache.
 *
 * Never sleeps. All but dmu_flush_end() are called with target->lock held.
 */
#include "flush.h"

#include "channel.h"
#include "request.h"
#include "target.h"

/* Somebody is told, so the loss is no secret any more. */
static void dmu_flush_failed(struct dmu_target *t)
{
	lockdep_assert_held(&t->lock);

	t->flush.unflushed = true;
	t->flush.unflushed_seq = t->next_seq;
	t->flush.lost = false;
}

/**
 * dmu_flush_refuses - whether a bio that is being mapped fails at once
 * @t:		the target
 * @req:	its request; a FLUSH that is not refused is told what has been lost so far
 */
bool dmu_flush_refuses(struct dmu_target *t, struct dmu_request *req)
{
	struct bio *bio = dmu_request_bio(req);

	lockdep_assert_held(&t->lock);

	if (likely(!dmu_request_is_flush(bio)))
		return unlikely(t->flush.unflushed) && (bio->bi_opf & REQ_FUA);
	if (t->failing || t->clock.deserted || t->flush.lost) {
		dmu_flush_failed(t);
		return true;
	}
	req->losses = t->flush.nr_losses;
	return false;
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
	if (status == BLK_STS_OK && req->losses != f->nr_losses)
		status = BLK_STS_IOERR;
	if (status != BLK_STS_OK) {
		dmu_flush_failed(t);
	} else {
		f->flushed = max(f->flushed, req->seq);
		if (req->seq >= f->unflushed_seq)
			f->unflushed = false;
	}
	spin_unlock(&t->lock);
	return status;
}

/* A channel has ended, and with it perhaps its worker: called once for each, its lock held too. */
void dmu_flush_lose(struct dmu_target *t, struct dmu_channel *c)
{
	lockdep_assert_held(&t->lock);

	if (!t->options.volatile_cache || c->written <= t->flush.flushed)
		return;
	t->flush.lost = true;
	t->flush.nr_losses++;
}
