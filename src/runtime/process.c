/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/process.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/str.h"
#include "fmt/cpulist.h"
#include "runtime/capset.h"
#include "runtime/hooks.h"
#include "runtime/mempolicy.h"
#include "runtime/owners.h"
#include "runtime/procfs.h"
#include "runtime/reaper.h"
#include "runtime/runtime_int.h"
#include "runtime/user.h"
#include "sys/fd.h"
#include "sys/path.h"
#include "sys/sock.h"
#include "sys/userns.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* ---- names ---- */

int process_rlimit(const char *name)
{
	static const char *const names[] = {
	    [RLIMIT_CPU] = "CPU",	    [RLIMIT_FSIZE] = "FSIZE",
	    [RLIMIT_DATA] = "DATA",	    [RLIMIT_STACK] = "STACK",
	    [RLIMIT_CORE] = "CORE",	    [RLIMIT_RSS] = "RSS",
	    [RLIMIT_NPROC] = "NPROC",	    [RLIMIT_NOFILE] = "NOFILE",
	    [RLIMIT_MEMLOCK] = "MEMLOCK",   [RLIMIT_AS] = "AS",
	    [RLIMIT_LOCKS] = "LOCKS",	    [RLIMIT_SIGPENDING] = "SIGPENDING",
	    [RLIMIT_MSGQUEUE] = "MSGQUEUE", [RLIMIT_NICE] = "NICE",
	    [RLIMIT_RTPRIO] = "RTPRIO",	    [RLIMIT_RTTIME] = "RTTIME",
	};
	const char *rest = str_after(name, "RLIMIT_");

	for (size_t i = 0; rest && i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i] && streq(names[i], rest))
			return (int)i;
	return -1;
}

