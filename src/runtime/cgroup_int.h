/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup_int - what the cgroup_*.c files share.  Not for others.
 *
 * A *tree* is a mounted hierarchy of this host, a *place* is the instance's directory in one.
 * Invariant: cg->of[c] is the place where controller c of this cgroup lives, or -1; the v2 place
 * (cg->unified) exists on every host that has a writable v2 tree, with or without controllers.
 */
#ifndef RUNTIME_CGROUP_INT_H
#define RUNTIME_CGROUP_INT_H

#include "base/arena.h"
#include "runtime/cgroup.h"

struct err;
struct jbind_optint;
struct plan_cpu;
struct plan_device_rules;
struct plan_resources;

/* name on v1, name on v2 ("" where there is none). */
#define CGROUP_CONTROLLERS(X)                                                                      \
	X(MEMORY, "memory", "memory")                                                              \
	X(PIDS, "pids", "pids")                                                                    \
	X(CPU, "cpu", "cpu")                                                                       \
	X(CPUACCT, "cpuacct", "")                                                                  \
	X(CPUSET, "cpuset", "cpuset")                                                              \
	X(BLKIO, "blkio", "io")                                                                    \
	X(DEVICES, "devices", "")                                                                  \
	X(FREEZER, "freezer", "")                                                                  \
	X(HUGETLB, "hugetlb", "hugetlb")                                                           \
	X(RDMA, "rdma", "rdma")                                                                    \
	X(MISC, "misc", "misc")                                                                    \
	X(NET_CLS, "net_cls", "")                                                                  \
	X(NET_PRIO, "net_prio", "")                                                                \
	X(PERF, "perf_event", "")

enum cgroup_ctl {
#define X(id, v1, v2) CGROUP_##id,
	CGROUP_CONTROLLERS(X)
#undef X
	    CGROUP_CTL_MAX_
};
#define CGROUP_BIT(c) (1U << (c))

#define CGROUP_TREES_MAX 24

struct cgroup_tree {
	int version;
	uint32_t controllers; /* CGROUP_BIT()s */
	const char *names;    /* as /proc/self/cgroup names it */
	const char *mount;
	const char *root; /* which cgroup is mounted there, as mountinfo says */
	/* The caller's own cgroup, beneath the mount: "" or "a/b".  v1: without CGROUP_ASIDE at its
	 * end, so that a relative path means the same there. */
	const char *own;
	bool aside; /* the caller is in CGROUP_ASIDE */
};

struct cgroup_host {
	struct arena arena;
	struct cgroup_tree tree[CGROUP_TREES_MAX];
	size_t n;
	int unified; /* index of the v2 tree, or -1 */
};

struct cgroup {
	struct arena arena;
	enum cgroup_driver driver;
	size_t n;
	struct cgroup_place place[CGROUP_TREES_MAX];
	signed char of[CGROUP_CTL_MAX_];
	int unified;
	/* v2: where a new process can go when the instance hands controllers down itself (systemd
	 * inside), which leaves no room for processes in its top directory; -1: the top. */
	int entry;
	bool denied;	  /* we may not write here and nobody asked us to */
	const char *path; /* what was asked for, cleaned; CGROUP_SYSTEMD: slices and unit */
	bool absolute;
	const char *unit, *slice, *bus; /* CGROUP_SYSTEMD */
	/* CGROUP_SYSTEMD: a sleeping child of ours that keeps a new scope, which systemd collects
	 * when it is empty, until the instance's own process is in; 0 when there is none. */
	pid_t keeper;
};

/* cgroup_host: this host's hierarchies, looked at once per process. */
const struct cgroup_host *cgroup_host_get(struct err *e);
int cgroup_host_parse(struct cgroup_host *h, char *mountinfo, char *self_cgroup);
uint32_t cgroup_host_bits(const char *list, int version); /* comma-separated */
const char *cgroup_host_name(enum cgroup_ctl c, int version);
bool cgroup_host_restricted(void);
/* The controllers (CGROUP_BIT()s) whose trees may be divided where a relative path goes. */
uint32_t cgroup_host_limits(void); /* not root of the initial user namespace */

/* cgroup_need: what limits ask for, as CGROUP_BIT()s; their names, comma-separated. */
uint32_t cgroup_need_asked(const struct plan_resources *r);
void cgroup_need_names(char out[128], uint32_t bits);

