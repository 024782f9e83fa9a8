// SPDX-License-Identifier: Apache-2.0
/* A sentence with {key}s in it; see template.h. */
#include "ctl/template.h"
#include "ctl/difference.h"
#include "ctl/escape.h"
#include "ctl/holder.h"
#include "ctl/inquiry.h"
#include "ctl/nearest.h"
#include "ctl/object.h"
#include "ctl/option-hint.h"
#include "ctl/quantity.h"
#include "ctl/reason.h"
#include "ctl/shell-word.h"
#include "ctl/volume-view.h"
#include "util/cleanup.h"

#include <inttypes.h>
#include <string.h>

#define DEFAULT_BLOCK_SIZE 512
/* dmuserd cuts what is longer. */
#define REASON_LENGTH_MAX  255

static void append(char *out, size_t size, const char *text)
{
	size_t used = strlen(out);

	snprintf(out + used, size - used, "%s", text);
}

static void append_escaped(char *out, size_t size, const char *text)
{
	size_t used = strlen(out);

	escape_text(text, out + used, size - used);
}

static void append_value(char *out, size_t size, struct json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_string:
		append_escaped(out, size, json_object_get_string(value));
		break;
	case json_type_array:
		if (json_object_array_length(value) == 0)
			append(out, size, "none");
		for (size_t i = 0; i < json_object_array_length(value); i++) {
			append(out, size, i ? ", " : "");
			append_value(out, size, json_object_array_get_idx(value, i));
		}
		break;
	case json_type_null:
		append(out, size, "unknown");
		break;
	default:
		append_escaped(out, size, json_object_to_json_string(value));
	}
}

static void append_log(char *out, size_t size, const struct matter *m)
{
	append(out, size, circumstances_log(m->c));
}

static void append_restart(char *out, size_t size, const struct matter *m)
{
	append(out, size, m->c->has_unit ? "systemctl restart dmuser-workers dmuserd" :
					   "end dmuserd (SIGTERM) and start it again, as root");
}

static struct json_object *existing(const struct matter *m)
{
	return m->c->found ? m->c->found->volume : NULL;
}

/* Of what the volume belongs to, all that the holders are is a part: it comes first. */
static void append_container_advice(char *out, size_t size, const struct matter *m)
{
	const char *container = object_string(existing(m), "container", NULL);

	if (!container)
		return;
	append(out, size, "end container ");
	append_escaped(out, size, container);
	append(out, size, ", and it is released; or ");
}

static void append_advice(char *out, size_t size, const struct matter *m)
{
	struct json_object *parameters = m->parameters;
	char device[64], advice[HOLDER_ADVICE_SIZE];
	size_t begin;

	append_container_advice(out, size, m);
	begin = strlen(out);
	for (size_t i = 0; i < object_array_length(parameters, "holders"); i++) {
		struct json_object *holder = object_array_element(parameters, "holders", i);

		if (!holder_advice(json_object_get_string(holder), advice, sizeof(advice))[0])
			continue;
		append(out, size, out[begin] ? "; " : "");
		append(out, size, advice);
	}
	if (out[begin])
		return;
	escape_text(object_string(existing(m), "device", "/dev/dm-N"), device, sizeof(device));
	append(out, size, holder_advice_unseen(device, advice, sizeof(advice)));
}

static void append_by(char *out, size_t size, const struct matter *m)
{
	struct json_object *holders = object_member(m->parameters, "holders", json_type_array);

	if (object_array_length(m->parameters, "holders") > 0)
		append_value(out, size, holders);
	else
		append(out, size,
		       "by whom cannot be seen: a mount that was detached, or the kernel itself");
}

/*
 * As `release` takes it: by the name that the error tells, of the owner and container that were
 * asked for.
 */
static void append_volume(char *out, size_t size, const struct matter *m)
{
	_cleanup_(object_putp) struct json_object *volume = object_new();
	const char *container = object_string(m->c->request, "container", NULL);
	int64_t owner = object_int(m->c->request, "owner", -1);
	char words[512];

	object_set_string(volume, "name", object_string(m->parameters, "name", "?"));
	if (container)
		object_set_string(volume, "container", container);
	if (owner >= 0)
		object_set_int(volume, "owner", owner);
	append(out, size, volume_view_words(volume, words));
}

