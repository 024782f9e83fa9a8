// SPDX-License-Identifier: Apache-2.0
/* A volume of a reply as a person wants to see it; see volume-view.h. */
#include "ctl/volume-view.h"
#include "ctl/backing.h"
#include "ctl/escape.h"
#include "ctl/quantity.h"
#include "util/cleanup.h"

#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

char *volume_view_owner(struct json_object *volume, char *out)
{
	int64_t uid = object_int(volume, "owner", -1);
	struct passwd *pw = uid >= 0 && uid < UINT32_MAX ? getpwuid((uid_t)uid) : NULL;

	if (pw)
		snprintf(out, 64, "%s", pw->pw_name);
	else
		snprintf(out, 64, "%" PRId64, uid);
	return out;
}

char *volume_view_size(struct json_object *volume, char *out)
{
	int64_t bytes = object_int(volume, "size_bytes", 0);

	/* Before the backing has been looked at it is 0. */
	out[0] = 0;
	return bytes <= 0 ? out : quantity_format_size((uint64_t)bytes, out);
}

char *volume_view_held_by(struct json_object *volume, char *out)
{
	const char *container = object_string(volume, "container", NULL);

	snprintf(out, 192, "%s", container ? container :
		 object_bool(volume, "keep") ? "kept" : "leased");
	return out;
}

bool volume_view_is_active(struct json_object *volume)
{
	return strcmp(object_string(volume, "state", ""), "active") == 0;
}

/* A line of a file below /sys/block/dm-N/dm; "" if it cannot be read. */
static void read_line(const char *root, const char *node, const char *file, char *out, size_t size)
{
	_cleanup_(fclosep) FILE *f = NULL;
	char path[PATH_MAX];

	out[0] = 0;
	snprintf(path, sizeof(path), "%s/sys/block/%s/dm/%s", root, node, file);
	f = fopen(path, "re");
	if (f && fgets(out, (int)size, f))
		out[strcspn(out, "\n")] = 0;
	else
		out[0] = 0;
}

char *volume_view_link(struct json_object *volume, const char *root,
		       char out[static VOLUME_VIEW_LINK_SIZE])
{
	const char *node = object_string(volume, "device", "");
	char name[VOLUME_VIEW_LINK_SIZE - sizeof("/dev/mapper/")], uuid[160], wanted[160];

	out[0] = 0;
	if (strncmp(node, "/dev/dm-", strlen("/dev/dm-")) != 0 ||
	    strchr(node + strlen("/dev/"), '/'))
		return out;
	node += strlen("/dev/");
	/* The number may be another device's by now. */
	read_line(root, node, "uuid", uuid, sizeof(uuid));
	snprintf(wanted, sizeof(wanted), "DMUSER-%s", object_string(volume, "uuid", "?"));
	read_line(root, node, "name", name, sizeof(name));
	if (strcmp(uuid, wanted) == 0 && name[0])
		snprintf(out, VOLUME_VIEW_LINK_SIZE, "/dev/mapper/%s", name);
	return out;
}

char *volume_view_words(struct json_object *volume, char *out)
{
	const char *container = object_string(volume, "container", NULL);
	int64_t owner = object_int(volume, "owner", -1);
	char text[512], number[48] = "";

	if (owner >= 0 && owner != geteuid())
		snprintf(number, sizeof(number), " --owner %" PRId64, owner);
	snprintf(text, sizeof(text), "%s%s%s%s", object_string(volume, "name", "?"),
		 container ? " --container " : "", container ? container : "", number);
	return escape_text(text, out, 512);
}

char *volume_view_next(struct json_object *volume, char out[static VOLUME_VIEW_NEXT_SIZE])
{
	const char *state = object_string(volume, "state", "");
	char words[512];

	out[0] = 0;
	volume_view_words(volume, words);
	if (strcmp(state, "degraded") == 0)
		snprintf(out, VOLUME_VIEW_NEXT_SIZE,
			 "unmount it if it is mounted; dmuserctl release %s, then create it again",
			 words);
	else if (strcmp(state, "releasing") == 0 && object_string(volume, "error", NULL))
		snprintf(out, VOLUME_VIEW_NEXT_SIZE,
			 "end what has it open, and it goes; dmuserctl release %s says what to do",
			 words);
	return out;
}

__attribute__((format(printf, 3, 4))) static void fact(FILE *file, const char *name,
						       const char *format, ...)
{
	char text[4096], escaped[4096];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	fprintf(file, "  %-12s %s\n", name, escape_text(text, escaped, sizeof(escaped)));
}

