// SPDX-License-Identifier: Apache-2.0
/*
 * The installed backends; see backend.h.
 *
 * Owns what is known of each. Opens the manifests, which must be root's own, and has parsers read them:
 * each by one of its own, all at once, within a deadline. Believes a parser what the manifest says, as
 * far as the message passes parser_message_check(), and not which backend it is about.
 */
#include "dmuserd/supervisor/backend.h"
#include "dmuserd/supervisor/log.h"
#include "dmuserd/supervisor/manager.h"
#include "dmuserd/supervisor/parser-message.h"
#include "dmuserd/supervisor/parser-pool.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#define SUFFIX ".json"
/* Beyond what an administrator installs; each costs a parser at start. */
#define BACKENDS_MAX 64
#define DEADLINE_USEC UINT64_C(20000000)

struct loading {
	struct loading *next;
	struct backends *backends;
	char type[NAME_BACKEND_MAX + 1];
	int fd; /* the manifest */
	struct parser *parser;
	sd_event_source *io, *deadline;
};

struct backends {
	struct manager *m;
	backends_loaded_fn done;
	struct loading *loading;
	int error; /* the first */
	sd_event_source *finish;
	size_t n;
	struct backend *all[BACKENDS_MAX];
};

const struct backend *backend_find(const struct manager *m, const char *type)
{
	for (const struct backend *b = backend_next(m, NULL); b; b = backend_next(m, b)) {
		if (strcmp(b->manifest.type, type) == 0)
			return b;
	}
	return NULL;
}

const struct backend *backend_next(const struct manager *m, const struct backend *previous)
{
	const struct backends *backends = m->backends;
	size_t i = 0;

	if (!backends)
		return NULL;
	while (previous && i < backends->n && backends->all[i] != previous)
		i++;
	if (previous)
		i++;
	return i < backends->n ? backends->all[i] : NULL;
}

/* One manifest has come. */
static int take_manifest(struct backends *backends, const struct parser_manifest *manifest)
{
	const struct settings *s = &backends->m->settings;
	struct backend *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->manifest = *manifest;
	snprintf(b->executable, sizeof(b->executable), "%s/backends/dmuser-backend-%s",
		 s->libexec_dir, manifest->type);
	snprintf(b->profile, sizeof(b->profile), "%s/seccomp/%s.bpf", s->libexec_dir,
		 manifest->profile);
	if (access(b->executable, X_OK) < 0 || access(b->profile, R_OK) < 0)
		log_print(LOG_WARNING, "backend %s: not complete, its volumes will fail: %s or %s: %s",
			  manifest->type, b->executable, b->profile, strerror(errno));
	backends->all[backends->n++] = b;
	return 0;
}

static void loading_free(struct loading *l)
{
	struct loading **at = &l->backends->loading;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	parser_pool_cancel(l->backends->m->parsers, l);
	sd_event_source_disable_unref(l->io);
	sd_event_source_disable_unref(l->deadline);
	parser_end(l->parser);
	closep(&l->fd);
	free(l);
}

static int compare(const void *a, const void *b)
{
	const struct backend *const *x = a, *const *y = b;

	return strcmp((*x)->manifest.type, (*y)->manifest.type);
}

static int on_finish(sd_event_source *source, void *userdata)
{
	struct backends *backends = userdata;

	qsort(backends->all, backends->n, sizeof(struct backend *), compare);
	backends->done(backends->m, backends->n > 0 ? 0 : backends->error);
	return 0;
}

/* This one is done with, however it ended. The last one ends it all, outside of everybody's calls. */
static void finish(struct loading *l, int error)
{
	struct backends *backends = l->backends;

	if (error < 0 && backends->error == 0)
		backends->error = error;
	loading_free(l);
	if (!backends->loading)
		sd_event_source_set_enabled(backends->finish, SD_EVENT_ONESHOT);
}

static int take_message(struct loading *l, const struct parser_message *message)
{
	if (message->event == PARSER_REFUSAL) {
		log_print(LOG_ERR, "backend %s: its manifest cannot be taken, see \"%s\"", l->type,
			  message->text);
		return -EINVAL;
	}
	if (message->event != PARSER_MANIFEST || strcmp(message->manifest.type, l->type) != 0) {
		log_print(LOG_ERR, "backend %s: its manifest is about another", l->type);
		return -EINVAL;
	}
	return take_manifest(l->backends, &message->manifest);
}

static int on_parser(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct loading *l = userdata;
	struct parser_message message;
	int fds[PARSER_FDS_MAX];
	size_t n_fds = 0;
	const char *field = NULL;
	int r = parser_message_receive(fd, &message, fds, &n_fds, &field);

	if (r == -EAGAIN)
		return 0;
	if (r >= 0) {
		fd_close_many(fds, n_fds);
		r = take_message(l, &message);
	} else {
		log_print(LOG_ERR, "backend %s: its manifest's parser failed: %s (%s)", l->type,
			  strerror(-r), r == -EPROTO ? field : "no message");
	}
	finish(l, r);
	return 0;
}

