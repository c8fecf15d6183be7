/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation.  What create does up to the process is done as ever: bundle read and
 * checked, state directory, cgroup.  Instead of a clone, criu makes the processes: with
 * rst_sibling the first of them is our child, as a created one would be.  The root is a bind mount
 * in a mount namespace of ours, since criu wants a mount and the host should see none.
 */
#include "oci/ocirestore.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "fmt/json.h"
#include "oci/ocicreate.h"
#include "oci/ocicriu.h"
#include "runtime/cgroup.h"
#include "runtime/launch.h"
#include "runtime/target.h"
#include "spec/plan.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/path.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROOT	  "criu-root" /* in the state directory */
#define FIRST_FD  10	      /* criu's, for what the processes inherit */
#define INHERITED 5	      /* stdio, network and pid namespace */

struct args {
	struct ocicriu_args common;
	const char *bundle, *console_socket, *pid_file, *lsm_profile, *lsm_mount_context;
	bool detach, no_pivot, no_subreaper;
};

#define COMMON(field_, name_, help_)                                                               \
	OPT(struct args, common.field_, .name = (name_), .type = OPT_BOOL, .help = (help_))

const struct opt ocirestore_opts[] = {
    OPT(struct args, common.image_path, .name = "image-path", .type = OPT_STR, .arg = "DIR",
	.help = "where the images are, default ./checkpoint"),
    OPT(struct args, common.work_path, .name = "work-path", .type = OPT_STR, .arg = "DIR",
	.help = "where criu keeps its log, default the images' directory"),
    OPT(struct args, bundle, .name = "bundle", .letter = 'b', .type = OPT_STR, .arg = "DIR",
	.help = "directory with config.json, default the current one"),
    OPT(struct args, console_socket, .name = "console-socket", .type = OPT_STR, .arg = "PATH",
	.help = "unix socket that gets the terminal's master"),
    OPT(struct args, pid_file, .name = "pid-file", .type = OPT_STR, .arg = "FILE",
	.help = "write the process id there"),
    OPT(struct args, detach, .name = "detach", .letter = 'd', .type = OPT_BOOL,
	.help = "do not wait for the process"),
    OPT(struct args, no_pivot, .name = "no-pivot", .type = OPT_BOOL,
	.help = "accepted; criu makes the root in its own way"),
    OPT(struct args, no_subreaper, .name = "no-subreaper", .type = OPT_BOOL,
	.help = "accepted; the process is waited for by its pid"),
    COMMON(tcp_established, "tcp-established", "allow open TCP connections"),
    COMMON(ext_unix_sk, "ext-unix-sk", "allow unix sockets whose other end is outside"),
    COMMON(shell_job, "shell-job", "allow a session or terminal from outside"),
    COMMON(file_locks, "file-locks", "take held file locks again"),
    COMMON(lazy_pages, "lazy-pages", "fetch the memory when it is touched"),
    COMMON(auto_dedup, "auto-dedup", "remove pages from the images once they are restored"),
    OPT(struct args, common.cgroups_mode, .name = "manage-cgroups-mode", .type = OPT_STR,
	.arg = "MODE", .help = "soft (default), full, strict or ignore"),
    OPT(struct args, common.empty_ns, .name = "empty-ns", .type = OPT_STR, .arg = "network",
	.help = "the network namespace is restored without what is in it"),
    OPT(struct args, lsm_profile, .name = "lsm-profile", .type = OPT_STR, .arg = "TYPE:NAME",
	.help = "another AppArmor profile or SELinux label for the processes"),
    OPT(struct args, lsm_mount_context, .name = "lsm-mount-context", .type = OPT_STR,
	.arg = "CONTEXT", .help = "another SELinux context for the mounts"),
    OPT_END,
};

struct restoring {
	const struct args *x;
	const struct ocicreate_made *made;
	struct ocicriu c;
	struct arena a;
	struct strs external;
	struct criu_rpc_pair inherit[INHERITED], roots[32];
	char root[PATH_MAX];
};

/* ---- what the processes find again ---- */

static void inherit(struct restoring *t, int fd, const char *key)
{
	struct criu_rpc_pairs *all = &t->c.o.inherit;
	const int to = FIRST_FD + (int)all->n;

	all->v = t->inherit;
	t->c.fds[t->c.nfds++] = (struct child_fd){fd, to};
	all->v[all->n++] = (struct criu_rpc_pair){.key = key, .fd = to};
}