int process_policy(const char *name)
{
	static const struct {
		const char *name;
		int policy;
	} all[] = {
	    {"SCHED_OTHER", 0}, {"SCHED_FIFO", 1}, {"SCHED_RR", 2},	  {"SCHED_BATCH", 3},
	    {"SCHED_ISO", 4},	{"SCHED_IDLE", 5}, {"SCHED_DEADLINE", 6},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (streq(all[i].name, name))
			return all[i].policy;
	return -1;
}

int process_ioclass(const char *name)
{
	static const char *const all[] = {"IOPRIO_CLASS_NONE", "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE",
					  "IOPRIO_CLASS_IDLE"};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (streq(all[i], name))
			return (int)i;
	return -1;
}

/* ---- settings ---- */

static int rlimits(const struct plan_process *p, struct err *e)
{
	for (size_t i = 0; i < p->rlimits.n; i++) {
		const struct plan_rlimit *l = &p->rlimits.v[i];
		struct rlimit r = {.rlim_cur = l->soft, .rlim_max = l->hard};

		if (setrlimit((__rlimit_resource_t)process_rlimit(l->type), &r) < 0)
			return err_sys(e, "process.rlimits[%zu]: %s %llu:%llu", i, l->type,
				       (unsigned long long)l->soft, (unsigned long long)l->hard);
	}
	return 0;
}

struct sched_attr_ {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static int scheduler(const struct plan_scheduler *s, const char *cpus, struct err *e)
{
	static const struct {
		const char *name;
		uint64_t flag;
	} flags[] = {
	    {"SCHED_FLAG_RESET_ON_FORK", 0x01},	 {"SCHED_FLAG_RECLAIM", 0x02},
	    {"SCHED_FLAG_DL_OVERRUN", 0x04},	 {"SCHED_FLAG_KEEP_POLICY", 0x08},
	    {"SCHED_FLAG_KEEP_PARAMS", 0x10},	 {"SCHED_FLAG_UTIL_CLAMP_MIN", 0x20},
	    {"SCHED_FLAG_UTIL_CLAMP_MAX", 0x40},
	};
	struct sched_attr_ a = {
	    .size = sizeof(a),
	    .policy = (uint32_t)process_policy(s->policy),
	    .nice = s->nice,
	    .priority = (uint32_t)s->priority,
	    .runtime = s->runtime,
	    .deadline = s->deadline,
	    .period = s->period,
	};

	for (size_t i = 0; i < s->flags.n; i++) {
		size_t k = 0;

		while (k < sizeof(flags) / sizeof(flags[0]) && !streq(flags[k].name, s->flags.v[i]))
			k++;
		if (k == sizeof(flags) / sizeof(flags[0]))
			return err_set(e, ERR_USAGE, "process.scheduler.flags: unknown '%s'",
				       s->flags.v[i]);
		a.flags |= flags[k].flag;
	}
	if (syscall(SYS_sched_setattr, 0, &a, 0) == 0)
		return 0;
	/* sched_setattr(2): the deadline policy wants every CPU of the system. */
	if (errno == EPERM && cpus && *cpus)
		return err_sys(e,
			       "process.scheduler: process scheduler can't be used together with "
			       "AllowedCPUs '%s': %s",
			       cpus, s->policy);
	return err_sys(e, "process.scheduler: %s", s->policy);
}

static int io_priority(const struct plan_ioprio *p, struct err *e)
{
	/* IOPRIO_WHO_PROCESS, self; class in the bits from 13 up (ioprio_set(2)). */
	if (syscall(SYS_ioprio_set, 1, 0, process_ioclass(p->class_) << 13 | p->priority) < 0)
		return err_sys(e, "process.ioPriority: %s %d", p->class_, p->priority);
	return 0;
}

static int affinity(const char *list, const char *what, struct err *e)
{
	unsigned char mask[1024];

	if (cpulist_parse(list, mask, sizeof(mask)) < 0)
		return err_set(e, ERR_USAGE, "process.execCPUAffinity.%s: '%s'", what, list);
	if (sched_setaffinity(0, sizeof(mask), (const cpu_set_t *)mask) < 0)
		return err_sys(e, "process.execCPUAffinity.%s: '%s'", what, list);
	return 0;
}

int process_early(const struct job *j, struct err *e)
{
	const struct plan_affinity *a = j->exec ? j->process->exec_affinity : NULL;

	return a && a->initial ? affinity(a->initial, "initial", e) : 0;
}

/* Whoever starts us may be bound to a few CPUs; the workload is not bound with it: it gets all that
 * its cpuset allows (the kernel cuts the mask).  Not a failure where seccomp around us says no. */
static int cpus(struct job *j, struct err *e)
{
	const struct plan_affinity *a = j->exec ? j->process->exec_affinity : NULL;
	unsigned char all[1024];

	if (a && a->final)
		return affinity(a->final, "final", e);
	if (a && a->initial)
		return 0;
	memset(all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all), (const cpu_set_t *)all);
	return 0;
}

static int set_personality(const struct plan_personality *p, struct err *e)
{
	unsigned long domain = PER_LINUX;

	if (p->domain && streq(p->domain, "LINUX32"))
		domain = PER_LINUX32;
	else if (p->domain && !streq(p->domain, "LINUX"))
		return err_set(e, ERR_USAGE, "linux.personality.domain: unknown '%s'", p->domain);
	if (personality(domain) < 0)
		return err_sys(e, "linux.personality");
	return 0;
}

/* A session keyring of its own, so that the keys of whoever started us are out of reach. */
static int keyring(const struct job *j, struct err *e)
{
	const char *label = j->process->selinux_label;
	char name[256];
	long key;

	snprintf(name, sizeof(name), "_ses.%s", j->id);
	/* SELinux: the label of what is made, which the process must be let in by.  Where it is not
	 * enabled labels() says so. */
	if (label && *label)
		procfs_write(j->proc, "self/attr/keycreate", label);
	key = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name, 0, 0, 0);
	if (label && *label)
		procfs_write(j->proc, "self/attr/keycreate", "\n");
	/* No keyrings in this kernel, or an outer container's filter hides them: then the process
	 * inside cannot reach any either. */
	if (key < 0 && (errno == ENOSYS || errno == EPERM))
		return 0;
	if (key < 0)
		return err_sys(e, "session keyring");
	/* Who joins later by the same name (exec) must be able to search it: KEY_USR_SEARCH. */
	syscall(SYS_keyctl, KEYCTL_SETPERM, key, 0x3f3f0000 | 0x080000, 0, 0);
	return 0;
}

