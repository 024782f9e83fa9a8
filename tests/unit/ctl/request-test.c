// SPDX-License-Identifier: Apache-2.0
/*
 * Annotations, states and bundles: what the hook takes, and what it refuses before anything is
 * done.
 */
#include "cmocka-all.h"
#include "ctl/oci-hook/bundle.h"
#include "ctl/oci-hook/state.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <string.h>

#define KEY REQUEST_VOLUME_PREFIX "data"

static struct request taken; /* large */
static char reason[256];

static int take(const char *key, const char *value)
{
	reason[0] = 0;
	return request_parse(key, value, &taken, reason, sizeof(reason));
}

static void a_full_annotation_is_taken(void **state)
{
	assert_int_equal(take(KEY, "size=64M,backend=file,path=/srv/a b.img,fs=xfs,mount=/data/x,"
				   "block_size=4096,read_only=true,sync=1"), 0);
	assert_string_equal(taken.name, "data");
	assert_string_equal(taken.backend, "file");
	assert_int_equal(taken.size_bytes, 64 << 20);
	assert_int_equal(taken.block_size, 4096);
	assert_true(taken.read_only);
	assert_int_equal(taken.fs, REQUEST_FS_XFS);
	assert_string_equal(taken.mount, "/data/x");
	assert_int_equal(taken.n_options, 2);
	assert_string_equal(taken.options[0].key, "path");
	assert_string_equal(taken.options[0].value, "/srv/a b.img");
	assert_string_equal(taken.options[1].key, "sync");
}

static void what_may_be_left_out_has_its_default(void **state)
{
	assert_int_equal(take(KEY, "backend=memory,mount=/data"), 0);
	assert_int_equal(taken.size_bytes, 0);
	assert_int_equal(taken.block_size, 0);
	assert_false(taken.read_only);
	assert_int_equal(taken.fs, REQUEST_FS_EXT4);
	assert_int_equal(taken.n_options, 0);
}

static void a_value_may_hold_an_equals_sign(void **state)
{
	assert_int_equal(take(KEY, "backend=memory,mount=/a=b,opt=x=y"), 0);
	assert_string_equal(taken.mount, "/a=b");
	assert_string_equal(taken.options[0].value, "x=y");
}

static void assert_refused(const char *value)
{
	if (take(KEY, value) != -EINVAL)
		fail_msg("taken: %s", value);
	if (!reason[0])
		fail_msg("no reason for: %s", value);
}

static void bad_syntax_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		",",
		"=",
		"backend",
		"backend=memory",
		"mount=/data",
		"backend=memory,mount=/data,",
		",backend=memory,mount=/data",
		"backend=memory,,mount=/data",
		"backend=memory, mount=/data",
		" backend=memory,mount=/data",
		"backend=memory,mount=/data ,x=",
		"backend=memory,mount=/data,x=",
		"backend=memory,mount=/data,=x",
		"backend=,mount=/data",
		"backend=memory,mount=",
		"backend=memory;mount=/data",
		"backend = memory,mount=/data",
		"Backend=memory,mount=/data",
		"backend=memory,mount=/data,X=1",
		"backend=memory,mount=/data,a-b=1",
		"backend=memory,mount=/data,../x=1",
		"backend=memory,mount=/da\nta",
		"backend=memory,mount=/data,x=\x1b[2J",
		"backend=memory,mount=/data,x=\x7f",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_refused(bad[i]);
}

static void a_key_that_may_be_the_missing_one_misspelt_is_named(void **state)
{
	assert_refused("backend=memory,mont=/data,size=1M");
	assert_string_equal(reason, "mount is missing, and 'mont' would be an option of the "
				    "backend");
	assert_refused("bakend=memory,mount=/data");
	assert_string_equal(reason, "backend is missing, and 'bakend' would be an option of the "
				    "backend");
	assert_refused("backend=memory");
	assert_string_equal(reason, "mount is missing");
}

static void a_key_that_is_given_twice_is_refused(void **state)
{
	static const char *const twice[] = { "backend=file", "mount=/data", "size=1M", "fs=ext4",
					     "block_size=512", "read_only=false", "path=/x" };

	for (size_t i = 0; i < ARRAY_SIZE(twice); i++) {
		char value[256];

		snprintf(value, sizeof(value),
			 "backend=file,mount=/data,size=1M,fs=ext4,block_size=512,read_only=false,"
			 "path=/x,%s", twice[i]);
		assert_refused(value);
		assert_non_null(strstr(reason, "twice"));
	}
}

