// SPDX-License-Identifier: Apache-2.0
/*
 * dmuser-compile-profile: turns a seccomp profile (OCI seccomp JSON) into the BPF program that is
 * loaded, when dmuser is built, or a backend of somebody else's.
 *
 * The text is for reviewers, so nothing in it may mean less than it seems to: an unknown key, name
 * or action, a key given twice, a number that does not fit, a rule without its reason or one that
 * another makes void is an error, and an error fails the build. Only a subset of OCI's format is
 * taken:
 *
 *   { "comment": …, "defaultAction": …, "architectures": […], "syscalls": […] }
 *   a system call: { "names": […], "action": …, "errnoRet": …, "comment": …, "args": […] }
 *   an argument: { "index": …, "value": …, "valueTwo": …, "op": …, "comment": … }
 *
 * The program is for this machine's architecture alone, which must be among "architectures"; system
 * calls by any other convention (32-bit, x32) kill the process. Arguments are compared in all their
 * 64 bits. This is the only file that includes seccomp.h; nothing of it is in a program that serves.
 */
#include "util/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#define PROFILE_MAX_BYTES (256 * 1024)
#define RULES_MAX	  512
#define ARGS_MAX	  6

/* One name of one entry, to find those that make each other void. */
struct rule {
	int number;
	bool conditional;
};

struct profile {
	const char *path;
	scmp_filter_ctx filter;
	uint32_t default_action;
	uint32_t architectures[16];
	size_t n_architectures;
	struct rule rules[RULES_MAX];
	size_t n_rules;
};

__attribute__((format(printf, 2, 3))) static int fail(const struct profile *p, const char *format,
						      ...)
{
	va_list args;

	fprintf(stderr, "%s: ", p->path);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return -EINVAL;
}

static void filter_releasep(scmp_filter_ctx *filter)
{
	if (*filter)
		seccomp_release(*filter);
}

static void json_putp(json_object **object)
{
	json_object_put(*object);
}

static void tokener_freep(json_tokener **tokener)
{
	if (*tokener)
		json_tokener_free(*tokener);
}

/*
 * What json-c lets pass in silence: a number that it cuts to fit, and a key that occurs twice, of
 * which it keeps the last. The latter shows in the count of colons, compared with the count of
 * members.
 */
static int scan_text(const struct profile *p, const char *text, size_t *ret_n_members)
{
	size_t n_members = 0;
	bool in_string = false;

	for (const char *c = text; *c; c++) {
		if (in_string) {
			if (*c == '\\' && c[1])
				c++;
			else if (*c == '"')
				in_string = false;
		} else if (*c == '"') {
			in_string = true;
		} else if (*c == ':') {
			n_members++;
		} else if (*c == '-' || *c == '+' || *c == '.') {
			return fail(p, "numbers are whole and not negative");
		} else if (*c >= '0' && *c <= '9') {
			char *end;

			errno = 0;
			strtoull(c, &end, 10);
			if (errno || *end == '.' || *end == 'e' || *end == 'E')
				return fail(p, "%.24s…: not a number of 64 bits", c);
			c = end - 1;
		}
	}
	*ret_n_members = n_members;
	return 0;
}

static size_t count_members(json_object *value)
{
	size_t n = 0;

	if (json_object_is_type(value, json_type_object)) {
		json_object_object_foreach(value, key, member)
		{
			(void)key;
			n += 1 + count_members(member);
		}
	} else if (json_object_is_type(value, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(value); i++)
			n += count_members(json_object_array_get_idx(value, i));
	}
	return n;
}

static int read_text(struct profile *p, char **ret_text)
{
	_cleanup_(fclosep) FILE *file = fopen(p->path, "re");
	_cleanup_(freep) char *text = calloc(1, PROFILE_MAX_BYTES + 1);
	size_t size;

	if (!text)
		return -ENOMEM;
	if (!file)
		return fail(p, "%s", strerror(errno));
	size = fread(text, 1, PROFILE_MAX_BYTES + 1, file);
	if (ferror(file) || size > PROFILE_MAX_BYTES)
		return fail(p, "cannot be read, or is larger than %d bytes", PROFILE_MAX_BYTES);
	if (strlen(text) != size)
		return fail(p, "holds a NUL byte");
	*ret_text = take_ptr(&text);
	return 0;
}

