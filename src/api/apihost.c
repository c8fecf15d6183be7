/* SPDX-License-Identifier: Apache-2.0 */
#include "api/apihost.h"
#include "api/apiread.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/request.h"
#include "spec/plan.h"

#include <inttypes.h>
#include <string.h>

/* What the command line's options are when nothing is said (cli/instance_opts.c). */
#define PIDS_PRESET 2048
#define SHM_PRESET  (64u << 20)

struct port_map {
	const char *host_ip, *host_port;
};
static const struct jbind_field port_fields[] = {
    JB(struct port_map, host_ip, "HostIp", JBIND_STR),
    JB(struct port_map, host_port, "HostPort", JBIND_STR), JB_END};
static const struct jbind port_table = {sizeof(struct port_map), port_fields, false};

struct bind_options {
	const char *propagation;
	bool no_recursion, make, no_recursive_ro, force_recursive_ro;
};
#define B(member, key, type) JB(struct bind_options, member, key, JBIND_##type)
static const struct jbind_field bind_fields[] = {
    B(propagation, "Propagation", STR),
    B(no_recursion, "NonRecursive", BOOL),
    B(make, "CreateMountpoint", BOOL),
    B(no_recursive_ro, "ReadOnlyNonRecursive", BOOL),
    B(force_recursive_ro, "ReadOnlyForceRecursive", BOOL),
    JB_END};
#undef B
static const struct jbind bind_table = {sizeof(struct bind_options), bind_fields, false};

struct driver {
	const char *name;
};
static const struct jbind_field driver_fields[] = {JB(struct driver, name, "Name", JBIND_STR),
						   JB_END};
static const struct jbind driver_table = {sizeof(struct driver), driver_fields, false};

struct volume_options {
	bool no_copy;
	const char *subpath;
	struct driver driver;
};
static const struct jbind_field volume_fields[] = {
    JB(struct volume_options, no_copy, "NoCopy", JBIND_BOOL),
    JB(struct volume_options, subpath, "Subpath", JBIND_STR),
    JB(struct volume_options, driver, "DriverConfig", JBIND_OBJ, .sub = &driver_table), JB_END};
static const struct jbind volume_table = {sizeof(struct volume_options), volume_fields, false};

struct tmpfs_options {
	int64_t size, mode;
};
static const struct jbind_field tmpfs_fields[] = {
    JB(struct tmpfs_options, size, "SizeBytes", JBIND_INT),
    JB(struct tmpfs_options, mode, "Mode", JBIND_INT), JB_END};
static const struct jbind tmpfs_table = {sizeof(struct tmpfs_options), tmpfs_fields, false};

struct mount {
	const char *type, *source, *target, *consistency;
	bool read_only;
	struct bind_options bind;
	struct volume_options volume;
	struct tmpfs_options tmpfs;
};
#define M(member, key, type, ...) JB(struct mount, member, key, JBIND_##type, ##__VA_ARGS__)
static const struct jbind_field mount_fields[] = {
    M(type, "Type", STR), M(source, "Source", STR), M(target, "Target", STR),
    M(read_only, "ReadOnly", BOOL),
    /* Of Docker Desktop: on Linux every mount is consistent. */
    M(consistency, "Consistency", STR), M(bind, "BindOptions", OBJ, .sub = &bind_table),
    M(volume, "VolumeOptions", OBJ, .sub = &volume_table),
    M(tmpfs, "TmpfsOptions", OBJ, .sub = &tmpfs_table), JB_END};
#undef M
static const struct jbind mount_table = {sizeof(struct mount), mount_fields, false};

struct throttle {
	const char *path;
	uint64_t rate;
};
static const struct jbind_field throttle_fields[] = {JB(struct throttle, path, "Path", JBIND_STR),
						     JB(struct throttle, rate, "Rate", JBIND_UINT),
						     JB_END};
static const struct jbind throttle_table = {sizeof(struct throttle), throttle_fields, false};

/* The same of another name. */
static const struct jbind_field weight_fields[] = {JB(struct throttle, path, "Path", JBIND_STR),
						   JB(struct throttle, rate, "Weight", JBIND_UINT),
						   JB_END};
