// SPDX-License-Identifier: Apache-2.0
/* What dmuserctl doctor says of kernels and modules. */
#include "cmocka-all.h"
#include "ctl/doctor/driver-version.h"
#include "ctl/doctor/module-file.h"
#include "doctor-tree.h"
#include "util/cleanup.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>

#define MODULES "/lib/modules/" TREE_RELEASE
/* Of the same first number, but another; and of another first number. */
#define OURS	  DMUSER_DRIVER_VERSION
#define OTHER	  DMUSER_DRIVER_VERSION ".9"
#define FOREIGN	  "99.0.0"
#define SIGNATURE "~Module signature appended~\n"

/* A module's file with nothing in it but what it says of itself. */
static void put_module(const char *path, const char *version, const char *release, const char *tail)
{
	static const char names[] = "\0.modinfo\0.shstrtab";
	char data[2048] = {}, info[512];
	Elf64_Ehdr header = { .e_shoff = 1024, .e_shnum = 3, .e_shstrndx = 2 };
	Elf64_Shdr sections[3] = {
		{},
		{ .sh_name = 1, .sh_offset = 256 },
		{ .sh_name = 10, .sh_offset = 128, .sh_size = sizeof(names) },
	};
	int n = snprintf(info, sizeof(info),
			 "srcversion=9.9.9%cversion=%s%cvermagic=%s SMP mod_unload", 0, version, 0,
			 release);

	memcpy(header.e_ident, ELFMAG, SELFMAG);
	header.e_ident[EI_CLASS] = ELFCLASS64;
	sections[1].sh_size = (Elf64_Xword)n + 1;
	memcpy(data, &header, sizeof(header));
	memcpy(data + 128, names, sizeof(names));
	memcpy(data + 256, info, (size_t)n + 1);
	memcpy(data + 1024, sections, sizeof(sections));
	memcpy(data + 2000, tail, strlen(tail));
	tree_bytes(path, data, 2000 + strlen(tail));
}

static void install_module(const char *version, const char *release, const char *tail)
{
	tree_file(MODULES "/modules.dep", "kernel/drivers/md/dm-mod.ko: kernel/a.ko\n"
					  "updates/dm-user.ko: kernel/drivers/md/dm-mod.ko\n");
	put_module(MODULES "/updates/dm-user.ko", version, release, tail);
}

static void unload(void)
{
	tree_remove("/sys/module/dm_user");
}

static void kernels_from_6_1_on_will_do(void **state)
{
	look(check_kernel, VERDICT_OK, TREE_RELEASE, "");
	strcpy(probe.release, "6.1.0-56-amd64");
	look(check_kernel, VERDICT_OK, "6.1.0-56-amd64", "");
	strcpy(probe.release, "7.0");
	look(check_kernel, VERDICT_OK, "7.0", "");
	strcpy(probe.release, "6.0.9");
	look(check_kernel, VERDICT_FAIL, "6.0.9 is older than 6.1", "boot Linux 6.1");
	strcpy(probe.release, "5.10.0-30-amd64");
	look(check_kernel, VERDICT_FAIL, "older", "linux-image-amd64");
	strcpy(probe.release, "strange");
	look(check_kernel, VERDICT_UNKNOWN, "'strange'", "boot");
}

static void a_kernel_may_take_no_modules(void **state)
{
	look(check_module_loading, VERDICT_OK, "can be loaded", "");
	tree_file("/proc/sys/kernel/modules_disabled", "1\n");
	look(check_module_loading, VERDICT_OK, "dm-user is loaded", "");
	unload();
	look(check_module_loading, VERDICT_FAIL, "modules_disabled", "modules-load.d");
	tree_file("/proc/sys/kernel/modules_disabled", "0\n");
	look(check_module_loading, VERDICT_OK, "can be loaded", "");
	tree_remove("/proc/modules");
	look(check_module_loading, VERDICT_FAIL, "takes no modules", "packaging/quickstart");
	look(check_module, VERDICT_FAIL, "takes no modules", "'module loading'");
	look(check_headers, VERDICT_OK, "not needed", "");
	look(check_dkms, VERDICT_OK, "not needed", "");
}

