// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Options: read from a table line, checked, told to device-mapper and to the queue, and shown back.
 * Knows nothing of how they are kept. Every refusal has words of its own in ti->error.
 */
#include "options.h"

#include <linux/blkdev.h>
#include <linux/ctype.h>
#include <linux/device-mapper.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/string.h>

#include <linux/dm-user.h>

#include "compat.h"

#define DMU_OUTSTANDING_MAX	65536
#define DMU_TIMEOUT_MS_MAX	(24 * 60 * 60 * 1000)
#define DMU_MAX_IO_KB		(DM_USER_MAX_IO_BYTES >> 10)
#define DMU_MIN_IO_KB		4

/*
 * The longest range in one request: a bio's size has 32 bits. Less a MiB, so that a longer range is
 * not cut in the middle of anybody's block.
 */
#define DMU_RANGE_SECTORS_MAX	((1U << (32 - SECTOR_SHIFT)) - (1U << (20 - SECTOR_SHIFT)))

static const struct dmu_options dmu_options_default = {
	.volatile_cache = true,
	.discard = DMU_RANGE_SECTORS_MAX,
	.secure_erase = DMU_RANGE_SECTORS_MAX,
	.write_zeroes = DMU_RANGE_SECTORS_MAX,
	.block_size = SECTOR_SIZE,
	.max_io_kb = DMU_MAX_IO_KB,
};

/* --- Values */

/* Digits and nothing else; kstrtouint() alone would take a sign. */
static bool dmu_options_number(const char *value, unsigned int min, unsigned int max,
			       unsigned int *ret_number)
{
	unsigned int number;

	if (!isdigit(value[0]) || kstrtouint(value, 10, &number) || number < min || number > max)
		return false;
	*ret_number = number;
	return true;
}

static bool dmu_options_choice(const char *value, const char *no, const char *yes, bool *ret_choice)
{
	if (strcmp(value, no) && strcmp(value, yes))
		return false;
	*ret_choice = !strcmp(value, yes);
	return true;
}

static bool dmu_options_range(const char *value, unsigned int *ret_sectors)
{
	bool on;

	if (dmu_options_choice(value, "off", "on", &on)) {
		*ret_sectors = on ? DMU_RANGE_SECTORS_MAX : 0;
		return true;
	}
	return dmu_options_number(value, 1, DMU_RANGE_SECTORS_MAX, ret_sectors);
}

/* --- One function an option: whether it likes the value */

static bool dmu_set_max_outstanding(struct dmu_options *o, char *value)
{
	return dmu_options_number(value, 1, DMU_OUTSTANDING_MAX, &o->max_outstanding);
}

static bool dmu_set_on_close(struct dmu_options *o, char *value)
{
	return dmu_options_choice(value, "error", "requeue", &o->requeue);
}

static bool dmu_set_volatile_cache(struct dmu_options *o, char *value)
{
	return dmu_options_choice(value, "off", "on", &o->volatile_cache);
}

static bool dmu_set_attach_timeout(struct dmu_options *o, char *value)
{
	return dmu_options_number(value, 0, DMU_TIMEOUT_MS_MAX, &o->attach_timeout_ms);
}

static bool dmu_set_request_timeout(struct dmu_options *o, char *value)
{
	return dmu_options_number(value, 0, DMU_TIMEOUT_MS_MAX, &o->request_timeout_ms);
}

static bool dmu_set_discard(struct dmu_options *o, char *value)
{
	char *grain = strchr(value, ':');

	if (!grain)
		return dmu_options_range(value, &o->discard);
	*grain++ = '\0';
	return dmu_options_number(value, 1, DMU_RANGE_SECTORS_MAX, &o->discard) &&
	       dmu_options_number(grain, 1, o->discard, &o->discard_grain) &&
	       is_power_of_2(o->discard_grain) && o->discard % o->discard_grain == 0;
}

static bool dmu_set_secure_erase(struct dmu_options *o, char *value)
{
	return dmu_options_range(value, &o->secure_erase);
}

static bool dmu_set_write_zeroes(struct dmu_options *o, char *value)
{
	return dmu_options_range(value, &o->write_zeroes);
}

static bool dmu_set_read_only(struct dmu_options *o, char *value)
{
	o->read_only = true;
	return true;
}

static bool dmu_set_block_size(struct dmu_options *o, char *value)
{
	return dmu_options_number(value, SECTOR_SIZE, PAGE_SIZE, &o->block_size) &&
	       is_power_of_2(o->block_size);
}

static bool dmu_set_max_io_kb(struct dmu_options *o, char *value)
{
	return dmu_options_number(value, DMU_MIN_IO_KB, DMU_MAX_IO_KB, &o->max_io_kb);
}