static int labels(struct job *j, struct err *e)
{
	const struct plan_process *p = j->process;
	char text[4096];
	int r;

	if (p->apparmor_profile && *p->apparmor_profile) {
		snprintf(text, sizeof(text), "exec %s", p->apparmor_profile);
		r = procfs_write(j->proc, "self/attr/apparmor/exec", text);
		/* Before Linux 5.8 there is one file for all security modules. */
		if (r == -ENOENT)
			r = procfs_write(j->proc, "self/attr/exec", text);
		if (r == -ENOENT || r == -EINVAL)
			return err_set(e, ERR_UNSUPPORTED,
				       "process.apparmorProfile '%s': AppArmor is not enabled or "
				       "does not know it",
				       p->apparmor_profile);
		if (r < 0) {
			errno = -r;
			return err_sys(e, "apply AppArmor profile '%s'", p->apparmor_profile);
		}
	}
	if (p->selinux_label && *p->selinux_label) {
		r = procfs_write(j->proc, "self/attr/exec", p->selinux_label);
		if (r == -EINVAL || r == -ENOENT)
			return err_set(e, ERR_UNSUPPORTED,
				       "process.selinuxLabel '%s': SELinux is not enabled",
				       p->selinux_label);
		if (r < 0) {
			errno = -r;
			return err_sys(e, "apply SELinux label '%s'", p->selinux_label);
		}
	}
	return 0;
}

static int settings(struct job *j, struct err *e)
{
	const struct plan_process *p = j->process;
	const struct plan_linux *l = j->plan->linux_;
	int r = 0;

	if (!j->opts->no_new_keyring)
		r = keyring(j, e);
	if (r == 0 && p->scheduler)
		r = scheduler(p->scheduler,
			      l->resources && l->resources->cpu ? l->resources->cpu->cpus : NULL,
			      e);
	if (r == 0 && p->io_priority)
		r = io_priority(p->io_priority, e);
	if (r == 0)
		r = cpus(j, e);
	if (r == 0 && l->personality)
		r = set_personality(l->personality, e);
	if (r == 0 && l->memory_policy)
		r = mempolicy_apply(l->memory_policy, e);
	if (r == 0)
		r = labels(j, e);
	/* After everything that allocates: a small RLIMIT_AS must hit the workload, not us. */
	return r < 0 ? r : rlimits(p, e);
}

/* ---- stdio ---- */

static int null_stdio(int want, struct err *e)
{
	auto_fd int fd = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return err_sys(e, "open '/dev/null' inside");
	if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		return err_set(e, ERR_DENIED, "'/dev/null' inside is not the null device");
	if (fd == want)
		return fd_set_cloexec(take_fd(&fd), 0);
	if (dup3(fd, want, 0) < 0)
		return err_sys(e, "stdio");
	return 0;
}

static int terminal(struct job *j, struct err *e)
{
	if (ioctl(j->slave, TIOCSCTTY, 0) < 0)
		return err_sys(e, "make the terminal the controlling one");
	for (int i = 0; i < 3; i++)
		if (dup3(j->slave, i, 0) < 0)
			return err_sys(e, "stdio");
	fd_close(j->slave);
	j->slave = -1;
	return 0;
}

