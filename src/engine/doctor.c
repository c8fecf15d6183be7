/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/doctor.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/info.h"
#include "engine/lookup.h"
#include "engine/request.h"
#include "engine/session.h"
#include "fmt/publish.h"
#include "spec/plan.h"
#include "store/store.h"
#include "sys/file.h"
#include "sys/userns.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

const char *const doctor_levels[] = {"weak", "advice", NULL};

static const struct jbind_field finding_fields[] = {
    JB(struct doctor_finding, level, "level", JBIND_ENUM, .names = doctor_levels,
       .flags = JBIND_KEEP),
    JB(struct doctor_finding, about, "about", JBIND_STR),
    JB(struct doctor_finding, check, "check", JBIND_STR),
    JB(struct doctor_finding, what, "what", JBIND_STR),
    JB(struct doctor_finding, remedy, "remedy", JBIND_STR),
    JB_END};
static const struct jbind finding_table = {sizeof(struct doctor_finding), finding_fields, false};
const struct jbind doctor_table = {
    sizeof(struct doctor_report),
    (const struct jbind_field[]){
	JB(struct doctor_report, instances, "instances", JBIND_INT, .flags = JBIND_KEEP),
	JB(struct doctor_report, weak, "weak", JBIND_INT, .flags = JBIND_KEEP),
	JB(struct doctor_report, advice, "advice", JBIND_INT, .flags = JBIND_KEEP),
	JB(struct doctor_report, findings, "findings", JBIND_LIST, .sub = &finding_table,
	   .flags = JBIND_KEEP),
	JB_END},
};

struct exam {
	struct arena *a;
	struct doctor_report *out;
	const char *about;
};

static void find(struct exam *x, int level, const char *check, const char *what, const char *remedy)
{
	struct doctor_findings *l = &x->out->findings;

	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 32;
		struct doctor_finding *v = arena_array(x->a, room, sizeof(*v));

		if (l->n)
			memcpy(v, l->v, l->n * sizeof(*v));
		l->v = v;
		l->room = room;
	}
	l->v[l->n++] = (struct doctor_finding){level, x->about, check, what, remedy};
	x->out->weak += level == DOCTOR_WEAK;
	x->out->advice += level == DOCTOR_ADVICE;
}

/* ---- the host ---- */

static void cpu_bugs(struct exam *x)
{
	DIR *d = opendir("/sys/devices/system/cpu/vulnerabilities");
	struct strs names = {0};
	struct dirent *de;
	const char *list = NULL;

	while (d && (de = readdir(d))) {
		auto_free char *text = NULL;

		if (de->d_name[0] != '.' && file_read(dirfd(d), de->d_name, 4096, &text) > 0 &&
		    str_after(text, "Vulnerable"))
			arena_strs_add(x->a, &names, arena_dup(x->a, de->d_name));
	}
	if (d)
		closedir(d);
	for (size_t i = 0; i < names.n; i++)
		list = list ? arena_printf(x->a, "%s, %s", list, names.v[i]) : names.v[i];
	if (list)
		find(x, DOCTOR_ADVICE, "cpu",
		     arena_printf(x->a, "the kernel calls this processor vulnerable: %s", list),
		     "update microcode and kernel, leave mitigations on; side channels pass every "
		     "wall");
}

static bool has(const struct strs *l, const char *what)
{
	for (size_t i = 0; i < l->n; i++)
		if (streq(l->v[i], what))
			return true;
	return false;
}

static void host_root(struct exam *x, const struct info *i)
{
	struct stat st;

	if (!i->rootless)
		find(x, DOCTOR_ADVICE, "root-engine",
		     "the engine runs as root: what breaks out of a container is root",
		     "run it as an ordinary user, or instances with --userns=auto or "
		     "--isolation=vm");
	if (stat(i->root, &st) == 0 && st.st_mode & 077)
		find(x, DOCTOR_WEAK, "store-mode",
		     arena_printf(x->a,
				  "'%s' is open to others (mode %04o): set-uid programs of "
				  "images are within their reach",
				  i->root, (unsigned int)st.st_mode & 07777),
		     arena_printf(x->a, "chmod 700 '%s'", i->root));
	if (!i->rootless)
		return;
	if (i->rootless->ids == 1)
		find(x, DOCTOR_ADVICE, "one-id",
		     "there is one user id only: users inside an instance are not apart",
		     "install uidmap and give the user ranges in /etc/subuid and /etc/subgid");
	if (i->rootless->limits && !*i->rootless->limits)
		find(x, DOCTOR_WEAK, "no-limits",
		     "no cgroup is delegated to this user: an instance can use up memory and "
		     "processes of the host",
		     "run below 'systemd-run --user --scope -p Delegate=yes'");
}

