/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/request.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/join.h"
#include "engine/netspec.h"
#include "engine/usernsmode.h"
#include "fmt/publish.h"
#include "spec/logconf.h"
#include "spec/plan.h"
#include "spec/policy.h"
#include "spec/sysctl.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A string of execve() with its NUL (MAX_ARG_STRLEN, execve(2)). */
#define ARG_LEN_MAX (128u << 10)

#define F(m, type, ...) JB(struct request, m, #m, type, ##__VA_ARGS__)

static const struct jbind_field fields[] = {
    F(image, JBIND_STR),
    F(name, JBIND_STR),
    F(isolation, JBIND_ENUM, .names = plan_isolation_names),
    F(vm_cold, JBIND_BOOL),
    F(vm_hugepages, JBIND_BOOL),
    F(accel, JBIND_STR),
    F(vm_linger, JBIND_BOOL),
    F(clock_offset_s, JBIND_INT),
    F(platform, JBIND_STR),
    F(pod, JBIND_STR),
    F(pod_share, JBIND_STRS),
    F(pod_bare, JBIND_BOOL),
    F(pod_own_mounts, JBIND_BOOL),
    F(machine, JBIND_STR),
    F(machine_share, JBIND_STRS),
    F(args, JBIND_STRS),
    F(env, JBIND_STRS),
    F(entrypoint, JBIND_STRS),
    F(entrypoint_set, JBIND_BOOL),
    F(workdir, JBIND_STR),
    F(user, JBIND_STR),
    F(hostname, JBIND_STR),
    F(domainname, JBIND_STR),
    F(group_add, JBIND_STRS),
    F(attach, JBIND_STRS),
    F(tty, JBIND_BOOL),
    F(open_stdin, JBIND_BOOL),
    F(auto_remove, JBIND_BOOL),
    F(read_only, JBIND_BOOL),
    F(init, JBIND_BOOL),
    F(volumes, JBIND_STRS),
    F(mounts, JBIND_STRS),
    F(tmpfs, JBIND_STRS),
    F(volumes_from, JBIND_STRS),
    F(shm_bytes, JBIND_UINT),
    F(network, JBIND_STR),
    F(ip, JBIND_STR),
    F(ip6, JBIND_STR),
    F(mac, JBIND_STR),
    F(aliases, JBIND_STRS),
    F(networks, JBIND_STRS),
    F(unplugged, JBIND_BOOL),
    F(publish, JBIND_STRS),
    F(expose, JBIND_STRS),
    F(publish_all, JBIND_BOOL),
    F(dns, JBIND_STRS),
    F(dns_search, JBIND_STRS),
    F(dns_options, JBIND_STRS),
    F(hosts, JBIND_STRS),
    F(memory_bytes, JBIND_UINT),
    F(memory_reservation, JBIND_UINT),
    F(memory_swap, JBIND_INT),
    F(swappiness, JBIND_OPTINT),
    F(oom_kill_disable, JBIND_BOOL),
    F(nano_cpus, JBIND_INT),
    F(cpu_shares, JBIND_INT),
    F(cpu_period, JBIND_INT),
    F(cpu_quota, JBIND_INT),
    F(cpu_rt_period, JBIND_INT),
    F(cpu_rt_runtime, JBIND_INT),
    F(cpuset_cpus, JBIND_STR),
    F(cpuset_mems, JBIND_STR),
    F(blkio_weight, JBIND_INT),
    F(blkio_weight_devices, JBIND_STRS),
    F(network_rate, JBIND_STR),
    F(device_read_bps, JBIND_STRS),
    F(device_write_bps, JBIND_STRS),
    F(device_read_iops, JBIND_STRS),
    F(device_write_iops, JBIND_STRS),
    F(pids, JBIND_OPTINT),
    F(ulimits, JBIND_STRS),
    F(oom_score, JBIND_OPTINT),
    F(privileged, JBIND_BOOL),
    F(pid_mode, JBIND_STR),
    F(ipc_mode, JBIND_STR),
    F(uts_mode, JBIND_STR),
    F(cap_add, JBIND_STRS),
    F(cap_drop, JBIND_STRS),
    F(security_opt, JBIND_STRS),
    F(devices, JBIND_STRS),
    F(device_rules, JBIND_STRS),
    F(sysctls, JBIND_STRS),
    F(cgroup_parent, JBIND_STR),
    F(storage_opts, JBIND_STRS),
    F(cgroupns_host, JBIND_BOOL),
    F(uts_host, JBIND_BOOL),
    F(userns_mode, JBIND_STR),
    F(labels, JBIND_STRS),
    F(annotations, JBIND_STRS),
    F(log_driver, JBIND_STR),
    F(log_opts, JBIND_STRS),
    F(health_cmd, JBIND_STR),
    F(health_test, JBIND_STRS),
    F(health_on_failure, JBIND_STR),
    F(no_healthcheck, JBIND_BOOL),
    F(health_interval_ns, JBIND_INT),
    F(health_timeout_ns, JBIND_INT),
    F(health_start_period_ns, JBIND_INT),
    F(health_start_interval_ns, JBIND_INT),
    F(health_retries, JBIND_INT),
    F(restart, JBIND_STR),
    F(stop_signal, JBIND_STR),
    F(stop_timeout_s, JBIND_OPTINT),
    JB_END,
};
const struct jbind request_table = {.size = sizeof(struct request), .fields = fields};

