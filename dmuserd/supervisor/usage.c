// SPDX-License-Identifier: Apache-2.0
/* Counting what volumes use up; see usage.h. Makes no system call. */
#include "dmuserd/supervisor/usage.h"
#include "dmuserd/supervisor/backend.h"

static bool is_memory(const struct backend *backend)
{
	for (size_t i = 0; i < backend->manifest.n_resources; i++) {
		if (backend->manifest.resources[i] == MANIFEST_MEMFD)
			return true;
	}
	return false;
}

uint64_t usage_memory(const struct volume_spec *spec)
{
	return is_memory(spec->backend) && spec->size_bytes != PARSER_UNSET ? spec->size_bytes : 0;
}

struct volume_usage usage_of(struct manager *m, uid_t uid)
{
	struct volume_usage usage = {};

	for (struct volume *v = volume_next(m, NULL); v; v = volume_next(m, v)) {
		const struct volume_spec *spec = volume_spec(v);

		usage.all++;
		if (spec->owner != uid)
			continue;
		usage.of_uid++;
		if (__builtin_add_overflow(usage.bytes_of_uid, usage_memory(spec),
					   &usage.bytes_of_uid))
			usage.bytes_of_uid = UINT64_MAX;
	}
	return usage;
}