static void host(struct exam *x, const struct info *i)
{
	x->about = "host";
	host_root(x, i);
	if (!has(&i->security, "seccomp"))
		find(x, DOCTOR_WEAK, "kernel-seccomp",
		     "this kernel has no seccomp filters: every system call can be tried",
		     "use a kernel with CONFIG_SECCOMP_FILTER");
	if (!has(&i->security, "apparmor") && !has(&i->security, "selinux"))
		find(x, DOCTOR_ADVICE, "no-lsm", "neither AppArmor nor SELinux confines containers",
		     "boot with one of them: a second wall behind the first");
	if (i->cgroup && streq(i->cgroup, "none"))
		find(x, DOCTOR_WEAK, "no-cgroup", "no cgroup file system is mounted: no limits",
		     "mount cgroup2 at /sys/fs/cgroup");
	if (i->vm.usable && i->vm.accel && streq(i->vm.accel, "tcg"))
		find(x, DOCTOR_ADVICE, "tcg",
		     "VMs are emulated: QEMU does not call that a security boundary",
		     "use hardware virtualization (/dev/kvm); see caisson info");
	else if (!i->vm.usable)
		find(x, DOCTOR_ADVICE, "no-vm", "no VMs: the stronger of the two walls is missing",
		     i->vm.why ? i->vm.why : "see caisson info");
	cpu_bugs(x);
}

/* ---- what is taken away from a container's wall ---- */

static void capabilities(struct exam *x, const struct request *q)
{
	static const char *const strong[] = {
	    "ALL",	     "SYS_ADMIN",	"SYS_MODULE",
	    "SYS_PTRACE",    "SYS_RAWIO",	"SYS_BOOT",
	    "SYS_TIME",	     "DAC_READ_SEARCH", "BPF",
	    "PERFMON",	     "NET_ADMIN",	"MAC_ADMIN",
	    "MAC_OVERRIDE",  "SYSLOG",		"CHECKPOINT_RESTORE",
	    "NET_RAW",	     "LINUX_IMMUTABLE", "MKNOD",
	    "BLOCK_SUSPEND", "SYS_NICE",
	};

	for (size_t i = 0; i < q->cap_add.n; i++) {
		const char *cap = q->cap_add.v[i];

		if (strncasecmp(cap, "CAP_", 4) == 0)
			cap += 4;
		for (size_t k = 0; k < sizeof(strong) / sizeof(strong[0]); k++)
			if (strcasecmp(cap, strong[k]) == 0)
				find(x, DOCTOR_WEAK, "capability",
				     arena_printf(x->a, "has the capability %s", strong[k]),
				     "leave --cap-add out, or put the instance into a VM");
	}
}

static void security(struct exam *x, const struct request *q)
{
	static const struct {
		const char *prefix, *check, *what;
	} table[] = {
	    {"seccomp=unconfined", "seccomp", "has no system call filter"},
	    {"systempaths=unconfined", "system-paths",
	     "sees and writes what is masked in /proc and /sys"},
	    {"unmask=", "system-paths", "sees what is masked in /proc and /sys"},
	    {"apparmor=unconfined", "apparmor", "is not confined by AppArmor"},
	    {"label=disable", "selinux", "is not confined by SELinux"},
	    {"writable-cgroups", "cgroups", "may write in its cgroup"},
	};

	for (size_t i = 0; i < q->security_opt.n; i++)
		for (size_t k = 0; k < sizeof(table) / sizeof(table[0]); k++)
			if (str_after(q->security_opt.v[i], table[k].prefix))
				find(x, DOCTOR_WEAK, table[k].check, table[k].what,
				     arena_printf(x->a, "leave --security-opt %s out",
						  table[k].prefix));
}

