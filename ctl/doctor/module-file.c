// SPDX-License-Identifier: Apache-2.0
/* A kernel module's file; see module-file.h. */
#include "ctl/doctor/module-file.h"
#include "util/cleanup.h"

#include <elf.h>
#include <limits.h>
#include <string.h>

static const char signature_mark[] = "~Module signature appended~\n";

static const char *const suffixes[] = { ".ko", ".ko.xz", ".ko.zst", ".ko.gz" };

/* Is it the module's file, whatever compressed? length: of path. */
static bool is_file_of(const char *path, size_t length, const char *name)
{
	const char *slash = memrchr(path, '/', length);
	const char *base = slash ? slash + 1 : path;
	size_t base_length = length - (size_t)(base - path);

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		char wanted[128];

		snprintf(wanted, sizeof(wanted), "%s%s", name, suffixes[i]);
		if (strlen(wanted) == base_length && memcmp(base, wanted, base_length) == 0)
			return true;
	}
	return false;
}

/* modules.dep: a line a module, whose path stands before a colon. */
static int find_indexed(struct probe *probe, const char *name, char *ret_path, size_t size)
{
	_cleanup_(freep) char *text = NULL;
	size_t text_size, length;
	int r = probe_read_all(probe, &text, &text_size, "/lib/modules/%s/modules.dep",
			       probe->release);

	if (r < 0)
		return r;
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		length = strcspn(line, ":\n");
		if (!is_file_of(line, length, name))
			continue;
		if (line[0] == '/')
			snprintf(ret_path, size, "%.*s", (int)length, line);
		else
			snprintf(ret_path, size, "/lib/modules/%s/%.*s", probe->release,
				 (int)length, line);
		return 0;
	}
	return -ENOENT;
}

static int find_by_hand(struct probe *probe, const char *name, char *ret_path, size_t size)
{
	static const char *const dirs[] = { "updates/dkms", "updates", "extra",
					    "kernel/drivers/md" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		for (size_t k = 0; k < ARRAY_SIZE(suffixes); k++) {
			char path[PATH_MAX];

			snprintf(path, sizeof(path), "/lib/modules/%s/%s/%s%s", probe->release,
				 dirs[i], name, suffixes[k]);
			if (!probe_exists(probe, "%s", path))
				continue;
			snprintf(ret_path, size, "%s", path);
			return 1;
		}
	return -ENOENT;
}

int module_file_find(struct probe *probe, const char *name, char *ret_path, size_t size)
{
	char path[PATH_MAX];

	if (find_indexed(probe, name, path, sizeof(path)) == 0 && probe_exists(probe, "%s", path)) {
		snprintf(ret_path, size, "%s", path);
		return 0;
	}
	return find_by_hand(probe, name, ret_path, size);
}

/* Bytes of an ELF file, if they lie within it; NULL otherwise. */
static const void *at(const char *data, size_t size, uint64_t offset, uint64_t length)
{
	return offset <= size && length <= size - offset ? data + offset : NULL;
}

static const Elf64_Shdr *section(const char *data, size_t size, const Elf64_Ehdr *header,
				 size_t index)
{
	return at(data, size, header->e_shoff + index * sizeof(Elf64_Shdr), sizeof(Elf64_Shdr));
}

/* The section .modinfo: strings of KEY=VALUE. NULL if there is none. */
static const char *find_modinfo(const char *data, size_t size, size_t *ret_length)
{
	const Elf64_Ehdr *header = at(data, size, 0, sizeof(*header));
	const Elf64_Shdr *names;

	if (!header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
	    header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_shoff % _Alignof(Elf64_Shdr) != 0)
		return NULL;
	names = section(data, size, header, header->e_shstrndx);
	for (size_t i = 0; names && i < header->e_shnum; i++) {
		const Elf64_Shdr *s = section(data, size, header, i);
		const char *name =
			s ? at(data, size, names->sh_offset + s->sh_name, sizeof(".modinfo"))
			  : NULL;

		if (!name || memcmp(name, ".modinfo", sizeof(".modinfo")) != 0)
			continue;
		*ret_length = s->sh_size;
		return at(data, size, s->sh_offset, s->sh_size);
	}
	return NULL;
}

static void take_field(const char *text, size_t length, const char *key, char *out, size_t out_size)
{
	size_t key_length = strlen(key);

	if (length > key_length && memcmp(text, key, key_length) == 0)
		snprintf(out, out_size, "%.*s", (int)(length - key_length), text + key_length);
}

static bool ends_signed(const char *data, size_t size)
{
	size_t length = strlen(signature_mark);

	return size >= length && memcmp(data + size - length, signature_mark, length) == 0;
}

int module_file_read(struct probe *probe, const char *path, struct module_file *ret_file)
{
	_cleanup_(freep) char *data = NULL;
	size_t path_length = strlen(path);
	struct module_file file = {
		.compressed = path_length < 3 || strcmp(path + path_length - 3, ".ko") != 0,
	};
	const char *info;
	size_t size, length;
	int r;

	if (!file.compressed) {
		r = probe_read_all(probe, &data, &size, "%s", path);
		if (r < 0)
			return r;
		info = find_modinfo(data, size, &length);
		if (!info)
			return -EBADMSG;
		file.is_signed = ends_signed(data, size);
		for (size_t i = 0, n; i < length; i += n + 1) {
			n = strnlen(info + i, length - i);
			take_field(info + i, n, "version=", file.version, sizeof(file.version));
			take_field(info + i, n, "vermagic=", file.vermagic, sizeof(file.vermagic));
		}
	}
	*ret_file = file;
	return 0;
}
