/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/ocicreate.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "oci/ocilog.h"
#include "oci/ocistate.h"
#include "oci/ocitty.h"
#include "oci/ocivm.h"
#include "oci/ocivmplan.h"
#include "runtime/capset.h"
#include "runtime/cgroup.h"
#include "runtime/check.h"
#include "runtime/launch.h"
#include "spec/plan.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/sock.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define CONFIG_MAX (16u << 20)

struct args {
	const char *bundle, *console_socket, *pidfd_socket, *pid_file, *config;
	int64_t preserve_fds;
	bool no_pivot, no_new_keyring, detach, keep, no_subreaper;
};

const struct opt ocicreate_opts[] = {
    OPT(struct args, bundle, .name = "bundle", .letter = 'b', .type = OPT_STR, .arg = "DIR",
	.help = "directory with config.json, default the current one"),
    OPT(struct args, config, .name = "config", .letter = 'f', .type = OPT_STR, .arg = "FILE",
	.help = "read this instead of the bundle's config.json"),
    OPT(struct args, console_socket, .name = "console-socket", .type = OPT_STR, .arg = "PATH",
	.help = "unix socket that gets the terminal's master"),
    OPT(struct args, pidfd_socket, .name = "pidfd-socket", .type = OPT_STR, .arg = "PATH",
	.help = "unix socket that gets a pidfd of the process"),
    OPT(struct args, pid_file, .name = "pid-file", .type = OPT_STR, .arg = "FILE",
	.help = "write the process id there"),
    OPT(struct args, preserve_fds, .name = "preserve-fds", .type = OPT_INT, .arg = "N", .min = 0,
	.max = 4096, .help = "pass this many descriptors after stdio and LISTEN_FDS"),
    OPT(struct args, no_pivot, .name = "no-pivot", .type = OPT_BOOL,
	.help = "chroot instead of pivot_root, for roots on a ramdisk"),
    OPT(struct args, no_new_keyring, .name = "no-new-keyring", .type = OPT_BOOL,
	.help = "keep the caller's session keyring"),
    OPT(struct args, detach, .name = "detach", .letter = 'd', .type = OPT_BOOL,
	.help = "run: do not wait for the process"),
    OPT(struct args, keep, .name = "keep", .type = OPT_BOOL,
	.help = "run: do not delete when the process has ended"),
    OPT(struct args, no_subreaper, .name = "no-subreaper", .type = OPT_BOOL,
	.help = "run: accepted; the process is waited for by its pid"),
    OPT_END,
};

/* Everything one create or run holds. */
struct making {
	const struct ocicmd_globals *g;
	struct args a;
	const char *id;
	char bundle[PATH_MAX];
	struct arena arena;
	struct plan *plan;
	char *text; /* config.json as read */
	size_t text_len;
	int root_fd, dir, listener;
	bool vm;
	char cache[PATH_MAX]; /* of compiled filters */
	struct launch_opts opts;
	struct launch l;
	const struct ocicreate_restore *restore; /* NULL: a new process */
};

static void warn_ambient(const struct ocicmd_globals *g, const struct capset *c)
{
	const uint64_t lost = c->ambient & ~(c->inheritable & c->permitted);

	/* Each name asks the kernel whether it knows it: 42 calls that a plan without ambient
	 * capabilities, which is nearly every one, need not pay. */
	for (int i = 0; lost && capset_name(i); i++)
		if (lost & 1ULL << i)
			ocilog_warn(g,
				    "can't raise ambient capability %s: it is not both permitted "
				    "and inheritable",
				    capset_name(i));
}

int ocicreate_check_fds(int n, struct err *e)
{
	for (int i = 3; i < 3 + n; i++)
		if (fcntl(i, F_GETFD) < 0)
			return err_set(e, ERR_USAGE,
				       "please check that preserved-fds count of %d is right: "
				       "descriptor %d is not open",
				       n, i);
	return 0;
}

