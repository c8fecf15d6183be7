/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest_kernel - what a guest kernel is made of: its ELF file, as QEMU enters it, and kernel.json,
 * which says what comes with it (docs/formats/kernel.md).
 */
#ifndef FMT_GUEST_KERNEL_H
#define FMT_GUEST_KERNEL_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct err;

#define GUEST_KERNEL_JSON_MAX 65536
#define GUEST_KERNEL_NAME_MAX 64
#define GUEST_KERNEL_MAX      (256ull << 20) /* of the ELF file */

struct guest_kernel_modules { /* file names, in load order */
	struct strs boot, late, net, share;
};

struct guest_kernel_info {
	int64_t format;
	const char *version; /* its name */
	const char *package; /* where it comes from, NULL: not said */
	const char *sha256;  /* of vmlinux */
	bool acpi;	     /* finds virtio-mmio devices through ACPI only */
	struct guest_kernel_modules modules;
};

/* path: for messages.  Errors: as jbind_parse(), ERR_UNSUPPORTED another format. */
int guest_kernel_parse(const char *text, size_t len, struct arena *a, const char *path,
		       struct guest_kernel_info *out, struct err *e);
void guest_kernel_write(const struct guest_kernel_info *info, struct buf *out);

/* Names become directories: letters, digits and inner dots, dashes, underscores. */
bool guest_kernel_name_ok(const char *name);

/* Is this an ELF kernel for x86-64 that can be entered directly (PVH), and whole?
 * Errors: ERR_UNSUPPORTED another kind of file, machine or entry, ERR_CORRUPT parts that lie
 * outside of it.  Source: System V ABI; Xen, docs/misc/pvh; Linux, arch/x86/platform/pvh. */
int guest_kernel_elf(const void *data, size_t len, const char *path, struct err *e);

#endif
