/* SPDX-License-Identifier: Apache-2.0 */
/* vmm_int - what vm.c and vm_save.c know of one machine. */
#ifndef VMM_VMM_INT_H
#define VMM_VMM_INT_H

#include "base/arena.h"
#include "vmm/guestplan.h"
#include "vmm/qmp.h"
#include "vmm/vm.h"
#include "vmm/vmsnapshot.h"
#include "vmm/vmtemplate.h"

#define TEXT_MAX    16384
#define QMP_WAIT_MS 5000
/* What is in the memory file is not in the stream. */
#define IGNORE_SHARED "{\"capabilities\":[{\"capability\":\"x-ignore-shared\",\"state\":true}]}"

struct vm {
	struct arena arena;
	const struct plan *plan; /* our own copy: the greeting needs it after vm_start() */
	struct guestplan guest;
	struct strs send;     /* vm_files.send */
	struct share *shares; /* guest.share_count */
	struct qmp qmp;
	int agent_fd, text_fd, pidfd;
	pid_t pid;	/* 0 once reaped */
	int status;	/* wait status, when reaped */
	int *owned;	/* what QEMU is handed, in jail order */
	bool *borrowed; /* this one belongs to the caller */
	size_t owned_count;
	enum vm_role role;
	struct vmtemplate template;
	const char *env; /* of QEMU */
	int incoming;	 /* its descriptor of a clone's state */
	/* What somebody has to be who goes on from a snapshot of it; .vmm NULL: none is possible.
	 */
	struct vmsnapshot_tags tags;
	struct vmsnapshot_tags saved; /* of VM_RESUMED: what it was */
	char text[TEXT_MAX + 1];
	size_t text_len;
};

/* Write what QEMU knows besides the memory to state_fd; the machine stands still from then on. */
int vm_save_state(struct vm *vm, int state_fd, struct err *e);

#endif