static void append_times(char *out, size_t size, const struct matter *m)
{
	int64_t count = object_int(m->parameters, "open_count", 0);
	size_t used = strlen(out);

	if (count == 1)
		append(out, size, "once");
	else
		snprintf(out + used, size - used, "%" PRId64 " times", count);
}

static void append_word(char *out, size_t size, const struct matter *m, const char *const words[3])
{
	append(out, size, words[m->c->words]);
}

static void append_option_sign(char *out, size_t size, const struct matter *m)
{
	append_word(out, size, m, (const char *const[]){ "", "-o ", "" });
}

static const char *given_option(const struct matter *m)
{
	return object_string(object_member(m->c->request, "options", json_type_object),
			     object_string(m->parameters, "option", ""), "");
}

static void append_value_word(char *out, size_t size, const struct matter *m)
{
	char word[SHELL_WORD_SIZE];

	append_escaped(out, size, shell_word(given_option(m), word, sizeof(word)));
}

/* An image in the directory that was given. */
static void append_image(char *out, size_t size, const struct matter *m)
{
	const char *given = given_option(m);
	char text[PATH_MAX], word[SHELL_WORD_SIZE];
	size_t length = strlen(given);

	while (length > 0 && given[length - 1] == '/')
		length--;
	snprintf(text, sizeof(text), "%.*s/disk.img", (int)length, given);
	append_escaped(out, size, shell_word(text, word, sizeof(word)));
}

static void append_directory(char *out, size_t size, const struct matter *m)
{
	char text[PATH_MAX], word[SHELL_WORD_SIZE], *slash;

	snprintf(text, sizeof(text), "%s", given_option(m));
	slash = strrchr(text, '/');
	if (slash)
		slash[slash == text] = 0;
	append_escaped(out, size, shell_word(text, word, sizeof(word)));
}

static void append_option(char *out, size_t size, const struct matter *m)
{
	append_option_sign(out, size, m);
	append_escaped(out, size, object_string(m->parameters, "option", ""));
	append(out, size, "=");
	append_escaped(out, size, given_option(m));
}

static void append_quantity(char *out, size_t size, uint64_t bytes)
{
	char text[24];

	append(out, size, quantity_format_size(bytes, text));
}

static void append_bytes(char *out, size_t size, struct json_object *object, const char *key)
{
	append_quantity(out, size, (uint64_t)object_int(object, key, 0));
}

static void append_size(char *out, size_t size, const struct matter *m)
{
	append_bytes(out, size, m->c->request, "size_bytes");
}

static void append_limits(char *out, size_t size, const struct matter *m)
{
	append_bytes(out, size, m->parameters, "min");
	append(out, size, " to ");
	append_bytes(out, size, m->parameters, "max");
}

uint64_t matter_block_size(const struct matter *m)
{
	int64_t asked = object_int(m->c->request, "block_size", 0);

	return asked > 0 ? (uint64_t)asked : DEFAULT_BLOCK_SIZE;
}

static void append_block(char *out, size_t size, const struct matter *m)
{
	size_t used = strlen(out);

	snprintf(out + used, size - used, "%" PRIu64, matter_block_size(m));
}

/* The one or two sizes next to the one that was given. */
static void append_nearest(char *out, size_t size, const struct matter *m)
{
	uint64_t block = matter_block_size(m),
		 asked = (uint64_t)object_int(m->c->request, "size_bytes", 0);
	uint64_t min = (uint64_t)object_int(m->parameters, "min", 0);
	uint64_t max = (uint64_t)object_int(m->parameters, "max", INT64_MAX);
	uint64_t least = (min + block - 1) / block * block, most = max - max % block;
	uint64_t below = asked - asked % block, above = below + block;
	bool has_below, has_above;
	char text[2][24];

	if (asked < least)
		above = least;
	if (asked > most)
		below = most;
	has_below = below > 0 && below >= least;
	has_above = above <= most;
	quantity_format_size(below, text[0]);
	quantity_format_size(above, text[1]);
	/* Two neighbours are told in one unit, which half a K is none of. */
	if (has_below && has_above && block % 1024) {
		snprintf(text[0], sizeof(text[0]), "%" PRIu64, below);
		snprintf(text[1], sizeof(text[1]), "%" PRIu64, above);
	}
	append(out, size, has_below ? text[0] : "");
	append(out, size, has_below && has_above ? " and " : "");
	append(out, size, has_above ? text[1] : "");
}

