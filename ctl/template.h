/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sentence with {key}s in it, and what stands for each when it is said of one error. Pure; all
 * that came from others is escaped.
 *
 * A key stands for the error's parameter of that name, or else the request's. Some are made here:
 *
 *   {log}              where dmuserd's messages are
 *   {restart}          how dmuserd is started anew
 *   {command}          the command of dmuserctl that was given
 *   {--size} {--read-only}   what the caller calls these
 *   {--size=} {--block-size=} {-o}   what stands before their values
 *   {parameter} {field}      name a parameter: shown is what the caller calls it
 *   {difference}       of {field}: what was asked for and what there is; empty if that is not known
 *   {times}            how often {open_count} is
 *   {by}               {holders}, or that they cannot be seen
 *   {advice}           what to do about {holders}
 *   {volume}           the volume as `release` takes it
 *   {owners} {other}   who else has one of that name, and the first of these as `release` takes it
 *   {last_failure}     in the caller's words
 *   {option=} {value}  the option as it was given, and its value as a word for a shell
 *   {directory} {image}  where that value lies, and an image in it, if it is a directory
 *   {user} {ends_user} who has the device that was given, and what ends that
 *   {hint}             what to do about the refusal of an option
 *   {meant}            the backend whose name is next to the given one; {installed} all there are
 *   {option meant}     the backend's option whose name is next to the given one
 *   {options}          all it has
 *   {refusal}          a worker's own words
 *   {size}             the size that was given; {block} the block size
 *   {limits}           from {min} to {max}; {least} is {min} in whole blocks
 *   {nearest}          the sizes next to {size} that could be
 *   {fitting}          how much of what there is could be had
 *   {smallest}         what there is too little for
 */
#pragma once

#include "ctl/circumstances.h"

#include <stddef.h>
#include <stdint.h>

/* One error, and all that is known about it. */
struct matter {
	const struct circumstances *c;
	struct json_object *parameters;
};

/* Appends to what out holds, as much as fits. */
void template_fill(const char *template, const struct matter *m, char *out, size_t size);

/* Of what was asked for, or the default. */
uint64_t matter_block_size(const struct matter *m);
/* Whether dmuserd's reason is all there: one that was cut may end in half a number. */
bool matter_reason_is_whole(const struct matter *m);
/* The backend that was probably meant; NULL: none is near. */
const char *matter_meant(const struct matter *m);
/* The same of an option that the backend does not have. */
const char *matter_option_meant(const struct matter *m);
/* What a worker said that did not want to serve, in the reason; NULL: none did. */
const char *matter_refusal(const struct matter *m);
/*
 * What the caller calls the parameter that this parameter of the error names; NULL: no other name
 * is known.
 */
const char *matter_word(const struct matter *m, const char *key,
			char out[static PARAMETER_WORD_SIZE]);
