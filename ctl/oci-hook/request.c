// SPDX-License-Identifier: Apache-2.0
/* What a container asks for: one volume, as an annotation says it; see request.h. */
#include "ctl/oci-hook/request.h"
#include "ctl/quantity.h"
#include "util/cleanup.h"

#include <stdarg.h>
#include <string.h>

#define BLOCK_SIZE_DEFAULT 512

static const char *const fs_names[] = {
	[REQUEST_FS_EXT4] = "ext4",
	[REQUEST_FS_XFS] = "xfs",
	[REQUEST_FS_BTRFS] = "btrfs",
};

struct reading {
	struct request *request;
	bool has_fs, has_read_only;
	char *reason;
	size_t reason_size;
};

const char *request_fs_name(enum request_fs fs)
{
	return fs_names[fs];
}

__attribute__((format(printf, 2, 3))) static int refuse(struct reading *in, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(in->reason, in->reason_size, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static int take_backend(struct reading *in, const char *value)
{
	if (in->request->backend[0])
		return refuse(in, "backend is given twice");
	if (!name_is_backend(value))
		return refuse(in, "'%.64s' is no name of a backend", value);
	strcpy(in->request->backend, value);
	return 0;
}

static int take_size(struct reading *in, const char *value)
{
	uint64_t bytes;

	if (in->request->size_bytes)
		return refuse(in, "size is given twice");
	if (quantity_parse_size(value, &bytes) < 0 || bytes == 0)
		return refuse(in,
			      "size '%.64s' is not a number of bytes, with or without K, M, G or T",
			      value);
	in->request->size_bytes = bytes;
	return 0;
}

static int take_block_size(struct reading *in, const char *value)
{
	uint64_t bytes;

	if (in->request->block_size)
		return refuse(in, "block_size is given twice");
	if (quantity_parse_number(value, 4096, &bytes) < 0 || bytes < 512 || (bytes & (bytes - 1)))
		return refuse(in, "block_size '%.64s' is not 512, 1024, 2048 or 4096", value);
	in->request->block_size = (uint32_t)bytes;
	return 0;
}

static int take_read_only(struct reading *in, const char *value)
{
	if (in->has_read_only)
		return refuse(in, "read_only is given twice");
	if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
		return refuse(in, "read_only '%.64s' is neither true nor false", value);
	in->has_read_only = true;
	in->request->read_only = strcmp(value, "true") == 0;
	return 0;
}

static int take_fs(struct reading *in, const char *value)
{
	if (in->has_fs)
		return refuse(in, "fs is given twice");
	for (size_t i = 0; i < ARRAY_SIZE(fs_names); i++) {
		if (strcmp(value, fs_names[i]) == 0) {
			in->request->fs = (enum request_fs)i;
			in->has_fs = true;
			return 0;
		}
	}
	return refuse(in, "fs '%.64s' is not ext4, xfs or btrfs", value);
}

/* Whether path is that directory or below it. */
static bool is_in(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	return strncmp(path, directory, length) == 0 && (path[length] == '/' || !path[length]);
}

/* Every component is a plain name. */
static bool is_normal_path(const char *path)
{
	if (path[0] != '/')
		return false;
	while (*path == '/') {
		size_t length = strcspn(++path, "/");

		if (length == 0 || length > NAME_MAX || (length == 1 && path[0] == '.') ||
		    (length == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		path += length;
	}
	return true;
}

static int take_mount(struct reading *in, const char *value)
{
	if (in->request->mount[0])
		return refuse(in, "mount is given twice");
	if (strlen(value) >= sizeof(in->request->mount))
		return refuse(in, "mount is too long");
	if (!is_normal_path(value))
		return refuse(in, "mount '%.64s' is not an absolute path of plain names", value);
	/*
	 * Runtimes and the kernel rely on what is there; covering it would undo their protection.
	 */
	if (is_in(value, "/proc") || is_in(value, "/sys") || is_in(value, "/dev"))
		return refuse(in, "mount '%.64s' is in /proc, /sys or /dev", value);
	strcpy(in->request->mount, value);
	return 0;
}

static int take_option(struct reading *in, const char *key, const char *value)
{
	struct request *q = in->request;
	struct request_option *option;

	if (!name_is_option(key))
		return refuse(in, "'%.64s' is no name of an option", key);
	for (size_t i = 0; i < q->n_options; i++)
		if (strcmp(q->options[i].key, key) == 0)
			return refuse(in, "%s is given twice", key);
	if (q->n_options == REQUEST_OPTIONS_MAX)
		return refuse(in, "there are more than %d options", REQUEST_OPTIONS_MAX);
	if (strlen(value) >= sizeof(option->value))
		return refuse(in, "the value of %s is too long", key);
	option = &q->options[q->n_options++];
	strcpy(option->key, key);
	strcpy(option->value, value);
	return 0;
}

static int take_pair(struct reading *in, const char *key, const char *value)
{
	static const struct {
		const char *key;
		int (*take)(struct reading *in, const char *value);
	} own[] = {
		{ "backend", take_backend },       { "size", take_size },
		{ "block_size", take_block_size }, { "read_only", take_read_only },
		{ "fs", take_fs },                 { "mount", take_mount },
	};

	if (!value[0])
		return refuse(in, "%.64s has no value", key);
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (strcmp(key, own[i].key) == 0)
			return own[i].take(in, value);
	return take_option(in, key, value);
}

static bool has_control_character(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

/* text is cut up in place. */
static int take_pairs(struct reading *in, char *text)
{
	for (char *next; text; text = next) {
		char *equals;
		int r;

		next = strchr(text, ',');
		if (next)
			*next++ = 0;
		equals = strchr(text, '=');
		if (!equals)
			return refuse(in, "'%.64s' is not key=value", text);
		*equals = 0;
		r = take_pair(in, text, equals + 1);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * One that was taken for an option of the backend, which nobody has asked yet, may be what is
 * missing, misspelt.
 */
static int refuse_missing(struct reading *in, const char *key)
{
	const struct request *q = in->request;

	if (q->n_options == 0)
		return refuse(in, "%s is missing", key);
	return refuse(in, "%s is missing, and '%s' would be an option of the backend", key,
		      q->options[0].key);
}

static int check_whole(struct reading *in)
{
	const struct request *q = in->request;
	uint32_t block_size = q->block_size ? q->block_size : BLOCK_SIZE_DEFAULT;

	if (!q->backend[0])
		return refuse_missing(in, "backend");
	if (!q->mount[0])
		return refuse_missing(in, "mount");
	if (q->size_bytes % block_size)
		return refuse(in, "size is not a multiple of %u, the block size", block_size);
	return 0;
}

int request_parse(const char *key, const char *value, struct request *ret, char *reason,
		  size_t reason_size)
{
	_cleanup_(freep) struct request *request = calloc(1, sizeof(*request));
	_cleanup_(freep) char *text = strdup(value);
	struct reading in = { .request = request, .reason = reason, .reason_size = reason_size };
	const char *name = key + strlen(REQUEST_VOLUME_PREFIX);
	int r;

	if (!request || !text)
		return -ENOMEM;
	if (strncmp(key, REQUEST_VOLUME_PREFIX, strlen(REQUEST_VOLUME_PREFIX)) != 0)
		return refuse(&in, "only " REQUEST_VOLUME_PREFIX "NAME means something here");
	if (!name_is_volume(name))
		return refuse(&in,
			      "'%.64s' is no name of a volume: 1 to %d letters, digits, '.', '_' "
			      "or '-', the first a letter or digit",
			      name, NAME_VOLUME_MAX);
	if (has_control_character(value))
		return refuse(&in, "there is a control character in it");
	strcpy(request->name, name);
	r = take_pairs(&in, text);
	if (r == 0)
		r = check_whole(&in);
	if (r == 0)
		*ret = *request;
	return r;
}
