/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup - the control group of one instance: limits, devices, numbers, freeze, kill.
 *
 * One object stands for the instance's directory in every hierarchy it uses.  Hosts are v2, v1 or
 * hybrid (v1 controllers beside a v2 tree, with or without controllers of its own); each controller
 * is used where the kernel has it.  On a hybrid host the v2 tree does freezing, killing and
 * waiting, because there they are atomic, even when it has no controllers.
 *
 * How a process gets in.  Moving another process takes a global lock whose first taker waits for an
 * RCU grace period: 11 to 15 ms measured on an idle v1 host (Linux 6.18), each time.  A process
 * that joins by itself does not.  So: clone3(CLONE_INTO_CGROUP) with cgroup_dir_fd() when that is
 * not -1, then the (single-threaded) child calls cgroup_enter() first thing.  cgroup_attach() is
 * for processes that are not ours to run code in.
 *
 * On v1 only the hierarchies that are needed are joined: those that account or schedule (memory,
 * pids, cpu, cpuacct, blkio), devices, the freezer when there is no v2 tree, and those a limit was
 * asked for.  cgroup_update() joins more when a new limit needs one.  CGROUP_ALL joins all that are
 * mounted.
 */
#ifndef RUNTIME_CGROUP_H
#define RUNTIME_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct buf;
struct cgroup;
struct err;
struct jbind_map;
struct plan_resources;

/* Names of the controllers with which an instance of ours can be limited here, "cpu,memory,pids".
 */
void cgroup_limits(char out[128]);

enum cgroup_driver { CGROUP_FS, CGROUP_SYSTEMD, CGROUP_DRIVER_MAX_ };

enum cgroup_flags {
	CGROUP_ALL = 1, /* every mounted v1 hierarchy, as runc does */
	CGROUP_DEFAULT_PIDS =
	    2,		      /* nobody asked for the pids limit: left out where it cannot be set */
	CGROUP_PATH_OURS = 4, /* nobody asked for this path: gone without where it cannot be made */
};

struct cgroup_request {
	/* linux.cgroupsPath.  CGROUP_FS: absolute from the hierarchies' roots, relative beneath the
	 * caller's own cgroup (v2: beside it, which may hold processes).  CGROUP_SYSTEMD:
	 * "slice:prefix:name".  NULL or "": named by id. */
	const char *path;
	const char *id; /* needed when path is not given, and for texts */
	enum cgroup_driver driver;
	unsigned int flags;			/* enum cgroup_flags */
	const struct plan_resources *resources; /* NULL: no limits */
	const struct jbind_map *annotations;	/* org.systemd.property.*; NULL: none */
	const char *bus; /* CGROUP_SYSTEMD: D-Bus socket path; NULL: systemd's own, then the bus */
};

/* Make the directories and apply the limits; nobody is in yet.
 * Errors: ERR_USAGE bad path or limit; ERR_CONFLICT the cgroup exists and is not empty, or is
 * frozen; ERR_DENIED a limit was asked for where we may not write (text: what to delegate),
 * or a path (runtime-spec config-linux.md, "Cgroups Path": used or an error);
 * ERR_UNSUPPORTED no such controller here, or no systemd.  Where we may not write and neither was
 * asked the result is a cgroup without directories: everything but numbers works as a no-op. */
int cgroup_create(const struct cgroup_request *rq, struct cgroup **cg, struct err *e);

/* An existing one: by the request that made it (relative paths: from the same place), or by what
 * cgroup_save() wrote, which is right from anywhere.  A cgroup that is gone opens, with nothing in
 * it, so that removal can run twice. */
int cgroup_open(const struct cgroup_request *rq, struct cgroup **cg, struct err *e);
int cgroup_open_saved(const char *json, struct cgroup **cg, struct err *e);
void cgroup_save(const struct cgroup *cg, struct buf *json);
void cgroup_close(struct cgroup *cg); /* NULL is fine; removes nothing */

/* The v2 directory for CLONE_INTO_CGROUP, or -1 where there is none.  Borrowed.  Below the
 * instance's top when the instance has handed controllers down, which forbids processes there. */
int cgroup_dir_fd(const struct cgroup *cg);

/* For the child itself, single-threaded, right after clone: join every hierarchy (again is fine).
 * Uses only descriptors of cg and async-signal-safe calls. */
