/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tracepoints, in /sys/kernel/tracing/events/dm_user: a request is mapped, delivered, answered,
 * queued again, or late, and it ends. Each names the target by its NAME; type, sector, len and seq
 * are as a worker sees them (linux/dm-user.h). A request that is not delivered yet has no seq: -1.
 *
 * dm_user_map tells what was decided, and so comes when another CPU may have delivered the request,
 * and even ended it. What was not queued has no other event. All but requeue and timeout fire with
 * no lock held, so that no other request waits for whoever looks on.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM dm_user

#if !defined(DMU_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define DMU_TRACE_H

#include <linux/blkdev.h>
#include <linux/device-mapper.h>
#include <linux/tracepoint.h>

#include "channel.h"
#include "compat.h"
#include "request.h"
#include "target.h"

/* So that what reads the formats from outside knows their values. */
TRACE_DEFINE_ENUM(DM_USER_REQ_MAP_READ);
TRACE_DEFINE_ENUM(DM_USER_REQ_MAP_WRITE);
TRACE_DEFINE_ENUM(DM_USER_REQ_MAP_FLUSH);
TRACE_DEFINE_ENUM(DM_USER_REQ_MAP_DISCARD);
TRACE_DEFINE_ENUM(DM_USER_REQ_MAP_SECURE_ERASE);
TRACE_DEFINE_ENUM(DM_USER_REQ_MAP_WRITE_ZEROES);
TRACE_DEFINE_ENUM(DM_USER_RESP_SUCCESS);
TRACE_DEFINE_ENUM(DM_USER_RESP_ERROR);
TRACE_DEFINE_ENUM(DM_USER_RESP_UNSUPPORTED);

#define dmu_trace_show_type(type) \
	__print_symbolic(type, \
		{ DM_USER_REQ_MAP_READ, "READ" }, \
		{ DM_USER_REQ_MAP_WRITE, "WRITE" }, \
		{ DM_USER_REQ_MAP_FLUSH, "FLUSH" }, \
		{ DM_USER_REQ_MAP_DISCARD, "DISCARD" }, \
		{ DM_USER_REQ_MAP_SECURE_ERASE, "SECURE_ERASE" }, \
		{ DM_USER_REQ_MAP_WRITE_ZEROES, "WRITE_ZEROES" })

TRACE_EVENT(dm_user_requeue,
	TP_PROTO(struct dmu_target *t, struct dmu_request *req),
	TP_ARGS(t, req),
	TP_STRUCT__entry(
		__string(name, dmu_target_name(t))
		__field(s64, seq)
		__field(u32, type)
		__field(u32, len)
		__field(u64, sector)
	),
	TP_fast_assign(
		struct bio *bio = dmu_request_bio(req);

		DMU_ASSIGN_STRING(name, dmu_target_name(t));
		__entry->seq = req->seq;
		__entry->type = dmu_request_type(bio);
		__entry->len = bio->bi_iter.bi_size;
		__entry->sector = __entry->len ? bio->bi_iter.bi_sector - t->begin : 0;
	),
	TP_printk("%s seq=%lld type=%s sector=%llu len=%u", __get_str(name), __entry->seq,
		  dmu_trace_show_type(__entry->type), __entry->sector, __entry->len)
);

#define dmu_trace_show_decision(decision) \
	__print_symbolic(decision, \
		{ DM_MAPIO_SUBMITTED, "queued" }, \
		{ DM_MAPIO_KILL, "failed" }, \
		{ DM_MAPIO_REQUEUE, "handed_back" })

TRACE_EVENT(dm_user_map,
	TP_PROTO(struct dmu_target *t, int type, u64 sector, u32 len, int decision),
	TP_ARGS(t, type, sector, len, decision),
	TP_STRUCT__entry(
		__string(name, dmu_target_name(t))
		__field(int, type)
		__field(u32, len)
		__field(u64, sector)
		__field(int, decision)
	),
	TP_fast_assign(
		DMU_ASSIGN_STRING(name, dmu_target_name(t));
		__entry->type = type;
		__entry->len = len;
		__entry->sector = sector;
		__entry->decision = decision;
	),
	TP_printk("%s type=%s sector=%llu len=%u decision=%s", __get_str(name),
		  dmu_trace_show_type(__entry->type), __entry->sector, __entry->len,
		  dmu_trace_show_decision(__entry->decision))
);