int ocicreate_pid_file(const char *path, pid_t pid, struct err *e)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX] = ".", text[16];
	auto_fd int dir = -1;
	int r;

	if (slash)
		snprintf(parent, sizeof(parent), "%.*s", slash == path ? 1 : (int)(slash - path),
			 path);
	dir = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(text, sizeof(text), "%d", (int)pid);
	r = dir < 0
		? -errno
		: file_replace(dir, slash ? slash + 1 : path, text, strlen(text), 0644, FILE_LAZY);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "pid file '%s'", path);
	}
	return 0;
}

static int read_config(struct making *m, struct err *e)
{
	auto_fd int fd = -1, dir = -1;
	ssize_t n;

	if (!realpath(m->a.bundle ? m->a.bundle : ".", m->bundle))
		return err_sys(e, "bundle '%s'", m->a.bundle ? m->a.bundle : ".");
	dir = open(m->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, "bundle '%s'", m->bundle);
	fd = m->a.config ? open(m->a.config, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
			 : openat(dir, "config.json", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_sys(e, "JSON specification file config.json not found in '%s'",
			       m->bundle);
	/* Read once: what is checked is what is run and what is kept. */
	n = fd_slurp(fd, CONFIG_MAX, &m->text);
	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "read config.json");
	}
	m->text_len = (size_t)n;
	return plan_parse(m->text, m->text_len, "config.json", &m->arena, &m->plan, e);
}

/* What this program knows and the library does not: a foreign bundle has no business in "caisson",
 * which names host paths outside of the bundle. */
static int adapt(struct making *m, struct err *e)
{
	const char *isolation = jbind_lookup(&m->plan->annotations, "io.caisson.isolation");
	const char *unknown = NULL;
	struct capset caps;
	int r;

	if (m->g->isolation)
		isolation = m->g->isolation;
	r = ocivm_wanted(isolation, &m->vm, e);
	if (r < 0)
		return r;
	m->plan->caisson = NULL;
	if (!m->plan->linux_ || !m->plan->process)
		return check_plan(m->plan, e);
	capset_read(m->plan->process->capabilities, &caps, &unknown);
	if (unknown)
		ocilog_warn(m->g, "ignoring unknown capability '%s'", unknown);
	warn_ambient(m->g, &caps);
	return 0;
}

static int check_terminal(const struct making *m, bool detached, struct err *e)
{
	const bool tty = m->plan->process->terminal;

	if (detached && tty && !m->a.console_socket)
		return err_set(e, ERR_USAGE,
			       "cannot allocate tty if runc will detach without setting console "
			       "socket");
	if (m->a.console_socket && (!detached || !tty))
		return err_set(e, ERR_USAGE,
			       "cannot use console socket if runc will not detach or "
			       "allocate tty");
	return 0;
}

/* $LISTEN_FDS of a socket-activated caller counts before --preserve-fds (sd_listen_fds(3)). */
static int listen_fds(struct making *m)
{
	if (!m->g->listen_fds)
		return 0;
	arena_strs_add(&m->arena, &m->plan->process->env,
		       arena_printf(&m->arena, "LISTEN_FDS=%d", m->g->listen_fds));
	arena_strs_add(&m->arena, &m->plan->process->env, "LISTEN_PID=1");
	return m->g->listen_fds;
}

static int prepare(struct making *m, bool detached, struct err *e)
{
	int r = ocistate_check_id(m->id, e);

	if (r == 0)
		r = ocicreate_check_fds((int)m->a.preserve_fds, e);
	if (r == 0)
		r = read_config(m, e);
	if (r == 0)
		r = adapt(m, e);
	if (r == 0)
		r = check_plan(m->plan, e);
	/* Not a valid id, so it cannot be taken for an instance's. */
	snprintf(m->cache, sizeof(m->cache), "%s/.seccomp", m->g->root);
	if (r == 0 && m->vm)
		r = ocivmplan_adapt(m->plan, m->bundle, m->id, m->cache, &m->arena, e);
	if (r == 0)
		r = check_terminal(m, detached, e);
	if (r < 0)
		return r;
	m->opts = LAUNCH_OPTS_INIT;
	m->opts.bundle = m->bundle;
	m->opts.id = m->id;
	m->opts.preserve_fds = (int)m->a.preserve_fds + listen_fds(m);
	m->opts.no_pivot = m->a.no_pivot;
	m->opts.no_new_keyring = m->a.no_new_keyring;
	m->opts.flags = m->g->systemd_cgroup ? LAUNCH_SYSTEMD_CGROUP : 0;
	/* As runc: only where the terminal is relayed to our own. */
	if (!m->a.console_socket)
		m->opts.flags |= LAUNCH_PLAIN_NEWLINE;
	m->root_fd = ocistate_open_root(m->g->root, true, e);
	if (m->root_fd < 0)
		return m->root_fd;
	return 0;
}

