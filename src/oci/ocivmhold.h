/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ocivmhold - the process that holds one virtual machine for caisson-oci, from `create` to the end
 * of its workload.
 *
 * It is the instance's process for the world: its pid is the state's, engines wait for it, signals
 * sent to it reach the workload, and it ends as the workload ended (the same code, the same
 * signal).  QEMU is its child and does not outlive it.
 *
 * Other commands reach it at the socket OCIVMHOLD_SOCKET in the state directory.  A connection
 * begins with one byte, with the three descriptors of a new process attached or none; then frames
 * of spec/wire.h:
 *
 *   START (stream 1)              STARTED or ERR
 *   EXEC (JSON plan_process)      STARTED (u32 pid in the guest) or ERR; EXIT at its end
 *   SIGNAL, RESIZE                nothing; to the process of this connection
 *
 * and ends with it: a process whose connection is closed is killed.
 */
#ifndef OCI_OCIVMHOLD_H
#define OCI_OCIVMHOLD_H

#include "vmm/vm.h"

#include <stdbool.h>

#define OCIVMHOLD_SOCKET "vm"

struct arena;
struct cgroup;

struct ocivmhold {
	struct plan *plan; /* gets the interfaces of the namespace */
	struct vm_files files;
	const struct cgroup *cgroup;
	bool enter; /* join the cgroup; else the parent puts us there */
	struct arena *arena;
	const char *net; /* network namespace: path, "" for a new one, NULL for the caller's */
	int sync;	 /* to the parent: it gets OK, sends START, gets OK; or ERR instead */
	int listener;
	int terminal; /* the workload's terminal on the host (its slave), or -1 */
};

/* In the new process.  Takes its stdio for the workload's.  Never returns. */
_Noreturn void ocivmhold_main(const struct ocivmhold *h);

/* For processes that stand for one in the guest. */

/* Own session, terminal (if any) as the controlling one and as transparent as a pipe: what a
 * terminal does is done by the one in the guest.  Signals are blocked. */
void ocivmhold_detach(int terminal);
/* Close everything from 3 up but these; -1 is skipped.  Sorts keep. */
void ocivmhold_close_others(int *keep, size_t n);
/* End as this wait status says. */
_Noreturn void ocivmhold_end(int status);

#endif