const char *matter_word(const struct matter *m, const char *key,
			char out[static PARAMETER_WORD_SIZE])
{
	return parameter_word(m->c->words, object_string(m->parameters, key, ""), out);
}

/* {parameter}, as the caller gave it, or in the interface's word. */
static void append_named(char *out, size_t size, const struct matter *m, const char *key)
{
	char word[PARAMETER_WORD_SIZE];

	append_escaped(out, size,
		       matter_word(m, key, word) ?: object_string(m->parameters, key, "unknown"));
}

static void append_parameter(char *out, size_t size, const struct matter *m)
{
	append_named(out, size, m, "parameter");
}

/*
 * The interface says of all of a backend's options that they differ: which one, if that can be
 * known.
 */
static void append_field(char *out, size_t size, const struct matter *m)
{
	char path[PARAMETER_WORD_SIZE], word[PARAMETER_WORD_SIZE];
	const char *option = NULL;

	if (strcmp(object_string(m->parameters, "field", ""), "options") == 0)
		option = difference_option(m->c->request, existing(m));
	snprintf(path, sizeof(path), "options.%s", option ?: "");
	if (option && parameter_word(m->c->words, path, word))
		append_escaped(out, size, word);
	else
		append_named(out, size, m, "field");
}

static void append_difference(char *out, size_t size, const struct matter *m)
{
	char text[DIFFERENCE_SIZE];

	if (!difference_tell(m->c->request, existing(m), object_string(m->parameters, "field", ""),
			     text))
		return;
	append(out, size, ": ");
	append_escaped(out, size, text);
}

static void append_size_word(char *out, size_t size, const struct matter *m)
{
	append_word(out, size, m, (const char *const[]){ "size_bytes", "--size", "size=" });
}

static void append_size_given(char *out, size_t size, const struct matter *m)
{
	append_word(out, size, m, (const char *const[]){ "size_bytes ", "--size ", "size=" });
}

static void append_block_size_given(char *out, size_t size, const struct matter *m)
{
	append_word(out, size, m,
		    (const char *const[]){ "block_size ", "--block-size ", "block_size=" });
}

static void append_read_only(char *out, size_t size, const struct matter *m)
{
	append_word(out, size, m,
		    (const char *const[]){ "read_only", "--read-only", "read_only=true" });
}

static void append_command(char *out, size_t size, const struct matter *m)
{
	append(out, size, m->c->command ?: "show");
}

/* "alice (uid 7), bob (uid 8)" */
static void append_owners(char *out, size_t size, const struct matter *m)
{
	struct json_object *others = m->c->found ? m->c->found->others : NULL;
	size_t n = others ? json_object_array_length(others) : 0, begin = strlen(out);
	char name[64], text[128];

	for (size_t i = 0; i < n; i++) {
		struct json_object *volume = json_object_array_get_idx(others, i);

		snprintf(text, sizeof(text), "%s%s (uid %" PRId64 ")", out[begin] ? ", " : "",
			 volume_view_owner(volume, name), object_int(volume, "owner", -1));
		append_escaped(out, size, text);
	}
}

static void append_other(char *out, size_t size, const struct matter *m)
{
	struct json_object *others = m->c->found ? m->c->found->others : NULL;
	char words[512];

	if (others && json_object_array_length(others) > 0)
		append(out, size, volume_view_words(json_object_array_get_idx(others, 0), words));
}

static void append_user(char *out, size_t size, const struct matter *m)
{
	append_escaped(out, size, m->c->found ? m->c->found->user.who : "");
}