static const struct dmu_option {
	const char *name;
	bool (*set)(struct dmu_options *o, char *value);
	char *error;
	bool alone; /* has no value */
} dmu_option_table[] = {
	{ "max_outstanding", dmu_set_max_outstanding, "max_outstanding must be 1 to 65536" },
	{ "on_close", dmu_set_on_close, "on_close must be error or requeue" },
	{ "volatile_cache", dmu_set_volatile_cache, "volatile_cache must be on or off" },
	{ "attach_timeout_ms", dmu_set_attach_timeout, "attach_timeout_ms must be 0 to 86400000" },
	{ "request_timeout_ms", dmu_set_request_timeout,
	  "request_timeout_ms must be 0 to 86400000" },
	{ "discard", dmu_set_discard,
	  "discard must be off, on, MAX or MAX:GRAIN, in sectors; GRAIN is 2^n and divides MAX" },
	{ "secure_erase", dmu_set_secure_erase, "secure_erase must be off, on or MAX, in sectors" },
	{ "write_zeroes", dmu_set_write_zeroes, "write_zeroes must be off, on or MAX, in sectors" },
	{ "read_only", dmu_set_read_only, "read_only takes no value", .alone = true },
	{ "block_size", dmu_set_block_size,
	  "block_size must be a power of two, 512 to the page size" },
	{ "max_io_kb", dmu_set_max_io_kb, "max_io_kb must be 4 to 1024" },
};

/* --- The table line */

static int dmu_options_parse_one(struct dm_target *ti, struct dm_arg_set *args,
				 unsigned int *nr_words, unsigned long *seen, struct dmu_options *o)
{
	const char *name = dm_shift_arg(args);
	const struct dmu_option *option;
	char *value = NULL;
	unsigned int i;

	(*nr_words)--;
	for (i = 0; i < ARRAY_SIZE(dmu_option_table); i++) {
		if (!strcmp(dmu_option_table[i].name, name))
			break;
	}
	if (i == ARRAY_SIZE(dmu_option_table)) {
		ti->error = "Unknown option";
		return -EINVAL;
	}
	if (*seen & BIT(i)) {
		ti->error = "An option is given twice";
		return -EINVAL;
	}
	*seen |= BIT(i);
	option = &dmu_option_table[i];

	if (!option->alone) {
		if (!*nr_words) {
			ti->error = "The last option lacks its value";
			return -EINVAL;
		}
		value = (char *)dm_shift_arg(args);
		(*nr_words)--;
	}
	if (!option->set(o, value)) {
		ti->error = option->error;
		return -EINVAL;
	}
	return 0;
}

/* What no option can see alone. Returns what is wrong, or NULL. */
static char *dmu_options_clash(struct dm_target *ti, const struct dmu_options *o)
{
	unsigned int block = o->block_size >> SECTOR_SHIFT;

	if (o->read_only && DMU_TABLE_WRITABLE(ti->table))
		return "read_only needs a table that is loaded read-only";
	if ((ti->begin | ti->len) & (block - 1))
		return "The target's start and length must be multiples of block_size";
	if ((o->max_io_kb << 10) & (o->block_size - 1))
		return "max_io_kb must be a multiple of block_size";
	if ((o->discard | o->discard_grain) & (block - 1))
		return "discard must be in multiples of block_size";
	if (o->secure_erase & (block - 1))
		return "secure_erase must be in multiples of block_size";
	if (o->write_zeroes & (block - 1))
		return "write_zeroes must be in multiples of block_size";
	return NULL;
}

/**
 * dmu_options_parse - read what follows NAME
 * @ti:		for its error, length, place and table
 * @args:	the rest of the table line; may be empty
 * @ret_o:	complete after success
 *
 * Returns 0, or -EINVAL with ti->error set.
 */
int dmu_options_parse(struct dm_target *ti, struct dm_arg_set *args, struct dmu_options *ret_o)
{
	static const struct dm_arg count = {
		0, 2 * ARRAY_SIZE(dmu_option_table), "The number of option words is wrong",
	};
	struct dmu_options o = dmu_options_default;
	unsigned int nr_words = 0;
	unsigned long seen = 0;
	int ret;

	if (args->argc) {
		ret = dm_read_arg_group(&count, args, &nr_words, &ti->error);
		if (ret)
			return ret;
	}
	if (args->argc != nr_words) {
		ti->error = count.error;
		return -EINVAL;
	}
	while (nr_words) {
		ret = dmu_options_parse_one(ti, args, &nr_words, &seen, &o);
		if (ret)
			return ret;
	}
	ti->error = dmu_options_clash(ti, &o);
	if (ti->error)
		return -EINVAL;

	*ret_o = o;
	return 0;
}

/* What device-mapper itself is told. Returns 0 or what it says. */
int dmu_options_apply(struct dm_target *ti, const struct dmu_options *o)
{
	ti->num_flush_bios = 1;
	ti->flush_supported = true;
	ti->num_discard_bios = !!o->discard;
	ti->discards_supported = !!o->discard;
	ti->num_secure_erase_bios = !!o->secure_erase;
	ti->num_write_zeroes_bios = !!o->write_zeroes;
	return dm_set_target_max_io_len(ti, o->max_io_kb << (10 - SECTOR_SHIFT));
}