static void namespaces(struct exam *x, const struct request *q)
{
	const struct {
		bool host;
		const char *option, *what;
	} table[] = {
	    {q->pid_mode && streq(q->pid_mode, "host"), "pid",
	     "sees and may signal the processes of the host"},
	    {q->ipc_mode && streq(q->ipc_mode, "host"), "ipc", "shares the host's System V memory"},
	    {q->network && streq(q->network, "host"), "network",
	     "is on the host's network: its loopback services and abstract sockets are within "
	     "reach"},
	    {q->uts_host, "uts", "has the host's name, and can change it with a capability"},
	    {q->cgroupns_host, "cgroupns", "sees the cgroups of the host"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].host)
			find(x, DOCTOR_WEAK, arena_printf(x->a, "%s-namespace", table[i].option),
			     table[i].what,
			     arena_printf(x->a, "leave --%s host out", table[i].option));
}

static void devices(struct exam *x, const struct request *q)
{
	for (size_t i = 0; i < q->devices.n; i++) {
		const char *path = arena_dupn(x->a, q->devices.v[i], strcspn(q->devices.v[i], ":"));
		struct stat st;
		bool disk = stat(path, &st) == 0 && S_ISBLK(st.st_mode);
		bool memory = streq(path, "/dev/mem") || streq(path, "/dev/kmem") ||
			      streq(path, "/dev/port") || streq(path, "/dev/kmsg");

		find(x, disk || memory ? DOCTOR_WEAK : DOCTOR_ADVICE, "device",
		     arena_printf(x->a, "has the host's device %s%s", path,
				  disk ? ": the file systems on it are open to it" : ""),
		     "leave --device out, or give it read-only (:r)");
	}
	if (q->device_rules.n)
		find(x, DOCTOR_WEAK, "device-rule",
		     "may open devices by number (--device-cgroup-rule)",
		     "name the devices it needs by --device");
}

/* ---- of both kinds ---- */

static bool same_or_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	while (n > 1 && top[n - 1] == '/')
		n--;
	return strncmp(path, top, n) == 0 && (!path[n] || path[n] == '/' || n == 1);
}

static bool is_engine_socket(const char *path)
{
	static const char *const names[] = {
	    "docker.sock",    "podman.sock",  "containerd.sock", "crio.sock",
	    "buildkitd.sock", "caisson.sock", "docker-raw.sock", NULL};
	const char *slash = strrchr(path, '/');

	for (size_t i = 0; slash && names[i]; i++)
		if (streq(slash + 1, names[i]))
			return true;
	return false;
}

/* Where such sockets are, for a directory that holds one. */
static const char *holds_engine_socket(const char *path)
{
	static const char *const where[] = {
	    "/run/docker.sock",	       "/var/run/docker.sock",
	    "/run/podman/podman.sock", "/run/containerd/containerd.sock",
	    "/run/crio/crio.sock",     NULL};

	for (size_t i = 0; where[i]; i++)
		if (same_or_below(where[i], path) && access(where[i], F_OK) == 0)
			return where[i];
	return NULL;
}

static void host_path(struct exam *x, const struct instance_mount *m, const char *const *own)
{
	static const char *const system[] = {
	    "/etc",  "/root", "/boot",	"/dev",	    "/proc", "/sys", "/usr",	 "/bin",
	    "/sbin", "/lib",  "/lib64", "/var/lib", "/home", "/run", "/var/run", NULL};
	bool ro = has(&m->options, "ro") || has(&m->options, "readonly");
	const char *sock = is_engine_socket(m->source) ? m->source : holds_engine_socket(m->source);

	if (sock)
		find(x, DOCTOR_WEAK, "engine-socket",
		     arena_printf(x->a,
				  "has the socket of an engine (%s): whoever may talk to it is "
				  "root on the host",
				  sock),
		     "do not mount it; read-only makes no difference");
	for (size_t i = 0; own[i]; i++)
		if (same_or_below(own[i], m->source) || same_or_below(m->source, own[i]))
			find(x, DOCTOR_WEAK, "own-state",
			     arena_printf(x->a, "has the engine's own state (%s) at '%s'", own[i],
					  m->destination),
			     "mount something else");
	if (streq(m->source, "/")) {
		find(x, DOCTOR_WEAK, "host-path",
		     arena_printf(x->a, "has the whole file system of the host at '%s'",
				  m->destination),
		     "mount what it needs, read-only where that is enough");
		return;
	}
	for (size_t i = 0; system[i] && !sock; i++)
		if (streq(m->source, system[i]) ||
		    (!ro && i < 4 && same_or_below(m->source, system[i])))
			find(x, ro ? DOCTOR_ADVICE : DOCTOR_WEAK, "host-path",
			     arena_printf(x->a, "has the host's '%s'%s", m->source,
					  ro ? " to read" : " to write"),
			     "mount what it needs, read-only where that is enough");
}

