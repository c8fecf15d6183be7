/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmsnapshot - what was saved of one running machine: its memory, the state of its devices and what
 * a machine must be to go on from them (docs/formats/snapshot.md).
 *
 * In a directory: "memory", as long as the guest's, sparse; "state", which only the VMM that wrote
 * it reads; "machine.json", the tags; "disk", when it has a writable one.  Another VMM stands
 * behind this with a name of its own in the tags and what it likes in "state".
 */
#ifndef VMM_VMSNAPSHOT_H
#define VMM_VMSNAPSHOT_H

#include "fmt/jbind.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct arena;
struct err;
struct machine;

#define VMSNAPSHOT_VMM "qemu"

struct vmsnapshot_tags {
	const char *vmm;     /* VMSNAPSHOT_VMM */
	const char *version; /* of the VMM, as it says it */
	const char *accel;   /* "tcg", "kvm" */
	const char *cpu;     /* digest of the processor that the guest has seen; "emulated" */
	const char *devices; /* digest of their kind and order */
	const char *kernel;  /* of the guest; for people, for it is in the memory */
	uint64_t memory_bytes, tsc_khz;
	uint32_t cpus;
	bool acpi;
};
extern const struct jbind vmsnapshot_tags_table;

/* m as it runs, or is going to. */
int vmsnapshot_describe(const struct machine *m, struct arena *a, struct vmsnapshot_tags *out,
			struct err *e);
/* Whether what was saved with tags can go on as now says: ERR_UNSUPPORTED with what differs.
 * now->version NULL: not known yet, not compared. */
int vmsnapshot_check(const struct vmsnapshot_tags *saved, const struct vmsnapshot_tags *now,
		     struct err *e);

int vmsnapshot_write_tags(int dir_fd, const struct vmsnapshot_tags *t, struct err *e);
/* ERR_CORRUPT, ERR_NOT_FOUND. */
int vmsnapshot_read_tags(int dir_fd, struct arena *a, struct vmsnapshot_tags *out, struct err *e);

/* Copy the pages that the process has of its own, of its one private writable mapping of this
 * size, over memory_fd.  The process must not run meanwhile, or they are not of one moment. */
int vmsnapshot_copy_memory(pid_t pid, uint64_t bytes, int memory_fd, struct err *e);

#endif
