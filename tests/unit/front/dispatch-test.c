// SPDX-License-Identifier: Apache-2.0
/* What becomes of each request: methods, limits, other people's volumes; Release apart. */
#include "test.h"
#include "stage.h"
#include "dmuserd/supervisor/usage.h"
#include "util/cleanup.h"

#include <sys/syscall.h>
#include <unistd.h>

static void a_service_introduces_itself(void **state)
{
	struct actor a = client_new(1000);
	struct parser_message *m;

	says(&a, says_request(PARSER_METHOD_GET_INFO), "\"product\":\"dmuserd\"");
	m = says_request(PARSER_METHOD_GET_INTERFACE_DESCRIPTION);
	strcpy(m->text, "io.dmuser");
	says(&a, m, "method Create(");
	strcpy(m->text, "org.varlink.service");
	says(&a, m, "error ExpectedMore()");
	strcpy(m->text, "org.example");
	says(&a, m, "org.varlink.service.InterfaceNotFound\",\"parameters\":"
		    "{\"interface\":\"org.example\"}");
	client_gone(&a);
}

static void nobody_outside_the_group_is_served(void **state)
{
	const struct peer stranger = { .uid = 1000, .gid = 1000 };
	struct actor a = client_new(1000);

	/* The only way to change one's mind about a peer. */
	*(struct peer *)connection_peer(connection_next(stage.m.front, NULL)) = stranger;
	says(&a, says_request(PARSER_METHOD_PING), "io.dmuser.PermissionDenied");
	says(&a, says_create("v", true), "io.dmuser.PermissionDenied");
	assert_int_equal(fake_creates, 0);
	says(&a, says_request(PARSER_METHOD_GET_INFO), "dmuserd");
	client_gone(&a);
}

static void ping_counts_ones_own_volumes(void **state)
{
	struct actor a = client_new(1000), root = client_new(0);

	fake_volume_add(1000, "a", true, NULL);
	fake_volume_add(1001, "b", true, NULL);
	says(&a, says_request(PARSER_METHOD_PING), "\"volumes\":1}");
	says(&root, says_request(PARSER_METHOD_PING), "\"volumes\":2}");
	client_gone(&a);
	client_gone(&root);
}

static void a_create_is_answered_when_the_volume_is_there(void **state)
{
	struct actor a = client_new(1000);

	parser_says(&a, says_create("v", true), -1);
	assert_null(client_hears(&a));
	fake_create_ends("v", true, NULL);
	heard(&a, "\"name\":\"v\",\"owner\":1000");
	parser_has_next(&a);
	parser_says(&a, says_create("v", true), -1);
	fake_create_ends("v", false, NULL);
	heard(&a, "\"created\":false");
	client_gone(&a);
}

static void a_create_that_fails_says_why(void **state)
{
	struct actor a = client_new(1000);
	struct parser_message *m = says_create("v", true);
	struct failure failure;

	strcpy(m->create.backend, "nbd");
	says(&a, m, "{\"backend\":\"nbd\",\"available\":[\"memory\"]}");
	m = says_create("v", true);
	m->create.size_bytes = 513;
	says(&a, m, "{\"parameter\":\"size_bytes\"}");
	fake_fails_next = FAILURE_OPERATION_PENDING;
	says(&a, says_create("v", true), "{\"name\":\"v\",\"operation\":\"subject\"}");
	parser_says(&a, says_create("v", true), -1);
	failure_set(&failure, FAILURE_BACKEND_FAILED, NULL, "step landlock: no");
	fake_create_ends("v", false, &failure);
	heard(&a, "io.dmuser.BackendFailed\",\"parameters\":{\"reason\":\"step landlock: no\"}");
	assert_true(parser_has_next(&a));
	client_gone(&a);
}

static void a_create_waits_for_the_manifest_it_needs(void **state)
{
	struct actor a = client_new(1000), b = client_new(1000);
	struct parser_message *m = says_create("v", false);

	fake_manifests_are_read_late = true;
	strcpy(m->create.container.id, "c1");
	parser_says_with_fd(&a, m);
	assert_int_equal(fake_creates, 0);
	assert_null(client_hears(&a));
	/* Nobody else waits. */
	says(&b, says_request(PARSER_METHOD_PING), "volumes");
	fake_manifests_are_read();
	assert_int_equal(fake_creates, 1);
	assert_int_equal(fake_pidfds, 1);
	fake_create_ends("v", true, NULL);
	heard(&a, "\"container\":\"c1\"");
	assert_true(parser_has_next(&a));
	client_gone(&a);
	client_gone(&b);
}

