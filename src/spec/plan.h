/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan - how to run one instance, complete and immutable.
 *
 * A plan is the OCI runtime configuration (runtime-spec 1.2, config.json) as plain data, plus what
 * caisson adds under "caisson" (struct plan_caisson).  So one parser serves everything that runs
 * something: caisson-oci reads config.json from a bundle, the engine writes the same document into
 * a sealed memfd for the monitor, and the monitor sends it on to the guest agent of a VM.
 *
 * runtime/ and vmm/ know nothing but the plan and the descriptors they are handed.
 *
 * Absent numbers are struct jbind_optint with .set false, because 0 and -1 mean something in OCI.
 * Member names follow the specification; the JSON names stand in the tables of plan.c.
 * All memory belongs to the arena that was given to plan_parse().
 */
#ifndef SPEC_PLAN_H
#define SPEC_PLAN_H

#include "base/arena.h"
#include "fmt/jbind.h"
#include "spec/health.h"
#include "spec/logconf.h"

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct err;

enum plan_isolation { PLAN_CONTAINER, PLAN_VM, PLAN_ISOLATION_MAX_ };
extern const char *const plan_isolation_names[]; /* "container", "vm", NULL */

/* ---- process ---- */

struct plan_user {
	uint32_t uid, gid;
	struct jbind_optint umask;
	struct jbind_nums additional_gids;
	const char *username; /* informational */
	struct strs groups;   /* ours: more groups, names or ids, looked up inside */
};

struct plan_caps { /* names: "CAP_CHOWN" */
	struct strs bounding, effective, inheritable, permitted, ambient;
};

struct plan_rlimit {
	const char *type; /* "RLIMIT_NOFILE" */
	uint64_t soft, hard;
};
struct plan_rlimits {
	struct plan_rlimit *v;
	size_t n;
};

struct plan_scheduler {
	const char *policy; /* "SCHED_OTHER", ... */
	int32_t nice, priority;
	struct strs flags;
	uint64_t runtime, deadline, period; /* ns, SCHED_DEADLINE */
};

struct plan_ioprio {
	const char *class_; /* "IOPRIO_CLASS_RT" ... */
	int32_t priority;
};

struct plan_affinity {
	const char *initial, *final; /* "0-3,7" */
};

struct plan_console {
	uint32_t height, width;
};

struct plan_process {
	bool terminal;
	bool no_new_privileges;
	struct plan_console console_size;
	struct plan_user user;
	struct strs args, env;
	const char *cwd;
	const char *command_line;	/* Windows only: refused */
	struct plan_caps *capabilities; /* NULL: none at all */
	struct plan_rlimits rlimits;
	struct jbind_optint oom_score_adj;
	const char *apparmor_profile, *selinux_label;
	struct plan_scheduler *scheduler;
	struct plan_ioprio *io_priority;
	struct plan_affinity *exec_affinity;
	/* Ours, for a VM's guest: instead of a program, this request about the instance's files
	 * (files/filework.h). */
	struct strs files;
	/* Ours, for a VM's guest (guest/box.h): in this container of the machine and not in its
	 * main instance; box_plan: make it, with this plan. */
	const char *box, *box_plan;
};

/* ---- root and mounts ---- */

struct plan_idmap {
	uint32_t container_id, host_id, size;
};
struct plan_idmaps {
	struct plan_idmap *v;
	size_t n;
};

struct plan_root {
	const char
	    *path; /* OCI: directory, relative to the bundle.  Ours: NULL with .caisson.rootfs */
	bool readonly;
};

struct plan_mount {
	const char *destination, *type, *source;
	struct strs options;
	struct plan_idmaps uid_mappings, gid_mappings;
};
struct plan_mounts {
	struct plan_mount *v;
	size_t n;
};

/* ---- linux ---- */

struct plan_namespace {
	const char *type; /* "pid" "network" "mount" "ipc" "uts" "user" "cgroup" "time" */
	const char *path; /* NULL: a new one */
};
struct plan_namespaces {
	struct plan_namespace *v;
	size_t n;
};

struct plan_device {
	const char *path;
	const char *type; /* "c" "b" "u" "p" */
	int64_t major, minor;
	struct jbind_optint file_mode, uid, gid;
	const char *source; /* ours: where it is on the host, when not at .path */
};
struct plan_devices {
	struct plan_device *v;
	size_t n;
};

struct plan_device_rule {
	bool allow;
	const char *type; /* "a" "c" "b" or NULL = a */
	struct jbind_optint major, minor;
	const char *access; /* "rwm" */
};
struct plan_device_rules {
	struct plan_device_rule *v;
	size_t n;
};

struct plan_memory {
	struct jbind_optint limit, reservation, swap, kernel, kernel_tcp, swappiness;
	bool disable_oom_killer, use_hierarchy, check_before_update;
};

