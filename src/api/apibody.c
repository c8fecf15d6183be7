/* SPDX-License-Identifier: Apache-2.0 */
#include "api/apibody.h"
#include "api/apiread.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/request.h"
#include "fmt/json.h"
#include "spec/plan.h"

#include <inttypes.h>
#include <string.h>

/* What the command line's options are when nothing is said (cli/instance_opts.c). */
#define PIDS_PRESET 2048
#define SHM_PRESET  (64u << 20)
#define STOP_PRESET 10

/* ---- POST /containers/create ---- */

struct port_map {
	const char *host_ip, *host_port;
};
static const struct jbind_field port_fields[] = {
    JB(struct port_map, host_ip, "HostIp", JBIND_STR),
    JB(struct port_map, host_port, "HostPort", JBIND_STR), JB_END};
static const struct jbind port_table = {sizeof(struct port_map), port_fields, false};

struct mount {
	const char *type, *source, *target;
	bool read_only;
};
static const struct jbind_field mount_fields[] = {
    JB(struct mount, type, "Type", JBIND_STR), JB(struct mount, source, "Source", JBIND_STR),
    JB(struct mount, target, "Target", JBIND_STR),
    JB(struct mount, read_only, "ReadOnly", JBIND_BOOL), JB_END};
static const struct jbind mount_table = {sizeof(struct mount), mount_fields, false};

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
	    groups;
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
    H(ulimits, "Ulimits", LIST, .sub = &ulimit_table),
    H(devices, "Devices", LIST, .sub = &device_table), JB_END};
#undef H
static const struct jbind host_table = {sizeof(struct host), host_fields, false};

struct create {
	const char *hostname, *domainname, *user, *image, *workdir, *stop_signal;
	bool in, out, err, tty, open_stdin, once;
	struct strs env, cmd, expose, volumes;
	const char *entrypoint, *host, *networking; /* JSON */
	struct jbind_map labels;
	struct jbind_optint stop_timeout;
};
#define K(member, key, type) JB(struct create, member, key, JBIND_##type)
static const struct jbind_field create_fields[] = {K(hostname, "Hostname", STR),
						   K(domainname, "Domainname", STR),
						   K(user, "User", STR),
						   K(image, "Image", STR),
						   K(workdir, "WorkingDir", STR),
						   K(stop_signal, "StopSignal", STR),
						   K(in, "AttachStdin", BOOL),
						   K(out, "AttachStdout", BOOL),
						   K(err, "AttachStderr", BOOL),
						   K(tty, "Tty", BOOL),
						   K(open_stdin, "OpenStdin", BOOL),
						   K(once, "StdinOnce", BOOL),
						   K(env, "Env", STRS),
						   K(cmd, "Cmd", STRS),
						   K(expose, "ExposedPorts", KEYS),
						   K(volumes, "Volumes", KEYS),
						   K(entrypoint, "Entrypoint", RAW),
						   K(host, "HostConfig", RAW),
						   K(networking, "NetworkingConfig", RAW),
						   K(labels, "Labels", MAP),
						   K(stop_timeout, "StopTimeout", OPTINT),
						   JB_END};
#undef K
static const struct jbind create_table = {sizeof(struct create), create_fields, false};

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

static int mounts(const struct host *h, struct arena *a, struct request *q, struct err *e)
{
	for (size_t i = 0; i < h->mounts.n; i++) {
		const struct mount *m = &h->mounts.v[i];

		if (!text_of(m->type) || !text_of(m->target))
			return err_set(e, ERR_USAGE, "HostConfig.Mounts wants Type and Target");
		/* They would read as members of their own. */
		if (strchr(m->target, ',') || (m->source && strchr(m->source, ',')) ||
		    strchr(m->type, ','))
			return err_set(e, ERR_UNSUPPORTED,
				       "HostConfig.Mounts: a path with a comma is not possible");
		arena_strs_add(a, &q->mounts,
			       arena_printf(a, "type=%s%s%s,target=%s%s", m->type,
					    text_of(m->source) ? ",source=" : "",
					    m->source ? m->source : "", m->target,
					    m->read_only ? ",readonly" : ""));
	}
	for (size_t i = 0; i < h->tmpfs.n; i++)
		arena_strs_add(a, &q->tmpfs,
			       *h->tmpfs.v[i].value ? arena_printf(a, "%s:%s", h->tmpfs.v[i].key,
								   h->tmpfs.v[i].value)
						    : h->tmpfs.v[i].key);
	return 0;
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
	apiread_pairs(&h->sysctls, a, &q->sysctls);
	apiread_pairs(&h->storage, a, &q->storage_opts);
	apiread_pairs(&h->annotations, a, &q->annotations);
	apiread_pairs(&h->log.config, a, &q->log_opts);
}

