/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine - the command line of QEMU for one virtual machine, from plain data.  Pure: the same
 * description gives the same words, so tests read them.
 *
 * Descriptors are numbers as QEMU will see them (vmjail.h maps them); QEMU opens nothing by name
 * but the kernel and the initramfs, which the jail puts where .kernel and .initrd say.
 */
#ifndef VMM_MACHINE_H
#define VMM_MACHINE_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

struct machine_disk {
	const char *serial; /* the guest finds it by this: "image", "rw" */
	const char *format; /* "raw", "vmdk" */
	const char *path;   /* "raw": it is named, and no descriptor; .fd is not 0 all the same */
	int fd;		    /* opened read-only when .readonly, else read-write; 0: empty place */
	const int *extents; /* vmdk: the files its descriptor names as /dev/fdset/<number> */
	size_t extent_count;
	bool readonly;
};

struct machine_nic {
	int fd; /* tap; 0: a place without a peer */
	const char *mac;
};

struct machine_share {
	int fd; /* connected to a vhost-user-fs back end */
	const char *tag;
};

struct machine {
	const char *qemu;
	const char *accel; /* "kvm" or "tcg" */
	const char *kernel, *initrd;
	bool acpi;	  /* the kernel finds virtio-mmio devices through ACPI only */
	uint64_t tsc_khz; /* of the guest's time stamp counter; 0 unknown */
	uint64_t memory_bytes;
	uint32_t cpus;
	int agent_fd, qmp_fd, text_fd;
	const struct machine_disk *disks;
	size_t disk_count;
	const struct machine_nic *nics;
	size_t nic_count;
	const struct machine_share *shares;
	size_t share_count;
	/* The guest's memory is this file (vmtemplate.h, vmsnapshot.h): written when the machine is
	 * to be frozen, mapped privately when it is open for reading only; 0: no file.  share=on
	 * says that it is no part of the machine's state; guestmem.c decides.  .memory_zero: only
	 * the file's size counts, the memory is ordinary. */
	int memory_fd;
	bool memory_zero;
	bool incoming;	/* it waits for state to go on from (QMP migrate-incoming) */
	bool hugepages; /* memory is the host's huge pages of 2 MiB, all of it taken at once */
};

#define MACHINE_MEMORY_MIN (96ull << 20)
/* virtio-mmio slots of QEMU's microvm with ACPI (second I/O APIC) and without. */
#define MACHINE_SLOTS_ACPI 24
#define MACHINE_SLOTS	   8

/* Appends argv[0] and all that follows to argv.
 * Errors: ERR_USAGE memory below MACHINE_MEMORY_MIN, ERR_LIMIT more devices than slots. */
int machine_args(const struct machine *m, struct arena *a, struct strs *argv, struct err *e);

#endif