struct plan_cpu {
	struct jbind_optint shares, quota, burst, period, realtime_runtime, realtime_period, idle;
	const char *cpus, *mems;
};

struct plan_weight_device {
	int64_t major, minor;
	struct jbind_optint weight, leaf_weight;
};
struct plan_weight_devices {
	struct plan_weight_device *v;
	size_t n;
};
struct plan_throttle {
	int64_t major, minor;
	uint64_t rate;
};
struct plan_throttles {
	struct plan_throttle *v;
	size_t n;
};
struct plan_blkio {
	struct jbind_optint weight, leaf_weight;
	struct plan_weight_devices weight_devices;
	struct plan_throttles read_bps, write_bps, read_iops, write_iops;
};

struct plan_hugepage {
	const char *page_size; /* "2MB" */
	uint64_t limit;
};
struct plan_hugepages {
	struct plan_hugepage *v;
	size_t n;
};

struct plan_net_priority {
	const char *name;
	uint32_t priority;
};
struct plan_net_priorities {
	struct plan_net_priority *v;
	size_t n;
};
struct plan_network_cgroup {
	struct jbind_optint class_id;
	struct plan_net_priorities priorities;
};

struct plan_pids {
	struct jbind_optint limit;
};

struct plan_resources {
	struct plan_device_rules devices;
	struct plan_memory *memory;
	struct plan_cpu *cpu;
	struct plan_pids *pids;
	struct plan_blkio *block_io;
	struct plan_hugepages hugepages;
	struct plan_network_cgroup *network;
	const char *rdma_json;	  /* object: device -> {hcaHandles, hcaObjects} */
	struct jbind_map unified; /* cgroup v2 file -> value */
};

struct plan_seccomp_arg {
	uint32_t index;
	uint64_t value, value_two;
	const char *op; /* "SCMP_CMP_EQ" */
};
struct plan_seccomp_args {
	struct plan_seccomp_arg *v;
	size_t n;
};
struct plan_seccomp_rule {
	struct strs names;
	const char *action; /* "SCMP_ACT_ALLOW" */
	struct jbind_optint errno_ret;
	struct plan_seccomp_args args;
};
struct plan_seccomp_rules {
	struct plan_seccomp_rule *v;
	size_t n;
};
struct plan_seccomp {
	const char *default_action;
	struct jbind_optint default_errno_ret;
	struct strs architectures, flags;
	const char *listener_path, *listener_metadata;
	struct plan_seccomp_rules syscalls;
};

struct plan_rdt {
	const char *clos_id, *l3_schema, *bw_schema;
	struct strs schemata;
	bool enable_monitoring;
};

struct plan_personality {
	const char *domain; /* "LINUX" "LINUX32" */
	struct strs flags;
};

struct plan_memory_policy {
	const char *mode, *nodes; /* "MPOL_BIND", "0-3" */
	struct strs flags;	  /* "MPOL_F_STATIC_NODES" */
};

struct plan_time_offset {
	int64_t secs;
	uint32_t nanosecs;
};
struct plan_time_offsets {
	struct plan_time_offset *monotonic, *boottime;
};

struct plan_linux {
	struct plan_idmaps uid_mappings, gid_mappings;
	struct jbind_map sysctl;
	struct plan_resources *resources;
	const char *cgroups_path;
	struct plan_namespaces namespaces;
	struct plan_devices devices;
	struct plan_seccomp *seccomp;
	const char *rootfs_propagation;
	struct strs masked_paths, readonly_paths;
	const char *mount_label;
	struct plan_rdt *intel_rdt;
	struct plan_personality *personality;
	struct plan_time_offsets *time_offsets;
	const char *net_devices_json; /* object: host name -> {name} */
	struct plan_memory_policy *memory_policy;
};

/* ---- hooks ---- */

struct plan_hook {
	const char *path;
	struct strs args, env;
	struct jbind_optint timeout; /* seconds */
};
struct plan_hook_list {
	struct plan_hook *v;
	size_t n;
};
struct plan_hooks {
	struct plan_hook_list prestart, create_runtime, create_container, start_container,
	    poststart, poststop;
};

/* ---- what caisson adds ---- */

/* The writable root of an instance, made by the runtime in the instance's own mount namespace:
 * overlay of `lower` (topmost first) with upper and work.  The layers are mounted, each at its
 * path, in the mount namespace that layer_ns names (NULL: the caller's own). */
struct plan_rootfs {
	const char *layer_ns;	  /* path of a pinned mount namespace */
	struct strs lower;	  /* directories, topmost layer first; seen inside layer_ns.  VM
				     without .disk: one directory of the host that is shared as the
				     root itself, writable unless root.readonly */
	const char *upper, *work; /* directories; NULL with readonly or for a tmpfs upper */
	struct strs disk;    /* VM: files whose concatenation is the image's EROFS disk, in order */
	const char *disk_rw; /* VM: sparse ext4 file of the writable layer; NULL: tmpfs */
	const char *userns_options; /* extra overlay options, such as "userxattr" when rootless */
	const char *fuse; /* path of fuse-overlayfs, which makes it then; NULL: the kernel does */
};

