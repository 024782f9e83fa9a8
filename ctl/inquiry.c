// SPDX-License-Identifier: Apache-2.0
/* What is looked up after an error; see inquiry.h. */
#include "ctl/inquiry.h"
#include "ctl/reason.h"
#include "util/cleanup.h"

#include <string.h>

/* The error is to be told soon. */
#define PATIENCE_MS 3000

static struct json_object *ask(struct dmuser_connection *connection, const char *method,
			       struct json_object *parameters, const char *member,
			       enum json_type type)
{
	struct json_object *answer = NULL;
	struct dmuser_reply *reply = NULL;

	if (dmuser_call(connection, method, parameters, NULL, 0, PATIENCE_MS, &reply) == 0)
		answer = json_object_get(
			object_member(dmuser_reply_parameters(reply), member, type));
	dmuser_reply_free(reply);
	return answer;
}

/* A request of Create has an object for its container, the others an id. */
static const char *container_of(struct json_object *request)
{
	struct json_object *container = object_member(request, "container", json_type_object);

	return container ? object_string(container, "id", NULL) :
			   object_string(request, "container", NULL);
}

struct json_object *inquire_volume(struct dmuser_connection *connection, const char *name,
				   const char *container, int64_t owner)
{
	_cleanup_(object_putp) struct json_object *parameters = object_new();

	object_set_string(parameters, "name", name);
	if (container)
		object_set_string(parameters, "container", container);
	if (owner >= 0)
		object_set_int(parameters, "owner", owner);
	return ask(connection, "io.dmuser.Describe", parameters, "volume", json_type_object);
}

static bool is_same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Of any container, unless one was asked for. */
static struct json_object *find_others(struct dmuser_connection *connection, const char *name,
				       const char *container)
{
	struct json_object *volumes = ask(connection, "io.dmuser.List", NULL, "volumes",
					  json_type_array);
	struct json_object *others = json_object_new_array();

	for (size_t i = 0; volumes && others && i < json_object_array_length(volumes); i++) {
		struct json_object *volume = json_object_array_get_idx(volumes, i);

		if (is_same_text(object_string(volume, "name", NULL), name) &&
		    (!container ||
		     is_same_text(object_string(volume, "container", NULL), container)))
			json_object_array_add(others, json_object_get(volume));
	}
	json_object_put(volumes);
	return others;
}

/* What an array's elements are called. NULL if there is none. */
static struct json_object *list_names(struct json_object *array, const char *key)
{
	struct json_object *names = array ? object_new_array() : NULL;

	for (size_t i = 0; names && i < json_object_array_length(array); i++) {
		struct json_object *element = json_object_array_get_idx(array, i);

		object_append(names, json_object_new_string(object_string(element, key, "")));
	}
	return names;
}

static struct json_object *find_backend(struct json_object *backends, const char *type)
{
	for (size_t i = 0; backends && i < json_object_array_length(backends); i++) {
		struct json_object *backend = json_object_array_get_idx(backends, i);

		if (is_same_text(object_string(backend, "type", NULL), type))
			return backend;
	}
	return NULL;
}

/* A name that none has: dmuserd does not tell which there are. */
static void ask_for_names(struct dmuser_connection *connection, const char *error,
			  struct json_object *parameters, struct json_object *request,
			  struct inquiry *inquiry)
{
	bool of_backend = strcmp(error, "org.varlink.service.InvalidParameter") == 0 &&
			  is_same_text(object_string(parameters, "parameter", NULL), "backend");
	bool of_option = strcmp(error, "io.dmuser.InvalidOption") == 0 &&
			 reason_is_no_option(object_string(parameters, "reason", ""));
	_cleanup_(object_putp) struct json_object *backends = NULL;
	struct json_object *backend;

	if (!of_backend && !of_option)
		return;
	backends = ask(connection, "io.dmuser.ListBackends", NULL, "backends", json_type_array);
	backend = find_backend(backends, object_string(request, "backend", NULL));
	if (of_backend)
		inquiry->backends = list_names(backends, "type");
	else
		inquiry->options =
			list_names(object_member(backend, "options", json_type_array), "name");
}

static void ask_dmuserd(struct dmuser_connection *connection, bool is_root, const char *error,
			struct json_object *parameters, struct json_object *request,
			struct inquiry *inquiry)
{
	const char *name = object_string(parameters, "name", ""),
		   *container = container_of(request);
	int64_t owner = object_int(request, "owner", -1);

	ask_for_names(connection, error, parameters, request, inquiry);
	if (!name[0])
		return;
	if (strcmp(error, "io.dmuser.SpecificationMismatch") == 0 ||
	    strcmp(error, "io.dmuser.VolumeBusy") == 0)
		inquiry->volume = inquire_volume(connection, name, container, owner);
	if (strcmp(error, "io.dmuser.NoSuchVolume") == 0 && is_root && owner < 0 && request)
		inquiry->others = find_others(connection, name, container);
}

/* Of the others, none is explained by what it lies in. */
static bool is_about_backing(const char *error)
{
	return strcmp(error, "io.dmuser.InvalidOption") == 0 ||
	       strcmp(error, "io.dmuser.InvalidSize") == 0 ||
	       strcmp(error, "io.dmuser.BackingInUse") == 0;
}

static void look_at_backing(const char *error, struct json_object *request, struct inquiry *inquiry)
{
	const char *path = backing_path(object_member(request, "options", json_type_object));
	struct stat st;

	if (!is_about_backing(error) || !path || stat(path, &st) < 0)
		return;
	inquiry->backing = backing_kind_of_mode(st.st_mode);
	if (S_ISBLK(st.st_mode) && strcmp(error, "io.dmuser.BackingInUse") == 0)
		backing_find_user(st.st_rdev, "", &inquiry->user);
}

void inquire(struct dmuser_connection *connection, bool is_root, const char *error,
	     struct json_object *parameters, struct json_object *request,
	     struct inquiry *ret_inquiry)
{
	*ret_inquiry = (struct inquiry){};
	look_at_backing(error, request, ret_inquiry);
	ask_dmuserd(connection, is_root, error, parameters, request, ret_inquiry);
}

void inquiry_done(struct inquiry *inquiry)
{
	json_object_put(inquiry->volume);
	json_object_put(inquiry->others);
	json_object_put(inquiry->backends);
	json_object_put(inquiry->options);
	*inquiry = (struct inquiry){};
}
