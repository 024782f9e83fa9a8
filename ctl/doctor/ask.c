// SPDX-License-Identifier: Apache-2.0
/* What dmuserd says when it is asked; see ask.h. */
#include "ctl/doctor/ask.h"
#include "ctl/quantity.h"
#include "ctl/target-status.h"
#include "util/cleanup.h"

#include <json-c/json.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>

/* One that is well answers at once; what hangs must not hang the doctor. */
#define PATIENCE_MS 5000

/*
 * Anybody can take the name. Root's alone is believed: its command line says which file is read
 * next, and root reads any. (The folder in /proc belongs to the process's uid, dumpable or not.)
 */
static bool is_dmuserd(struct probe *probe, const char *pid)
{
	char name[64];

	return probe_is_roots(probe, "/proc/%s", pid) &&
	       probe_read(probe, name, sizeof(name), "/proc/%s/comm", pid) == 0 &&
	       strcmp(name, "dmuserd") == 0;
}

static pid_t find_by_name(struct probe *probe)
{
	_cleanup_(closedirp) DIR *dir = probe_open_dir(probe, "/proc");

	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		uint64_t pid;

		if (quantity_parse_number(entry->d_name, INT_MAX, &pid) == 0 &&
		    is_dmuserd(probe, entry->d_name))
			return (pid_t)pid;
	}
	return 0;
}

/* The socket was made by dmuserd, or by systemd for it: then it is looked for by its name. */
static pid_t find_peer(struct probe *probe, int socket)
{
	struct ucred peer = {};
	socklen_t size = sizeof(peer);
	char text[16];

	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0) {
		snprintf(text, sizeof(text), "%d", peer.pid);
		if (is_dmuserd(probe, text))
			return peer.pid;
	}
	return find_by_name(probe);
}

/* What dmuserd may not have noticed: the kernel counts by itself. */
static void add_status(struct json_object *volume)
{
	struct json_object *kernel;
	struct target_status status;

	if (target_status_read(object_string(volume, "uuid", ""), &status) < 0)
		return;
	kernel = object_new();
	object_set_int(kernel, "errors", (int64_t)status.errors);
	object_set_int(kernel, "timed_out", (int64_t)status.timed_out);
	if (target_status_fault(&status))
		object_set_string(kernel, "dead", target_status_fault(&status));
	object_set(volume, "kernel", kernel);
}

static void ask_for_volumes(struct probe *probe, struct dmuser_connection *connection,
			    int timeout_ms)
{
	_cleanup_(dmuser_reply_freep) struct dmuser_reply *reply = NULL;

	if (dmuser_call(connection, "io.dmuser.List", NULL, NULL, 0, timeout_ms, &reply) != 0)
		return;
	probe->daemon.volumes = json_object_get(
		object_member(dmuser_reply_parameters(reply), "volumes", json_type_array));
	for (size_t i = 0; i < object_array_length(dmuser_reply_parameters(reply), "volumes"); i++)
		add_status(object_array_element(dmuser_reply_parameters(reply), "volumes", i));
}

static int ask(const struct context *context, struct probe *probe,
	       struct dmuser_connection *connection)
{
	_cleanup_(dmuser_reply_freep) struct dmuser_reply *reply = NULL;
	int timeout_ms = context->timeout_ms >= 0 && context->timeout_ms < PATIENCE_MS
				 ? context->timeout_ms
				 : PATIENCE_MS;
	struct daemon_facts *d = &probe->daemon;
	int r;

	d->pid = find_peer(probe, dmuser_connection_fd(connection));
	r = dmuser_call(connection, "io.dmuser.Ping", NULL, NULL, 0, timeout_ms, &reply);
	if (r < 0)
		return r;
	if (r == DMUSER_REFUSED) {
		snprintf(d->refusal, sizeof(d->refusal), "%s", dmuser_reply_error(reply));
		return 0;
	}
	snprintf(d->version, sizeof(d->version), "%s",
		 object_string(dmuser_reply_parameters(reply), "version", "?"));
	ask_for_volumes(probe, connection, timeout_ms);
	return 0;
}

void ask_dmuserd(const struct context *context, struct probe *probe)
{
	struct dmuser_connection *connection = NULL;
	const char *address = context->address ?: getenv("DMUSER_ADDRESS");
	struct daemon_facts *d = &probe->daemon;

	snprintf(d->address, sizeof(d->address), "%s", address ?: DMUSER_ADDRESS_DEFAULT);
	d->error = dmuser_connect(context->address, PATIENCE_MS, &connection);
	if (d->error == 0)
		d->error = ask(context, probe, connection);
	else if (d->error == -EACCES)
		d->pid = find_by_name(probe); /* there is one, if not for the caller */
	dmuser_connection_free(connection);
}
