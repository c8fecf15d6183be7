/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/entry.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/str.h"
#include "runtime/cgroup.h"
#include "runtime/devices.h"
#include "runtime/hooks.h"
#include "runtime/masks.h"
#include "runtime/mounts.h"
#include "runtime/newroot.h"
#include "runtime/process.h"
#include "runtime/procfs.h"
#include "runtime/renew.h"
#include "runtime/runtime_int.h"
#include "runtime/sources.h"
#include "spec/trace.h"
#include "sys/fd.h"
#include "sys/mountfd.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* Nothing of the caller's signal handling comes along. */
static void reset_signals(void)
{
	const struct sigaction normal = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		sigaction(i, &normal, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Root of a new user namespace before anything else, with no group of the caller's left. */
static int await_root(struct job *j, struct err *e)
{
	struct handshake h;
	int r = handshake_expect(j->sync, HANDSHAKE_MAPPED, &h, NULL, e);

	if (r < 0)
		return r;
	return entry_become_root(e);
}

int entry_become_root(struct err *e)
{
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_sys(e, "become root of the user namespace (is id 0 mapped?)");
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return 0;
}

/* "SUB", or "CONTROLLERS:SUB" for those alone, each of which may lie in a tree of its own. */
static int enter_one(struct job *j, const char *sub, struct err *e)
{
	const char *colon = strchr(sub, ':');
	int r = 0;

	if (!colon)
		return cgroup_enter_sub(j->cgroup, NULL, sub, e);
	for (const char *w = sub; r == 0 && w < colon; w += w < colon) {
		size_t n = strcspn(w, ",:");

		r = cgroup_enter_sub(j->cgroup, arena_dupn(&j->arena, w, n), colon + 1, e);
		w += n;
	}
	return r;
}

/* What no word names is entered as without them. */
static int enter_subs(struct job *j, struct err *e)
{
	const struct strs *s = j->opts->cgroup_subs;
	int r = s->n == 1 && !strchr(s->v[0], ':') ? 0 : cgroup_enter(j->cgroup, e);

	for (size_t i = 0; r == 0 && i < s->n; i++)
		r = enter_one(j, s->v[i], e);
	return r;
}

int entry_cgroup(struct job *j, struct err *e)
{

	if (!j->cgroup || j->in_cgroup)
		return 0;
	j->in_cgroup = true;
	if (j->placed_by_parent)
		return 0;
	return j->exec && j->opts->cgroup_subs ? enter_subs(j, e) : cgroup_enter(j->cgroup, e);
}

static int names(const struct job *j, struct err *e)
{
	const struct plan *p = j->plan;

	if (p->hostname && *p->hostname && sethostname(p->hostname, strlen(p->hostname)) < 0)
		return err_sys(e, "hostname '%s'", p->hostname);
	if (p->domainname && *p->domainname &&
	    setdomainname(p->domainname, strlen(p->domainname)) < 0)
		return err_sys(e, "domainname '%s'", p->domainname);
	return 0;
}

/* "net.ipv4.ip_forward" to "sys/net/ipv4/ip_forward"; a '/' in the name stands for a dot in it. */
static void sysctl_path(const char *key, char *out, size_t size)
{
	size_t n = (size_t)snprintf(out, size, "sys/%s", key);
	const bool slashes =
	    strchr(key, '/') && (!strchr(key, '.') || strchr(key, '/') < strchr(key, '.'));

	if (slashes)
		return;
	for (size_t i = 4; i < n && i < size; i++)
		out[i] = out[i] == '.' ? '/' : out[i] == '/' ? '.' : out[i];
}

static int sysctls(const struct job *j, struct err *e)
{
	const struct jbind_map *m = &j->plan->linux_->sysctl;

	for (size_t i = 0; i < m->n; i++) {
		char path[512];
		int r;

		sysctl_path(m->v[i].key, path, sizeof(path));
		r = procfs_write(j->proc, path, m->v[i].value);
		if (r < 0) {
			errno = -r;
			return err_sys(e, "sysctl '%s'", m->v[i].key);
		}
	}
	return 0;
}

static bool wants_proc(const struct job *j)
{
	const struct plan_process *p = j->process;

	return (!j->exec && j->plan->linux_->sysctl.n) ||
	       (p->apparmor_profile && *p->apparmor_profile) ||
	       (p->selinux_label && *p->selinux_label);
}

static int host_hooks(struct job *j, struct err *e)
{
	const struct plan_hooks *h = j->plan->hooks;
	int r;

	if (!h || (!h->prestart.n && !h->create_runtime.n))
		return 0;
	r = handshake_send(j->sync, HANDSHAKE_HOOKS, 0, -1, e);
	return r < 0 ? r : handshake_expect(j->sync, HANDSHAKE_HOOKED, NULL, NULL, e);
}

static int own_hooks(const struct job *j, const struct plan_hook_list *list, const char *name,
		     const char *status, struct err *e)
{
	auto_buf struct buf state = BUF_INIT(1 << 20);

	hooks_state(j->plan, j->id, j->opts->bundle, status, j->host_pid, &state);
	if (buf_fail(&state, "state", e) < 0)
		return -EOVERFLOW;
	return hooks_run(list, name, state.p, e);
}

/* Like the others, but a hook without an environment has the process's (as in runc). */
static int start_hooks(struct job *j, const struct plan_hook_list *list, struct err *e)
{
	struct plan_hook_list own = *list;

	own.v = arena_array(&j->arena, list->n + 1, sizeof(*own.v));
	for (size_t i = 0; i < list->n; i++) {
		own.v[i] = list->v[i];
		if (!own.v[i].env.n)
			own.v[i].env = j->process->env;
	}
	return own_hooks(j, &own, "startContainer", "created", e);
}

static bool mounts_own(const struct job *j)
{
	return (j->ns.make | j->ns.join) & CLONE_NEWNS;
}

/* The parent's descriptor leads into the parent's mount namespace, of which no mount can be copied
 * here.  A user namespace may not be let in there; then everything comes from the parent. */
static int reopen_bundle(struct job *j, struct err *e)
{
	const char *bundle = j->opts->bundle ? j->opts->bundle : "/";
	int fd = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && !j->from_parent)
		return err_sys(e, "bundle '%s'", bundle);
	fd_close(j->bundle_fd);
	j->bundle_fd = fd;
	return 0;
}

/* While paths still are the host's.  Its own read-only mount: what /proc/1/exe leads to cannot be
 * opened for writing, whoever asks (CVE-2019-5736). */
static int open_init(struct job *j, struct err *e)
{
	struct mountfd_attr ro = {.set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, .userns_fd = -1};
	const char *path = j->plan->caisson ? j->plan->caisson->init : NULL;
	int r;

	if (!path)
		return 0;
	j->init = mountfd_clone(AT_FDCWD, path, false);
	r = j->init < 0 ? j->init : mountfd_change(j->init, &ro);
	if (r == 0)
		return 0;
	errno = -r;
	return err_sys(e, "--init: '%s'", path);
}

/* Everything of the instance, in the order of the specification's life cycle. */
static int build(struct job *j, struct err *e)
{
	const struct plan_hooks *h = j->plan->hooks;
	int r;

	trace_begin(TRACE_MOUNTS);
	umask(0);
	if (!mounts_own(j)) {
		j->root = openat(j->bundle_fd, j->plan->root->path,
				 O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (j->root < 0)
			return err_sys(e, "root.path '%s'", j->plan->root->path);
		r = host_hooks(j, e);
		return r < 0 ? r : newroot_enter(j, e);
	}
	r = open_init(j, e);
	if (r == 0)
		r = reopen_bundle(j, e);
	if (r == 0)
		r = newroot_attach(j, e);
	/* Before anything is mounted in it, which is somebody else's. */
	if (r == 0 && j->plan->caisson && j->plan->caisson->machine_id)
		r = renew_files(j->root, j->plan->caisson->machine_id, e);
	if (r == 0)
		r = mounts_make(j, e);
	if (r == 0 && j->from_parent)
		r = sources_end(j, e);
	if (r == 0)
		r = devices_make(j, e);
	if (r == 0 && j->process->terminal)
		r = devices_console(j, e);
	if (r == 0)
		r = host_hooks(j, e);
	/* They find the root where they are. */
	if (r == 0 && h && fchdir(j->root) < 0)
		r = err_sys(e, "enter the root");
	if (r == 0 && h)
		r = own_hooks(j, &h->create_container, "createContainer", "creating", e);
	/* The masks come last, so that nothing above meets one of them. */
	if (r == 0)
		r = mounts_finish(j, e);
	if (r == 0)
		r = masks_apply(j, e);
	if (r == 0)
		r = newroot_enter(j, e);
	if (r == 0)
		r = newroot_finish(j, e);
	trace_end(TRACE_MOUNTS);
	return r;
}

static int join_for_exec(struct job *j, struct err *e)
{
	/* One call, so that there is no moment half inside (Linux 5.8). */
	if (j->target_flags && setns(j->target, (int)j->target_flags) < 0)
		return err_sys(e, "join the namespaces of the instance");
	/* setns() into a mount namespace put us at its root. */
	j->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (j->root < 0)
		return err_sys(e, "open '/'");
	/* Joining a user namespace keeps the ids, which are nobody's inside. */
	if (j->target_user && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
		return err_sys(e, "become root of the user namespace");
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return j->process->terminal ? devices_console(j, e) : 0;
}

static int set_up(struct job *j, struct err *e)
{
	struct handshake h;
	int r;

	/* Not traceable, and /proc/PID of ours closed, from here to execve (CVE-2016-9962).  Only
	 * an unprivileged caller has to wait until it has written our id maps, which it may not
	 * when /proc/PID belongs to root; we are alone in our namespaces as yet. */
	if (!(j->await_map && j->rootless))
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	reset_signals();
	if (setsid() < 0 && errno != EPERM)
		return err_sys(e, "setsid");
	/* Before the cgroup namespace, whose root is where we are, and before any privilege goes.
	 */
	r = process_early(j, e);
	if (r == 0)
		r = entry_cgroup(j, e);
	if (r < 0)
		return r;
	if (j->await_map) {
		r = await_root(j, e);
		if (r < 0)
			return r;
	}
	r = handshake_expect(j->sync, HANDSHAKE_PLACED, &h, NULL, e);
	if (r < 0)
		return r;
	j->host_pid = h.value;
	if (j->exec)
		return join_for_exec(j, e);
	if (j->ns.make & CLONE_NEWCGROUP && unshare(CLONE_NEWCGROUP) < 0)
		return err_sys(e, "new cgroup namespace");
	return nsset_join(&j->ns, j->ns.join, e);
}

/* Process 1 of a pid namespace is deaf to signals that it has no handler for, and so would be a
 * created instance to `kill ID TERM`. */
static void end_by(int sig)
{
	_exit(128 + sig);
}

static void hear_signals(bool yes)
{
	static const int all[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM};
	const struct sigaction a = {.sa_handler = yes ? end_by : SIG_DFL};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		sigaction(all[i], &a, NULL);
}

static int wait_for_start(struct job *j, struct err *e)
{
	const int keep[] = {j->sync, j->opts->listener > 0 ? j->opts->listener : -1, j->notify,
			    j->init};
	struct handshake h;
	int r, conn;

	/* Where another program starts us, perhaps days from now, the creator's death is no longer
	 * ours; said before it may hear that we are ready and exit. */
	if (j->opts->listener > 0)
		prctl(PR_SET_PDEATHSIG, 0);
	hear_signals(true);
	/* It may wait for days, with others in its namespaces: what it needs no more it does not
	 * hold, nor what the caller left open. */
	r = fd_close_but(3 + j->opts->preserve_fds, keep, sizeof(keep) / sizeof(keep[0]));
	if (r < 0) {
		errno = -r;
		return err_sys(e, "close descriptors");
	}
	/* Without privilege exec can join a created instance only when it may look at it, and here
	 * nothing of the host's is left to look at.  Closed again before start. */
	if (j->rootless && j->opts->listener > 0)
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	r = handshake_send(j->sync, HANDSHAKE_READY, 0, -1, e);
	if (r < 0)
		return r;
	if (j->opts->listener <= 0)
		return handshake_expect(j->sync, HANDSHAKE_START, &h, NULL, e);
	close(j->sync);
	do {
		conn = accept4(j->opts->listener, NULL, NULL, SOCK_CLOEXEC);
		j->sync = conn;
		if (conn >= 0 && handshake_recv(conn, &h, NULL, e) == 1 && h.op == HANDSHAKE_START)
			return 0;
		fd_close(conn); /* somebody who only looked */
	} while (conn >= 0 || errno == EINTR || errno == ECONNABORTED);
	return err_sys(e, "wait for start");
}

static int run(struct job *j, struct err *e)
{
	const struct plan_hooks *h = j->plan->hooks;
	int r;

	r = set_up(j, e);
	if (r == 0 && wants_proc(j)) {
		j->proc = procfs_open(e);
		r = j->proc < 0 ? j->proc : 0;
	}
	if (r == 0 && !j->exec)
		r = build(j, e);
	if (r == 0 && !j->exec && j->ns.make & CLONE_NEWUTS)
		r = names(j, e);
	if (r == 0 && !j->exec)
		r = sysctls(j, e);
	if (r == 0)
		r = process_prepare(j, e);
	if (r == 0)
		r = wait_for_start(j, e);
	hear_signals(false);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (r == 0) {
		/* After the change of user, which clears it.  A caller that died before has closed
		 * the socket we waited at. */
		prctl(PR_SET_PDEATHSIG, j->opts->flags & LAUNCH_ENDS_WITH_CALLER ? SIGKILL : 0);
		r = process_confine(j, e);
	}
	/* Under the filter, like the process itself: they run in a root of somebody else's. */
	if (r == 0 && h && !j->exec)
		r = start_hooks(j, &h->start_container, e);
	return r < 0 ? r : process_exec(j, e);
}

void entry_unlock(struct job *j)
{
	fd_close(j->lock);
	j->lock = -1;
}

void entry_main(struct job *j)
{
	struct err e = ERR_INIT;

	entry_unlock(j);
	run(j, &e);
	handshake_fail(j->sync, &e);
	/* What a shell answers for a command that is not there or not executable. */
	_exit(e.kind == ERR_NO_COMMAND ? 127 : e.kind == ERR_NOT_EXEC ? 126 : 125);
}
