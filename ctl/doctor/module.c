// SPDX-License-Identifier: Apache-2.0
/*
 * Checks of the module dm-user: is it there, is it ours, will the kernel take it, can it be built
 * again?
 */
#include "ctl/doctor/check.h"
#include "ctl/doctor/module-file.h"
#include "util/cleanup.h"

#include "ctl/doctor/driver-version.h"

#include <limits.h>
#include <string.h>

#define MODULE	   "dm-user"
#define DKMS_NAME  "dmuser" /* packaging/dkms/dkms.conf.in */
#define EFI_GLOBAL "8be4df61-93ca-11d2-aa0d-00e098032b8c"

/* What is to follow once the module is installed. */
#define LOAD   "; then modprobe dm-user"
#define RELOAD "; then release all volumes, and: modprobe -r dm-user && modprobe dm-user"

struct module_state {
	bool loaded;
	char loaded_version[64];
	int found; /* as module_file_find() returns it */
	char path[PATH_MAX];
	int readable; /* as module_file_read() returns it; -ENOENT if there is no file */
	struct module_file file;
};

static void see_module(struct probe *probe, struct module_state *ret_state)
{
	struct module_state s = { .loaded = probe_exists(probe, "/sys/module/dm_user"),
				  .readable = -ENOENT };

	if (s.loaded && probe_read(probe, s.loaded_version, sizeof(s.loaded_version),
				   "/sys/module/dm_user/version") < 0)
		s.loaded_version[0] = '\0';
	s.found = module_file_find(probe, MODULE, s.path, sizeof(s.path));
	if (s.found >= 0)
		s.readable = module_file_read(probe, s.path, &s.file);
	*ret_state = s;
}

/* The first number: what changes when the two cannot work together. */
static bool same_major(const char *a, const char *b)
{
	size_t length = strcspn(a, ".");

	return strcspn(b, ".") == length && memcmp(a, b, length) == 0;
}

/* The version that DKMS has the sources of, if packaging/install put any there. */
static bool find_dkms_source(struct probe *probe, char *ret_version, size_t size)
{
	_cleanup_(closedirp) DIR *dir = probe_open_dir(probe, "/usr/src");

	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		if (strncmp(entry->d_name, DKMS_NAME "-", strlen(DKMS_NAME "-")) != 0 ||
		    !probe_exists(probe, "/usr/src/%s/dkms.conf", entry->d_name))
			continue;
		snprintf(ret_version, size, "%s", entry->d_name + strlen(DKMS_NAME "-"));
		return true;
	}
	return false;
}

/* DKMS looks in the first place alone, unless it is told. */
enum headers { HEADERS_AT_KERNEL, HEADERS_ELSEWHERE, HEADERS_NOWHERE };

static enum headers find_headers(struct probe *probe)
{
	if (probe_exists(probe, "/lib/modules/%s/build/Makefile", probe->release))
		return HEADERS_AT_KERNEL;
	if (probe_exists(probe, "/usr/src/linux-headers-%s/Makefile", probe->release))
		return HEADERS_ELSEWHERE;
	return HEADERS_NOWHERE;
}

/* "apt install …, and then: " with the packages that building takes and that are missing. */
static void name_missing(struct probe *probe, bool by_dkms, char *out, size_t size)
{
	bool no_headers = find_headers(probe) == HEADERS_NOWHERE;
	char path[256];
	bool no_dkms = by_dkms && !probe_find_program(probe, "dkms", path, sizeof(path));

	out[0] = '\0';
	if (!no_dkms && !no_headers)
		return;
	snprintf(out, size, "apt install%s%s%s, and then: ", no_dkms ? " dkms" : "",
		 no_headers ? " linux-headers-" : "", no_headers ? probe->release : "");
}

/* How DKMS builds that version for this kernel; then: a command for afterwards. */
static void advise_dkms(struct probe *probe, struct finding *f, const char *version,
			const char *then)
{
	char missing[128], where[128] = "";

	name_missing(probe, true, missing, sizeof(missing));
	if (find_headers(probe) == HEADERS_ELSEWHERE)
		snprintf(where, sizeof(where), " --kernelsourcedir /usr/src/linux-headers-%s",
			 probe->release);
	finding_advise(f, "%sdkms install " DKMS_NAME "/%s -k %s%s%s", missing, version,
		       probe->release, where, then);
}

/* How this dmuserctl's module gets into this kernel's folder; then: a command for afterwards. */
static void advise_installing(struct probe *probe, struct finding *f, const char *then)
{
	char version[256], missing[128];

	if (find_dkms_source(probe, version, sizeof(version))) {
		advise_dkms(probe, f, version, then);
		return;
	}
	name_missing(probe, false, missing, sizeof(missing));
	finding_advise(f,
		       "packaging/install in dmuser's sources; or by hand, there: "
		       "%skmod/build %s /tmp/dm-user && install -D -m 644 "
		       "/tmp/dm-user/dm-user.ko /lib/modules/%s/updates/dm-user.ko && "
		       "depmod%s",
		       missing, probe->release, probe->release, then);
}

