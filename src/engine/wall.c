/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/wall.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/request.h"
#include "fmt/docker_seccomp.h"
#include "spec/plan.h"
#include "sys/userns.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

/* In the order of <linux/capability.h>; true: the default set, which is what docker's fourteen and
 * podman's eleven have in common.  Without NET_RAW ping works by ping_group_range (wall_sysctls);
 * MKNOD and AUDIT_WRITE are for what makes device nodes and writes the host's audit log. */
static const struct {
	const char *name;
	bool by_default;
} caps[] = {
    {"CAP_CHOWN", true},
    {"CAP_DAC_OVERRIDE", true},
    {"CAP_DAC_READ_SEARCH", false},
    {"CAP_FOWNER", true},
    {"CAP_FSETID", true},
    {"CAP_KILL", true},
    {"CAP_SETGID", true},
    {"CAP_SETUID", true},
    {"CAP_SETPCAP", true},
    {"CAP_LINUX_IMMUTABLE", false},
    {"CAP_NET_BIND_SERVICE", true},
    {"CAP_NET_BROADCAST", false},
    {"CAP_NET_ADMIN", false},
    {"CAP_NET_RAW", false},
    {"CAP_IPC_LOCK", false},
    {"CAP_IPC_OWNER", false},
    {"CAP_SYS_MODULE", false},
    {"CAP_SYS_RAWIO", false},
    {"CAP_SYS_CHROOT", true},
    {"CAP_SYS_PTRACE", false},
    {"CAP_SYS_PACCT", false},
    {"CAP_SYS_ADMIN", false},
    {"CAP_SYS_BOOT", false},
    {"CAP_SYS_NICE", false},
    {"CAP_SYS_RESOURCE", false},
    {"CAP_SYS_TIME", false},
    {"CAP_SYS_TTY_CONFIG", false},
    {"CAP_MKNOD", false},
    {"CAP_LEASE", false},
    {"CAP_AUDIT_WRITE", false},
    {"CAP_AUDIT_CONTROL", false},
    {"CAP_SETFCAP", true},
    {"CAP_MAC_OVERRIDE", false},
    {"CAP_MAC_ADMIN", false},
    {"CAP_SYSLOG", false},
    {"CAP_WAKE_ALARM", false},
    {"CAP_BLOCK_SUSPEND", false},
    {"CAP_AUDIT_READ", false},
    {"CAP_PERFMON", false},
    {"CAP_BPF", false},
    {"CAP_CHECKPOINT_RESTORE", false},
};
#define CAPS (sizeof(caps) / sizeof(caps[0]))

/* Of /proc and /sys: what shows or changes the host (keys, memory, timers, firmware, power). */
static const char *const masked[] = {
    "/proc/asound",	 "/proc/acpi",
    "/proc/interrupts",	 "/proc/kcore",
    "/proc/keys",	 "/proc/latency_stats",
    "/proc/timer_list",	 "/proc/timer_stats",
    "/proc/sched_debug", "/proc/scsi",
    "/sys/firmware",	 "/sys/devices/virtual/powercap",
    "/sys/dev/block",	 NULL,
};
static const char *const readonly[] = {
    "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL,
};

/* A set over caps[]. */
struct set {
	bool has[CAPS];
};

static int change(struct set *s, const struct strs *names, bool to, const char *option,
		  struct err *e)
{
	for (size_t n = 0; n < names->n; n++) {
		const char *name = names->v[n];
		bool all = strcasecmp(name, "all") == 0, found = all;

		for (size_t i = 0; i < CAPS; i++)
			if (all || strcasecmp(caps[i].name, name) == 0 ||
			    strcasecmp(caps[i].name + 4, name) == 0) {
				s->has[i] = to;
				found = true;
			}
		if (!found)
			return err_set(e, ERR_USAGE, "--%s: '%.60s' is no capability", option,
				       name);
	}
	return 0;
}

static bool names_all(const struct strs *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcasecmp(l->v[i], "all") == 0)
			return true;
	return false;
}

int wall_caps(const struct request *q, struct arena *a, struct plan_caps *out, struct err *e)
{
	struct strs l = {0};
	struct set s;
	bool all = names_all(&q->cap_add) || q->privileged;
	int r;

	for (size_t i = 0; i < CAPS; i++)
		s.has[i] = caps[i].by_default || q->privileged;
	/* "--cap-drop ALL --cap-add X" leaves X, "--cap-add ALL --cap-drop X" all but X: whoever
	 * says ALL goes first. */
	r = all ? change(&s, &q->cap_add, true, "cap-add", e)
		: change(&s, &q->cap_drop, false, "cap-drop", e);
	if (r == 0)
		r = all ? change(&s, &q->cap_drop, false, "cap-drop", e)
			: change(&s, &q->cap_add, true, "cap-add", e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < CAPS; i++)
		if (s.has[i])
			arena_strs_add(a, &l, caps[i].name);
	/* Inheritable and ambient stay empty (CVE-2022-29162). */
	*out = (struct plan_caps){.bounding = l, .effective = l, .permitted = l};
	return 0;
}