static void put_bounding_set(const char *bounding)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "Umask:\t0022\nTgid:\t1\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nGroups:\t\n"
		 "VmLck:\t0 kB\nSigBlk:\t0\nSigIgn:\t0\nCapInh:\t0\nCapPrm:\t0\nCapEff:\t0\n"
		 "CapBnd:\t%s\nCapAmb:\t0\nNoNewPrivs:\t0\nSeccomp:\t2\nSeccomp_filters:\t1\n",
		 bounding);
	tree_file("/proc/self/status", text);
}

static void a_container_s_root_may_not_load_modules(void **state)
{
	put_bounding_set("000001ffffffffff");
	look(check_module_loading, VERDICT_OK, "can be loaded", "");
	put_bounding_set("00000000a80425fb");
	look(check_module_loading, VERDICT_OK, "dm-user is loaded", "");
	unload();
	look(check_module_loading, VERDICT_FAIL, "container", "on the machine itself");
}

static void modprobe_has_to_be_there(void **state)
{
	tree_file("/proc/sys/kernel/modprobe", "/sbin/modprobe\n");
	look(check_module_loading, VERDICT_WARN, "'/sbin/modprobe'", "apt install kmod");
	tree_program("/sbin/modprobe");
	look(check_module_loading, VERDICT_OK, "can be loaded", "");
}

static void device_mapper_is_there_or_comes_at_need(void **state)
{
	look(check_device_mapper, VERDICT_OK, "present", "");
	tree_remove("/proc/misc");
	look(check_device_mapper, VERDICT_FAIL, "neither in this kernel", "CONFIG_BLK_DEV_DM");
	tree_file(MODULES "/kernel/drivers/md/dm-mod.ko.xz", "");
	look(check_device_mapper, VERDICT_FAIL, "not loaded", "modprobe dm-mod");
	tree_file("/dev/mapper/control", "");
	look(check_device_mapper, VERDICT_OK, "loads it", "");
	tree_remove("/dev/mapper/control");
	tree_file("/sys/class/misc/device-mapper/dev", "10:236\n");
	look(check_device_mapper, VERDICT_OK, "present", "");
}

static void a_loaded_module_is_compared(void **state)
{
	look(check_module, VERDICT_WARN, OURS ", loaded; not installed",
	     "kmod/build " TREE_RELEASE);
	install_module(OURS, TREE_RELEASE, "");
	look(check_module, VERDICT_OK, OURS ", loaded", "");
	tree_file("/sys/module/dm_user/version", OTHER "\n");
	look(check_module, VERDICT_WARN,
	     "loaded is " OTHER ", and this dmuser was built with " OURS,
	     "modprobe -r dm-user && modprobe dm-user");
	install_module(OTHER, TREE_RELEASE, "");
	look(check_module, VERDICT_WARN, "loaded is " OTHER, "kmod/build");
	tree_file("/sys/module/dm_user/version", FOREIGN "\n");
	look(check_module, VERDICT_FAIL, "loaded is " FOREIGN, "kmod/build");
	tree_remove("/sys/module/dm_user/version");
	look(check_module, VERDICT_FAIL, "loaded is of no version", "kmod/build");
}

static void a_module_that_is_not_loaded_is_read(void **state)
{
	unload();
	look(check_module, VERDICT_FAIL, "not installed for kernel " TREE_RELEASE,
	     "modprobe dm-user");
	install_module(OURS, TREE_RELEASE, "");
	look(check_module, VERDICT_OK, OURS ", installed", "");
	install_module(OTHER, TREE_RELEASE, "");
	look(check_module, VERDICT_WARN, "installed is " OTHER, "depmod");
	install_module(FOREIGN, TREE_RELEASE, "");
	look(check_module, VERDICT_FAIL, "installed is " FOREIGN, "depmod");
	install_module(OURS, TREE_RELEASE "2", "");
	look(check_module, VERDICT_FAIL, "was built for kernel " TREE_RELEASE "2", "depmod");
	tree_file(MODULES "/updates/dm-user.ko", "no module");
	look(check_module, VERDICT_FAIL, "it is no module", "depmod");
}