static const struct jbind weight_table = {sizeof(struct throttle), weight_fields, false};

struct throttles {
	struct throttle *v;
	size_t n;
};

struct ulimit {
	const char *name;
	int64_t soft, hard;
};
static const struct jbind_field ulimit_fields[] = {
    JB(struct ulimit, name, "Name", JBIND_STR), JB(struct ulimit, soft, "Soft", JBIND_INT),
    JB(struct ulimit, hard, "Hard", JBIND_INT), JB_END};
static const struct jbind ulimit_table = {sizeof(struct ulimit), ulimit_fields, false};

struct device {
	const char *host, *inside, *rights;
};
static const struct jbind_field device_fields[] = {
    JB(struct device, host, "PathOnHost", JBIND_STR),
    JB(struct device, inside, "PathInContainer", JBIND_STR),
    JB(struct device, rights, "CgroupPermissions", JBIND_STR), JB_END};
static const struct jbind device_table = {sizeof(struct device), device_fields, false};

struct policy {
	const char *name;
	int64_t retries;
};
static const struct jbind_field policy_fields[] = {
    JB(struct policy, name, "Name", JBIND_STR),
    JB(struct policy, retries, "MaximumRetryCount", JBIND_INT), JB_END};
static const struct jbind policy_table = {sizeof(struct policy), policy_fields, false};

struct log {
	const char *type;
	struct jbind_map config;
};
static const struct jbind_field log_fields[] = {
    JB(struct log, type, "Type", JBIND_STR), JB(struct log, config, "Config", JBIND_MAP), JB_END};
static const struct jbind log_table = {sizeof(struct log), log_fields, false};

struct host {
	struct strs binds, dns, dns_options, dns_search, hosts, cap_add, cap_drop, security, rules,
	    groups, volumes_from;
	struct throttles read_bps, write_bps, read_iops, write_iops, weights;
	struct jbind_map tmpfs, sysctls, storage, annotations;
	const char *network, *cpus, *mems, *pid, *ipc, *parent, *cgroupns, *uts, *userns,
	    *isolation, *runtime, *driver, *file, *console, *ports, *masked, *readonly_paths;
	bool publish_all, privileged, auto_remove, read_only;
	const char *oom_kill_disable, *init; /* JSON: bools that may be null */
	uint64_t memory, reservation, shm;
	int64_t swap, nano_cpus, shares, period, quota, rt_period, rt_runtime, weight, oom_score;
	struct jbind_optint swappiness, pids;
	struct policy restart;
	struct log log;
	struct {
		struct mount *v;
		size_t n;
	} mounts;
	struct {
		struct ulimit *v;
		size_t n;
	} ulimits;
	struct {
		struct device *v;
		size_t n;
	} devices;
};
#define H(member, key, type, ...) JB(struct host, member, key, JBIND_##type, ##__VA_ARGS__)
static const struct jbind_field host_fields[] = {
    H(binds, "Binds", STRS), H(dns, "Dns", STRS), H(dns_options, "DnsOptions", STRS),
    H(dns_search, "DnsSearch", STRS), H(hosts, "ExtraHosts", STRS), H(cap_add, "CapAdd", STRS),
    H(cap_drop, "CapDrop", STRS), H(security, "SecurityOpt", STRS),
    H(rules, "DeviceCgroupRules", STRS), H(groups, "GroupAdd", STRS), H(tmpfs, "Tmpfs", MAP),
    H(sysctls, "Sysctls", MAP), H(storage, "StorageOpt", MAP), H(annotations, "Annotations", MAP),
    H(network, "NetworkMode", STR), H(cpus, "CpusetCpus", STR), H(mems, "CpusetMems", STR),
    H(pid, "PidMode", STR), H(ipc, "IpcMode", STR), H(parent, "CgroupParent", STR),
    H(cgroupns, "CgroupnsMode", STR), H(uts, "UTSMode", STR), H(userns, "UsernsMode", STR),
    H(isolation, "Isolation", STR), H(runtime, "Runtime", STR), H(driver, "VolumeDriver", STR),
    /* The client writes that file itself; the size of its terminal comes again by resize. */
    H(file, "ContainerIDFile", STR), H(console, "ConsoleSize", RAW), H(ports, "PortBindings", RAW),
    H(masked, "MaskedPaths", RAW), H(readonly_paths, "ReadonlyPaths", RAW),
    H(publish_all, "PublishAllPorts", BOOL), H(privileged, "Privileged", BOOL),
    H(auto_remove, "AutoRemove", BOOL), H(read_only, "ReadonlyRootfs", BOOL),
    H(oom_kill_disable, "OomKillDisable", RAW), H(init, "Init", RAW), H(memory, "Memory", UINT),
    H(reservation, "MemoryReservation", UINT), H(swap, "MemorySwap", INT),
    H(swappiness, "MemorySwappiness", OPTINT), H(shm, "ShmSize", UINT),
    H(nano_cpus, "NanoCpus", INT), H(shares, "CpuShares", INT), H(period, "CpuPeriod", INT),
    H(quota, "CpuQuota", INT), H(rt_period, "CpuRealtimePeriod", INT),
    H(rt_runtime, "CpuRealtimeRuntime", INT), H(weight, "BlkioWeight", INT),
    H(oom_score, "OomScoreAdj", INT), H(pids, "PidsLimit", OPTINT),
    H(restart, "RestartPolicy", OBJ, .sub = &policy_table),
    H(log, "LogConfig", OBJ, .sub = &log_table), H(mounts, "Mounts", LIST, .sub = &mount_table),
    H(volumes_from, "VolumesFrom", STRS),
    H(read_bps, "BlkioDeviceReadBps", LIST, .sub = &throttle_table),
    H(write_bps, "BlkioDeviceWriteBps", LIST, .sub = &throttle_table),
    H(read_iops, "BlkioDeviceReadIOps", LIST, .sub = &throttle_table),
    H(write_iops, "BlkioDeviceWriteIOps", LIST, .sub = &throttle_table),
    H(weights, "BlkioWeightDevice", LIST, .sub = &weight_table),
    H(ulimits, "Ulimits", LIST, .sub = &ulimit_table),
    H(devices, "Devices", LIST, .sub = &device_table), JB_END};
