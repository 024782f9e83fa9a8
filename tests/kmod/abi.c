// SPDX-License-Identifier: Apache-2.0
/*
 * The ABI's numbers, written down a second time: who changes one in the header must come here too,
 * and read that none may change.
 */
#include <linux/dm-user.h>
#include <stddef.h>
#include <stdio.h>

#define IS(name, value) _Static_assert((name) == (value), #name " is " #value " for ever")

IS(sizeof(struct dm_user_message), 40);
IS(offsetof(struct dm_user_message, seq), 0);
IS(offsetof(struct dm_user_message, type), 8);
IS(offsetof(struct dm_user_message, flags), 16);
IS(offsetof(struct dm_user_message, sector), 24);
IS(offsetof(struct dm_user_message, len), 32);
IS(offsetof(struct dm_user_message, buf), 40);

IS(DM_USER_REQ_MAP_READ, 0);
IS(DM_USER_REQ_MAP_WRITE, 1);
IS(DM_USER_REQ_MAP_FLUSH, 2);
IS(DM_USER_REQ_MAP_DISCARD, 3);
IS(DM_USER_REQ_MAP_SECURE_ERASE, 4);
IS(DM_USER_REQ_MAP_WRITE_SAME, 5);
IS(DM_USER_REQ_MAP_WRITE_ZEROES, 6);
IS(DM_USER_REQ_MAP_ZONE_OPEN, 7);
IS(DM_USER_REQ_MAP_ZONE_CLOSE, 8);
IS(DM_USER_REQ_MAP_ZONE_FINISH, 9);
IS(DM_USER_REQ_MAP_ZONE_APPEND, 10);
IS(DM_USER_REQ_MAP_ZONE_RESET, 11);
IS(DM_USER_REQ_MAP_ZONE_RESET_ALL, 12);

IS(DM_USER_REQ_MAP_FLAG_FAILFAST_DEV, 1 << 0);
IS(DM_USER_REQ_MAP_FLAG_FAILFAST_TRANSPORT, 1 << 1);
IS(DM_USER_REQ_MAP_FLAG_FAILFAST_DRIVER, 1 << 2);
IS(DM_USER_REQ_MAP_FLAG_SYNC, 1 << 3);
IS(DM_USER_REQ_MAP_FLAG_META, 1 << 4);
IS(DM_USER_REQ_MAP_FLAG_PRIO, 1 << 5);
IS(DM_USER_REQ_MAP_FLAG_NOMERGE, 1 << 6);
IS(DM_USER_REQ_MAP_FLAG_IDLE, 1 << 7);
IS(DM_USER_REQ_MAP_FLAG_INTEGRITY, 1 << 8);
IS(DM_USER_REQ_MAP_FLAG_FUA, 1 << 9);
IS(DM_USER_REQ_MAP_FLAG_PREFLUSH, 1 << 10);
IS(DM_USER_REQ_MAP_FLAG_RAHEAD, 1 << 11);
IS(DM_USER_REQ_MAP_FLAG_BACKGROUND, 1 << 12);
IS(DM_USER_REQ_MAP_FLAG_NOWAIT, 1 << 13);
IS(DM_USER_REQ_MAP_FLAG_CGROUP_PUNT, 1 << 14);
IS(DM_USER_REQ_MAP_FLAG_NOUNMAP, 1 << 15);
IS(DM_USER_REQ_MAP_FLAG_HIPRI, 1 << 16);
IS(DM_USER_REQ_MAP_FLAG_DRV, 1 << 17);
IS(DM_USER_REQ_MAP_FLAG_SWAP, 1 << 18);
IS(DM_USER_REQ_MAP_FLAG_REPEAT, 1ULL << 63);

IS(DM_USER_RESP_SUCCESS, 0);
IS(DM_USER_RESP_ERROR, 1);
IS(DM_USER_RESP_UNSUPPORTED, 2);

IS(DM_USER_NAME_MAX, 64);
IS(DM_USER_MAX_IO_BYTES, 1 << 20);

IS(DM_USER_ABI_VERSION, 2);
IS(DM_USER_IOC_INFO, 0x8048de00);
IS(DM_USER_IOC_BATCH, 0x4008de01);
IS(DM_USER_FEATURE_BATCH, 1);
IS(DM_USER_INFO_READ_ONLY, 1);
IS(DM_USER_INFO_REQUEUE, 2);
IS(DM_USER_INFO_VOLATILE_CACHE, 4);
IS(DM_USER_INFO_BATCH, 8);

IS(sizeof(struct dm_user_info), 72);
IS(offsetof(struct dm_user_info, version), 0);
IS(offsetof(struct dm_user_info, flags), 4);
IS(offsetof(struct dm_user_info, features), 8);
IS(offsetof(struct dm_user_info, sectors), 16);
IS(offsetof(struct dm_user_info, generation), 24);
IS(offsetof(struct dm_user_info, block_size), 32);
IS(offsetof(struct dm_user_info, max_io), 36);
IS(offsetof(struct dm_user_info, max_outstanding), 40);
IS(offsetof(struct dm_user_info, attach_timeout_ms), 44);
IS(offsetof(struct dm_user_info, request_timeout_ms), 48);
IS(offsetof(struct dm_user_info, discard), 52);
IS(offsetof(struct dm_user_info, discard_grain), 56);
IS(offsetof(struct dm_user_info, secure_erase), 60);
IS(offsetof(struct dm_user_info, write_zeroes), 64);
IS(offsetof(struct dm_user_info, padding), 68);

IS(sizeof(struct dm_user_batch), 8);
IS(offsetof(struct dm_user_batch, flags), 0);
IS(offsetof(struct dm_user_batch, padding), 4);

/* The compiler has done the work; there is nothing left that could fail when it runs. */
int main(void)
{
	puts("ok - the ABI has its values");
	return 0;
}
