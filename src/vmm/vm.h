/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vm - one running virtual machine for one plan: QEMU, its jail, its disks and the agent's stream.
 *
 * The caller (the monitor) owns a poll loop.  It watches three descriptors: vm_fd() carries the
 * frames of docs/protocols/guest.md, vm_text_fd() the last words of guest kernel and QEMU, and
 * vm_pidfd() becomes readable when the machine has ended.  All belong to the struct vm.
 *
 * Order: vm_start(); send what vm_first() wrote; at the guest's HELLO send what vm_greeting()
 * wrote; ...; vm_stop(); vm_done().
 *
 * With .templates a machine has one of three roles.  VM_COLD boots.  VM_MAKER boots without
 * anything of the instance: its answer to the greeting is one OK or ERR, then vm_freeze() makes it
 * a template, vm_done(), and vm_start() again gives the instance's machine.  VM_CLONE goes on from
 * a template; when it ends before its HELLO, vm_discard(), vm_done() and vm_start() with .cold.
 * With plan.caisson.vm.resume it is VM_RESUMED: it goes on from a snapshot (vmsnapshot.h), or
 * fails. QEMU dies with the calling thread (PR_SET_PDEATHSIG), so the caller stays alive as long as
 * the instance.
 */
#ifndef VMM_VM_H
#define VMM_VM_H

#include "spec/plan.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct arena;
struct buf;
struct err;
struct vm;

/* What vmm/ needs besides the plan.  Everything is borrowed for the call of vm_start(),
 * the plan too. */
struct vm_files {
	const char *const *kernel_dirs; /* NULL-terminated, searched in order; see vmm/kernel.h.
					   Unused when the plan names kernel and initrd itself. */
	const char *kernel;		/* the one of this name; NULL: the newest */
	const char *agent;		/* path of the static caisson-guest */
	const char *cache_dir;		/* made when missing: initramfs images, probe result */
	const char *guestmem;		/* path of caisson-guestmem.so; NULL: no templates */
	bool cold;			/* this time without a template */
	const char *qemu, *virtiofsd;	/* NULL: searched in the usual places */
	const char *const *send; /* NULL-terminated, may be NULL: compiled seccomp filters of the
				    host, kept by the guest under their base names, because
				    compiling is slow there.  One that is not there is skipped. */
	const int *taps;	 /* tap descriptors, in the order of plan.caisson.nics */
	size_t tap_count;
	uid_t uid; /* QEMU runs as this user and group when we are root; 0: chosen by the id */
	/* Runs in each new process of the machine before anything else, with that process's own
	 * getpid(), to join the instance's cgroup: cgroup_enter().  May be NULL. */
	int (*admit)(pid_t pid, void *arg, struct err *e);
	void *arg;
};

/* What a devices cgroup has to allow besides the usual nodes for the processes of a machine and who
 * starts it: /dev/kvm, and /dev/net/tun for the tap devices. */
struct plan_device_rules vm_device_rules(struct arena *a);

/* Path of the QEMU that is used when the caller names none, or NULL. */
const char *vm_find_qemu(void);

/* Start QEMU.  Returns when it runs (not when the guest is up: that is its HELLO).
 * Errors: ERR_NOT_FOUND no kernel, QEMU or virtiofsd (the message says what to install),
 * ERR_UNSUPPORTED a plan that a VM cannot keep, ERR_SYSTEM. */
int vm_start(const struct plan *p, const struct vm_files *files, struct vm **out, struct err *e);

int vm_fd(const struct vm *vm);	     /* agent stream, non-blocking */
int vm_text_fd(const struct vm *vm); /* call vm_text_read() when readable; -1 after its end */
int vm_pidfd(const struct vm *vm);
pid_t vm_pid(const struct vm *vm);

enum vm_role { VM_COLD, VM_MAKER, VM_CLONE, VM_RESUMED };
enum vm_role vm_role(const struct vm *vm);
/* What the guest is told before its HELLO: nothing, or WAKE. */
int vm_first(struct vm *vm, struct buf *out, struct err *e);
/* The maker has answered: keep its memory and state as a template.  Bounded by 15 s. */
int vm_freeze(struct vm *vm, struct err *e);
/* A snapshot of the running machine into an empty directory (vmsnapshot.h): first what it did not
 * change since it began, while it runs; then, when the guest has answered HOLD, the rest, for which
 * it stands still and goes on.  ERR_UNSUPPORTED a machine with shared directories.  On failure the
 * directory holds anything, and the machine goes on. */
int vm_save_begin(struct vm *vm, int dir_fd, struct err *e);
int vm_save(struct vm *vm, int dir_fd, struct err *e);
/* The machine did not do what it was started for: its template goes, and a maker's is not tried
 * again in this boot of the host. */
void vm_discard(struct vm *vm, const struct err *why);

/* The frames to send after the guest's HELLO: our HELLO, TIME, ENTROPY, NET, FILE, START, to one
 * that goes on from a snapshot ADOPT in its place; to a maker HELLO and PREPARE. */
int vm_greeting(struct vm *vm, struct buf *out, struct err *e);

/* Keep the newest 16 KiB of what guest console and QEMU print.  Returns 0 at its end, else 1. */
int vm_text_read(struct vm *vm);

/* After the machine ended by itself: fill *e with the best reason there is, such as "guest kernel
 * panicked: VFS: Unable to mount root fs" or what QEMU printed.  Always returns < 0. */
int vm_why(struct vm *vm, struct err *e);

/* Freeze and thaw the virtual CPUs.  Bounded by 5 s each. */
int vm_pause(struct vm *vm, struct err *e);
int vm_resume(struct vm *vm, struct err *e);

/* Each virtual CPU on one of the host's CPUs of the list ("0-3,7"), where it has as many.  Once the
 * guest said HELLO; again when the cpuset has changed.  ERR_SYSTEM. */
int vm_pin(struct vm *vm, const char *list, struct err *e);

/* How much memory the guest may keep; the rest goes back to the host as the guest lets go of it.
 * ERR_SYSTEM: the machine has no balloon, or its driver is not loaded yet. */
int vm_balloon(struct vm *vm, uint64_t bytes, struct err *e);

/* End the machine: POWEROFF through the agent when there is a disk to keep, SIGKILL after
 * timeout_ms, reap everything.  The agent's stream must stand at a frame border. */
int vm_stop(struct vm *vm, int timeout_ms, struct err *e);

/* Kills what still runs, removes what was on disk for it, closes, frees. */
void vm_done(struct vm *vm);

#endif
