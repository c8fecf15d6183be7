/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/runwords.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/request.h"
#include "spec/plan.h"

#include <inttypes.h>
#include <string.h>

enum kind { STR, LIST, FLAG, BYTES, NUM, OPTNUM, NANO, TIME };

/* What is zero was not said. */
static const struct word {
	const char *option;
	enum kind kind;
	size_t off;
} words[] = {
#define W(member, option, kind)                                                                    \
	{                                                                                          \
		option, kind, offsetof(struct request, member)                                     \
	}
    W(platform, "platform", STR),
    W(env, "env", LIST),
    W(workdir, "workdir", STR),
    W(user, "user", STR),
    W(hostname, "hostname", STR),
    W(domainname, "domainname", STR),
    W(group_add, "group-add", LIST),
    W(attach, "attach", LIST),
    W(tty, "tty", FLAG),
    W(open_stdin, "interactive", FLAG),
    W(read_only, "read-only", FLAG),
    W(init, "init", FLAG),
    W(volumes, "volume", LIST),
    W(mounts, "mount", LIST),
    W(tmpfs, "tmpfs", LIST),
    W(volumes_from, "volumes-from", LIST),
    W(shm_bytes, "shm-size", BYTES),
    W(network, "network", STR),
    W(ip, "ip", STR),
    W(ip6, "ip6", STR),
    W(mac, "mac-address", STR),
    W(aliases, "network-alias", LIST),
    W(networks, "network", LIST),
    W(network_rate, "network-rate", STR),
    W(publish, "publish", LIST),
    W(expose, "expose", LIST),
    W(publish_all, "publish-all", FLAG),
    W(dns, "dns", LIST),
    W(dns_search, "dns-search", LIST),
    W(dns_options, "dns-option", LIST),
    W(hosts, "add-host", LIST),
    W(memory_bytes, "memory", BYTES),
    W(memory_reservation, "memory-reservation", BYTES),
    W(memory_swap, "memory-swap", NUM),
    W(swappiness, "memory-swappiness", OPTNUM),
    W(oom_kill_disable, "oom-kill-disable", FLAG),
    W(nano_cpus, "cpus", NANO),
    W(cpu_shares, "cpu-shares", NUM),
    W(cpu_period, "cpu-period", NUM),
    W(cpu_quota, "cpu-quota", NUM),
    W(cpu_rt_period, "cpu-rt-period", NUM),
    W(cpu_rt_runtime, "cpu-rt-runtime", NUM),
    W(cpuset_cpus, "cpuset-cpus", STR),
    W(cpuset_mems, "cpuset-mems", STR),
    W(blkio_weight, "blkio-weight", NUM),
    W(blkio_weight_devices, "blkio-weight-device", LIST),
    W(device_read_bps, "device-read-bps", LIST),
    W(device_write_bps, "device-write-bps", LIST),
    W(device_read_iops, "device-read-iops", LIST),
    W(device_write_iops, "device-write-iops", LIST),
    W(pids, "pids-limit", OPTNUM),
    W(ulimits, "ulimit", LIST),
    W(oom_score, "oom-score-adj", OPTNUM),
    W(privileged, "privileged", FLAG),
    W(pid_mode, "pid", STR),
    W(ipc_mode, "ipc", STR),
    W(cap_add, "cap-add", LIST),
    W(cap_drop, "cap-drop", LIST),
    W(security_opt, "security-opt", LIST),
    W(devices, "device", LIST),
    W(device_rules, "device-cgroup-rule", LIST),
    W(sysctls, "sysctl", LIST),
    W(cgroup_parent, "cgroup-parent", STR),
    W(storage_opts, "storage-opt", LIST),
    W(userns_mode, "userns", STR),
    W(labels, "label", LIST),
    W(annotations, "annotation", LIST),
    W(log_driver, "log-driver", STR),
    W(log_opts, "log-opt", LIST),
    W(health_cmd, "health-cmd", STR),
    W(health_on_failure, "health-on-failure", STR),
    W(no_healthcheck, "no-healthcheck", FLAG),
    W(health_interval_ns, "health-interval", TIME),
    W(health_timeout_ns, "health-timeout", TIME),
    W(health_start_period_ns, "health-start-period", TIME),
    W(health_start_interval_ns, "health-start-interval", TIME),
    W(health_retries, "health-retries", NUM),
    W(stop_signal, "stop-signal", STR),
    W(accel, "accel", STR),
    W(vm_hugepages, "vm-hugepages", FLAG),
    W(stop_timeout_s, "stop-timeout", OPTNUM),
#undef W
};

