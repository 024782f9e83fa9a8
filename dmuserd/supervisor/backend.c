// SPDX-License-Identifier: Apache-2.0
/*
 * The installed backends; see backend.h.
 *
 * Owns what is known of each, and one entry a manifest, which tells the file that was read from the one that
 * is there now. Opens the manifests, which must be root's own, and has backend-load.c read those that are
 * new, all at once. One that cannot be taken is in no other's way.
 */
#include "dmuserd/supervisor/backend.h"
#include "dmuserd/supervisor/backend-load.h"
#include "dmuserd/supervisor/log.h"
#include "dmuserd/supervisor/manager.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define SUFFIX ".json"
/* Beyond what an administrator installs; each costs a parser at start. */
#define BACKENDS_MAX 64
#define REASON_SIZE 384

/* A file as it was: whatever is written, replaced or made readable changes one of these. */
struct version {
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
};

struct entry {
	struct backends *backends;
	char type[NAME_BACKEND_MAX + 1];
	struct version version; /* that was read, or is being read; inode 0: none */
	bool present;           /* in the directory, at the last look */
	struct backend_load *load;
	const struct backend *backend; /* NULL: cannot be had */
	char reason[REASON_SIZE];      /* why not */
};

struct waiter {
	struct waiter *next;
	char type[NAME_BACKEND_MAX + 1]; /* empty: for all of them */
	backends_ready_fn ready;
	void *userdata;
};

/* Every backend that there was: volumes that are there point to what they were made of. */
struct known {
	struct known *next;
	struct backend backend;
};

struct backends {
	struct manager *m;
	backends_loaded_fn done;
	int error; /* the first of the start */
	sd_event_source *finish;
	struct waiter *waiters;
	struct known *known;
	size_t n;
	struct entry *entries[BACKENDS_MAX]; /* by type */
};

/* What is known */

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
	while (previous && i < backends->n && backends->entries[i]->backend != previous)
		i++;
	if (previous)
		i++;
	while (i < backends->n && !backends->entries[i]->backend)
		i++;
	return i < backends->n ? backends->entries[i]->backend : NULL;
}

bool backend_rejected(const struct manager *m, size_t index, const char **ret_type,
		      const char **ret_reason)
{
	const struct backends *backends = m->backends;

	for (size_t i = 0; backends && i < backends->n; i++) {
		const struct entry *e = backends->entries[i];

		if (!e->reason[0] || index-- > 0)
			continue;
		*ret_type = e->type;
		*ret_reason = e->reason;
		return true;
	}
	return false;
}

const char *backend_missing(const struct backend *backend)
{
	if (access(backend->executable, X_OK) < 0)
		return backend->executable;
	return access(backend->profile, R_OK) < 0 ? backend->profile : NULL;
}

static bool is_loading(const struct backends *backends, const char *type)
{
	for (size_t i = 0; i < backends->n; i++) {
		const struct entry *e = backends->entries[i];

		if (e->load && (!type[0] || strcmp(e->type, type) == 0))
			return true;
	}
	return false;
}

/* What a manifest says */

/* The same words as before are the same backend. */
static int take_manifest(struct entry *e, const struct parser_manifest *manifest)
{
	const struct settings *s = &e->backends->m->settings;
	struct known *known;
	struct backend *b;

	if (e->backend && memcmp(&e->backend->manifest, manifest, sizeof(*manifest)) == 0)
		return 0;
	known = calloc(1, sizeof(*known));
	if (!known)
		return -ENOMEM;
	known->next = e->backends->known;
	e->backends->known = known;
	b = &known->backend;
	b->manifest = *manifest;
	snprintf(b->executable, sizeof(b->executable), "%s/backends/dmuser-backend-%s",
		 s->libexec_dir, manifest->type);
	snprintf(b->profile, sizeof(b->profile), "%s/seccomp/%s.bpf", s->libexec_dir,
		 manifest->profile);
	if (backend_missing(b))
		log_print(LOG_WARNING, "backend %s: not complete, its volumes will fail: %s: %s",
			  e->type, backend_missing(b), strerror(errno));
	e->backend = b;
	return 0;
}