static int stdio(struct job *j, struct err *e)
{
	int from[3], r;

	if (j->process->terminal)
		return terminal(j, e);
	/* First out of the way of 0 to 2, so that no order of them overwrites another. */
	for (int i = 0; i < 3; i++) {
		from[i] = j->opts->stdio[i];
		if (from[i] >= 0 && from[i] != i) {
			from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 3);
			if (from[i] < 0)
				return err_sys(e, "stdio %d", i);
		}
	}
	for (int i = 0; i < 3; i++) {
		if (from[i] < 0) {
			r = null_stdio(i, e);
			if (r < 0)
				return r;
		} else if (from[i] == i) {
			if (fd_set_cloexec(i, 0) < 0)
				return err_sys(e, "stdio %d", i);
		} else if (dup3(from[i], i, 0) < 0) {
			return err_sys(e, "stdio %d", i);
		}
	}
	return 0;
}

/* /dev/stdout and the terminal must be openable by the process's user.  What cannot be given away
 * (read-only file systems, ids that are not mapped) stays as it is. */
static void give_stdio(uid_t uid, gid_t gid)
{
	struct stat st;

	for (int i = 0; i < 3; i++) {
		if (fstat(i, &st) < 0 || (st.st_uid == uid && st.st_gid == gid))
			continue;
		if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
			continue;
		if (fchown(i, uid, isatty(i) ? (gid_t)-1 : gid) < 0)
			continue;
	}
}

/* ---- directory ---- */

static int make_directories(const char *path)
{
	auto_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;

	if (root < 0)
		return -errno;
	fd = path_mkdirs(root, path, 0755, PATH_IN_ROOT);
	return fd < 0 ? fd : 0;
}

static int enter_directory(const char *cwd)
{
	char where[PATH_MAX];

	if (chdir(cwd) < 0)
		return -errno;
	/* A directory outside of the root, reached through a descriptor that somebody left open,
	 * has no path here; the kernel says so (CVE-2024-21626).  The raw call: libc hides it. */
	if (syscall(SYS_getcwd, where, sizeof(where)) < 0 || where[0] != '/')
		return -EXDEV;
	return 0;
}

static int directory(const char *cwd, bool again, struct err *e)
{
	int r = enter_directory(cwd);

	if (r == -ENOENT && !again) {
		make_directories(cwd);
		r = enter_directory(cwd);
	}
	/* Perhaps the user may where root may not (root_squash): tried again later. */
	if (r == -EACCES && !again)
		return 1;
	if (r == -EXDEV)
		return err_set(e, ERR_DENIED,
			       "chdir to cwd (\"%s\"): current working directory is outside of "
			       "the container mount namespace root -- possible container breakout "
			       "detected",
			       cwd);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "chdir to cwd (\"%s\") set in config.json failed", cwd);
	}
	return 0;
}

/* ---- identity ---- */

static int groups(struct job *j, const struct plan_user *u, struct err *e)
{
	size_t n = u->additional_gids.n;
	gid_t *list;

	if (n > NGROUPS_MAX)
		return err_set(e, ERR_USAGE, "process.user.additionalGids: too many");
	list = arena_array(&j->arena, n + 1, sizeof(*list));
	for (size_t i = 0; i < n; i++)
		list[i] = (gid_t)u->additional_gids.v[i];
	if (setgroups(n, list) == 0)
		return 0;
	/* setgroups is denied in a user namespace mapped without privilege: no group is fine, and
	 * asking for one is an error, never silently left out. */
	if (errno == EPERM && n == 0 && (j->userns || j->rootless || userns_inside()))
		return 0;
	return err_sys(e, "process.user.additionalGids");
}