static void judge_loaded(struct probe *probe, const struct module_state *s, struct finding *f)
{
	const char *version = s->loaded_version[0] ? s->loaded_version : "of no version";
	bool is_ours = strcmp(version, DMUSER_DRIVER_VERSION) == 0;

	if (!is_ours) {
		finding_set(
			f, same_major(version, DMUSER_DRIVER_VERSION) ? VERDICT_WARN : VERDICT_FAIL,
			"loaded is %s, and this dmuser was built with %s", version,
			DMUSER_DRIVER_VERSION);
		if (strcmp(s->file.version, DMUSER_DRIVER_VERSION) == 0)
			finding_advise(f,
				       "release all volumes, then: modprobe -r dm-user && modprobe "
				       "dm-user (the right one is installed)");
		else
			advise_installing(probe, f, RELOAD);
		return;
	}
	if (s->found < 0) {
		finding_set(f, VERDICT_WARN,
			    "%s, loaded; not installed, so gone after the next boot", version);
		advise_installing(probe, f, "");
		return;
	}
	finding_set(f, VERDICT_OK, "%s, loaded", version);
}

/* Built for another kernel, modprobe would refuse it: the first word is the kernel's release. */
static bool is_for(const struct module_file *file, const char *release)
{
	size_t length = strcspn(file->vermagic, " ");

	return length == strlen(release) && memcmp(file->vermagic, release, length) == 0;
}

static void judge_file(struct probe *probe, const struct module_state *s, struct finding *f)
{
	if (s->readable < 0) {
		finding_set(f, VERDICT_FAIL, "%s cannot be used: %s", s->path,
			    s->readable == -EBADMSG ? "it is no module" : strerror(-s->readable));
		advise_installing(probe, f, LOAD);
	} else if (s->file.compressed) {
		finding_set(f, VERDICT_OK,
			    "installed, loaded at need (compressed, so of an unknown version)");
	} else if (!is_for(&s->file, probe->release)) {
		finding_set(f, VERDICT_FAIL, "%s was built for kernel %.*s", s->path,
			    (int)strcspn(s->file.vermagic, " "), s->file.vermagic);
		advise_installing(probe, f, LOAD);
	} else if (!same_major(s->file.version, DMUSER_DRIVER_VERSION)) {
		finding_set(f, VERDICT_FAIL, "installed is %s, and this dmuser was built with %s",
			    s->file.version, DMUSER_DRIVER_VERSION);
		advise_installing(probe, f, LOAD);
	} else if (strcmp(s->file.version, DMUSER_DRIVER_VERSION) != 0) {
		finding_set(f, VERDICT_WARN, "installed is %s, and this dmuser was built with %s",
			    s->file.version, DMUSER_DRIVER_VERSION);
		advise_installing(probe, f, LOAD);
	} else {
		finding_set(f, VERDICT_OK, "%s, installed; dmuserd has it loaded at need",
			    s->file.version);
	}
}

void check_module(struct probe *probe, struct finding *ret_finding)
{
	struct module_state s;

	see_module(probe, &s);
	if (s.loaded) {
		judge_loaded(probe, &s, ret_finding);
	} else if (!probe_exists(probe, "/proc/modules")) {
		finding_set(ret_finding, VERDICT_FAIL,
			    "not there, and this kernel takes no modules");
		finding_advise(ret_finding, "see 'module loading'");
	} else if (s.found < 0) {
		finding_set(ret_finding, VERDICT_FAIL, "not installed for kernel %s",
			    probe->release);
		advise_installing(probe, ret_finding, LOAD);
	} else if (s.found > 0) {
		finding_set(ret_finding, VERDICT_FAIL, "%s is there, and modprobe does not find it",
			    s.path);
		finding_advise(ret_finding, "depmod, then modprobe dm-user");
	} else {
		judge_file(probe, &s, ret_finding);
	}
}

/* Module signatures */

/* The variable is four bytes of attributes and one of value, which is not text. */
static bool is_secure_boot(struct probe *probe)
{
	_cleanup_(freep) char *data = NULL;
	size_t size;

	return probe_read_all(probe, &data, &size,
			      "/sys/firmware/efi/efivars/SecureBoot-" EFI_GLOBAL) == 0 &&
	       size == 5 && data[4] == 1;
}

/* The chosen one stands in brackets: "none [integrity] confidentiality". */
static bool is_locked_down(struct probe *probe, int *ret_error)
{
	char text[256];

	*ret_error = probe_read(probe, text, sizeof(text), "/sys/kernel/security/lockdown");
	return *ret_error == 0 && !strstr(text, "[none]");
}

static bool is_enforced(struct probe *probe)
{
	char text[16];

	return probe_read(probe, text, sizeof(text), "/sys/module/module/parameters/sig_enforce") ==
		       0 &&
	       text[0] == 'Y';
}