static void append_ends_user(char *out, size_t size, const struct matter *m)
{
	append_escaped(out, size, m->c->found ? m->c->found->user.advice : "");
}

/*
 * "3 s ago, for container c: size_bytes: must be …", where what dmuserd says of a parameter
 * begins with its name; a hook's words have none of these. Whether a container's was asked for by a
 * hook is not known: the name that is left is one that is good for both.
 */
static void append_last_failure(char *out, size_t size, const struct matter *m)
{
	const char *text = object_string(m->parameters, "last_failure", "");
	const char *colon = strstr(text, ": "), *end = colon ? strstr(colon + 2, ": ") : NULL;
	char path[PARAMETER_WORD_SIZE], word[PARAMETER_WORD_SIZE], head[256];
	bool of_container = colon && strstr(text, ", for container ") &&
			    strstr(text, ", for container ") < colon;

	if (!end || (size_t)(end - colon - 2) >= sizeof(path)) {
		append_escaped(out, size, text);
		return;
	}
	snprintf(path, sizeof(path), "%.*s", (int)(end - colon - 2), colon + 2);
	if (!parameter_word(of_container ? WORDS_OF_ANNOTATION : WORDS_OF_COMMAND_LINE, path,
			    word)) {
		append_escaped(out, size, text);
		return;
	}
	if (of_container)
		word[strcspn(word, "=")] = 0;
	snprintf(head, sizeof(head), "%.*s", (int)(colon + 2 - text), text);
	append_escaped(out, size, head);
	append_escaped(out, size, word);
	append_escaped(out, size, end);
}

bool matter_reason_is_whole(const struct matter *m)
{
	return strlen(object_string(m->parameters, "reason", "")) < REASON_LENGTH_MAX;
}

/* The number after the last occurrence of a word in the reason; 0: there is none. */
static uint64_t number_in_reason(const struct matter *m, const char *word)
{
	const char *found = NULL, *next = object_string(m->parameters, "reason", "");

	while ((next = strstr(next, word))) {
		next += strlen(word);
		found = next;
	}
	return found ? strtoull(found, NULL, 10) : 0;
}

static void append_fitting(char *out, size_t size, const struct matter *m)
{
	uint64_t has = number_in_reason(m, " has ");

	append_quantity(out, size, has - has % matter_block_size(m));
}

static uint64_t whole_blocks(const struct matter *m, uint64_t bytes)
{
	uint64_t block = matter_block_size(m);

	return (bytes + block - 1) / block * block;
}

static void append_smallest(char *out, size_t size, const struct matter *m)
{
	append_quantity(out, size, whole_blocks(m, number_in_reason(m, " at least ")));
}

static void append_least(char *out, size_t size, const struct matter *m)
{
	append_quantity(out, size, whole_blocks(m, (uint64_t)object_int(m->parameters, "min", 0)));
}

/* Whether the reason has the numbers that a hint tells. */
static bool has_numbers(const struct matter *m, const char *hint)
{
	if (strstr(hint, "{fitting}"))
		return matter_reason_is_whole(m) &&
		       number_in_reason(m, " has ") >= matter_block_size(m);
	if (strstr(hint, "{smallest}"))
		return matter_reason_is_whole(m) && number_in_reason(m, " at least ") > 0;
	return true;
}

/* dmuserd tells which there are only where the name could have been one's. */
static struct json_object *installed(const struct matter *m)
{
	struct json_object *available = object_member(m->parameters, "available", json_type_array);

	return available || !m->c->found ? available : m->c->found->backends;
}

static const char *find_nearest(const char *word, struct json_object *names)
{
	struct nearest nearest = { .word = word };

	for (size_t i = 0; names && i < json_object_array_length(names); i++) {
		struct json_object *name = json_object_array_get_idx(names, i);

		nearest_offer(&nearest, json_object_get_string(name));
	}
	return nearest.best;
}

const char *matter_meant(const struct matter *m)
{
	const char *word = object_string(m->c->request, "backend", NULL);

	return find_nearest(word ?: object_string(m->parameters, "backend", ""), installed(m));
}