struct plan_nic {
	const char *name;    /* inside: "eth0" */
	const char *mac;     /* "02:42:.." */
	const char *address; /* "172.30.0.2/16" */
	const char *gateway; /* NULL: no default route */
	/* IPv6: "fd12::5/128"; the gateway is the only neighbour, .subnet6 lies behind it, and with
	 * .gateway everything else.  Without .subnet6 neighbours are found on the link, and
	 * .gateway6 is the way to everything else. */
	const char *address6, *gateway6, *subnet6;
	const char
	    *tap; /* VM: name of the tap device on the host; fd is handed over by number order */
	int32_t mtu;
};
/* What the interfaces of a machine are called by before it is anybody's: the last byte is their
 * position in the plan. */
#define PLAN_NIC_BLANK_MAC "02:ca:15:50:6e:"
struct plan_nics {
	struct plan_nic *v;
	size_t n;
};

struct plan_vm {
	const char *accel;  /* "kvm" or "tcg"; NULL: what the probe says when it starts */
	const char *kernel; /* path of a vmlinux, with .initrd; NULL: the newest prepared one */
	const char *initrd; /* path of its initramfs, made by vmm/initramfs.h */
	uint64_t memory_bytes;
	uint32_t cpus;
	bool cold;	/* boot it, whatever templates there are */
	bool hugepages; /* its memory is the host's huge pages of 2 MiB */
	/* After the end of its main process it stays, for requests about its files, until it is
	 * killed. */
	bool linger;
	int64_t clock_offset_s; /* the guest's clock is so much ahead */
	const char *resume;	/* directory of the snapshot it goes on from (vmm/vmsnapshot.h) */
};

/* Who a machine is that goes on from a snapshot. */
struct plan_identity {
	const char *hostname;
	const char *machine_id; /* as plan_caisson.machine_id */
};

struct plan_caisson {
	int isolation;	/* enum plan_isolation */
	const char *id; /* 64 hex digits */
	const char *name;
	const char *state_dir; /* <root>/instances/<id>: record, log, exit */
	const char *run_dir;   /* <run-root>/instances/<id>: control socket */
	struct plan_rootfs rootfs;
	struct plan_nics nics;
	struct plan_vm *vm;
	const char *machine;   /* id of the VM in which it runs as a container; NULL: nowhere */
	const char *box_image; /* with it: 64 hex digits, the image as the guest knows it */
	const char *net_ns;    /* path of the instance's network namespace, NULL: the host's */
	bool open_stdin, stdin_once, auto_remove;
	const char *init;   /* program to start as process 1 (runtime/reaper.h), or NULL */
	const char *image;  /* as the user called it, for events */
	struct strs labels; /* KEY=VALUE, likewise */
	/* 32 hex digits: it begins with files that were another's, and gets a machine id and ssh
	 * host keys of its own (runtime/renew.h).  NULL: they are its own. */
	const char *machine_id;
	bool default_pids;     /* nobody asked for the pids limit: none where none can be set */
	struct health *health; /* NULL: none */
	const char *unhealthy; /* then: "kill", "stop"; NULL: nothing is done */
	struct logconf log;
	const char *restart;		   /* as of policy_parse() */
	int64_t restarts, restart_wait_ms; /* how often it was, and the wait before this run */
	const char *stop_signal;	   /* "SIGTERM" */
	int64_t stop_timeout_s;
	const char
	    *seccomp_profile; /* "default": the built-in one; "unconfined"; NULL: linux.seccomp */
	const char *seccomp_cache; /* directory of compiled programs */
};

struct plan {
	const char *oci_version;
	struct plan_process *process;
	struct plan_root *root;
	const char *hostname, *domainname;
	struct plan_mounts mounts;
	struct plan_linux *linux_;
	struct plan_hooks *hooks;
	struct jbind_map annotations;
	struct plan_caisson *caisson; /* NULL for a foreign bundle */
};

extern const struct jbind plan_table, plan_process_table, plan_resources_table, plan_nic_table,
    plan_seccomp_table, plan_identity_table;

/* Parse a config.json.  what names it in errors.  Checks syntax and types, not meaning. */
int plan_parse(const char *text, size_t len, const char *what, struct arena *a, struct plan **out,
	       struct err *e);
void plan_write(const struct plan *p, struct buf *out);

/* Path of the namespace of this type: NULL when the plan does not name the type, "" for a new one.
 */
const char *plan_namespace_path(const struct plan *p, const char *type);

#endif
