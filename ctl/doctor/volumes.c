// SPDX-License-Identifier: Apache-2.0
/* The check of the volumes themselves: those that do not serve, why, and what is to be done. */
#include "ctl/doctor/check.h"
#include "ctl/volume-view.h"

#include <inttypes.h>
#include <string.h>

/* So many are named; the list has the rest. */
#define NAMED_MAX 4

static int64_t counted(struct json_object *volume, const char *what)
{
	return object_int(object_member(volume, "kernel", json_type_object), what, 0);
}

/* Active, as far as dmuserd knows; the kernel knows better. NULL: no. */
static const char *unnoticed(struct json_object *volume)
{
	if (!volume_view_is_active(volume))
		return NULL;
	return object_string(object_member(volume, "kernel", json_type_object), "dead", NULL);
}

/* What is being made or released just now is not amiss; what an error came to is. */
static enum verdict judge(struct json_object *volume)
{
	if (strcmp(object_string(volume, "state", ""), "degraded") == 0 || unnoticed(volume))
		return VERDICT_FAIL;
	if (counted(volume, "errors") > 0 || counted(volume, "timed_out") > 0)
		return VERDICT_WARN;
	return object_string(volume, "error", NULL) ? VERDICT_WARN : VERDICT_OK;
}

/* Appends as much as fits. */
static void append(char *out, size_t size, const char *text)
{
	size_t used = strlen(out);

	snprintf(out + used, size - used, "%s", text);
}

/* "; 3 I/O errors; 1 request not answered in time" */
static void count(struct json_object *volume, char *out, size_t size)
{
	char text[64];

	if (unnoticed(volume)) {
		append(out, size, ", but ");
		append(out, size, unnoticed(volume));
	}
	if (counted(volume, "errors") > 0) {
		snprintf(text, sizeof(text), "; I/O errors: %" PRId64, counted(volume, "errors"));
		append(out, size, text);
	}
	if (counted(volume, "timed_out") > 0) {
		snprintf(text, sizeof(text), "; not answered in time: %" PRId64,
			 counted(volume, "timed_out"));
		append(out, size, text);
	}
}

/* "data (degraded: the worker was killed by signal 9)" */
static void name(struct json_object *volume, char *out, size_t size)
{
	const char *error = object_string(volume, "error", NULL);

	append(out, size, out[0] ? ", " : "");
	append(out, size, object_string(volume, "name", "?"));
	append(out, size, " (");
	append(out, size, object_string(volume, "state", "?"));
	append(out, size, error ? ": " : "");
	append(out, size, error ? error : "");
	count(volume, out, size);
	append(out, size, ")");
}

/* How one of them is got rid of, as an example for all. */
static void advise(struct finding *f, struct json_object *volume)
{
	char words[512], cause[VOLUME_VIEW_CAUSE_SIZE];

	volume_view_words(volume, words);
	if (judge(volume) == VERDICT_FAIL)
		finding_advise(f,
			       "unmount it if it is mounted; dmuserctl release %s, then create it "
			       "again; dmuserctl show %s tells more",
			       words, words);
	else if (!object_string(volume, "error", NULL))
		finding_advise(f, "%s; dmuserctl show %s tells more",
			       volume_view_error_cause(volume, cause), words);
	else
		finding_advise(f, "dmuserctl release %s says who is in the way, and what to do; "
				  "dmuserctl show %s tells more", words, words);
}

static void judge_all(struct json_object *volumes, struct finding *f)
{
	size_t n = json_object_array_length(volumes), n_amiss = 0, n_inactive = 0;
	struct json_object *worst = NULL;
	enum verdict verdict = VERDICT_OK;
	char named[sizeof(f->found)] = "";

	for (size_t i = 0; i < n; i++) {
		struct json_object *volume = json_object_array_get_idx(volumes, i);

		n_inactive += !volume_view_is_active(volume);
		if (judge(volume) == VERDICT_OK)
			continue;
		if (n_amiss++ < NAMED_MAX)
			name(volume, named, sizeof(named));
		if (!worst || judge(volume) > verdict) {
			worst = volume;
			verdict = judge(volume);
		}
	}
	if (worst) {
		finding_set(f, verdict, "%zu of %zu%s: %s", n_amiss, n,
			    n_amiss > NAMED_MAX ? ", such as" : "", named);
		advise(f, worst);
	} else if (n_inactive > 0) {
		finding_set(f, VERDICT_OK, "%zu, of which %zu come or go just now", n, n_inactive);
	} else {
		finding_set(f, VERDICT_OK, "%zu, and none amiss", n);
	}
}

void check_volumes(struct probe *probe, struct finding *ret_finding)
{
	if (probe->daemon.volumes) {
		judge_all(probe->daemon.volumes, ret_finding);
		return;
	}
	finding_set(ret_finding, VERDICT_UNKNOWN, "dmuserd does not tell which there are");
	finding_advise(ret_finding, "see 'dmuserd'");
}