/* In sectors: what a discard is split at multiples of. */
unsigned int dmu_options_discard_grain(const struct dmu_options *o)
{
	return o->discard_grain ?: o->block_size >> SECTOR_SHIFT;
}

/*
 * What the queue is told. Both the soft and the hard limit of discard, and its granularity: 6.1
 * takes the pair as it stands and only with a granularity, 6.12 computes the soft one from the hard
 * one. What is off, dm takes out by the numbers of bios above.
 */
void dmu_options_limits(const struct dmu_options *o, struct queue_limits *limits)
{
	limits->logical_block_size = o->block_size;
	limits->physical_block_size = max(limits->physical_block_size, limits->logical_block_size);
	limits->io_min = max(limits->io_min, limits->logical_block_size);

	limits->discard_granularity = dmu_options_discard_grain(o) << SECTOR_SHIFT;
	limits->max_hw_discard_sectors = o->discard;
	limits->max_discard_sectors = o->discard;
	limits->max_secure_erase_sectors = o->secure_erase;
	limits->max_write_zeroes_sectors = o->write_zeroes;
}

/* --- Showing */

/**
 * struct dmu_shown - where options are written to
 * @pair:	format of a name and a value
 * @result:	as of a target's status function
 * @sz:		likewise
 * @maxlen:	likewise
 * @nr_words:	words so far
 */
struct dmu_shown {
	const char *pair;
	char *result;
	unsigned int sz;
	unsigned int maxlen;
	unsigned int nr_words;
};

static void dmu_shown_pair(struct dmu_shown *s, const char *name, const char *value)
{
	if (s->sz < s->maxlen)
		s->sz += scnprintf(s->result + s->sz, s->maxlen - s->sz, s->pair, name, value);
	s->nr_words += 2;
}

static void dmu_shown_number(struct dmu_shown *s, const char *name, unsigned int value,
			     unsigned int normal)
{
	char text[16];

	if (value == normal)
		return;
	scnprintf(text, sizeof(text), "%u", value);
	dmu_shown_pair(s, name, text);
}

static void dmu_shown_range(struct dmu_shown *s, const char *name, unsigned int value,
			    unsigned int grain)
{
	char text[32];

	if (value == DMU_RANGE_SECTORS_MAX && !grain)
		return;
	if (!value)
		scnprintf(text, sizeof(text), "off");
	else if (grain)
		scnprintf(text, sizeof(text), "%u:%u", value, grain);
	else
		scnprintf(text, sizeof(text), "%u", value);
	dmu_shown_pair(s, name, text);
}

static void dmu_shown_options(struct dmu_shown *s, const struct dmu_options *o)
{
	const struct dmu_options *d = &dmu_options_default;

	dmu_shown_number(s, "max_outstanding", o->max_outstanding, d->max_outstanding);
	if (o->requeue)
		dmu_shown_pair(s, "on_close", "requeue");
	if (!o->volatile_cache)
		dmu_shown_pair(s, "volatile_cache", "off");
	dmu_shown_number(s, "attach_timeout_ms", o->attach_timeout_ms, d->attach_timeout_ms);
	dmu_shown_number(s, "request_timeout_ms", o->request_timeout_ms, d->request_timeout_ms);
	dmu_shown_range(s, "discard", o->discard, o->discard_grain);
	dmu_shown_range(s, "secure_erase", o->secure_erase, 0);
	dmu_shown_range(s, "write_zeroes", o->write_zeroes, 0);
	dmu_shown_number(s, "block_size", o->block_size, d->block_size);
	dmu_shown_number(s, "max_io_kb", o->max_io_kb, d->max_io_kb);
}

/* For `dmsetup table`: " #opts opt...", or nothing. Returns @sz, grown. */
unsigned int dmu_options_show(const struct dmu_options *o, char *result, unsigned int sz,
			      unsigned int maxlen)
{
	struct dmu_shown counted = { .pair = " %s %s" }, shown;

	dmu_shown_options(&counted, o);
	counted.nr_words += o->read_only;
	if (!counted.nr_words)
		return sz;
	DMEMIT(" %u", counted.nr_words);
	shown = (struct dmu_shown){
		.pair = " %s %s", .result = result, .sz = sz, .maxlen = maxlen,
	};
	dmu_shown_options(&shown, o);
	sz = shown.sz;
	if (o->read_only)
		DMEMIT(" read_only");
	return sz;
}

/* For a measurement by IMA: ",name=value" of each, as above. Returns @sz, grown. */
unsigned int dmu_options_measure(const struct dmu_options *o, char *result, unsigned int sz,
				 unsigned int maxlen)
{
	struct dmu_shown shown = {
		.pair = ",%s=%s", .result = result, .sz = sz, .maxlen = maxlen,
	};

	dmu_shown_options(&shown, o);
	if (o->read_only)
		dmu_shown_pair(&shown, "read_only", "y");
	return shown.sz;
}