/* cgroup_enter: set cg->entry. */
void cgroup_enter_find(struct cgroup *cg);

/* cgroup_path: what cgroupsPath means. */
int cgroup_path_clean(struct arena *a, const char *path, const char **out, struct err *e);
int cgroup_path_unit(struct arena *a, const char *path, const char *id, const char **slice,
		     const char **unit, struct err *e);
int cgroup_path_slice(struct arena *a, const char *slice, const char **out, struct err *e);

/* cgroup_file: one file of a cgroup directory.  Writers name the file in *e; readers give -errno.
 */
/* cpuset.cpus and cpuset.mems, whose names and words are the same on both versions. */
int cgroup_file_cpuset(int dir, const struct plan_cpu *c, struct err *e);
__attribute__((format(printf, 4, 5))) int cgroup_file_put(int dir, const char *file, struct err *e,
							  const char *fmt, ...);
ssize_t cgroup_file_read(int dir, const char *file, char *buf, size_t size);
int cgroup_file_u64(int dir, const char *file, uint64_t *out); /* "max": UINT64_MAX */
/* The number behind the first line "key N"; -ENODATA without such a line. */
int cgroup_file_key(int dir, const char *file, const char *key, uint64_t *out);
bool cgroup_file_exists(int dir, const char *file);

/* Limits into the directories of one version. */
int cgroup_v1_apply(struct cgroup *cg, const struct plan_resources *r, struct err *e);
int cgroup_v1_cpuset_inherit(int parent, int dir, struct err *e);
int cgroup_v2_apply(struct cgroup *cg, const struct plan_resources *r, struct err *e);
uint32_t cgroup_v2_controllers(int dir); /* those available in dir */
int cgroup_v2_enable(int dir, uint32_t controllers);
/* Against a bare directory descriptor, for tests and for the two above. */
int cgroup_v2_memory(int dir, const struct plan_resources *r, struct err *e);
int cgroup_v2_cpu(int dir, const struct plan_resources *r, struct err *e);
int cgroup_v2_io(int dir, const struct plan_resources *r, struct err *e);
int cgroup_v2_unified(int dir, const struct plan_resources *r, struct err *e);

/* cgroup_convert: OCI's v1 units in v2's. */
uint64_t cgroup_convert_shares(uint64_t shares);
uint64_t cgroup_convert_blkio(uint64_t weight);
int cgroup_convert_swap(int64_t swap, int64_t memory, int64_t *out, struct err *e);
bool cgroup_convert_cpus(const char *list); /* "0-3,7": only such characters */
bool cgroup_convert_page(const char *size); /* "2MB" */
int cgroup_convert_rdma(const char *json, struct buf *lines, struct err *e);

/* cgroup_devices: device rules, normalised; v1 files and the v2 program. */
struct cgroup_device {
	bool allow;
	char type;	      /* 'a' 'b' 'c' */
	int64_t major, minor; /* -1: any */
	unsigned int access;  /* 1 mknod, 2 read, 4 write: BPF_DEVCG_ACC_* */
};
struct cgroup_device_list {
	struct cgroup_device *v;
	size_t n;
};
int cgroup_devices_list(struct arena *a, const struct plan_device_rules *rules,
			struct cgroup_device_list *out, struct err *e);
int cgroup_devices_v1(int dir, const struct plan_device_rules *rules, struct err *e);
int cgroup_devices_v2(int dir, const struct plan_device_rules *rules, struct err *e);

/* cgroup_pids: every process of the tree below dir, added to *v. */
struct cgroup_pid_list {
	pid_t *v;
	size_t n, cap;
};
int cgroup_pids_below(int dir, struct cgroup_pid_list *l, int depth);
/* The place whose cgroup.procs speaks for all, or -1. */
int cgroup_pids_place(const struct cgroup *cg);

/* cgroup_systemd: the unit. */
int cgroup_systemd_start(struct cgroup *cg, const struct cgroup_request *rq, struct err *e);
int cgroup_systemd_update(struct cgroup *cg, const struct plan_resources *r, struct err *e);
int cgroup_systemd_stop(struct cgroup *cg, struct err *e);
void cgroup_systemd_settle(struct cgroup *cg); /* the keeper may go */

#endif