#undef H
static const struct jbind host_table = {sizeof(struct host), host_fields, false};

static const char *text_of(const char *s)
{
	return s && *s ? s : NULL;
}

static int wall(const struct host *h, int *out, struct err *e)
{
	const char *i = text_of(h->isolation), *r = text_of(h->runtime);
	bool vm = i && (streq(i, "vm") || streq(i, "hyperv"));

	if (i && !vm && !streq(i, "default") && !streq(i, "process") && !streq(i, "container"))
		return err_set(e, ERR_USAGE,
			       "HostConfig.Isolation is default, process, container, vm or hyperv, "
			       "not '%.40s'",
			       i);
	*out = vm ? PLAN_VM : PLAN_CONTAINER;
	if (!r || streq(r, "caisson"))
		return r && vm ? err_set(e, ERR_USAGE,
					 "HostConfig.Runtime 'caisson' and "
					 "HostConfig.Isolation contradict each other")
			       : 0;
	if (!streq(r, "caisson-vm"))
		return err_set(e, ERR_UNSUPPORTED,
			       "HostConfig.Runtime '%.60s' is not possible: caisson and caisson-vm "
			       "are",
			       r);
	if (i && !vm && !streq(i, "default"))
		return err_set(e, ERR_USAGE,
			       "HostConfig.Runtime 'caisson-vm' and "
			       "HostConfig.Isolation contradict each other");
	*out = PLAN_VM;
	return 0;
}

struct port_walk {
	struct arena *a;
	struct request *q;
	struct err *e;
};

static int publish(const char *port, struct json *list, void *arg)
{
	struct port_walk *w = arg;

	for (size_t i = 0; i < json_length(list) || (i == 0 && apiread_nothing(list)); i++) {
		struct port_map m = {0};
		int r = apiread_table(&port_table, json_at(list, i), &m, w->a,
				      "HostConfig.PortBindings.", w->e);

		if (r < 0)
			return r;
		m.host_ip = text_of(m.host_ip);
		if (m.host_ip && strchr(m.host_ip, ':') && *m.host_ip != '[')
			m.host_ip = arena_printf(w->a, "[%s]", m.host_ip);
		if (m.host_ip)
			arena_strs_add(w->a, &w->q->publish,
				       arena_printf(w->a, "%s:%s:%s", m.host_ip,
						    m.host_port ? m.host_port : "", port));
		else if (text_of(m.host_port))
			arena_strs_add(w->a, &w->q->publish,
				       arena_printf(w->a, "%s:%s", m.host_port, port));
		else
			arena_strs_add(w->a, &w->q->publish, arena_dup(w->a, port));
	}
	return 0;
}

