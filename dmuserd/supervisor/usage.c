// SPDX-License-Identifier: Apache-2.0
/* Counting what volumes use up, and how much memory there is for them; see usage.h. */
#include "dmuserd/supervisor/usage.h"
#include "dmuserd/supervisor/backend.h"
#include "dmuserd/supervisor/backing.h"

uint64_t usage_memory(const struct volume_spec *spec)
{
	const struct parser_manifest *m = &spec->backend->manifest;
	uint64_t bytes = 0;

	if (spec->size_bytes == PARSER_UNSET)
		return 0;
	/* Each is as large as the volume. */
	for (size_t i = 0; i < m->n_resources; i++) {
		if (m->resources[i] == MANIFEST_MEMFD &&
		    __builtin_add_overflow(bytes, spec->size_bytes, &bytes))
			return UINT64_MAX;
	}
	return bytes;
}

struct memory_limit usage_memory_limit(const struct settings *s, uint32_t block_size)
{
	struct memory_limit limit = {
		.max_bytes = s->memory_volume_bytes_max,
		.words = "memory_volume_bytes_max in dmuserd.conf allows",
		.is_set = s->memory_volume_bytes_max > 0,
	};

	if (!limit.is_set) {
		limit.max_bytes = backing_memory_total();
		limit.words = "this machine has";
	}
	if (limit.max_bytes == 0)
		limit.max_bytes = UINT64_MAX;
	limit.max_bytes -= limit.max_bytes % block_size;
	return limit;
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
