/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * The parent (caller) and the child (the process being made) share a struct job, by the copy that
 * clone() makes, and a SOCK_SEQPACKET pair (handshake.h).  One clone3() makes the child with all
 * new namespaces; a "stage" process stands between only where the kernel demands one:
 *   - a pid or user namespace is joined, or anything is joined beside a new user namespace (what
 *     belongs to the host's user namespace has to be joined while we still have its privileges);
 *   - a time namespace has offsets, which can be set only before anybody is in it.
 * The stage makes the child with CLONE_PARENT, so the child is the caller's own in every case.
 *
 *   parent                                   child
 *   ------                                   -----
 *   check_plan, open namespaces,
 *   cgroup, seccomp program
 *   clone3 --------------------------------> not dumpable, own session, signals reset
 *                                            enter the cgroup by itself (moving another process
 *                                            costs 10 ms and more, see cgroup.h)
 *   id maps           -- MAPPED ---------->  root of the user namespace
 *   oom_score_adj     -- PLACED ---------->  cgroup namespace, join namespaces
 *   bind sources and root opened with the
 *   host's privilege  -- SOURCE ---------->  (only with a user namespace or idmapped mounts,
 *                     <- WANT -------------   by a helper in the child's mount namespace)
 *                                            root attached, mounts, devices, terminal
 *                     <- CONSOLE -----------
 *                     <- HOOKS -------------
 *   prestart, createRuntime -- HOOKED ---->  createContainer, masks, pivot_root, sysctl,
 *                                            identity, limits, directory, command found
 *                     <- READY -------------
 *   launch_create() returns
 *   launch_start()    -- START ----------->  startContainer, no_new_privs, seccomp, execve
 *                     <- end of file ------  (close-on-exec) or FAILED
 *
 * Invariants.
 * 1. Any failure is one FAILED message or the end of the socket; then the parent kills and reaps
 *    the child and removes the cgroup: nothing is left.
 * 2. Nothing inside the image's tree is reached by a path walked outside of openat2(IN_ROOT).
 * 3. The child holds no privilege and no descriptor at execve that the plan does not name.
 * 4. The caller's namespaces, cwd, umask and signal mask are never changed, but for the moment of a
 *    setns(CLONE_NEWPID) around clone3 in launch_exec(), which only counts for children.
 */
#include "runtime/launch.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/str.h"
#include "runtime/capset.h"
#include "runtime/cgroup.h"
#include "runtime/check.h"
#include "runtime/entry.h"
#include "runtime/hooks.h"
#include "runtime/mounts.h"
#include "runtime/netdevices.h"
#include "runtime/newroot.h"
#include "runtime/rdt.h"
#include "runtime/runtime_int.h"
#include "runtime/sources.h"
#include "spec/trace.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/sock.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

static const char *id_of(const struct plan *p, const struct launch_opts *o)
{
	return o->id ? o->id : p->caisson && p->caisson->id ? p->caisson->id : "";
}

static void job_init(struct job *j, const struct plan *p, const struct plan_process *process,
		     const struct launch_opts *o)
{
	*j = (struct job){
	    .plan = p,
	    .process = process,
	    .opts = o,
	    .id = id_of(p, o),
	    .ns = NSSET_INIT,
	    .target = -1,
	    .lock = o->lock > 0 ? o->lock : -1,
	    .sync = -1,
	    .peer = -1,
	    .bundle_fd = -1,
	    .notify = -1,
	    .root = -1,
	    .devpts = -1,
	    .proc = -1,
	    .slave = -1,
	    .init = -1,
	};
}

static void job_done(struct job *j)
{
	nsset_close(&j->ns);
	fd_close(j->target);
	fd_close(j->sync);
	fd_close(j->peer);
	fd_close(j->bundle_fd);
	fd_close(j->notify);
	seccomp_done(&j->seccomp);
	arena_free(&j->arena);
}

/* ---- making the process ---- */

static pid_t clone_it(unsigned int flags, int cgroup_fd, int *pidfd)
{
	struct clone_args a = {
	    .flags = flags,
	    .exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD, /* the kernel wants 0 there */
	};
	long pid;

	if (pidfd) {
		a.flags |= CLONE_PIDFD;
		a.pidfd = (uint64_t)(uintptr_t)pidfd;
	}
	if (cgroup_fd >= 0) {
		a.flags |= CLONE_INTO_CGROUP;
		a.cgroup = (uint64_t)cgroup_fd;
	}
	pid = syscall(SYS_clone3, &a, sizeof(a));
	return pid < 0 ? -errno : (pid_t)pid;
}

static int v2_fd(const struct job *j)
{
	if (!j->cgroup || j->placed_by_parent || j->no_clone_into ||
	    (j->exec && j->opts->cgroup_subs))
		return -1;
	return cgroup_dir_fd(j->cgroup);
}

static bool has_offsets(const struct plan *p)
{
	const struct plan_time_offsets *t = p->linux_->time_offsets;

	return t && (t->monotonic || t->boottime);
}

static int write_offsets(const struct plan_time_offsets *t, struct err *e)
{
	const struct plan_time_offset *v[] = {t->monotonic, t->boottime};
	static const char *const names[] = {"monotonic", "boottime"};
	auto_buf struct buf b = BUF_INIT(256);
	int r;

	for (int i = 0; i < 2; i++)
		if (v[i])
			buf_printf(&b, "%s %lld %u\n", names[i], (long long)v[i]->secs,
				   v[i]->nanosecs);
	r = file_put(AT_FDCWD, "/proc/self/timens_offsets", b.p);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "linux.timeOffsets");
	}
	return 0;
}