static void add_all(struct arena *a, struct strs *l, const char *const *from)
{
	for (; *from; from++)
		arena_strs_add(a, l, *from);
}

struct wall {
	const struct request *q;
	struct arena *a;
	struct plan *p;
	bool open_paths, cgroups, profile_said;
	struct strs mask, unmask;
};

/* "/a:/b", as podman has it. */
static int paths(struct wall *w, const char *option, const char *list, struct strs *out,
		 struct err *e)
{
	while (*list) {
		size_t n = strcspn(list, ":");
		const char *path = arena_dupn(w->a, list, n);

		if (*path != '/' || strstr(path, "/.."))
			return err_set(e, ERR_USAGE,
				       "--security-opt %s=: '%.80s' is no absolute path", option,
				       path);
		arena_strs_add(w->a, out, path);
		list += n + (list[n] == ':');
	}
	return 0;
}

static const char *go_arch(const char *machine)
{
	return streq(machine, "x86_64") ? "amd64" : streq(machine, "aarch64") ? "arm64" : machine;
}

/* The text of a profile; the command line has read the file. */
static int profile(struct wall *w, const char *text, struct err *e)
{
	static const char what[] = "--security-opt seccomp";
	auto_buf struct buf b = BUF_INIT(4 * DOCKER_SECCOMP_MAX);
	struct docker_seccomp_host h = {.caps = &w->p->process->capabilities->bounding};
	struct utsname u;
	int r;

	if (uname(&u) < 0 || sscanf(u.release, "%u.%u", &h.kernel_major, &h.kernel_minor) != 2)
		return err_set(e, ERR_SYSTEM, "the kernel's version is unknown");
	h.arch = go_arch(u.machine);
	r = docker_seccomp_convert(text, strlen(text), what, &h, &b, e);
	if (r < 0)
		return r;
	w->p->caisson->seccomp_profile = NULL;
	w->p->linux_->seccomp = arena_alloc(w->a, sizeof(*w->p->linux_->seccomp));
	return jbind_parse(&plan_seccomp_table, b.p, b.len, w->p->linux_->seccomp, w->a, what, e);
}

static int seccomp(struct wall *w, const char *v, struct err *e)
{
	w->profile_said = true;
	w->p->linux_->seccomp = NULL;
	if (*v == '{')
		return profile(w, v, e);
	if (!streq(v, "unconfined") && !streq(v, "default") && !streq(v, "builtin"))
		return err_set(e, ERR_USAGE,
			       "--security-opt seccomp=%.80s: wants builtin, unconfined or a "
			       "profile",
			       v);
	w->p->caisson->seccomp_profile = streq(v, "unconfined") ? "unconfined" : "default";
	return 0;
}

static int apparmor(struct wall *w, const char *v, struct err *e)
{
	char on = 'N';
	auto_fd int fd = open("/sys/module/apparmor/parameters/enabled", O_RDONLY | O_CLOEXEC);

	if (streq(v, "unconfined"))
		return 0;
	if (w->q->isolation == PLAN_VM || fd < 0 || read(fd, &on, 1) != 1 || on != 'Y')
		return err_set(e, ERR_UNSUPPORTED,
			       "--security-opt apparmor=%.80s: the %s kernel has no AppArmor", v,
			       w->q->isolation == PLAN_VM ? "guest's" : "host's");
	w->p->process->apparmor_profile = v;
	return 0;
}

static int truth(const char *option, const char *v, bool *out, struct err *e)
{
	if (!*v || streq(v, "true") || streq(v, "1"))
		*out = true;
	else if (streq(v, "false") || streq(v, "0"))
		*out = false;
	else
		return err_set(e, ERR_USAGE, "--security-opt %s is true or false, not '%.40s'",
			       option, v);
	return 0;
}

static int option(struct wall *w, const char *s, struct err *e)
{
	size_t n = strcspn(s, "=:");
	const char *name = arena_dupn(w->a, s, n), *v = s + n + (s[n] != '\0');

	if (streq(name, "no-new-privileges"))
		return truth(name, v, &w->p->process->no_new_privileges, e);
	if (streq(name, "writable-cgroups"))
		return truth(name, v, &w->cgroups, e);
	if (streq(name, "seccomp"))
		return seccomp(w, v, e);
	if (streq(name, "apparmor"))
		return apparmor(w, v, e);
	if (streq(name, "systempaths") && streq(v, "unconfined")) {
		w->open_paths = true;
		return 0;
	}
	/* No labels are made, so there are none to switch off. */
	if (streq(name, "label") && streq(v, "disable"))
		return 0;
	if (streq(name, "label"))
		return err_set(e, ERR_UNSUPPORTED,
			       "--security-opt label=%.60s: SELinux labels are not made, only "
			       "'disable' is possible",
			       v);
	if (streq(name, "mask"))
		return paths(w, name, v, &w->mask, e);
	if (streq(name, "unmask") && strcasecmp(v, "all") == 0) {
		w->open_paths = true;
		return 0;
	}
	if (streq(name, "unmask"))
		return paths(w, name, v, &w->unmask, e);
	return err_set(e, ERR_USAGE, "--security-opt '%.80s' is not known", s);
}