static int identity(struct job *j, const struct plan_process *p, const struct capset *caps,
		    uint64_t keep, struct err *e)
{
	int r;

	r = capset_bound(caps, e);
	if (r < 0)
		return r;
	r = groups(j, &p->user, e);
	if (r < 0)
		return r;
	if (setresgid(p->user.gid, p->user.gid, p->user.gid) < 0)
		return err_sys(e, "setgid %u", p->user.gid);
	if (setresuid(p->user.uid, p->user.uid, p->user.uid) < 0)
		return err_sys(e, "setuid %u", p->user.uid);
	/* setresuid() to another id set this to suid_dumpable; ours is always 0 until execve. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return capset_apply(caps, keep, e);
}

/* Without no_new_privs only CAP_SYS_ADMIN may install a filter; it is kept for that one call. */
static uint64_t kept(const struct job *j)
{
	return j->seccomp.insns && !j->process->no_new_privileges ? 1ULL << CAP_SYS_ADMIN : 0;
}

/* ---- command ---- */

static const char *from_env(const struct plan_process *p, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < p->env.n; i++)
		if (strncmp(p->env.v[i], name, n) == 0 && p->env.v[i][n] == '=')
			return p->env.v[i] + n + 1;
	return NULL;
}

static int runnable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

static int search(struct job *j, const char *name)
{
	const char *path = from_env(j->process, "PATH");
	int denied = -ENOENT;

	for (path = path ? path : DEFAULT_PATH; *path; path += strspn(path, ":")) {
		size_t n = strcspn(path, ":");
		char *full = arena_printf(&j->arena, "%.*s/%s", (int)n, path, name);
		int r = n ? runnable(full) : -ENOENT;

		if (r == 0) {
			j->command = full;
			return 0;
		}
		if (r == -EACCES)
			denied = r;
		path += n;
	}
	return denied;
}

static int command_error(const char *name, int r, struct err *e)
{
	const bool missing = r == -ENOENT || r == -ENOTDIR || r == -ELOOP;
	int ret;

	if (r == -ENOENT && !strchr(name, '/'))
		ret = err_set(e, ERR_NO_COMMAND, "exec: \"%s\": executable file not found in $PATH",
			      name);
	else if (r == -ENOENT)
		ret = err_set(e, ERR_NO_COMMAND, "exec: \"%s\": stat %s: no such file or directory",
			      name, name);
	else
		ret = err_set(e, missing ? ERR_NO_COMMAND : ERR_NOT_EXEC, "exec: \"%s\": %s", name,
			      r == -EACCES    ? "permission denied"
			      : r == -EISDIR  ? "is a directory"
			      : r == -ENOEXEC ? "exec format error"
					      : strerror(-r));
	if (e)
		e->sys = -r;
	return ret;
}

/* Found now, so that a missing command is an error of create and not of start. */
static int find_command(struct job *j, struct err *e)
{
	const char *name = j->process->args.v[0];
	int r;

	if (strchr(name, '/')) {
		j->command = arena_dup(&j->arena, name);
		r = runnable(name);
	} else {
		r = *name ? search(j, name) : -ENOENT;
	}
	return r < 0 ? command_error(name, r, e) : 0;
}

/* ---- in order ---- */

int process_prepare(struct job *j, struct err *e)
{
	struct plan_process *p = arena_alloc(&j->arena, sizeof(*p));
	struct capset caps;
	int r, later = 0;

	*p = *j->process;
	/* In a foreign bundle the name is informational (runtime-spec config.md, "User"). */
	if (!j->plan->caisson)
		p->user.username = NULL, p->user.groups = (struct strs){0};
	r = user_resolve(p, &j->arena, e);
	if (r < 0)
		return r;
	j->process = p;
	if (!j->exec && j->plan->caisson)
		r = owners_apply(&j->plan->mounts, &p->user, e);
	if (r < 0)
		return r;
	capset_read(p->capabilities, &caps, NULL);
	r = settings(j, e);
	if (r == 0)
		r = stdio(j, e);
	if (r < 0)
		return r;
	give_stdio(p->user.uid, p->user.gid);
	if (p->cwd && *p->cwd) {
		later = r = directory(p->cwd, false, e);
		if (r < 0)
			return r;
	}
	umask(p->user.umask.set ? (mode_t)p->user.umask.v & 07777 : 0022);
	r = identity(j, p, &caps, kept(j), e);
	if (r == 0 && later)
		r = directory(p->cwd, true, e);
	return r < 0 ? r : find_command(j, e);
}