static void reject(struct entry *e, const char *reason)
{
	e->backend = NULL;
	snprintf(e->reason, sizeof(e->reason), "%s/backends/%s" SUFFIX ": %s",
		 e->backends->m->settings.libexec_dir, e->type, reason);
	log_limited(LOG_ERR, "backend %s: manifest not taken: %s", e->type, e->reason);
}

static void note_error(struct backends *backends, int error)
{
	if (backends->error == 0)
		backends->error = error;
}

static void on_loaded(void *userdata, int error, const struct parser_manifest *manifest,
		      const char *reason)
{
	struct entry *e = userdata;
	struct backends *backends = e->backends;

	backend_load_free(take_ptr(&e->load));
	e->reason[0] = '\0';
	if (error == 0)
		error = take_manifest(e, manifest);
	if (error < 0) {
		reject(e, reason ? reason : strerror(-error));
		note_error(backends, error);
	}
	/* It was not the file's fault: whoever asks next has it read again. */
	if (error < 0 && error != -EINVAL)
		e->version = (struct version){};
	sd_event_source_set_enabled(backends->finish, SD_EVENT_ONESHOT);
}

/* The directory */

static struct entry *find_entry(struct backends *backends, const char *type)
{
	for (size_t i = 0; i < backends->n; i++) {
		if (strcmp(backends->entries[i]->type, type) == 0)
			return backends->entries[i];
	}
	return NULL;
}

/* NULL, and -ENOSPC or -ENOMEM in *ret_error. */
static struct entry *new_entry(struct backends *backends, const char *type, int *ret_error)
{
	struct entry *e;
	size_t i;

	if (backends->n == BACKENDS_MAX) {
		log_limited(LOG_ERR, "backend %s: left out, there are %d before it", type, BACKENDS_MAX);
		*ret_error = -ENOSPC;
		return NULL;
	}
	e = calloc(1, sizeof(*e));
	if (!e) {
		*ret_error = -ENOMEM;
		return NULL;
	}
	e->backends = backends;
	snprintf(e->type, sizeof(e->type), "%s", type);
	for (i = backends->n; i > 0 && strcmp(backends->entries[i - 1]->type, type) > 0; i--)
		backends->entries[i] = backends->entries[i - 1];
	backends->entries[i] = e;
	backends->n++;
	return e;
}