static const struct {
	const char *name;
	int sig;
} signals[] = {
    {"SIGHUP", SIGHUP},	  {"SIGINT", SIGINT},	    {"SIGQUIT", SIGQUIT}, {"SIGILL", SIGILL},
    {"SIGTRAP", SIGTRAP}, {"SIGABRT", SIGABRT},	    {"SIGBUS", SIGBUS},	  {"SIGFPE", SIGFPE},
    {"SIGKILL", SIGKILL}, {"SIGUSR1", SIGUSR1},	    {"SIGSEGV", SIGSEGV}, {"SIGUSR2", SIGUSR2},
    {"SIGPIPE", SIGPIPE}, {"SIGALRM", SIGALRM},	    {"SIGTERM", SIGTERM}, {"SIGSTKFLT", SIGSTKFLT},
    {"SIGCHLD", SIGCHLD}, {"SIGCONT", SIGCONT},	    {"SIGSTOP", SIGSTOP}, {"SIGTSTP", SIGTSTP},
    {"SIGTTIN", SIGTTIN}, {"SIGTTOU", SIGTTOU},	    {"SIGURG", SIGURG},	  {"SIGXCPU", SIGXCPU},
    {"SIGXFSZ", SIGXFSZ}, {"SIGVTALRM", SIGVTALRM}, {"SIGPROF", SIGPROF}, {"SIGWINCH", SIGWINCH},
    {"SIGIO", SIGIO},	  {"SIGPWR", SIGPWR},	    {"SIGSYS", SIGSYS},	  {"SIGPOLL", SIGPOLL},
    {"SIGIOT", SIGIOT},
};

/* "RTMIN", "RTMIN+3", "RTMAX-2": images of systemd ask for SIGRTMIN+3 to be stopped. */
static int realtime_signal(const char *s)
{
	const char *rest = str_after(s, "RTMIN");
	bool min = rest != NULL;
	long off = 0;
	char *end;

	if (!rest)
		rest = str_after(s, "RTMAX");
	if (!rest)
		return -1;
	if (*rest) {
		if (*rest != (min ? '+' : '-') || !isdigit((unsigned char)rest[1]))
			return -1;
		off = strtol(rest + 1, &end, 10);
		if (*end || off > SIGRTMAX - SIGRTMIN)
			return -1;
	}
	return min ? SIGRTMIN + (int)off : SIGRTMAX - (int)off;
}

int request_signal(const char *s, struct err *e)
{
	const char *name = strncasecmp(s, "SIG", 3) == 0 ? s + 3 : s;
	char *end;
	long n;

	if (isdigit((unsigned char)*s)) {
		n = strtol(s, &end, 10);
		if (!*end && n > 0 && n <= 64)
			return (int)n;
		return err_set(e, ERR_USAGE, "invalid signal '%s'", s);
	}
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (strcasecmp(signals[i].name + 3, name) == 0)
			return signals[i].sig;
	n = realtime_signal(name);
	return n > 0 ? (int)n : err_set(e, ERR_USAGE, "invalid signal '%s'", s);
}

const char *request_signal_name(int sig)
{
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (signals[i].sig == sig)
			return signals[i].name;
	return NULL;
}

/* RFC 1123 labels, as the kernel and resolvers want them: at most 64 bytes (sethostname(2)). */
static int check_hostname(const char *option, const char *s, struct err *e)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && !(i && strchr("-._", s[i])))
			n = 0;
	if (!n || n > 64)
		return err_set(e, ERR_USAGE,
			       "invalid --%s '%.80s': letters, digits, '-' and '.', at most 64",
			       option, s);
	return 0;
}

static int check_env(const struct strs *env, struct err *e)
{
	for (size_t i = 0; i < env->n; i++) {
		if (*env->v[i] == '=' || !strchr(env->v[i], '='))
			return err_set(e, ERR_USAGE, "invalid environment variable '%.80s'",
				       env->v[i]);
		if (strlen(env->v[i]) >= ARG_LEN_MAX)
			return err_set(e, ERR_USAGE,
				       "environment variable '%.80s': longer than 128 KiB",
				       env->v[i]);
	}
	return 0;
}