int cgroup_enter(const struct cgroup *cg, struct err *e);
/* Move process pid in.  With CGROUP_SYSTEMD the unit is started by the first cgroup_attach(). */
int cgroup_attach(struct cgroup *cg, pid_t pid, struct err *e);
/* Like cgroup_enter() into a sub-cgroup: sub is relative; controllers "cpu,memory" or NULL: all. */
int cgroup_enter_sub(const struct cgroup *cg, const char *controllers, const char *sub,
		     struct err *e);

/* Where the engine's own long-lived processes are: apart from the instances, whose limits do not
 * reach them, and from whoever started them.  The caller, single-threaded, goes in, as far as it
 * may; where it may not it stays where it is.  If that took moving on v2, which is slow, the
 * directory is added to v2 (NULL: not needed): who is cloned into it has nothing to move. */
#define CGROUP_ASIDE "caisson-monitors"
void cgroup_aside(struct buf *v2);

/* Change limits: what is absent stays.  Device rules are replaced at once when any are given. */
int cgroup_update(struct cgroup *cg, const struct plan_resources *res, struct err *e);

/* Signal every process in it and below.  SIGKILL leaves nobody, also when frozen or forking
 * (returns when signals are sent, not when they are gone).  Empty is success. */
int cgroup_kill(struct cgroup *cg, int sig, struct err *e);

/* Returns when the state is reached.  ERR_TIMEOUT: a task would not freeze in 10 s; it is thawed.
 */
int cgroup_freeze(struct cgroup *cg, bool frozen, struct err *e);
int cgroup_freeze_state(const struct cgroup *cg, bool *frozen, struct err *e);

/* All processes in it and below; *pids is malloc'ed.  Returns how many. */
ssize_t cgroup_pids(const struct cgroup *cg, pid_t **pids, struct err *e);

struct cgroup_stats {
	uint64_t cpu_ns, cpu_user_ns, cpu_system_ns;
	uint64_t cpu_periods, cpu_throttled, cpu_throttled_ns;
	uint64_t memory_bytes;	     /* usage as the kernel counts it, with page cache */
	uint64_t memory_limit_bytes; /* UINT64_MAX: none */
	uint64_t memory_peak_bytes, memory_cache_bytes, memory_anon_bytes, memory_inactive_bytes;
	uint64_t memory_swap_bytes, memory_swap_limit_bytes, memory_kernel_bytes;
	uint64_t memory_failures; /* how often the limit was hit */
	uint64_t oom_kills;
	uint64_t pids, pids_limit; /* UINT64_MAX: none */
	uint64_t io_read_bytes, io_write_bytes, io_reads, io_writes;
};

/* Numbers of controllers that are not there are 0.  ERR_UNSUPPORTED without any directory. */
int cgroup_stats(const struct cgroup *cg, struct cgroup_stats *out, struct err *e);

/* A non-blocking descriptor that becomes readable at an OOM event (read and drop up to 4096 bytes,
 * then ask the count: it also wakes when the cgroup goes away).  The caller closes it. */
int cgroup_oom_fd(const struct cgroup *cg, struct err *e);
int cgroup_oom_kills(const struct cgroup *cg, uint64_t *count, struct err *e);

/* v2, user namespace: give the directory and the kernel's delegatable files to uid. */
int cgroup_chown(const struct cgroup *cg, uid_t uid, struct err *e);

/* Remove it with everything below it; waits up to 10 s for dying processes to leave.
 * Gone already is success.  ERR_CONFLICT: still in use. */
int cgroup_remove(struct cgroup *cg, struct err *e);

/* Where it lives, for mounts of type "cgroup" and for messages. */
struct cgroup_place {
	int version;		 /* 1 or 2 */
	const char *controllers; /* "cpu,cpuacct", "name=systemd"; v2: "" */
	const char *mount;	 /* mount point of the hierarchy on this host */
	const char *path;	 /* beneath it, without a leading slash */
	int fd;			 /* O_PATH directory, -1 when it is gone */
};
/* Borrowed; NULL ends nothing, use the count. */
size_t cgroup_places(const struct cgroup *cg, const struct cgroup_place **places);

static inline void cgroup_close_ptr(struct cgroup **cg)
{
	cgroup_close(*cg);
}
#define auto_cgroup __attribute__((cleanup(cgroup_close_ptr)))

#endif
