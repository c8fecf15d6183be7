/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel_ctl - guest kernels: those that the installation brings (its data directory, the system's)
 * and those below <root>/kernels, which are the user's to add, build and remove
 * (docs/formats/kernel.md).  One is the default for machines that start from then on.
 */
#ifndef ENGINE_KERNEL_CTL_H
#define ENGINE_KERNEL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct session;

struct kernel_row {
	const char *name, *package, *dir;
	bool chosen, ours, acpi;
	uint64_t bytes;
	size_t modules;
};
struct kernel_rows {
	struct kernel_row *v;
	size_t n;
};

/* In the order in which they are looked for; one that cannot be read is left out. */
int kernel_ctl_list(struct session *s, struct arena *a, struct kernel_rows *out, struct err *e);

/* path: an ELF kernel, or a directory as docs/formats/kernel.md describes it.  name: NULL for a
 * directory's own.  acpi: of an ELF file, see fmt/guest_kernel.h.  Errors: what guest_kernel_elf()
 * says, ERR_EXISTS, ERR_CORRUPT another digest than the directory says, ERR_USAGE a name. */
int kernel_ctl_add(struct session *s, const char *path, const char *name, bool acpi, struct err *e);

struct kernel_build {
	const char *source; /* linux-source-*.tar.xz; NULL: the newest below /usr/src */
	const char *config; /* NULL: the installation's */
	const char *name;   /* NULL: as the kernel calls itself */
	int jobs;
};
/* Prints what the build says on stderr and the name on success through *name, in a.
 * Errors: ERR_NOT_FOUND the source or a program, named with its package; ERR_SYSTEM. */
int kernel_ctl_build(struct session *s, const struct kernel_build *b, struct arena *a,
		     const char **name, struct err *e);

/* name NULL: none, which is the newest of the installation. */
int kernel_ctl_default(struct session *s, const char *name, struct err *e);
/* Errors: ERR_NOT_FOUND, ERR_CONFLICT the default or the installation's. */
int kernel_ctl_remove(struct session *s, const char *name, struct err *e);

#endif
