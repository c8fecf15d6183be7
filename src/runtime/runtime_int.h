/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runtime_int - what the files of src/runtime share: the job, which is one process being made.
 * The parent fills it, clone() copies it, the child goes on with its copy.  See launch.c for the
 * order of things.
 */
#ifndef RUNTIME_RUNTIME_INT_H
#define RUNTIME_RUNTIME_INT_H

#include "base/arena.h"
#include "runtime/handshake.h"
#include "runtime/launch.h"
#include "runtime/nsset.h"
#include "runtime/seccomp.h"
#include "spec/plan.h"

struct job {
	const struct plan *plan;
	const struct plan_process *process;
	const struct launch_opts *opts;
	const char *id;
	struct arena arena;
	struct nsset ns;

	bool exec;	       /* one more process: no mounts, no hooks */
	bool rootless;	       /* the caller may not mount in its own mount namespace */
	bool userns;	       /* the process is in another user namespace than the caller */
	bool new_userns;       /* the process's user namespace is made here */
	bool await_map;	       /* and the parent will say when it is mapped */
	bool placed_by_parent; /* systemd puts us into the cgroup */
	bool no_clone_into;    /* clone3() is not to place the child in its v2 cgroup */
	bool heard;	       /* the child has said something */
	bool from_parent;      /* root and sources come over the socket, opened by the parent */

	/* exec: */
	int target;		   /* pidfd of the instance's process 1, or -1 */
	unsigned int target_flags; /* CLONE_NEW* still to join through it */
	bool target_user;	   /* the user namespace was among them */

	int lock;	       /* opts.lock, until it is closed, or -1 */
	int sync;	       /* the child's end */
	int peer;	       /* the parent's end */
	int bundle_fd;	       /* relative paths start here; O_PATH */
	struct cgroup *cgroup; /* or NULL */
	bool cgroup_v1;	       /* the host has v1 hierarchies */
	struct seccomp_program seccomp;
	int notify; /* connection to linux.seccomp.listenerPath, or -1 */

	/* The child's. */
	pid_t host_pid; /* own pid as the parent sees it */
	bool on_slash;	/* the root is attached on top of "/", not where it lies */
	int *late;	/* mounts that become read-only when all is made */
	size_t late_n;
	int root;	       /* the new root (mount root), O_PATH */
	int devpts;	       /* root of the devpts mounted at /dev/pts, or -1 */
	int proc;	       /* private procfs, see procfs.h, or -1 */
	int slave;	       /* the terminal, or -1 */
	int init;	       /* program of --init on a read-only mount of its own, or -1 */
	struct strs init_args; /* its argv */
	bool in_cgroup; /* the parent has told that we are, and the cgroup namespace is made */
	char *command;	/* path of the program, inside */
};

#endif
