// SPDX-License-Identifier: Apache-2.0
/*
 * Creation on an image: which one gives the volume its size, which are made and which of them stay,
 * and that each serves one volume at a time.
 */
#include "tests/unit/volume/fake-world.h"
#include "util/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct volume_spec spec_of_image(uint64_t size)
{
	struct volume_spec spec = spec_of("image", "file", size);

	spec.n_options = 1;
	strcpy(spec.options[0].name, "path");
	snprintf(spec.options[0].value, sizeof(spec.options[0].value), "%s/image",
		 world->directory);
	return spec;
}

static void make_image(off_t size)
{
	struct volume_spec spec = spec_of_image(0);
	int fd = open(spec.options[0].value, O_CREAT | O_WRONLY, 0600);

	assert_return_code(ftruncate(fd, size), errno);
	close(fd);
}

static void an_image_gives_its_size_to_the_volume(void **state)
{
	struct volume_spec spec = spec_of_image(PARSER_UNSET), same = spec;
	struct volume_info info;
	struct caller c;
	struct volume *v;

	make_image(3 * MIB);
	v = create_and_wait(&c, &spec);
	volume_get_info(v, &info);
	assert_int_equal(info.size_bytes, 3 * MIB);
	assert_false(info.blank);
	assert_false(world_child(v->uuid)->holds_memory);
	assert_int_equal(world->gate_oom_score, OOM_SCORE_USUAL);
	/* The same, said with the size that was found. */
	same.size_bytes = 3 * MIB;
	assert_ptr_equal(create_and_wait(&c, &same), v);
	release_and_wait(&c, v);
	assert_int_equal(access(spec.options[0].value, F_OK), 0);
}

static void an_image_that_was_made_is_blank_and_stays(void **state)
{
	struct volume_spec spec = spec_of_image(MIB);
	struct volume_info info;
	struct caller c;
	struct volume *v = create_and_wait(&c, &spec);

	volume_get_info(v, &info);
	assert_true(info.blank);
	release_and_wait(&c, v);
	assert_int_equal(access(spec.options[0].value, F_OK), 0);
	v = create_and_wait(&c, &spec);
	volume_get_info(v, &info);
	assert_false(info.blank);
	release_and_wait(&c, v);
}

static void an_image_that_was_made_goes_with_a_creation_that_fails(void **state)
{
	struct volume_spec spec = spec_of_image(MIB);
	struct caller c;

	world->dm_error[DM_OP_RESUME] = -EINVAL;
	assert_int_equal(create(&c, &spec, NULL, 0), 0);
	run_until_flag(world->m.event, &c.done);
	assert_true(c.failed);
	assert_int_equal(access(spec.options[0].value, F_OK), -1);
}

static void an_image_that_was_there_stays_when_a_creation_fails(void **state)
{
	struct volume_spec spec = spec_of_image(MIB);
	struct caller c;

	make_image(MIB);
	world->dm_error[DM_OP_RESUME] = -EINVAL;
	assert_int_equal(create(&c, &spec, NULL, 0), 0);
	run_until_flag(world->m.event, &c.done);
	assert_true(c.failed);
	assert_int_equal(access(spec.options[0].value, F_OK), 0);
}

static void an_image_serves_one_volume_at_a_time(void **state)
{
	struct volume_spec spec = spec_of_image(MIB), second = spec;
	struct caller c, d;
	struct volume *v = create_and_wait(&c, &spec);

	strcpy(second.name, "second");
	assert_int_equal(create(&d, &second, NULL, 0), 0);
	run_until_flag(world->m.event, &d.done);
	assert_int_equal(d.failure.kind, FAILURE_BACKING_IN_USE);
	assert_string_equal(d.failure.subject, "path");
	assert_int_equal(access(spec.options[0].value, F_OK), 0);
	release_and_wait(&c, v);
	v = create_and_wait(&d, &second);
	release_and_wait(&d, v);
}

static void an_image_smaller_than_the_backend_serves_is_refused(void **state)
{
	struct volume_spec spec = spec_of_image(PARSER_UNSET);
	struct caller c;

	make_image(512);
	assert_int_equal(create(&c, &spec, NULL, 0), 0);
	run_until_flag(world->m.event, &c.done);
	assert_int_equal(c.failure.kind, FAILURE_INVALID_SIZE);
	assert_int_equal(c.failure.min_size_bytes, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(an_image_gives_its_size_to_the_volume),
		WORLD_TEST(an_image_that_was_made_is_blank_and_stays),
		WORLD_TEST(an_image_that_was_made_goes_with_a_creation_that_fails),
		WORLD_TEST(an_image_that_was_there_stays_when_a_creation_fails),
		WORLD_TEST(an_image_serves_one_volume_at_a_time),
		WORLD_TEST(an_image_smaller_than_the_backend_serves_is_refused),
	};

	return world_is_playable() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