static int save(const struct making *m, struct err *e)
{
	auto_buf struct buf cgroup = BUF_INIT(64 * 1024);
	char created[48], rootfs[PATH_MAX * 2];
	const char *path = m->plan->root->path;
	struct timespec ts;
	struct ocistate s = {
	    .id = m->id,
	    .bundle = m->bundle,
	    .rootfs = rootfs,
	    .created = created,
	    .owner = "",
	    .pid = m->l.pid,
	    .start_time = ocistate_start_time(m->l.pid),
	    .systemd_cgroup = m->g->systemd_cgroup,
	    .rootless = geteuid() != 0,
	    .vm = m->vm,
	    .rdt_made = m->l.rdt_made,
	};

	clock_gettime(CLOCK_REALTIME, &ts);
	ocilog_time(&ts, created, sizeof(created));
	snprintf(rootfs, sizeof(rootfs), "%s%s%s", *path == '/' ? "" : m->bundle,
		 *path == '/' ? "" : "/", path);
	cgroup_save(m->l.cgroup, &cgroup);
	s.cgroup = cgroup.p;
	return ocistate_save(m->dir, &s, e);
}

static int send_pidfd(const struct making *m, struct err *e)
{
	return m->a.pidfd_socket ? ocitty_send(m->a.pidfd_socket, m->l.pidfd, e) : 0;
}

static int keep_config(const struct making *m, struct err *e)
{
	int r = file_replace(m->dir, OCISTATE_CONFIG, m->text, m->text_len, 0600, FILE_LAZY);

	if (r < 0) {
		errno = -r;
		return err_sys(e, "keep config.json");
	}
	return 0;
}

static int create_container(struct making *m, bool wait_for_start, struct err *e)
{
	if (wait_for_start) {
		m->listener = sock_listen(m->dir, OCISTATE_START, 0600);
		if (m->listener < 0) {
			errno = -m->listener;
			return err_sys(e, "socket to wait for start");
		}
		m->opts.listener = m->listener;
	}
	return launch_create(m->plan, &m->opts, &m->l, e);
}

/* The machine waits for start at a socket of its own: OCISTATE_START is only the mark here. */
static int create_vm(struct making *m, bool wait_for_start, struct err *e)
{
	char cache[PATH_MAX];
	struct ocivm_request rq = {
	    .plan = m->plan,
	    .opts = &m->opts,
	    .dir = m->dir,
	    .programs = m->g->programs,
	    .cache = cache,
	};
	int r = 0;

	snprintf(cache, sizeof(cache), "%s/.vm", m->g->root);
	if (wait_for_start)
		r = file_replace(m->dir, OCISTATE_START, "", 0, 0600, FILE_LAZY);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "mark to wait for start");
	}
	return ocivm_create(&rq, &m->l, e);
}

static int restore_container(struct making *m, struct err *e)
{
	const struct ocicreate_made made = {
	    .plan = m->plan, .opts = &m->opts, .bundle = m->bundle, .dir = m->dir, .l = &m->l};

	return m->restore->make(m->g, m->restore->ctx, &made, e);
}