static int check_pairs(const char *option, const struct strs *l, bool value, struct err *e)
{
	for (size_t i = 0; i < l->n; i++)
		if (!*l->v[i] || *l->v[i] == '=' || (value && !strchr(l->v[i], '=')))
			return err_set(e, ERR_USAGE, "--%s wants KEY=VALUE, not '%.80s'", option,
				       l->v[i]);
	return 0;
}

/* Only what belongs to a namespace of the instance's own. */
static int check_sysctls(const struct request *q, struct err *e)
{
	bool host_net = q->network && (streq(q->network, "host") || join_other(q->network));
	int r = check_pairs("sysctl", &q->sysctls, true, e);

	for (size_t i = 0; r == 0 && i < q->sysctls.n; i++) {
		size_t n = strcspn(q->sysctls.v[i], "=");
		char key[256];
		const char *owner;

		snprintf(key, sizeof(key), "%.*s", (int)n, q->sysctls.v[i]);
		owner = n < sizeof(key) ? sysctl_owner(key) : NULL;
		if (!owner)
			r = err_set(e, ERR_USAGE, "--sysctl '%.80s' is no name", key);
		else if (!*owner)
			r = err_set(e, ERR_USAGE,
				    "--sysctl '%.80s' is the host's: no namespace has its own",
				    key);
		else if ((streq(owner, "network") && host_net) ||
			 (streq(owner, "uts") && (q->uts_host || q->uts_mode)) ||
			 (streq(owner, "ipc") && q->ipc_mode &&
			  (streq(q->ipc_mode, "host") || join_other(q->ipc_mode))))
			r = err_set(e, ERR_USAGE,
				    "--sysctl '%.80s' needs a %s namespace of the instance's own",
				    key, owner);
	}
	return r;
}

static int check_names(const struct request *q, struct err *e)
{
	int r = 0;

	if (q->hostname)
		r = check_hostname("hostname", q->hostname, e);
	if (r == 0 && q->domainname)
		r = check_hostname("domainname", q->domainname, e);
	if (r < 0)
		return r;
	if (q->uts_host && (q->hostname || q->domainname))
		return err_set(e, ERR_USAGE, "conflicting options: --%s and --uts host",
			       q->hostname ? "hostname" : "domainname");
	if (q->hostname && q->network && streq(q->network, "host"))
		return err_set(e, ERR_USAGE, "conflicting options: --hostname and --network host");
	return 0;
}

/* Whoever joins a network finds it as it is, with its host name and its files in /etc. */
static int check_joined(const struct request *q, struct err *e)
{
	const char *what = NULL;

	if (!join_other(q->network))
		return 0;
	if (q->hostname)
		what = "hostname";
	else if (q->dns.n || q->dns_search.n || q->dns_options.n)
		what = "dns";
	else if (q->hosts.n)
		what = "add-host";
	else if (q->mac)
		what = "mac-address";
	else if (q->publish.n || q->publish_all)
		what = "publish";
	else if (q->expose.n)
		what = "expose";
	if (!what)
		return 0;
	return err_set(e, ERR_USAGE,
		       "conflicting options: --%s and --network %.80s: it is the other one's to "
		       "say",
		       what, q->network);
}

static int check_ports(const struct request *q, struct err *e)
{
	struct publish p;

	for (size_t i = 0; i < q->expose.n; i++)
		if (strchr(q->expose.v[i], ':') || publish_parse(q->expose.v[i], &p, NULL) < 0)
			return err_set(e, ERR_USAGE,
				       "--expose wants PORT[-PORT][/PROTO], not '%.60s'",
				       q->expose.v[i]);
	if ((q->publish.n || q->publish_all) && q->network &&
	    (streq(q->network, "host") || streq(q->network, "none")))
		return err_set(e, ERR_USAGE, "--publish%s has no meaning with --network %s",
			       q->publish.n ? "" : "-all", q->network);
	return 0;
}

static int check_vm(const struct request *q, struct err *e)
{
	if (q->network && streq(q->network, "host"))
		return err_set(e, ERR_UNSUPPORTED,
			       "--network host is not possible with --isolation vm: a guest kernel "
			       "has its own interfaces");
	if (q->uts_host || q->cgroupns_host)
		return err_set(e, ERR_UNSUPPORTED,
			       "--%s host is not possible with --isolation vm: a guest kernel has "
			       "its own",
			       q->uts_host ? "uts" : "cgroupns");
	if (q->userns_mode && *q->userns_mode && !streq(q->userns_mode, "host"))
		return err_set(e, ERR_UNSUPPORTED,
			       "--userns %.40s is not possible with --isolation vm: a guest kernel "
			       "has ids of its own",
			       q->userns_mode);
	return 0;
}