static const char *number(const struct word *w, int64_t v, struct arena *a)
{
	return arena_printf(a, "--%s=%" PRId64, w->option, v);
}

static const char *nano(const struct word *w, int64_t v, struct arena *a)
{
	return arena_printf(a, "--%s=%" PRId64 ".%09" PRId64, w->option, v / 1000000000,
			    v % 1000000000);
}

/* The '=' keeps a value that begins with '-' a value. */
static void add(const struct word *w, const void *at, struct arena *a, struct strs *out)
{
	const struct jbind_optint *o = at;
	const struct strs *l = at;
	const char *s = NULL;

	switch (w->kind) {
	case STR:
		if (*(const char *const *)at)
			s = arena_printf(a, "--%s=%s", w->option, *(const char *const *)at);
		break;
	case LIST:
		for (size_t i = 0; i < l->n; i++)
			arena_strs_add(a, out, arena_printf(a, "--%s=%s", w->option, l->v[i]));
		break;
	case FLAG:
		if (*(const bool *)at)
			s = arena_printf(a, "--%s", w->option);
		break;
	case BYTES:
		if (*(const uint64_t *)at)
			s = arena_printf(a, "--%s=%" PRIu64, w->option, *(const uint64_t *)at);
		break;
	case NUM:
		if (*(const int64_t *)at)
			s = number(w, *(const int64_t *)at, a);
		break;
	case OPTNUM:
		if (o->set)
			s = number(w, o->v, a);
		break;
	case NANO:
		if (*(const int64_t *)at)
			s = nano(w, *(const int64_t *)at, a);
		break;
	case TIME:
		if (*(const int64_t *)at)
			s = arena_printf(a, "%ss", nano(w, *(const int64_t *)at, a));
		break;
	}
	if (s)
		arena_strs_add(a, out, s);
}

/* What was disconnected from its first network is on the others alone, or on none. */
static void plug(struct request *q)
{
	if (!q->unplugged)
		return;
	q->network = q->networks.n ? NULL : "none";
	q->ip = q->mac = NULL;
	q->aliases = (struct strs){0};
}

int runwords_make(const struct request *request, struct arena *a, struct strs *out, struct err *e)
{
	struct request copy = *request;
	const struct request *q = &copy;

	plug(&copy);
	/* Its namespaces are others', by id. */
	if (q->pod || q->uts_mode || q->pod_share.n || q->pod_bare || q->pod_own_mounts ||
	    q->machine || q->machine_share.n)
		return err_set(e, ERR_UNSUPPORTED,
			       "what is in a pod or a machine, or is a pod, is not made anew");
	if (q->vm_linger || q->clock_offset_s)
		return err_set(e, ERR_UNSUPPORTED, "it is a build's step, and is not made anew");
	if (q->entrypoint.n > 1)
		return err_set(e, ERR_UNSUPPORTED,
			       "its entry point has %zu words, and --entrypoint says one",
			       q->entrypoint.n);
	/* By the API; --health-cmd says what a shell runs. */
	if (q->health_test.n && !(q->health_test.n == 2 && streq(q->health_test.v[0], "CMD-SHELL")))
		return err_set(e, ERR_UNSUPPORTED,
			       "its health check is a command of words, and --health-cmd is one "
			       "for a shell");
	if (q->health_test.n)
		copy.health_cmd = q->health_test.v[1];
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		add(&words[i], (const char *)q + words[i].off, a, out);
	if (q->isolation == PLAN_VM)
		arena_strs_add(a, out, "--isolation=vm");
	if (q->vm_cold)
		arena_strs_add(a, out, "--vm-template=off");
	if (q->cgroupns_host)
		arena_strs_add(a, out, "--cgroupns=host");
	if (q->uts_host)
		arena_strs_add(a, out, "--uts=host");
	if (q->entrypoint_set)
		arena_strs_add(
		    a, out,
		    arena_printf(a, "--entrypoint=%s", q->entrypoint.n ? q->entrypoint.v[0] : ""));
	arena_strs_add(a, out, q->image);
	for (size_t i = 0; i < q->args.n; i++)
		arena_strs_add(a, out, q->args.v[i]);
	return 0;
}
