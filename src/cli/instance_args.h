/* SPDX-License-Identifier: Apache-2.0 */
/* instance_args - the options that `run` and `create` share, and the request they make. */
#ifndef CLI_INSTANCE_ARGS_H
#define CLI_INSTANCE_ARGS_H

#include "base/opt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct request;
struct session;

/* Values of --isolation, --cgroupns and --vm-template, in the order of their names in
 * instance_opts.c. */
enum { ISOLATION_DEFAULT, ISOLATION_CONTAINER, ISOLATION_PROCESS, ISOLATION_VM, ISOLATION_HYPERV };
enum { CGROUPNS_PRIVATE, CGROUPNS_HOST };
enum { VM_TEMPLATE_AUTO, VM_TEMPLATE_OFF };
enum { ACCEL_AUTO, ACCEL_KVM, ACCEL_TCG };

/* Options of docker without a field here are refused by instance_opts.c. */
struct instance_args {
	bool rm, interactive, tty, read_only, publish_all, quiet, content_trust, oom_kill_disable,
	    init, privileged, vm_hugepages;
	const char *name, *hostname, *domainname, *workdir, *user, *ip, *ip6, *mac_address,
	    *platform, *cidfile;
	const char *entrypoint, *stop_signal, *restart, *health_cmd, *health_on_failure,
	    *log_driver, *cgroup_parent, *cpuset_cpus, *cpuset_mems, *uts, *userns, *runtime, *pid,
	    *ipc, *pod, *in, *network_rate;
	int isolation, pull; /* pull: enum image_pull_policy */
	int cgroupns, volume_driver, vm_template, accel;
	uint64_t memory, shm, memory_reservation, memory_swap; /* swap: UINT64_MAX is no limit */
	bool no_healthcheck;
	int64_t health_interval, health_timeout, health_start_period,
	    health_start_interval; /* ns */
	int64_t health_retries;
	int64_t cpus, pids, stop_timeout, oom_score, memory_swappiness, blkio_weight;
	int64_t cpu_period, cpu_quota, cpu_rt_period, cpu_rt_runtime, cpu_shares;
	struct opt_list log_opt, env, env_file, volume, volumes_from, mount, tmpfs, publish, dns,
	    add_host, expose, network, network_alias;
	struct opt_list attach, dns_option, dns_search, storage_opt;
	struct opt_list cap_add, cap_drop, security_opt, label, label_file, annotation, ulimit;
	struct opt_list group_add, sysctl, device, device_cgroup_rule, blkio_weight_device;
	struct opt_list device_read_bps, device_read_iops, device_write_bps, device_write_iops;
};

/* Every option, as a table of struct instance_args; in a command's table it is
 * INSTANCE_ARGS_OPTS(its struct, the member of this type). */
extern const struct opt instance_opts_table[];
#define INSTANCE_ARGS_OPTS(struct_, member)                                                        \
	OPT(struct_, member, .name = "instance", .type = OPT_TABLE, .table = instance_opts_table)

/* argv: image and command.  Strings are borrowed or in a. */
int instance_args_request(const struct instance_args *i, const struct session *s, int argc,
			  char **argv, struct arena *a, struct request *q, struct err *e);

/* KEY=VALUE from what -e and --env-file say. */
struct strs;
int instance_args_env(const struct opt_list *env, const struct opt_list *files,
		      const struct session *s, struct arena *a, struct strs *out, struct err *e);

/* Says once in a boot of the host, on standard error, that VMs are emulated. */
struct request;
struct session;
void instance_args_advise(struct session *s, const struct request *q);

/* Is a stream, "stdin", "stdout" or "stderr", to be attached? */
bool instance_args_attached(const struct instance_args *i, const char *stream);

/* Refuses an existing file before anything is made; then writes the id. */
int instance_args_cidfile_check(const char *option, const char *path, struct err *e);
int instance_args_cidfile_write(const char *option, const char *path, const char *id,
				struct err *e);

#endif
