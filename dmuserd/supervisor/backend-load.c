// SPDX-License-Identifier: Apache-2.0
/*
 * A manifest's way through a parser; see backend-load.h.
 *
 * Owns the file and the parser until the parser has answered or its time is over. Believes the parser what
 * the manifest says, as far as the message passes parser_message_check(), and not which backend it is about.
 * Logs nothing: whoever asked says it, once.
 */
#include "dmuserd/supervisor/backend-load.h"
#include "dmuserd/supervisor/parser-message.h"
#include "dmuserd/supervisor/parser-pool.h"
#include "dmuserd/supervisor/spawner-link.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>

#define DEADLINE_USEC UINT64_C(20000000)
#define REASON_SIZE (PARSER_TEXT_SIZE + 64)

_Static_assert(WORKER_BASE_BYTES == 2048 * 1024 && WORKER_THREAD_BYTES == 256 * 1024 &&
	       WORKER_REQUEST_BYTES == 1024 * 1024, "dmuser-backend(7) names these sizes");

struct backend_load {
	struct manager *m;
	char type[NAME_BACKEND_MAX + 1];
	int fd; /* the manifest */
	struct parser *parser;
	sd_event_source *io, *deadline;
	backend_loaded_fn done;
	void *userdata;
};

void backend_load_free(struct backend_load *l)
{
	if (!l)
		return;
	parser_pool_cancel(l->m->parsers, l);
	sd_event_source_disable_unref(l->io);
	sd_event_source_disable_unref(l->deadline);
	parser_end(l->parser);
	closep(&l->fd);
	free(l);
}

/* Last: `done` may free it. */
static void fail(struct backend_load *l, int error, const char *reason)
{
	l->done(l->userdata, error, NULL, reason);
}

static void take_refusal(struct backend_load *l, const struct parser_message *message)
{
	char reason[REASON_SIZE] = "it is not a JSON object";

	if (message->text[0])
		snprintf(reason, sizeof(reason), "field \"%s\" cannot be taken", message->text);
	fail(l, -EINVAL, reason);
}

/*
 * Each thread of a worker has a buffer for the largest request and a stack, which are locked memory
 * once they were used. The program needs some before it comes up at all: measured, one with two
 * threads is killed at half a megabyte while its program has yet to be read from the disk. How many
 * more requests it has only the worker knows, and refuses.
 */
static void take_manifest(struct backend_load *l, const struct parser_manifest *manifest)
{
	uint64_t least = worker_memory_needed(manifest->n_threads, manifest->n_threads);
	char reason[REASON_SIZE];

	if (manifest->memory_max_bytes >= least) {
		l->done(l->userdata, 0, manifest, NULL);
		return;
	}
	snprintf(reason, sizeof(reason),
		 "field \"memory_max_bytes\" must be at least %" PRIu64
		 ": %u KiB for the program, and %u KiB for each thread", least,
		 WORKER_BASE_BYTES / 1024, (WORKER_THREAD_BYTES + WORKER_REQUEST_BYTES) / 1024);
	fail(l, -EINVAL, reason);
}

static void take_message(struct backend_load *l, const struct parser_message *message)
{
	if (message->event == PARSER_REFUSAL)
		take_refusal(l, message);
	else if (message->event != PARSER_MANIFEST || strcmp(message->manifest.type, l->type) != 0)
		fail(l, -EINVAL, "field \"type\" names another backend than the file does");
	else
		take_manifest(l, &message->manifest);
}

static int on_parser(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct backend_load *l = userdata;
	struct parser_message message;
	int fds[PARSER_FDS_MAX];
	char reason[REASON_SIZE];
	size_t n_fds = 0;
	const char *field = NULL;
	int r = parser_message_receive(fd, &message, fds, &n_fds, &field);

	if (r == -EAGAIN)
		return 0;
	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	if (r >= 0) {
		fd_close_many(fds, n_fds);
		take_message(l, &message);
		return 0;
	}
	if (r == -EPROTO && parser_message_is_foreign(field)) {
		fail(l, -EPROTONOSUPPORT, PARSER_MESSAGE_FOREIGN);
		return 0;
	}
	snprintf(reason, sizeof(reason), "its parser failed: %s (%s)", strerror(-r),
		 r == -EPROTO ? field : "no message");
	fail(l, r, reason);
	return 0;
}

static int assign(struct backend_load *l, struct parser *parser)
{
	int r;

	l->parser = parser;
	r = sd_event_add_io(l->m->event, &l->io, parser_link(parser), EPOLLIN, on_parser, l);
	if (r >= 0)
		r = parser_message_order(parser_link(parser), PARSER_ASSIGN_MANIFEST, l->fd);
	return r < 0 ? r : 0;
}

static void on_parser_ready(void *userdata, int error, struct parser *parser)
{
	struct backend_load *l = userdata;
	int r = error < 0 ? error : assign(l, parser);
	char reason[REASON_SIZE];

	if (r == 0)
		return;
	snprintf(reason, sizeof(reason), "there is no parser for it: %s", spawner_describe_error(r));
	fail(l, r, reason);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	fail(userdata, -ETIMEDOUT, "it was not read in time");
	return 0;
}

int backend_load_start(struct manager *m, const char *type, int fd, backend_loaded_fn done,
		       void *userdata, struct backend_load **ret_load)
{
	struct backend_load *l = calloc(1, sizeof(*l));
	struct parser *parser = NULL;
	int r;

	if (!l) {
		closep(&fd);
		return -ENOMEM;
	}
	l->m = m;
	l->fd = fd;
	l->done = done;
	l->userdata = userdata;
	snprintf(l->type, sizeof(l->type), "%s", type);
	r = sd_event_add_time_relative(m->event, &l->deadline, CLOCK_MONOTONIC, DEADLINE_USEC, 0,
				       on_deadline, l);
	if (r >= 0)
		r = parser_pool_take(m->parsers, on_parser_ready, l, &parser);
	if (r == 0)
		r = assign(l, parser);
	if (r < 0) {
		backend_load_free(l);
		return r;
	}
	*ret_load = l;
	return 0;
}