static void a_module_may_be_where_modprobe_does_not_look(void **state)
{
	unload();
	tree_file(MODULES "/modules.dep", "updates/dm-user.ko:\n");
	look(check_module, VERDICT_FAIL, "not installed", "depmod");
	put_module(MODULES "/extra/dm-user.ko", OURS, TREE_RELEASE, "");
	look(check_module, VERDICT_FAIL, "extra/dm-user.ko is there", "depmod");
	tree_file(MODULES "/modules.dep", "extra/dm-user.ko.zst:\nextra/not-dm-user.ko:\n");
	tree_file(MODULES "/extra/dm-user.ko.zst", "");
	look(check_module, VERDICT_OK, "compressed", "");
}

static void dkms_is_what_builds_if_it_has_the_sources(void **state)
{
	unload();
	tree_file("/usr/src/dmuser-0.1.0/dkms.conf", "");
	look(check_module, VERDICT_FAIL, "not installed",
	     "apt install dkms linux-headers-" TREE_RELEASE
	     ", and then: dkms install dmuser/0.1.0 -k " TREE_RELEASE "; then modprobe");
	tree_program("/usr/sbin/dkms");
	look(check_module, VERDICT_FAIL, "not installed",
	     "apt install linux-headers-" TREE_RELEASE ", and then: dkms install dmuser/0.1.0");
	/* Where the kernel itself does not lead to them. */
	tree_file("/usr/src/linux-headers-" TREE_RELEASE "/Makefile", "");
	look(check_module, VERDICT_FAIL, "not installed",
	     "dkms install dmuser/0.1.0 -k " TREE_RELEASE
	     " --kernelsourcedir /usr/src/linux-headers-" TREE_RELEASE "; then modprobe");
	assert_null(strstr(finding.advice, "apt"));
	tree_file(MODULES "/build/Makefile", "");
	look(check_module, VERDICT_FAIL, "not installed",
	     "dkms install dmuser/0.1.0 -k " TREE_RELEASE "; then modprobe");
	assert_null(strstr(finding.advice, "apt"));
}

static void without_dkms_headers_are_needed_all_the_same(void **state)
{
	unload();
	look(check_module, VERDICT_FAIL, "not installed",
	     "apt install linux-headers-" TREE_RELEASE ", and then: kmod/build");
	tree_file(MODULES "/build/Makefile", "");
	look(check_module, VERDICT_FAIL, "not installed", "there: kmod/build");
}

static void a_cut_module_is_no_module(void **state)
{
	struct module_file file;
	_cleanup_(freep) char *data = NULL;
	size_t size;

	put_module("/a.ko", OURS, TREE_RELEASE, "");
	assert_int_equal(module_file_read(&probe, "/a.ko", &file), 0);
	assert_string_equal(file.version, OURS);
	assert_false(file.is_signed);
	assert_int_equal(probe_read_all(&probe, &data, &size, "/a.ko"), 0);
	/* The section's heading ends at 1024 + 3 * 64. */
	for (size_t cut = 0; cut < 1024 + 3 * sizeof(Elf64_Shdr); cut += 16) {
		tree_bytes("/cut.ko", data, cut);
		assert_int_equal(module_file_read(&probe, "/cut.ko", &file), -EBADMSG);
	}
	assert_int_equal(module_file_read(&probe, "/missing.ko", &file), -ENOENT);
}

