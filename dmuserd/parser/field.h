/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a JSON object may hold, as a table: a line a field, with where its value goes.
 *
 * A field that no line names is refused, as is a value of another type or out of range; each
 * refusal names its place ("container.pidfd"). A null is the same as leaving the field out. What is
 * left out leaves its place as the caller prepared it. Nothing is written outside of the places in
 * the table.
 */
#pragma once

#include "dmuserd/parser/path.h"

#include <json-c/json_object.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Not what the table asks for; reader->path names the place. */
#define FIELD_REFUSED 1

struct reader {
	struct path path;
	size_t n_fds;      /* descriptors that came with the message */
	uint32_t used_fds; /* a bit for each that a field has named */
};

struct field {
	const char *name;
	bool required;
	/* Puts the value at `place`, of `size` bytes. 0 or FIELD_REFUSED. */
	int (*read)(struct reader *reader, const struct field *field, json_object *value,
		    void *place);
	size_t offset, size;
	/* What the read function wants to know. */
	int64_t min, max;                  /* field_integer */
	bool (*valid)(const char *string); /* field_string; NULL: anything printable */
	const char *const *words;          /* field_word; ends in NULL */
	const struct field *fields;        /* field_object; ends in a NULL name */
};

/* The place: a member of the struct that the table is read into. */
#define FIELD_AT(type, member) \
	.offset = offsetof(type, member), .size = sizeof(((type *)NULL)->member)

/* A number of 4 or 8 bytes, from min to max. */
int field_integer(struct reader *reader, const struct field *field, json_object *value,
		  void *place);
/* 0 or 1, in 1 or 4 bytes. */
int field_bool(struct reader *reader, const struct field *field, json_object *value, void *place);
/* Not empty; fits with its NUL; no control character. */
int field_string(struct reader *reader, const struct field *field, json_object *value, void *place);
/* One of the words: its place among them, counted from 1, in 4 bytes. */
int field_word(struct reader *reader, const struct field *field, json_object *value, void *place);
/* The index of a descriptor that came with the message, in 4 bytes. */
int field_fd(struct reader *reader, const struct field *field, json_object *value, void *place);
/* An object of its own; its fields' offsets count from `place`. */
int field_object(struct reader *reader, const struct field *field, json_object *value, void *place);

/* Reads a whole object by its table; NULL is one without fields. */
int fields_read(struct reader *reader, const struct field *fields, json_object *object, void *base);

/* Names a place below the present one, for a caller's own checks. Returns FIELD_REFUSED. */
int field_refuse(struct reader *reader, const char *name);