static void backends_are_listed_when_their_manifests_are_read(void **state)
{
	struct actor a = client_new(1000);

	fake_manifests_are_read_late = true;
	parser_says(&a, says_request(PARSER_METHOD_LIST_BACKENDS), -1);
	assert_null(client_hears(&a));
	fake_manifests_are_read();
	heard(&a, "{\"backends\":[{\"type\":\"memory\"");
	assert_true(parser_has_next(&a));
	fake_manifests_are_read_late = false;
	says(&a, says_request(PARSER_METHOD_LIST_BACKENDS), "\"rejected\":[{\"type\":\"broken\"");
	client_gone(&a);
}

static void whoever_goes_while_a_manifest_is_read_is_forgotten(void **state)
{
	struct actor a = client_new(1000);

	fake_manifests_are_read_late = true;
	parser_says(&a, says_create("v", false), -1);
	client_gone(&a);
	assert_false(fake_somebody_waits());
	assert_int_equal(fake_creates, 0);
}

static void what_fails_after_a_manifest_was_read_is_answered(void **state)
{
	struct actor a = client_new(1000);
	struct parser_message *m = says_create("v", false);

	fake_manifests_are_read_late = true;
	strcpy(m->create.backend, "nbd");
	parser_says(&a, m, -1);
	fake_manifests_are_read();
	heard(&a, "io.dmuser.NoSuchBackend");
	assert_true(parser_has_next(&a));
	client_gone(&a);
}

static void a_pidfd_goes_where_it_belongs(void **state)
{
	struct actor a = client_new(1000);
	struct parser_message *m = says_create("v", false);

	strcpy(m->create.container.id, "c1");
	parser_says_with_fd(&a, m);
	assert_int_equal(fake_pidfds, 1);
	fake_create_ends("v", true, NULL);
	heard(&a, "\"container\":\"c1\"");
	assert_true(parser_has_next(&a));
	m = says_volume(PARSER_METHOD_BIND, "v");
	strcpy(m->volume.container.id, "c2");
	parser_says_with_fd(&a, m);
	assert_int_equal(fake_pidfds, 2);
	assert_string_equal(fake_bound_to, "c2");
	heard(&a, "\"container\":\"c2\"");
	client_gone(&a);
}

/* For root any will do; this process is root's, or at least not uid 1000's. */
static void a_volume_waits_for_a_process_of_its_owners_own(void **state)
{
	struct actor a = client_new(1000), root = client_new(0);
	struct parser_message *m = says_create("v", false);
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0U);

	if (pidfd < 0 || getuid() == 1000)
		skip();
	strcpy(m->create.container.id, "c1");
	m->n_fds = 1;
	parser_says(&a, m, pidfd);
	heard(&a, "io.dmuser.PermissionDenied");
	assert_int_equal(fake_creates, 0);
	assert_true(parser_has_next(&a));
	fake_volume_add(1000, "w", true, NULL);
	m = says_volume(PARSER_METHOD_BIND, "w");
	strcpy(m->volume.container.id, "c1");
	m->n_fds = 1;
	parser_says(&a, m, pidfd);
	heard(&a, "io.dmuser.PermissionDenied");
	assert_int_equal(fake_binds, 0);
	m->volume.owner = 1000;
	parser_says(&root, m, pidfd);
	heard(&root, "\"container\":\"c1\"");
	assert_int_equal(fake_binds, 1);
	close(pidfd);
	client_gone(&a);
	client_gone(&root);
}

static void a_pidfd_of_a_call_that_fails_is_closed(void **state)
{
	struct actor a = client_new(1000);
	struct parser_message *m = says_create("v", false);

	strcpy(m->create.container.id, "c1");
	m->create.size_bytes = 513;
	parser_says_with_fd(&a, m);
	heard(&a, "size_bytes");
	assert_true(parser_has_next(&a));
	m = says_volume(PARSER_METHOD_BIND, "none");
	strcpy(m->volume.container.id, "c1");
	parser_says_with_fd(&a, m);
	heard(&a, "NoSuchVolume");
	assert_int_equal(fake_pidfds, 0);
	/* That none is left open is counted at the end of each test. */
	client_gone(&a);
}

