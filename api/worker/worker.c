// SPDX-License-Identifier: Apache-2.0
/*
 * What a backend may ask about its volume, and how a worker ends badly; see worker.h. Trusts the setup
 * (the supervisor's, or plain.c's). Writes to stderr only when started by hand: a confined worker has
 * nobody to read it, and no call to write with; its exit status says it.
 */
#include "api/worker/worker.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *exit_reason(enum dmuser_exit status)
{
	switch (status) {
	case DMUSER_EXIT_CHANNEL_READ:
		return "reading the channel";
	case DMUSER_EXIT_CHANNEL_WRITE:
		return "answering on the channel";
	case DMUSER_EXIT_CONTROL:
		return "serving the control socket";
	default:
		return "starting";
	}
}

_Noreturn void worker_die(const struct dmuser_worker *worker, enum dmuser_exit status, int error)
{
	if (!worker->confined)
		fprintf(stderr, "dmuser-backend-%s: %s: %s\n", worker->ops->type,
			exit_reason(status), strerror(-error));
	_exit(status);
}

int worker_prepare(struct dmuser_worker *worker)
{
	int r = worker->ops->prepare(worker, &worker->volume);

	if (r < 0 && !worker->refusal[0])
		dmuser_worker_refuse(worker, r, "preparing the volume: %s", strerror(-r));
	return r;
}

uint64_t dmuser_worker_size_bytes(const struct dmuser_worker *worker)
{
	return worker->setup.size_bytes;
}

uint32_t dmuser_worker_block_size(const struct dmuser_worker *worker)
{
	return worker->setup.block_size;
}

bool dmuser_worker_read_only(const struct dmuser_worker *worker)
{
	return worker->setup.read_only;
}

const char *dmuser_worker_volume_name(const struct dmuser_worker *worker)
{
	return worker->setup.volume;
}

int dmuser_worker_resource(const struct dmuser_worker *worker, unsigned int index)
{
	return worker->resources[index];
}

const char *dmuser_worker_option(struct dmuser_worker *worker, const char *name)
{
	for (unsigned int i = 0; i < worker->setup.n_options; i++) {
		if (strcmp(worker->setup.options[i].name, name) != 0)
			continue;
		worker->option_used[i] = true;
		return worker->setup.options[i].value;
	}
	return NULL;
}

int dmuser_worker_option_integer(struct dmuser_worker *worker, const char *name, int64_t fallback,
				 int64_t *ret_value)
{
	const char *text = dmuser_worker_option(worker, name);
	long long value = fallback;

	if (text) {
		char *end;

		errno = 0;
		value = strtoll(text, &end, 10);
		if (errno != 0 || end == text || *end != '\0')
			return dmuser_worker_refuse(worker, -EINVAL, "%s: '%.40s' is no number",
						    name, text);
	}
	*ret_value = value;
	return 0;
}

int dmuser_worker_option_boolean(struct dmuser_worker *worker, const char *name, bool fallback,
				 bool *ret_value)
{
	const char *text = dmuser_worker_option(worker, name);

	if (!text)
		*ret_value = fallback;
	else if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
		*ret_value = text[0] == 't';
	else
		return dmuser_worker_refuse(worker, -EINVAL, "%s: '%.40s' is not true or false",
					    name, text);
	return 0;
}

void dmuser_worker_reserve_memory(struct dmuser_worker *worker)
{
	worker->reserves_memory = true;
}

int dmuser_worker_refuse(struct dmuser_worker *worker, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(worker->refusal, sizeof(worker->refusal), format, arguments);
	va_end(arguments);
	return error;
}