static void limits(const struct host *h, struct request *q)
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
	q->pids = (struct jbind_optint){true, h->pids.set && h->pids.v ? h->pids.v : PIDS_PRESET};
}

static int modes(const struct host *h, struct arena *a, struct request *q, struct err *e)
{
	const char *n = text_of(h->network);
	const char *policy = text_of(h->restart.name);

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
	q->restart = policy && h->restart.retries
			 ? arena_printf(a, "%s:%" PRId64, policy, h->restart.retries)
			 : policy;
	return wall(h, &q->isolation, e);
}

static int host_config(const char *json, struct arena *a, struct request *q, struct err *e)
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
	q->publish_all = h.publish_all;
	q->privileged = h.privileged;
	q->auto_remove = h.auto_remove;
	q->read_only = h.read_only;
	q->shm_bytes = h.shm ? h.shm : SHM_PRESET;
	limits(&h, q);
	lists(&h, a, q);
	r = mounts(&h, a, q, e);
	if (r == 0)
		r = modes(&h, a, q, e);
	return r < 0 ? r : apiread_each(h.ports, "HostConfig.PortBindings", publish, &w, e);
}

/* "sh" and ["sh"] are both docker's; null and absent leave the image's, [] and [""] clear it. */
static int entrypoint(const char *json, struct arena *a, struct request *q, struct err *e)
{
	auto_json struct json *j = NULL;
	int r = json ? json_parse(json, strlen(json), "Entrypoint", &j, e) : 0;
	const char *s = json_string(j);

	if (r < 0 || !j)
		return r;
	q->entrypoint_set = true;
	if (s && *s)
		arena_strs_add(a, &q->entrypoint, arena_dup(a, s));
	if (s)
		return 0;
	for (size_t i = 0; i < json_length(j); i++) {
		s = json_string(json_at(j, i));
		if (!s)
			return err_set(e, ERR_USAGE, "Entrypoint is no list of strings");
		if (*s || json_length(j) > 1)
			arena_strs_add(a, &q->entrypoint, arena_dup(a, s));
	}
	return json_is_array(j) ? 0 : err_set(e, ERR_USAGE, "Entrypoint is no list of strings");
}

struct net_walk {
	const struct request *q;
	struct err *e;
};

static int endpoint(const char *name, struct json *v, void *arg)
{
	const struct net_walk *w = arg;

	if (!streq(name, "default") && !streq(name, w->q->network))
		return err_set(w->e, ERR_UNSUPPORTED,
			       "NetworkingConfig: a second network ('%.60s') is not possible here",
			       name);
	return apiread_nothing(v) ? 0
				  : err_set(w->e, ERR_UNSUPPORTED,
					    "NetworkingConfig.EndpointsConfig.%.60s: addresses and "
					    "aliases are not possible here",
					    name);
}

static int networking(const char *key, struct json *v, void *arg)
{
	const struct net_walk *w = arg;

	if (!streq(key, "EndpointsConfig"))
		return apiread_nothing(v) ? 0
					  : err_set(w->e, ERR_UNSUPPORTED,
						    "NetworkingConfig.%.60s is not known", key);
	return json_is_object(v) ? json_each(v, endpoint, arg) : 0;
}

static bool same_place(const char *x, size_t n, const char *y)
{
	size_t m = strlen(y);

	while (n > 1 && x[n - 1] == '/')
		n--;
	while (m > 1 && y[m - 1] == '/')
		m--;
	return n == m && strncmp(x, y, n) == 0;
}

/* Whether something of its own is mounted there: clients (compose, python's) name the destination
 * of a bind among the volumes, too. */
static bool is_mounted(const struct request *q, const char *place)
{
	for (size_t i = 0; i < q->volumes.n; i++) {
		const char *colon = strchr(q->volumes.v[i], ':');

		if (colon && same_place(colon + 1, strcspn(colon + 1, ":"), place))
			return true;
	}
	for (size_t i = 0; i < q->mounts.n; i++) {
		const char *target = strstr(q->mounts.v[i], ",target=") + strlen(",target=");

		if (same_place(target, strcspn(target, ","), place))
			return true;
	}
	for (size_t i = 0; i < q->tmpfs.n; i++)
		if (same_place(q->tmpfs.v[i], strcspn(q->tmpfs.v[i], ":"), place))
			return true;
	return false;
}

