// SPDX-License-Identifier: Apache-2.0
/* A front with played volumes and parsers; see stage.h. */
#include "test.h"
#include "stage.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#define DEADLINE_USEC UINT64_C(10000000)

struct stage stage;

static size_t descriptors_before;

static size_t count_descriptors(void)
{
	_cleanup_(closedirp) DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	return n;
}

int stage_begin(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	descriptors_before = count_descriptors();
	fake_pool_reset();
	fake_volumes_reset();
	stage = (struct stage){};
	settings_init(&stage.m.settings);
	assert_true(sd_event_new(&stage.m.event) >= 0);
	/* The kernel chooses an abstract name. */
	stage.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(stage.listener, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
	assert_int_equal(listen(stage.listener, 16), 0);
	assert_int_equal(front_new(&stage.m, stage.listener, (gid_t)-1, &stage.m.front), 0);
	return 0;
}

int stage_end(void **state)
{
	front_free(stage.m.front);
	fake_volumes_reset();
	fake_pool_reset();
	sd_event_unref(stage.m.event);
	close(stage.listener);
	assert_int_equal(count_descriptors(), descriptors_before);
	return 0;
}

void stage_settle(void)
{
	int r;

	do {
		r = sd_event_run(stage.m.event, 0);
		assert_true(r >= 0);
	} while (r > 0);
}

bool client_is_cut_off(const struct actor *a)
{
	struct pollfd p = { .fd = a->fd, .events = POLLIN };

	stage_settle();
	assert_true(poll(&p, 1, 0) >= 0);
	return p.revents & POLLHUP;
}

void stage_wait_closed(int client)
{
	struct pollfd p = { .fd = client };

	while (poll(&p, 1, 0) == 0) {
		int r = sd_event_run(stage.m.event, DEADLINE_USEC);

		assert_true(r > 0);
	}
	assert_true(p.revents & POLLHUP);
}

struct actor client_new(uid_t uid)
{
	const struct peer peer = { .uid = uid, .gid = uid, .in_group = true };
	struct actor a = { .parser = -1, .socket = -1 };
	size_t before = fake_n_parsers, n_fds = 0;
	struct parser_order order;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	a.fd = pair[0];
	assert_int_equal(connection_new(stage.m.front, pair[1], &peer), 0);
	if (fake_n_parsers == before)
		return a;
	a.parser = fake_parsers[before];
	assert_int_equal(fd_recv_exact(a.parser, &order, sizeof(order), &a.socket, 1, &n_fds, 0), 0);
	assert_int_equal(order.version, PARSER_MESSAGE_VERSION);
	assert_int_equal(order.command, PARSER_ASSIGN_CLIENT);
	assert_int_equal(n_fds, 1);
	/* The client hangs up with this one closed, too; a sound parser notices by itself. */
	close(take_fd(&a.socket));
	return a;
}

void client_gone(struct actor *a)
{
	closep(&a->fd);
	a->fd = -1;
	stage_settle();
}

const char *client_hears(const struct actor *a)
{
	static char text[65536];
	size_t n = 0;

	stage_settle();
	do {
		assert_true(n < sizeof(text));
		if (recv(a->fd, text + n, 1, MSG_DONTWAIT) != 1)
			return NULL;
	} while (text[n++]);
	return text;
}

void heard(const struct actor *a, const char *words)
{
	const char *text = client_hears(a);

	assert_non_null(text);
	if (!strstr(text, words))
		fail_msg("%s does not say %s", text, words);
}

void parser_says(const struct actor *a, const struct parser_message *message, int fd)
{
	assert_int_equal(fd_send(a->parser, message, sizeof(*message), &fd, fd >= 0, 0), 0);
	stage_settle();
}

bool parser_has_next(const struct actor *a)
{
	struct parser_order order;

	stage_settle();
	if (fd_recv_exact(a->parser, &order, sizeof(order), NULL, 0, NULL, MSG_DONTWAIT) < 0)
		return false;
	assert_int_equal(order.version, PARSER_MESSAGE_VERSION);
	assert_int_equal(order.command, PARSER_NEXT);
	return true;
}

void parser_says_with_fd(const struct actor *a, struct parser_message *message)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	message->n_fds = 1;
	parser_says(a, message, fd);
	close(fd);
}

void says(const struct actor *a, const struct parser_message *message, const char *answer)
{
	parser_says(a, message, -1);
	heard(a, answer);
	assert_true(parser_has_next(a));
}

static struct parser_message message;

struct parser_message *says_request(enum parser_method method)
{
	memset(&message, 0, sizeof(message));
	message.version = PARSER_MESSAGE_VERSION;
	message.event = PARSER_REQUEST;
	message.method = method;
	if (method == PARSER_METHOD_SUBSCRIBE)
		message.flags = PARSER_CALL_MORE;
	return &message;
}

struct parser_message *says_end(void)
{
	struct parser_message *m = says_request(0);

	m->event = PARSER_END;
	return m;
}

struct parser_message *says_create(const char *name, bool keep)
{
	struct parser_message *m = says_request(PARSER_METHOD_CREATE);

	strcpy(m->create.name, name);
	strcpy(m->create.backend, "memory");
	m->create.size_bytes = 4096;
	m->create.keep = keep;
	return m;
}

struct parser_message *says_volume(enum parser_method method, const char *name)
{
	struct parser_message *m = says_request(method);

	strcpy(m->volume.name, name);
	m->volume.owner = PARSER_UNSET;
	m->volume.timeout_ms = PARSER_UNSET;
	return m;
}

struct parser_message *says_volume_of(enum parser_method method, const char *name,
				      const char *container)
{
	struct parser_message *m = says_volume(method, name);

	strcpy(m->volume.container.id, container);
	return m;
}
