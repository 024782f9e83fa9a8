// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Copies between a worker's memory and a header or a bio. Page faults are off: a fault could wait
 * for another process (userfaultfd, FUSE) or for this very device, and a bio would wait with it. So
 * a copy that meets a page that is not there stops short; the caller lets go of its request, faults
 * the page in, and looks again.
 *
 * A bio's own iterator is never touched: the caller brings one. Each function returns the bytes
 * that it copied, and has advanced both iterators by as much.
 */
#include "copy.h"

#include <linux/highmem.h>
#include <linux/uaccess.h>

/*
 * A header nearly always goes in one piece. Then its size is a constant, and the kernel's check
 * that the bytes lie within one object is made by the compiler.
 */
size_t dmu_copy_header_out(const struct dm_user_message *header, size_t pos, struct iov_iter *to)
{
	size_t n;

	pagefault_disable();
	if (likely(!pos && iov_iter_count(to) >= sizeof(*header)))
		n = copy_to_iter(header, sizeof(*header), to);
	else
		n = copy_to_iter((const u8 *)header + pos, sizeof(*header) - pos, to);
	pagefault_enable();
	return n;
}

size_t dmu_copy_header_in(struct dm_user_message *header, size_t pos, struct iov_iter *from)
{
	size_t n;

	pagefault_disable();
	if (likely(!pos && iov_iter_count(from) >= sizeof(*header)))
		n = copy_from_iter(header, sizeof(*header), from);
	else
		n = copy_from_iter((u8 *)header + pos, sizeof(*header) - pos, from);
	pagefault_enable();
	return n;
}

/*
 * One page at a time: a bio's segment may span physically adjacent pages that are no compound page,
 * which copy_page_to_iter() and its sibling rightly refuse.
 */
size_t dmu_copy_bio_out(struct bio *bio, struct bvec_iter *iter, struct iov_iter *to)
{
	size_t done = 0;

	pagefault_disable();
	while (iter->bi_size && iov_iter_count(to)) {
		struct bio_vec bv = bio_iter_iovec(bio, *iter);
		size_t n;

		/* another mapping of the page may be dirty in an aliasing cache */
		flush_dcache_page(bv.bv_page);
		n = copy_page_to_iter(bv.bv_page, bv.bv_offset, bv.bv_len, to);
		bio_advance_iter_single(bio, iter, n);
		done += n;
		if (n < bv.bv_len)
			break;
	}
	pagefault_enable();
	return done;
}

size_t dmu_copy_bio_in(struct bio *bio, struct bvec_iter *iter, struct iov_iter *from)
{
	size_t done = 0;

	pagefault_disable();
	while (iter->bi_size && iov_iter_count(from)) {
		struct bio_vec bv = bio_iter_iovec(bio, *iter);
		size_t n = copy_page_from_iter(bv.bv_page, bv.bv_offset, bv.bv_len, from);

		flush_dcache_page(bv.bv_page);
		bio_advance_iter_single(bio, iter, n);
		done += n;
		if (n < bv.bv_len)
			break;
	}
	pagefault_enable();
	return done;
}