static void bad_sizes_are_refused(void **state)
{
	static const char *const bad[] = {
		"size=0", "size=-1", "size=+1", "size=0K", "size=1.5G", "size=12junk", "size=0x200",
		"size=NaN", "size=99999999999999999999999", "size=9223372036854775808",
		"size=8388608T", "size=1k", "size=1MB", "size=1 M", "size=513", "size=1",
		"size=1K,block_size=4096", "block_size=0", "block_size=511", "block_size=513",
		"block_size=768", "block_size=8192", "block_size=1K", "block_size=-512",
		"read_only=yes", "read_only=1", "read_only=TRUE", "fs=ext3", "fs=EXT4", "fs=vfat",
		"fs=ext4 ",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char value[256];

		snprintf(value, sizeof(value), "backend=memory,mount=/data,%s", bad[i]);
		assert_refused(value);
	}
}

static void bad_mounts_are_refused(void **state)
{
	static const char *const bad[] = {
		"data",	    "./data",	 "/",	  "//",	       "/data/",  "//data",
		"/data//x", "/.",	 "/..",	  "/data/..",  "/../etc", "/data/../../x",
		"/data/.",  "/data/./x", "/proc", "/proc/sys", "/sys",	  "/sys/fs/cgroup",
		"/dev",	    "/dev/shm",
	};
	char value[8192];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(value, sizeof(value), "backend=memory,mount=%s", bad[i]);
		assert_refused(value);
	}
	/* a component, then a path, that is too long */
	strcpy(value, "backend=memory,mount=/");
	memset(value + strlen(value) + 1, 0, 1);
	memset(value + 22, 'x', 256);
	value[22 + 256] = 0;
	assert_refused(value);
	value[22 + 255] = 0;
	assert_int_equal(take(KEY, value), 0);
	for (size_t i = 21; i < 21 + 4096; i += 2)
		memcpy(value + i, "/x", 2);
	value[21 + 4096] = 0;
	assert_refused(value);
}

static void a_name_that_only_looks_forbidden_is_taken(void **state)
{
	static const char *const good[] = { "/process", "/system", "/device",	"/...",
					    "/a/..b",	"/.x",	   "/data/proc" };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		char value[256];

		snprintf(value, sizeof(value), "backend=memory,mount=%s", good[i]);
		if (take(KEY, value) != 0)
			fail_msg("refused: %s: %s", good[i], reason);
	}
}

static void bad_names_are_refused(void **state)
{
	static const char *const bad[] = {
		"../x", "/",   "",	".",	  "..",	  ".hidden", "-x",  "_x",
		"a/b",	"a b", "a\x1b", "a\\x2f", "a%2f", "\u00fc",  "a:b", "a\n",
	};
	char key[300];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(key, sizeof(key), REQUEST_VOLUME_PREFIX "%s", bad[i]);
		if (take(key, "backend=memory,mount=/data") != -EINVAL)
			fail_msg("taken: %s", key);
	}
	strcpy(key, REQUEST_VOLUME_PREFIX);
	memset(key + strlen(REQUEST_VOLUME_PREFIX), 'x', 200);
	key[strlen(REQUEST_VOLUME_PREFIX) + 200] = 0;
	assert_int_equal(take(key, "backend=memory,mount=/data"), -EINVAL);
	key[strlen(REQUEST_VOLUME_PREFIX) + 65] = 0;
	assert_int_equal(take(key, "backend=memory,mount=/data"), -EINVAL);
	key[strlen(REQUEST_VOLUME_PREFIX) + 64] = 0;
	assert_int_equal(take(key, "backend=memory,mount=/data"), 0);
	assert_int_equal(take("io.dmuser.volumes.x", "backend=memory,mount=/data"), -EINVAL);
	assert_int_equal(take("io.dmuser.volume", "backend=memory,mount=/data"), -EINVAL);
}