static int process(const struct create *b, struct arena *a, struct request *q, struct err *e)
{
	if (!text_of(b->image))
		return err_set(e, ERR_USAGE, "the body names no Image");
	q->image = b->image;
	q->hostname = text_of(b->hostname);
	q->domainname = text_of(b->domainname);
	q->user = text_of(b->user);
	q->workdir = text_of(b->workdir);
	q->stop_signal = text_of(b->stop_signal);
	q->stop_timeout_s =
	    b->stop_timeout.set ? b->stop_timeout : (struct jbind_optint){true, STOP_PRESET};
	q->tty = b->tty;
	q->open_stdin = b->open_stdin;
	q->args = b->cmd;
	q->expose = b->expose;
	q->env = b->env;
	for (size_t i = 0; i < b->env.n; i++)
		if (!strchr(b->env.v[i], '=') || *b->env.v[i] == '=')
			return err_set(e, ERR_UNSUPPORTED,
				       "Env: '%.60s' is not KEY=VALUE, and to remove one of the "
				       "image's is not possible",
				       b->env.v[i]);
	for (size_t i = 0; i < b->volumes.n; i++)
		if (!is_mounted(q, b->volumes.v[i]))
			arena_strs_add(a, &q->volumes, b->volumes.v[i]);
	if (b->in)
		arena_strs_add(a, &q->attach, "stdin");
	if (b->out)
		arena_strs_add(a, &q->attach, "stdout");
	if (b->err)
		arena_strs_add(a, &q->attach, "stderr");
	apiread_pairs(&b->labels, a, &q->labels);
	return entrypoint(b->entrypoint, a, q, e);
}

int apibody_create(const char *text, size_t len, struct arena *a, struct request *out,
		   struct err *e)
{
	struct net_walk w = {out, e};
	auto_json struct json *j = NULL;
	struct create b = {0};
	int r = apiread_parse(text, len, &j, e);

	*out = (struct request){0};
	if (r == 0)
		r = apiread_table(&create_table, j, &b, a, "", e);
	if (r == 0)
		r = host_config(b.host, a, out, e);
	if (r == 0)
		r = process(&b, a, out, e);
	return r < 0 ? r : apiread_each(b.networking, "NetworkingConfig", networking, &w, e);
}

/* ---- exec ---- */

#define X(member, key, type) JB(struct apibody_exec, member, key, JBIND_##type)
static const struct jbind_field exec_fields[] = {
    X(tty, "Tty", BOOL), X(in, "AttachStdin", BOOL), X(out, "AttachStdout", BOOL),
    X(err, "AttachStderr", BOOL), X(detach, "Detach", BOOL), /* it is said again at the start */
    X(user, "User", STR), X(workdir, "WorkingDir", STR), X(detach_keys, "DetachKeys", STR),
    X(env, "Env", STRS), X(args, "Cmd", STRS), X(size, "ConsoleSize", NUMS),
    X(said, "Container", STR), /* what the path says */
    /* Not the client's: cleared when it is one. */
    X(container, "caisson.container", STR), X(running, "caisson.running", BOOL),
    X(done, "caisson.done", BOOL), X(pid, "caisson.pid", INT), X(code, "caisson.code", INT),
    JB_END};
#undef X
const struct jbind apibody_exec_table = {sizeof(struct apibody_exec), exec_fields, false};

int apibody_exec(const char *text, size_t len, struct arena *a, struct apibody_exec *out,
		 struct err *e)
{
	auto_json struct json *j = NULL;
	int r = apiread_parse(text, len, &j, e);

	*out = (struct apibody_exec){0};
	if (r == 0)
		r = apiread_table(&apibody_exec_table, j, out, a, "", e);
	if (r < 0)
		return r;
	if (!out->args.n || !*out->args.v[0])
		return err_set(e, ERR_USAGE, "No exec command specified");
	out->container = NULL;
	out->running = out->done = false;
	out->pid = out->code = 0;
	return 0;
}

void apibody_size(const struct jbind_nums *n, unsigned int *rows, unsigned int *columns)
{
	if (n->n != 2 || n->v[0] < 1 || n->v[0] > 65535 || n->v[1] < 1 || n->v[1] > 65535)
		return;
	*rows = (unsigned int)n->v[0];
	*columns = (unsigned int)n->v[1];
}

struct start_body {
	bool detach, tty;
	struct jbind_nums size;
};
static const struct jbind_field start_fields[] = {
    JB(struct start_body, detach, "Detach", JBIND_BOOL),
    JB(struct start_body, tty, "Tty", JBIND_BOOL),
    JB(struct start_body, size, "ConsoleSize", JBIND_NUMS), JB_END};
static const struct jbind start_table = {sizeof(struct start_body), start_fields, false};

int apibody_start(const char *text, size_t len, struct arena *a, struct apibody_start *out,
		  struct err *e)
{
	auto_json struct json *j = NULL;
	struct start_body b = {0};
	int r = apiread_parse(text, len, &j, e);

	if (r == 0)
		r = apiread_table(&start_table, j, &b, a, "", e);
	if (r < 0)
		return r;
	*out = (struct apibody_start){.detach = b.detach, .tty = b.tty};
	apibody_size(&b.size, &out->rows, &out->columns);
	return 0;
}
