// SPDX-License-Identifier: Apache-2.0
/*
 * Does what is asked for fit the backend's manifest? See backend_validate() in backend.h.
 *
 * Makes no system call. An option's value is taken in one spelling only, so that two Creates of the same
 * volume can be told by comparing text.
 */
#include "dmuserd/supervisor/backend.h"
#include "util/cleanup.h"

#include <inttypes.h>
#include <string.h>

/* The name that C does not let an array of unnamed structs have. */
typedef __typeof__(((struct parser_manifest *)NULL)->options[0]) manifest_option;

/* -?(0|[1-9][0-9]*) within 64 bits. */
static int parse_integer(const char *text, int64_t *ret_number)
{
	const char *digits = text[0] == '-' ? text + 1 : text;
	size_t n = strspn(digits, "0123456789");
	char *end;

	if (n == 0 || digits[n] || (digits[0] == '0' && (n > 1 || text[0] == '-')))
		return -EINVAL;
	errno = 0;
	*ret_number = strtoll(text, &end, 10);
	return errno == 0 ? 0 : -ERANGE;
}

static int check_number(const manifest_option *option, const char *value, struct failure *failure)
{
	int64_t number = 0;
	int r = parse_integer(value, &number);

	if (r == -EINVAL || (number < 0 && option->kind == MANIFEST_SIZE))
		return failure_set(failure, FAILURE_INVALID_OPTION, option->name,
				   "must be %s, written in plain digits",
				   option->kind == MANIFEST_SIZE ? "a number of bytes" : "a number");
	if (r < 0 || number < option->min || number > option->max)
		return failure_set(failure, FAILURE_INVALID_OPTION, option->name,
				   "must be from %" PRId64 " to %" PRId64, option->min, option->max);
	return 0;
}

static int check_string(const manifest_option *option, const char *value, struct failure *failure)
{
	int64_t length = (int64_t)strlen(value);

	if (length < option->min || length > option->max)
		return failure_set(failure, FAILURE_INVALID_OPTION, option->name,
				   "must have %" PRId64 " to %" PRId64 " bytes", option->min,
				   option->max);
	/* There is no directory that a relative one could start from. */
	if (option->opens && value[0] != '/')
		return failure_set(failure, FAILURE_INVALID_OPTION, option->name,
				   "must be an absolute path");
	return 0;
}

static int check_value(const manifest_option *option, const char *value, struct failure *failure)
{
	switch (option->kind) {
	case MANIFEST_STRING:
		return check_string(option, value, failure);
	case MANIFEST_BOOLEAN:
		if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0)
			return 0;
		return failure_set(failure, FAILURE_INVALID_OPTION, option->name,
				   "must be true or false");
	default:
		return check_number(option, value, failure);
	}
}

static const struct worker_option *find_given(const struct parser_create *create, const char *name)
{
	for (size_t i = 0; i < create->n_options; i++) {
		if (strcmp(create->options[i].name, name) == 0)
			return &create->options[i];
	}
	return NULL;
}

static bool takes_option(const struct parser_manifest *manifest, const char *name)
{
	for (size_t i = 0; i < manifest->n_options; i++) {
		if (strcmp(manifest->options[i].name, name) == 0)
			return true;
	}
	return false;
}

/* First of all: what is missing else may be what it was meant to be. */
static int check_names(const struct parser_manifest *manifest, const struct parser_create *create,
		       struct failure *failure)
{
	for (size_t i = 0; i < create->n_options; i++) {
		if (!takes_option(manifest, create->options[i].name))
			return failure_set(failure, FAILURE_INVALID_OPTION, create->options[i].name,
					   "backend %s has no such option", manifest->type);
	}
	return 0;
}

/* In the order of the manifest, so that the order in which they were given makes no difference. */
static int take_options(const struct parser_manifest *manifest, const struct parser_create *create,
			struct volume_spec *spec, struct failure *failure)
{
	for (size_t i = 0; i < manifest->n_options; i++) {
		const manifest_option *option = &manifest->options[i];
		const struct worker_option *given = find_given(create, option->name);
		int r;

		if (!given && option->required)
			return failure_set(failure, FAILURE_INVALID_OPTION, option->name,
					   "backend %s needs it", manifest->type);
		if (!given)
			continue;
		r = check_value(option, given->value, failure);
		if (r < 0)
			return r;
		spec->options[spec->n_options++] = *given;
	}
	return 0;
}

bool backend_has_resource(const struct parser_manifest *manifest, uint32_t kind)
{
	for (size_t i = 0; i < manifest->n_resources; i++) {
		if (manifest->resources[i] == kind)
			return true;
	}
	return false;
}

/* A file does. But memory is counted as large as the volume, before anything is opened. */
static bool has_size_of_its_own(const struct parser_manifest *manifest)
{
	return backend_has_resource(manifest, MANIFEST_FILE) &&
	       !backend_has_resource(manifest, MANIFEST_MEMFD);
}

static int take_size(const struct parser_manifest *manifest, const struct parser_create *create,
		     struct volume_spec *spec, struct failure *failure)
{
	uint64_t size = create->size_bytes;

	spec->block_size = create->block_size ? create->block_size : BLOCK_SIZE_DEFAULT;
	spec->size_bytes = size;
	if (size == PARSER_UNSET && has_size_of_its_own(manifest))
		return 0;
	if (size == PARSER_UNSET)
		return failure_set(failure, FAILURE_INVALID_PARAMETER, "size_bytes",
				   "backend %s has no size of its own", manifest->type);
	if (size == 0 || size % spec->block_size != 0)
		return failure_set(failure, FAILURE_INVALID_PARAMETER, "size_bytes",
				   "must be a multiple of %u", spec->block_size);
	if (size < manifest->min_size_bytes || size > manifest->max_size_bytes)
		return failure_set_size(failure, "the volume", size, manifest);
	return 0;
}

int backend_validate(const struct backend *backend, const struct parser_create *create,
		     struct volume_spec *ret_spec, struct failure *failure)
{
	struct volume_spec *spec;
	int r;

	/* 33 KiB: written in place rather than copied. */
	spec = ret_spec;
	memset(spec, 0, sizeof(*spec));
	snprintf(spec->name, sizeof(spec->name), "%.*s", NAME_VOLUME_MAX, create->name);
	spec->backend = backend;
	spec->read_only = create->read_only;
	spec->keep = create->keep;
	r = check_names(&backend->manifest, create, failure);
	if (r == 0)
		r = take_size(&backend->manifest, create, spec, failure);
	return r < 0 ? r : take_options(&backend->manifest, create, spec, failure);
}
