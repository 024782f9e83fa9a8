// SPDX-License-Identifier: Apache-2.0
/* A volume of a reply as a person wants to see it; see volume-view.h. */
#include "ctl/volume-view.h"
#include "ctl/escape.h"
#include "ctl/quantity.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdarg.h>

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
	int64_t bytes = object_int(volume, "size_bytes", -1);

	out[0] = 0;
	return bytes < 0 ? out : quantity_format_size((uint64_t)bytes, out);
}

char *volume_view_held_by(struct json_object *volume, char *out)
{
	const char *container = object_string(volume, "container", NULL);

	snprintf(out, 192, "%s", container ? container : object_bool(volume, "keep") ? "kept" : "leased");
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

	fact(file, "Size", "%s (%" PRId64 " bytes), in blocks of %" PRId64 "%s",
	     volume_view_size(volume, size), object_int(volume, "size_bytes", 0),
	     object_int(volume, "block_size", 0), object_bool(volume, "read_only") ? ", read only" : "");
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
	char owner[64], name[256];

	fprintf(file, "%s\n", escape_text(object_string(volume, "name", "?"), name, sizeof(name)));
	fact(file, "State", "%s", object_string(volume, "state", "unknown"));
	if (error)
		fact(file, "Error", "%s", error);
	fact(file, "Device", "%s", object_string(volume, "device", "none yet"));
	print_storage(volume, file);
	fact(file, "Owner", "%s (uid %" PRId64 ")", volume_view_owner(volume, owner),
	     object_int(volume, "owner", -1));
	if (container)
		fact(file, "Released", "when container %s ends (init is pid %" PRId64 ")", container,
		     object_int(volume, "container_pid", 0));
	else
		fact(file, "Released", "%s", object_bool(volume, "keep") ?
					     "by 'dmuserctl release'" :
					     "when the connection that made it closes");
	fact(file, "UUID", "DMUSER-%s", object_string(volume, "uuid", "?"));
	if (worker > 0)
		fact(file, "Worker", "pid %" PRId64 ", uid %" PRId64 ", generation %" PRId64, worker,
		     object_int(volume, "worker_uid", -1), object_int(volume, "generation", 0));
	else
		fact(file, "Worker", "none, after generation %" PRId64,
		     object_int(volume, "generation", 0));
}