static void print_storage(struct json_object *volume, FILE *file)
{
	struct json_object *options = object_member(volume, "options", json_type_object);
	char size[24];

	if (volume_view_size(volume, size)[0])
		fact(file, "Size", "%s (%" PRId64 " bytes), in blocks of %" PRId64 "%s", size,
		     object_int(volume, "size_bytes", 0), object_int(volume, "block_size", 0),
		     object_bool(volume, "read_only") ? ", read only" : "");
	else
		fact(file, "Size", "not known yet");
	fact(file, "Backend", "%s%s", object_string(volume, "backend", "unknown"),
	     object_bool(volume, "blank") ? ", made new for this volume" : "");
	if (options) {
		json_object_object_foreach(options, key, value)
			fact(file, "Option", "%s=%s", key, json_object_get_string(value));
	}
}

void volume_view_print(struct json_object *volume, FILE *file)
{
	const char *container = object_string(volume, "container", NULL);
	const char *error = object_string(volume, "error", NULL);
	int64_t worker = object_int(volume, "worker_pid", 0);
	char owner[64], name[256], text[VOLUME_VIEW_NEXT_SIZE];

	fprintf(file, "%s\n", escape_text(object_string(volume, "name", "?"), name, sizeof(name)));
	fact(file, "State", "%s", object_string(volume, "state", "unknown"));
	if (error)
		fact(file, "Error", "%s", error);
	if (volume_view_next(volume, text)[0])
		fprintf(file, "  %-12s %s\n", "To do", text);
	fact(file, "Device", "%s", object_string(volume, "device", "none yet"));
	if (volume_view_link(volume, "", text)[0])
		fact(file, "Also as", "%s", text);
	print_storage(volume, file);
	fact(file, "Owner", "%s (uid %" PRId64 ")", volume_view_owner(volume, owner),
	     object_int(volume, "owner", -1));
	if (container)
		fact(file, "Released", "when container %s ends (init is pid %" PRId64 ")",
		     container, object_int(volume, "container_pid", 0));
	else
		fact(file, "Released", "%s", object_bool(volume, "keep") ?
					     "by 'dmuserctl release'" :
					     "when the connection that made it closes");
	fact(file, "UUID", "DMUSER-%s", object_string(volume, "uuid", "?"));
	if (worker > 0)
		fact(file, "Worker", "pid %" PRId64 ", uid %" PRId64 ", generation %" PRId64,
		     worker, object_int(volume, "worker_uid", -1),
		     object_int(volume, "generation", 0));
	else
		fact(file, "Worker", "none, after generation %" PRId64,
		     object_int(volume, "generation", 0));
}

/* Only what is full now is called so: that it was full when it mattered cannot be seen. */
static void blame_file(const char *path, char *out, size_t size)
{
	struct statvfs fs;

	if (statvfs(path, &fs) == 0 && backing_is_nearly_full(&fs))
		snprintf(out, size, "mostly the file system of %.400s is full: df -h shows it",
			 path);
	else
		snprintf(out, size,
			 "dmesg may tell why, unless the file system of %.400s was full then",
			 path);
}

char *volume_view_error_cause(struct json_object *volume, char out[static VOLUME_VIEW_CAUSE_SIZE])
{
	const char *path = backing_path(object_member(volume, "options", json_type_object));
	char text[VOLUME_VIEW_CAUSE_SIZE - 128];

	if (path && strncmp(path, "/dev/", 5) == 0)
		snprintf(text, sizeof(text), "mostly %.400s itself fails: dmesg", path);
	else if (path)
		blame_file(path, text, sizeof(text));
	else
		snprintf(text, sizeof(text),
			 "mostly its worker had ended, or memory is short: dmesg");
	return escape_text(text, out, VOLUME_VIEW_CAUSE_SIZE);
}

void volume_view_print_status(struct json_object *volume, const struct target_status *status,
			      FILE *file)
{
	char cause[VOLUME_VIEW_CAUSE_SIZE];

	if (status->errors > 0)
		fprintf(file, "  %-12s %" PRIu64 " requests failed since it was made; %s\n",
			"I/O errors", status->errors, volume_view_error_cause(volume, cause));
	if (status->timed_out > 0)
		fact(file, "Timed out", "%" PRIu64 " times, its worker did not answer in time",
		     status->timed_out);
	if (volume_view_is_active(volume) && target_status_fault(status))
		fact(file, "Kernel", "%s, and I/O fails; release it and create it again",
		     target_status_fault(status));
}
