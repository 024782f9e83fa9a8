/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What clients are told: the supervisor's only JSON, which it makes and never reads.
 *
 * Each function gives one whole message, terminated by its NUL, which goes out with it and is the end of
 * a Varlink message. *ret_text is the caller's to free. The only error is -ENOMEM.
 */
#pragma once

#include "dmuserd/supervisor/manager.h"
#include "dmuserd/supervisor/volume.h"

#include <stdbool.h>

/* org.varlink.service */
int reply_get_info(char **ret_text);
int reply_interface_description(const char *description, char **ret_text);
/* For every refusal but PARSER_REFUSED_SYNTAX, which has no reply. */
int reply_refusal(enum parser_refusal refusal, const char *text, char **ret_text);

/* io.dmuser */
int reply_ping(const char *driver, size_t n_volumes, char **ret_text); /* driver NULL: not loaded */
int reply_volume(const struct volume_info *info, char **ret_text);     /* Bind, Describe */
int reply_created(const struct volume_info *info, bool created, char **ret_text);

/* What only some errors tell. */
struct reply_subject {
	const struct manager *m;            /* the backends that there are */
	const char *volume;                 /* the name that the call gave; NULL: none */
	const struct release_result *result; /* who has it open; may be NULL */
	const char *last_failure;           /* why there is no such volume; NULL: not known */
	const char *const *containers;      /* that have a volume of that name */
	size_t n_containers;
};
int reply_failure(const struct failure *failure, const struct reply_subject *subject, char **ret_text);

int reply_backends(const struct manager *m, char **ret_text); /* those of backend.h */

struct reply_released {
	const char *name;
	uid_t owner;
	const struct release_result *result;
};
int reply_released(const struct reply_released *released, size_t n_released, char **ret_text);

/* Several volumes: List, and the messages of a subscription. */
struct reply_list;
enum reply_event { REPLY_LIST, REPLY_SNAPSHOT, REPLY_CHANGED, REPLY_GONE };

int reply_list_new(struct reply_list **ret_list);
void reply_list_free(struct reply_list *list);
int reply_list_add(struct reply_list *list, const struct volume_info *info);
int reply_list_text(struct reply_list *list, enum reply_event event, char **ret_text);