/* The namespace of the instance for the children made now, and back: only launch_exec() does.
 * Whether there is a way back is tried before: inside a user namespace the own pid namespace may
 * belong to the outer one. */
static int own_pid_namespace(void)
{
	return open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
}

static bool can_return(void)
{
	auto_fd int own = own_pid_namespace();

	return own >= 0 && setns(own, CLONE_NEWPID) == 0;
}

static bool needs_stage(const struct job *j)
{
	const unsigned int first = CLONE_NEWPID | CLONE_NEWUSER;

	if (j->exec)
		return j->target_flags & first && (j->rootless || !can_return());
	return j->ns.join & first || (j->ns.join && j->ns.make & CLONE_NEWUSER) ||
	       (j->ns.make & CLONE_NEWTIME && has_offsets(j->plan));
}

/* Namespaces whose offsets must stand before the first process: unshared here, not cloned. */
static int stage_time(struct job *j, unsigned int *flags, struct err *e)
{
	int r;

	if (!(*flags & CLONE_NEWTIME) || !has_offsets(j->plan))
		return 0;
	if (*flags & CLONE_NEWUSER) {
		if (unshare(CLONE_NEWUSER) < 0)
			return err_sys(e, "new user namespace");
		/* Whoever gains capabilities is made undumpable, and then only root may map it. */
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
		r = handshake_send(j->sync, HANDSHAKE_MAP, 0, -1, e);
		if (r == 0)
			r = handshake_expect(j->sync, HANDSHAKE_MAPPED, NULL, NULL, e);
		/* Its owner must be able to write /proc/self/timens_offsets: dumpable, until the
		 * clone; the stage is in none of the instance's pid namespaces. */
		if (r == 0 && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
			return err_sys(e, "become root of the user namespace");
		if (r < 0)
			return r;
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
		*flags &= ~(unsigned int)CLONE_NEWUSER;
		j->await_map = false;
	}
	if (unshare(CLONE_NEWTIME) < 0)
		return err_sys(e, "new time namespace");
	*flags &= ~(unsigned int)CLONE_NEWTIME;
	r = write_offsets(j->plan->linux_->time_offsets, e);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return r;
}

static int stage_join(struct job *j, struct err *e)
{
	const unsigned int later = CLONE_NEWNS; /* the bundle is looked up in the host's */
	int r;

	if (j->exec) {
		if (setns(j->target, (int)j->target_flags) < 0)
			return err_sys(e, "join the namespaces of the instance");
		j->target_flags = 0;
		return 0;
	}
	r = nsset_join(&j->ns, j->ns.join & ~later, e);
	if (r == 0 && j->ns.join & CLONE_NEWUSER)
		r = entry_become_root(e);
	j->ns.join &= later;
	return r;
}

static _Noreturn void stage_main(struct job *j, unsigned int flags)
{
	struct err e = ERR_INIT;
	int r;
	pid_t pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	entry_unlock(j);
	/* Here and not in the child, and not by CLONE_INTO_CGROUP: both would need the privileges
	 * that are given up on the way. */
	r = entry_cgroup(j, &e);
	if (r == 0)
		r = stage_join(j, &e);
	if (r == 0)
		r = stage_time(j, &flags, &e);
	if (r == 0) {
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
		pid = clone_it(flags | CLONE_PARENT, -1, NULL);
		if (pid == 0)
			entry_main(j);
		errno = pid < 0 ? -pid : 0;
		r = pid < 0 ? err_sys(&e, "clone")
			    : handshake_send(j->sync, HANDSHAKE_CHILD, pid, -1, &e);
	}
	if (r < 0)
		handshake_fail(j->sync, &e);
	_exit(r < 0);
}

/* Answer a stage until it names the child, and reap it. */
static int run_stage(struct job *j, pid_t stage, struct launch *l, struct err *e)
{
	struct handshake h;
	int r;

	while ((r = handshake_recv(j->peer, &h, NULL, e)) == 1 && h.op == HANDSHAKE_MAP) {
		r = nsset_map(stage, &j->plan->linux_->uid_mappings, &j->plan->linux_->gid_mappings,
			      e);
		if (r == 0)
			r = handshake_send(j->peer, HANDSHAKE_MAPPED, 0, -1, e);
		if (r < 0)
			break;
	}
	if (r == 0)
		r = err_set(e, ERR_SYSTEM, "the process that joins namespaces ended early");
	if (r < 0)
		kill(stage, SIGKILL);
	while (waitpid(stage, NULL, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return r;
	if (h.op != HANDSHAKE_CHILD || h.value <= 0)
		return err_set(e, ERR_SYSTEM, "the process that joins namespaces is confused");
	l->pid = h.value;
	l->pidfd = (int)syscall(SYS_pidfd_open, l->pid, 0);
	return l->pidfd < 0 ? err_sys(e, "open the new process") : 0;
}

static int spawn(struct job *j, struct launch *l, struct err *e)
{
	const unsigned int cloned = j->ns.make & ~(unsigned int)CLONE_NEWCGROUP;
	auto_fd int own = -1;
	bool inner_pid = false;
	bool stage = needs_stage(j);
	int dumpable;
	pid_t pid;

	if (j->exec && !stage && j->target_flags & CLONE_NEWPID) {
		own = own_pid_namespace();
		if (own < 0 || setns(j->target, CLONE_NEWPID) < 0)
			return err_sys(e, "join the pid namespace of the instance");
		j->target_flags &= ~(unsigned int)CLONE_NEWPID;
		inner_pid = true;
	}
	/* The child is visible inside from its first instruction; see also entry.c. */
	dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, j->new_userns && j->rootless, 0, 0, 0);
	j->await_map = j->new_userns;
	pid = stage ? clone_it(0, -1, NULL) : clone_it(j->exec ? 0 : cloned, v2_fd(j), &l->pidfd);
	if (pid == 0) {
		close(take_fd(&j->peer));
		if (stage)
			stage_main(j, j->exec ? 0 : cloned);
		entry_main(j);
	}
	prctl(PR_SET_DUMPABLE, dumpable == 1, 0, 0, 0);
	if (inner_pid && setns(own, CLONE_NEWPID) < 0) {
		/* Our later children would land in the instance: nothing may go on like that. */
		if (pid > 0)
			kill(pid, SIGKILL);
		abort();
	}
	if (pid < 0) {
		errno = -pid;
		if (errno == EPERM && cloned & CLONE_NEWUSER)
			return err_set(
			    e, ERR_DENIED,
			    "a new user namespace is not permitted here (see "
			    "user.max_user_namespaces, kernel.unprivileged_userns_clone)");
		if (errno == EPERM && j->rootless && !j->exec)
			return err_set(e, ERR_DENIED,
				       "without privilege a plan needs a user namespace "
				       "of its own (linux.namespaces)");
		return err_sys(e, "clone");
	}
	close(take_fd(&j->sync));
	if (stage)
		return run_stage(j, pid, l, e);
	l->pid = pid;
	return 0;
}

/* ---- what the parent does for the child ---- */

static int oom_score(const struct job *j, pid_t pid, struct err *e)
{
	char path[48], value[16];
	int r;

	if (!j->process->oom_score_adj.set)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
	snprintf(value, sizeof(value), "%d", (int)j->process->oom_score_adj.v);
	r = file_put(AT_FDCWD, path, value);
	/* Without privilege it can only be raised; rootless callers live with that, as with runc.
	 */
	if (r == -EACCES && j->rootless)
		return 0;
	if (r < 0) {
		errno = -r;
		return err_sys(e, "process.oomScoreAdj %s", value);
	}
	return 0;
}

/* The network namespace is the child's already, unless it is still to join one. */
static int move_devices(const struct job *j, const struct launch *l, struct err *e)
{
	char path[32];
	auto_fd int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)l->pid);
	if (j->ns.join & CLONE_NEWNET)
		fd = fcntl(nsset_fd(&j->ns, CLONE_NEWNET), F_DUPFD_CLOEXEC, 3);
	else
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "linux.netDevices: the network namespace");
	return netdevices_move(j->plan->linux_->net_devices_json, fd, e);
}