/* A namespace of somebody else's user namespace gives a process no rights in it, and its /proc
 * could not be mounted. */
static int check_userns(const struct request *q, struct err *e)
{
	const char *other = NULL;
	struct usernsmode mode;
	int r = usernsmode_parse(q->userns_mode, &mode, e);

	if (r < 0 || mode.kind == USERNSMODE_HOST)
		return r;
	if (q->pid_mode && *q->pid_mode)
		other = "pid";
	else if (q->ipc_mode && (streq(q->ipc_mode, "host") || join_other(q->ipc_mode)))
		other = "ipc";
	else if (join_other(q->network))
		other = "network";
	else if (q->privileged)
		other = "privileged";
	if (other)
		return err_set(e, ERR_USAGE, "conflicting options: --userns %.40s and --%s",
			       q->userns_mode, other);
	return 0;
}

static int check_unhealthy(const char *action, struct err *e)
{
	if (!action || streq(action, "kill") || streq(action, "stop") || streq(action, "none"))
		return 0;
	return streq(action, "restart")
		   ? err_set(e, ERR_UNSUPPORTED,
			     "--health-on-failure restart is not possible: say kill, and --restart "
			     "always")
		   : err_set(e, ERR_USAGE, "--health-on-failure is none, kill or stop, not '%.40s'",
			     action);
}

static int check_log(const struct request *q, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct logconf c;

	return logconf_parse(q->log_driver, &q->log_opts, NULL, &a, &c, e);
}

/* What only a machine of its own has. */
static int check_machine(const struct request *q, struct err *e)
{
	const char *word = q->vm_cold	     ? "--vm-template"
			   : q->vm_hugepages ? "--vm-hugepages"
			   : q->accel	     ? "--accel"
					     : NULL;

	if (word && (q->isolation != PLAN_VM || q->machine))
		return err_set(e, ERR_USAGE, "%s is for --isolation vm", word);
	if (q->accel && !streq(q->accel, "kvm") && !streq(q->accel, "tcg"))
		return err_set(e, ERR_USAGE, "--accel '%.40s': auto, kvm or tcg", q->accel);
	return 0;
}

/* No name of an account file. */
static int plain(const char *option, const char *name, struct err *e)
{
	for (const char *p = name; p && *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return err_set(e, ERR_USAGE, "%s '%.80s' has a control character", option,
				       name);
	return 0;
}

int request_check(const struct request *q, struct err *e)
{
	struct policy policy;
	int r = 0;

	if (!q->image || !*q->image)
		return err_set(e, ERR_USAGE, "no image named");
	if ((r = check_names(q, e)) < 0 || (r = check_env(&q->env, e)) < 0 ||
	    (r = check_pairs("label", &q->labels, false, e)) < 0 ||
	    (r = check_pairs("annotation", &q->annotations, true, e)) < 0)
		return r;
	r = plain("--user", q->user, e);
	for (size_t i = 0; r == 0 && i < q->group_add.n; i++)
		r = plain("--group-add", q->group_add.v[i], e);
	if (r < 0)
		return r;
	if (q->workdir && *q->workdir != '/')
		return err_set(e, ERR_USAGE, "--workdir '%.80s' is not an absolute path",
			       q->workdir);
	if (q->stop_signal && (r = request_signal(q->stop_signal, e)) < 0)
		return r;
	if (q->isolation == PLAN_VM && (r = check_vm(q, e)) < 0)
		return r;
	if ((r = check_machine(q, e)) < 0)
		return r;
	if ((r = check_log(q, e)) < 0)
		return r;
	if ((r = check_unhealthy(q->health_on_failure, e)) < 0)
		return r;
	if (q->no_healthcheck && (q->health_cmd || q->health_on_failure || q->health_interval_ns ||
				  q->health_timeout_ns || q->health_start_period_ns ||
				  q->health_start_interval_ns || q->health_retries))
		return err_set(e, ERR_USAGE,
			       "conflicting options: --no-healthcheck and --health-*");
	if ((r = policy_parse(q->restart, &policy, e)) < 0)
		return r;
	if (q->auto_remove && policy.restart != POLICY_NO)
		return err_set(e, ERR_USAGE, "conflicting options: --restart and --rm");
	if ((r = check_userns(q, e)) < 0)
		return r;
	if ((r = check_joined(q, e)) < 0 || (r = netspec_check(q, e)) < 0)
		return r;
	r = check_ports(q, e);
	return r < 0 ? r : check_sysctls(q, e);
}
