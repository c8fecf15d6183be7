/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel - a prepared guest kernel: a directory <version>/ with vmlinux, modules/ and kernel.json.
 *
 * tools/kernel-fetch makes such directories from a distribution's package; its text describes the
 * format.  kernel.json is written last, so a directory without it is not a kernel.
 */
#ifndef VMM_KERNEL_H
#define VMM_KERNEL_H

#include "base/arena.h"
#include "fmt/guest_kernel.h"

#include <stdbool.h>

struct err;

struct kernel {
	const char *dir;
	const char *version;
	const char *vmlinux; /* path */
	const char *sha256;  /* of vmlinux, as the preparing tool computed it */
	bool acpi; /* finds its virtio-mmio devices through ACPI only (distribution kernels) */
	struct guest_kernel_modules modules; /* below <dir>/modules */
};

/* The kernel in `version` (NULL: the newest of the first of dirs that has any).  Strings live
 * in a.  Errors: ERR_NOT_FOUND with what to run, ERR_CORRUPT a broken kernel.json. */
int kernel_find(const char *const *dirs, const char *version, struct arena *a, struct kernel *out,
		struct err *e);

#endif