static int host_hooks(const struct job *j, pid_t pid, struct err *e)
{
	const struct plan_hooks *h = j->plan->hooks;
	int r = launch_hooks(j->plan, &h->prestart, "prestart", j->opts, "creating", pid, e);

	if (r < 0)
		return r;
	return launch_hooks(j->plan, &h->create_runtime, "createRuntime", j->opts, "creating", pid,
			    e);
}

/* What the host's privilege gives the new process beside its cgroup. */
static int place(struct job *j, const struct launch *l, struct err *e)
{
	const struct plan_linux *pl = j->plan->linux_;
	auto_fd int rdt = -1;
	int r = 0;

	if (pl->intel_rdt) {
		rdt = rdt_open(e);
		r = rdt < 0 ? rdt : rdt_join(rdt, pl->intel_rdt, j->id, l->pid, e);
	}
	return r == 0 && !j->exec && pl->net_devices_json ? move_devices(j, l, e) : r;
}

/* Serve the child until it is ready. */
static int attend(struct job *j, struct launch *l, struct err *e)
{
	const struct plan_linux *pl = j->plan->linux_;
	struct err why = ERR_INIT;
	struct handshake h;
	int fd, r = 0;

	if (j->placed_by_parent)
		r = cgroup_attach(j->cgroup, l->pid, e);
	if (r == 0)
		r = oom_score(j, l->pid, e);
	/* A stage has had its maps written when the time namespace demanded it. */
	if (r == 0 && j->await_map &&
	    !(needs_stage(j) && j->ns.make & CLONE_NEWTIME && has_offsets(j->plan))) {
		r = nsset_map(l->pid, &pl->uid_mappings, &pl->gid_mappings, e);
		if (r == 0)
			r = handshake_send(j->peer, HANDSHAKE_MAPPED, l->pid, -1, e);
	}
	if (r == 0)
		r = place(j, l, e);
	if (r == 0)
		r = handshake_send(j->peer, HANDSHAKE_PLACED, l->pid, -1, e);
	if (r == 0 && j->from_parent) {
		r = sources_serve(j, l, e);
		j->heard = r == 0;
	}
	/* The child's own reason, if it died of something, is better than our broken pipe. */
	if (r < 0 && e && e->sys == EPIPE && handshake_recv(j->peer, &h, NULL, &why) < 0) {
		j->heard = true;
		*e = why;
		return r;
	}
	while (r >= 0) {
		r = handshake_recv(j->peer, &h, &fd, e);
		if (r == 0)
			return err_set(e, ERR_SYSTEM, "the new process died while being set up");
		j->heard = true;
		if (r < 0 || h.op == HANDSHAKE_READY)
			break;
		if (h.op == HANDSHAKE_CONSOLE && fd >= 0) {
			fd_close(l->console);
			l->console = fd;
		} else if (h.op == HANDSHAKE_HOOKS && j->plan->hooks) {
			r = host_hooks(j, l->pid, e);
			if (r == 0)
				r = handshake_send(j->peer, HANDSHAKE_HOOKED, 0, -1, e);
		} else {
			fd_close(fd);
			return err_set(e, ERR_SYSTEM, "the new process sent message %u", h.op);
		}
	}
	return r < 0 ? r : 0;
}