static void bad_backends_and_too_many_options_are_refused(void **state)
{
	assert_refused("backend=../x,mount=/data");
	assert_refused("backend=Memory,mount=/data");
	assert_refused("backend=a b,mount=/data");
	assert_refused("backend=abcdefghijklmnopqrstuvwxyzabcdefg,mount=/data");
	assert_int_equal(take(KEY, "backend=b,mount=/d,a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1"), 0);
	assert_refused("backend=b,mount=/d,a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1");
}

static void an_option_as_long_as_a_path_is_taken_and_no_longer(void **state)
{
	char value[6000] = "backend=b,mount=/d,path=";
	size_t n = strlen(value);

	memset(value + n, 'x', 4096);
	value[n + 4096] = 0;
	assert_refused(value);
	value[n + 4095] = 0;
	assert_int_equal(take(KEY, value), 0);
}

static int read_state(const char *text, struct state *ret)
{
	struct trouble t = {};
	int r = state_parse(text, strlen(text), ret, &t);

	if (r < 0)
		assert_true(t.message[0] != 0);
	return r;
}

static void a_state_of_crun_and_one_of_runc_are_taken(void **unused)
{
	struct state state;

	assert_int_equal(read_state("{\"ociVersion\":\"1.0\",\"id\":\"c1\",\"pid\":412,"
				    "\"root\":\"/b/rootfs\",\"bundle\":\"/b\","
				    "\"status\":\"created\",\"annotations\":{\"a\":\"b\"}}\n",
				    &state), 0);
	assert_string_equal(state.id, "c1");
	assert_int_equal(state.pid, 412);
	assert_string_equal(state.bundle, "/b");
	assert_int_equal(read_state("{\"ociVersion\":\"1.0.2-dev\",\"id\":\"c1\","
				    "\"status\":\"stopped\",\"bundle\":\"/b\"}", &state), 0);
	assert_int_equal(state.pid, 0);
}

static void bad_states_are_refused(void **unused)
{
	static const char *const bad[] = {
		"", "{", "[]", "null", "{}", "{\"id\":\"c\"}", "{\"bundle\":\"/b\"}",
		"{\"id\":\"../c\",\"bundle\":\"/b\"}", "{\"id\":\"\",\"bundle\":\"/b\"}",
		"{\"id\":\"a\\u0000b\",\"bundle\":\"/b\"}", "{\"id\":1,\"bundle\":\"/b\"}",
		"{\"id\":\"c\",\"bundle\":\"b\"}", "{\"id\":\"c\",\"bundle\":\"\"}",
		"{\"id\":\"c\",\"bundle\":\"/b\\u0000x\"}",
		"{\"id\":\"c\",\"bundle\":\"/b\",\"pid\":-1}",
		"{\"id\":\"c\",\"bundle\":\"/b\",\"pid\":\"1\"}",
		"{\"id\":\"c\",\"bundle\":\"/b\",\"pid\":1.5}",
		"{\"id\":\"c\",\"bundle\":\"/b\",\"pid\":2147483648}",
		"{\"id\":\"c\",\"bundle\":\"/b\",\"pid\":99999999999999999999999}",
		"{\"id\":\"c\",\"bundle\":\"/b\"} x", "{\"id\":\"c\",\"bundle\":\"/b\",}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct state state;

		if (read_state(bad[i], &state) >= 0)
			fail_msg("taken: %s", bad[i]);
	}
}

static void a_state_beyond_the_limit_is_refused(void **unused)
{
	struct trouble t = {};
	struct state state;
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	assert_int_equal(state_read(fd, UINT64_MAX, &state, &t), -EMSGSIZE);
	close(fd);
}

static void a_state_that_never_ends_meets_the_deadline(void **unused)
{
	struct trouble t = {};
	struct state state;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "{", 1), 1);
	assert_int_equal(state_read(fds[0], 0, &state, &t), -ETIMEDOUT);
	close(fds[0]);
	close(fds[1]);
}

static int read_bundle(const char *config, struct bundle *ret)
{
	struct trouble t = {};
	int r = bundle_parse("/bundle", config, strlen(config), ret, &t);

	if (r < 0)
		assert_true(t.message[0] != 0);
	return r;
}