static struct json_object *options(const struct matter *m)
{
	return m->c->found ? m->c->found->options : NULL;
}

const char *matter_option_meant(const struct matter *m)
{
	return find_nearest(object_string(m->parameters, "option", ""), options(m));
}

static void append_option_meant(char *out, size_t size, const struct matter *m)
{
	append_escaped(out, size, matter_option_meant(m) ?: "");
}

static void append_options(char *out, size_t size, const struct matter *m)
{
	append_value(out, size, options(m));
}

static void append_meant(char *out, size_t size, const struct matter *m)
{
	append_escaped(out, size, matter_meant(m) ?: "");
}

static void append_installed(char *out, size_t size, const struct matter *m)
{
	append_value(out, size, installed(m));
}

const char *matter_refusal(const struct matter *m)
{
	return reason_refusal(object_string(m->parameters, "reason", ""));
}

static void append_refusal(char *out, size_t size, const struct matter *m)
{
	append_escaped(out, size, matter_refusal(m) ?: "");
}

static void append_hint(char *out, size_t size, const struct matter *m)
{
	const struct option_circumstances c = {
		.is_root = m->c->is_root,
		.has_size = object_int(m->c->request, "size_bytes", 0) > 0,
		.backing = m->c->found ? m->c->found->backing : BACKING_UNKNOWN,
		.is_in_dev = strncmp(given_option(m), "/dev/", 5) == 0,
	};

	const char *hint = option_hint(object_string(m->parameters, "reason", ""), &c);

	template_fill(has_numbers(m, hint) ? hint : option_hint_general, m, out, size);
}

static const struct {
	const char *key;
	void (*append)(char *out, size_t size, const struct matter *m);
} made_here[] = {
	{ "log", append_log },
	{ "restart", append_restart },
	{ "command", append_command },
	{ "--size", append_size_word },
	{ "--size=", append_size_given },
	{ "--block-size=", append_block_size_given },
	{ "--read-only", append_read_only },
	{ "-o", append_option_sign },
	{ "parameter", append_parameter },
	{ "field", append_field },
	{ "difference", append_difference },
	{ "times", append_times },
	{ "by", append_by },
	{ "advice", append_advice },
	{ "volume", append_volume },
	{ "owners", append_owners },
	{ "other", append_other },
	{ "last_failure", append_last_failure },
	{ "option=", append_option },
	{ "value", append_value_word },
	{ "image", append_image },
	{ "directory", append_directory },
	{ "user", append_user },
	{ "ends_user", append_ends_user },
	{ "hint", append_hint },
	{ "meant", append_meant },
	{ "installed", append_installed },
	{ "option meant", append_option_meant },
	{ "options", append_options },
	{ "refusal", append_refusal },
	{ "size", append_size },
	{ "block", append_block },
	{ "limits", append_limits },
	{ "least", append_least },
	{ "nearest", append_nearest },
	{ "fitting", append_fitting },
	{ "smallest", append_smallest },
};

static void append_key(char *out, size_t size, const struct matter *m, const char *key)
{
	struct json_object *value;

	for (size_t i = 0; i < ARRAY_SIZE(made_here); i++) {
		if (strcmp(key, made_here[i].key) == 0) {
			made_here[i].append(out, size, m);
			return;
		}
	}
	if (json_object_object_get_ex(m->parameters, key, &value) ||
	    json_object_object_get_ex(m->c->request, key, &value))
		append_value(out, size, value);
	else
		append(out, size, "unknown");
}

/* Appends template with each {key} replaced. */
void template_fill(const char *template, const struct matter *m, char *out, size_t size)
{
	while (*template) {
		size_t plain = strcspn(template, "{");
		const char *end = strchr(template + plain, '}');
		char piece[256];

		snprintf(piece, sizeof(piece), "%.*s", (int)plain, template);
		append(out, size, piece);
		template += plain;
		if (!end)
			break;
		snprintf(piece, sizeof(piece), "%.*s", (int)(end - template - 1), template + 1);
		append_key(out, size, m, piece);
		template = end + 1;
	}
}