static void free_entry(struct entry *e)
{
	backend_load_free(e->load);
	free(e);
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

static int load(struct entry *e, int dir, const char *name, const struct version *version)
{
	int fd = -EBADF;
	int r = open_manifest(dir, name, &fd);
	bool is_files_fault = r == -EPERM || r == -ELOOP;

	backend_load_free(take_ptr(&e->load));
	if (r == 0)
		r = backend_load_start(e->backends->m, e->type, fd, on_loaded, e, &e->load);
	else
		reject(e, is_files_fault ? "not a file that is root's alone" : strerror(-r));
	/* Anything else may pass, and is tried again at the next look. */
	if (r == 0 || is_files_fault)
		e->version = *version;
	return is_files_fault ? 0 : r;
}

static struct version version_of(const struct stat *st)
{
	return (struct version){ st->st_ino, st->st_size, st->st_mtim, st->st_ctim };
}

static bool is_version(const struct version *a, const struct version *b)
{
	return a->inode == b->inode && a->size == b->size &&
	       a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
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

static int look_at(struct backends *backends, int dir, const char *name)
{
	char type[NAME_BACKEND_MAX + 1];
	struct version version;
	struct entry *e;
	struct stat st;
	int r = 0;

	if (!is_manifest(name, type) || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	e = find_entry(backends, type);
	if (!e)
		e = new_entry(backends, type, &r);
	if (!e)
		return r == -ENOSPC ? 0 : r;
	e->present = true;
	version = version_of(&st);
	if (is_version(&e->version, &version))
		return 0;
	return load(e, dir, name, &version);
}

static void drop_absent(struct backends *backends)
{
	size_t kept = 0;

	for (size_t i = 0; i < backends->n; i++) {
		if (backends->entries[i]->present) {
			backends->entries[kept++] = backends->entries[i];
			continue;
		}
		free_entry(backends->entries[i]);
		/* Whoever waits for it need not any more. */
		sd_event_source_set_enabled(backends->finish, SD_EVENT_ONESHOT);
	}
	backends->n = kept;
}

static int look(struct backends *backends)
{
	char path[sizeof(backends->m->settings.libexec_dir) + sizeof("/backends")];
	_cleanup_(closedirp) DIR *dir = NULL;
	const struct dirent *entry;
	int r = 0;

	snprintf(path, sizeof(path), "%s/backends", backends->m->settings.libexec_dir);
	dir = opendir(path);
	if (!dir) {
		r = -errno;
		log_limited(LOG_ERR, "%s: %s", path, strerror(-r));
		return r;
	}
	for (size_t i = 0; i < backends->n; i++)
		backends->entries[i]->present = false;
	while (r == 0 && (entry = readdir(dir)))
		r = look_at(backends, dirfd(dir), entry->d_name);
	if (r == 0)
		drop_absent(backends);
	return r;
}

/* Those who wait */

/* The first whose wait is over, taken from the list. */
static struct waiter *next_ready(struct backends *backends)
{
	for (struct waiter **at = &backends->waiters; *at; at = &(*at)->next) {
		struct waiter *w = *at;

		if (is_loading(backends, w->type))
			continue;
		*at = w->next;
		return w;
	}
	return NULL;
}

/* Outside of everybody's calls. One that is called may add or cancel others. */
static int on_finish(sd_event_source *source, void *userdata)
{
	struct backends *backends = userdata;

	for (struct waiter *w; (w = next_ready(backends));) {
		backends_ready_fn ready = w->ready;
		void *waiter = w->userdata;

		free(w);
		ready(waiter);
	}
	return 0;
}

static int await(struct backends *backends, const char *type, backends_ready_fn ready, void *userdata)
{
	struct waiter *w = calloc(1, sizeof(*w)), **at = &backends->waiters;

	if (!w)
		return -ENOMEM;
	snprintf(w->type, sizeof(w->type), "%s", type);
	w->ready = ready;
	w->userdata = userdata;
	while (*at)
		at = &(*at)->next;
	*at = w;
	return 0;
}

int backends_refresh(struct manager *m, const char *type, backends_ready_fn ready, void *userdata)
{
	const char *awaited = type ? type : "";
	int r = look(m->backends);

	if (r == -ENOMEM)
		return r;
	if (!is_loading(m->backends, awaited))
		return 0;
	r = await(m->backends, awaited, ready, userdata);
	return r < 0 ? r : 1;
}

void backends_cancel(struct manager *m, const void *userdata)
{
	struct waiter **at = &m->backends->waiters;

	while (*at && (*at)->userdata != userdata)
		at = &(*at)->next;
	if (*at) {
		struct waiter *w = *at;

		*at = w->next;
		free(w);
	}
}

/* The start and the end */

static void on_all_loaded(void *userdata)
{
	struct backends *backends = userdata;

	backends->done(backends->m, backend_next(backends->m, NULL) ? 0 : backends->error);
}

static int load_all(struct backends *backends)
{
	int r = look(backends);

	if (r == 0 && backends->n == 0)
		log_print(LOG_WARNING, "%s/backends: no backend is installed; no volume can be made",
			  backends->m->settings.libexec_dir);
	if (r == 0)
		r = await(backends, "", on_all_loaded, backends);
	return r < 0 ? r : sd_event_source_set_enabled(backends->finish, SD_EVENT_ONESHOT);
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
		r = load_all(backends);
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
	sd_event_source_disable_unref(backends->finish);
	for (struct waiter *w; (w = backends->waiters);) {
		backends->waiters = w->next;
		free(w);
	}
	for (size_t i = 0; i < backends->n; i++)
		free_entry(backends->entries[i]);
	for (struct known *known; (known = backends->known);) {
		backends->known = known->next;
		free(known);
	}
	free(backends);
}
