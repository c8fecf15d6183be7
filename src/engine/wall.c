/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/wall.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/request.h"
#include "spec/plan.h"

#include <stdbool.h>
#include <strings.h>

/* In the order of <linux/capability.h>; true: docker's default set (its containers have these
 * fourteen since 2014, so images expect them). */
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
    {"CAP_NET_RAW", true},
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
    {"CAP_MKNOD", true},
    {"CAP_LEASE", false},
    {"CAP_AUDIT_WRITE", true},
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
	bool all = names_all(&q->cap_add);
	int r;

	for (size_t i = 0; i < CAPS; i++)
		s.has[i] = caps[i].by_default;
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

static int option(const char *s, struct plan *p, bool *system_paths, struct err *e)
{
	const char *v;

	if (streq(s, "no-new-privileges") || streq(s, "no-new-privileges=true") ||
	    streq(s, "no-new-privileges:true"))
		p->process->no_new_privileges = true;
	else if (streq(s, "no-new-privileges=false") || streq(s, "no-new-privileges:false"))
		p->process->no_new_privileges = false;
	else if (streq(s, "systempaths=unconfined"))
		*system_paths = true;
	else if ((v = str_after(s, "seccomp=")) || (v = str_after(s, "seccomp:"))) {
		if (!streq(v, "unconfined") && !streq(v, "default") && !streq(v, "builtin"))
			return err_set(e, ERR_UNSUPPORTED,
				       "--security-opt seccomp=%.80s: only 'default' and "
				       "'unconfined' are possible",
				       v);
		p->caisson->seccomp_profile = streq(v, "unconfined") ? "unconfined" : "default";
	} else {
		return err_set(e, ERR_UNSUPPORTED, "--security-opt '%.80s' is not known", s);
	}
	return 0;
}

int wall_paths(const struct request *q, struct arena *a, struct plan *p, struct err *e)
{
	bool unconfined = false;
	int r;

	p->caisson->seccomp_profile = "default";
	for (size_t i = 0; i < q->security_opt.n; i++) {
		r = option(q->security_opt.v[i], p, &unconfined, e);
		if (r < 0)
			return r;
	}
	if (!unconfined) {
		add_all(a, &p->linux_->masked_paths, masked);
		add_all(a, &p->linux_->readonly_paths, readonly);
	}
	return 0;
}