static int bind_words(const struct mount *m, struct buf *b, struct err *e)
{
	const struct bind_options *o = &m->bind;

	if (text_of(o->propagation))
		buf_printf(b, ",bind-propagation=%s", o->propagation);
	if (o->no_recursion + o->no_recursive_ro + o->force_recursive_ro > 1)
		return err_set(e, ERR_USAGE,
			       "HostConfig.Mounts.BindOptions: NonRecursive, ReadOnlyNonRecursive "
			       "and ReadOnlyForceRecursive exclude each other");
	if (o->no_recursion)
		buf_puts(b, ",bind-recursive=disabled");
	if (o->no_recursive_ro)
		buf_puts(b, ",bind-recursive=writable");
	if (o->force_recursive_ro)
		buf_puts(b, ",bind-recursive=readonly");
	return 0;
}

static int volume_words(const struct mount *m, struct buf *b, struct err *e)
{
	const char *driver = text_of(m->volume.driver.name);

	if (driver && !streq(driver, "local"))
		return err_set(e, ERR_UNSUPPORTED,
			       "HostConfig.Mounts.VolumeOptions.DriverConfig.Name '%.60s': only "
			       "local is possible",
			       driver);
	if (m->volume.no_copy)
		buf_puts(b, ",volume-nocopy");
	if (text_of(m->volume.subpath))
		buf_printf(b, ",volume-subpath=%s", m->volume.subpath);
	return 0;
}

/* What -v does with a source that is missing and --mount does not: it becomes a directory. */
static bool made_when_missing(const struct mount *m)
{
	const struct bind_options *o = &m->bind;

	return o->make && streq(m->type, "bind") && text_of(m->source) && !strchr(m->source, ':') &&
	       !strchr(m->target, ':') && !text_of(o->propagation) && !o->no_recursion &&
	       !o->no_recursive_ro && !o->force_recursive_ro;
}

static int mount(const struct mount *m, struct arena *a, struct request *q, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(1 << 16);
	int r;

	if (!text_of(m->type) || !text_of(m->target))
		return err_set(e, ERR_USAGE, "HostConfig.Mounts wants Type and Target");
	if (made_when_missing(m)) {
		arena_strs_add(
		    a, &q->volumes,
		    arena_printf(a, "%s:%s%s", m->source, m->target, m->read_only ? ":ro" : ""));
		return 0;
	}
	if (m->bind.make)
		return err_set(e, ERR_UNSUPPORTED,
			       "HostConfig.Mounts.BindOptions.CreateMountpoint goes with no other "
			       "option and no ':' in a path");
	buf_printf(&b, "type=%s", m->type);
	if (text_of(m->source))
		buf_printf(&b, ",source=%s", m->source);
	buf_printf(&b, ",target=%s%s", m->target, m->read_only ? ",readonly" : "");
	r = bind_words(m, &b, e);
	if (r == 0)
		r = volume_words(m, &b, e);
	if (m->tmpfs.size)
		buf_printf(&b, ",tmpfs-size=%" PRId64, m->tmpfs.size);
	if (m->tmpfs.mode)
		buf_printf(&b, ",tmpfs-mode=%" PRIo64, m->tmpfs.mode);
	if (r == 0)
		r = buf_fail(&b, "HostConfig.Mounts", e);
	if (r < 0)
		return r;
	arena_strs_add(a, &q->mounts, arena_dup(a, b.p));
	return 0;
}