static int parse(struct profile *p, json_object **ret_root)
{
	_cleanup_(tokener_freep) json_tokener *tokener = json_tokener_new();
	_cleanup_(json_putp) json_object *root = NULL;
	_cleanup_(freep) char *text = NULL;
	size_t n_members = 0;
	int r;

	if (!tokener)
		return -ENOMEM;
	r = read_text(p, &text);
	if (r < 0)
		return r;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	/* With its final NUL, so that what follows the value is looked at as well. */
	root = json_tokener_parse_ex(tokener, text, (int)strlen(text) + 1);
	if (!root)
		return fail(p, "at byte %zu: %s", json_tokener_get_parse_end(tokener),
			    json_tokener_error_desc(json_tokener_get_error(tokener)));
	if (!json_object_is_type(root, json_type_object))
		return fail(p, "not an object");
	r = scan_text(p, text, &n_members);
	if (r < 0)
		return r;
	if (n_members != count_members(root))
		return fail(p, "a key is given twice in one object");
	*ret_root = take_ptr(&root);
	return 0;
}

static int check_keys(const struct profile *p, json_object *object, const char *const *known,
		      const char *where)
{
	json_object_object_foreach(object, key, value)
	{
		size_t i = 0;

		(void)value;
		while (known[i] && strcmp(known[i], key) != 0)
			i++;
		if (!known[i])
			return fail(p, "%s: unknown key \"%s\"", where, key);
	}
	return 0;
}

/* NULL if it is not there or is no string, or empty. */
static const char *get_string(json_object *object, const char *key)
{
	json_object *value;

	if (!json_object_object_get_ex(object, key, &value) ||
	    !json_object_is_type(value, json_type_string) || json_object_get_string_len(value) == 0)
		return NULL;
	return json_object_get_string(value);
}

static int get_array(const struct profile *p, json_object *object, const char *key,
		     const char *where, json_object **ret_array)
{
	json_object *value;

	if (!json_object_object_get_ex(object, key, &value) ||
	    !json_object_is_type(value, json_type_array) || json_object_array_length(value) == 0)
		return fail(p, "%s: \"%s\" must be a list that is not empty", where, key);
	*ret_array = value;
	return 0;
}

static int get_number(const struct profile *p, json_object *object, const char *key,
		      const char *where, uint64_t *ret_number)
{
	json_object *value;

	if (!json_object_object_get_ex(object, key, &value) ||
	    !json_object_is_type(value, json_type_int))
		return fail(p, "%s: \"%s\" must be a number", where, key);
	*ret_number = json_object_get_uint64(value);
	return 0;
}

static int get_action(const struct profile *p, json_object *object, const char *key,
		      const char *where, uint32_t *ret_action)
{
	const char *name = get_string(object, key);
	bool has_errno = json_object_object_get_ex(object, "errnoRet", NULL);
	uint64_t number;
	int r;

	if (!name)
		return fail(p, "%s: \"%s\" is missing", where, key);
	if (strcmp(name, "SCMP_ACT_ERRNO") == 0) {
		r = get_number(p, object, "errnoRet", where, &number);
		if (r < 0)
			return r;
		if (number == 0 || number > 4095)
			return fail(p, "%s: \"errnoRet\" is no errno", where);
		*ret_action = SCMP_ACT_ERRNO((uint16_t)number);
		return 0;
	}
	if (has_errno)
		return fail(p, "%s: \"errnoRet\" goes with SCMP_ACT_ERRNO alone", where);
	if (strcmp(name, "SCMP_ACT_KILL_PROCESS") == 0)
		*ret_action = SCMP_ACT_KILL_PROCESS;
	else if (strcmp(name, "SCMP_ACT_LOG") == 0)
		*ret_action = SCMP_ACT_LOG;
	else if (strcmp(name, "SCMP_ACT_ALLOW") == 0)
		*ret_action = SCMP_ACT_ALLOW;
	else
		return fail(p, "%s: \"%s\" is not an action that is used here", where, name);
	return 0;
}

static int get_architectures(struct profile *p, json_object *root)
{
	json_object *list;
	bool native = false;
	int r = get_array(p, root, "architectures", "profile", &list);

	if (r < 0)
		return r;
	if (json_object_array_length(list) > ARRAY_SIZE(p->architectures))
		return fail(p, "too many architectures");
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		json_object *item = json_object_array_get_idx(list, i);
		const char *name = json_object_get_string(item);
		char lower[32] = "";
		uint32_t token;

		/* libseccomp resolves "x86_64", where OCI writes "SCMP_ARCH_X86_64". */
		if (name && strncmp(name, "SCMP_ARCH_", 10) == 0 &&
		    strlen(name + 10) < sizeof(lower))
			for (size_t k = 0; name[10 + k]; k++)
				lower[k] = (char)(name[10 + k] >= 'A' && name[10 + k] <= 'Z'
							  ? name[10 + k] + 32
							  : name[10 + k]);
		token = seccomp_arch_resolve_name(lower);
		if (token == 0)
			return fail(p, "unknown architecture \"%s\"", name ? name : "null");
		native = native || token == seccomp_arch_native();
		p->architectures[p->n_architectures++] = token;
	}
	return native ? 0 : fail(p, "was not written for this machine's architecture");
}

