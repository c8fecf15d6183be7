/* SPDX-License-Identifier: Apache-2.0 */
/*
 * info - what this installation can do on this host, and what is missing for the rest.
 *
 * Everything is looked at when asked: nothing here is a constant of the build but the version.
 */
#ifndef ENGINE_INFO_H
#define ENGINE_INFO_H

#include "base/arena.h"
#include "fmt/jbind.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct session;

struct info_isolation {
	bool usable;
	const char *why; /* when it is not usable */
};

struct info_vm {
	bool usable;
	const char *why;
	const char *accel;	/* "kvm" or "tcg" */
	const char *accel_why;	/* what the probe saw */
	const char *kvm;	/* "usable" "emulated" "absent" "denied" */
	const char *hypervisor; /* path of QEMU, or NULL */
	const char *kernel;	/* version of the newest guest kernel, or NULL */
};

/* Of an ordinary user's engine. */
struct info_rootless {
	uint64_t ids;	     /* how many a container may use; 1: no ranges or no newuidmap */
	const char *outside; /* program of bridge networks: "pasta", "slirp4netns", or NULL */
	const char *limits;  /* cgroup controllers that can be used: "cpu,memory"; "" none */
};

struct info_counts {
	int64_t running, paused, stopped;
};

struct info {
	const char *version, *root, *run_root;
	const char *kernel, *os, *machine;
	int64_t cpus;
	uint64_t memory_bytes;
	const char *cgroup;	 /* "v1", "v2", "hybrid", "none" */
	const char *layer_form;	 /* "erofs" or "directory" */
	const char *root_driver; /* "overlayfs" (the kernel), "fuse-overlayfs" */
	int64_t images;
	struct info_counts instances;
	struct info_rootless *rootless; /* NULL: root's engine */
	struct info_isolation container;
	struct info_vm vm;
	struct strs security; /* walls the kernel offers: "seccomp" "apparmor" "selinux" "userns" */
	bool nftables;	      /* the nft program is here: bridge networks work */
	struct strs warnings;
};

#define INFO_EMULATED "VMs are emulated (tcg): slow, and QEMU does not call it a security boundary"

extern const struct jbind info_table;

/* "kvm" or "tcg", as the host answers now; NULL when it cannot be asked. */
const char *info_accelerator(struct session *s, struct arena *a);

/* Strings live in a.  A part that cannot be read becomes a warning, not a failure. */
int info_gather(struct session *s, struct arena *a, struct info *out, struct err *e);

#endif
