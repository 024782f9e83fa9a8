/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options: what a table line may say after NAME, in device-mapper's `#opts opt...` form.
 *
 *   max_outstanding N		a channel holds at most N (1 to 65536) unanswered requests;
 *				default: no limit
 *   on_close error|requeue	what becomes of the requests of a channel that ends; default: error
 *   volatile_cache on|off	whether an answered write may be gone once its worker is, unless a
 *				FLUSH came between; default: on, since it is the safe thing to
 *				believe of a worker that nobody has said anything about
 *   attach_timeout_ms N	how long requests wait while no channel is open, those not counted that
 *				are broken, fenced or held; 0 (default): no limit; at most 86400000, a
 *				day
 *   request_timeout_ms N	how long a request may take; the same values
 *   discard off|on|MAX[:GRAIN]	sectors of 512 bytes: the most that one request covers, and what a
 *				discard is split at multiples of; default: on
 *   secure_erase off|on|MAX	sectors; default: on
 *   write_zeroes off|on|MAX	sectors; default: on
 *   block_size N		bytes, a power of two, 512 (default) to the page size
 *   max_io_kb N		KiB of a READ or WRITE at most, 4 to 1024 (default)
 *   read_only			no write is taken; the table must have been loaded read-only too
 *
 * A table is shown with the options that are not at their defaults, in this order. That line,
 * loaded again, gives the same target.
 */
#ifndef DMU_OPTIONS_H
#define DMU_OPTIONS_H

#include <linux/types.h>

struct dm_arg_set;
struct dm_target;
struct queue_limits;

/**
 * struct dmu_options - a table line's options; constant once the target can be found
 * @max_outstanding:	requests per channel; 0: no limit
 * @requeue:		on_close
 * @volatile_cache:	as above
 * @read_only:		as above
 * @attach_timeout_ms:	0: no limit
 * @request_timeout_ms:	0: no limit
 * @discard:		sectors; 0: off
 * @discard_grain:	sectors; 0: the block size
 * @secure_erase:	sectors; 0: off
 * @write_zeroes:	sectors; 0: off
 * @block_size:		bytes
 * @max_io_kb:		KiB
 */
struct dmu_options {
	unsigned int max_outstanding;
	bool requeue;
	bool volatile_cache;
	bool read_only;
	unsigned int attach_timeout_ms;
	unsigned int request_timeout_ms;
	unsigned int discard;
	unsigned int discard_grain;
	unsigned int secure_erase;
	unsigned int write_zeroes;
	unsigned int block_size;
	unsigned int max_io_kb;
};

int dmu_options_parse(struct dm_target *ti, struct dm_arg_set *args, struct dmu_options *ret_o);
int dmu_options_apply(struct dm_target *ti, const struct dmu_options *o);
unsigned int dmu_options_discard_grain(const struct dmu_options *o);
void dmu_options_limits(const struct dmu_options *o, struct queue_limits *limits);
unsigned int dmu_options_show(const struct dmu_options *o, char *result, unsigned int sz,
			      unsigned int maxlen);
unsigned int dmu_options_measure(const struct dmu_options *o, char *result, unsigned int sz,
				 unsigned int maxlen);

#endif /* DMU_OPTIONS_H */