static int get_compare(const struct profile *p, const char *name, const char *where,
		       enum scmp_compare *ret_op)
{
	static const struct {
		const char *name;
		enum scmp_compare op;
	} ops[] = {
		{ "SCMP_CMP_NE", SCMP_CMP_NE },
		{ "SCMP_CMP_LT", SCMP_CMP_LT },
		{ "SCMP_CMP_LE", SCMP_CMP_LE },
		{ "SCMP_CMP_EQ", SCMP_CMP_EQ },
		{ "SCMP_CMP_GE", SCMP_CMP_GE },
		{ "SCMP_CMP_GT", SCMP_CMP_GT },
		{ "SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ },
	};

	for (size_t i = 0; name && i < ARRAY_SIZE(ops); i++) {
		if (strcmp(ops[i].name, name) == 0) {
			*ret_op = ops[i].op;
			return 0;
		}
	}
	return fail(p, "%s: unknown or missing \"op\"", where);
}

static int get_argument(const struct profile *p, json_object *object, const char *where,
			struct scmp_arg_cmp *ret_argument)
{
	static const char *const keys[] = { "index", "value", "valueTwo", "op", "comment", NULL };
	uint64_t index = 0, value = 0, value_two = 0;
	enum scmp_compare op = SCMP_CMP_EQ;
	bool masked;
	int r;

	if (!json_object_is_type(object, json_type_object))
		return fail(p, "%s: an argument is not an object", where);
	r = check_keys(p, object, keys, where);
	if (r == 0)
		r = get_compare(p, get_string(object, "op"), where, &op);
	if (r == 0)
		r = get_number(p, object, "index", where, &index);
	if (r == 0)
		r = get_number(p, object, "value", where, &value);
	masked = op == SCMP_CMP_MASKED_EQ;
	if (r == 0 && masked)
		r = get_number(p, object, "valueTwo", where, &value_two);
	if (r < 0)
		return r;
	if (!masked && json_object_object_get_ex(object, "valueTwo", NULL))
		return fail(p, "%s: \"valueTwo\" goes with SCMP_CMP_MASKED_EQ alone", where);
	if (masked && (value_two & ~value) != 0)
		return fail(p, "%s: \"valueTwo\" has bits outside of its mask, so never matches",
			    where);
	if (index >= ARGS_MAX)
		return fail(p, "%s: argument %" PRIu64 " does not exist", where, index);
	*ret_argument = (struct scmp_arg_cmp){
		.arg = (unsigned int)index, .op = op, .datum_a = value, .datum_b = value_two
	};
	return 0;
}

static int get_arguments(const struct profile *p, json_object *entry, const char *where,
			 struct scmp_arg_cmp *arguments, unsigned int *ret_n)
{
	json_object *list;
	int r;

	*ret_n = 0;
	if (!json_object_object_get_ex(entry, "args", NULL))
		return 0;
	r = get_array(p, entry, "args", where, &list);
	if (r < 0)
		return r;
	if (json_object_array_length(list) > ARGS_MAX)
		return fail(p, "%s: more than %d arguments", where, ARGS_MAX);
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		r = get_argument(p, json_object_array_get_idx(list, i), where, &arguments[i]);
		if (r < 0)
			return r;
		for (size_t k = 0; k < i; k++)
			if (arguments[k].arg == arguments[i].arg)
				return fail(p,
					    "%s: argument %u is compared twice; write two entries",
					    where, arguments[i].arg);
		++*ret_n;
	}
	return 0;
}

/*
 * 0, or 1 for a call that only another architecture of the profile has; then there is nothing to
 * do.
 */
static int resolve(const struct profile *p, const char *name, const char *where, int *ret_number)
{
	int number = name ? seccomp_syscall_resolve_name(name) : __NR_SCMP_ERROR;

	if (number >= 0) {
		*ret_number = number;
		return 0;
	}
	for (size_t i = 0; number != __NR_SCMP_ERROR && i < p->n_architectures; i++)
		if (seccomp_syscall_resolve_name_arch(p->architectures[i], name) >= 0)
			return 1;
	return fail(p, "%s: unknown system call \"%s\"", where, name ? name : "null");
}

/* A call allowed whatever its arguments makes every other entry about it void. */
static int remember(struct profile *p, int number, bool conditional, const char *where,
		    const char *name)
{
	for (size_t i = 0; i < p->n_rules; i++)
		if (p->rules[i].number == number && !(conditional && p->rules[i].conditional))
			return fail(p,
				    "%s: \"%s\" has another entry, and one of them is for all "
				    "arguments",
				    where, name);
	if (p->n_rules == RULES_MAX)
		return fail(p, "more than %d rules", RULES_MAX);
	p->rules[p->n_rules++] = (struct rule){ number, conditional };
	return 0;
}