static int mounts(const struct host *h, struct arena *a, struct request *q, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < h->mounts.n; i++) {
		const struct mount *m = &h->mounts.v[i];
		const char *const paths[] = {m->type, m->source, m->target, m->volume.subpath,
					     m->bind.propagation};

		/* They would read as members of their own. */
		for (size_t k = 0; k < sizeof(paths) / sizeof(*paths); k++)
			if (paths[k] && strchr(paths[k], ','))
				return err_set(
				    e, ERR_UNSUPPORTED,
				    "HostConfig.Mounts: a path with a comma is not possible");
		r = mount(m, a, q, e);
	}
	for (size_t i = 0; i < h->tmpfs.n; i++)
		arena_strs_add(a, &q->tmpfs,
			       *h->tmpfs.v[i].value ? arena_printf(a, "%s:%s", h->tmpfs.v[i].key,
								   h->tmpfs.v[i].value)
						    : h->tmpfs.v[i].key);
	return r;
}

static void throttles(const struct throttles *l, struct arena *a, struct strs *out)
{
	for (size_t i = 0; i < l->n; i++)
		arena_strs_add(
		    a, out,
		    arena_printf(a, "%s:%" PRIu64, l->v[i].path ? l->v[i].path : "", l->v[i].rate));
}

static void lists(const struct host *h, struct arena *a, struct request *q)
{
	for (size_t i = 0; i < h->ulimits.n; i++) {
		const struct ulimit *u = &h->ulimits.v[i];

		arena_strs_add(a, &q->ulimits,
			       arena_printf(a, "%s=%" PRId64 ":%" PRId64, u->name ? u->name : "",
					    u->soft, u->hard));
	}
	for (size_t i = 0; i < h->devices.n; i++) {
		const struct device *d = &h->devices.v[i];

		arena_strs_add(a, &q->devices,
			       arena_printf(a, "%s:%s:%s", d->host ? d->host : "",
					    text_of(d->inside) ? d->inside
					    : d->host	       ? d->host
							       : "",
					    text_of(d->rights) ? d->rights : "rwm"));
	}
	throttles(&h->read_bps, a, &q->device_read_bps);
	throttles(&h->write_bps, a, &q->device_write_bps);
	throttles(&h->read_iops, a, &q->device_read_iops);
	throttles(&h->write_iops, a, &q->device_write_iops);
	throttles(&h->weights, a, &q->blkio_weight_devices);
	apiread_pairs(&h->sysctls, a, &q->sysctls);
	apiread_pairs(&h->storage, a, &q->storage_opts);
	apiread_pairs(&h->annotations, a, &q->annotations);
	apiread_pairs(&h->log.config, a, &q->log_opts);
}

static const char *policy(const struct host *h, struct arena *a)
{
	const char *name = text_of(h->restart.name);

	return name && h->restart.retries ? arena_printf(a, "%s:%" PRId64, name, h->restart.retries)
					  : name;
}

static void limits(const struct host *h, struct arena *a, struct request *q)
{
	q->memory_bytes = h->memory;
	q->memory_reservation = h->reservation;
	q->memory_swap = h->swap;
	/* Docker's clients say -1 for "as the host". */
	q->swappiness = h->swappiness;
	q->swappiness.set &= h->swappiness.v >= 0;
	q->oom_kill_disable = h->oom_kill_disable && streq(h->oom_kill_disable, "true");
	q->nano_cpus = h->nano_cpus;
	q->cpu_shares = h->shares;
	q->cpu_period = h->period;
	q->cpu_quota = h->quota;
	q->cpu_rt_period = h->rt_period;
	q->cpu_rt_runtime = h->rt_runtime;
	q->cpuset_cpus = text_of(h->cpus);
	q->cpuset_mems = text_of(h->mems);
	q->blkio_weight = h->weight;
	if (h->oom_score)
		q->oom_score = (struct jbind_optint){true, h->oom_score};
	q->restart = policy(h, a);
}

