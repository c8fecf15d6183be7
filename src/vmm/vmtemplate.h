/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmtemplate - booted virtual machines that were frozen before they had a secret or a name, kept to
 * go on from, copy-on-write (docs/formats/template.md).
 *
 * A template is found by a hash of everything that must be the same: QEMU, kernel, initramfs and
 * its own command line, which has memory, CPUs, devices, accelerator and clock.  Only those that
 * were made since the host booted count: they need no fsync, and a host that changed makes new
 * ones.
 */
#ifndef VMM_VMTEMPLATE_H
#define VMM_VMTEMPLATE_H

#include <stdint.h>

struct arena;
struct err;
struct machine;

#define VMTEMPLATE_KEY 33 /* 32 hex digits */
#define VMTEMPLATE_MAX 8  /* as many are kept, those that were used last */

struct vmtemplate_parts {
	const char *kernel, *initrd, *guestmem; /* paths on the host, as far as the machine's words
						   do not say it all */
};

/* What m has that a template of it cannot: ERR_UNSUPPORTED with the reason.  Else the template's
 * own description, which has a place for each device and nothing in it, and its key. */
int vmtemplate_describe(const struct machine *m, const struct vmtemplate_parts *parts,
			struct arena *a, struct machine *out, char key[VMTEMPLATE_KEY],
			struct err *e);

/* The same machine with a place for each device and nothing in it. */
void vmtemplate_blank(const struct machine *m, struct arena *a, struct machine *out);
/* What a guest sees of this host's processor with KVM. */
struct buf;
void vmtemplate_cpu(struct buf *b);

enum vmtemplate_state {
	VMTEMPLATE_NONE,  /* another process is making it, or it cannot be made here */
	VMTEMPLATE_READY, /* memory_fd and state_fd are open for reading */
	VMTEMPLATE_EMPTY  /* ours to make: memory_fd (of its size), state_fd for writing */
};

struct vmtemplate {
	enum vmtemplate_state state;
	int dir, lock; /* of all templates; held while it is made */
	int memory_fd, state_fd;
	char key[VMTEMPLATE_KEY];
};
#define VMTEMPLATE_INIT                                                                            \
	((struct vmtemplate){.dir = -1, .lock = -1, .memory_fd = -1, .state_fd = -1})

/* dir is made when missing.  ERR_SYSTEM when that fails; the state says the rest. */
int vmtemplate_open(const char *dir, const char *key, uint64_t memory_bytes, struct vmtemplate *t,
		    struct err *e);
/* What was EMPTY is whole: from now on others find it.  Older ones go. */
int vmtemplate_publish(struct vmtemplate *t, struct err *e);
/* It did not work: nobody shall find it.  why: nor try to make it, until the host's next boot or
 * until somebody removes <key>.broken, which says why.  NULL: may be tried again. */
void vmtemplate_discard(struct vmtemplate *t, const char *why);
void vmtemplate_close(struct vmtemplate *t);

#endif