static int add_name(struct profile *p, json_object *item, const char *where, uint32_t action,
		    const struct scmp_arg_cmp *arguments, unsigned int n_arguments)
{
	const char *name = json_object_get_string(item);
	int number = -1;
	int r = resolve(p, name, where, &number);

	if (r != 0)
		return r < 0 ? r : 0;
	r = remember(p, number, n_arguments > 0, where, name);
	if (r < 0)
		return r;
	r = seccomp_rule_add_exact_array(p->filter, action, number, n_arguments, arguments);
	return r < 0 ? fail(p, "%s: \"%s\": %s", where, name, strerror(-r)) : 0;
}

static int add_entry(struct profile *p, json_object *entry, const char *where)
{
	static const char *const keys[] = {
		"names", "action", "errnoRet", "args", "comment", NULL
	};
	struct scmp_arg_cmp arguments[ARGS_MAX];
	unsigned int n_arguments = 0;
	json_object *names = NULL;
	uint32_t action = 0;
	int r;

	if (!json_object_is_type(entry, json_type_object))
		return fail(p, "%s: not an object", where);
	r = check_keys(p, entry, keys, where);
	if (r == 0 && !get_string(entry, "comment"))
		r = fail(p, "%s: no \"comment\" says why it is there", where);
	if (r == 0)
		r = get_action(p, entry, "action", where, &action);
	if (r == 0 && action == p->default_action)
		r = fail(p, "%s: does what happens by default", where);
	if (r == 0)
		r = get_arguments(p, entry, where, arguments, &n_arguments);
	if (r == 0)
		r = get_array(p, entry, "names", where, &names);
	for (size_t i = 0; r == 0 && i < json_object_array_length(names); i++)
		r = add_name(p, json_object_array_get_idx(names, i), where, action, arguments,
			     n_arguments);
	return r;
}

static int new_filter(struct profile *p)
{
	int r;

	p->filter = seccomp_init(p->default_action);
	if (!p->filter)
		return -ENOMEM;
	/*
	 * Without it the default would do: an errno, say, to whoever calls by another convention.
	 */
	r = seccomp_attr_set(p->filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/*
	 * Workers make system calls for every block: a tree finds a rule in fewer steps than a
	 * list.
	 */
	if (r == 0)
		r = seccomp_attr_set(p->filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return r < 0 ? fail(p, "libseccomp: %s", strerror(-r)) : 0;
}

static int build(struct profile *p, json_object *root)
{
	static const char *const keys[] = { "comment",	     "defaultAction", "errnoRet",
					    "architectures", "syscalls",      NULL };
	json_object *entries = NULL;
	int r = check_keys(p, root, keys, "profile");

	if (r == 0)
		r = get_action(p, root, "defaultAction", "profile", &p->default_action);
	if (r == 0)
		r = get_architectures(p, root);
	if (r == 0)
		r = get_array(p, root, "syscalls", "profile", &entries);
	if (r == 0)
		r = new_filter(p);
	for (size_t i = 0; r == 0 && i < json_object_array_length(entries); i++) {
		char where[32];

		snprintf(where, sizeof(where), "entry %zu", i + 1);
		r = add_entry(p, json_object_array_get_idx(entries, i), where);
	}
	return r;
}

static int export(const struct profile *p, const char *path)
{
	_cleanup_(closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int r;

	if (fd < 0)
		return fail(p, "%s: %s", path, strerror(errno));
	r = seccomp_export_bpf(p->filter, fd);
	return r < 0 ? fail(p, "%s: %s", path, strerror(-r)) : 0;
}

static int run(struct profile *p, const char *output)
{
	_cleanup_(json_putp) json_object *root = NULL;
	int r = parse(p, &root);

	if (r == 0)
		r = build(p, root);
	if (r == 0)
		r = export(p, output);
	return r;
}

int main(int argc, char **argv)
{
	struct profile profile = {};
	int r;

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		printf("Usage: dmuser-compile-profile PROFILE.json PROGRAM.bpf\n"
		       "\n"
		       "Turns a seccomp profile, in a subset of OCI's format, into the program that dmuser\n"
		       "loads into workers. See dmuser-backend(7).\n");
		return 0;
	}
	if (argc != 3) {
		fprintf(stderr, "Usage: dmuser-compile-profile PROFILE.json PROGRAM.bpf\n");
		return 2;
	}
	profile.path = argv[1];
	r = run(&profile, argv[2]);
	filter_releasep(&profile.filter);
	return r < 0 ? 1 : 0;
}