static bool has(const struct strs *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (streq(l->v[i], s))
			return true;
	return false;
}

static struct strs without(struct wall *w, const struct strs *from)
{
	struct strs l = {0};

	for (size_t i = 0; i < from->n; i++)
		if (!has(&w->unmask, from->v[i]))
			arena_strs_add(w->a, &l, from->v[i]);
	return l;
}

static void hide(struct wall *w)
{
	struct plan_linux *l = w->p->linux_;

	if (!w->open_paths && !w->q->privileged) {
		add_all(w->a, &l->masked_paths, masked);
		add_all(w->a, &l->readonly_paths, readonly);
		l->masked_paths = without(w, &l->masked_paths);
		l->readonly_paths = without(w, &l->readonly_paths);
	}
	for (size_t i = 0; i < w->mask.n; i++)
		arena_strs_add(w->a, &l->masked_paths, w->mask.v[i]);
}

/* The kernel's file systems of our own making, not mounts of the user's. */
static void writable(struct wall *w, const char *destination)
{
	for (size_t i = 0; i < w->p->mounts.n; i++) {
		struct plan_mount *m = &w->p->mounts.v[i];
		struct strs l = {0};

		if (!streq(m->destination, destination) ||
		    !(streq(m->type, "sysfs") || streq(m->type, "cgroup")))
			continue;
		for (size_t k = 0; k < m->options.n; k++)
			if (!streq(m->options.v[k], "ro"))
				arena_strs_add(w->a, &l, m->options.v[k]);
		m->options = l;
	}
}

int wall_paths(const struct request *q, struct arena *a, struct plan *p, struct err *e)
{
	struct wall w = {.q = q, .a = a, .p = p};
	int r;

	p->caisson->seccomp_profile = "default";
	for (size_t i = 0; i < q->security_opt.n; i++) {
		r = option(&w, q->security_opt.v[i], e);
		if (r < 0)
			return r;
	}
	if (q->privileged && !w.profile_said)
		p->caisson->seccomp_profile = "unconfined";
	hide(&w);
	if (q->privileged)
		writable(&w, "/sys");
	if (q->privileged || w.cgroups)
		writable(&w, "/sys/fs/cgroup");
	return 0;
}

static bool said(const struct plan_rlimits *l, const char *type)
{
	for (size_t i = 0; i < l->n; i++)
		if (streq(l->v[i].type, type))
			return true;
	return false;
}

/* An ordinary user, or a root without that capability, cannot give more than he has. */
static bool may_raise(void)
{
	return geteuid() == 0 && !userns_inside() &&
	       prctl(PR_CAPBSET_READ, CAP_SYS_RESOURCE, 0, 0, 0) == 1;
}

void wall_rlimits(bool host, struct arena *a, struct plan_rlimits *l)
{
	/* core: 1 is the kernel's word for "no dump at all": 0 keeps files from being written, but
	 * a core_pattern with a pipe would still start the host's program (core(5); Linux 6.18,
	 * fs/coredump.c).  nofile: what systemd gives services since version 240. */
	static const struct {
		const char *type;
		int resource;
		uint64_t soft, hard;
	} defaults[] = {{"RLIMIT_CORE", RLIMIT_CORE, 1, 1},
			{"RLIMIT_NOFILE", RLIMIT_NOFILE, 1024, 524288}};
	const size_t n = sizeof(defaults) / sizeof(defaults[0]);
	struct plan_rlimit *v = arena_array(a, l->n + n, sizeof(*v));

	if (l->n)
		memcpy(v, l->v, l->n * sizeof(*v));
	l->v = v;
	for (size_t i = 0; i < n; i++) {
		struct plan_rlimit x = {defaults[i].type, defaults[i].soft, defaults[i].hard};
		struct rlimit own;

		if (said(l, x.type))
			continue;
		if (host && !may_raise() &&
		    getrlimit((__rlimit_resource_t)defaults[i].resource, &own) == 0 &&
		    own.rlim_max < x.hard) {
			x.hard = own.rlim_max;
			x.soft = x.soft < x.hard ? x.soft : x.hard;
		}
		l->v[l->n++] = x;
	}
}

void wall_sysctls(struct arena *a, struct jbind_map *m)
{
	/* Both make a capability unnecessary: anybody may ping, and may take a low port of the
	 * instance's own network.  As docker since 20.10. */
	static const struct jbind_pair defaults[] = {
	    {"net.ipv4.ping_group_range", "0 65535"},
	    {"net.ipv4.ip_unprivileged_port_start", "0"},
	};
	const size_t n = sizeof(defaults) / sizeof(defaults[0]);
	struct jbind_pair *v = arena_array(a, m->n + n, sizeof(*v));

	if (m->n)
		memcpy(v, m->v, m->n * sizeof(*v));
	m->v = v;
	for (size_t i = 0; i < n; i++)
		if (!jbind_lookup(m, defaults[i].key))
			v[m->n++] = defaults[i];
	/* A user namespace of one id has only that group. */
	if (userns_inside() && !userns_has_gid(65535))
		for (size_t i = 0; i < m->n; i++)
			if (v[i].value == defaults[0].value)
				v[i].value = "0 0";
}