static int modes(const struct host *h, struct arena *a, struct request *q, struct err *e)
{
	const char *n = text_of(h->network);

	if (text_of(h->driver) && !streq(h->driver, "local"))
		return err_set(e, ERR_UNSUPPORTED,
			       "HostConfig.VolumeDriver '%.60s' is not possible: only local is",
			       h->driver);
	/* An empty list there means that nothing is hidden, which is more than nothing said. */
	if ((h->masked && !streq(h->masked, "null")) ||
	    (h->readonly_paths && !streq(h->readonly_paths, "null")))
		return err_set(e, ERR_UNSUPPORTED,
			       "HostConfig.MaskedPaths and ReadonlyPaths are not possible here");
	if (text_of(h->uts) && !streq(h->uts, "host"))
		return err_set(e, ERR_USAGE, "HostConfig.UTSMode is 'host' or nothing");
	if (text_of(h->cgroupns) && !streq(h->cgroupns, "host") && !streq(h->cgroupns, "private"))
		return err_set(e, ERR_USAGE, "HostConfig.CgroupnsMode is 'host' or 'private'");
	q->network = !n || streq(n, "default") ? "bridge" : n;
	q->uts_host = text_of(h->uts) != NULL;
	q->cgroupns_host = text_of(h->cgroupns) && streq(h->cgroupns, "host");
	q->pid_mode = text_of(h->pid);
	q->ipc_mode = text_of(h->ipc);
	q->userns_mode = text_of(h->userns);
	q->cgroup_parent = text_of(h->parent);
	q->log_driver = text_of(h->log.type);
	q->init = h->init && streq(h->init, "true");
	return wall(h, &q->isolation, e);
}

int apihost_read(const char *json, struct arena *a, struct request *q, struct err *e)
{
	struct port_walk w = {a, q, e};
	auto_json struct json *j = NULL;
	struct host h = {0};
	int r = json ? json_parse(json, strlen(json), "HostConfig", &j, e) : 0;

	if (r == 0)
		r = apiread_table(&host_table, j, &h, a, "HostConfig.", e);
	if (r < 0)
		return r;
	q->volumes = h.binds;
	q->dns = h.dns;
	q->dns_options = h.dns_options;
	q->dns_search = h.dns_search;
	q->hosts = h.hosts;
	q->cap_add = h.cap_add;
	q->cap_drop = h.cap_drop;
	q->security_opt = h.security;
	q->device_rules = h.rules;
	q->group_add = h.groups;
	q->volumes_from = h.volumes_from;
	q->publish_all = h.publish_all;
	q->privileged = h.privileged;
	q->auto_remove = h.auto_remove;
	q->read_only = h.read_only;
	q->shm_bytes = h.shm ? h.shm : SHM_PRESET;
	limits(&h, a, q);
	q->pids = (struct jbind_optint){true, h.pids.set && h.pids.v ? h.pids.v : PIDS_PRESET};
	lists(&h, a, q);
	r = mounts(&h, a, q, e);
	if (r == 0)
		r = modes(&h, a, q, e);
	return r < 0 ? r : apiread_each(h.ports, "HostConfig.PortBindings", publish, &w, e);
}

/* ---- POST /containers/{}/update ---- */

/* Of the table above what can change while it runs. */
static const char *const changeable[] = {
    "CpuShares",  "Memory",	 "CpuPeriod",	      "CpuQuota",      "CpuRealtimePeriod",
    "CpusetCpus", "CpusetMems",	 "MemoryReservation", "MemorySwap",    "CpuRealtimeRuntime",
    "NanoCpus",	  "BlkioWeight", "PidsLimit",	      "RestartPolicy", NULL};

static int can_change(const char *key, struct json *v, void *arg)
{
	struct err *e = arg;

	for (const char *const *k = changeable; *k; k++)
		if (streq(*k, key))
			return 0;
	return apiread_nothing(v)
		   ? 0
		   : err_set(e, ERR_UNSUPPORTED,
			     "%.60s cannot be changed once the instance is made", key);
}

int apihost_update(const char *text, size_t len, struct arena *a, struct request *change,
		   struct err *e)
{
	auto_json struct json *j = NULL;
	struct host h = {0};
	int r = apiread_parse(text, len, &j, e);

	if (r == 0 && json_is_object(j))
		r = json_each(j, can_change, e);
	if (r == 0)
		r = apiread_table(&host_table, j, &h, a, "", e);
	if (r < 0)
		return r;
	*change = (struct request){0};
	limits(&h, a, change);
	change->swappiness.set = false;
	if (h.pids.set)
		change->pids = (struct jbind_optint){true, h.pids.v ? h.pids.v : -1};
	return 0;
}