/* The filter may notify for any call, even those that would hand the listener over, so a helper
 * without the filter, sharing our descriptors, does it. */
static int install_with_listener(struct job *j, struct err *e)
{
	/* The helper is nobody's to wait for: execve sets the flag back (signal(7)). */
	struct sigaction no_zombie = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
	auto_buf struct buf state = BUF_INIT(64 * 1024);
	int ready[2], done[2], listener = -1, r, status = -1;
	pid_t pid;

	hooks_listener_state(j, &state);
	if (buf_fail(&state, "container process state", e) < 0)
		return -EOVERFLOW;
	sigaction(SIGCHLD, &no_zombie, NULL);
	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(done, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	if (pid < 0)
		return err_sys(e, "helper for the seccomp listener");
	if (pid == 0) {
		if (read(ready[0], &listener, sizeof(listener)) != sizeof(listener))
			_exit(1);
		status = sock_send_fds(j->notify, state.p, state.len, &listener, 1);
		fd_write_all(done[1], &status, sizeof(status));
		_exit(0);
	}
	r = seccomp_install(&j->seccomp, &listener, e);
	if (r < 0)
		return r;
	if (write(ready[1], &listener, sizeof(listener)) != sizeof(listener) ||
	    read(done[0], &status, sizeof(status)) != sizeof(status) || status < 0)
		return err_set(e, ERR_SYSTEM, "hand the seccomp listener to '%s'",
			       j->seccomp.listener_path);
	return 0;
}

static int filter(struct job *j, struct err *e)
{
	struct capset caps;
	int listener = -1, r;

	if (!j->seccomp.insns)
		return 0;
	r = j->seccomp.notify ? install_with_listener(j, e)
			      : seccomp_install(&j->seccomp, &listener, e);
	if (r < 0 || !kept(j))
		return r;
	capset_read(j->process->capabilities, &caps, NULL);
	return capset_apply(&caps, 0, e);
}

static int exec_error(const struct job *j, int error, struct err *e)
{
	const char *path = j->command;
	struct stat st;

	/* The program is there and execve says ENOENT: its interpreter is not. */
	if (error == ENOENT || error == ENOTDIR) {
		if (stat(path, &st) == 0) {
			err_set(e, ERR_NO_COMMAND,
				"exec %s: no such file or directory (its interpreter is missing)",
				path);
			return -ESRCH;
		}
		return err_set(e, ERR_NO_COMMAND, "exec %s: no such file or directory", path);
	}
	errno = error;
	return command_error(path, -error, e);
}

/* reaper.h: our name, the command's path, then its own argv. */
static void wrap_in_init(struct job *j)
{
	struct strs l = {0};

	arena_strs_add(&j->arena, &l, REAPER_NAME);
	arena_strs_add(&j->arena, &l, j->command);
	for (size_t i = 0; i < j->process->args.n; i++)
		arena_strs_add(&j->arena, &l, j->process->args.v[i]);
	j->init_args = l;
}

int process_confine(struct job *j, struct err *e)
{
	int r;

	/* The last line against a leaked descriptor (CVE-2024-21626); it also covers what was
	 * inherited from whoever started the program. */
	r = fd_cloexec_from(3 + j->opts->preserve_fds);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "close descriptors");
	}
	if (j->process->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, "no_new_privs");
	/* Memory is asked for before the filter is there. */
	if (j->init >= 0)
		wrap_in_init(j);
	return filter(j, e);
}

int process_exec(const struct job *j, struct err *e)
{
	static char *const nothing[] = {NULL};
	const struct plan_process *p = j->process;
	char *const *env = p->env.n ? (char *const *)(uintptr_t)p->env.v : nothing;

	if (j->init >= 0) {
		execveat(j->init, "", (char *const *)(uintptr_t)j->init_args.v, env, AT_EMPTY_PATH);
		return err_sys(e, "exec of --init's program");
	}
	execve(j->command, (char *const *)(uintptr_t)p->args.v, env);
	return exec_error(j, errno, e);
}