void check_module_signature(struct probe *probe, struct finding *ret_finding)
{
	const char *who = NULL;
	struct module_state s;
	int error;

	if (is_enforced(probe))
		who = "the kernel (sig_enforce)";
	else if (is_locked_down(probe, &error))
		who = "the kernel (lockdown)";
	else if (is_secure_boot(probe))
		who = "Secure Boot, on many kernels,";
	else if (error == -EACCES || error == -EPERM) {
		finding_set_unreadable(ret_finding, "/sys/kernel/security/lockdown", error);
		return;
	}
	if (!who) {
		finding_set(ret_finding, VERDICT_OK, "none is asked for");
		return;
	}
	see_module(probe, &s);
	if (s.loaded) {
		finding_set(ret_finding, VERDICT_OK, "%s asks for one, and dm-user is loaded", who);
		return;
	}
	if (s.file.is_signed) {
		finding_set(ret_finding, VERDICT_OK, "%s asks for one, and dm-user has one", who);
		return;
	}
	finding_set(ret_finding, VERDICT_FAIL,
		    "%s refuses modules without a trusted one, and dm-user %s", who,
		    s.found < 0		? "is not installed"
		    : s.file.compressed ? "is compressed, so whether it has one is not seen"
					: "has none");
	finding_advise(
		ret_finding,
		"have DKMS sign what it builds: mokutil --import /var/lib/dkms/mok.pub, reboot, "
		"choose 'Enroll MOK' there and give the password; then build the module again. Or "
		"switch Secure Boot off in the firmware");
}

/* Building it again */

void check_headers(struct probe *probe, struct finding *ret_finding)
{
	struct module_state s;

	if (!probe_exists(probe, "/proc/modules")) {
		finding_set(ret_finding, VERDICT_OK, "not needed: this kernel takes no modules");
		return;
	}
	if (find_headers(probe) != HEADERS_NOWHERE) {
		finding_set(ret_finding, VERDICT_OK, "those of %s are installed", probe->release);
		return;
	}
	see_module(probe, &s);
	finding_set(ret_finding, s.loaded || s.found >= 0 ? VERDICT_WARN : VERDICT_FAIL,
		    "those of %s are not installed, so the module cannot be built here",
		    probe->release);
	finding_advise(ret_finding,
		       "apt install linux-headers-%s; the module of a kernel without such a "
		       "package has to be built where that was built",
		       probe->release);
}

/* NAME/VERSION/RELEASE is where DKMS keeps what it has built. */
static bool dkms_has_built(struct probe *probe)
{
	_cleanup_(closedirp) DIR *dir = probe_open_dir(probe, "/var/lib/dkms/" DKMS_NAME);

	for (struct dirent *entry; dir && (entry = readdir(dir));)
		if (entry->d_name[0] != '.' &&
		    probe_exists(probe, "/var/lib/dkms/" DKMS_NAME "/%s/%s", entry->d_name,
				 probe->release))
			return true;
	return false;
}

/* It may have been built for this kernel otherwise: then all is well until the next one. */
static void judge_unbuilt(struct probe *probe, struct finding *f)
{
	struct module_state s;
	char version[256];

	see_module(probe, &s);
	if (s.loaded || s.found >= 0)
		finding_set(f, VERDICT_WARN,
			    "has not built the module for %s, which is from elsewhere",
			    probe->release);
	else
		finding_set(f, VERDICT_FAIL, "has not built the module for %s", probe->release);
	if (find_dkms_source(probe, version, sizeof(version)))
		advise_dkms(probe, f, version,
			    "; if that fails, make.log below /var/lib/dkms/" DKMS_NAME " says why");
	else
		finding_advise(f, "packaging/install in dmuser's sources, which tells it");
}

void check_dkms(struct probe *probe, struct finding *ret_finding)
{
	char path[256], version[256];

	if (!probe_exists(probe, "/proc/modules")) {
		finding_set(ret_finding, VERDICT_OK, "not needed: this kernel takes no modules");
	} else if (!probe_find_program(probe, "dkms", path, sizeof(path))) {
		finding_set(ret_finding, VERDICT_WARN,
			    "not installed, so a new kernel will be without the module");
		finding_advise(ret_finding, "apt install dkms, and then packaging/install in "
					    "dmuser's sources; or build the module again for each "
					    "new kernel");
	} else if (dkms_has_built(probe)) {
		finding_set(ret_finding, VERDICT_OK, "has built the module for %s", probe->release);
	} else if (probe_exists(probe, "/var/lib/dkms/" DKMS_NAME)) {
		judge_unbuilt(probe, ret_finding);
	} else {
		finding_set(ret_finding, VERDICT_WARN,
			    "does not know dmuser, so a new kernel will be without the module");
		if (find_dkms_source(probe, version, sizeof(version)))
			advise_dkms(probe, ret_finding, version, "");
		else
			finding_advise(ret_finding, "packaging/install in dmuser's sources, which "
						    "tells it");
	}
}
