/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copies between a worker's memory and a header or a bio, without ever taking a page fault.
 */
#ifndef DMU_COPY_H
#define DMU_COPY_H

#include <linux/bio.h>
#include <linux/uio.h>

#include <linux/dm-user.h>

size_t dmu_copy_header_out(const struct dm_user_message *header, size_t pos, struct iov_iter *to);
size_t dmu_copy_header_in(struct dm_user_message *header, size_t pos, struct iov_iter *from);
size_t dmu_copy_bio_out(struct bio *bio, struct bvec_iter *iter, struct iov_iter *to);
size_t dmu_copy_bio_in(struct bio *bio, struct bvec_iter *iter, struct iov_iter *from);

#endif /* DMU_COPY_H */