static int assign(struct loading *l, struct parser *parser)
{
	int r;

	l->parser = parser;
	r = sd_event_add_io(l->backends->m->event, &l->io, parser_link(parser), EPOLLIN, on_parser, l);
	if (r >= 0)
		r = parser_message_order(parser_link(parser), PARSER_ASSIGN_MANIFEST, l->fd);
	return r < 0 ? r : 0;
}

static void on_parser_ready(void *userdata, int error, struct parser *parser)
{
	struct loading *l = userdata;
	int r = error < 0 ? error : assign(l, parser);

	if (r < 0) {
		log_print(LOG_ERR, "backend %s: no parser for its manifest: %s", l->type, strerror(-r));
		finish(l, r);
	}
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct loading *l = userdata;

	log_print(LOG_ERR, "backend %s: its manifest was not read in time", l->type);
	finish(l, -ETIMEDOUT);
	return 0;
}

static int load_one(struct backends *backends, const char *type, int fd)
{
	struct loading *l = calloc(1, sizeof(*l));
	struct parser *parser = NULL;
	int r;

	if (!l) {
		closep(&fd);
		return -ENOMEM;
	}
	l->backends = backends;
	l->fd = fd;
	snprintf(l->type, sizeof(l->type), "%s", type);
	l->next = backends->loading;
	backends->loading = l;
	r = sd_event_add_time_relative(backends->m->event, &l->deadline, CLOCK_MONOTONIC,
				       DEADLINE_USEC, 0, on_deadline, l);
	if (r >= 0)
		r = parser_pool_take(backends->m->parsers, on_parser_ready, l, &parser);
	if (r == 0)
		r = assign(l, parser);
	if (r < 0)
		loading_free(l);
	return r < 0 ? r : 0;
}

/* A manifest decides what root opens for whom: nobody else may have written it. */
static int open_manifest(int dir, const char *name, int *ret_fd)
{
	_cleanup_(closep) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	*ret_fd = take_fd(&fd);
	return 0;
}

/* TYPE.json; anything else in the directory is no manifest. */
static bool is_manifest(const char *name, char ret_type[static NAME_BACKEND_MAX + 1])
{
	size_t len = strlen(name), suffix = strlen(SUFFIX);

	if (len <= suffix || len - suffix > NAME_BACKEND_MAX ||
	    strcmp(name + len - suffix, SUFFIX) != 0)
		return false;
	memcpy(ret_type, name, len - suffix);
	ret_type[len - suffix] = '\0';
	return name_is_backend(ret_type);
}

static int load_entry(struct backends *backends, DIR *dir, const char *name, size_t *n)
{
	char type[NAME_BACKEND_MAX + 1];
	int fd = -EBADF, r;

	if (!is_manifest(name, type))
		return 0;
	if (*n == BACKENDS_MAX) {
		log_print(LOG_ERR, "backend %s: left out, there are %d before it", type, BACKENDS_MAX);
		return 0;
	}
	r = open_manifest(dirfd(dir), name, &fd);
	if (r < 0) {
		log_print(LOG_ERR, "backend %s: manifest not taken: %s", type,
			  r == -EPERM ? "not a file that is root's alone" : strerror(-r));
		return 0;
	}
	(*n)++;
	return load_one(backends, type, fd);
}

static int load_directory(struct backends *backends)
{
	char path[sizeof(backends->m->settings.libexec_dir) + sizeof("/backends")];
	_cleanup_(closedirp) DIR *dir = NULL;
	const struct dirent *entry;
	size_t n = 0;
	int r = 0;

	snprintf(path, sizeof(path), "%s/backends", backends->m->settings.libexec_dir);
	dir = opendir(path);
	if (!dir) {
		log_print(LOG_ERR, "%s: %s", path, strerror(errno));
		return -errno;
	}
	while (r == 0 && (entry = readdir(dir)))
		r = load_entry(backends, dir, entry->d_name, &n);
	if (r == 0 && n == 0)
		log_print(LOG_WARNING, "%s: no backend is installed; no volume can be made", path);
	return r;
}

int backends_load(struct manager *m, backends_loaded_fn done)
{
	struct backends *backends = calloc(1, sizeof(*backends));
	int r;

	if (!backends)
		return -ENOMEM;
	backends->m = m;
	backends->done = done;
	r = sd_event_add_defer(m->event, &backends->finish, on_finish, backends);
	if (r >= 0)
		r = sd_event_source_set_enabled(backends->finish, SD_EVENT_OFF);
	if (r >= 0)
		r = load_directory(backends);
	if (r >= 0 && !backends->loading)
		r = sd_event_source_set_enabled(backends->finish, SD_EVENT_ONESHOT);
	if (r < 0) {
		backends_free(backends);
		return r;
	}
	m->backends = backends;
	return 0;
}

void backends_free(struct backends *backends)
{
	if (!backends)
		return;
	while (backends->loading)
		loading_free(backends->loading);
	sd_event_source_disable_unref(backends->finish);
	for (size_t i = 0; i < backends->n; i++)
		free(backends->all[i]);
	free(backends);
}
