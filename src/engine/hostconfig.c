/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/hostconfig.h"
#include "base/buf.h"
#include "base/opt.h"
#include "base/str.h"
#include "engine/devspec.h"
#include "engine/limits.h"
#include "engine/members.h"
#include "engine/request.h"
#include "fmt/publish.h"
#include "spec/plan.h"
#include "spec/policy.h"

#include <ctype.h>
#include <stdlib.h>

#define PORTS_SHOWN 256

void hostconfig_ports(struct members *w, const char *k, const struct strs *l, struct arena *a)
{
	char *inner[PORTS_SHOWN];
	size_t n = l->n < PORTS_SHOWN ? l->n : PORTS_SHOWN;

	members_open(w, k);
	for (size_t i = 0; i < n; i++) {
		const char *last = strrchr(l->v[i], ':');

		inner[i] = arena_dup(a, last ? last + 1 : l->v[i]);
	}
	for (size_t i = 0; i < n; i++) {
		bool first = true;

		for (size_t j = 0; j < i; j++)
			first &= !streq(inner[j], inner[i]);
		if (!first)
			continue;
		members_array(w, inner[i]);
		for (size_t j = i; j < n; j++) {
			char *host = arena_dup(a, l->v[j]), *last = strrchr(host, ':'), *mid;

			if (!last || !streq(inner[j], inner[i]))
				continue;
			*last = '\0';
			mid = strrchr(host, ':');
			members_item(w);
			if (mid)
				*mid = '\0';
			members_str(w, "HostIp", mid ? host : "0.0.0.0");
			members_str(w, "HostPort", mid ? mid + 1 : host);
			members_close(w);
		}
		members_end(w);
	}
	members_close(w);
}

/* As asked for: an address or port that was not given is empty. */
static void bindings(struct members *w, const struct strs *l, struct arena *a)
{
	struct strs each = {0};

	for (size_t i = 0; i < l->n; i++) {
		struct publish p;
		const char *ip;

		if (publish_parse(l->v[i], &p, NULL) < 0)
			continue;
		ip = arena_dupn(a, l->v[i],
				(size_t)(strrchr(l->v[i], ':') ?: l->v[i]) - (size_t)l->v[i]);
		ip = strrchr(ip, ':') ? arena_dupn(a, ip, (size_t)(strrchr(ip, ':') - ip)) : "";
		for (unsigned int k = 0; k <= (unsigned int)(p.port_last - p.port_first); k++) {
			const char *host =
			    p.host_first ? arena_printf(a, "%u", p.host_first + k) : "";

			arena_strs_add(a, &each,
				       arena_printf(a, "%s:%s:%u/%s", ip, host, p.port_first + k,
						    publish_proto_names[p.proto]));
		}
	}
	hostconfig_ports(w, "PortBindings", &each, a);
}

static void devices(struct members *w, const struct request *q, struct arena *a)
{
	members_array(w, "Devices");
	for (size_t i = 0; i < q->devices.n; i++) {
		struct devspec d;

		if (devspec_parse(q->devices.v[i], a, &d, NULL) < 0)
			continue;
		members_item(w);
		members_str(w, "PathOnHost", d.host);
		members_str(w, "PathInContainer", d.inside);
		members_str(w, "CgroupPermissions", d.access);
		members_close(w);
	}
	members_end(w);
}

/* DEVICE:VALUE each. */
static void device_values(struct members *w, const char *k, const char *value, const struct strs *l,
			  struct arena *a)
{
	members_array(w, k);
	for (size_t i = 0; i < l->n; i++) {
		const char *colon = strrchr(l->v[i], ':');
		uint64_t n = 0;

		if (!colon || opt_parse_bytes(colon + 1, &n) < 0)
			continue;
		members_item(w);
		members_str(w, "Path", arena_dupn(a, l->v[i], (size_t)(colon - l->v[i])));
		members_num(w, value, (int64_t)n);
		members_close(w);
	}
	members_end(w);
}

static void block_io(struct members *w, const struct request *q, struct arena *a)
{
	members_num(w, "BlkioWeight", q->blkio_weight);
	device_values(w, "BlkioWeightDevice", "Weight", &q->blkio_weight_devices, a);
	if (q->network_rate)
		members_str(w, "NetworkRate", q->network_rate);
	device_values(w, "BlkioDeviceReadBps", "Rate", &q->device_read_bps, a);
	device_values(w, "BlkioDeviceWriteBps", "Rate", &q->device_write_bps, a);
	device_values(w, "BlkioDeviceReadIOps", "Rate", &q->device_read_iops, a);
	device_values(w, "BlkioDeviceWriteIOps", "Rate", &q->device_write_iops, a);
}

static void ulimits(struct members *w, const struct request *q, struct arena *a)
{
	struct plan_rlimits l = {0};

	members_array(w, "Ulimits");
	if (limits_ulimits(q, a, &l, NULL) == 0)
		for (size_t i = 0; i < l.n; i++) {
			char *name = arena_dup(a, str_after(l.v[i].type, "RLIMIT_"));

			for (char *c = name; *c; c++)
				*c = (char)tolower((unsigned char)*c);
			members_item(w);
			members_str(w, "Name", name);
			members_num(w, "Hard", (int64_t)l.v[i].hard);
			members_num(w, "Soft", (int64_t)l.v[i].soft);
			members_close(w);
		}
	members_end(w);
}