/* How long its clock has run: in whole ticks, which is the only time that this clock knows. */
TRACE_EVENT(dm_user_timeout,
	TP_PROTO(struct dmu_target *t, struct dmu_request *req, unsigned int waited_ms),
	TP_ARGS(t, req, waited_ms),
	TP_STRUCT__entry(
		__string(name, dmu_target_name(t))
		__field(s64, seq)
		__field(u32, type)
		__field(u32, waited_ms)
	),
	TP_fast_assign(
		DMU_ASSIGN_STRING(name, dmu_target_name(t));
		__entry->seq = req->seq;
		__entry->type = dmu_request_type(dmu_request_bio(req));
		__entry->waited_ms = waited_ms;
	),
	TP_printk("%s seq=%lld type=%s waited_ms=%u", __get_str(name), __entry->seq,
		  dmu_trace_show_type(__entry->type), __entry->waited_ms)
);

/* With the submitter's result: 0 or -errno; -EREMCHG goes back to a noflush suspend. */
TRACE_EVENT(dm_user_end,
	TP_PROTO(struct dmu_target *t, struct dmu_request *req, blk_status_t status),
	TP_ARGS(t, req, status),
	TP_STRUCT__entry(
		__string(name, dmu_target_name(t))
		__field(s64, seq)
		__field(u32, type)
		__field(int, result)
	),
	TP_fast_assign(
		DMU_ASSIGN_STRING(name, dmu_target_name(t));
		__entry->seq = req->seq;
		__entry->type = dmu_request_type(dmu_request_bio(req));
		__entry->result = blk_status_to_errno(status);
	),
	TP_printk("%s seq=%lld type=%s result=%d", __get_str(name), __entry->seq,
		  dmu_trace_show_type(__entry->type), __entry->result)
);

TRACE_EVENT(dm_user_deliver,
	TP_PROTO(struct dmu_channel *c, struct dmu_request *req),
	TP_ARGS(c, req),
	TP_STRUCT__entry(
		__string(name, dmu_target_name(c->target))
		__field(u64, channel)
		__field(u64, seq)
		__field(u32, type)
		__field(bool, repeat)
	),
	TP_fast_assign(
		DMU_ASSIGN_STRING(name, dmu_target_name(c->target));
		__entry->channel = c->number;
		__entry->seq = req->seq;
		__entry->type = dmu_request_type(dmu_request_bio(req));
		__entry->repeat = req->repeat;
	),
	TP_printk("%s channel=%llu seq=%llu type=%s repeat=%d", __get_str(name), __entry->channel,
		  __entry->seq, dmu_trace_show_type(__entry->type), __entry->repeat)
);

TRACE_EVENT(dm_user_answer,
	TP_PROTO(struct dmu_channel *c, struct dmu_request *req),
	TP_ARGS(c, req),
	TP_STRUCT__entry(
		__string(name, dmu_target_name(c->target))
		__field(u64, channel)
		__field(u64, seq)
		__field(u32, type)
		__field(u32, response)
	),
	TP_fast_assign(
		DMU_ASSIGN_STRING(name, dmu_target_name(c->target));
		__entry->channel = c->number;
		__entry->seq = req->seq;
		__entry->type = dmu_request_type(dmu_request_bio(req));
		__entry->response = req->response;
	),
	TP_printk("%s channel=%llu seq=%llu type=%s response=%s", __get_str(name),
		  __entry->channel, __entry->seq, dmu_trace_show_type(__entry->type),
		  __print_symbolic(__entry->response,
			{ DM_USER_RESP_SUCCESS, "SUCCESS" },
			{ DM_USER_RESP_ERROR, "ERROR" },
			{ DM_USER_RESP_UNSUPPORTED, "UNSUPPORTED" }))
);

#endif /* DMU_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