static void a_name_of_several_containers_needs_one_said(void **state)
{
	static const char ambiguous[] = "io.dmuser.AmbiguousName\",\"parameters\":"
					"{\"name\":\"v\",\"containers\":[\"c2\",\"c1\"]}";
	struct actor a = client_new(1000);

	fake_volume_add(1000, "v", true, "c1");
	says(&a, says_volume(PARSER_METHOD_DESCRIBE, "v"), "\"container\":\"c1\"");
	fake_volume_add(1000, "v", true, "c2");
	fake_volume_add(1001, "v", true, "c3");
	says(&a, says_volume(PARSER_METHOD_DESCRIBE, "v"), ambiguous);
	says(&a, says_volume(PARSER_METHOD_RELEASE, "v"), ambiguous);
	says(&a, says_volume_of(PARSER_METHOD_DESCRIBE, "v", "c2"), "\"container\":\"c2\"");
	says(&a, says_volume_of(PARSER_METHOD_DESCRIBE, "v", "c3"), "NoSuchVolume");
	fake_volume_add(1000, "v", true, NULL);
	says(&a, says_volume(PARSER_METHOD_DESCRIBE, "v"), "\"name\":\"v\"");
	assert_int_equal(fake_releases, 0);
	client_gone(&a);
}

static void what_failed_is_told_to_whoever_asks_for_it(void **state)
{
	struct actor a = client_new(1000), other = client_new(1001), root = client_new(0);
	struct parser_message *m = says_create("v", true);

	strcpy(m->create.backend, "nbd");
	says(&a, m, "io.dmuser.NoSuchBackend");
	says(&a, says_volume(PARSER_METHOD_DESCRIBE, "v"),
	     "{\"name\":\"v\",\"last_failure\":\"0 s ago: nbd: no backend of that name is installed\"}");
	says(&other, says_volume(PARSER_METHOD_DESCRIBE, "v"), "{\"name\":\"v\"}");
	m = says_volume(PARSER_METHOD_DESCRIBE, "v");
	m->volume.owner = 1000;
	says(&other, m, "{\"name\":\"v\"}");
	m = says_volume(PARSER_METHOD_DESCRIBE, "v");
	m->volume.owner = 1000;
	says(&root, m, "last_failure");
	client_gone(&a);
	client_gone(&other);
	client_gone(&root);
}

static void what_is_a_matter_of_a_moment_is_not_kept(void **state)
{
	struct actor a = client_new(1000);

	fake_fails_next = FAILURE_OPERATION_PENDING;
	says(&a, says_create("v", true), "OperationPending");
	says(&a, says_volume(PARSER_METHOD_DESCRIBE, "v"), "{\"name\":\"v\"}");
	client_gone(&a);
}

static void a_container_that_has_one_is_told_so(void **state)
{
	struct actor a = client_new(1000);

	fake_volume_add(1000, "v", true, NULL);
	fake_fails_next = FAILURE_VOLUME_EXISTS;
	parser_says_with_fd(&a, says_volume_of(PARSER_METHOD_BIND, "v", "c1"));
	heard(&a, "io.dmuser.VolumeExists\",\"parameters\":{\"name\":\"v\",\"container\":\"subject\"}");
	client_gone(&a);
}

static void somebody_elses_volume_does_not_exist(void **state)
{
	static const char answer[] = "io.dmuser.NoSuchVolume\",\"parameters\":{\"name\":\"v\"}";
	static const enum parser_method methods[] = { PARSER_METHOD_DESCRIBE, PARSER_METHOD_RELEASE };
	struct actor a = client_new(1000);
	struct parser_message *m;

	fake_volume_add(1001, "v", true, "c1");
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		says(&a, says_volume(methods[i], "v"), answer);
		m = says_volume(methods[i], "v");
		m->volume.owner = 1001;
		says(&a, m, answer);
	}
	m = says_volume(PARSER_METHOD_BIND, "v");
	m->volume.owner = 1001;
	strcpy(m->volume.container.id, "c1");
	parser_says_with_fd(&a, m);
	heard(&a, answer);
	assert_true(parser_has_next(&a));
	says(&a, says_request(PARSER_METHOD_LIST), "\"volumes\":[]");
	m = says_volume(PARSER_METHOD_RELEASE, "");
	strcpy(m->volume.container.id, "c1");
	says(&a, m, "\"released\":[]");
	assert_int_equal(fake_releases + fake_binds, 0);
	client_gone(&a);
}

static void root_acts_for_everybody(void **state)
{
	struct actor root = client_new(0);
	struct parser_message *m;

	fake_volume_add(1001, "v", true, NULL);
	says(&root, says_volume(PARSER_METHOD_DESCRIBE, "v"), "NoSuchVolume");
	m = says_volume(PARSER_METHOD_DESCRIBE, "v");
	m->volume.owner = 1001;
	says(&root, m, "\"owner\":1001");
	m = says_volume(PARSER_METHOD_RELEASE, "v");
	m->volume.owner = 1001;
	parser_says(&root, m, -1);
	fake_release_ends("v", RELEASE_GONE, NULL);
	heard(&root, "{\"name\":\"v\",\"owner\":1001,\"stage\":\"gone\"");
	client_gone(&root);
}

