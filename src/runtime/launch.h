/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch - run a plan with the kernel's namespaces, mounts and cgroups: the container runtime.
 *
 * Used by caisson-oci, by caisson-monitor (engine containers) and by caisson-guest (inside a VM).
 * A launch has three moments: created (everything is set up, the process waits before execve),
 * started (execve succeeded) and ended (the caller reaps .pid and calls launch_cleanup()).
 *
 * The caller must be single-threaded, must not reap unknown children while a function of this
 * header runs, and its own executable should be out of the container's reach (runtime/selfexe.h,
 * CVE-2019-5736).  The caller's namespaces, working directory and descriptors are as before when a
 * function returns.  Source: OCI runtime-spec 1.2, runtime.md and config-linux.md.
 */
#ifndef RUNTIME_LAUNCH_H
#define RUNTIME_LAUNCH_H

#include <stdbool.h>
#include <sys/types.h>

struct cgroup;
struct err;
struct plan;
struct plan_hook_list;
struct plan_process;
struct strs;

enum launch_flags {
	LAUNCH_SYSTEMD_CGROUP = 1, /* cgroupsPath is "slice:prefix:name", made by systemd */
	LAUNCH_CGROUP_OPTIONAL =
	    2,			 /* rootless: no cgroup when none may be made and no limit asked */
	LAUNCH_SUBREAPER_OK = 4, /* exec: the caller is a subreaper already */
	LAUNCH_ENDS_WITH_CALLER = 16, /* killed when the calling thread dies */
	LAUNCH_PLAIN_NEWLINE = 8, /* the terminal leaves \n alone; the caller's own makes it \r\n */
};

struct launch_opts {
	int stdio[3];	    /* -1: /dev/null; unused with process.terminal */
	const char *bundle; /* directory against which relative paths of the plan are read */
	const char *id;	    /* for hooks; NULL: plan.caisson.id */
	int preserve_fds;   /* descriptors 3 .. 3+n-1 stay open in the process */
	bool no_pivot, no_new_keyring;
	const char *seccomp_cache; /* directory of compiled filters, NULL: none */
	/* A listening unix socket at which the created process waits for launch_release() from
	 * another program, instead of .sync; 0 or -1: none.  Stays the caller's. */
	int listener;
	/* A descriptor of the caller's whose lock means "I am at work"; the process, which may wait
	 * for days, must not hold it too.  0 or -1: none. */
	int lock;
	/* A detached mount that is the root, in the place of plan.caisson.rootfs; 0 or -1: none.
	 * Stays the caller's. */
	int root;
	const char *cgroup_saved; /* exec: what cgroup_save() gave; NULL: by the plan's path */
	/* exec: cgroups below the instance's, "SUB" or "CONTROLLER,...:SUB"; none: its own */
	const struct strs *cgroup_subs;
	int flags; /* enum launch_flags */
};
#define LAUNCH_OPTS_INIT ((struct launch_opts){.stdio = {0, 1, 2}, .listener = -1})

struct launch {
	pid_t pid; /* a child of the caller */
	int pidfd;
	int console; /* master of the process's terminal, or -1 */
	int sync;    /* to the waiting process; closed by launch_start() */
	struct cgroup *cgroup;
	bool rdt_made; /* the class of linux.intelRdt is new and goes with the instance */
};
#define LAUNCH_INIT ((struct launch){.pidfd = -1, .console = -1, .sync = -1})

/* Make the instance of p up to the point before execve.  Hooks prestart, createRuntime,
 * createContainer have run.  On failure nothing is left: no process, no cgroup, no mount.
 * Errors: ERR_USAGE for what the plan asks and cannot mean, ERR_UNSUPPORTED for what this kernel
 * or caller cannot do, ERR_SYSTEM. */
int launch_create(const struct plan *p, const struct launch_opts *o, struct launch *out,
		  struct err *e);

/* Release the process; returns when execve succeeded.  Hooks startContainer run before it;
 * poststart is the caller's (launch_hooks()).  ERR_NOT_EXEC / ERR_NO_COMMAND when the command
 * cannot be run: then the process has ended and must be reaped. */
int launch_start(struct launch *l, struct err *e);

/* The same over a connection to opts.listener, from another program. */
int launch_release(int conn, struct err *e);

/* One more process in the instance whose process 1 is init; it runs when this returns.  p gives
 * what belongs to the instance and not to the process (seccomp, cgroup path, personality). */
int launch_exec(const struct plan *p, pid_t init, const struct plan_process *process,
		const struct launch_opts *o, struct launch *out, struct err *e);

/* Run hooks in the caller's namespaces with the state (runtime-spec "State") on their stdin.
 * name: for messages ("poststart").  status: "creating" "created" "running" "stopped". */
int launch_hooks(const struct plan *p, const struct plan_hook_list *hooks, const char *name,
		 const struct launch_opts *o, const char *status, pid_t pid, struct err *e);

void launch_done(struct launch *l); /* closes descriptors; does not kill */

/* Remove the resctrl group of linux.intelRdt, when it has one; made: as struct launch said. */
void launch_remove_class(const struct plan *p, const char *id, bool made);

/* Remove what outlives the processes: the cgroup (whoever is left in it is killed), resctrl groups.
 */
int launch_cleanup(const struct plan *p, const struct launch_opts *o, struct err *e);

#endif