static void mounts(struct exam *x, const struct instance *i, const char *const *own)
{
	for (size_t k = 0; k < i->mounts.n; k++)
		if (streq(i->mounts.v[k].type, "bind") && i->mounts.v[k].source)
			host_path(x, &i->mounts.v[k], own);
}

static void published(struct exam *x, const struct request *q)
{
	for (size_t i = 0; i < q->publish.n; i++) {
		struct publish p;

		if (publish_parse(q->publish.v[i], &p, NULL) == 0 && !p.family) {
			find(x, DOCTOR_ADVICE, "published",
			     arena_printf(x->a, "port %u is open on every address of the host",
					  p.port_first),
			     "give an address: -p 127.0.0.1:HOST:PORT");
			return;
		}
	}
}

static void limits(struct exam *x, const struct request *q)
{
	if (q->pids.set && q->pids.v <= 0)
		find(x, DOCTOR_WEAK, "pids",
		     "may start any number of processes: a fork bomb is the "
		     "host's",
		     "leave --pids-limit out: 2048 is the default");
	if (!q->memory_bytes)
		find(x, DOCTOR_ADVICE, "memory", "may use all memory of the host",
		     "give it --memory");
}

static void container(struct exam *x, const struct request *q)
{
	if (q->privileged)
		find(x, DOCTOR_WEAK, "privileged",
		     "is privileged: it has every capability and every device of the host",
		     "leave --privileged out, add what it needs by --cap-add and --device");
	capabilities(x, q);
	security(x, q);
	namespaces(x, q);
	devices(x, q);
	limits(x, q);
	if (!userns_inside() &&
	    (!q->userns_mode || !*q->userns_mode || streq(q->userns_mode, "host")))
		find(x, DOCTOR_ADVICE, "ids", "its root is the host's root, behind the wall",
		     "--userns=auto gives it ids of its own");
}

void doctor_instance(const struct request *q, const struct instance *i, const char *const *own,
		     struct arena *a, struct doctor_report *out)
{
	struct exam x = {a, out, i->name};

	out->instances++;
	/* What a VM's request asks for it has of its own kernel and machine. */
	if (q->isolation == PLAN_CONTAINER)
		container(&x, q);
	mounts(&x, i, own);
	published(&x, q);
}

static void emulated(struct exam *x, const struct info *i, const struct instance *in)
{
	x->about = in->name;
	if (in->isolation == PLAN_VM && i->vm.accel && streq(i->vm.accel, "tcg"))
		find(x, DOCTOR_WEAK, "emulated",
		     "is an emulated VM: QEMU does not call that a security boundary",
		     "use hardware virtualization (/dev/kvm)");
}

int doctor_examine(struct session *s, struct arena *a, struct doctor_report *out, struct err *e)
{
	struct doctor_report report = {.instances = 0};
	struct exam x = {.a = a, .out = &report};
	const char *own[3] = {0};
	struct lookups all = {0};
	struct info i;
	int r = info_gather(s, a, &i, e);

	if (r == 0 && !i.container.usable)
		r = err_set(e, ERR_UNSUPPORTED, "%s", i.container.why);
	if (r == 0)
		r = lookup_all(s, a, &all, e);
	if (r < 0)
		return r;
	own[0] = store_root_path(s->store);
	own[1] = store_run_path(s->store);
	host(&x, &i);
	for (size_t k = 0; k < all.n; k++) {
		const struct instance *in = &all.v[k].i;
		struct request q = {0};

		if (jbind_parse(&request_table, in->request, strlen(in->request), &q, a, "request",
				NULL) < 0)
			continue; /* of a later version: start says so */
		doctor_instance(&q, in, own, a, &report);
		emulated(&x, &i, in);
	}
	*out = report;
	return 0;
}