static void a_bundles_volumes_come_in_the_order_of_their_mounts(void **unused)
{
	struct bundle b;

	assert_int_equal(read_bundle("{\"root\":{\"path\":\"rootfs\"},\"annotations\":{"
				     "\"org.other\":\"x\","
				     "\"io.dmuser.volume.b\":\"backend=memory,mount=/data/more\","
				     "\"io.dmuser.volume.a.1\":\"backend=memory,mount=/data\"}}",
				     &b),
			 0);
	assert_string_equal(b.rootfs, "/bundle/rootfs");
	assert_int_equal(b.n_requests, 2);
	assert_string_equal(b.requests[0].name, "a.1");
	assert_string_equal(b.requests[1].name, "b");
	bundle_clear(&b);
}

static void an_absolute_root_stays_so(void **unused)
{
	struct bundle b;

	assert_int_equal(read_bundle("{\"root\":{\"path\":\"/images/7\"}}", &b), 0);
	assert_string_equal(b.rootfs, "/images/7");
	assert_int_equal(b.n_requests, 0);
	bundle_clear(&b);
}

static void bad_bundles_are_refused(void **unused)
{
	static const char *const bad[] = {
		"", "[]", "{}", "{\"root\":{}}", "{\"root\":{\"path\":\"\"}}", "{\"root\":\"x\"}",
		"{\"root\":{\"path\":\"a\\u0000b\"}}",
		"{\"root\":{\"path\":\"r\"},\"annotations\":[]}",
		"{\"root\":{\"path\":\"r\"},\"annotations\":{\"io.dmuser.volume.a\":1}}",
		"{\"root\":{\"path\":\"r\"},\"annotations\":{\"io.dmuser.volume.a\":null}}",
		"{\"root\":{\"path\":\"r\"},"
		"\"annotations\":{\"io.dmuser.volume.a\":\"x\\u0000y\"}}",
		"{\"root\":{\"path\":\"r\"},\"annotations\":{\"io.dmuser.volume.../a\":"
		"\"backend=memory,mount=/data\"}}",
		"{\"root\":{\"path\":\"r\"},\"annotations\":{\"io.dmuser.volune.a\":"
		"\"backend=memory,mount=/data\"}}",
		"{\"root\":{\"path\":\"r\"},\"annotations\":{"
		"\"io.dmuser.volume.a\":\"backend=memory,mount=/data\","
		"\"io.dmuser.volume.b\":\"backend=memory,mount=/data\"}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct bundle b;

		if (read_bundle(bad[i], &b) >= 0)
			fail_msg("taken: %s", bad[i]);
	}
}

static void more_volumes_than_the_limit_are_refused(void **unused)
{
	char config[8192] = "{\"root\":{\"path\":\"r\"},\"annotations\":{\"x\":\"y\"";
	struct bundle b;

	for (int i = 0; i <= BUNDLE_VOLUMES_MAX; i++)
		sprintf(config + strlen(config),
			",\"io.dmuser.volume.v%d\":\"backend=memory,mount=/v%d\"", i, i);
	strcat(config, "}}");
	assert_int_equal(read_bundle(config, &b), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_annotation_is_taken),
		cmocka_unit_test(what_may_be_left_out_has_its_default),
		cmocka_unit_test(a_value_may_hold_an_equals_sign),
		cmocka_unit_test(bad_syntax_is_refused),
		cmocka_unit_test(a_key_that_may_be_the_missing_one_misspelt_is_named),
		cmocka_unit_test(a_key_that_is_given_twice_is_refused),
		cmocka_unit_test(bad_sizes_are_refused),
		cmocka_unit_test(bad_mounts_are_refused),
		cmocka_unit_test(a_name_that_only_looks_forbidden_is_taken),
		cmocka_unit_test(bad_names_are_refused),
		cmocka_unit_test(bad_backends_and_too_many_options_are_refused),
		cmocka_unit_test(an_option_as_long_as_a_path_is_taken_and_no_longer),
		cmocka_unit_test(a_state_of_crun_and_one_of_runc_are_taken),
		cmocka_unit_test(bad_states_are_refused),
		cmocka_unit_test(a_state_beyond_the_limit_is_refused),
		cmocka_unit_test(a_state_that_never_ends_meets_the_deadline),
		cmocka_unit_test(a_bundles_volumes_come_in_the_order_of_their_mounts),
		cmocka_unit_test(an_absolute_root_stays_so),
		cmocka_unit_test(bad_bundles_are_refused),
		cmocka_unit_test(more_volumes_than_the_limit_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