static void limits_hold_for_volumes_and_bytes(void **state)
{
	struct actor a = client_new(1000), root = client_new(0);
	struct parser_message *m;

	stage.m.settings.volumes_per_uid_max = 2;
	stage.m.settings.volume_bytes_per_uid_max = 10000;
	fake_volume_add(1000, "a", true, NULL);
	m = says_create("b", true);
	m->create.size_bytes = 6144;
	says(&a, m, "{\"resource\":\"bytes\",\"limit\":10000,\"setting\":\"volume_bytes_per_uid_max\"}");
	fake_volume_add(1000, "b", true, NULL);
	says(&a, says_create("c", true), "{\"resource\":\"volumes\",\"limit\":2,\"setting\":\"volumes_per_uid_max\"}");
	assert_int_equal(fake_creates, 0);
	/* What is there already is no new one; and root is not counted. */
	parser_says(&a, says_create("a", true), -1);
	assert_int_equal(fake_creates, 1);
	fake_create_ends("a", false, NULL);
	heard(&a, "\"created\":false");
	parser_says(&root, says_create("c", true), -1);
	assert_int_equal(fake_creates, 2);
	client_gone(&a);
	client_gone(&root);
}

/* The one that is named is not refused next. */
static void a_size_beyond_the_backends_is_told_what_there_is_here(void **state)
{
	struct actor a = client_new(1000);
	struct parser_message *m = says_create("v", true);

	m->create.size_bytes = 2ull << 40;
	says(&a, m, "the largest that backend memory serves has 1099511627776\",\"min\":1024,"
		    "\"max\":1099511627776}");
	fake_memory_total = (8ull << 30) + 1000;
	m = says_create("v", true);
	m->create.size_bytes = 2ull << 40;
	m->create.block_size = 4096;
	says(&a, m, "1099511627776; this machine has 8589934592\",\"min\":1024,"
		    "\"max\":8589934592}");
	stage.m.settings.memory_volume_bytes_max = 65536;
	m = says_create("v", true);
	m->create.size_bytes = 2ull << 40;
	says(&a, m, "1099511627776; memory_volume_bytes_max in dmuserd.conf allows 65536\","
		    "\"min\":1024,\"max\":65536}");
	/* How much memory there is has nothing to do with one that is too small. */
	m = says_create("v", true);
	m->create.size_bytes = 512;
	says(&a, m, "the smallest that backend memory serves has 1024\",\"min\":1024,"
		    "\"max\":65536}");
	/* Nothing is served then: that is its own error. */
	stage.m.settings.memory_volume_bytes_max = 100;
	m = says_create("v", true);
	m->create.size_bytes = 2ull << 40;
	says(&a, m, "\"max\":1099511627776}");
	assert_int_equal(fake_creates, 0);
	client_gone(&a);
}

static void each_memory_of_a_volume_counts(void **state)
{
	const struct backend mirrored = { .manifest = {
		.n_resources = 3,
		.resources = { MANIFEST_MEMFD, MANIFEST_FILE, MANIFEST_MEMFD },
	} };
	struct volume_spec spec = { .backend = &mirrored, .size_bytes = 4096 };

	assert_true(usage_memory(&spec) == 2 * 4096);
	spec.size_bytes = UINT64_MAX - 511;
	assert_true(usage_memory(&spec) == UINT64_MAX);
	spec.backend = &fake_memory;
	spec.size_bytes = 4096;
	assert_true(usage_memory(&spec) == 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_service_introduces_itself),
		TEST(nobody_outside_the_group_is_served),
		TEST(ping_counts_ones_own_volumes),
		TEST(a_create_is_answered_when_the_volume_is_there),
		TEST(a_create_that_fails_says_why),
		TEST(a_create_waits_for_the_manifest_it_needs),
		TEST(backends_are_listed_when_their_manifests_are_read),
		TEST(whoever_goes_while_a_manifest_is_read_is_forgotten),
		TEST(what_fails_after_a_manifest_was_read_is_answered),
		TEST(a_pidfd_goes_where_it_belongs),
		TEST(a_volume_waits_for_a_process_of_its_owners_own),
		TEST(a_pidfd_of_a_call_that_fails_is_closed),
		TEST(a_name_of_several_containers_needs_one_said),
		TEST(what_failed_is_told_to_whoever_asks_for_it),
		TEST(what_is_a_matter_of_a_moment_is_not_kept),
		TEST(a_container_that_has_one_is_told_so),
		TEST(somebody_elses_volume_does_not_exist),
		TEST(root_acts_for_everybody),
		TEST(limits_hold_for_volumes_and_bytes),
		TEST(a_size_beyond_the_backends_is_told_what_there_is_here),
		TEST(each_memory_of_a_volume_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
