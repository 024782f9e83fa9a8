// SPDX-License-Identifier: Apache-2.0
/* The stage poststop; see stage.h. */
#include "ctl/oci-hook/bundle.h"
#include "ctl/oci-hook/service.h"
#include "ctl/oci-hook/stage.h"

#define RELEASE_MS 15000

int stage_poststop(const char *address, const struct state *state, struct trouble *t)
{
	struct trouble unread = {};
	struct bundle bundle = {};
	size_t n_requests = 1;

	/* A bundle that cannot be read any more may have asked for volumes. */
	if (bundle_read(state->bundle, &bundle, &unread) == 0)
		n_requests = bundle.n_requests;
	bundle_clear(&bundle);
	if (n_requests == 0)
		return 0;
	trouble_step(t, NULL, "releasing");
	return service_release(address, state->id, NULL, RELEASE_MS, t);
}
