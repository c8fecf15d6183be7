/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request - what somebody asked for: the flags of `run` and `create`, or the body of the API's
 * create call, as plain data.  Kept in the instance's record, so that a restart builds the plan
 * anew from the same wishes.  Strings keep the form in which docker's users write them; their
 * meaning is checked by request_check() and plan_build(), before anything is created.
 */
#ifndef ENGINE_REQUEST_H
#define ENGINE_REQUEST_H

#include "base/arena.h"
#include "fmt/jbind.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

struct request {
	const char *image; /* as typed */
	const char *name;  /* NULL: one is generated */
	int isolation;	   /* enum plan_isolation */
	const char *platform;

	const char *pod;	   /* name or id of the pod it goes into */
	struct strs pod_share;	   /* of a pod: what its members share, or "none" */
	struct strs machine_share; /* of a pod's member in it: what it shares with the machine */
	const char *machine;	   /* name or id of the VM in which it runs as a container */
	bool pod_bare;		   /* of a pod: a record only, nothing of it runs */
	bool pod_own_mounts; /* of a member: the pod's mounts are for those that ask for them */

	struct strs args, env; /* env: KEY=VALUE, complete */
	struct strs entrypoint;
	bool entrypoint_set; /* an empty one clears the image's */
	const char *workdir, *user, *hostname, *domainname;
	struct strs group_add; /* names or ids */
	struct strs attach;    /* streams that were to be attached; empty: all */
	bool tty, open_stdin, auto_remove, read_only, init;

	struct strs volumes;	  /* SRC:DST[:OPTIONS] or DST */
	struct strs mounts;	  /* type=bind,source=..,target=..,readonly */
	struct strs tmpfs;	  /* DST[:OPTIONS] */
	struct strs volumes_from; /* INSTANCE[:ro|rw] */
	uint64_t shm_bytes;

	const char *network; /* "bridge", "none", "host", "container:ID" or a network's name */
	const char *ip6;
	const char *ip, *mac; /* its addresses there; NULL: chosen */
	struct strs aliases;  /* further names there */
	struct strs networks; /* further networks, as of netopt_parse() */
	bool unplugged;	      /* not on .network any more: it was disconnected */
	const char *network_rate; /* as of rate_parse(); NULL: no limit */
	struct strs publish;  /* [IP:][HOST:]INSTANCE[/PROTO] */
	struct strs expose;   /* PORT[-PORT][/PROTO] */
	bool publish_all;     /* those of .expose and of the image, too */
	struct strs dns, dns_search, dns_options;
	struct strs hosts; /* NAME:ADDRESS */

	uint64_t memory_bytes;	     /* 0: no limit, or a VM's default */
	uint64_t memory_reservation; /* 0: none */
	int64_t memory_swap;	     /* with memory; 0: not said, -1: no limit */
	struct jbind_optint swappiness;
	bool oom_kill_disable;
	int64_t nano_cpus;							  /* 0: no limit */
	int64_t cpu_shares, cpu_period, cpu_quota, cpu_rt_period, cpu_rt_runtime; /* 0: not said */
	const char *cpuset_cpus, *cpuset_mems;
	int64_t blkio_weight;
	struct strs blkio_weight_devices; /* DEVICE:WEIGHT */
	struct strs device_read_bps, device_write_bps, device_read_iops, device_write_iops;
	struct jbind_optint pids;      /* -1: no limit */
	struct strs ulimits;	       /* NAME=SOFT[:HARD] */
	struct jbind_optint oom_score; /* oom_score_adj */

	bool privileged;
	struct strs cap_add, cap_drop, security_opt; /* seccomp={...}: the profile's text */
	const char *pid_mode, *ipc_mode; /* "host", "container:ID", ...; NULL: its own */
	const char *uts_mode;		 /* "container:ID"; NULL: as .uts_host says */
	struct strs devices;		 /* HOST[:INSIDE][:rwm] */
	struct strs device_rules;	 /* "c 10:* rw" */
	struct strs sysctls;		 /* KEY=VALUE */
	const char *cgroup_parent;
	struct strs storage_opts; /* size=SIZE */
	bool cgroupns_host, uts_host;
	const char *userns_mode;	 /* as --userns says it; NULL: host */
	struct strs labels, annotations; /* KEY=VALUE */
	const char *log_driver;		 /* NULL: json-file */
	struct strs log_opts;		 /* KEY=VALUE */
	const char *health_cmd;		 /* for a shell; NULL: the image's */
	struct strs health_test;	 /* as an image says it ("CMD", ...), in its place */
	const char *health_on_failure;	 /* "kill", "stop"; NULL: nothing */
	bool no_healthcheck;
	int64_t health_interval_ns, health_timeout_ns, health_start_period_ns,
	    health_start_interval_ns, health_retries; /* 0: not said */
	const char *restart;			      /* "on-failure:3"; NULL: no */
	const char *stop_signal;
	struct jbind_optint stop_timeout_s;
	bool vm_cold;		/* --vm-template off */
	int64_t clock_offset_s; /* of a build: its clocks are so much ahead; a container's only
				 * those that do not tell the date */
	bool vm_linger;		/* of a build: the machine stays for its files, struct plan_vm */
	bool vm_hugepages;
	const char *accel; /* "kvm", "tcg"; NULL: as the probe says when it starts */
};

extern const struct jbind request_table;

/* What can be said without the image: names, sizes, flags that exclude each other.  Everything is
 * ERR_USAGE, naming what was typed, except ERR_UNSUPPORTED for what this isolation cannot do. */
int request_check(const struct request *q, struct err *e);

/* "TERM", "SIGTERM", "sigterm" or "15" to a number. ERR_USAGE otherwise. */
int request_signal(const char *s, struct err *e);
/* "SIGTERM", or NULL for a number without a name. */
const char *request_signal_name(int sig);

#endif