static void an_unsigned_module_is_refused_where_signatures_are_asked_for(void **state)
{
	static const char variable[] = "/sys/firmware/efi/efivars/SecureBoot-"
				       "8be4df61-93ca-11d2-aa0d-00e098032b8c";

	look(check_module_signature, VERDICT_OK, "none is asked for", "");
	tree_bytes(variable, "\6\0\0\0\0", 5);
	tree_file("/sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
	tree_file("/sys/module/module/parameters/sig_enforce", "N\n");
	look(check_module_signature, VERDICT_OK, "none is asked for", "");
	tree_bytes(variable, "\6\0\0\0\1", 5);
	look(check_module_signature, VERDICT_OK, "dm-user is loaded", "");
	unload();
	look(check_module_signature, VERDICT_FAIL, "Secure Boot", "mokutil --import");
	tree_file("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	look(check_module_signature, VERDICT_FAIL, "lockdown", "mokutil --import");
	tree_file("/sys/module/module/parameters/sig_enforce", "Y\n");
	install_module(OURS, TREE_RELEASE, "");
	look(check_module_signature, VERDICT_FAIL, "sig_enforce) refuses", "Enroll MOK");
	assert_non_null(strstr(finding.found, "has none"));
	install_module(OURS, TREE_RELEASE, SIGNATURE);
	look(check_module_signature, VERDICT_OK, "dm-user has one", "");
}

static void headers_are_wanted_to_build_with(void **state)
{
	look(check_headers, VERDICT_WARN, "cannot be built here",
	     "apt install linux-headers-" TREE_RELEASE);
	unload();
	look(check_headers, VERDICT_FAIL, "cannot be built here",
	     "apt install linux-headers-" TREE_RELEASE);
	tree_file(MODULES "/build/Makefile", "");
	look(check_headers, VERDICT_OK, TREE_RELEASE, "");
}

static void dkms_tells_whether_it_has_built(void **state)
{
	look(check_dkms, VERDICT_WARN, "not installed", "apt install dkms");
	tree_program("/usr/sbin/dkms");
	look(check_dkms, VERDICT_WARN, "does not know dmuser", "packaging/install");
	tree_file("/usr/src/dmuser-0.1.0/dkms.conf", "");
	look(check_dkms, VERDICT_WARN, "does not know dmuser", "dkms install dmuser/0.1.0");
	tree_file("/var/lib/dkms/dmuser/0.1.0/6.1.0/x86_64/module/dm-user.ko", "");
	look(check_dkms, VERDICT_WARN,
	     "has not built the module for " TREE_RELEASE ", which is from elsewhere",
	     "apt install linux-headers-" TREE_RELEASE ", and then: dkms install dmuser/0.1.0");
	unload();
	look(check_dkms, VERDICT_FAIL, "has not built the module for " TREE_RELEASE,
	     "dkms install dmuser/0.1.0 -k " TREE_RELEASE);
	tree_remove("/usr/src/dmuser-0.1.0");
	look(check_dkms, VERDICT_FAIL, "has not built", "packaging/install");
	tree_file("/var/lib/dkms/dmuser/0.1.0/" TREE_RELEASE "/x86_64/module/dm-user.ko", "");
	look(check_dkms, VERDICT_OK, "has built", "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tree_set_up, tree_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(kernels_from_6_1_on_will_do),
		TEST(a_kernel_may_take_no_modules),
		TEST(a_container_s_root_may_not_load_modules),
		TEST(modprobe_has_to_be_there),
		TEST(device_mapper_is_there_or_comes_at_need),
		TEST(a_loaded_module_is_compared),
		TEST(a_module_that_is_not_loaded_is_read),
		TEST(a_module_may_be_where_modprobe_does_not_look),
		TEST(dkms_is_what_builds_if_it_has_the_sources),
		TEST(without_dkms_headers_are_needed_all_the_same),
		TEST(a_cut_module_is_no_module),
		TEST(an_unsigned_module_is_refused_where_signatures_are_asked_for),
		TEST(headers_are_wanted_to_build_with),
		TEST(dkms_tells_whether_it_has_built),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