/* Directory, process, state; what the caller asked to be told. */
static int make(struct making *m, bool wait_for_start, struct err *e)
{
	int r = ocistate_make(m->root_fd, m->id, &m->dir, e);

	if (r < 0)
		return r;
	m->opts.seccomp_cache = m->cache;
	m->opts.lock = m->dir;
	r = keep_config(m, e);
	if (r == 0) {
		r = m->restore ? restore_container(m, e)
		    : m->vm    ? create_vm(m, wait_for_start, e)
			       : create_container(m, wait_for_start, e);
		if (r < 0)
			r = err_wrap(e, r,
				     m->restore ? "restore" : "unable to start container process");
	}
	if (r == 0) {
		ocilog_debug(m->g, "instance '%s' of bundle '%s' is made: process %d", m->id,
			     m->bundle, (int)m->l.pid);
		r = save(m, e);
	}
	if (r == 0 && m->a.console_socket)
		r = ocitty_send(m->a.console_socket, m->l.console, e);
	if (r == 0)
		r = send_pidfd(m, e);
	if (r == 0 && m->a.pid_file)
		r = ocicreate_pid_file(m->a.pid_file, m->l.pid, e);
	return r;
}

static void undo(struct making *m)
{
	if (m->l.pid > 0) {
		kill(m->l.pid, SIGKILL);
		while (waitpid(m->l.pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (m->l.cgroup) {
		cgroup_kill(m->l.cgroup, SIGKILL, NULL);
		cgroup_remove(m->l.cgroup, NULL);
	}
	if (m->l.pid > 0)
		launch_remove_class(m->plan, m->id, m->l.rdt_made);
	if (m->dir >= 0)
		ocistate_remove(m->root_fd, m->id, NULL);
}

static void done(struct making *m)
{
	launch_done(&m->l);
	fd_close(m->listener);
	fd_close(m->dir);
	fd_close(m->root_fd);
	free(m->text);
	arena_free(&m->arena);
}

static int parse(struct making *m, const struct ocicmd_globals *g, int argc, char **argv,
		 struct err *e)
{
	int i;

	*m = (struct making){.g = g, .root_fd = -1, .dir = -1, .listener = -1, .l = LAUNCH_INIT};
	i = opt_parse(ocicreate_opts, argc, argv, OPT_MIXED, &m->a, e);
	if (i < 0)
		return i;
	if (argc - i != 1)
		return err_set(e, ERR_USAGE, "\"%s\" requires exactly 1 argument", argv[0]);
	m->id = argv[i];
	return 0;
}

int ocicreate_create(const struct ocicmd_globals *g, int argc, char **argv, struct err *e)
{
	struct making m;
	int r = parse(&m, g, argc, argv, e);

	if (r == 0)
		r = prepare(&m, true, e);
	if (r == 0) {
		r = make(&m, true, e);
		if (r < 0)
			undo(&m);
	}
	done(&m);
	return r;
}

static int poststart(struct making *m, struct err *e)
{
	if (!m->plan->hooks)
		return 0;
	return launch_hooks(m->plan, &m->plan->hooks->poststart, "poststart", &m->opts, "running",
			    m->l.pid, e);
}

static int run(struct making *m, struct err *e)
{
	int r = make(m, false, e);

	if (r == 0 && !m->restore) {
		r = m->vm ? ocivm_start(m->dir, e) : launch_start(&m->l, e);
		if (r < 0)
			r = err_wrap(e, r, "unable to start container process");
	}
	if (r == 0)
		r = poststart(m, e);
	if (r < 0) {
		undo(m);
		return r;
	}
	/* Deleting may now be done by others. */
	if (m->a.detach)
		return 0;
	return ocitty_wait(&m->l, e);
}

/* Prepared, run, waited for, removed. */
static int run_whole(struct making *m, int r, struct err *e)
{
	struct ocistate s = {0};

	if (r == 0)
		r = prepare(m, m->a.detach, e);
	if (r == 0 && m->vm && m->restore)
		r = err_set(e, ERR_UNSUPPORTED,
			    "restore with isolation vm: criu makes processes of this kernel");
	if (r == 0) {
		if (!m->a.detach)
			ocitty_block_signals();
		r = run(m, e);
		if (r >= 0 && !m->a.detach && !m->a.keep) {
			struct err why = ERR_INIT;

			s.id = m->id;
			s.bundle = m->bundle;
			s.rdt_made = m->l.rdt_made;
			if (cgroup_kill(m->l.cgroup, SIGKILL, &why) < 0 ||
			    cgroup_remove(m->l.cgroup, &why) < 0 ||
			    ocicreate_destroy(m->g, m->root_fd, &s, m->plan, &why) < 0)
				ocilog_warn(m->g, "%s", why.msg);
		}
	}
	done(m);
	return r;
}

int ocicreate_run(const struct ocicmd_globals *g, int argc, char **argv, struct err *e)
{
	struct making m;
	int r = parse(&m, g, argc, argv, e);

	return run_whole(&m, r, e);
}

int ocicreate_restore(const struct ocicmd_globals *g, const struct ocicreate_restore *rs,
		      struct err *e)
{
	struct making m = {
	    .g = g,
	    .a = {.bundle = rs->bundle,
		  .console_socket = rs->console_socket,
		  .pid_file = rs->pid_file,
		  .detach = rs->detach},
	    .id = rs->id,
	    .root_fd = -1,
	    .dir = -1,
	    .listener = -1,
	    .l = LAUNCH_INIT,
	    .restore = rs,
	};

	return run_whole(&m, 0, e);
}

int ocicreate_destroy(const struct ocicmd_globals *g, int root_fd, const struct ocistate *s,
		      const struct plan *p, struct err *e)
{
	struct launch_opts o = LAUNCH_OPTS_INIT;
	auto_cgroup struct cgroup *cg = NULL;
	struct err why = ERR_INIT;
	int r;

	if (s->cgroup) {
		r = cgroup_open_saved(s->cgroup, &cg, e);
		if (r == 0)
			r = cgroup_kill(cg, SIGKILL, e);
		if (r == 0)
			r = cgroup_remove(cg, e);
		if (r < 0)
			return r;
	}
	if (p && p->linux_)
		launch_remove_class(p, s->id, s->rdt_made);
	r = ocistate_remove(root_fd, s->id, e);
	if (r < 0 || !p || !p->hooks)
		return r;
	o.bundle = s->bundle;
	o.id = s->id;
	/* The specification: log and go on. */
	if (launch_hooks(p, &p->hooks->poststop, "poststop", &o, "stopped", 0, &why) < 0)
		ocilog_warn(g, "%s", why.msg);
	return 0;
}

int ocicreate_start(const struct ocicmd_globals *g, int argc, char **argv, struct err *e)
{
	static const struct opt none[] = {OPT_END};
	auto_fd int root_fd = -1, dir = -1, conn = -1;
	auto_arena struct arena a = ARENA_INIT;
	struct launch_opts o = LAUNCH_OPTS_INIT;
	struct plan *p = NULL;
	struct ocistate s;
	enum ocistate_status now_;
	int r = opt_parse(none, argc, argv, OPT_MIXED, NULL, e);

	if (r < 0)
		return r;
	if (argc - r != 1)
		return err_set(e, ERR_USAGE, "\"start\" requires exactly 1 argument");
	root_fd = ocistate_open_root(g->root, false, e);
	if (root_fd < 0)
		return root_fd;
	r = ocistate_load(root_fd, argv[r], &dir, &s, &a, e);
	if (r < 0)
		return r;
	now_ = ocistate_now(dir, &s);
	if (now_ == OCISTATE_STOPPED)
		return err_set(e, ERR_CONFLICT, "cannot start a container that has stopped");
	if (now_ != OCISTATE_CREATED)
		return err_set(e, ERR_CONFLICT, "cannot start an already running container");
	r = ocistate_plan(dir, &a, &p, e);
	if (r < 0)
		return r;
	if (s.vm) {
		r = ocivm_start(dir, e);
	} else {
		conn = sock_connect(dir, OCISTATE_START);
		if (conn < 0) {
			errno = -conn;
			return err_sys(e, "connect to the waiting process");
		}
		r = launch_release(conn, e);
	}
	/* Also when it failed: there is nothing left to start. */
	unlinkat(dir, OCISTATE_START, 0);
	if (r < 0 || !p->hooks)
		return r;
	o.bundle = s.bundle;
	o.id = s.id;
	return launch_hooks(p, &p->hooks->poststart, "poststart", &o, "running", (pid_t)s.pid, e);
}