/* DIR[:OPTIONS] each. */
static void tmpfs(struct members *w, const struct request *q, struct arena *a)
{
	if (!q->tmpfs.n)
		return;
	members_open(w, "Tmpfs");
	for (size_t i = 0; i < q->tmpfs.n; i++) {
		const char *said = q->tmpfs.v[i], *colon = strchrnul(said, ':');

		members_str(w, arena_dupn(a, said, (size_t)(colon - said)),
			    *colon ? colon + 1 : "");
	}
	members_close(w);
}

static void resources(struct members *w, const struct request *q, struct arena *a)
{
	members_num(w, "CpuShares", q->cpu_shares);
	members_num(w, "Memory", (int64_t)q->memory_bytes);
	members_num(w, "NanoCpus", q->nano_cpus);
	block_io(w, q, a);
	members_num(w, "CpuPeriod", q->cpu_period);
	members_num(w, "CpuQuota", q->cpu_quota);
	members_num(w, "CpuRealtimePeriod", q->cpu_rt_period);
	members_num(w, "CpuRealtimeRuntime", q->cpu_rt_runtime);
	members_str(w, "CpusetCpus", q->cpuset_cpus);
	members_str(w, "CpusetMems", q->cpuset_mems);
	devices(w, q, a);
	members_list(w, "DeviceCgroupRules", &q->device_rules, "null");
	members_raw(w, "DeviceRequests", "null");
	members_num(w, "MemoryReservation", (int64_t)q->memory_reservation);
	members_num(w, "MemorySwap", q->memory_swap);
	if (q->swappiness.set)
		members_num(w, "MemorySwappiness", q->swappiness.v);
	else
		members_raw(w, "MemorySwappiness", "null");
	members_yes(w, "OomKillDisable", q->oom_kill_disable);
	members_num(w, "PidsLimit", q->pids.set ? q->pids.v : 0);
	ulimits(w, q, a);
}

/* What namespaces it is in, in docker's words. */
static void modes(struct members *w, const struct request *q)
{
	members_str(w, "CgroupnsMode", q->cgroupns_host ? "host" : "private");
	members_str(w, "IpcMode", q->ipc_mode && *q->ipc_mode ? q->ipc_mode : "private");
	members_str(w, "PidMode", q->pid_mode);
	members_str(w, "UsernsMode", q->userns_mode ? q->userns_mode : "");
	members_str(w, "UTSMode", q->uts_host ? "host" : "");
}

static void security(struct members *w, const struct request *q, const struct plan *p)
{
	members_list(w, "CapAdd", &q->cap_add, "null");
	members_list(w, "CapDrop", &q->cap_drop, "null");
	members_list(w, "GroupAdd", &q->group_add, "null");
	members_yes(w, "Privileged", q->privileged);
	members_yes(w, "ReadonlyRootfs", q->read_only);
	members_list(w, "SecurityOpt", &q->security_opt, "null");
	members_list(w, "MaskedPaths", &p->linux_->masked_paths, "null");
	members_list(w, "ReadonlyPaths", &p->linux_->readonly_paths, "null");
}

void hostconfig_write(struct members *w, const struct request *q, const struct plan *p,
		      struct arena *a)
{
	struct policy policy = {0};

	members_open(w, "HostConfig");
	members_list(w, "Binds", &q->volumes, "null");
	members_list(w, "VolumesFrom", &q->volumes_from, "null");
	members_open(w, "LogConfig");
	members_str(w, "Type", q->log_driver ? q->log_driver : "json-file");
	members_map(w, "Config", &q->log_opts, a);
	members_close(w);
	members_str(w, "NetworkMode", q->network ? q->network : "bridge");
	bindings(w, &q->publish, a);
	policy_parse(q->restart, &policy, NULL);
	members_open(w, "RestartPolicy");
	members_str(w, "Name", policy_restart_names[policy.restart]);
	members_num(w, "MaximumRetryCount", policy.max);
	members_close(w);
	members_yes(w, "AutoRemove", q->auto_remove);
	members_str(w, "VolumeDriver", "");
	members_list(w, "Dns", &q->dns, "[]");
	members_list(w, "DnsOptions", &q->dns_options, "[]");
	members_list(w, "DnsSearch", &q->dns_search, "[]");
	members_list(w, "ExtraHosts", &q->hosts, "null");
	modes(w, q);
	members_num(w, "OomScoreAdj", q->oom_score.set ? q->oom_score.v : 0);
	members_yes(w, "PublishAllPorts", q->publish_all);
	security(w, q, p);
	tmpfs(w, q, a);
	members_num(w, "ShmSize", (int64_t)q->shm_bytes);
	members_map(w, "StorageOpt", &q->storage_opts, a);
	members_map(w, "Sysctls", &q->sysctls, a);
	members_map(w, "Annotations", &q->annotations, a);
	members_str(w, "Runtime", q->isolation == PLAN_VM ? "caisson-vm" : "caisson");
	members_str(w, "Isolation", plan_isolation_names[q->isolation]);
	members_str(w, "CgroupParent", q->cgroup_parent);
	members_yes(w, "Init", q->init);
	resources(w, q, a);
	members_close(w);
}
