// SPDX-License-Identifier: Apache-2.0
/*
 * dmuserctl doctor: does this machine have all that serving volumes needs, and if not, what is to
 * be done?
 *
 * Looks, and changes nothing. Works without dmuserd, and without root, who sees more.
 */
#include "ctl/command.h"
#include "ctl/doctor/ask.h"
#include "ctl/doctor/check.h"
#include "ctl/doctor/installation.h"
#include "ctl/doctor/machine.h"
#include "ctl/escape.h"

#include <string.h>

#define TEXT_SIZE 2048

/* clang-format off */
static const char help[] =
"Usage: dmuserctl doctor [OPTION]...\n"
"\n"
"Checks what this machine needs to serve volumes, and the volumes that there are, a line a check:\n"
"ok, warn (something will be amiss one day), fail (it does not work, or not for you) or unknown (it\n"
"cannot be seen from here); and below each that is not ok, what to do. Changes nothing. Root sees\n"
"most.\n"
"\n"
"  --verbose       also say where each check looked\n"
"  --json          print it as JSON\n"
"  --timeout TIME  wait so long for dmuserd, up to 5s\n"
"  --address PATH  dmuserd's socket\n"
"\n"
"Exit status: 0 no check failed, 1 one did, 2 wrong usage.\n";
/* clang-format on */

struct tally {
	unsigned int n[VERDICT_UNKNOWN + 1];
};

static void print_text(const char *name, const struct finding *f, const char *looked_at)
{
	char text[TEXT_SIZE];

	printf("%-8s%-19s%s\n", finding_verdict_name(f->verdict), name,
	       escape_text(f->found, text, sizeof(text)));
	if (looked_at && looked_at[0])
		printf("        looked at: %s\n", escape_text(looked_at, text, sizeof(text)));
	if (f->advice[0])
		printf("        do: %s\n", escape_text(f->advice, text, sizeof(text)));
}

static void add_json(struct json_object *list, const char *name, const struct finding *f,
		     const char *looked_at)
{
	struct json_object *object = object_new();

	object_set_string(object, "check", name);
	object_set_string(object, "verdict", finding_verdict_name(f->verdict));
	object_set_string(object, "found", f->found);
	if (f->advice[0])
		object_set_string(object, "do", f->advice);
	if (looked_at)
		object_set_string(object, "looked_at", looked_at);
	json_object_array_add(list, object);
}

static void print_tally(const struct tally *t)
{
	printf("\n%u ok, %u warn, %u fail, %u unknown: %s\n", t->n[VERDICT_OK], t->n[VERDICT_WARN],
	       t->n[VERDICT_FAIL], t->n[VERDICT_UNKNOWN],
	       t->n[VERDICT_FAIL] ? "volumes are not served, or not all, or not to you, before "
				    "that is done" :
				    "nothing is in the way of serving volumes");
}

static void print_json(struct json_object *list, const struct tally *t)
{
	_cleanup_(object_putp) struct json_object *object = object_new();

	for (enum verdict v = VERDICT_OK; v <= VERDICT_UNKNOWN; v++)
		object_set_int(object, finding_verdict_name(v), t->n[v]);
	object_set(object, "checks", json_object_get(list));
	escape_json(stdout, object, 1);
}

/* Runs all checks, and prints each as it comes: one that takes its time delays none before it. */
static int examine(const struct context *context, struct probe *probe, bool verbose)
{
	_cleanup_(object_putp) struct json_object *list = json_object_new_array();
	struct tally tally = {};

	for (size_t i = 0; i < n_checks; i++) {
		struct finding f = {};

		probe->looked_at[0] = '\0';
		checks[i].run(probe, &f);
		tally.n[f.verdict]++;
		if (context->json)
			add_json(list, checks[i].name, &f, verbose ? probe->looked_at : NULL);
		else
			print_text(checks[i].name, &f, verbose ? probe->looked_at : NULL);
	}
	if (context->json)
		print_json(list, &tally);
	else
		print_tally(&tally);
	return tally.n[VERDICT_FAIL] ? EXIT_FAILED : EXIT_DONE;
}

static int run(struct context *context, int argc, char **argv)
{
	static const struct option options[] = { { "verbose", no_argument, NULL, 'v' },
						 COMMON_OPTIONS };
	struct probe probe;
	bool verbose = false;
	int option, r = -1;

	while (r < 0 && (option = context_next_option(context, argc, argv, "h", options)) >= 0) {
		if (option == 'v')
			verbose = true;
		else
			r = context_option(context, option);
	}
	if (r >= 0)
		return r;
	r = usage_check_count(context, argc, argv, 0, 0);
	if (r)
		return r;
	r = machine_probe(&probe);
	if (r < 0) {
		fprintf(stderr, "dmuserctl: this machine cannot be looked at: %s\n", strerror(-r));
		return EXIT_FAILED;
	}
	ask_dmuserd(context, &probe);
	installation_read(&probe);
	r = examine(context, &probe, verbose);
	probe_done(&probe);
	return r;
}

const struct command command_doctor = { "doctor", "what does this machine lack?", help, run };
