// SPDX-License-Identifier: Apache-2.0
/* A container's bundle: its root, and the volumes that it asks for; see bundle.h. */
#include "ctl/oci-hook/bundle.h"
#include "ctl/object.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

void bundle_clear(struct bundle *bundle)
{
	free(bundle->requests);
	*bundle = (struct bundle){};
}

static int take_root(const char *directory, struct json_object *config, struct bundle *ret,
		     struct trouble *t)
{
	struct json_object *root = object_member(config, "root", json_type_object);
	const char *path = object_string(root, "path", NULL);
	int n;

	if (!path || !path[0] ||
	    strlen(path) !=
		    (size_t)json_object_get_string_len(json_object_object_get(root, "path")))
		return trouble_set(t, -EINVAL, "config.json says no root.path");
	if (path[0] == '/')
		n = snprintf(ret->rootfs, sizeof(ret->rootfs), "%s", path);
	else
		n = snprintf(ret->rootfs, sizeof(ret->rootfs), "%s/%s", directory, path);
	if ((size_t)n >= sizeof(ret->rootfs))
		return trouble_set(t, -ENAMETOOLONG, "root.path is too long");
	return 0;
}

/* If that could be one's name. */
static void name_volume(const char *key, struct trouble *t)
{
	size_t length = strlen(REQUEST_VOLUME_PREFIX);

	if (strncmp(key, REQUEST_VOLUME_PREFIX, length) == 0 && name_is_volume(key + length))
		trouble_step(t, key + length, "reading the bundle");
}

static int take_annotation(const char *key, struct json_object *value, struct bundle *ret,
			   struct trouble *t)
{
	char reason[256] = "it is not a text";
	struct request *grown;
	int r = -EINVAL;

	if (ret->n_requests == BUNDLE_VOLUMES_MAX)
		return trouble_set(t, -E2BIG, "it asks for more than %d volumes",
				   BUNDLE_VOLUMES_MAX);
	grown = reallocarray(ret->requests, ret->n_requests + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	ret->requests = grown;
	if (json_object_is_type(value, json_type_string) &&
	    strlen(json_object_get_string(value)) == (size_t)json_object_get_string_len(value))
		r = request_parse(key, json_object_get_string(value), &grown[ret->n_requests],
				  reason, sizeof(reason));
	if (r < 0) {
		name_volume(key, t);
		trouble_hint(t, "it looks like this: size=1G,backend=memory,fs=ext4,mount=/data");
		return trouble_set(t, r, "annotation %.128s: %s", key, reason);
	}
	ret->n_requests++;
	return 0;
}

static int take_annotations(struct json_object *config, struct bundle *ret, struct trouble *t)
{
	struct json_object *annotations;

	if (!json_object_object_get_ex(config, "annotations", &annotations) || !annotations)
		return 0;
	if (!json_object_is_type(annotations, json_type_object))
		return trouble_set(t, -EINVAL, "config.json's annotations are not an object");
	json_object_object_foreach(annotations, key, value) {
		int r;

		if (strncmp(key, REQUEST_ANNOTATION_PREFIX, strlen(REQUEST_ANNOTATION_PREFIX)) != 0)
			continue;
		r = take_annotation(key, value, ret, t);
		if (r < 0)
			return r;
	}
	return 0;
}

static int request_compare(const void *a, const void *b)
{
	return strcmp(((const struct request *)a)->mount, ((const struct request *)b)->mount);
}

static int sort_by_mount(struct bundle *ret, struct trouble *t)
{
	if (ret->n_requests == 0)
		return 0;
	qsort(ret->requests, ret->n_requests, sizeof(*ret->requests), request_compare);
	for (size_t i = 1; i < ret->n_requests; i++)
		if (request_compare(&ret->requests[i - 1], &ret->requests[i]) == 0)
			return trouble_set(t, -EINVAL, "volumes %s and %s have the same mount",
					   ret->requests[i - 1].name, ret->requests[i].name);
	return 0;
}

int bundle_parse(const char *directory, const char *config, size_t size, struct bundle *ret,
		 struct trouble *t)
{
	_cleanup_(object_putp) struct json_object *object = NULL;
	_cleanup_(bundle_clear) struct bundle bundle = {};
	int r;

	r = object_parse(config, size, &object);
	if (r < 0 || !json_object_is_type(object, json_type_object))
		return trouble_set(t, -EINVAL, "config.json is not a JSON object");
	r = take_annotations(object, &bundle, t);
	if (r == 0)
		r = sort_by_mount(&bundle, t);
	if (r == 0)
		r = take_root(directory, object, &bundle, t);
	if (r < 0)
		return r;
	*ret = bundle;
	bundle.requests = NULL;
	return 0;
}

static int read_config(const char *directory, char **ret_text, size_t *ret_size, struct trouble *t)
{
	char path[PATH_MAX + 16];
	_cleanup_(closep) int fd = -EBADF;
	_cleanup_(freep) char *text = NULL;
	size_t size = 0;
	struct stat st;

	snprintf(path, sizeof(path), "%s/config.json", directory);
	/* Not to hang on a FIFO; that it is a file is looked at next. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return trouble_set_errno(t, -errno, "%s cannot be read", path);
	if (!S_ISREG(st.st_mode) || st.st_size > BUNDLE_CONFIG_MAX_BYTES)
		return trouble_set(t, -EINVAL, "%s is not a file of at most 4 MiB", path);
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	while (size < (size_t)st.st_size) {
		ssize_t n = read(fd, text + size, (size_t)st.st_size - size);

		if (n < 0)
			return trouble_set_errno(t, -errno, "%s cannot be read", path);
		if (n == 0)
			break;
		size += (size_t)n;
	}
	text[size] = 0;
	*ret_text = take_ptr(&text);
	*ret_size = size;
	return 0;
}

int bundle_read(const char *directory, struct bundle *ret, struct trouble *t)
{
	_cleanup_(freep) char *text = NULL;
	size_t size;
	int r;

	r = read_config(directory, &text, &size, t);
	return r < 0 ? r : bundle_parse(directory, text, size, ret, t);
}
