// SPDX-License-Identifier: Apache-2.0
/*
 * instruction-counts: a plugin of QEMU's emulator that counts how many instructions the machine has
 * executed at each address, exactly and without the machine noticing.
 *
 *   -plugin instruction-counts.so,out=FILE
 *
 * Whenever the machine executes `mark` (mark.h: an instruction that does nothing and that no compiler
 * makes), it appends to FILE a line `mark` and a line `ADDRESS COUNT` for each block executed since the
 * last mark. A block that an exception leaves half way counts as whole.
 *
 * For one virtual CPU: nothing is locked. Owns FILE and one counter for each address, for good. Declares
 * the few functions of QEMU's plugin interface (version 1) that it uses, because Debian ships no header.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mark.h"

#define EXPORT __attribute__((visibility("default")))
#define BUCKETS 65536

enum { CB_NO_REGS = 0 };
enum { INLINE_ADD_U64 = 0 };

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info_t;

typedef uint64_t qemu_plugin_id_t;
typedef void (*tb_trans_cb)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*vcpu_udata_cb)(unsigned int vcpu, void *userdata);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, tb_trans_cb cb);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op, void *ptr, uint64_t imm);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, vcpu_udata_cb cb, int flags,
					    void *userdata);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);

/* A block's address stays, whatever code is there: what was translated holds a pointer to the count. */
struct counter {
	struct counter *next;
	uint64_t address;
	uint64_t count;
};

static struct counter *buckets[BUCKETS];
static FILE *file;

static struct counter *counter_at(uint64_t address)
{
	struct counter **bucket = &buckets[(address ^ address >> 16) % BUCKETS];
	struct counter *c;

	for (c = *bucket; c; c = c->next)
		if (c->address == address)
			return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	c->address = address;
	c->next = *bucket;
	*bucket = c;
	return c;
}

static void mark_executed(unsigned int vcpu, void *userdata)
{
	(void)vcpu;
	(void)userdata;
	fputs("mark\n", file);
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct counter *c = buckets[i]; c; c = c->next) {
			if (c->count)
				fprintf(file, "%016" PRIx64 " %" PRIu64 "\n", c->address, c->count);
			c->count = 0;
		}
	}
	fflush(file);
}

static bool is_mark(const struct qemu_plugin_insn *insn)
{
	static const uint8_t code[] = { MARK_BYTES };

	return qemu_plugin_insn_size(insn) == sizeof(code) &&
	       !memcmp(qemu_plugin_insn_data(insn), code, sizeof(code));
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64,
						 &counter_at(qemu_plugin_tb_vaddr(tb))->count, n);
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		if (is_mark(insn))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, mark_executed, CB_NO_REGS, NULL);
	}
}

/* Looked up by name in what QEMU has loaded. */
extern EXPORT int qemu_plugin_version;
EXPORT int qemu_plugin_version = 1;

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc, char **argv);

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4)) {
		fprintf(stderr, "instruction-counts: wants out=FILE\n");
		return -1;
	}
	file = fopen(argv[0] + 4, "we");
	if (!file) {
		perror(argv[0] + 4);
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