/* Ours take the place of those that the images name. */
static int stdio(struct restoring *t, struct err *e)
{
	auto_free char *text = NULL;
	auto_json struct json *list = NULL;
	ssize_t n = file_read(t->c.images, OCICRIU_DESCRIPTORS, 64 * 1024, &text);
	int r;

	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "read " OCICRIU_DESCRIPTORS " of the images");
	}
	r = json_parse(text, (size_t)n, OCICRIU_DESCRIPTORS, &list, e);
	for (int i = 0; r == 0 && i < 3; i++) {
		const char *said = json_string(json_at(list, (size_t)i));

		if (said && (strncmp(said, "pipe:", 5) == 0 || strncmp(said, "file[", 5) == 0))
			inherit(t, i, arena_dup(&t->a, said));
	}
	return r;
}

static int join(struct restoring *t, const char *type, const char *key, int *fd, struct err *e)
{
	const char *path = plan_namespace_path(t->made->plan, type);

	if (!path || !*path)
		return 0;
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0)
		return err_sys(e, "%s namespace '%s'", type, path);
	inherit(t, *fd, key);
	return 0;
}

/* Below a file system that comes with the images the place does, too. */
static bool restored(const struct plan *p, const char *destination)
{
	for (size_t i = 0; i < p->mounts.n; i++) {
		const struct plan_mount *m = &p->mounts.v[i];
		size_t n = strlen(m->destination);

		if (m->type && !streq(m->type, "bind") && n > 1 &&
		    strncmp(m->destination, destination, n) == 0 && destination[n] == '/')
			return true;
	}
	return false;
}

/* The root may be another copy of the image, without the places made for the first instance. */
static int places(const struct restoring *t, int root, struct err *e)
{
	const struct plan *p = t->made->plan;

	for (size_t i = 0; i < p->mounts.n; i++) {
		const struct plan_mount *m = &p->mounts.v[i];
		bool directory = true;
		struct stat st;
		int fd;

		if (restored(p, m->destination))
			continue;
		if (m->type && streq(m->type, "bind") && m->source && stat(m->source, &st) == 0)
			directory = S_ISDIR(st.st_mode);
		fd = target_open(root, m->destination, directory, NULL, e);
		if (fd < 0)
			return fd;
		close(fd);
	}
	return 0;
}

