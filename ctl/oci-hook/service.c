// SPDX-License-Identifier: Apache-2.0
/* What the hook asks of dmuserd; see service.h. */
#include "ctl/oci-hook/service.h"
#include "api/client/deadline.h"
#include "ctl/circumstances.h"
#include "ctl/explain.h"
#include "ctl/object.h"
#include "ctl/size-option.h"
#include "util/cleanup.h"

#include <string.h>

#define CONNECT_MS 5000
/* What outstanding I/O gets: the container is gone, or never was. */
#define DRAIN_MS 1000

static void dmuser_reply_freep(struct dmuser_reply **reply)
{
	dmuser_reply_free(*reply);
}

static int explained(struct trouble *t, int error, const struct explanation *e)
{
	if (e->hint[0])
		trouble_hint(t, "%s", e->hint);
	return trouble_set(t, error, "%s", e->sentence);
}

static int explained_errno(struct trouble *t, int error, const char *address)
{
	struct explanation e;

	explain_call_errno(error, address, &e);
	return explained(t, error, &e);
}

int service_connect(const char *address, struct dmuser_connection **ret, struct trouble *t)
{
	int r = dmuser_connect(address, CONNECT_MS, ret);

	return r < 0 ? explained_errno(t, r, address) : 0;
}

static struct json_object *create_parameters(const struct request *request, const char *container)
{
	struct json_object *parameters = object_new();
	struct json_object *bound = object_new();

	object_set_string(parameters, "name", request->name);
	object_set_string(parameters, "backend", request->backend);
	if (request->size_bytes)
		object_set_int(parameters, "size_bytes", (int64_t)request->size_bytes);
	if (request->block_size)
		object_set_int(parameters, "block_size", request->block_size);
	if (request->read_only)
		object_set_bool(parameters, "read_only", true);
	if (request->n_options > 0) {
		struct json_object *options = object_new();

		for (size_t i = 0; i < request->n_options; i++)
			object_set_string(options, request->options[i].key,
					  request->options[i].value);
		object_set(parameters, "options", options);
	}
	object_set_string(bound, "id", container);
	object_set_int(bound, "pidfd", 0);
	object_set(parameters, "container", bound);
	return parameters;
}

/*
 * A refusal, in the words of an annotation. Nothing is looked up for it: the path is one that who
 * wrote the annotation chose, to whom root would tell what is there, and it may be on what does not
 * answer.
 */
static int explained_refusal(struct trouble *t, const struct dmuser_reply *reply,
			     struct json_object *request)
{
	struct circumstances here;
	struct explanation e;

	circumstances_read(&here);
	here.words = WORDS_OF_ANNOTATION;
	here.request = request;
	explain_reply_in(&here, dmuser_reply_error(reply), dmuser_reply_parameters(reply), &e);
	return explained(t, -EREMOTEIO, &e);
}

/* What is to be sent, with sizes in bytes: for that, dmuserd is asked what the backend takes. */
static int fit_to_backend(struct dmuser_connection *c, struct json_object *request, int timeout_ms,
			  struct json_object **ret_parameters, struct trouble *t)
{
	_cleanup_(dmuser_reply_freep) struct dmuser_reply *reply = NULL;
	int r;

	if (!size_options_need_kinds(request)) {
		*ret_parameters = json_object_get(request);
		return 0;
	}
	r = dmuser_call(c, "io.dmuser.ListBackends", NULL, NULL, 0, timeout_ms, &reply);
	if (r < 0)
		return explained_errno(t, r, NULL);
	if (r == DMUSER_REFUSED)
		return explained_refusal(t, reply, request);
	*ret_parameters = size_options_to_bytes(
		request, size_options_find_backend(dmuser_reply_parameters(reply),
						   object_string(request, "backend", "")));
	return 0;
}

int service_create(struct dmuser_connection *c, const struct request *request,
		   const char *container, int pidfd, int timeout_ms, struct device *ret_device,
		   struct trouble *t)
{
	_cleanup_(object_putp) struct json_object *asked = create_parameters(request, container);
	_cleanup_(object_putp) struct json_object *parameters = NULL;
	_cleanup_(dmuser_reply_freep) struct dmuser_reply *reply = NULL;
	uint64_t deadline = deadline_after_ms(timeout_ms);
	struct json_object *volume;
	int r;

	r = fit_to_backend(c, asked, timeout_ms, &parameters, t);
	if (r < 0)
		return r;
	timeout_ms = deadline_left_ms(deadline);
	r = dmuser_call(c, "io.dmuser.Create", parameters, &pidfd, 1, timeout_ms, &reply);
	if (r < 0)
		return explained_errno(t, r, NULL);
	if (r == DMUSER_REFUSED)
		return explained_refusal(t, reply, asked);
	volume = object_member(dmuser_reply_parameters(reply), "volume", json_type_object);
	return device_from_reply(volume, ret_device, t);
}

int service_release(const char *address, const char *container, const char *reason, int timeout_ms,
		    struct trouble *t)
{
	_cleanup_(dmuser_connection_freep) struct dmuser_connection *c = NULL;
	_cleanup_(dmuser_reply_freep) struct dmuser_reply *reply = NULL;
	_cleanup_(object_putp) struct json_object *parameters = object_new();
	struct explanation e;
	int r;

	r = service_connect(address, &c, t);
	if (r < 0)
		return r;
	object_set_string(parameters, "container", container);
	object_set_int(parameters, "timeout_ms", DRAIN_MS);
	if (reason)
		object_set_string(parameters, "reason", reason);
	r = dmuser_call(c, "io.dmuser.Release", parameters, NULL, 0, timeout_ms, &reply);
	if (r < 0)
		return explained_errno(t, r, address);
	if (r == 0 || strcmp(dmuser_reply_error(reply), "io.dmuser.NoSuchVolume") == 0)
		return 0;
	explain_reply(dmuser_reply_error(reply), dmuser_reply_parameters(reply), &e);
	return explained(t, -EREMOTEIO, &e);
}

void service_report(const char *address, const char *container, const char *volume,
		    const char *reason, int timeout_ms)
{
	_cleanup_(dmuser_connection_freep) struct dmuser_connection *c = NULL;
	_cleanup_(dmuser_reply_freep) struct dmuser_reply *reply = NULL;
	_cleanup_(object_putp) struct json_object *parameters = object_new();
	struct trouble unheard = {};

	if (service_connect(address, &c, &unheard) < 0)
		return;
	object_set_string(parameters, "name", volume);
	object_set_string(parameters, "container", container);
	object_set_string(parameters, "reason", reason);
	object_set_bool(parameters, "unless_open", true);
	(void)dmuser_call(c, "io.dmuser.Release", parameters, NULL, 0, timeout_ms, &reply);
}