static void end_child(struct launch *l)
{
	if (l->pid > 0) {
		kill(l->pid, SIGKILL);
		while (waitpid(l->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
}

static int make_child(struct job *j, struct launch *l, struct err *e)
{
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "socketpair");
	fd_close(j->sync);
	fd_close(j->peer);
	j->sync = pair[0];
	j->peer = pair[1];
	r = spawn(j, l, e);
	return r < 0 ? r : attend(j, l, e);
}

/* Killed before its first instruction of ours, by a signal that nobody has sent: since 6.9 or so
 * the kernel compares how often the new cgroup and the caller's were killed (cgroup.kill), and
 * takes a difference for a kill during the fork.  A directory that was killed once and is used
 * again (a delete found it busy), or a caller in such a one, would never start anything. */
static bool killed_by_kernel(const struct job *j, const struct launch *l)
{
	struct pollfd p = {.fd = l->pidfd, .events = POLLIN};
	siginfo_t i = {0};

	/* Its end of the socket is closed a moment before it is a zombie. */
	return !j->heard && v2_fd(j) >= 0 && l->pid > 0 && poll(&p, 1, 50) == 1 &&
	       waitid(P_PID, (id_t)l->pid, &i, WEXITED | WNOWAIT | WNOHANG) == 0 &&
	       i.si_pid == l->pid && i.si_code == CLD_KILLED && i.si_status == SIGKILL;
}

static int make_process(struct job *j, struct launch *l, struct err *e)
{
	const unsigned int target_flags = j->target_flags;
	struct err first = ERR_INIT;
	int r = make_child(j, l, &first);

	if (r < 0 && killed_by_kernel(j, l)) {
		end_child(l);
		fd_close(l->pidfd);
		l->pid = 0;
		l->pidfd = -1;
		j->no_clone_into = true;
		j->target_flags = target_flags;
		return make_child(j, l, e);
	}
	if (r < 0 && e)
		*e = first;
	return r;
}

/* ---- preparation ---- */

static int connect_listener(struct job *j, struct err *e)
{
	auto_fd int dir = -1;
	const char *path = j->seccomp.listener_path, *slash;
	char parent[4096];
	int fd;

	if (!j->seccomp.notify)
		return 0;
	if (!path || *path != '/')
		return err_set(e, ERR_USAGE,
			       "linux.seccomp: SCMP_ACT_NOTIFY needs an absolute listenerPath");
	slash = strrchr(path, '/');
	snprintf(parent, sizeof(parent), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	dir = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = dir < 0 ? -errno : sock_connect(dir, slash + 1);
	if (fd < 0) {
		errno = -fd;
		return err_sys(
		    e, "linux.seccomp.listenerPath: failed to connect with seccomp agent '%s'",
		    path);
	}
	j->notify = fd;
	return 0;
}

static struct cgroup_request cgroup_of(const struct plan *p, const struct launch_opts *o)
{
	const struct plan_caisson *ours = p->caisson;

	return (struct cgroup_request){
	    .path = p->linux_->cgroups_path,
	    .id = id_of(p, o),
	    .driver = o->flags & LAUNCH_SYSTEMD_CGROUP ? CGROUP_SYSTEMD : CGROUP_FS,
	    .flags = (ours ? CGROUP_PATH_OURS : 0U) |
		     (ours && ours->default_pids ? CGROUP_DEFAULT_PIDS : 0U),
	    .resources = p->linux_->resources,
	    .annotations = &p->annotations,
	};
}

static bool any_idmap(const struct plan *p)
{
	for (size_t i = 0; i < p->mounts.n; i++) {
		const struct plan_mount *m = &p->mounts.v[i];

		if (m->uid_mappings.n || m->gid_mappings.n)
			return true;
		for (size_t k = 0; k < m->options.n; k++)
			if (streq(m->options.v[k], "idmap") || streq(m->options.v[k], "ridmap"))
				return true;
	}
	return false;
}

static int prepare(struct job *j, struct err *e)
{
	const char *bundle = j->opts->bundle ? j->opts->bundle : "/", *cache;
	int r;

	j->rootless = geteuid() != 0 || !capset_have(CAP_SYS_ADMIN);
	j->placed_by_parent = j->opts->flags & LAUNCH_SYSTEMD_CGROUP;
	j->bundle_fd = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (j->bundle_fd < 0)
		return err_sys(e, "bundle '%s'", bundle);
	cache = j->opts->seccomp_cache;
	if (!cache && j->plan->caisson)
		cache = j->plan->caisson->seccomp_cache;
	r = seccomp_prepare(j->plan, cache, &j->seccomp, e);
	return r < 0 ? r : connect_listener(j, e);
}

static int make_class(const struct plan *p, const char *id, bool *made, struct err *e)
{
	auto_fd int rdt = -1;

	if (!p->linux_->intel_rdt)
		return 0;
	rdt = rdt_open(e);
	return rdt < 0 ? rdt : rdt_create(rdt, p->linux_->intel_rdt, id, made, e);
}

void launch_remove_class(const struct plan *p, const char *id, bool made)
{
	auto_fd int rdt = p->linux_ && p->linux_->intel_rdt ? rdt_open(NULL) : -1;

	if (rdt >= 0)
		rdt_remove(rdt, p->linux_->intel_rdt, id, made);
}

static int create(struct job *j, struct launch *l, struct err *e)
{
	struct cgroup_request rq = cgroup_of(j->plan, j->opts);
	int r;

	r = nsset_read(j->plan, &j->ns, e);
	if (r == 0)
		r = prepare(j, e);
	if (r < 0)
		return r;
	j->new_userns = j->ns.make & CLONE_NEWUSER;
	j->userns = (j->ns.make | j->ns.join) & CLONE_NEWUSER;
	j->from_parent = (j->userns && !j->rootless) || any_idmap(j->plan);
	trace_begin(TRACE_CGROUP);
	r = cgroup_create(&rq, &l->cgroup, e);
	trace_end(TRACE_CGROUP);
	if (r < 0)
		return r;
	j->cgroup = l->cgroup;
	r = make_class(j->plan, j->id, &l->rdt_made, e);
	if (r < 0)
		return r;
	r = make_process(j, l, e);
	if (r < 0)
		launch_remove_class(j->plan, j->id, l->rdt_made);
	return r;
}

int launch_create(const struct plan *p, const struct launch_opts *o, struct launch *out,
		  struct err *e)
{
	struct launch l = LAUNCH_INIT;
	struct job j;
	int r;

	r = check_plan(p, e);
	if (r < 0)
		return r;
	trace_begin(TRACE_CREATE);
	job_init(&j, p, p->process, o);
	r = create(&j, &l, e);
	if (r < 0) {
		end_child(&l);
		if (l.cgroup)
			cgroup_remove(l.cgroup, NULL);
		launch_done(&l);
	} else {
		l.sync = take_fd(&j.peer);
		*out = l;
	}
	job_done(&j);
	trace_end(TRACE_CREATE);
	return r;
}

int launch_release(int conn, struct err *e)
{
	struct handshake h;
	int r = handshake_send(conn, HANDSHAKE_START, 0, -1, e);

	if (r < 0)
		return r;
	/* execve closes the other end. */
	r = handshake_recv(conn, &h, NULL, e);
	if (r > 0)
		return err_set(e, ERR_SYSTEM, "message %u instead of the start", h.op);
	return r;
}

int launch_start(struct launch *l, struct err *e)
{
	int r;

	trace_begin(TRACE_EXEC);
	r = launch_release(l->sync, e);
	trace_end(TRACE_EXEC);
	close(take_fd(&l->sync));
	return r;
}

static int exec_it(struct job *j, pid_t init, struct launch *l, struct err *e)
{
	struct cgroup_request rq = cgroup_of(j->plan, j->opts);
	int r;

	r = nsset_read_kinds(j->plan, &j->target_flags, e);
	if (r == 0)
		r = prepare(j, e);
	if (r < 0)
		return r;
	j->target = (int)syscall(SYS_pidfd_open, init, 0);
	if (j->target < 0)
		return err_sys(e, "process %d of the instance", (int)init);
	j->target_user = j->userns = j->target_flags & CLONE_NEWUSER;
	r = j->opts->cgroup_saved ? cgroup_open_saved(j->opts->cgroup_saved, &l->cgroup, e)
				  : cgroup_open(&rq, &l->cgroup, e);
	if (r < 0)
		return r;
	j->cgroup = l->cgroup;
	r = make_process(j, l, e);
	return r < 0 ? r : launch_release(j->peer, e);
}

int launch_exec(const struct plan *p, pid_t init, const struct plan_process *process,
		const struct launch_opts *o, struct launch *out, struct err *e)
{
	struct launch l = LAUNCH_INIT;
	struct job j;
	int r;

	r = check_process(process, e);
	if (r < 0)
		return r;
	job_init(&j, p, process, o);
	j.exec = true;
	r = exec_it(&j, init, &l, e);
	if (r < 0) {
		end_child(&l);
		launch_done(&l);
	} else {
		*out = l;
	}
	job_done(&j);
	return r;
}

int launch_hooks(const struct plan *p, const struct plan_hook_list *hooks, const char *name,
		 const struct launch_opts *o, const char *status, pid_t pid, struct err *e)
{
	auto_buf struct buf state = BUF_INIT(1 << 20);

	if (!hooks->n)
		return 0;
	hooks_state(p, id_of(p, o), o->bundle, status, pid, &state);
	if (buf_fail(&state, "state", e) < 0)
		return -EOVERFLOW;
	return hooks_run(hooks, name, state.p, e);
}

void launch_done(struct launch *l)
{
	fd_close(l->pidfd);
	fd_close(l->console);
	fd_close(l->sync);
	cgroup_close(l->cgroup);
	*l = LAUNCH_INIT;
}

int launch_cleanup(const struct plan *p, const struct launch_opts *o, struct err *e)
{
	struct cgroup_request rq = cgroup_of(p, o);
	auto_cgroup struct cgroup *cg = NULL;
	int r = cgroup_open(&rq, &cg, e);

	if (r < 0)
		return r;
	r = cgroup_kill(cg, SIGKILL, e);
	return r < 0 ? r : cgroup_remove(cg, e);
}