static int make_root(struct restoring *t, struct err *e)
{
	const char *path = t->made->plan->root->path;
	auto_fd int root = -1;
	char at[PATH_FD_MAX];
	ssize_t n;

	if (*path != '/')
		path = arena_printf(&t->a, "%s/%s", t->made->bundle, path);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_sys(e, "root '%s'", path);
	if (mkdirat(t->made->dir, ROOT, 0700) < 0)
		return err_sys(e, "directory for the root");
	n = readlink(path_of_fd(t->made->dir, at), t->root, sizeof(t->root) - sizeof("/" ROOT));
	if (n <= 0)
		return err_sys(e, "state directory");
	snprintf(t->root + n, sizeof(t->root) - (size_t)n, "/" ROOT);
	if (mount(path_of_fd(root, at), t->root, NULL, MS_BIND | MS_REC, NULL) < 0 ||
	    mount(NULL, t->root, NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(e, "mount the root");
	t->c.o.root = t->root;
	return places(t, root, e);
}

/* The instance may be given another cgroup than it had. */
static void cgroup_roots(struct restoring *t)
{
	const struct cgroup_place *p;
	size_t n = cgroup_places(t->made->l->cgroup, &p);
	struct criu_rpc_pairs *all = &t->c.o.cgroup_roots;

	all->v = t->roots;
	for (size_t i = 0; i < n && all->n < sizeof(t->roots) / sizeof(t->roots[0]); i++)
		all->v[all->n++] = (struct criu_rpc_pair){
		    .key = p[i].controllers, .path = arena_printf(&t->a, "/%s", p[i].path)};
}

/* ---- criu ---- */

static int notified(void *ctx, const struct criu_rpc_response *what, int fd, struct err *e)
{
	struct restoring *t = ctx;
	const struct ocicreate_made *m = t->made;
	const struct plan_hooks *h = m->plan->hooks;
	int r = 0;

	if (streq(what->script, "orphan-pts-master") && fd >= 0) {
		fd_close(m->l->console);
		m->l->console = fd;
		return 0;
	}
	fd_close(fd);
	if (streq(what->script, "setup-namespaces") && h) {
		r = launch_hooks(m->plan, &h->prestart, "prestart", m->opts, "creating", what->pid,
				 e);
		if (r == 0)
			r = launch_hooks(m->plan, &h->create_runtime, "createRuntime", m->opts,
					 "creating", what->pid, e);
	}
	return r;
}

static int make_cgroup(const struct ocicreate_made *m, struct err *e)
{
	const struct cgroup_request rq = {
	    .path = m->plan->linux_->cgroups_path,
	    .id = m->opts->id,
	    .driver = m->opts->flags & LAUNCH_SYSTEMD_CGROUP ? CGROUP_SYSTEMD : CGROUP_FS,
	    .resources = m->plan->linux_->resources,
	    .annotations = &m->plan->annotations,
	};

	return cgroup_create(&rq, &m->l->cgroup, e);
}

static int talk(const struct ocicmd_globals *g, struct restoring *t, struct err *e)
{
	const struct ocicreate_made *m = t->made;
	struct criu_rpc_response answer;
	int r;

	t->c.o.sibling = true;
	t->c.o.evasive_devices = true; /* as runc: a device that was replaced is opened by path */
	t->c.o.lsm_profile = t->x->lsm_profile;
	t->c.o.lsm_mount_context = t->x->lsm_mount_context;
	t->c.o.external = &t->external;
	t->c.cgroup = m->l->cgroup;
	t->c.notified = notified;
	t->c.ctx = t;
	cgroup_roots(t);
	r = ocicriu_talk(g, &t->c, CRIU_RPC_RESTORE, &answer, e);
	if (r < 0)
		return r;
	if (answer.pid <= 0)
		return err_set(e, ERR_CORRUPT, "criu restored process %d", answer.pid);
	m->l->pid = answer.pid;
	m->l->pidfd = (int)syscall(SYS_pidfd_open, answer.pid, 0);
	return m->l->pidfd < 0 ? err_sys(e, "process %d that criu restored", answer.pid) : 0;
}

static int make(const struct ocicmd_globals *g, const void *ctx, const struct ocicreate_made *m,
		struct err *e)
{
	const struct args *x = ctx;
	struct restoring t = {.x = x, .made = m, .c = OCICRIU_INIT};
	auto_fd int net = -1, pid = -1;
	int r = 0;

	/* First: on what was opened in the other namespace nothing can be mounted, by criu neither.
	 */
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		r = err_sys(e, "mount namespace");
	if (r == 0)
		r = ocicriu_begin(&t.c, &x->common, "restore.log", false, e);
	if (r == 0)
		r = stdio(&t, e);
	if (r == 0)
		r = join(&t, "network", OCICRIU_NET, &net, e);
	if (r == 0)
		r = join(&t, "pid", OCICRIU_PID, &pid, e);
	if (r == 0)
		r = make_cgroup(m, e);
	if (r == 0)
		r = ocicriu_mounts(m->plan, m->bundle, m->l->cgroup, 0, &t.a, &t.external, e);
	if (r == 0)
		r = make_root(&t, e);
	if (r == 0)
		r = talk(g, &t, e);
	if (t.root[0]) {
		umount2(t.root, MNT_DETACH);
		unlinkat(m->dir, ROOT, AT_REMOVEDIR);
	}
	ocicriu_done(&t.c);
	arena_free(&t.a);
	return r;
}

int ocirestore_restore(const struct ocicmd_globals *g, int argc, char **argv, struct err *e)
{
	struct args x = {0};
	int i = opt_parse(ocirestore_opts, argc, argv, OPT_MIXED, &x, e);
	struct ocicreate_restore rs = {.ctx = &x, .make = make};

	if (i < 0)
		return i;
	if (argc - i != 1)
		return err_set(e, ERR_USAGE, "\"restore\" requires exactly 1 argument");
	if (geteuid() != 0)
		return err_set(e, ERR_UNSUPPORTED, "restore needs root: criu does");
	rs.id = argv[i];
	rs.bundle = x.bundle;
	rs.console_socket = x.console_socket;
	rs.pid_file = x.pid_file;
	rs.detach = x.detach;
	return ocicreate_restore(g, &rs, e);
}
