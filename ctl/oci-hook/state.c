// SPDX-License-Identifier: Apache-2.0
/* The container's state, as its runtime writes it; see state.h. */
#include "ctl/oci-hook/state.h"
#include "api/client/deadline.h"
#include "ctl/object.h"
#include "util/cleanup.h"

#include <limits.h>
#include <string.h>

/* A string member without a NUL in it. */
static const char *plain_string(struct json_object *object, const char *key)
{
	const char *text = object_string(object, key, NULL);

	if (!text ||
	    strlen(text) != (size_t)json_object_get_string_len(json_object_object_get(object, key)))
		return NULL;
	return text;
}

static int take_pid(struct json_object *object, struct state *ret, struct trouble *t)
{
	struct json_object *value;
	int64_t pid;

	if (!json_object_object_get_ex(object, "pid", &value))
		return 0;
	pid = object_int(object, "pid", -1);
	if (pid < 0 || pid > INT_MAX)
		return trouble_set(t, -EINVAL, "the state's pid is not one");
	ret->pid = (pid_t)pid;
	return 0;
}

int state_parse(const char *text, size_t size, struct state *ret, struct trouble *t)
{
	_cleanup_(object_putp) struct json_object *object = NULL;
	struct state state = {};
	const char *id, *bundle;
	int r;

	r = object_parse(text, size, &object);
	if (r < 0 || !json_object_is_type(object, json_type_object)) {
		trouble_hint(t, "a container runtime writes it to the hook's stdin");
		return trouble_set(t, -EINVAL, "the container's state is not a JSON object");
	}
	id = plain_string(object, "id");
	if (!id || !name_is_container(id)) {
		trouble_hint(t,
			     "1 to %d letters, digits, '.', '_' or '-', the first a letter or "
			     "digit",
			     NAME_CONTAINER_MAX);
		return trouble_set(t, -EINVAL, "the container's id cannot be taken");
	}
	bundle = plain_string(object, "bundle");
	if (!bundle || bundle[0] != '/' || strlen(bundle) >= sizeof(state.bundle))
		return trouble_set(t, -EINVAL, "the state's bundle is not an absolute path");
	r = take_pid(object, &state, t);
	if (r < 0)
		return r;
	strcpy(state.id, id);
	strcpy(state.bundle, bundle);
	*ret = state;
	return 0;
}

int state_read(int fd, uint64_t deadline, struct state *ret, struct trouble *t)
{
	_cleanup_(freep) char *text = malloc(STATE_MAX_BYTES + 1);
	size_t size = 0;

	if (!text)
		return -ENOMEM;
	for (;;) {
		ssize_t n;
		int r = deadline_wait_fd(fd, POLLIN, deadline);

		if (r < 0)
			return trouble_set_errno(t, r, "the container's state does not come");
		n = read(fd, text + size, STATE_MAX_BYTES + 1 - size);
		if (n < 0)
			return trouble_set_errno(t, -errno, "the container's state cannot be read");
		if (n == 0)
			return state_parse(text, size, ret, t);
		size += (size_t)n;
		if (size > STATE_MAX_BYTES)
			return trouble_set(t, -EMSGSIZE,
					   "the container's state is larger than 1 MiB");
	}
}
